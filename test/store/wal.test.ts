import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type Store } from '../../src/store/store.ts';
import { START } from '../core/scenario.ts';
import { failsAsItMust } from '../support/faults/crash/figure.ts';

const MIB = 1024 * 1024;
let dir: string;
let store: Store;
let reader: Database.Database;
let n: number;

beforeEach(async () => {
  n = 0;
  dir = mkdtempSync(join(tmpdir(), 'fd-wal-'));
  store = await openStore(join(dir, 'fd.db'));
  reader = new Database(join(dir, 'fd.db'), { readonly: true });
});
afterEach(async () => {
  reader.close();
  await store.close();
  rmSync(dir, { recursive: true });
});

const accept = (bytes: number) =>
  store.inbox.accept({
    airflow: 'prod',
    webhookId: `w${++n}`,
    body: 'x'.repeat(bytes),
    receivedAt: START,
    quarantine: null,
    dedupeKey: null,
  });

/** What a long read does: SQLite may begin the log anew only when nobody reads from it. */
async function growBesideAReader(): Promise<number> {
  reader.exec('begin');
  reader.prepare('select count(*) from inbox').get();
  while (store.walBytes() <= 8 * MIB) await accept(MIB);
  return store.walBytes();
}

test('a log that grew beside a reader is given back once the reader has ended, and not while it reads', async () => {
  const grown = await growBesideAReader();
  expect(store.guardWal(MIB), 'while somebody reads').toBe(grown);
  reader.exec('commit');
  expect(store.guardWal(MIB)).toBe(0);
  expect(store.walBytes()).toBe(0);
  await accept(1);
  expect(reader.prepare('select count(*) from inbox').pluck().get(), 'nothing of it is lost').toBe(n);
});

test('control: without that it stays as long as it was, whatever is written afterwards', async () => {
  const grown = await growBesideAReader();
  reader.exec('commit');
  for (let i = 0; i < 5; i++) await accept(1);
  expect(store.walBytes()).toBeGreaterThanOrEqual(grown);
  expect(store.guardWal(), 'of 64 MiB it is no trouble yet').toBeGreaterThanOrEqual(grown);
  failsAsItMust('R17', 'a log that nobody cuts', `${Math.round(grown / MIB)} MiB for ever`);
});
