/** R16: from every schema that people have, killed at every write: the file is the old one or the new one, never between, and the next start ends it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupDatabase, restoreDatabase } from '../../../src/store/backup.ts';
import { verifyChain } from '../../../src/store/chain.ts';
import { newestSchema } from '../../../src/store/migrate.ts';
import { openStore } from '../../../src/store/store.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { ROOT } from '../../support/faults/crash/program.ts';
import { makeVariant } from '../../support/faults/crash/variant.ts';
import * as kills from '../../support/faults/migrations/kills.ts';

/** Of each kind of system call, so many kill points in the short form: the first ones, the last one, and others between. */
const POINTS = 5;

const folder = mkdtempSync(join(tmpdir(), 'fd-migrations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
const newFile = (): string => join(folder, `${++made}.db`);
const fixture = (schema: number): string => kills.makeFixture(newFile(), schema);

/** The way back that `migrate` promises, of a file of that schema. */
const copyOf = (file: string, schema: number): string => `${file}.schema-${schema}`;

const each = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

function points(count: number): number[] {
  const all = each(count);
  if (LONG || count <= POINTS) return all;
  return [...new Set([1, 2, ...Array.from({ length: POINTS - 2 }, (_, i) => Math.ceil(((i + 1) * count) / (POINTS - 2)))])];
}

const OLD = Array.from({ length: newestSchema() - 1 }, (_, i) => i + 1);
/** What a file of each schema looks like that nobody has killed: the frozen ones, and one that this program has made. */
const whole = new Map<number, kills.Looked>();

beforeAll(async () => {
  for (const schema of OLD.filter((n) => existsSync(join(import.meta.dirname, kills.fixtureName(n)))))
    whole.set(schema, kills.look(fixture(schema)));
  const fresh = newFile();
  await (await openStore(fresh)).close();
  whole.set(newestSchema(), kills.look(fresh));
});

test('every schema that people may have is here as a file: a migration comes with a file of the schema before it', () => {
  const migrations = readdirSync(join(ROOT, 'src/store/migrations')).length;
  expect(readdirSync(import.meta.dirname).filter((n) => n.endsWith('.sql'))).toEqual(
    Array.from({ length: migrations - 1 }, (_, i) => kills.fixtureName(i + 1)),
  );
  expect([...whole].map(([named, { schema }]) => [named, schema])).toEqual([...OLD, migrations].map((n) => [n, n]));
});

interface Kill {
  readonly where: string;
  readonly file: string;
  readonly verdict: kills.Verdict;
}

/** Starts of the program in `root` on files of that schema, each killed somewhere else: at every system call of those kinds, or at some of them. */
function* killed(schema: number, root: string, calls: readonly (typeof kills.CALLS)[number][], some = points): Generator<Kill> {
  const before = kills.look(fixture(schema));
  const counts = kills.countCalls(fixture(schema), root);
  for (const call of calls)
    for (const at of some(counts.get(call) ?? 0)) {
      const file = fixture(schema);
      if (!kills.killAt(file, root, call, at)) continue;
      yield { where: `killed at ${call} ${at}`, file, verdict: kills.judge(kills.look(file), before, whole) };
    }
}

const of = (all: readonly Kill[], verdict: kills.Verdict): string[] =>
  all.filter((k) => k.verdict === verdict).map((k) => k.where);

describe.each(OLD)('from schema %i', (schema) => {
  let before: kills.Looked;
  let after: kills.Looked;
  let kept: kills.Looked | null;

  beforeAll(async () => {
    const file = fixture(schema);
    before = kills.look(file);
    await (await openStore(file)).close();
    after = kills.look(file);
    kept = kills.lookIfThere(copyOf(file, schema));
  });

  test('nothing of what was there is lost, it is no restored database, and it is made like a new one', async () => {
    expect(after).toMatchObject({ integrity: 'ok', schema: newestSchema(), rows: before.rows });
    // A released migration that is edited later makes another file of a new database than of an old one.
    expect(after.shape).toBe(whole.get(newestSchema())?.shape);
    expect(kept, 'the old file is kept beside it').toEqual(before);
    const store = await openStore(fixture(schema));
    expect(await store.restored()).toBeNull();
    const state = await store.snapshot();
    expect(state.incidents).toHaveLength(2);
    expect(state.ownerships.filter((o) => o.state === 'ours').map((o) => o.dagId)).toEqual(['b', 'c']);
    await store.close();
  });

  test('killed at every write it is the old one or a newer one, whole', () => {
    const all = [...killed(schema, ROOT, kills.CALLS)];
    for (const { where, file } of all) {
      expect(kills.startAndStop(file), `${where}: the next start`).toBe(0);
      expect(kills.look(file), where).toMatchObject({ ...after, rows: before.rows });
      // No start makes what is missing once the schema is newer, and none mends what has the name.
      expect(kills.lookIfThere(copyOf(file, schema)), `${where}: the copy of the old file`).toEqual(before);
      expect(verifyChain(file, null).broken, where).toEqual([]);
      expect(new Database(file, { readonly: true }).prepare('select restored from service').pluck().get(), where).toBeNull();
    }
    const [old, fresh, between] = [of(all, 'old'), of(all, 'new'), of(all, 'between')];
    figure('R16', {
      from_schema: schema,
      to_schema: newestSchema(),
      kill_points: all.length,
      old: old.length,
      new: fresh.length,
      between: between.length,
    });
    expect(between).toEqual([]);
    expect(all.length).toBeGreaterThan(10);
    expect(old.length, 'some points are before the end of the transaction').toBeGreaterThan(0);
    expect(fresh.length, 'and some after it').toBeGreaterThan(0);
  });

  test('control: without a transaction there is something between', () => {
    const variant = makeVariant(`no-transaction-${schema}`, [
      { file: 'store/migrate.ts', from: 'db.transaction(() => {', to: '(() => {' },
      { file: 'store/migrate.ts', from: '}).immediate();', to: '})();' },
    ]);
    let tried = 0;
    let between = '';
    for (const kill of killed(schema, variant.root, ['fsync'], each)) {
      tried++;
      if (kill.verdict !== 'between') continue;
      between = kill.where;
      break;
    }
    variant.remove();
    expect(between).not.toBe('');
    failsAsItMust(
      'R16',
      `a migration without a transaction, from schema ${schema}`,
      `between, ${between}, after ${tried} kill points`,
    );
  });
});

test('control: a migration that keeps no copy must be seen', () => {
  const variant = makeVariant('no-copy', [
    { file: 'store/migrate.ts', from: 'copyBefore(db, path, version);\n  due', to: 'void copyBefore;\n  due' },
  ]);
  const file = fixture(1);
  expect(kills.startAndStop(file, variant.root)).toBe(0);
  variant.remove();
  expect(kills.lookIfThere(copyOf(file, 1)), 'the test did not see it').toBeNull();
  failsAsItMust('R16', 'a migration that keeps no copy', 'no old file beside the new one');
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
