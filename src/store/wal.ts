import { statSync } from 'node:fs';
import type Database from 'better-sqlite3';

/** A long read (a backup, an export) keeps SQLite from reusing the log; what has grown by it is given back once the read is over. */
const MOST_WAL_BYTES = 64 * 1024 * 1024;
/**
 * How long a write waits for somebody else's lock. All that time the event loop stands still: at 5 s the requests beside were answered 408, because
 * Node had not come to read them.
 */
export const BUSY_MS = 1_000;

export function guardWal(db: Database.Database, path: string): number {
  const before = walBytes(path);
  if (before <= MOST_WAL_BYTES) return before;
  // Without waiting: a reader that is still at it would stop the event loop for the whole time-out. The next look tries again.
  db.pragma('busy_timeout = 0');
  try {
    db.pragma('wal_checkpoint(truncate)');
  } finally {
    db.pragma(`busy_timeout = ${BUSY_MS}`);
  }
  return walBytes(path);
}

export function walBytes(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}
