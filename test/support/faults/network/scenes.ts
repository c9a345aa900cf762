/**
 * Small worlds in which each kind of effect happens, what exactly they must have come to in the end, and how to recognise the request that makes an
 * effect. What is judged by is the fake Airflow's own book of what really happened, not what the service believes.
 */
import { type FakeAirflow, startFakeAirflow } from '../../fakeAirflow/index.ts';
import type { Service } from '../../service.ts';
import { type Allowed, breaches, check } from '../checker/check.ts';
import { inFake } from '../checker/truth.ts';

export type Generation = 2 | 3;
export const EFFECTS = ['pause', 'unpause', 'clear', 'backfill', 'create_run', 'event', 'run'] as const;
export type EffectKind = (typeof EFFECTS)[number];

/** The first request of its kind; a dry run is none. */
export const REQUEST: Readonly<Record<EffectKind, RegExp>> = {
  pause: /^PATCH \S+\/dags\/b\?[\s\S]*"is_paused":true/,
  unpause: /^PATCH \S+\/dags\/b\?[\s\S]*"is_paused":false/,
  clear: /^POST \S+\/clearTaskInstances [\s\S]*"dry_run":false/,
  backfill: /^POST \S+\/backfills /,
  create_run: /^POST \S+\/dags\/a\/dagRuns /,
  event: /^POST \S+\/(assets|datasets)\/events /,
  run: /^POST \S+\/dags\/b\/dagRuns /,
};

/** Only 3.x has backfills; only on 2.x a missing interval is made good by creating its run. */
export const existsOn = (kind: EffectKind, generation: Generation): boolean =>
  kind === 'backfill' ? generation === 3 : kind === 'create_run' ? generation === 2 : true;

export interface Scene {
  readonly fake: FakeAirflow;
  /** Lets the failure happen; the service hears of it by its poll. */
  fail(): void;
  mend(): void;
  /** What is wrong in the end, in words; empty: everything as it must be. */
  judge(): string[];
}

export const sceneFor = (kind: EffectKind, generation: Generation): Promise<Scene> =>
  kind === 'backfill' || kind === 'create_run' ? range(generation) : chain(generation, kind === 'run');

/** A makes what B and C read. `others`: a reader D that must not be held had the data already, so B and C are given it by runs of their own. */
async function chain(generation: Generation, others: boolean): Promise<Scene> {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (const id of ['b', 'c']) fake.dag(id, { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  if (others) fake.dag('d', { tasks: { read: {} }, schedule: { assets: 's3://a' }, tags: ['firedamper:never'] });
  const once = { pause: 1, unpause: 1 };
  const allowed = {
    acts: {
      a: { clear: 1 },
      b: others ? { ...once, trigger: 1 } : once,
      c: others ? { ...once, trigger: 1 } : once,
      '': others ? {} : { asset_event: 1 },
    },
    ran: { a: 1, b: 1, c: 1, ...(others ? { d: 1 } : {}) },
    paused: { a: false, b: false, c: false },
  } satisfies Allowed;
  return {
    fake,
    fail: () => {
      fake.setOutcome('a', 'make', 'failed');
      fake.startRun('a', { runId: 'r1' });
    },
    mend: () => fake.setOutcome('a', 'make', 'success'),
    judge: () => breaches(check([], inFake(fake), allowed)),
  };
}

const DAY = 86_400_000;

/** Four days of a daily DAG: two failed, one was never created, the last failed. */
async function range(generation: Generation): Promise<Scene> {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  const start = Math.floor(Date.now() / DAY) * DAY - 6 * DAY;
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } }, schedule: { every: DAY, start } });
  fake.dag('b', { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  const allowed: Allowed = {
    acts: {
      a: generation === 3 ? { backfill: 2, trigger: 1, clear: 3 } : { clear: 3, trigger: 1 },
      b: { pause: 1, unpause: 1 },
      '': { asset_event: 1 },
    },
    ran: { a: 4, b: 1 },
    paused: { a: false, b: false },
  };
  return {
    fake,
    fail: () => {
      fake.setOutcome('a', 'make', 'failed');
      for (const day of [0, 1, 3])
        fake.startRun('a', { runType: 'scheduled', logicalDate: new Date(start + day * DAY).toISOString() });
    },
    mend: () => fake.setOutcome('a', 'make', 'success'),
    judge: () => breaches(check([], inFake(fake), allowed)),
  };
}

/** The whole way of one incident, as people would go it. `patienceMs`: for everything to be over; what is not over by then never ends. `restMs`: between the hold and its end. */
export async function goThrough(scene: Scene, service: Service, patienceMs: number, restMs = 0): Promise<void> {
  scene.fail();
  const failing = await service.until('contained', () => inStatus(service, 'contained'), patienceMs);
  await new Promise((resolve) => setTimeout(resolve, restMs));
  scene.mend();
  const { repair } = (await service.call('rita', 'POST', `/v1/incidents/${failing.id}/fixed`, { reason: 'mended' })).body;
  const plan = await service.until('a plan', () => inState(service, repair.id, 'proposed'), patienceMs);
  const answer = await service.call('ann', 'POST', `/v1/repairs/${repair.id}/approve`, { digest: plan.digest, comment: 'go' });
  if (answer.status !== 200) throw new Error(`not approved: ${JSON.stringify(answer.body)}`);
  await service.until('resolved', () => inStatus(service, 'resolved'), patienceMs);
}

async function inStatus(service: Service, status: string) {
  const incident = await service.incident('a');
  return incident?.status === status ? incident : null;
}

async function inState(service: Service, repairId: string, state: string) {
  const repair = await service.get(`/v1/repairs/${repairId}`);
  return repair.state === state ? repair : null;
}
