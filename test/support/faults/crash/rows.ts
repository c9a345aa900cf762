/** The database as it lies there, read on a copy, so that the program itself is the one that recovers the file. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export interface Rows {
  /** `ok`, or what is wrong. */
  readonly integrity: string;
  /** How many rows each webhook id has. */
  readonly inbox: ReadonlyMap<string, number>;
  /** Callbacks that are stored and not yet decided on. */
  readonly pending: number;
  readonly intents: readonly Intent[];
  /** The number of the start that wrote it last; null in a file without tables. */
  readonly epoch: number | null;
  readonly holds: readonly { readonly dagId: string; readonly state: string }[];
  readonly repairs: readonly { readonly id: string; readonly state: string; readonly digest: string | null }[];
}

interface Intent {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
}

const NOTHING: Rows = { integrity: 'ok', inbox: new Map(), pending: 0, intents: [], epoch: null, holds: [], repairs: [] };

export const rowsOf = (database: string): Rows => onCopy(database, readRows);

/** Planned, under way, or unknown how they ended. */
export function openIntents(database: string): Intent[] {
  const look = (db: Database.Database) =>
    db
      .prepare("select id, kind, state from intents where state in ('planned', 'sending', 'unknown') order by n")
      .all() as Intent[];
  return onCopy(database, (copy) => withDatabase(copy, look));
}

function onCopy<T>(database: string, look: (copy: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'fd-copy-'));
  try {
    const copy = join(folder, 'copy.db');
    copyFileSync(database, copy);
    if (existsSync(`${database}-wal`)) copyFileSync(`${database}-wal`, `${copy}-wal`);
    return look(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Never throws: a file that cannot be read is damaged and holds nothing; a sound one that is older than its own tables only holds nothing. */
export function readRows(file: string): Rows {
  try {
    return withDatabase(file, rowsIn);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...NOTHING, integrity: /no such table/.test(why) ? 'ok' : why };
  }
}

function withDatabase<T>(file: string, look: (db: Database.Database) => T): T {
  const db = new Database(file);
  try {
    return look(db);
  } finally {
    db.close();
  }
}

function rowsIn(db: Database.Database): Rows {
  const inbox = new Map<string, number>();
  for (const { webhook_id } of db.prepare('select webhook_id from inbox').all() as { webhook_id: string }[])
    inbox.set(webhook_id, (inbox.get(webhook_id) ?? 0) + 1);
  return {
    integrity: String(db.pragma('integrity_check', { simple: true })),
    inbox,
    pending: Number(db.prepare('select count(*) from inbox where done = 0').pluck().get()),
    intents: db.prepare('select id, kind, state from intents order by n').all() as Rows['intents'],
    epoch: (db.prepare('select epoch from service').pluck().get() as number | undefined) ?? null,
    holds: db.prepare('select dag_id as dagId, state from holds order by n').all() as Rows['holds'],
    repairs: db
      .prepare("select id, state, json_extract(doc, '$.digest') as digest from repairs order by n")
      .all() as Rows['repairs'],
  };
}
