/** When the disk does not do what it should: no promise without a row, and no row blamed for it. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { isUnavailable } from '../../src/errors.ts';
import { refuseRacy } from '../../src/store/database.ts';
import { createLockWait } from '../../src/store/foreignLock.ts';
import { openStore, type Store } from '../../src/store/store.ts';

const open: { store: Store; folder: string }[] = [];
afterEach(async () => {
  for (const { store, folder } of open.splice(0)) {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function fresh() {
  const folder = mkdtempSync(join(tmpdir(), 'fd-trouble-'));
  const path = join(folder, 'firedamper.db');
  const fatal: Error[] = [];
  const store = await openStore(path, '2026-11-20T00:00:00.000Z', (error) => fatal.push(error));
  open.push({ store, folder });
  return { store, path, folder, fatal };
}

const row = (webhookId: string) => ({
  ...{ airflow: 'prod', webhookId, body: '{}', receivedAt: '2026-11-20T00:00:00.000Z', quarantine: null, dedupeKey: null },
});

test("somebody else's lock is told as unavailable, passes, and is readiness's business until something is written again", async () => {
  const { store, path, fatal } = await fresh();
  const other = new Database(path);
  other.exec('begin immediate');
  const answers = await Promise.allSettled([store.inbox.accept(row('1')), store.inbox.accept(row('2'))]);
  expect(answers.map((a) => a.status === 'rejected' && isUnavailable(a.reason))).toEqual([true, true]);
  expect(store.trouble).toMatch(/somebody else holds its lock/);
  other.exec('rollback');
  other.close();
  expect(await store.inbox.pending(10)).toEqual([]);
  expect(store.trouble, 'reading proves nothing').not.toBeNull();
  expect(await store.inbox.accept(row('1'))).toEqual({ id: '1', duplicate: false });
  expect(store.trouble).toBeNull();
  expect(fatal).toEqual([]);
});

test('while somebody else has the lock everything else goes on', async () => {
  const { store, path } = await fresh();
  const other = new Database(path);
  other.exec('begin immediate');
  let turns = 0;
  const turning = setInterval(() => turns++, 10);
  await Promise.allSettled([store.inbox.accept(row('1')), store.inbox.pending(1), store.snapshot()]);
  clearInterval(turning);
  other.close();
  // Was 0 to 2, one between two transactions, when SQLite itself did the waiting.
  expect(turns, 'turns of the event loop').toBeGreaterThan(10);
});

describe('waiting for a lock', () => {
  const busy = () => Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
  const site = () => {
    let now = 0;
    const wait = createLockWait({ now: () => now, pause: async (ms) => (now += ms) });
    /** Answers how often it was tried, and whether it was refused; `freeAt`: by this clock. */
    const begin = async (freeAt = Number.POSITIVE_INFINITY) => {
      let tries = 0;
      const attempt = async () => {
        tries++;
        if (now < freeAt) throw busy();
      };
      const refused = await wait(attempt).then(
        () => false,
        () => true,
      );
      return { tries, refused };
    };
    return { begin, wait, pass: (ms: number) => (now += ms) };
  };

  test('is paid once: the first has patience, those behind it are refused after one try', async () => {
    const { begin, pass } = site();
    const first = await begin();
    expect(first.refused).toBe(true);
    expect(first.tries).toBeGreaterThan(20);
    for (let n = 0; n < 5; n++) {
      expect(await begin()).toEqual({ tries: 1, refused: true });
      pass(2_000);
    }
  });

  test('is not felt where the lock is gone soon, and begins anew with the next lock', async () => {
    const { begin, pass } = site();
    expect((await begin(200)).refused).toBe(false);
    expect((await begin(Number.POSITIVE_INFINITY)).tries).toBeGreaterThan(20);
    expect(await begin(0)).toEqual({ tries: 1, refused: false });
    expect((await begin()).tries, 'something was written since').toBeGreaterThan(20);
    pass(60_000);
    expect((await begin()).tries, 'nobody has met it for a minute').toBeGreaterThan(20);
  });

  test('is for locks only', async () => {
    const { wait } = site();
    let tries = 0;
    const full = async () => {
      tries++;
      throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
    };
    await expect(wait(full)).rejects.toThrow('full');
    expect(tries).toBe(1);
  });
});

test('a file that was moved away while it is open takes no more rows, for ever, and says so once', async () => {
  const { store, path, fatal } = await fresh();
  await store.inbox.accept(row('1'));
  renameSync(path, `${path}.moved`);
  for (const id of ['2', '3']) await expect(store.inbox.accept(row(id))).rejects.toSatisfy(isUnavailable);
  renameSync(`${path}.moved`, path);
  await expect(store.inbox.accept(row('4'))).rejects.toThrow(/moved, deleted or replaced/);
  expect(fatal).toHaveLength(1);
  const db = new Database(path, { readonly: true });
  expect(db.prepare('select webhook_id from inbox').pluck().all()).toEqual(['1']);
  db.close();
});

test('a SQLite that can damage the file is refused, one without that race is not', () => {
  for (const racy of ['3.51.2', '3.40.1', '3.7.0', '2.99.9']) expect(() => refuseRacy(racy), racy).toThrow(/3\.51\.3 or later/);
  for (const safe of ['3.51.3', '3.51.10', '3.54.1', '4.0.0']) expect(() => refuseRacy(safe), safe).not.toThrow();
  expect(() => refuseRacy('unknown')).toThrow(/SQLite unknown/);
});

test('the size of the write-ahead log is known, and grows with what is written', async () => {
  const { store } = await fresh();
  const before = store.walBytes();
  await store.inbox.accept({ ...row('1'), body: 'x'.repeat(50_000) });
  expect(store.walBytes()).toBeGreaterThan(before + 50_000);
});

test('a folder that is not there is told in words', async () => {
  await expect(openStore(join(tmpdir(), 'fd-nowhere', 'deeper', 'x.db'))).rejects.toThrow(/there is no such folder/);
});
