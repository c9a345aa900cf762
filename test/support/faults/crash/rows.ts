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
  readonly intents: readonly { readonly id: string; readonly kind: string; readonly state: string }[];
}

export function rowsOf(database: string): Rows {
  const folder = mkdtempSync(join(tmpdir(), 'fd-copy-'));
  try {
    const copy = join(folder, 'copy.db');
    copyFileSync(database, copy);
    if (existsSync(`${database}-wal`)) copyFileSync(`${database}-wal`, `${copy}-wal`);
    return readRows(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function readRows(file: string): Rows {
  const db = new Database(file);
  try {
    const inbox = new Map<string, number>();
    for (const { webhook_id } of db.prepare('select webhook_id from inbox').all() as { webhook_id: string }[])
      inbox.set(webhook_id, (inbox.get(webhook_id) ?? 0) + 1);
    return {
      integrity: String(db.pragma('integrity_check', { simple: true })),
      inbox,
      pending: Number(db.prepare('select count(*) from inbox where done = 0').pluck().get()),
      intents: db.prepare('select id, kind, state from intents order by n').all() as Rows['intents'],
    };
  } finally {
    db.close();
  }
}
