import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Intent } from '../../src/core/intent.ts';
import { backupDatabase, restoreDatabase } from '../../src/store/backup.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { START } from '../core/scenario.ts';
import { failsAsItMust } from '../support/faults/crash/figure.ts';

let dir: string;
let store: Store;
const NOW = new Date('2026-11-21T12:00:00Z');
const LATER = '2026-11-21T13:00:00.000Z';
const file = (name = 'fd.db') => join(dir, name);
const callback = (webhookId: string) => ({
  airflow: 'prod',
  webhookId,
  body: '{}',
  receivedAt: START,
  quarantine: null,
  dedupeKey: null,
});
const names = () => readdirSync(dir).filter((n) => !/\.(lock|lock-journal|owner|epoch)$/.test(n) && !/-(wal|shm)$/.test(n));
const pending = async () => (await store.inbox.pending(100)).map((r) => r.webhookId);
const reopen = async () => {
  store = await openStore(file(), LATER);
  return store.restored();
};

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'fd-backup-'));
  store = await openStore(file());
  await store.inbox.accept(callback('w1'));
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

describe('a backup', () => {
  test('of a running service holds what was acknowledged, as one file, for its owner only', async () => {
    const copy = backupDatabase(file(), undefined, NOW);
    expect(copy).toMatchObject({ file: file('fd-20261121T120000Z.db'), callbacks: 1, incidents: 0 });
    expect(names()).toEqual(['fd-20261121T120000Z.db', 'fd.db']);
    expect(statSync(copy.file).mode & 0o777).toBe(0o600);
    await store.inbox.accept(callback('w2'));
    expect(await pending(), 'the original goes on').toEqual(['w1', 'w2']);
    expect(await store.restored()).toBeNull();
  });

  test('overwrites nothing and leaves nothing behind when it cannot be', () => {
    writeFileSync(file('there.db'), 'mine');
    expect(() => backupDatabase(file(), file('there.db'), NOW)).toThrow('overwrites nothing');
    expect(readFileSync(file('there.db'), 'utf8')).toBe('mine');
    expect(() => backupDatabase(file(), file('no/such/folder.db'), NOW)).toThrow('the folder');
    expect(() => backupDatabase(file('nothing.db'), file('b.db'), NOW)).toThrow('nothing to back up');
    expect(existsSync(file('nothing.db'))).toBe(false);
  });

  test('of a damaged file is refused', async () => {
    await store.close();
    damage(file());
    expect(() => backupDatabase(file(), file('b.db'), NOW)).toThrow('damaged');
    expect(names()).toEqual(['fd.db']);
    rmSync(file());
    store = await openStore(file());
  });
});

function damage(path: string): void {
  const hand = new Database(path);
  hand.pragma('wal_checkpoint(truncate)');
  hand.close();
  const bytes = readFileSync(path);
  bytes.fill(0xff, 4_096);
  writeFileSync(path, bytes);
}

