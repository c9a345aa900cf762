/**
 * The store as the rest of the program sees it. Transactions run one after the other: one connection, one writer, and nothing but the store
 * itself is awaited inside.
 */
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { Decision, State } from '../core/draft.ts';
import type { DomainEvent } from '../core/events.ts';
import type { Instant } from '../core/facts.ts';
import { CHANGES_OUTSIDE, type Intent, type IntentKind, LONGEST_WAIT_MS } from '../core/intent.ts';
import type { Restored } from '../core/restore.ts';
import type { FiredamperError } from '../errors.ts';
import { among } from './among.ts';
import type { ChainHead } from './chain.ts';
import { type ClaimLane, choose, queueOf } from './claiming.ts';
import * as codec from './codec.ts';
import { openDatabase } from './database.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { createPollMemory, type PollMemory } from './pollMemory.ts';
import { createReadModels } from './queries.ts';
import type { ReadModels } from './readModels.ts';
import { forgetCallbacks, forgetIncidents } from './retention.ts';
import { watchRoom } from './room.ts';
import { isOpen, loadState, saveDecision } from './state.ts';
import type { Tables } from './tables.ts';
import { createGuard, Superseded } from './trouble.ts';

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
  /** Snapshot of everything live, for watch lists and effects; without the notices that wait. */
  snapshot(): Promise<State>;
  /** Deletes incidents that ended before this with all that hangs on them, and acts of that time; at most `limit` rows, 0 when none is left. */
  forgetIncidents(before: Instant, limit: number): Promise<number>;
  readonly inbox: Inbox;
  /** Deletes callbacks that went through respond and are older than this, at most `limit` in one transaction; answers how many. */
  forgetCallbacks(before: Instant, limit: number): Promise<number>;
  /** Not null while the file is a restored one that no person has confirmed: then acts that change Airflow are not claimed. */
  restored(): Promise<Restored | null>;
  /** Gives back a write-ahead log that has grown too long (`most`: in bytes); answers its size in bytes. */
  guardWal(most?: number): number;
  /** Of the write-ahead log, in bytes. */
  walBytes(): number;
  /** That may be written before the disk is full, in bytes. */
  freeBytes(): number;
  /** The last line of the history with its hash; null while there is none. Written down elsewhere, it shows a history that was made anew. */
  auditHead(): Promise<ChainHead | null>;
  /** Why the last write did not work, or why no callback is accepted; null while all is well. */
  readonly trouble: string | null;
  readonly read: ReadModels;
  close(): Promise<void>;
}

export interface Claimed {
  readonly intent: Intent;
  /** True where an earlier attempt may have reached the outside: read back before doing anything. */
  readonly settle: boolean;
}

/**
 * `onFatal` is called once, when nothing more may be believed of this file: from then on every write is refused. With less than `minFreeBytes` of room
 * callbacks are refused; 0: never.
 */
export async function openStore(
  path: string,
  now: Instant = new Date().toISOString(),
  onFatal: (error: FiredamperError) => void = () => undefined,
  minFreeBytes = 0,
): Promise<Store> {
  const { write, read, epoch, guardWal, walBytes, changes, stillThere, close } = await openDatabase(path, now);
  let tail: Promise<unknown> = Promise.resolve();
  const guard = createGuard(path, { stillThere, changes, onFatal });
  const room = watchRoom(path, minFreeBytes);
  /** One transaction at a time, in the order of asking. */
  const transaction = <T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> => {
    const fenced = async (trx: Transaction<Tables>) => {
      await refuseIfSuperseded(trx, epoch);
      return work(trx);
    };
    const run = tail.then(() => guard.run(() => write.transaction().execute(fenced)));
    tail = run.catch(() => undefined);
    return run;
  };
  const { snapshot, forget } = remembered(
    () => transaction((trx) => loadState(trx, [], '9999')),
    // From memory, and not past the fence: whoever was superseded is to learn it at whatever it asks.
    () => guard.run(() => refuseIfSuperseded(read, epoch)),
  );
  /** Forgotten when it is asked for, not when it is done: whoever asks for a snapshot after that must see it. */
  const change = <T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> => {
    forget();
    return transaction(work);
  };
  return {
    evaluate: (events, reopenSince, inboxDone, decide) =>
      change(async (trx) => {
        const decision = decide(await loadState(trx, events, reopenSince));
        await saveDecision(trx, decision);
        if (inboxDone.length > 0) await trx.updateTable('inbox').set({ done: 1 }).where('n', 'in', among(inboxDone)).execute();
        return decision;
      }),
    claim: (now, lanes, underWay) =>
      transaction(async (trx) => {
        const done = await claim(trx, now, lanes, underWay);
        if (done.claimed.length > 0) forget();
        return done;
      }),
    markInterrupted: () => change(markInterrupted),
    snapshot,
    inbox: createInbox(transaction, room.need),
    ...createPollMemory(transaction, read),
    forgetCallbacks: (before, limit) => transaction((trx) => forgetCallbacks(trx, before, limit)),
    forgetIncidents: (before, limit) => change((trx) => forgetIncidents(trx, before, limit)),
    restored: async () => codec.restoredFromRow(await read.selectFrom('service').select('restored').executeTakeFirst()),
    guardWal,
    walBytes,
    freeBytes: room.freeBytes,
    auditHead: async () =>
      (await read.selectFrom('timeline_chain').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirst()) ?? null,
    get trouble() {
      return guard.trouble() ?? room.shortage();
    },
    read: createReadModels(read),
    close: async () => {
      await tail;
      await close();
    },
  };
}

