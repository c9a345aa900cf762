/** Forgetting, a few rows per transaction: a long delete would keep callbacks waiting. The history (timeline) is never deleted. */
import { sql, type Transaction } from 'kysely';
import type { Instant } from '../core/facts.ts';
import { among } from './among.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

export async function forgetCallbacks(trx: Trx, before: Instant, limit: number): Promise<number> {
  const old = trx
    .selectFrom('inbox')
    .select('n')
    .where(sql<boolean>`done = 1`)
    .where('received_at', '<', before)
    .orderBy('received_at')
    .limit(limit);
  const result = await trx.deleteFrom('inbox').where('n', 'in', old).executeTakeFirst();
  return Number(result.numDeletedRows);
}

const INCIDENTS_AT_ONCE = 20;

/** What hangs on an incident goes before it: stopped half way, an incident has lost some of its signals and is finished the next time. */
export async function forgetIncidents(trx: Trx, before: Instant, limit: number): Promise<number> {
  const loose = (await forgetSignals(trx, before, limit)) + (await forgetIntents(trx, before, limit));
  if (loose > 0) return loose;
  const old = await trx
    .selectFrom('incidents')
    .select('id')
    .where(sql<boolean>`live = 0`)
    .where('opened_at', '<', before)
    .where((eb) => eb(eb.fn.coalesce('released_at', 'opened_at'), '<', before))
    .orderBy('opened_at')
    .limit(INCIDENTS_AT_ONCE)
    .execute();
  const ids = old.map((row) => row.id);
  if (ids.length === 0) return 0;
  for (const table of ['signals', 'holds', 'repairs'] as const) {
    const some = trx.selectFrom(table).select('id').where('incident_id', 'in', among(ids)).limit(limit);
    const { numDeletedRows } = await trx.deleteFrom(table).where('id', 'in', some).executeTakeFirst();
    if (numDeletedRows > 0n) return Number(numDeletedRows);
  }
  const { numDeletedRows } = await trx.deleteFrom('incidents').where('id', 'in', among(ids)).executeTakeFirst();
  return Number(numDeletedRows);
}

/** Signals that belong to no incident. Only the oldest rows are looked at: numbers rise with time, and a scan of all would stop the loop. */
async function forgetSignals(trx: Trx, before: Instant, limit: number): Promise<number> {
  const oldest = await trx.selectFrom('signals').select(['id', 'incident_id', 'heard_at']).orderBy('n').limit(limit).execute();
  const ids = oldest.filter((r) => r.incident_id === null && r.heard_at < before).map((r) => r.id);
  return forgetByIds(trx, 'signals', ids);
}

async function forgetIntents(trx: Trx, before: Instant, limit: number): Promise<number> {
  const oldest = await trx.selectFrom('intents').select(['id', 'state', 'created_at']).orderBy('n').limit(limit).execute();
  const ids = oldest.filter((r) => (r.state === 'done' || r.state === 'failed') && r.created_at < before).map((r) => r.id);
  return forgetByIds(trx, 'intents', ids);
}

async function forgetByIds(trx: Trx, table: 'signals' | 'intents', ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const result = await trx.deleteFrom(table).where('id', 'in', among(ids)).executeTakeFirst();
  return Number(result.numDeletedRows);
}
