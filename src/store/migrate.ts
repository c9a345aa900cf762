import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { unavailable } from '../errors.ts';
import { putInPlace, removeDatabaseFiles } from './files.ts';

const MIGRATIONS = new URL('./migrations/', import.meta.url);

const migrationFiles = (): string[] =>
  readdirSync(MIGRATIONS)
    .filter((f) => /^\d{4}_\w+\.sql$/.test(f))
    .sort();

/** The newest schema that this program knows. */
export const newestSchema = (): number => migrationFiles().length;

export const schemaOf = (db: Database.Database): number => Number(db.pragma('user_version', { simple: true }));

/** A file written by a newer program is refused rather than guessed at. */
export function refuseNewer(db: Database.Database, path: string): number {
  const version = schemaOf(db);
  const known = newestSchema();
  if (version > known)
    throw unavailable(
      `${path} was written by a newer Firedamper (schema ${version}, this one knows ${known}); a copy of the older schema may be beside the database that was migrated: ${copyName('<database>', known)}`,
    );
  return version;
}

const copyName = (path: string, schema: number | string): string => `${path}.schema-${schema}`;

/** Forward only, one transaction each: killed at any instant, the file has the old schema or the new one. */
export function migrate(db: Database.Database, path: string, keepCopy = true): void {
  const version = refuseNewer(db, path);
  const due = migrationFiles().slice(version);
  if (due.length > 0 && version > 0 && keepCopy) copyBefore(db, path, version);
  due.forEach((file, i) => {
    db.transaction(() => {
      // Looked at again under the write lock.
      if (schemaOf(db) !== version + i) throw unavailable(`${path}: somebody else is changing its schema`);
      db.exec(readFileSync(new URL(file, MIGRATIONS), 'utf8'));
      db.pragma(`user_version = ${version + i + 1}`);
    }).immediate();
  });
}

/** The way back to the older program: it refuses the migrated file. */
function copyBefore(db: Database.Database, path: string, version: number): void {
  const copy = copyName(path, version);
  if (existsSync(copy)) return;
  const temp = `${copy}.partial`;
  removeDatabaseFiles(temp);
  db.prepare('vacuum into ?').run(temp);
  putInPlace(temp, copy);
}
