import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import type Database from 'better-sqlite3';

/** A long read (a backup, an export) keeps SQLite from reusing the log; what has grown by it is given back once the read is over. */
const MOST_WAL_BYTES = 64 * 1024 * 1024;

export function guardWal(db: Database.Database, path: string, most = MOST_WAL_BYTES): number {
  const before = walBytes(path);
  if (before <= most) return before;
  // This connection does not wait for anybody: a reader that is still at it would stop the event loop. The next look tries again.
  db.pragma('wal_checkpoint(truncate)');
  return walBytes(path);
}

export function walBytes(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Byte of a database's header that says how it is written: 1 without a log, 2 with one (SQLite, file format 1.3.3). */
const WRITE_FORMAT = 18;

/**
 * A file that has never been written with a log (our backups are such) cannot have one: what lies beside it is of the file that was here before and died.
 * SQLite does not look: it reads the old pages over the new file, which is then neither.
 */
export function putStrangeLogAside(path: string): void {
  if (walBytes(path) === 0 || !existsSync(path) || writeFormat(path) !== 1) return;
  renameSync(`${path}-wal`, `${path}-wal.of-another-file`);
  rmSync(`${path}-shm`, { force: true });
}

function writeFormat(path: string): number | undefined {
  const fd = openSync(path, 'r');
  try {
    const format = Buffer.alloc(1);
    return readSync(fd, format, 0, 1, WRITE_FORMAT) === 1 ? format[0] : undefined;
  } finally {
    closeSync(fd);
  }
}
