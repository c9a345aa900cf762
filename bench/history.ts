/**
 * What a year of history costs the work of a day: each thing that is asked all day, in a file with nothing in it and in one with so many incidents that are
 * over. Prints; judges nothing: that no statement reads them all is judged by test/store/scans.test.ts. `node bench/history.ts [--incidents 30000]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { decide } from '../src/core/decide.ts';
import type { DomainEvent } from '../src/core/events.ts';
import { openStore, type Store } from '../src/store/store.ts';
import { edge, POLICY, START } from '../test/core/scenario.ts';

const { values } = parseArgs({ options: { incidents: { type: 'string', default: '30000' } } });
const many = Number(values.incidents);
const HOLDS = 2;
const ACTS = 10;
const DOC = JSON.stringify({ text: 'x'.repeat(5_000) });
const ACT = JSON.stringify({ kind: 'send_notice', channel: 'team', incidentId: 'inc-1', event: 'opened', subject: 'a' });

/** As they lie there a year later: resolved, let go, told. */
function fill(file: string, incidents: number): void {
  const db = new Database(file);
  const incident = db.prepare("insert into incidents values (?, 'prod', ?, 'resolved', 0, '2026-01-01', '2026-01-02', ?, ?)");
  const hold = db.prepare(
    "insert into holds values (?, ?, ?, 'prod', 'b', 'released', 0, '{}', '[]', 'asset', 1, '', '', 0, '2026')",
  );
  const act = db.prepare("insert into intents values (?, ?, 'send_notice', 'done', ?, ?, 1, '2026-01-01', '2026-01-01', null)");
  db.transaction(() => {
    for (let n = 1; n <= incidents; n++) {
      incident.run(`inc-${n}`, `dag_${n % 500}`, n, DOC);
      for (let k = n * HOLDS; k < (n + 1) * HOLDS; k++) hold.run(`hold-${k}`, k, `inc-${n}`);
      for (let k = n * ACTS; k < (n + 1) * ACTS; k++) act.run(`int-${k}`, k, ACT, `op-${k}`);
    }
  })();
  db.close();
}

const world = { edges: () => [edge('a>b')], gaps: () => [], dag: () => null, dagCount: () => 2, hasRead: () => true };
const kinds = [
  ['pause_dag', 'unpause_dag'],
  ['survey'],
  ['survey_elsewhere'],
  ['plan_repair'],
  ['plan_release', 'plan_delivery'],
  ['repair_step', 'deliver'],
] as const;
const lanes = [
  ...kinds.map((of) => ({ kinds: of, room: 8, record: false })),
  { kinds: ['send_notice'] as const, room: 8, record: false, roomOf: () => 8 },
];
const OPEN = ['open', 'contained', 'repairing', 'verifying', 'monitoring'];
let turn = 0;
const tick: DomainEvent[] = [{ type: 'tick' }];
const things: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  decision: (store) =>
    store.evaluate(tick, START, [], (state) =>
      decide(state, tick, { now: START, chance: `t${String(++turn).padStart(7, '0')}`, policy: POLICY, world }),
    ),
  claim: (store) => store.claim(START, lanes, new Set()),
  metrics: async (store) => [await store.read.counts(), await store.read.untold()],
  'first page': (store) => store.read.incidents({ limit: 50, status: OPEN }),
};

const TIMES = 50;
async function timed(work: () => Promise<unknown>): Promise<number> {
  await work();
  const began = performance.now();
  for (let n = 0; n < TIMES; n++) await work();
  return (performance.now() - began) / TIMES;
}

async function measure(incidents: number): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-history-'));
  const store = await openStore(join(folder, 'fd.db'));
  try {
    fill(join(folder, 'fd.db'), incidents);
    const each: Record<string, number> = {};
    for (const [name, work] of Object.entries(things)) each[name] = await timed(() => work(store));
    return each;
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

const [empty, full] = [await measure(0), await measure(many)];
console.log(`with 0 and with ${many} incidents that are over, ${many * HOLDS} holds and ${many * ACTS} acts:`);
for (const [name, ms] of Object.entries(full))
  console.log(`  ${name}: ${empty[name]?.toFixed(2)} ms and ${ms.toFixed(2)} ms (${(ms / (empty[name] ?? ms)).toFixed(2)} x)`);
