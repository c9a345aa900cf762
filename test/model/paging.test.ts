/**
 * R9: runs that fail, are cleared and fail again while the poll pages through them, for 24 minutes and with no pause in which a list would stand still. Each
 * failure is judged as soon as it is too old for the overlap to show it again: what was not heard by then is missed, whatever a later pass may find.
 */
import { expect, it } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import type { Signal } from '../../src/core/signal.ts';
import { createPoller, type Poller } from '../../src/intake/poller.ts';
import { createWorld } from '../../src/world.ts';
import type { Run } from '../support/fakeAirflow/types.ts';
import { failsAsItMust, figure, LONG } from '../support/faults/crash/figure.ts';
import { SimAirflow } from '../support/faults/sim/airflow.ts';
import { Chance } from '../support/faults/sim/chance.ts';
import { Disk, memoryStore } from '../support/faults/sim/memoryStore.ts';
import { VirtualTime } from '../support/faults/sim/time.ts';

const START = Date.parse('2026-11-21T06:00:00.000Z');
const MINUTE = 60_000;
const MINUTES = 24;
/** What the poll reads again (`src/intake/poller.ts`). */
const OVERLAP_MS = 5 * MINUTE;
/** The overlap before the start of the last poll but one, and the time that a poll takes. */
const OLD_MS = OVERLAP_MS + 2 * MINUTE;

type Change = (client: AirflowClient) => Partial<AirflowClient>;

/** Failures that stood for longer than the overlap: how many, and which of them one of the two lists did not show to the poll. */
interface Judged {
  judged: number;
  missed: number;
}

/** One attempt of one run, in one of the two lists: a run may fail with no task of its own, and a task before its run has ended. */
const keyOf = (kind: Signal['kind'], dagId: string, runId: string, end: number): string => `${kind} ${dagId} ${runId} ${end}`;

class Schedule {
  readonly chance: Chance;
  readonly time = new VirtualTime(START);
  readonly airflow: SimAirflow;
  readonly poller: Poller;
  readonly end: Judged = { judged: 0, missed: 0 };
  readonly #heard = new Set<string>();
  readonly #judged = new Set<string>();
  #runs = 0;

  constructor(seed: number, change: Change) {
    this.chance = new Chance(seed);
    const { chance, time } = this;
    const version = chance.pick(['3.3.2', '3.0.6', '2.11.2']);
    this.airflow = new SimAirflow({ time, chance, version, pageCap: chance.int(2, 4), taskMs: 0, backfillSweepMs: 1_000 });
    for (const d of ['a', 'b', 'c']) this.airflow.world.addDag(d, { tasks: { make: {} } });
    const client = this.airflow.client('prod');
    const respond = async (e: DomainEvent) => {
      if (e.type === 'signal')
        this.#heard.add(keyOf(e.signal.kind, e.signal.dagId, e.signal.runId, Date.parse(e.signal.occurredAt)));
      return {} as never;
    };
    this.poller = createPoller({
      ...{ client: { ...client, ...change(client) }, store: memoryStore(new Disk()), responder: { respond } },
      ...{ world: createWorld([]), now: time.serviceNow, intervalMs: MINUTE, surveyIntervalMs: 10 * MINUTE, lookbackMs: 0 },
      onState: () => undefined,
    });
    // Between any two pages the site goes on.
    this.airflow.onProcessed = (p) => {
      if (p.path.includes('/~/') && chance.hit(0.25)) this.#again();
    };
  }

