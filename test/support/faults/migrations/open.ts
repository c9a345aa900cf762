/** Opens a database as the service does at its start, and closes it: what is killed in the middle. `node open.ts <file> [unsafe]`. */
import { readdirSync, readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { openStore } from '../../../../src/store/store.ts';

const [file = '', how] = process.argv.slice(2);
if (how === 'unsafe') migrateWithoutTransaction(file);
else await (await openStore(file)).close();

/** The negative control: the same steps, each for itself. */
function migrateWithoutTransaction(path: string): void {
  const migrations = new URL('../../../../src/store/migrations/', import.meta.url);
  const db = new Database(path);
  db.pragma('journal_mode = wal');
  db.pragma('synchronous = full');
  const version = Number(db.pragma('user_version', { simple: true }));
  const files = readdirSync(migrations).sort().slice(version);
  for (const [i, name] of files.entries()) {
    const sql = readFileSync(new URL(name, migrations), 'utf8').replace(/--.*$/gm, '');
    for (const statement of sql.split(';').filter((s) => s.trim() !== '')) db.exec(statement);
    db.pragma(`user_version = ${version + i + 1}`);
  }
  db.close();
}
