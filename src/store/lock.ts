import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import Database from 'better-sqlite3';
import { unavailable } from '../errors.ts';
import { makePrivate } from './files.ts';

/**
 * Only one process may act on a database. The lock is SQLite's own (an OS lock on a file beside it), so it ends with the process, however
 * that dies; a pid file alone would outlive a kill -9.
 */
export function lockDatabase(path: string): () => void {
  const holder = `${path}.owner`;
  makePrivate(`${path}.lock`);
  const guard = new Database(`${path}.lock`, { timeout: 0 });
  try {
    guard.pragma('journal_mode = delete');
    guard.pragma('locking_mode = exclusive');
    guard.exec('begin exclusive');
  } catch (error) {
    guard.close();
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) {
      throw unavailable(`${path} is in use by ${readHolder(holder)}; two processes must never act on one database`);
    }
    throw error;
  }
  const fd = openSync(holder, 'w', 0o600);
  writeSync(fd, `process ${process.pid} on ${hostname()}, started ${new Date().toISOString()}`);
  fsyncSync(fd);
  closeSync(fd);
  return () => guard.close();
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return 'another process';
  }
}
