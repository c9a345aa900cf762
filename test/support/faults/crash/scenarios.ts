/** Whole stories, from a failure to the end, that between them make the service do everything it can do to an Airflow. */
import type { FakeAirflow } from '../../fakeAirflow/index.ts';

export interface Scenario {
  readonly name: string;
  readonly generation: 2 | 3;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly edges?: readonly unknown[];
  /** DAG whose failure it is about, and its failing runs. */
  readonly cause: string;
  readonly runs: readonly string[];
  /** The DAGs, with what is broken. */
  build(fake: FakeAirflow): void;
  fail(fake: FakeAirflow): void;
  /** How many successful runs each DAG must have in the end: exactly these, so that nothing ran twice and nothing was forgotten. */
  readonly ran: Readonly<Record<string, number>>;
  /** Paused in the end. */
  readonly paused: Readonly<Record<string, boolean>>;
}

const HOUR = 3_600_000;
/** Ten hours back, at the full hour. */
const since = Math.floor(Date.now() / HOUR) * HOUR - 10 * HOUR;
const hour = (n: number) => new Date(since + n * HOUR).toISOString();
const asset = (uri: string) => ({ assets: uri });

/** a -> b -> c by assets; p was paused by a person before, and stays so. One event gives b what it missed, b's run gives it to c. */
const chain = (generation: 2 | 3): Scenario => ({
  name: 'chain',
  generation,
  cause: 'a',
  runs: ['r1'],
  build: (fake) => {
    fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
    fake.dag('b', { tasks: { make: { outlets: ['s3://b'] } }, schedule: asset('s3://a') });
    fake.dag('c', { tasks: { make: {} }, schedule: asset('s3://b') });
    fake.dag('p', { tasks: { make: {} }, schedule: asset('s3://a') });
    fake.person().pause('p');
    fake.setOutcome('a', 'make', 'failed');
  },
  fail: (fake) => void fake.startRun('a', { runId: 'r1' }),
  ran: { a: 1, b: 1, c: 1, p: 0 },
  paused: { a: false, b: false, c: false, p: true },
});

/** b and c read a, and nobody reads them: what becomes of b is not c's story. */
const fan = (generation: 2 | 3): Scenario => ({
  name: 'fan',
  generation,
  cause: 'a',
  runs: ['r1'],
  build: (fake) => {
    fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
    for (const id of ['b', 'c']) fake.dag(id, { tasks: { make: {} }, schedule: asset('s3://a') });
    fake.setOutcome('a', 'make', 'failed');
  },
  fail: (fake) => void fake.startRun('a', { runId: 'r1' }),
  ran: { a: 1, c: 1 },
  paused: { a: false, b: false, c: false },
});

/** vip_b is protected and reads at once; an event would reach it twice, so b is given a run of its own. */
const shared = (generation: 2 | 3): Scenario => ({
  name: 'shared',
  generation,
  policy: { hold: { protected: ['vip_*'] } },
  cause: 'a',
  runs: ['r1'],
  build: (fake) => {
    fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
    for (const id of ['b', 'vip_b']) fake.dag(id, { tasks: { make: {} }, schedule: asset('s3://a') });
    fake.setOutcome('a', 'make', 'failed');
  },
  fail: (fake) => void fake.startRun('a', { runId: 'r1' }),
  ran: { a: 1, b: 1, vip_b: 1 },
  paused: { b: false, vip_b: false },
});

/** Three failed hours of r: two backfills, the canary and the rest. t reads r and misses intervals of its own while it is held. */
const range: Scenario = {
  name: 'range',
  generation: 3,
  policy: { release: { missed_intervals: 'backfill' } },
  edges: [{ from: 'prod/r', to: 'prod/t', note: 'reads the table' }],
  cause: 'r',
  runs: ['h0', 'h1', 'h2'],
  build: (fake) => {
    fake.dag('r', { tasks: { make: {} }, schedule: { every: HOUR, start: since } });
    fake.dag('t', { tasks: { make: {} }, schedule: { every: 500, start: since }, catchup: false });
    fake.setOutcome('r', 'make', 'failed');
  },
  fail: (fake) => {
    for (const n of [0, 1, 2]) fake.startRun('r', { runId: `h${n}`, runType: 'scheduled', logicalDate: hour(n) });
  },
  ran: { r: 3 },
  paused: { r: false, t: false },
};

/** Airflow 2 has no backfill: the hours between two failed ones never had a run, and are made. */
const missing: Scenario = {
  name: 'missing',
  generation: 2,
  cause: 'r',
  runs: ['h0', 'h3'],
  build: (fake) => {
    fake.dag('r', { tasks: { make: { outlets: ['s3://r'] } }, schedule: { every: HOUR, start: since }, maxActiveRuns: 1 });
    fake.dag('w', { tasks: { make: {} }, schedule: asset('s3://r') });
    fake.setOutcome('r', 'make', 'failed');
  },
  fail: (fake) => {
    for (const n of [0, 3]) fake.startRun('r', { runId: `h${n}`, runType: 'scheduled', logicalDate: hour(n) });
  },
  ran: { r: 4, w: 1 },
  paused: { r: false, w: false },
};

export const scenarios = {
  chain3: chain(3),
  chain2: chain(2),
  fan3: fan(3),
  fan2: fan(2),
  shared3: shared(3),
  shared2: shared(2),
  range,
  missing,
} as const;
