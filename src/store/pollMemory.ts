/** What the polls remember between two looks and over a restart: where they stand, what they have seen, and what each Airflow looked like. */
import type { Kysely, Transaction } from 'kysely';
import type { DagFacts, Instant, Lineage } from '../core/facts.ts';
import { among } from './among.ts';
import type { Tables } from './tables.ts';

export interface PollMemory {
  /** Airflow's time of the last whole poll; null before the first. */
  watermark(airflow: string): Promise<Instant | null>;
  /** Failures before this are history: in our own time until the first whole poll, in Airflow's from then on; '' before the first start. */
  baseline(airflow: string): Promise<Instant>;
  /** Once: a later one changes nothing. */
  setBaseline(airflow: string, at: Instant): Promise<void>;
  /** Moves the watermark and remembers what was seen, after the signals are in. */
  polled(airflow: string, since: Instant, seen: readonly string[], forgetBefore: Instant, baseline: Instant): Promise<void>;
  /** Those of the keys that were seen before. */
  seen(airflow: string, keys: readonly string[]): Promise<ReadonlySet<string>>;
  saveFacts(airflow: string, kind: 'dags', value: readonly DagFacts[], readAt: Instant): Promise<void>;
  saveFacts(airflow: string, kind: 'lineage', value: Lineage, readAt: Instant): Promise<void>;
  /** The files that did not load when it was last looked. */
  saveFacts(airflow: string, kind: 'broken_files', value: readonly string[], readAt: Instant): Promise<void>;
  loadFacts(): Promise<{ dags: Map<string, DagFacts[]>; lineage: Map<string, Lineage>; brokenFiles: Map<string, string[]> }>;
}

type InTransaction = <T>(work: (trx: Transaction<Tables>) => Promise<T>) => Promise<T>;

export function createPollMemory(transaction: InTransaction, read: Kysely<Tables>): PollMemory {
  const mark = (airflow: string) =>
    transaction((trx) => trx.selectFrom('watermarks').selectAll().where('airflow', '=', airflow).executeTakeFirst());
  return {
    watermark: async (airflow) => (await mark(airflow))?.since ?? null,
    baseline: async (airflow) => (await mark(airflow))?.baseline ?? '',
    setBaseline: async (airflow, baseline) => {
      const row = { airflow, since: null, baseline };
      await transaction((trx) =>
        trx
          .insertInto('watermarks')
          .values(row)
          .onConflict((c) => c.column('airflow').doNothing())
          .execute(),
      );
    },
    polled: (...poll) => transaction((trx) => polled(trx, ...poll)),
    seen: async (airflow, keys) => {
      if (keys.length === 0) return new Set<string>();
      const rows = await transaction((trx) =>
        trx.selectFrom('seen').select('key').where('airflow', '=', airflow).where('key', 'in', among(keys)).execute(),
      );
      return new Set(rows.map((r) => r.key));
    },
    saveFacts: async (airflow: string, kind: Tables['facts']['kind'], value: unknown, readAt: Instant) => {
      const row = { airflow, kind, read_at: readAt, doc: JSON.stringify(value) };
      await transaction((trx) =>
        trx
          .insertInto('facts')
          .values(row)
          .onConflict((c) => c.columns(['airflow', 'kind']).doUpdateSet(row))
          .execute(),
      );
    },
    loadFacts: async () => {
      const rows = await read.selectFrom('facts').selectAll().execute();
      const of = <T>(kind: Tables['facts']['kind']) =>
        new Map(rows.filter((r) => r.kind === kind).map((r) => [r.airflow, JSON.parse(r.doc) as T]));
      return { dags: of<DagFacts[]>('dags'), lineage: of<Lineage>('lineage'), brokenFiles: of<string[]>('broken_files') };
    },
  };
}

async function polled(
  trx: Transaction<Tables>,
  airflow: string,
  since: Instant,
  seen: readonly string[],
  forgetBefore: Instant,
  baseline: Instant,
): Promise<void> {
  await trx
    .insertInto('watermarks')
    .values({ airflow, since, baseline })
    .onConflict((c) => c.column('airflow').doUpdateSet({ since, baseline }))
    .execute();
  for (const key of seen)
    await trx
      .insertInto('seen')
      .values({ airflow, key, seen_at: since })
      .onConflict((c) => c.columns(['airflow', 'key']).doNothing())
      .execute();
  await trx.deleteFrom('seen').where('airflow', '=', airflow).where('seen_at', '<', forgetBefore).execute();
}