describe('restore', () => {
  test('is refused while a service runs, and changes nothing', async () => {
    const copy = backupDatabase(file(), file('b.db'), NOW);
    expect(() => restoreDatabase(file(), copy.file, NOW)).toThrow(`is in use by process ${process.pid}`);
    expect(names()).toEqual(['b.db', 'fd.db']);
  });

  test('puts the backup in place, keeps what was there, and the service then observes', async () => {
    backupDatabase(file(), file('b.db'), NOW);
    await store.inbox.accept(callback('w2'));
    await store.close();
    const done = restoreDatabase(file(), file('b.db'), new Date(LATER));
    expect(done).toMatchObject({
      aside: file('fd.db.before-restore-20261121T130000Z'),
      knowsUntil: NOW.toISOString(),
      callbacks: 1,
    });
    expect(await reopen()).toEqual({
      at: LATER,
      because: 'restored from b.db',
      knowsUntil: NOW.toISOString(),
      fileSaid: null,
    });
    expect(await pending()).toEqual(['w1']);
    const aside = new Database(done.aside ?? '', { readonly: true });
    expect(aside.prepare('select count(*) from inbox').pluck().get(), 'the old file is whole').toBe(2);
    aside.close();
  });

  test('takes the log of a service that was killed with it into the file that is kept', async () => {
    backupDatabase(file(), file('b.db'), NOW);
    await store.inbox.accept(callback('w2'));
    // As after a kill -9: the log is still beside the file and holds w2.
    const killed = mkdtempSync(join(tmpdir(), 'fd-killed-'));
    cpSync(dir, killed, { recursive: true });
    const done = restoreDatabase(join(killed, 'fd.db'), file('b.db'), NOW);
    const kept = new Database(done.aside ?? '', { readonly: true });
    expect(kept.prepare('select webhook_id from inbox order by n').pluck().all()).toEqual(['w1', 'w2']);
    kept.close();
    const restored = await openStore(join(killed, 'fd.db'));
    expect(
      (await restored.inbox.pending(9)).map((r) => r.webhookId),
      'and none of it into the restored one',
    ).toEqual(['w1']);
    await restored.close();
    rmSync(killed, { recursive: true });
  });

  test('also over a database that is broken, and where there is none', async () => {
    backupDatabase(file(), file('b.db'), NOW);
    await store.close();
    writeFileSync(file(), 'not a database at all, not even a little');
    restoreDatabase(file(), file('b.db'), NOW);
    expect(await reopen()).not.toBeNull();
    await store.close();
    rmSync(file());
    expect(restoreDatabase(file(), file('b.db'), NOW).aside).toBeNull();
    await reopen();
    expect(await pending()).toEqual(['w1']);
  });

  test.each([
    ['that is no database', (path: string) => writeFileSync(path, 'hello'.repeat(2_000)), 'not a database'],
    [
      'that is somebody else’s database',
      (path: string) => new Database(path).exec('create table t (x)').close(),
      'not a database of Firedamper',
    ],
    ['that is a folder', (path: string) => mkdirSync(path), 'is no file'],
    ['that is damaged', damage, 'damaged'],
    [
      'of a newer program',
      (path: string) => {
        const hand = new Database(path);
        hand.pragma('user_version = 99');
        hand.close();
      },
      'newer Firedamper',
    ],
  ])('of a file %s is refused and leaves the database as it was', async (_what, spoil, message) => {
    backupDatabase(file(), file('b.db'), NOW);
    await store.close();
    if (message !== 'damaged' && message !== 'newer Firedamper') rmSync(file('b.db'));
    spoil(file('b.db'));
    expect(() => restoreDatabase(file(), file('b.db'), NOW)).toThrow(message);
    expect(() => restoreDatabase(file(), file(), NOW)).toThrow('the database itself');
    expect(names()).toEqual(['b.db', 'fd.db']);
    expect(await reopen()).toBeNull();
    expect(await pending()).toEqual(['w1']);
  });
});

describe('a file that is not what ran here last is noticed, however it came', () => {
  test('an ordinary restart is none, nor is one after a kill', async () => {
    await store.close();
    expect(await reopen()).toBeNull();
    await store.close();
    expect(await reopen()).toBeNull();
  });

  test('a backup that was copied over by hand', async () => {
    backupDatabase(file(), file('b.db'), NOW);
    await store.close();
    renameSync(file('b.db'), file());
    expect((await reopen())?.because).toBe('it is a backup made at 2026-11-21T12:00:00.000Z');
    await store.close();
    expect((await reopen())?.at, 'a second start changes nothing about it').toBe(LATER);
  });

  test('a backup that was copied over what a kill -9 had left: the log beside it is of the old file, and must not be read into the backup', async () => {
    backupDatabase(file(), file('b.db'), NOW);
    await store.inbox.accept(callback('w2'));
    const killed = mkdtempSync(join(tmpdir(), 'fd-killed-'));
    cpSync(dir, killed, { recursive: true });
    cpSync(join(killed, 'b.db'), join(killed, 'fd.db'));
    const started = await openStore(join(killed, 'fd.db'));
    expect((await started.restored())?.because).toBe('it is a backup made at 2026-11-21T12:00:00.000Z');
    expect((await started.inbox.pending(9)).map((r) => r.webhookId)).toEqual(['w1']);
    await started.close();
    expect(statSync(join(killed, 'fd.db-wal.of-another-file')).size, 'what it held is not thrown away').toBeGreaterThan(0);
    rmSync(killed, { recursive: true });
  });

  test('a raw copy of an earlier start', async () => {
    await store.close();
    cpSync(file(), file('raw.db'));
    await reopen();
    await store.close();
    renameSync(file('raw.db'), file());
    expect((await reopen())?.because).toBe('it is from start 1, and start 2 was the last in this place');
  });

  test('a raw copy on a machine that has lost its disk', async () => {
    await store.close();
    rmSync(`${file()}.epoch`);
    expect(await reopen()).toMatchObject({ because: 'it has run before, but not in this place', knowsUntil: START });
  });

  test('another database', async () => {
    await store.close();
    const other = await openStore(file('other.db'));
    await other.inbox.accept(callback('w9'));
    await other.close();
    renameSync(file('other.db'), file());
    expect((await reopen())?.because).toBe('another database was in this place before');
  });

  test('a fresh start after the old database was thrown away is none', async () => {
    await store.close();
    rmSync(file());
    expect(await reopen()).toBeNull();
  });

  test('a crash between the two writes of a start is none', async () => {
    await store.close();
    const witness = JSON.parse(readFileSync(`${file()}.epoch`, 'utf8'));
    writeFileSync(`${file()}.epoch`, JSON.stringify({ ...witness, epoch: witness.epoch + 1, raising: true }));
    expect(await reopen()).toBeNull();
  });
});

