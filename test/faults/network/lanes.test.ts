/**
 * R12: lanes do not block each other. While polls, surveys, plans and notices hang or crawl, every DAG that must be held is paused. Counts, no clock:
 * the pauses are all there before anything that hangs is let go.
 */
import { describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { makeVariant } from '../../support/faults/crash/variant.ts';
import {
  type FaultProxy,
  type PlacedToxic,
  startFaultProxy,
  type Toxic,
  type ToxicKind,
} from '../../support/faults/network/proxy.ts';
import { type Sink, startSink } from '../../support/faults/network/sink.ts';
import { type Service, startService } from '../../support/service.ts';

type Generation = 2 | 3;
type Lane = 'poll' | 'survey' | 'plan' | 'notice';

/** What goes over each lane, and nothing that containment itself has to read. */
const TRAFFIC: Readonly<Record<Lane, RegExp>> = {
  poll: /^GET \S+\/dags\/~\/dagRuns/,
  survey: /^GET \S*(\/ui\/dependencies|\/dag-dependencies)/,
  plan: /^POST \S+\/clearTaskInstances [\s\S]*"dry_run":true/,
  notice: /^POST /,
};

const READERS = 12;
/** More than the worker has places for, and than the client has. */
const PLANS = 10;

/** What a poll looks at when it has heard all failures, and what a plan reads before its dry run: runs and tasks of the DAGs that wait for their repair. */
const LOOK = /^GET \S+\/dags\/p_\d+\b/;
/** Of the DAG that is released, and of nothing else. */
const MISSERS = 3;

interface Site {
  readonly fake: FakeAirflow;
  readonly service: Service;
  readonly air: FaultProxy;
  readonly chat: FaultProxy;
  readonly sink: Sink;
  close(): Promise<void>;
}

/** A with its readers, and DAGs p_n that have failed already, each an incident of its own whose plan can be asked for. */
async function site(generation: Generation, root?: string): Promise<Site> {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (let n = 0; n < READERS; n++) fake.dag(`b_${n}`, { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  for (let n = 0; n < PLANS; n++) fake.dag(`p_${n}`, { tasks: { make: {} } });
  fake.dag('u', { tasks: { make: { outlets: ['s3://u'] } } });
  for (let n = 0; n < MISSERS; n++) fake.dag(`v_${n}`, { tasks: { read: {} }, schedule: { assets: 's3://u' } });
  const [air, sink] = await Promise.all([startFaultProxy(fake.url), startSink()]);
  const chat = await startFaultProxy(sink.url);
  const service = await startService(fake, {
    policy: { platform: { mass_failure_dags: 1_000 } },
    // Nothing is let go by a time-out: what hangs hangs until the test says so.
    airflow: { url: air.url, timeout: '10m', survey_interval: '5s' },
    channels: [{ id: 'chat', kind: 'webhook', url: `${chat.url}/hook` }],
    ...(root === undefined ? {} : { root }),
  });
  const close = async () => {
    for (const proxy of [air, chat]) {
      proxy.heal();
      proxy.dropAll();
    }
    await service.stop();
    await Promise.all([air.close(), chat.close(), sink.close(), fake.close()]);
  };
  return { fake, service, air, chat, sink, close };
}

/** A fails, and is told by a callback: the poll may hang. Resolves when every reader is paused in Airflow. */
async function holdAll({ fake, service }: Site, patienceMs = 20_000): Promise<number> {
  fake.failRun('a', 'make', { runId: 'r1' });
  const told = await service.callback({
    version: 1,
    kind: 'task_failed',
    airflow: 'prod',
    dag_id: 'a',
    run_id: 'r1',
    task_id: 'make',
    map_index: -1,
    try_number: 1,
    occurred_at: new Date().toISOString(),
  });
  if (told.status !== 202) throw new Error(JSON.stringify(told));
  const paused = () => Array.from({ length: READERS }, (_, n) => `b_${n}`).filter((id) => fake.isPaused(id)).length;
  await fake.until(() => paused() === READERS, patienceMs).catch(() => undefined);
  return paused();
}

async function plansAsked({ fake, service }: Site): Promise<string[]> {
  const ids = Array.from({ length: PLANS }, (_, n) => `p_${n}`);
  for (const id of ids) fake.failRun(id, 'make', { runId: 'r1' });
  const repairs: string[] = [];
  for (const id of ids) {
    const incident = await service.reaches('contained', id);
    repairs.push((await service.call('rita', 'POST', `/v1/incidents/${incident.id}/fixed`, { reason: 'x' })).body.repair.id);
  }
  return repairs;
}

/** Polls until the lineage is read again, which is not at every poll. */
async function surveying({ service }: Site, survey: PlacedToxic): Promise<void> {
  while (survey.hits === 0) {
    await service.app.poll();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const hang = (when: RegExp): Toxic => ({ kind: 'timeout', ms: 0, stream: 'downstream', when });

test.each([3, 2] as const)(
  'Airflow %i: polls, surveys, plans and notices all hang, and every pause goes out',
  async (generation) => {
    const here = await site(generation);
    const { service, air, chat, sink } = here;
    const before = sink.received;
    const plan = air.add(hang(TRAFFIC.plan));
    const notice = chat.add({ ...hang(TRAFFIC.notice), stream: 'upstream' });
    const plans = await plansAsked(here);
    await expect.poll(() => plan.hits, { timeout: 10_000 }).toBeGreaterThan(1);
    const survey = air.add(hang(TRAFFIC.survey));
    await surveying(here, survey);
    const poll = air.add(hang(TRAFFIC.poll));
    const cycle = service.app.poll();
    await expect.poll(() => poll.hits, { timeout: 10_000 }).toBeGreaterThan(1);

    const paused = await holdAll(here);
    const hanging = { poll: poll.hits, survey: survey.hits, plan: plan.hits, notice: notice.hits };
    const requests = here.fake.requestsTo('PATCH', '/dags/{dag_id}').length;
    console.log(
      `figure: R12 airflow=${generation} paused=${paused}/${READERS} patches=${requests} hanging=${JSON.stringify(hanging)}`,
    );
    expect(paused, 'paused while everything else hangs').toBe(READERS);
    expect(requests, 'one request each').toBe(READERS);
    expect(sink.received, 'no notice has come through').toBe(before);

    for (const proxy of [air, chat]) {
      proxy.heal();
      proxy.dropAll();
    }
    await cycle;
    await service.reaches('contained', 'a');
    for (const id of plans)
      await service.until(
        'the plan goes on',
        async () => ['proposed', 'failed'].includes((await service.get(`/v1/repairs/${id}`)).state),
        30_000,
      );
    await expect.poll(() => sink.received, { timeout: 20_000 }).toBeGreaterThan(before);
    await here.close();
  },
);

/** U has failed, and its readers are held; it runs well again, and they have missed what it wrote. */
async function missed({ fake, service }: Site): Promise<string> {
  fake.failRun('u', 'make', { runId: 'r1' });
  const incident = await service.reaches('contained', 'u');
  await fake.until(() => Array.from({ length: MISSERS }, (_, n) => fake.isPaused(`v_${n}`)).every(Boolean), 20_000);
  fake.startRun('u', { runId: 'r2' });
  await fake.until(() => fake.runs('u').some((run) => run.state === 'success'), 20_000);
  return incident.id;
}

/** Everything that must go on beside a poll and plans that hang, counted in Airflow's own book. */
async function goesOn(here: Site, incidentId: string, patienceMs: number) {
  const { fake, service } = here;
  const order = await service.call('ann', 'POST', `/v1/incidents/${incidentId}/release`, { reason: 'whole again' });
  if (order.status >= 300) throw new Error(JSON.stringify(order));
  const held = await holdAll(here, patienceMs);
  const free = () => Array.from({ length: MISSERS }, (_, n) => `v_${n}`).filter((id) => !fake.isPaused(id)).length;
  const given = () =>
    fake.effects.filter((e) => e.by === 'firedamper' && (e.kind === 'asset_event' || e.kind === 'trigger')).length;
  await fake.until(() => free() === MISSERS && given() > 0, patienceMs).catch(() => undefined);
  return { held, free: free(), given: given() };
}

/** Plans hang in their reads and in their dry runs, and the poll in what it looks at. */
async function hangLooks(here: Site): Promise<{ readonly looks: PlacedToxic; readonly plan: PlacedToxic; cycle: Promise<void> }> {
  const { air, service } = here;
  const plan = air.add(hang(TRAFFIC.plan));
  await plansAsked(here);
  await expect.poll(() => plan.hits, { timeout: 10_000 }).toBeGreaterThan(1);
  const looks = air.add(hang(LOOK));
  const cycle = service.app.poll();
  await expect.poll(() => looks.hits, { timeout: 10_000 }).toBeGreaterThan(0);
  return { looks, plan, cycle };
}

async function letGo(here: Site, cycle: Promise<void>): Promise<void> {
  for (const proxy of [here.air, here.chat]) {
    proxy.heal();
    proxy.dropAll();
  }
  await cycle;
  await here.close();
}

test.each([3, 2] as const)(
  'Airflow %i: what a poll looks at and what plans ask hangs: holds, releases and deliveries go on',
  async (generation) => {
    const here = await site(generation);
    const incidentId = await missed(here);
    const { looks, plan, cycle } = await hangLooks(here);
    const seen = await goesOn(here, incidentId, 20_000);
    figure('R12', { airflow: generation, hanging_looks: looks.hits, hanging_dry_runs: plan.hits, ...seen });
    expect(seen).toMatchObject({ held: READERS, free: MISSERS });
    expect(seen.given, 'what the released DAGs had missed').toBeGreaterThan(0);
    await letGo(here, cycle);
  },
);

const TOXICS: readonly ToxicKind[] = [
  { kind: 'latency', ms: 60_000, jitter: 1_000 },
  { kind: 'bandwidth', bytesPerSecond: 1 },
  { kind: 'slow_close', ms: 60_000 },
  { kind: 'timeout', ms: 0 },
  { kind: 'reset_peer' },
  { kind: 'slicer', bytes: 1 },
  { kind: 'limit_data', bytes: 180 },
  { kind: 'page', status: 502 },
];
const LANES = Object.keys(TRAFFIC) as Lane[];
let held = 0;

/** Something is on the lane, and has met its toxic. */
async function bitten(here: Site, lane: Lane, placed: PlacedToxic): Promise<Promise<void>[]> {
  const { fake, service } = here;
  if (lane === 'plan' || lane === 'notice') {
    // Another incident: its notices come before the hold, and its plan is asked for.
    fake.failRun('p_0', 'make', { runId: 'r1' });
    const incident = await service.reaches('contained', 'p_0');
    if (lane === 'plan') await service.call('rita', 'POST', `/v1/incidents/${incident.id}/fixed`, { reason: 'x' });
  }
  if (lane === 'survey') await surveying(here, placed);
  const cycle = service.app.poll();
  await fake.until(() => placed.hits > 0, 20_000);
  return [cycle];
}

describe.concurrent('each toxic on each lane', () => {
  test.each(LANES.flatMap((lane) => TOXICS.map((toxic) => ({ lane, toxic, name: toxic.kind }))))(
    '$name on the $lane lane',
    async ({ lane, toxic }) => {
      const here = await site(3);
      const placed = (lane === 'notice' ? here.chat : here.air).add({ ...toxic, stream: 'downstream', when: TRAFFIC[lane] });
      const cycle = await bitten(here, lane, placed);
      const paused = await holdAll(here);
      expect(paused).toBe(READERS);
      held += paused;
      await here.close();
      await Promise.all(cycle);
    },
  );
});

test('figure', () => {
  const cases = LANES.length * TOXICS.length;
  console.log(`figure: R12 toxics=${TOXICS.length} lanes=${LANES.length} paused=${held}/${cases * READERS}`);
  expect(held).toBe(cases * READERS);
});

test('control: one lane for everything, and nothing is held, released or delivered', async () => {
  const variant = makeVariant('one-lane', [
    { file: 'airflow/lanes.ts', from: "lane === 'reads' ? (errand.getStore() ?? lane) : lane", to: "lane && 'pause'" },
  ]);
  const here = await site(3, variant.root);
  const incidentId = await missed(here);
  const { cycle } = await hangLooks(here);
  const seen = await goesOn(here, incidentId, 3_000);
  expect(seen.held).toBeLessThan(READERS);
  failsAsItMust(
    'R12',
    'one lane for everything',
    `${seen.held}/${READERS} held, ${seen.free}/${MISSERS} released while plans hang`,
  );
  await letGo(here, cycle);
  variant.remove();
});

test('control: notices that stand in the places of the holds', async () => {
  const variant = makeVariant('notices-with-holds', [
    {
      file: 'effects/worker.ts',
      from: "kinds: ['pause_dag', 'unpause_dag'], width: 64",
      to: "kinds: ['pause_dag', 'unpause_dag', 'send_notice'], width: 2",
    },
    { file: 'effects/worker.ts', from: "  { kinds: ['send_notice'], width: 32, running: 0 },\n", to: '' },
    // Nothing is let go before the test has looked.
    { file: 'notify/post.ts', from: 'TIMEOUT_MS = 10_000', to: 'TIMEOUT_MS = 600_000' },
  ]);
  const here = await site(3, variant.root);
  const placed = here.chat.add({ kind: 'timeout', ms: 0, stream: 'upstream', when: TRAFFIC.notice });
  for (const id of ['p_0', 'p_1']) {
    here.fake.failRun(id, 'make', { runId: 'r1' });
    await here.service.reaches('contained', id);
  }
  await expect.poll(() => placed.hits, { timeout: 10_000 }).toBeGreaterThan(1);
  const paused = await holdAll(here, 3_000);
  expect(paused).toBeLessThan(READERS);
  failsAsItMust('R12', 'notices in the places of the holds', `${paused}/${READERS} paused while notices hang`);
  await letGo(here, Promise.resolve());
  variant.remove();
});

test('control: where a lane is really blocked, by what containment itself must read', async () => {
  const here = await site(3);
  const placed = here.air.add(hang(/^GET \S+\/eventLogs/));
  const paused = await holdAll(here, 3_000);
  expect(placed.hits).toBeGreaterThan(0);
  expect(paused).toBeLessThan(READERS);
  failsAsItMust('R12', 'what containment itself must read hangs', `${paused}/${READERS} paused while it hangs`);
  await here.close();
});
