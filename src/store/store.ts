/**
 * The store as the rest of the program sees it. Transactions run one after the other: one connection, one writer, and nothing but the store
 * itself is awaited inside.
 */
import type { Transaction } from 'kysely';
import type { Decision, State } from '../core/draft.ts';
import type { DomainEvent } from '../core/events.ts';
import type { Instant } from '../core/facts.ts';
import type { Intent, IntentKind } from '../core/intent.ts';
import * as codec from './codec.ts';
import { openDatabase } from './database.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { createPollMemory, type PollMemory } from './pollMemory.ts';
import { createReadModels } from './queries.ts';
import type { ReadModels } from './readModels.ts';
import { loadState, saveDecision } from './state.ts';
import type { Tables } from './tables.ts';

export interface Store extends PollMemory {
  /** Load, decide, save in one transaction; `inboxDone` rows are marked in the same one. A throwing `decide` rolls everything back. */
  evaluate(
    events: readonly DomainEvent[],
    reopenSince: Instant,
    inboxDone: readonly number[],
    decide: (state: State) => Decision,
  ): Promise<Decision>;
  /**
   * Claims due intents, lane by lane: `sending` and the attempt are on disk before anything is sent. Answers them with the state they had before,
   * and when the next one is due that was not claimed; null when none waits.
   */
  claim(
    now: Instant,
    lanes: readonly ClaimLane[],
    underWay: ReadonlySet<string>,
  ): Promise<{ readonly claimed: readonly Claimed[]; readonly nextDue: Instant | null }>;
  /** At boot: an intent found `sending` was cut off, its outcome is unknown. */
  markInterrupted(): Promise<number>;
  /** Snapshot of everything live, for watch lists and effects. */
  snapshot(): Promise<State>;
  readonly inbox: Inbox;
  /** Deletes callbacks that went through respond and are older than this, at most `limit` in one transaction; answers how many. */
  forgetCallbacks(before: Instant, limit: number): Promise<number>;
  readonly read: ReadModels;
  close(): Promise<void>;
}

export interface ClaimLane {
  readonly kinds: readonly IntentKind[];
  /** At most so many. */
  readonly room: number;
  /** False for acts that only read: nothing has to be settled after a crash, so they cost no write. The caller remembers what it has taken. */
  readonly record: boolean;
}

export interface Claimed {
  readonly intent: Intent;
  /** True where an earlier attempt may have reached the outside: read back before doing anything. */
  readonly settle: boolean;
}

export async function openStore(path: string): Promise<Store> {
  const { write, read, close } = await openDatabase(path);
  let tail: Promise<unknown> = Promise.resolve();
  /** One transaction at a time, in the order of asking. */
  const transaction = <T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> => {
    const run = tail.then(() => write.transaction().execute(work));
    tail = run.catch(() => undefined);
    return run;
  };
  return {
    evaluate: (events, reopenSince, inboxDone, decide) =>
      transaction(async (trx) => {
        const decision = decide(await loadState(trx, events, reopenSince));
        await saveDecision(trx, decision);
        if (inboxDone.length > 0) await trx.updateTable('inbox').set({ done: 1 }).where('n', 'in', inboxDone).execute();
        return decision;
      }),
    claim: (now, lanes, underWay) => transaction((trx) => claim(trx, now, lanes, underWay)),
    markInterrupted: () =>
      transaction(async (trx) => {
        const result = await trx
          .updateTable('intents')
          .set({ state: 'unknown' })
          .where('state', '=', 'sending')
          .executeTakeFirst();
        return Number(result.numUpdatedRows);
      }),
    snapshot: () => transaction((trx) => loadState(trx, [], '9999')),
    inbox: createInbox(transaction),
    ...createPollMemory(transaction, read),
    forgetCallbacks: (before, limit) =>
      transaction(async (trx) => {
        const old = trx
          .selectFrom('inbox')
          .select('n')
          .where('done', '=', 1)
          .where('received_at', '<', before)
          .orderBy('n')
          .limit(limit);
        const result = await trx.deleteFrom('inbox').where('n', 'in', old).executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
    read: createReadModels(read),
    close: async () => {
      await tail;
      await close();
    },
  };
}

/** More than this many open intents are looked at in the next round. */
const CLAIM_WINDOW = 1_000;

async function claim(
  trx: Transaction<Tables>,
  now: Instant,
  lanes: readonly ClaimLane[],
  underWay: ReadonlySet<string>,
): Promise<{ claimed: Claimed[]; nextDue: Instant | null }> {
  const all = await trx
    .selectFrom('intents')
    .selectAll()
    .where('state', 'in', ['planned', 'unknown'])
    .orderBy('n')
    .limit(CLAIM_WINDOW)
    .execute();
  const rows = all.filter((r) => !underWay.has(r.id));
  const taken = lanes.flatMap((lane) => {
    const due = rows.filter((r) => r.due_at <= now && lane.kinds.includes(r.kind as IntentKind));
    return due.slice(0, lane.room).map((row) => ({ row, record: lane.record }));
  });
  // An intent that is due but had no room waits for the lane, which wakes the worker when it has some; it must not make a timer spin.
  const nextDue =
    rows
      .filter((r) => r.due_at > now)
      .map((r) => r.due_at)
      .sort()[0] ?? null;
  const recorded = taken.filter((t) => t.record).map((t) => t.row.id);
  if (recorded.length > 0) {
    await trx
      .updateTable('intents')
      .set((eb) => ({ state: 'sending', attempts: eb('attempts', '+', 1) }))
      .where('id', 'in', recorded)
      .execute();
  }
  const claimed = taken.map(({ row, record }) => ({
    intent: codec.intentFromRow({ ...row, attempts: row.attempts + (record ? 1 : 0) }),
    settle: row.state === 'unknown',
  }));
  return { claimed, nextDue };
}
