/**
 * R9: runs that fail, are cleared and succeed while the poll pages through them. 1,000 random schedules on both generations: nothing that stays failed
 * is missed.
 */
import { expect, it } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import { createPoller } from '../../src/intake/poller.ts';
import { createWorld } from '../../src/world.ts';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import { SimAirflow } from '../support/faults/sim/airflow.ts';
import { Chance } from '../support/faults/sim/chance.ts';
import { Disk, memoryStore } from '../support/faults/sim/memoryStore.ts';
import { VirtualTime } from '../support/faults/sim/time.ts';

const START = Date.parse('2026-11-21T06:00:00.000Z');

/** Failures that Airflow still shows at the end and that nobody heard. */
async function missed(seed: number, change: (client: AirflowClient) => Partial<AirflowClient>): Promise<number> {
  const chance = new Chance(seed);
  const time = new VirtualTime(START);
  const version = chance.pick(['3.3.2', '3.0.6', '2.11.2']);
  const airflow = new SimAirflow({ time, chance, version, pageCap: chance.int(2, 5), taskMs: 0, backfillSweepMs: 1_000 });
  const heard = new Set<string>();
  time.install();
  try {
    for (const d of ['a', 'b', 'c']) airflow.world.addDag(d, { tasks: { make: {} } });
    const client = airflow.client('prod');
    const responder = {
      respond: async (e: DomainEvent) => {
        if (e.type === 'signal') heard.add(`${e.signal.dagId} ${e.signal.runId}`);
        return {} as never;
      },
    };
    const poller = createPoller({
      ...{
        client: { ...client, ...change(client) },
        store: memoryStore(new Disk()),
        responder,
        world: createWorld([]),
        now: time.serviceNow,
      },
      ...{ intervalMs: 30_000, surveyIntervalMs: 60_000, lookbackMs: 0, onState: () => undefined },
    });
    let n = 0;
    const moves = () => {
      for (let i = chance.int(0, 3); i > 0; i--) time.as('airflow', () => move(airflow, chance, time, n++));
    };
    // Between any two pages the site goes on.
    airflow.onProcessed = (p) => {
      if (p.method === 'GET' && n < 60) moves();
    };
    poller.start();
    for (let i = 0; i < 8; i++) {
      moves();
      const end = time.now + 30_000;
      while (await time.step(end));
    }
    // Two polls in which nothing moves any more.
    n = 1_000;
    const end = time.now + 60_000;
    while (await time.step(end));
    const failed = airflow.world.allRuns().filter((r) => r.state === 'failed' && r.start !== null);
    return failed.filter((r) => !heard.has(`${r.dagId} ${r.runId}`)).length;
  } finally {
    time.kill();
    time.uninstall();
  }
}

function move({ world }: SimAirflow, chance: Chance, time: VirtualTime, n: number): void {
  const dagId = chance.pick(['a', 'b', 'c']);
  const runs = world.runsOf(dagId).filter((r) => r.state === 'failed');
  const broken = runs.length > 0 && chance.hit(0.4) ? chance.pick(runs) : null;
  const logical = world.options.generation === 2 ? Math.round(time.now) + n : null;
  const run = broken ?? world.createRun(dagId, { runType: 'manual', by: 'somebody', runId: `r${n}`, logical });
  if (broken) world.clear(broken, ['make'], 'gerda');
  world.scheduler.startRun(run);
  const task = run.tasks.get('make');
  if (task) world.scheduler.endTask(run, task, chance.hit(broken ? 0.5 : 0.9) ? 'failed' : 'success');
  world.scheduler.step();
}

it('1,000 random schedules: nothing that stays failed is missed', async () => {
  let lost = 0;
  for (let seed = 1; seed <= 1_000; seed++) lost += await missed(seed, () => ({}));
  process.stdout.write(`figure: R9 schedules=1000 missed=${lost}\n`);
  expect(lost).toBe(0);
});

it('fails as it must: only the first page is read', async () => {
  let lost = 0;
  const first = (c: AirflowClient): Partial<AirflowClient> => ({
    listFailedRuns: async (since) => (await c.listFailedRuns(since)).slice(0, 2),
    listFailedTasks: async (since) => (await c.listFailedTasks(since)).slice(0, 2),
    listFailedRunsUpdated: async () => [],
  });
  for (let seed = 1; seed <= 20; seed++) lost += await missed(seed, first);
  expect(lost).toBeGreaterThan(0);
  failsAsItMust('R9', 'only the first page is read', `${lost} missed`);
});
