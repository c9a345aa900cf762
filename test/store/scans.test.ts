/**
 * A site keeps 13 months: some millions of acts, and hundreds of thousands of incidents with their documents. What is asked all day must not read them all;
 * each decision once read every act that there had ever been, and each page of open incidents every incident.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { decide } from '../../src/core/decide.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { edge, POLICY, START, taskFailed } from '../core/scenario.ts';

const folder = mkdtempSync(join(tmpdir(), 'fd-scans-'));
const file = join(folder, 'fd.db');
const asked = new Set<string>();
let store: Store;

beforeAll(async () => {
  const prepare = Database.prototype.prepare;
  vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, text: string) {
    asked.add(text);
    return prepare.call(this, text);
  });
  store = await openStore(file);
});
afterAll(async () => {
  vi.restoreAllMocks();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Tables that grow with what has been; `ownerships`, `watermarks`, `facts` and `counters` grow with the site only. */
const GROWING = /^(SCAN|SEARCH) (incidents|holds|repairs|intents|signals|timeline|timeline_chain|inbox|seen)\b(.*)$/;
/** Through an index of those rows that are meant, or by the newest first until a page is full. */
const FEW =
  /USING (COVERING )?(INDEX (intents_open|holds_open|inbox_open|inbox_aside|intents_failed|incidents_live)|INTEGER PRIMARY KEY)/;

/** The oldest rows whatever they are, or whether there is one at all. */
const isFew = (text: string): boolean => (/ limit /i.test(text) && !/ where /i.test(text)) || text.includes('exists (select 1');

/** What a statement reads of growing tables without being told where to begin. */
function scans(text: string): string[] {
  const db = new Database(file, { readonly: true });
  try {
    const plan = db.prepare(`explain query plan ${text}`);
    const none = new Array(text.split('?').length - 1).fill(null);
    return (plan.all(...none) as { detail: string }[]).flatMap(({ detail }) => {
      const [, how, table, rest = ''] = GROWING.exec(detail) ?? [];
      const all = table !== undefined && how === 'SCAN' && !FEW.test(rest);
      return all && !isFew(text) ? [`${detail}: ${text}`] : [];
    });
  } finally {
    db.close();
  }
}

const world = { edges: () => [edge('a>b')], gaps: () => [], dag: () => null, dagCount: () => 2, hasRead: () => true };
const policy = {
  ...POLICY,
  channels: [{ id: 'team', events: ['opened', 'contained', 'attention', 'resolved'] }],
} as typeof POLICY;
const lanes = [
  { kinds: ['survey'], room: 8, record: false },
  { kinds: ['pause_dag', 'unpause_dag'], room: 8, record: true },
  { kinds: ['send_notice'], room: 8, record: true, roomOf: () => 8 },
] as const;

async function everything(): Promise<void> {
  let turn = 0;
  const evaluate = (...events: DomainEvent[]) =>
    store.evaluate(events, START, [1], (state) =>
      decide(state, events, { now: START, chance: `t${String(++turn).padStart(7, '0')}`, policy, world }),
    );
  await store.markInterrupted();
  await store.inbox.accept({ airflow: 'prod', webhookId: 'w', body: '{}', receivedAt: START, quarantine: null, dedupeKey: null });
  await store.inbox.pending(10);
  await evaluate({ type: 'signal', signal: taskFailed('a') });
  for (const { intent } of (await store.claim(START, lanes, new Set())).claimed) {
    const result = intent.act.kind === 'send_notice' ? ({ result: 'failed', error: 'away', retry: true } as const) : null;
    await evaluate({ type: 'outcome', intentId: intent.id, outcome: result ?? { result: 'not_yet', why: 'x' } });
  }
  const ann = { kind: 'person', name: 'ann', role: 'admin' } as never;
  await evaluate({ type: 'person', actor: ann, act: { kind: 'acknowledge', incidentId: 'inc-1' } as never });
  await evaluate({ type: 'tick' });
  await store.snapshot();
  const { read } = store;
  const page = { limit: 50 };
  for (const status of [undefined, ['open', 'contained', 'repairing', 'verifying', 'monitoring']])
    for (const dagId of [undefined, 'a'])
      await read.incidents({ ...page, ...(status ? { status } : {}), ...(dagId ? { dagId } : {}) });
  for (const of of [{}, { active: true }, { dagId: 'b' }, { incidentId: 'inc-1' }]) await read.holds({ ...page, ...of });
  for (const of of [{}, { airflow: 'prod', dagId: 'a' }]) await read.signals({ ...page, ...of });
  await Promise.all([
    read.incident('inc-1'),
    read.timeline('inc-1'),
    read.hold('hold-1'),
    read.repair('rep-1'),
    read.dag('prod', 'a'),
  ]);
  await Promise.all([read.counts(), read.untold(), read.quarantine(10), store.auditHead(), store.restored()]);
  await store.seen('prod', ['k']);
  await store.polled('prod', START, ['k'], START, START);
  await store.forgetCallbacks(START, 500);
  await store.forgetIncidents(START, 500);
}

test('nothing that is asked all day reads what has been for a year', async () => {
  await everything();
  const texts = [...asked].filter(
    (text) => /^\s*(select|update|delete|insert|with)\b/i.test(text) && !/^select sqlite_version/.test(text),
  );
  // Or the eye is shut.
  expect(texts.length).toBeGreaterThan(40);
  expect(texts.flatMap(scans)).toEqual([]);
});

test('a scan is seen', () => {
  expect(scans('select "act" from "intents" where "state" in (?, ?, ?)')).toHaveLength(1);
  expect(scans('select count(*) from "holds" group by "state"')).toHaveLength(1);
});
