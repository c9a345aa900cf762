/** Backup and restore of the one file. Both are for a process of their own, beside a service that may be running (backup) or must not be (restore). */
import { copyFileSync, existsSync, linkSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { conflict, FiredamperError, invalid, notFound, unavailable } from '../errors.ts';
import { linkOldRows } from './chain.ts';
import { markRestored, serviceRow } from './epoch.ts';
import { putInPlace, removeDatabaseFiles, syncFile } from './files.ts';
import { lockDatabase } from './lock.ts';
import { migrate, refuseNewer, schemaOf } from './migrate.ts';

export interface Contents {
  readonly bytes: number;
  readonly schema: number;
  readonly incidents: number;
  readonly openHolds: number;
  readonly callbacks: number;
}

export interface Backup extends Contents {
  readonly file: string;
}

/** One consistent copy, whatever is written meanwhile: checked, marked as a copy, synced, and only then given its name. */
export function backupDatabase(database: string, to: string | undefined, now: Date): Backup {
  if (!existsSync(database)) throw notFound(`${database} is not there: nothing to back up`);
  const file = resolve(to ?? join(dirname(database), nameOfBackup(database, now)));
  if (existsSync(file)) throw conflict(`${file} exists; a backup overwrites nothing`);
  if (!existsSync(dirname(file))) throw notFound(`the folder ${dirname(file)} is not there`);
  const temp = `${file}.partial`;
  try {
    copyInto(database, temp);
    const contents = sealed(temp, (db) => db.prepare('update service set copied_at = ?').run(now.toISOString()));
    putInPlace(temp, file);
    return { file, ...contents };
  } catch (error) {
    removeDatabaseFiles(temp);
    throw told(error, database);
  }
}

export interface Restoration extends Contents {
  readonly file: string;
  /** Where the database that was there before is now. */
  readonly aside: string | null;
  /** The last moment of which the restored file knows. */
  readonly knowsUntil: string | null;
}

/** Puts a checked copy of `from` in the database's place, marked so that the service only observes until a person confirms. */
export function restoreDatabase(database: string, from: string, now: Date): Restoration {
  const source = resolve(from);
  if (!existsSync(source)) throw notFound(`${source} is not there`);
  // SQLite would say "disk I/O error".
  if (!statSync(source).isFile()) throw invalid(`${source} is no file`);
  if (source === database) throw invalid(`${source} is the database itself`);
  if (!existsSync(dirname(database))) throw notFound(`the folder ${dirname(database)} is not there`);
  const unlock = lockDatabase(database);
  const temp = `${database}.restoring`;
  try {
    copyInto(source, temp);
    let knowsUntil: string | null = null;
    const contents = sealed(temp, (db) => {
      markRestored(db, now.toISOString(), `restored from ${basename(source)}`);
      knowsUntil = (JSON.parse(serviceRow(db).restored ?? '{}') as { knowsUntil?: string | null }).knowsUntil ?? null;
    });
    const aside = putAside(database, now);
    putInPlace(temp, database);
    return { file: database, aside, knowsUntil, ...contents };
  } catch (error) {
    removeDatabaseFiles(temp);
    throw told(error, source);
  } finally {
    unlock();
  }
}

const stamp = (now: Date): string => now.toISOString().replace(/[-:]|\.\d+/g, '');
const nameOfBackup = (database: string, now: Date): string => `${basename(database).replace(/\.db$/, '')}-${stamp(now)}.db`;

/** One read transaction of SQLite's own: the writers go on, and the copy has no log beside it. */
function copyInto(from: string, to: string): void {
  removeDatabaseFiles(to);
  const db = new Database(from, { readonly: true, fileMustExist: true, timeout: 5_000 });
  try {
    if (refuseNewer(db, from) === 0) throw invalid(`${from} is not a database of Firedamper`);
    db.prepare('vacuum into ?').run(to);
  } finally {
    db.close();
  }
}

/** Checks the copy as a whole, brings it to this program's schema, marks it. */
function sealed(file: string, mark: (db: Database.Database) => void): Contents {
  const db = new Database(file, { fileMustExist: true });
  try {
    const broken = db.pragma('integrity_check(5)') as { integrity_check: string }[];
    if (broken[0]?.integrity_check !== 'ok')
      throw unavailable(`the copy is damaged: ${broken.map((b) => b.integrity_check).join('; ')}`);
    migrate(db, file, false);
    linkOldRows(db);
    if ((db.pragma('foreign_key_check') as unknown[]).length > 0)
      throw unavailable('the copy is damaged: rows name rows that are not there');
    mark(db);
    const count = (sql: string) => Number(db.prepare(sql).pluck().get());
    return {
      bytes: statSync(file).size,
      schema: schemaOf(db),
      incidents: count('select count(*) from incidents'),
      openHolds: count('select count(*) from holds where released_at is null'),
      callbacks: count('select count(*) from inbox'),
    };
  } finally {
    db.close();
  }
}

/**
 * The old file gets a second name before the new one takes its place: at no instant is there no database, which a start would take for a fresh one.
 * What its log still holds is put into it first: a log that stays behind would be applied to the restored file.
 */
function putAside(database: string, now: Date): string | null {
  if (!existsSync(database)) {
    removeDatabaseFiles(database);
    return null;
  }
  const aside = `${database}.before-restore-${stamp(now)}`;
  try {
    const old = new Database(database);
    old.pragma('wal_checkpoint(truncate)');
    old.pragma('journal_mode = delete');
    old.close();
  } catch {
    // It may be what is broken: then its log goes aside as it is.
  }
  for (const suffix of ['-wal', '-shm', '-journal'])
    if (existsSync(database + suffix)) renameSync(database + suffix, aside + suffix);
  try {
    linkSync(database, aside);
  } catch {
    // Not every file system has second names.
    copyFileSync(database, aside);
    syncFile(aside);
  }
  syncFile(dirname(database));
  return aside;
}

/** SQLite's own errors in words; anything else is a bug and stays what it is. */
function told(error: unknown, file: string): unknown {
  if (error instanceof FiredamperError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT'))
    return unavailable(`${file} is damaged, or not a database at all (${error.message})`);
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return unavailable(`no room for the copy (${error.message})`);
  if (code.startsWith('SQLITE_') || code.startsWith('E')) return unavailable(`${file}: ${error.message}`);
  return error;
}
