/**
 * The store as the rest of the program sees it. Transactions run one after the other: one connection, one writer, and nothing but the store
 * itself is awaited inside.
 */
import type { Transaction } from 'kysely';
import type { Decision, State } from '../core/draft.ts';
import type { DomainEvent } from '../core/events.ts';
import type { DagFacts, Instant, Lineage } from '../core/facts.ts';
import type { Intent, IntentKind } from '../core/intent.ts';
import * as codec from './codec.ts';
import { openDatabase } from './database.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { createReadModels } from './queries.ts';
import type { ReadModels } from './readModels.ts';
import { loadState, saveDecision } from './state.ts';
import type { Tables } from './tables.ts';

export interface Store {
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
  watermark(airflow: string): Promise<Instant | null>;
  /** Failures before this are history; '' where the first poll has not set it. */
  baseline(airflow: string): Promise<Instant>;
  setBaseline(airflow: string, at: Instant): Promise<void>;
  /** Moves the watermark and remembers what was seen, after the signals are in. */
  polled(airflow: string, since: Instant, seen: readonly string[], forgetBefore: Instant): Promise<void>;
  /** Those of the keys that were seen before. */
  seen(airflow: string, keys: readonly string[]): Promise<ReadonlySet<string>>;
  saveFacts(airflow: string, kind: 'dags' | 'lineage', value: readonly DagFacts[] | Lineage, readAt: Instant): Promise<void>;
  loadFacts(): Promise<{ dags: Map<string, DagFacts[]>; lineage: Map<string, Lineage> }>;
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
    watermark: (airflow) =>
      transaction(async (trx) => {
        const row = await trx.selectFrom('watermarks').select('since').where('airflow', '=', airflow).executeTakeFirst();
        return row?.since ?? null;
      }),
    baseline: (airflow) =>
      transaction(async (trx) => {
        const row = await trx.selectFrom('watermarks').select('baseline').where('airflow', '=', airflow).executeTakeFirst();
        return row?.baseline ?? '';
      }),
    setBaseline: (airflow, at) =>
      transaction(async (trx) => {
        await trx
          .insertInto('watermarks')
          .values({ airflow, since: null, baseline: at })
          .onConflict((c) => c.column('airflow').doNothing())
          .execute();
      }),
    polled: (airflow, since, seen, forgetBefore) => transaction((trx) => polled(trx, airflow, since, seen, forgetBefore)),
    seen: (airflow, keys) =>
      transaction(async (trx) => {
        if (keys.length === 0) return new Set<string>();
        const rows = await trx.selectFrom('seen').select('key').where('airflow', '=', airflow).where('key', 'in', keys).execute();
        return new Set(rows.map((r) => r.key));
      }),
    saveFacts: (airflow, kind, value, readAt) =>
      transaction(async (trx) => {
        const row = { airflow, kind, read_at: readAt, doc: JSON.stringify(value) };
        await trx
          .insertInto('facts')
          .values(row)
          .onConflict((c) => c.columns(['airflow', 'kind']).doUpdateSet(row))
          .execute();
      }),
    loadFacts: async () => {
      const rows = await read.selectFrom('facts').selectAll().execute();
      const dags = new Map(rows.filter((r) => r.kind === 'dags').map((r) => [r.airflow, JSON.parse(r.doc) as DagFacts[]]));
      const lineage = new Map(rows.filter((r) => r.kind === 'lineage').map((r) => [r.airflow, JSON.parse(r.doc) as Lineage]));
      return { dags, lineage };
    },
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

async function polled(
  trx: Transaction<Tables>,
  airflow: string,
  since: Instant,
  seen: readonly string[],
  forgetBefore: Instant,
): Promise<void> {
  await trx
    .insertInto('watermarks')
    .values({ airflow, since, baseline: since })
    .onConflict((c) => c.column('airflow').doUpdateSet({ since }))
    .execute();
  for (const key of seen)
    await trx
      .insertInto('seen')
      .values({ airflow, key, seen_at: since })
      .onConflict((c) => c.columns(['airflow', 'key']).doNothing())
      .execute();
  await trx.deleteFrom('seen').where('airflow', '=', airflow).where('seen_at', '<', forgetBefore).execute();
}
