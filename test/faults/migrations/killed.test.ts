/** R16: from every schema that people have, killed at every write: the file is the old one or the new one, never between, and the next start ends it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupDatabase, restoreDatabase } from '../../../src/store/backup.ts';
import { verifyChain } from '../../../src/store/chain.ts';
import { newestSchema } from '../../../src/store/migrate.ts';
import { openStore } from '../../../src/store/store.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';

/** Of each kind of system call, so many kill points in the short form: the first ones, the last one, and others between. */
const POINTS = 5;
const OPEN = join(import.meta.dirname, '../../support/faults/migrations/open.ts');
const CALLS = ['pwrite64', 'fsync', 'write', 'rename', 'unlink', 'ftruncate'] as const;

const folder = mkdtempSync(join(tmpdir(), 'fd-migrations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
function fixture(schema: number): string {
  const file = join(folder, `${++made}.db`);
  const db = new Database(file);
  db.exec(`begin; ${readFileSync(join(import.meta.dirname, `schema-${schema}.sql`), 'utf8')}; commit`);
  db.pragma('journal_mode = wal');
  // What a start of that program left beside it.
  const own = schema < 2 ? null : (db.prepare('select database_id as database, epoch from service').get() as object);
  if (own !== null) writeFileSync(`${file}.epoch`, JSON.stringify({ ...own, raising: false }));
  db.close();
  return file;
}

interface Looked {
  readonly schema: number;
  /** What the file is made of. */
  readonly shape: string;
  /** Rows of every table of the old schema, by table. */
  readonly rows: Readonly<Record<string, string>>;
}

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

function look(file: string): Looked {
  const db = new Database(file);
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    const objects = db.prepare('select type, name, sql from sqlite_master order by type, name').all();
    // `service` is raised by every start.
    const tables = db
      .prepare("select name from sqlite_master where type = 'table' and name <> 'service' order by name")
      .pluck()
      .all() as string[];
    const rows = tables.map((t) => [t, digest(db.prepare(`select * from ${t}`).all())]);
    return {
      schema: Number(db.pragma('user_version', { simple: true })),
      shape: digest(objects),
      rows: Object.fromEntries(rows),
    };
  } finally {
    db.close();
  }
}

const RUN = [process.execPath, '--disable-warning=ExperimentalWarning', OPEN] as const;

/** Runs to its end without a fault and answers how often each system call was made. */
function count(file: string): Record<string, number> {
  const log = join(folder, 'calls.log');
  const run = spawnSync('strace', ['-f', '-c', '-o', log, '-e', `trace=${CALLS.join(',')}`, ...RUN, file], { encoding: 'utf8' });
  if (run.error) throw new Error('strace is missing here (Debian: apt-get install strace); without it nothing is proved');
  expect(run.status, run.stderr).toBe(0);
  const lines = readFileSync(log, 'utf8').split('\n');
  return Object.fromEntries(
    CALLS.map(
      (c) =>
        [
          c,
          Number(
            lines
              .find((l) => l.trim().endsWith(c))
              ?.trim()
              .split(/\s+/)[3] ?? 0,
          ),
        ] as const,
    ),
  );
}

function killAt(file: string, call: string, n: number, ...more: string[]): boolean {
  const args = ['-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${n}`];
  const run = spawnSync('strace', [...args, ...RUN, file, ...more], { encoding: 'utf8' });
  return run.signal === 'SIGKILL' || run.status === 137;
}

function points(count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (LONG || count <= POINTS) return all;
  return [...new Set([1, 2, ...Array.from({ length: POINTS - 2 }, (_, i) => Math.ceil(((i + 1) * count) / (POINTS - 2)))])];
}

const OLD = Array.from({ length: newestSchema() - 1 }, (_, i) => i + 1);

test('every schema that people may have is here as a file', () => {
  expect(readdirSync(import.meta.dirname).filter((n) => n.endsWith('.sql'))).toEqual(OLD.map((n) => `schema-${n}.sql`));
});

describe.each(OLD)('from schema %i', (schema) => {
  let before: Looked;
  let after: Looked;
  const sameRows = (looked: Looked) => expect(looked.rows).toMatchObject(before.rows);

  beforeAll(async () => {
    const file = fixture(schema);
    before = look(file);
    await (await openStore(file)).close();
    after = look(file);
  });

  test('nothing of what was there is lost, and it is no restored database', async () => {
    expect(after.schema).toBe(newestSchema());
    sameRows(after);
    const file = fixture(schema);
    const store = await openStore(file);
    expect(await store.restored()).toBeNull();
    const state = await store.snapshot();
    expect(state.incidents).toHaveLength(2);
    expect(state.ownerships.filter((o) => o.state === 'ours').map((o) => o.dagId)).toEqual(['b', 'c']);
    await store.close();
  });

  test('killed at every write it is the old one or a newer one, whole', () => {
    const counts = count(fixture(schema));
    let [killed, old, fresh] = [0, 0, 0];
    for (const [call, n] of Object.entries(counts)) {
      for (const at of points(n)) {
        const file = fixture(schema);
        if (!killAt(file, call, at)) continue;
        killed++;
        const looked = look(file);
        const where = `killed at ${call} ${at}`;
        if (looked.schema === schema) {
          old++;
          expect(looked, where).toEqual(before);
        } else {
          // Each step is a transaction of its own: between two of them stands a whole schema that a program wrote.
          fresh++;
          const whole = looked.schema === after.schema ? after : look(fixture(looked.schema));
          expect([looked.schema, looked.shape], where).toEqual([whole.schema, whole.shape]);
          sameRows(looked);
        }
        const copy = `${file}.schema-${schema}`;
        if (existsSync(copy)) expect(look(copy), `${where}: the copy of the old file`).toEqual(before);
        expect(spawnSync(RUN[0], [...RUN.slice(1), file], { encoding: 'utf8' }).status, `${where}: the next start`).toBe(0);
        const ended = look(file);
        expect([ended.schema, ended.shape], where).toEqual([after.schema, after.shape]);
        sameRows(ended);
        expect(verifyChain(file, null).broken, where).toEqual([]);
        expect(new Database(file, { readonly: true }).prepare('select restored from service').pluck().get(), where).toBeNull();
      }
    }
    figure('R16', { from_schema: schema, to_schema: newestSchema(), kill_points: killed, old, new: fresh, between: 0 });
    expect(killed).toBeGreaterThan(10);
    expect(old, 'some points are before the end of the transaction').toBeGreaterThan(0);
    expect(fresh, 'and some after it').toBeGreaterThan(0);
  });

  test('control: without a transaction there is something between', () => {
    let between = 0;
    for (let at = 1; at <= 40 && between === 0; at++) {
      const file = fixture(schema);
      if (!killAt(file, 'fsync', at, 'unsafe')) break;
      const looked = look(file);
      const whole = [before, after].some((one) => one.schema === looked.schema && one.shape === looked.shape);
      if (!whole || (looked.schema === after.schema) !== (looked.shape === after.shape)) between++;
    }
    expect(between).toBeGreaterThan(0);
    failsAsItMust('R16', 'a migration without a transaction', `${between} file between old and new`);
  });
});

test('a file of a newer program is refused by every command and not changed by a byte', async () => {
  const file = fixture(1);
  await (await openStore(file)).close();
  const hand = new Database(file);
  hand.pragma(`user_version = ${newestSchema() + 1}`);
  hand.close();
  const bytes = () => createHash('sha256').update(readFileSync(file)).digest('hex');
  const was = bytes();
  await expect(openStore(file)).rejects.toThrow('newer Firedamper');
  expect(() => backupDatabase(file, join(folder, 'copy.db'), new Date())).toThrow('newer Firedamper');
  expect(() => restoreDatabase(join(folder, 'target.db'), file, new Date())).toThrow('newer Firedamper');
  expect(existsSync(join(folder, 'copy.db'))).toBe(false);
  expect(existsSync(join(folder, 'target.db'))).toBe(false);
  expect(bytes()).toBe(was);
});
