/**
 * Which file is this? Every start raises the epoch inside the file and writes it beside the file too. A file that does not fit to what ran here
 * last is a copy of an earlier time: it is older than Airflow, and acting from it could do things twice or undo what people did since.
 */
import { readFileSync } from 'node:fs';
import type Database from 'better-sqlite3';
import type { Restored } from '../core/restore.ts';
import { writeInPlace } from './files.ts';

interface ServiceRow {
  readonly database_id: string;
  readonly epoch: number;
  readonly copied_at: string | null;
  readonly restored: string | null;
}

interface Witness {
  readonly database: string;
  readonly epoch: number;
  /** Written before the file itself was raised: a crash between the two leaves the witness one ahead. */
  readonly raising: boolean;
}

const witnessFile = (path: string): string => `${path}.epoch`;

/** Raises the epoch, and marks the file as restored where it is not the one that ran here last. */
export function enterEpoch(db: Database.Database, path: string, now: string): number {
  const row = serviceRow(db);
  const epoch = row.epoch + 1;
  const because = isUnused(db) ? null : strange(row, readWitness(path));
  const witness = { database: row.database_id, epoch };
  writeInPlace(witnessFile(path), JSON.stringify({ ...witness, raising: true } satisfies Witness));
  db.transaction(() => {
    if (because !== null) markRestored(db, now, because);
    db.prepare('update service set epoch = ?').run(epoch);
  }).immediate();
  writeInPlace(witnessFile(path), JSON.stringify({ ...witness, raising: false } satisfies Witness));
  return epoch;
}

export const serviceRow = (db: Database.Database): ServiceRow => db.prepare('select * from service').get() as ServiceRow;

function strange(row: ServiceRow, witness: Witness | null): string | null {
  if (row.copied_at !== null) return `it is a backup made at ${row.copied_at}`;
  if (witness === null) return row.epoch === 0 ? null : 'it has run before, but not in this place';
  if (witness.database !== row.database_id) return 'another database was in this place before';
  const same = witness.epoch === row.epoch || (witness.raising && witness.epoch === row.epoch + 1);
  return same ? null : `it is from start ${row.epoch}, and start ${witness.epoch} was the last in this place`;
}

/** Observe only from now on. What was marked before and never confirmed stays as it was, and is looked at anew. */
export function markRestored(db: Database.Database, at: string, because: string): void {
  const mark: Restored = { at, because, knowsUntil: knowsUntil(db), fileSaid: null };
  db.prepare('update service set copied_at = null, restored = ?').run(JSON.stringify(mark));
}

/** The last moment of which the file knows anything. */
function knowsUntil(db: Database.Database): string | null {
  const newest = db
    .prepare(
      'select max(t) as t from (select max(at) as t from timeline union all select max(received_at) from inbox union all select max(read_at) from facts)',
    )
    .get() as { t: string | null };
  return serviceRow(db).copied_at ?? newest.t;
}

/** A fresh file knows nothing and has nothing to repeat. */
const isUnused = (db: Database.Database): boolean =>
  db
    .prepare(
      'select not exists (select 1 from counters) and not exists (select 1 from inbox) and not exists (select 1 from watermarks)',
    )
    .pluck()
    .get() === 1;

function readWitness(path: string): Witness | null {
  try {
    const read = JSON.parse(readFileSync(witnessFile(path), 'utf8')) as Partial<Witness>;
    if (typeof read.database !== 'string' || typeof read.epoch !== 'number') return null;
    return { database: read.database, epoch: read.epoch, raising: read.raising === true };
  } catch {
    return null;
  }
}
