/**
 * Callbacks as they came. Group commit: what arrives within one turn of the event loop is one multi-row insert in one transaction, so that
 * `synchronous=FULL` costs one fsync for all of them; idle, a batch has one row and no latency is added.
 */
import { sql, type Transaction } from 'kysely';
import type { Instant } from '../core/facts.ts';
import { isUnavailable } from '../errors.ts';
import type { Tables } from './tables.ts';

export interface InboxRow {
  readonly airflow: string;
  readonly webhookId: string;
  readonly body: string;
  readonly receivedAt: Instant;
  readonly quarantine: string | null;
  readonly dedupeKey: string | null;
}

export interface StoredCallback {
  readonly n: number;
  readonly airflow: string;
  readonly webhookId: string;
  readonly body: string;
}

export interface Inbox {
  /** Resolves once the row is on disk; a webhook id that is known already is a duplicate and keeps its first row. */
  accept(row: InboxRow): Promise<{ readonly id: string; readonly duplicate: boolean }>;
  /** Rows of known shape that have not been through respond, oldest first. */
  pending(limit: number): Promise<readonly StoredCallback[]>;
  /** A row that cannot be understood after all is kept and shown, never tried again. */
  setAside(n: number, why: string): Promise<void>;
  /** A row that asks for nothing (a connection test). */
  finish(n: number): Promise<void>;
}

type InTransaction = <T>(work: (trx: Transaction<Tables>) => Promise<T>) => Promise<T>;
interface Waiting {
  readonly row: InboxRow;
  resolve(answer: { id: string; duplicate: boolean }): void;
  reject(error: unknown): void;
}

const MAX_BATCH = 256;

/** `needRoom` throws where the disk is too full for anything new. */
export function createInbox(transaction: InTransaction, needRoom: () => void): Inbox {
  let waiting: Waiting[] = [];
  const flush = async (): Promise<void> => {
    const batch = waiting.slice(0, MAX_BATCH);
    waiting = waiting.slice(MAX_BATCH);
    if (waiting.length > 0) setImmediate(flush);
    try {
      const answers = await transaction((trx) =>
        insert(
          trx,
          batch.map((w) => w.row),
        ),
      );
      for (const [i, w] of batch.entries()) w.resolve(answers[i] ?? { id: '', duplicate: true });
    } catch (error) {
      // No row's fault: each alone would fail as well, and with somebody else's lock each would wait for it once more.
      if (isUnavailable(error)) {
        for (const w of batch) w.reject(error);
        return;
      }
      // One bad row must fail alone.
      for (const w of batch)
        await transaction((trx) => insert(trx, [w.row])).then(([a]) => w.resolve(a ?? { id: '', duplicate: true }), w.reject);
    }
  };
  return {
    accept: (row) =>
      new Promise((resolve, reject) => {
        needRoom();
        if (waiting.push({ row, resolve, reject }) === 1) setImmediate(flush);
      }),
    pending: (limit) =>
      transaction(async (trx) => {
        const rows = await trx
          .selectFrom('inbox')
          .select(['n', 'airflow', 'webhook_id', 'body'])
          .where(sql<boolean>`done = 0`)
          .orderBy('n')
          .limit(limit)
          .execute();
        return rows.map((r) => ({ n: r.n, airflow: r.airflow, webhookId: r.webhook_id, body: r.body }));
      }),
    finish: (n) =>
      transaction(async (trx) => void (await trx.updateTable('inbox').set({ done: 1 }).where('n', '=', n).execute())),
    setAside: (n, why) =>
      transaction(
        async (trx) => void (await trx.updateTable('inbox').set({ done: 1, quarantine: why }).where('n', '=', n).execute()),
      ),
  };
}

async function insert(trx: Transaction<Tables>, rows: readonly InboxRow[]): Promise<{ id: string; duplicate: boolean }[]> {
  const inserted = await trx
    .insertInto('inbox')
    .values(
      rows.map((r) => ({
        airflow: r.airflow,
        webhook_id: r.webhookId,
        dedupe_key: r.dedupeKey,
        body: r.body,
        received_at: r.receivedAt,
        quarantine: r.quarantine,
        done: r.quarantine === null ? 0 : 1,
      })),
    )
    .onConflict((c) => c.columns(['airflow', 'webhook_id']).doNothing())
    .returning(['n', 'airflow', 'webhook_id'])
    .execute();
  const fresh = new Map(inserted.map((r) => [`${r.airflow}\n${r.webhook_id}`, r.n]));
  return rows.map((r) => {
    const key = `${r.airflow}\n${r.webhookId}`;
    const n = fresh.get(key);
    fresh.delete(key);
    return n === undefined ? { id: r.webhookId, duplicate: true } : { id: r.webhookId, duplicate: false };
  });
}
