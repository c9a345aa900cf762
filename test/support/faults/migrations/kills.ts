/** A database of an older program, the program's start on it killed at a system call, and what the file is afterwards: old, new, or between. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { ROOT } from '../crash/program.ts';

/** The kinds of system call by which something gets onto the disk. */
export const CALLS = ['pwrite64', 'fsync', 'write', 'rename', 'unlink', 'ftruncate'] as const;
type Call = (typeof CALLS)[number];

const FIXTURES = join(import.meta.dirname, '../../../faults/migrations');
export const fixtureName = (schema: number): string => `schema-${schema}.sql`;

export function makeFixture(file: string, schema: number): string {
  const db = new Database(file);
  db.exec(`begin; ${readFileSync(join(FIXTURES, fixtureName(schema)), 'utf8')}; commit`);
  db.pragma('journal_mode = wal');
  // What a start of that program left beside it.
  const own = schema < 2 ? null : (db.prepare('select database_id as database, epoch from service').get() as object);
  if (own !== null) writeFileSync(`${file}.epoch`, JSON.stringify({ ...own, raising: false }));
  db.close();
  return file;
}

export interface Looked {
  readonly integrity: unknown;
  readonly schema: number;
  /** What the file is made of. */
  readonly shape: string;
  /** Rows of every table, by table; without `service`, which every start raises. */
  readonly rows: Readonly<Record<string, string>>;
}

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

export function look(file: string): Looked {
  const db = new Database(file);
  try {
    const objects = db.prepare('select type, name, sql from sqlite_master order by type, name').all();
    const named = "select name from sqlite_master where type = 'table' and name <> 'service' order by name";
    const tables = db.prepare(named).pluck().all() as string[];
    const rows = tables.map((t) => [t, digest(db.prepare(`select * from ${t}`).all())]);
    return {
      integrity: db.pragma('integrity_check', { simple: true }),
      schema: Number(db.pragma('user_version', { simple: true })),
      shape: digest(objects),
      rows: Object.fromEntries(rows),
    };
  } finally {
    db.close();
  }
}

/** A look makes what is not there. */
export const lookIfThere = (file: string): Looked | null => (existsSync(file) ? look(file) : null);

export type Verdict = 'old' | 'new' | 'between';

/** `whole`: what a file of each schema looks like that nobody has killed, by schema. Each step is a transaction, so that any of them may be met. */
export function judge(looked: Looked, before: Looked, whole: ReadonlyMap<number, Looked>): Verdict {
  if (JSON.stringify(looked) === JSON.stringify(before)) return 'old';
  const unharmed = whole.get(looked.schema);
  const newer = looked.schema > before.schema && looked.integrity === 'ok' && looked.shape === unharmed?.shape;
  return newer && hasRowsOf(looked, before) ? 'new' : 'between';
}

export const hasRowsOf = (looked: Looked, before: Looked): boolean =>
  Object.entries(before.rows).every(([table, rows]) => looked.rows[table] === rows);

const command = (file: string, root: string): string[] => [
  ...[process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'open.ts')],
  ...[file, root],
];

/** Exit code of a start to its end. */
export function startAndStop(file: string, root = ROOT): number | null {
  const [node = '', ...args] = command(file, root);
  return spawnSync(node, args, { encoding: 'utf8' }).status;
}

/** Runs to its end without a fault and answers how often each system call was made. */
export function countCalls(file: string, root: string): ReadonlyMap<Call, number> {
  const log = `${file}.calls`;
  const run = spawnSync('strace', ['-f', '-c', '-o', log, '-e', `trace=${CALLS.join(',')}`, ...command(file, root)], {
    encoding: 'utf8',
  });
  if (run.error) throw new Error('strace is missing here (Debian: apt-get install strace); without it nothing is proved');
  if (run.status !== 0) throw new Error(`the start without a fault has failed: ${run.stderr}`);
  const columns = readFileSync(log, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return new Map(CALLS.map((call) => [call, Number(columns.find((c) => c.at(-1) === call)?.[3] ?? 0)]));
}

/** False where the program got to its end before. */
export function killAt(file: string, root: string, call: Call, n: number): boolean {
  const args = ['-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${n}`];
  const run = spawnSync('strace', [...args, ...command(file, root)], { encoding: 'utf8' });
  return run.signal === 'SIGKILL' || run.status === 137;
}
