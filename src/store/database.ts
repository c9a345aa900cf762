/**
 * Opening the one file: lock, pragmas, migrations, epoch. One writer connection on the main thread, one read-only connection beside it.
 */
import Database from 'better-sqlite3';
import { CompiledQuery, type DatabaseConnection, Kysely, SqliteDialect, type SqliteDialectConfig, SqliteDriver } from 'kysely';
import { unavailable } from '../errors.ts';
import { linkOldRows } from './chain.ts';
import { enterEpoch } from './epoch.ts';
import { makePrivate } from './files.ts';
import { createLockWait } from './foreignLock.ts';
import { lockDatabase } from './lock.ts';
import { migrate, refuseNewer } from './migrate.ts';
import type { Tables } from './tables.ts';
import { explainStart, watchFile } from './trouble.ts';
import { guardWal, putStrangeLogAside, walBytes } from './wal.ts';

/** Every writer takes the write lock at once: a deferred transaction that upgrades later gets SQLITE_BUSY without waiting. */
class ImmediateDriver extends SqliteDriver {
  readonly #waitForLock = createLockWait();

  override beginTransaction(connection: DatabaseConnection): Promise<void> {
    return this.#waitForLock(() => connection.executeQuery(CompiledQuery.raw('begin immediate')));
  }

  /** A full disk or a failed fsync has rolled back already; the complaint about that would hide what really happened. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection);
    } catch (error) {
      if (!(error instanceof Error && /no transaction is active/.test(error.message))) throw error;
    }
  }
}

class ImmediateDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;
  constructor(config: SqliteDialectConfig) {
    super(config);
    this.#config = config;
  }
  override createDriver() {
    return new ImmediateDriver(this.#config);
  }
}

export interface OpenDatabase {
  readonly write: Kysely<Tables>;
  readonly read: Kysely<Tables>;
  /** Of this start. */
  readonly epoch: number;
  /** Cuts a WAL that has grown too long; answers its size afterwards, in bytes. */
  guardWal(most?: number): number;
  /** Of the WAL as it is, in bytes. */
  walBytes(): number;
  /** How many rows this connection has changed so far. */
  changes(): number;
  /** Throws where the path does not lead to the open file any more. */
  stillThere(): void;
  close(): Promise<void>;
}

export async function openDatabase(path: string, now: string): Promise<OpenDatabase> {
  try {
    return open(path, now, lockDatabase(path));
  } catch (error) {
    throw explainStart(error, path);
  }
}

function open(path: string, now: string, releaseLock: () => void): OpenDatabase {
  try {
    putStrangeLogAside(path);
    makePrivate(path);
    const db = new Database(path);
    prepare(db, path);
    const epoch = enterEpoch(db, path, now);
    // From here on the event loop runs: who waits for a lock lets it go on meanwhile.
    db.pragma('busy_timeout = 0');
    const reader = new Database(path, { readonly: true, timeout: READ_WAIT_MS });
    reader.pragma('query_only = on');
    reader.pragma(CACHE);
    const write = new Kysely<Tables>({ dialect: new ImmediateDialect({ database: cached(db) }) });
    const read = new Kysely<Tables>({ dialect: new SqliteDialect({ database: cached(reader) }) });
    const close = async () => {
      // The query builder closes only what it has used. The writer last: a connection that may not write leaves the log behind, beside a file that
      // somebody may then put another one in the place of.
      await read.destroy();
      reader.close();
      await write.destroy();
      db.close();
      releaseLock();
    };
    const changes = db.prepare('select total_changes()').pluck();
    return {
      ...{ write, read, epoch, close },
      guardWal: (most) => guardWal(db, path, most),
      walBytes: () => walBytes(path),
      changes: () => Number(changes.get()),
      stillThere: watchFile(path),
    };
  } catch (error) {
    releaseLock();
    throw error;
  }
}

/** The first without the race of "WAL reset" (3.7.0 to 3.51.2), which with two connections could damage the file. */
const SAFE_SQLITE = '3.51.3';

/** As SQLite counts its own versions. */
const versionNumber = (version: string): number => version.split('.').reduce((number, part) => number * 1000 + Number(part), 0);

/** Ours brings a newer one; a build of better-sqlite3 against the system's library might not (Debian 12: 3.40.1). Throws `unavailable` on an older one. */
export function refuseRacy(version: string): void {
  if (versionNumber(version) >= versionNumber(SAFE_SQLITE)) return;
  throw unavailable(`SQLite ${version} can damage a database in WAL mode; ${SAFE_SQLITE} or later is needed`);
}

/** Nothing else is to be done yet when the file is opened, so somebody else's lock is waited for where it is met. */
const START_WAIT_MS = 1_000;
/** Readers wait for nobody but one who recovers the log; better-sqlite3 by itself would stop everything for 5 s. */
const READ_WAIT_MS = 100;

/** Pages of each connection, KiB. This build's default is 16 MB for each, which fills over days; the system keeps the pages of the file anyway. */
const CACHE = 'cache_size = -4096';

/** WAL with FULL: better-sqlite3's build defaults to NORMAL in WAL mode, which lost acknowledged rows in 889 of 1,000 simulated power cuts. */
function prepare(db: Database.Database, path: string): void {
  refuseRacy(String(db.prepare('select sqlite_version()').pluck().get()));
  refuseNewer(db, path);
  db.pragma('journal_mode = wal');
  db.pragma('synchronous = full');
  db.pragma(`busy_timeout = ${START_WAIT_MS}`);
  db.pragma('foreign_keys = on');
  db.pragma(CACHE);
  const mode = db.pragma('journal_mode', { simple: true });
  const sync = db.pragma('synchronous', { simple: true });
  if (mode !== 'wal' || sync !== 2)
    throw unavailable(`${path}: journal mode ${String(mode)}, synchronous ${String(sync)}; a 202 would not be safe`);
  if (db.pragma('foreign_keys', { simple: true }) !== 1) throw unavailable(`${path}: this SQLite does not check references`);
  migrate(db, path);
  linkOldRows(db);
}

/**
 * Prepared statements are kept: preparing costs more than running for our small queries. Safe because each connection runs one statement at a time.
 */
function cached(db: Database.Database): { prepare(sql: string): Database.Statement; close(): void } {
  const statements = new Map<string, Database.Statement>();
  return {
    prepare(sql) {
      const known = statements.get(sql);
      if (known) return known;
      const made = db.prepare(sql);
      if (statements.size < 500) statements.set(sql, made);
      return made;
    },
    close: () => db.close(),
  };
}