  async run(): Promise<Judged> {
    this.time.install();
    try {
      this.poller.start();
      for (let i = 0; i < MINUTES; i++) {
        for (let n = this.chance.int(3, 6); n > 0; n--)
          this.time.after(this.chance.int(0, MINUTE), 'airflow', () => this.#fresh());
        const end = START + (i + 1) * MINUTE;
        while (await this.time.step(end));
        this.time.now = end;
        this.#judge();
      }
      return this.end;
    } finally {
      this.time.kill();
      this.time.uninstall();
    }
  }

  /** Somebody clears what failed: a row that leaves the pages which were read moves the others up. Half of them come back at the end of the list. */
  #again(): void {
    const { world } = this.airflow;
    const failed = world
      .allRuns()
      .filter(isFailed)
      .sort((x, y) => (x.end ?? 0) - (y.end ?? 0));
    if (failed.length === 0) return;
    const run = this.chance.pick(failed.slice(this.chance.pick([-6, -24, -100])));
    this.time.as('airflow', () => {
      world.clear(run, ['make'], 'gerda');
      this.#finish(run, 0.5);
    });
  }

  #fresh(): void {
    const { airflow, chance, time } = this;
    const n = this.#runs++;
    const logical = airflow.generation === 2 ? Math.round(time.now) + n : null;
    const made = { runType: 'manual', by: 'somebody', runId: `r${n}`, logical } as const;
    this.#finish(airflow.world.createRun(chance.pick(['a', 'b', 'c']), made), 0.9);
  }

  #finish(run: Run, fails: number): void {
    const { scheduler } = this.airflow.world;
    scheduler.startRun(run);
    const task = run.tasks.get('make');
    if (task) scheduler.endTask(run, task, this.chance.hit(fails) ? 'failed' : 'success');
    scheduler.step();
  }

  #judge(): void {
    for (const run of this.airflow.world.allRuns().filter(isFailed)) {
      const end = run.end ?? 0;
      const name = `${run.dagId} ${run.runId} ${end}`;
      if (end > this.time.now - OLD_MS || this.#judged.has(name)) continue;
      this.#judged.add(name);
      this.end.judged++;
      const kinds = ['run_failed', 'task_failed'] as const;
      if (!kinds.every((kind) => this.#heard.has(keyOf(kind, run.dagId, run.runId, end)))) this.end.missed++;
    }
  }
}

const isFailed = (r: Run): boolean => r.state === 'failed' && r.start !== null && r.end !== null;

async function all(schedules: number, change: Change = () => ({})): Promise<Judged> {
  const sum: Judged = { judged: 0, missed: 0 };
  for (let seed = 1; seed <= schedules; seed++) {
    const { judged, missed } = await new Schedule(seed, change).run();
    sum.judged += judged;
    sum.missed += missed;
  }
  return sum;
}

const SCHEDULES = LONG ? 1_000 : 100;

it(`${SCHEDULES} random schedules: nothing that stays failed is missed`, async () => {
  const { judged, missed } = await all(SCHEDULES);
  figure('R9', { schedules: SCHEDULES, minutes: MINUTES, judged, missed });
  expect(judged).toBeGreaterThan(20 * SCHEDULES);
  expect(missed).toBe(0);
});

/** Each list from the start of the last poll on. The first poll has nothing behind it, so what it leaves out is nothing. */
const withoutOverlap: Change = (c) => {
  const from = (since: string) => new Date(Date.parse(since) + OVERLAP_MS).toISOString();
  return {
    listFailedRuns: (since) => c.listFailedRuns(from(since)),
    listFailedTasks: (since) => c.listFailedTasks(from(since)),
    listFailedRunsUpdated: async () => [],
  };
};

const firstPage: Change = (c) => ({
  listFailedRuns: async (since) => (await c.listFailedRuns(since)).slice(0, 2),
  listFailedTasks: async (since) => (await c.listFailedTasks(since)).slice(0, 2),
  listFailedRunsUpdated: async () => [],
});

it.each([
  ['nothing is read again', withoutOverlap],
  ['only the first page is read', firstPage],
] as const)('fails as it must: %s', async (name, change) => {
  const { judged, missed } = await all(20, change);
  expect(missed).toBeGreaterThan(0);
  failsAsItMust('R9', name, `${missed} of ${judged} missed`);
});
