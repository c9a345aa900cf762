/** Putting a file in its place so that a crash leaves the old one or the new one, never half of it. */
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export function syncFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Syncs `from`, gives it the name `to`, and makes the name durable too. Readable for the owner only: callbacks hold what tasks said. */
export function putInPlace(from: string, to: string): void {
  chmodSync(from, 0o600);
  syncFile(from);
  renameSync(from, to);
  syncFile(dirname(to));
}

export function writeInPlace(path: string, text: string): void {
  const temp = `${path}.partial`;
  writeFileSync(temp, text, { mode: 0o600 });
  putInPlace(temp, path);
}

/** A database file with what SQLite keeps beside it. */
export function removeDatabaseFiles(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
}

/**
 * A new file is readable for its owner only, and SQLite gives what it keeps beside it the same rights: callbacks hold what tasks said, and whoever may read a
 * lock may hold it against us. What is there already keeps the rights that somebody gave it (a backup tool of another account, say).
 */
export function makePrivate(path: string): void {
  if (!existsSync(path) && existsSync(dirname(path))) closeSync(openSync(path, 'a', 0o600));
}
