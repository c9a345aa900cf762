/** R8: 10,000 failures, each heard three times, in any order, by the real store: one row per event, one incident, one notice of it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import { failsAsItMust, figure } from '../support/faults/crash/figure.ts';
import { makeVariant } from '../support/faults/crash/variant.ts';
import { Chance } from '../support/faults/sim/chance.ts';
import { RealHolds } from '../support/faults/sim/holdsModel.ts';
import type { SimStore } from '../support/faults/sim/memoryStore.ts';
import type { Sabotage } from '../support/faults/sim/service.ts';
import { sqliteShelf } from '../support/faults/sim/shelves.ts';

const EVENTS = 10_000;

const body = (n: number) => ({
  ...{ version: 1, source: 'listener', kind: 'task_failed', occurred_at: '2026-11-21T06:00:00.000Z', dag_id: 's0' },
  ...{ run_id: `run${n % 50}`, task_id: `make${Math.floor(n / 50)}`, map_index: -1, try_number: 1, state: 'failed' },
});

/** What the file says when all is still. */
function counted(file: string) {
  const db = new Database(file, { readonly: true });
  const one = (sql: string) => db.prepare(sql).pluck().get() as number;
  const incidents = db.prepare('select doc from incidents').pluck().all() as string[];
  const answer = {
    stored: one('select count(*) from inbox'),
    open: one('select count(*) from inbox where done = 0 or quarantine is not null'),
    signals: one('select count(*) from signals'),
    incidents: incidents.length,
    failed: incidents.flatMap((d) => (JSON.parse(d) as { runs: { failedTasks: string[] }[] }).runs.flatMap((r) => r.failedTasks))
      .length,
  };
  db.close();
  return answer;
}

async function storm(events: number, sabotage: Sabotage = {}, open?: (file: string) => Promise<SimStore>) {
  const shelf = sqliteShelf(open);
  let store: SimStore | null = null;
  const real = new RealHolds(true, sabotage, async () => {
    store = await shelf.open();
    return store;
  });
  const chance = new Chance('storm');
  const notices: string[] = [];
  real.onNotice = (text) => notices.push(text);
  real.time.install();
  try {
    await real.boot();
    await real.settle();
    // Twice the same message, and once by the other way: a listener and a callback may both be installed.
    const all = Array.from({ length: events }, (_, n) =>
      [`id${n}`, `id${n}`, `other${n}`].map((id) => ({ id, body: body(n) })),
    ).flat();
    let duplicates = 0;
    for (const { id, body } of chance.shuffle(all)) {
      void real.service?.callback('prod', id, body).then((a) => {
        duplicates += a.duplicate ? 1 : 0;
      });
      if (chance.hit(0.01)) await real.time.step();
    }
    await real.go(20 * 60_000);
    const opened = notices.filter((n) => n.startsWith('opened')).length;
    return { ...counted(shelf.file), duplicates, opened, errors: real.errors };
  } finally {
    real.time.kill();
    real.time.uninstall();
    await (store as SimStore | null)?.close();
    await shelf.remove();
  }
}

it('10,000 events x 3 in random order, in SQLite', async () => {
  const seen = await storm(EVENTS);
  const { errors, ...figures } = seen;
  figure('R8', { callbacks: EVENTS * 3, ...figures });
  expect(seen).toEqual({
    ...{ stored: EVENTS * 2, open: 0, signals: EVENTS, incidents: 1, failed: EVENTS },
    ...{ duplicates: EVENTS, opened: 1, errors: [] },
  });
});

const FEW = 500;

/** The same store on tables that refuse nothing twice. */
async function withoutUniqueIndexes(): Promise<{ open: (file: string) => Promise<SimStore>; remove: () => void }> {
  const variant = makeVariant('no-unique-index', [
    { file: 'store/migrations/0001_first.sql', from: 'unique (airflow, webhook_id)\n', to: 'check (true)\n' },
    { file: 'store/inbox.ts', from: ".onConflict((c) => c.columns(['airflow', 'webhook_id']).doNothing())", to: '' },
    { file: 'store/migrations/0001_first.sql', from: 'unique (key, origin)\n', to: 'check (true)\n' },
    { file: 'store/state.ts', from: "const again = c.columns(['key', 'origin']);", to: 'const again = c;' },
  ]);
  const at = pathToFileURL(join(variant.root, 'src/store/store.ts')).href;
  const { openStore } = (await import(/* @vite-ignore */ at)) as { openStore: (file: string) => Promise<SimStore> };
  return { open: openStore, remove: variant.remove };
}

it('fails as it must: no unique index', async () => {
  const { open, remove } = await withoutUniqueIndexes();
  const { stored, duplicates } = await storm(FEW, {}, open).finally(remove);
  failsAsItMust('R8', 'no unique index', `${stored} messages of ${FEW * 2}, ${duplicates} of ${FEW} told as duplicates`);
  expect(stored).toBe(FEW * 3);
  // Within one batch the answers alone tell a second one.
  expect(duplicates).toBeLessThan(FEW);
});

it('fails as it must: neither the indexes nor the keys of the signals are looked at', async () => {
  const { open, remove } = await withoutUniqueIndexes();
  const blind: Sabotage = {
    store: (s) => ({
      ...s,
      evaluate: (events, since, done, decide) =>
        s.evaluate(events, since, done, (state) => decide({ ...state, knownSignals: new Map() })),
    }),
  };
  const { signals } = await storm(FEW, blind, open).finally(remove);
  failsAsItMust('R8', 'no index, no look at the keys of the signals', `${signals} signals of ${FEW}`);
  expect(signals).toBeGreaterThan(FEW);
});