describe('while it observes', () => {
  const lanes = [
    { kinds: ['pause_dag', 'unpause_dag', 'repair_step', 'deliver'], room: 9, record: true },
    { kinds: ['survey', 'plan_repair', 'plan_release'], room: 9, record: false },
    { kinds: ['send_notice'], room: 9, record: true },
  ] as const;
  const intent = (n: number, kind: Intent['act']['kind']) => ({
    id: `int-${n}`,
    n,
    kind,
    state: 'planned',
    act: JSON.stringify({ kind, airflow: 'prod' }),
    op: `op-${n}`,
    attempts: 0,
    created_at: START,
    due_at: START,
    last_error: null,
  });
  const kinds = [
    'pause_dag',
    'unpause_dag',
    'repair_step',
    'deliver',
    'survey',
    'plan_repair',
    'plan_release',
    'send_notice',
  ] as const;

  test('nothing that changes Airflow is claimed, however much of it waits; what reads and what tells people is', async () => {
    await store.close();
    const hand = new Database(file());
    const insert = hand.prepare(
      'insert into intents values (:id, :n, :kind, :state, :act, :op, :attempts, :created_at, :due_at, :last_error)',
    );
    for (let n = 1; n <= 1_200; n++) insert.run(intent(n, 'pause_dag'));
    for (const [i, kind] of kinds.entries()) insert.run(intent(2_000 + i, kind));
    hand.close();
    rmSync(`${file()}.epoch`);
    await reopen();
    const { claimed } = await store.claim(LATER, lanes, new Set());
    expect(claimed.map((c) => c.intent.act.kind)).toEqual(['survey', 'plan_repair', 'plan_release', 'send_notice']);
  });

  test('control: without the mark they are claimed', async () => {
    await store.close();
    const hand = new Database(file());
    const insert = hand.prepare(
      'insert into intents values (:id, :n, :kind, :state, :act, :op, :attempts, :created_at, :due_at, :last_error)',
    );
    for (const [i, kind] of kinds.entries()) insert.run(intent(2_000 + i, kind));
    hand.close();
    await reopen();
    const { claimed } = await store.claim(LATER, lanes, new Set());
    expect(claimed).toHaveLength(kinds.length);
    failsAsItMust('R15', 'a restored file without its mark', `all ${claimed.length} kinds are claimed`);
  });
});

test('a process that was superseded writes nothing any more, and ends', async () => {
  await store.close();
  const ended: string[] = [];
  store = await openStore(file(), LATER, (error) => ended.push(error.message));
  // The lock file was deleted under the running process: nothing else stops the second one.
  for (const name of readdirSync(dir)) if (name.endsWith('.lock')) rmSync(file(name));
  const second = await openStore(file());
  await expect(store.inbox.accept(callback('w2'))).rejects.toThrow('another Firedamper was started on this database');
  await expect(store.claim(LATER, [], new Set())).rejects.toThrow('another Firedamper');
  expect(ended, 'told once').toEqual([expect.stringContaining('this one ends')]);
  expect(await second.inbox.accept(callback('w3'))).toMatchObject({ duplicate: false });
  await second.close();
});

test('control: it is the number of the start that stops it, for with that put back both write', async () => {
  for (const name of readdirSync(dir)) if (name.endsWith('.lock')) rmSync(file(name));
  const second = await openStore(file());
  const hand = new Database(file());
  hand.prepare('update service set epoch = epoch - 1').run();
  hand.close();
  expect(await store.inbox.accept(callback('w2')), 'the first one writes beside the second').toMatchObject({ duplicate: false });
  await expect(second.inbox.accept(callback('w3'))).rejects.toThrow('another Firedamper');
  await second.close();
  failsAsItMust('two-processes', 'a start without its number', 'the first one writes beside the second');
});