async function markInterrupted(trx: Transaction<Tables>): Promise<number> {
  const sending = trx.updateTable('intents').set({ state: 'unknown' }).where(isOpen).where('state', '=', 'sending');
  return Number((await sending.executeTakeFirst()).numUpdatedRows);
}

/** The last snapshot, until something of it is to be changed: one pause asks three times, and nobody else writes to this file. */
function remembered(load: () => Promise<State>, fence: () => Promise<void>): { snapshot(): Promise<State>; forget(): void } {
  let known: Promise<State> | null = null;
  const forget = () => {
    known = null;
  };
  return {
    forget,
    snapshot: async () => {
      const kept = known;
      if (kept !== null) {
        await fence();
        return kept;
      }
      const asked = load();
      known = asked;
      asked.catch(() => known === asked && forget());
      return asked;
    },
  };
}

/** The lock file may have been deleted, or not be honoured by the file system: whoever started last has the file, the other one stops. */
async function refuseIfSuperseded(trx: Kysely<Tables>, epoch: number): Promise<void> {
  const row = await trx.selectFrom('service').select('epoch').executeTakeFirst();
  if (row?.epoch !== epoch)
    throw new Superseded(
      `another Firedamper was started on this database (start ${row?.epoch ?? 'unknown'}, this is ${epoch}): this one ends`,
    );
}

/** Left alone while we only observe. People are told all the same. */
const CHANGES_AIRFLOW = (Object.keys(CHANGES_OUTSIDE) as IntentKind[]).filter((k) => CHANGES_OUTSIDE[k] && k !== 'send_notice');

async function claim(
  trx: Transaction<Tables>,
  now: Instant,
  lanes: readonly ClaimLane[],
  underWay: ReadonlySet<string>,
): Promise<{ claimed: Claimed[]; nextDue: Instant | null }> {
  const observing = codec.restoredFromRow(await trx.selectFrom('service').select('restored').executeTakeFirst()) !== null;
  const open = trx
    .selectFrom('intents')
    .where(isOpen)
    .where('state', '!=', 'sending')
    .$if(observing, (q) => q.where('kind', 'not in', CHANGES_AIRFLOW));
  const due = isDueRow(now);
  const acts: Selectable<Tables['intents']>[] = [];
  const actLanes = lanes.map(({ kinds, room }) => ({ kinds: kinds.filter((k) => k !== 'send_notice'), room }));
  // Each lane by itself, and only what is due: a thousand of one kind, or for an Airflow that is away, left no place for a hold.
  for (const { kinds, room } of actLanes.filter((l) => l.kinds.length > 0 && l.room > 0)) {
    const most = room + underWay.size;
    acts.push(...(await open.selectAll().where('kind', 'in', kinds).where(due).orderBy('n').limit(most).execute()));
  }
  const put = open.select((eb) => eb.fn.min('due_at').as('dueAt')).where(sql<boolean>`not ${due}`);
  const kinds = actLanes.flatMap((l) => l.kinds);
  const later = (await put.where('kind', 'in', kinds).executeTakeFirst())?.dueAt ?? null;
  // All of them: one chat's must not fill the window of another.
  const notices = await trx
    .selectFrom('intents')
    .selectAll()
    .where(isOpen)
    .where('kind', '=', 'send_notice')
    .orderBy('n')
    .execute();
  const { taken, nextDue } = choose([...acts, ...notices].map(waiting), now, lanes, underWay);
  const recorded = taken.filter((t) => t.record).map((t) => t.row.id);
  if (recorded.length > 0) {
    await trx
      .updateTable('intents')
      .set((eb) => ({ state: 'sending', attempts: eb('attempts', '+', 1) }))
      .where('id', 'in', among(recorded))
      .execute();
  }
  const claimed = taken.map(({ row: { row, state }, record }) => ({
    intent: codec.intentFromRow({ ...row, attempts: row.attempts + (record ? 1 : 0) }),
    settle: state === 'unknown',
  }));
  return { claimed, nextDue: [later, nextDue].filter((at) => at !== null).sort()[0] ?? null };
}

/** `isDue` of the core, asked of the file. */
const isDueRow = (now: Instant) => {
  const tooLate = new Date(Date.parse(now) + LONGEST_WAIT_MS).toISOString();
  return sql<boolean>`(due_at <= ${now} or due_at = created_at or due_at > ${tooLate})`;
};

const waiting = (row: Selectable<Tables['intents']>) => {
  const { id, act, state, dueAt, createdAt, attempts } = codec.intentFromRow(row);
  return { row, id, kind: row.kind, state, dueAt, createdAt, attempts, queue: queueOf(act) };
};
