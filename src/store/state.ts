/** Loading what a decision needs and saving what it changed, inside the caller's transaction. */
import { type Insertable, type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { Decision, State } from '../core/draft.ts';
import type { DomainEvent, PersonAct } from '../core/events.ts';
import type { Instant } from '../core/facts.ts';
import { CHANGES_OUTSIDE, type IntentKind } from '../core/intent.ts';
import { among } from './among.ts';
import { append } from './chain.ts';
import * as codec from './codec.ts';
import type { Tables } from './tables.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

/** `reopenSince`: released incidents of a signal's DAG that are younger take part too. */
export async function loadState(db: Db, events: readonly DomainEvent[], reopenSince: Instant): Promise<State> {
  const incidentRows = await loadIncidents(db, events, reopenSince);
  const ids = incidentRows.map((r) => r.id);
  const open = await db.selectFrom('holds').selectAll().where('released_at', 'is', null).execute();
  const ended = db.selectFrom('holds').selectAll().where('incident_id', 'in', among(ids)).where('released_at', 'is not', null);
  // Two questions: asked as one, it is answered by reading all holds that there ever were (SQLite 3.54.1).
  const holdRows = inOrder([...open, ...(await ended.execute())]);
  const repairRows =
    ids.length === 0
      ? []
      : await db.selectFrom('repairs').select('doc').where('incident_id', 'in', among(ids)).orderBy('n').execute();
  const ownershipRows = await db.selectFrom('ownerships').selectAll().where('state', '!=', 'none').execute();
  const intentRows = await loadIntents(db, events);
  const counterRows = await db.selectFrom('counters').selectAll().execute();
  const serviceRow = await db.selectFrom('service').select('restored').executeTakeFirst();
  const keys = events.flatMap((e) => (e.type === 'signal' ? [e.signal.key] : []));
  const keyRows =
    keys.length === 0 ? [] : await db.selectFrom('signals').select(['key', 'doc']).where('key', 'in', among(keys)).execute();
  const knownSignals = new Map<string, boolean>();
  for (const row of keyRows)
    knownSignals.set(row.key, knownSignals.get(row.key) === true || codec.signalFromRow(row).said.badData);
  codec.beginLoad();
  return {
    incidents: incidentRows.map(codec.incidentFromRow),
    holds: holdRows.map(codec.holdFromRow),
    ownerships: ownershipRows.map(codec.ownershipFromRow),
    repairs: repairRows.map(codec.repairFromRow),
    intents: intentRows.map(codec.intentFromRow),
    knownSignals,
    counters: Object.fromEntries(counterRows.map((r) => [r.kind, r.n])),
    restored: codec.restoredFromRow(serviceRow),
  };
}

/**
 * All that is not over. Of the notices those that have been told by now; only where one could not be told the others that wait for its channel are judged
 * with it. With a chat away for hours there are thousands, and no other decision reads them.
 */
async function loadIntents(db: Db, events: readonly DomainEvent[]): Promise<Selectable<Tables['intents']>[]> {
  const open = db.selectFrom('intents').selectAll().where(isOpen);
  // A restored file drops what it was about to tell.
  if (events.some((e) => e.type === 'restored')) return inOrder(await open.execute());
  const acts = await open.where('kind', 'in', ACTS).execute();
  const outcomes = events.flatMap((e) => (e.type === 'outcome' ? [e] : []));
  if (outcomes.length === 0) return inOrder(acts);
  const notices = open.where('kind', '=', 'send_notice');
  const judged = await notices.where('id', 'in', among(outcomes.map((e) => e.intentId))).execute();
  const untold = judged.some(({ id }) => outcomes.some((e) => e.intentId === id && e.outcome.result !== 'done'));
  return inOrder([...acts, ...(untold ? await notices.execute() : judged)]);
}

const ACTS = (Object.keys(CHANGES_OUTSIDE) as IntentKind[]).filter((kind) => kind !== 'send_notice');
/** As they were decided. Sorted here: asked for in an order, SQLite reads all rows in that order. */
const inOrder = <R extends { readonly n: number }>(rows: readonly R[]): R[] => rows.toSorted((a, b) => a.n - b.n);

/** Written out, and as in the index: SQLite takes that of the open ones only for the very same words. Bound, each decision read all there ever were. */
export const isOpen = sql<boolean>`state in ('planned', 'sending', 'unknown')`;

async function loadIncidents(
  db: Db,
  events: readonly DomainEvent[],
  reopenSince: Instant,
): Promise<Selectable<Tables['incidents']>[]> {
  const dags = events.flatMap((e) => (e.type === 'signal' ? [e.signal] : []));
  const named = await namedIncidents(db, events);
  return db
    .selectFrom('incidents')
    .selectAll()
    .where((eb) =>
      eb.or([
        sql<boolean>`live = 1`,
        eb('id', 'in', among(named)),
        eb.and([
          eb('airflow', 'in', among([...new Set(dags.map((d) => d.airflow))])),
          eb('dag_id', 'in', among([...new Set(dags.map((d) => d.dagId))])),
          eb('released_at', '>=', reopenSince),
        ]),
      ]),
    )
    .orderBy('n')
    .execute();
}

/** Incidents that a person names, also through a repair or a hold, take part even when they are over: the answer must say so. */
async function namedIncidents(db: Db, events: readonly DomainEvent[]): Promise<string[]> {
  const acts = events.flatMap((e) => (e.type === 'person' ? [e.act] : []));
  const idsOf = (key: 'incidentId' | 'repairId' | 'holdId') => acts.flatMap((a) => namedBy(a, key) ?? []);
  const repairs = idsOf('repairId');
  const holds = idsOf('holdId');
  const viaRepairs =
    repairs.length === 0 ? [] : await db.selectFrom('repairs').select('incident_id').where('id', 'in', among(repairs)).execute();
  const viaHolds =
    holds.length === 0 ? [] : await db.selectFrom('holds').select('incident_id').where('id', 'in', among(holds)).execute();
  return [...idsOf('incidentId'), ...viaRepairs.map((r) => r.incident_id), ...viaHolds.map((r) => r.incident_id)];
}

const namedBy = (a: PersonAct, key: string): string | undefined => (a as unknown as Record<string, string | undefined>)[key];

const CALLED_BAD = sql<string>`json_set(doc, '$.said.badData', json('true'))`;

export async function saveDecision(db: Db, decision: Decision): Promise<void> {
  await upsert(db, 'incidents', decision.incidents.map(codec.incidentToRow));
  await upsert(db, 'holds', decision.holds.map(codec.holdToRow));
  await upsert(db, 'repairs', decision.repairs.map(codec.repairToRow));
  await upsert(db, 'intents', decision.intents.map(codec.intentToRow));
  for (const row of decision.ownerships.map(codec.ownershipToRow)) {
    await db
      .insertInto('ownerships')
      .values(row)
      .onConflict((c) => c.columns(['airflow', 'dag_id']).doUpdateSet(row))
      .execute();
  }
  // The same signal heard again by the same way is no news, but for a word that its data is bad; by another way it is a second row.
  for (const signal of decision.signals) {
    const row = codec.signalToRow(signal);
    await db
      .insertInto('signals')
      .values(row)
      .onConflict((c) => {
        const again = c.columns(['key', 'origin']);
        return signal.said.badData ? again.doUpdateSet({ doc: CALLED_BAD }) : again.doNothing();
      })
      .execute();
  }
  await append(db, decision.timeline.map(codec.entryToRow));
  if (decision.restored !== undefined) {
    const restored = decision.restored === null ? null : JSON.stringify(decision.restored);
    await db.updateTable('service').set({ restored }).execute();
  }
  for (const [kind, n] of Object.entries(decision.counters)) {
    await db
      .insertInto('counters')
      .values({ kind, n })
      .onConflict((c) => c.column('kind').doUpdateSet({ n }))
      .execute();
  }
}

async function upsert<T extends 'incidents' | 'holds' | 'repairs' | 'intents'>(
  db: Db,
  table: T,
  rows: readonly Insertable<Tables[T]>[],
): Promise<void> {
  for (const row of rows) {
    const columns = Object.keys(row);
    const set = sql.join(columns.filter((c) => c !== 'id').map((c) => sql`${sql.ref(c)} = ${sql.ref(`excluded.${c}`)}`));
    const values = sql.join(Object.values(row as Record<string, unknown>).map((v) => sql`${v}`));
    await sql`insert into ${sql.table(table)} (${sql.join(columns.map((c) => sql.ref(c)))}) values (${values}) on conflict (id) do update set ${set}`.execute(
      db,
    );
  }
}
