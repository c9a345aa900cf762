/** The chain over the history: who did what, when and why cannot be changed quietly. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Insertable, Kysely } from 'kysely';
import { notFound, unavailable } from '../errors.ts';
import { schemaOf } from './migrate.ts';
import type { Tables } from './tables.ts';

export interface ChainHead {
  readonly id: number;
  readonly hash: string;
}

type Row = Required<Insertable<Tables['timeline']>>;

/** The order of the columns is part of the chain: it is written out, never taken from the row. */
export function link(before: string, r: Row): string {
  const line = JSON.stringify([r.id, r.incident_id, r.at, r.actor, r.event, r.subject, r.reason, r.comment]);
  return createHash('sha256').update(`${before}\n${line}`).digest('hex');
}

/** Writes lines of the history and their links, in the caller's transaction. */
export async function append(db: Kysely<Tables>, rows: readonly Insertable<Tables['timeline']>[]): Promise<void> {
  if (rows.length === 0) return;
  const head = await db.selectFrom('timeline_chain').select('hash').orderBy('id', 'desc').limit(1).executeTakeFirst();
  let hash = head?.hash ?? '';
  for (const row of rows) {
    const written = await db.insertInto('timeline').values(row).returningAll().executeTakeFirstOrThrow();
    hash = link(hash, written);
    await db.insertInto('timeline_chain').values({ id: written.id, hash }).execute();
  }
}

/** A history from before the chain is linked once, as it is then. Never again: a chain that lost its end must stay short. */
export function linkOldRows(db: Database.Database): void {
  const none = db.prepare('select not exists (select 1 from timeline_chain) and exists (select 1 from timeline)').pluck().get();
  if (none !== 1) return;
  const insert = db.prepare('insert into timeline_chain (id, hash) values (?, ?)');
  db.transaction(() => {
    let hash = '';
    for (const row of db.prepare('select * from timeline order by id').all() as Row[]) {
      hash = link(hash, row);
      insert.run(row.id, hash);
    }
  }).immediate();
}

export interface ChainReport {
  readonly lines: number;
  readonly head: ChainHead | null;
  /** One line for each place that does not fit, the first ones. */
  readonly broken: readonly string[];
}

const MOST_BROKEN = 20;

/** Reads the whole history beside a service that may be running. `known`: a head that was written down earlier. */
export function verifyChain(database: string, known: ChainHead | null): ChainReport {
  if (!existsSync(database)) throw notFound(`${database} is not there`);
  const db = new Database(database, { readonly: true, timeout: 5_000 });
  try {
    if (schemaOf(db) < 3) throw unavailable(`${database} has no chain yet: it is made at the next start of the service`);
    return db.transaction(() => walk(db, known))();
  } finally {
    db.close();
  }
}

interface Pair extends Row {
  readonly id: number;
  readonly hash: string | null;
}

function walk(db: Database.Database, known: ChainHead | null): ChainReport {
  const broken: string[] = [];
  let [lines, before, last] = [0, '', 0];
  const rows = db.prepare('select t.*, c.hash from timeline t left join timeline_chain c on c.id = t.id order by t.id').iterate();
  let met = known === null;
  for (const row of rows as IterableIterator<Pair>) {
    lines++;
    if (row.id !== last + 1) broken.push(`line ${last + 1}${row.id > last + 2 ? ` to ${row.id - 1}` : ''}: taken out`);
    if (row.hash === null) broken.push(`line ${row.id}: put in from outside`);
    else if (link(before, row) !== row.hash) broken.push(`line ${row.id}: does not fit to what was written then`);
    if (row.id === known?.id) {
      met = true;
      if (row.hash !== known.hash) broken.push(`line ${row.id}: not the head that was written down: the chain was made anew`);
    }
    before = row.hash ?? before;
    last = row.id;
  }
  const links = Number(db.prepare('select coalesce(max(id), 0) from timeline_chain').pluck().get());
  if (links > last) broken.push(`line ${last + 1} to ${links}: taken out`);
  if (!met) broken.push(`line ${known?.id}: not there; the history was cut, or it is an older copy`);
  return { lines, head: lines === 0 ? null : { id: last, hash: before }, broken: broken.slice(0, MOST_BROKEN) };
}
