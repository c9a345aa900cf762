/** R13: Airflow is away for two hours and comes back. R11: its tokens expire, or it does not know us any more. Virtual hours, real requests. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, type FakeUser, fakeUsers, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { makeVariant } from '../../support/faults/crash/variant.ts';
import { type Folder, lightFolder } from '../../support/faults/network/folder.ts';
import { finish, giveTheClockBack, listen, pass, perLane, takeTheClock, tooOften } from '../../support/faults/network/hours.ts';
import { startFaultProxy } from '../../support/faults/network/proxy.ts';
import { type Service, type ServiceOptions, startService } from '../../support/service.ts';

const MINUTE = 60_000;
const READERS = 30;
/** The default. */
const POLL_MS = 10_000;
/**
 * A pause that failed is tried again 15 to 30 s later (`core/retry.ts`), and one that comes before the next probe (6 s) waits once more: no poll is needed
 * for it, so it is counted in seconds.
 */
const HELD_WITHIN_MS = 40_000;
const LONG = process.env.FIREDAMPER_LONG === '1';
const gateway = { kind: 'answer', answer: { status: 502, html: '<h1>Bad Gateway</h1>' } } as const;

let open: { fake: FakeAirflow; service: Service; folder: Folder; close?: () => Promise<void> }[] = [];
beforeEach(takeTheClock);
afterEach(async () => {
  for (const { fake, service, folder, close } of open) {
    fake.heal();
    // What waits for the clock that the test holds must come to its end before the clock is given back.
    await finish(service.stop());
    await close?.();
    await fake.close();
    folder.remove();
  }
  open = [];
  giveTheClockBack();
});

interface SiteOptions extends ServiceOptions {
  readonly readers?: number;
  /** Between the service and its Airflow. */
  readonly through?: (url: string) => Promise<{ readonly url: string; close(): Promise<void> }>;
}

async function site(generation: 2 | 3, options: SiteOptions = {}, users: readonly FakeUser[] = fakeUsers) {
  const { readers = READERS, through, ...rest } = options;
  const fake = await startFakeAirflow({ generation, users });
  for (const id of ['a', 'x']) {
    fake.dag(id, { tasks: { make: { outlets: [`s3://${id}`] } } });
    for (let n = 0; n < readers; n++) fake.dag(`${id}_${n}`, { tasks: { read: {} }, schedule: { assets: `s3://${id}` } });
  }
  fake.dag('y', { tasks: { make: {} } });
  const folder = lightFolder();
  const way = await through?.(fake.url);
  const service = await startService(fake, {
    ...rest,
    folder: folder.path,
    polling: true,
    policy: { hold: { max_share: 1 } },
    airflow: { poll_interval: '10s', ...(way === undefined ? {} : { url: way.url }), ...rest.airflow },
  });
  open.push({ fake, service, folder, ...(way === undefined ? {} : { close: way.close }) });
  return { fake, service };
}

const heldOf = (fake: FakeAirflow, id: string) =>
  Array.from({ length: READERS }, (_, n) => fake.isPaused(`${id}_${n}`)).filter(Boolean).length;
const heard = async (service: Service, dagId: string) => (await service.incident(dagId)) !== null;

async function tell(service: Service, dagId: string): Promise<void> {
  const said = {
    version: 1,
    kind: 'task_failed',
    airflow: 'prod',
    dag_id: dagId,
    run_id: 'r1',
    task_id: 'make',
    map_index: -1,
    try_number: 1,
  };
  const answer = await service.callback({ ...said, occurred_at: new Date().toISOString() });
  expect(answer.status).toBe(202);
}

/** Thirty pauses that do not work, and then not even a look does. What is asked from there on. */
async function away(fake: FakeAirflow, service: Service, downMs: number): Promise<ReturnType<typeof perLane>> {
  await pass(fake, MINUTE);
  fake.inject({ method: 'PATCH', fault: gateway });
  fake.failRun('x', 'make', { runId: 'r1' });
  await tell(service, 'x');
  await pass(fake, 5_000);
  fake.inject(gateway);
  fake.failRun('a', 'make', { runId: 'r1' });
  await tell(service, 'a');
  fake.failRun('y', 'make', { runId: 'r1' });
  const before = fake.requests.length;
  await pass(fake, downMs);
  return perLane(fake.requests.slice(before));
}

describe.each([3, 2] as const)('Airflow %i', (generation) => {
  test('hours away: few requests, all heard within two cycles, all held within 40 s', async () => {
    const { fake, service } = await site(generation);
    const downMs = (LONG || generation === 3 ? 120 : 30) * MINUTE;
    const counts = await away(fake, service, downMs);
    expect(heldOf(fake, 'x') + heldOf(fake, 'a')).toBe(0);

    fake.heal();
    let known = false;
    const hearing = await pass(fake, 10 * MINUTE, () => {
      void heard(service, 'y').then((yes) => {
        known ||= yes;
      });
      return known;
    });
    const holding = await pass(fake, HELD_WITHIN_MS - hearing, () => heldOf(fake, 'x') + heldOf(fake, 'a') === 2 * READERS);
    const cycles = Math.ceil(hearing / POLL_MS);
    console.log(
      `figure: R13 airflow=${generation} down_s=${downMs / 1000} requests=${JSON.stringify(counts)} heard_after_cycles=${cycles} held_after_s=${(hearing + holding) / 1000}`,
    );
    expect(tooOften(counts, downMs)).toEqual([]);
    expect(cycles, 'poll cycles until it was heard').toBeLessThanOrEqual(2);
    expect(heldOf(fake, 'x') + heldOf(fake, 'a'), `held within ${HELD_WITHIN_MS / 1000} s`).toBe(2 * READERS);
    const pauses = fake.effects.filter((e) => e.kind === 'pause' && e.by === 'firedamper').length;
    expect(pauses).toBe(2 * READERS);
  });

  test.each([
    [120, 120],
    [3_600, 300],
  ])('an Airflow that asks for %i s is left alone for %i s, by the poll and by what is to be held', async (asked, left) => {
    const { fake, service } = await site(generation);
    await pass(fake, MINUTE);
    const busy = { status: 503, html: 'later', headers: { 'Retry-After': String(asked) } };
    const lists = /\/dags\/~\/dagRuns$/;
    for (const rule of [{ method: 'PATCH' }, { path: lists }]) fake.inject({ ...rule, fault: { kind: 'answer', answer: busy } });
    fake.failRun('a', 'make', { runId: 'r1' });
    await tell(service, 'a');
    const asking = () => ({
      pauses: fake.requestsTo('PATCH', '/dags/{dag_id}').length,
      polls: fake.requestsTo('GET', lists).length,
    });
    await pass(fake, 20_000);
    const before = asking();
    await pass(fake, left * 1_000 - 25_000);
    expect(asking(), 'while it asked to be left alone').toEqual(before);
    await pass(fake, 30_000);
    const after = asking();
    figure('R13', { airflow: generation, retry_after_s: asked, asked_again_s: left, ...after });
    expect(after.pauses, 'afterwards').toBeGreaterThan(before.pauses);
    expect(after.polls, 'afterwards').toBeGreaterThan(before.polls);
  });

  test('the log-in ends when sixty DAGs are to be paused: one new log-in, each paused once', async () => {
    const { fake, service } = await site(generation, { airflow: { pause_concurrency: 32 } });
    await pass(fake, MINUTE);
    for (const id of ['a', 'x']) fake.failRun(id, 'make', { runId: 'r1' });
    const before = fake.auth.logins.length;
    fake.auth.expireTokens();
    await Promise.all([tell(service, 'a'), tell(service, 'x')]);
    await pass(fake, MINUTE, () => heldOf(fake, 'x') + heldOf(fake, 'a') === 2 * READERS);
    const calls = fake.requestsTo('PATCH', '/dags/{dag_id}').length;
    console.log(`figure: R11 airflow=${generation} calls=${calls} logins=${fake.auth.logins.length - before}`);
    expect(heldOf(fake, 'x') + heldOf(fake, 'a')).toBe(2 * READERS);
    expect(fake.auth.logins.length - before).toBe(1);
    expect(fake.effects.filter((e) => e.kind === 'pause')).toHaveLength(2 * READERS);
  });

  test('a password that is not taken any more: one alarm, not a loop', async () => {
    const hour = 60 * MINUTE;
    const { logins, alarms, clock } = await unknown(generation, hour);
    figure('R11', { airflow: generation, bad_password_s: hour / 1000, logins, alarms });
    expect(alarms).toBe(1);
    // The Date header is the machine's, and the test moves the service's clock: an hour apart in the end, which is said at each limit once.
    expect(clock).toEqual([expect.stringContaining('five seconds'), expect.stringContaining('a minute')]);
    expect(logins).toBeLessThanOrEqual(mostLogins(hour));
    expect(logins).toBeGreaterThan(0);
  });
});

/** Fewer readers and minutes than above: what is bounded does not depend on them, and how long the test takes does. */
const FEW = 6;
const awayMs = (name: string): number => (LONG ? 120 : name === 'only pauses fail' ? 20 : 10) * MINUTE;

interface Way {
  readonly fake: FakeAirflow;
  readonly proxy: Awaited<ReturnType<typeof startFaultProxy>>;
}
const cut = (kind: { readonly kind: 'reset_peer' } | { readonly kind: 'timeout'; readonly ms: number }) => async (way: Way) => {
  way.proxy.add({ ...kind, stream: 'upstream' });
  way.proxy.dropAll();
};
const OUTAGES: Readonly<Record<string, (way: Way) => Promise<void>>> = {
  'every connection is refused': (way) => way.proxy.down(),
  'every connection is reset': cut({ kind: 'reset_peer' }),
  'every connection is taken and never answered': cut({ kind: 'timeout', ms: 0 }),
  // As it was just before the outage of the others.
  'only pauses fail': async () => undefined,
};
const busy = { kind: 'answer', answer: { status: 503, html: 'later' } } as const;

/** Two holds of which one begins before the outage and one in it, and an Airflow that comes back. */
async function outage(name: string, downMs: number, root: Pick<ServiceOptions, 'root'> = {}) {
  let proxy: Way['proxy'] | null = null;
  const through = async (url: string) => {
    proxy = await startFaultProxy(url);
    return proxy;
  };
  const { fake, service } = await site(3, { ...root, readers: FEW, through });
  if (proxy === null) throw new Error('no proxy');
  const way: Way = { fake, proxy };
  const sent = listen(way.proxy.url);
  const asked = { requests: fake.requests, sent: sent.all };
  const held = () =>
    [...'xa'].flatMap((id) => Array.from({ length: FEW }, (_, n) => fake.isPaused(`${id}_${n}`))).filter(Boolean).length;
  await pass(asked, MINUTE);
  fake.inject({ method: 'PATCH', fault: busy });
  fake.failRun('x', 'make', { runId: 'r1' });
  await tell(service, 'x');
  await pass(asked, 5_000);
  await OUTAGES[name]?.(way);
  fake.failRun('a', 'make', { runId: 'r1' });
  await tell(service, 'a');
  const before = sent.all.length;
  await pass(asked, downMs);
  const counts = perLane(sent.all.slice(before));
  const heldMeanwhile = held();
  fake.heal();
  way.proxy.heal();
  if (name.includes('refused')) await way.proxy.up();
  way.proxy.dropAll();
  const holding = await pass(asked, 2 * MINUTE, () => held() === 2 * FEW);
  sent.stop();
  return { counts, heldMeanwhile, held: held(), holding };
}

/** Reads that are answered are no trouble to anybody: where only pauses fail, only pauses are counted. */
const ofOutage = (name: string, counts: ReturnType<typeof perLane>): ReturnType<typeof perLane> =>
  name === 'only pauses fail' ? { pause: counts.pause ?? 0 } : counts;

test.each(Object.keys(OUTAGES))('%s: few requests, and all held when it is over', async (name) => {
  const downMs = awayMs(name);
  const { counts, heldMeanwhile, held, holding } = await outage(name, downMs);
  figure('R13', {
    outage: `"${name}"`,
    down_s: downMs / 1000,
    requests: JSON.stringify(counts),
    held,
    held_after_s: holding / 1000,
  });
  expect(heldMeanwhile).toBe(0);
  const counted = ofOutage(name, counts);
  expect(
    Object.values(counted).reduce((sum, n) => sum + n, 0),
    'it is asked at all',
  ).toBeGreaterThan(0);
  expect(tooOften(counted, downMs)).toEqual([]);
  expect(held).toBe(2 * FEW);
  expect(holding).toBeLessThanOrEqual(HELD_WITHIN_MS);
});

test.each([
  [
    'only pauses fail',
    'no breaker',
    {
      file: 'airflow/lanes.ts',
      from: 'breaker: new EitherBreaker(new ConsecutiveBreaker(6), mostlyFailing())',
      to: 'breaker: { state: 0, success: () => undefined, failure: () => false }',
    },
  ],
  [
    'every connection is refused',
    'a connection that fails says nothing to the breaker',
    { file: 'airflow/failures.ts', from: "failed.reason === 'timeout' || failed.reason === 'unreachable'", to: 'false' },
  ],
] as const)('control: %s, %s', async (name, control, change) => {
  const variant = makeVariant('outage', [change]);
  const downMs = 3 * MINUTE;
  const { counts } = await outage(name, downMs, { root: variant.root });
  const wrong = tooOften(ofOutage(name, counts), downMs);
  expect(wrong).not.toEqual([]);
  failsAsItMust('R13', `${name}, ${control}`, wrong.join('; '));
  variant.remove();
});

/** Our account is not known there, or not by this password. */
async function unknown(generation: 2 | 3, ms: number, root: Pick<ServiceOptions, 'root'> = {}) {
  const said: string[] = [];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (_: object, m: string) => said.push(m),
    error: (_: object, m: string) => said.push(m),
  };
  const strangers = fakeUsers.filter((user) => user.name !== 'firedamper');
  const { fake } = await site(generation, { log, ...root }, strangers);
  await pass(fake, ms);
  const clock = said.filter((m) => m.includes('clock'));
  return { logins: fake.auth.logins.length, alarms: said.length - clock.length, clock };
}

/** Once in thirty seconds at most: nobody's account is locked by us. */
const mostLogins = (ms: number): number => ms / 30_000 + 1;

test.each([
  ['each refusal is told', 'alarms', { file: 'app.ts', from: 'if (message === said) return;', to: '' }],
  ['no pause after a refused log-in', 'logins', { file: 'airflow/auth.ts', from: 'now() + refusedLoginPauseMs', to: '0' }],
] as const)('control: a password that is not taken any more, %s', async (name, what, change) => {
  const variant = makeVariant('bad-password', [change]);
  const ms = 3 * MINUTE;
  const seen = await unknown(3, ms, { root: variant.root });
  expect(seen[what]).toBeGreaterThan(what === 'alarms' ? 1 : mostLogins(ms));
  failsAsItMust('R11', `a wrong password, ${name}`, `${seen[what]} ${what} in ${ms / 1000} s`);
  variant.remove();
});

test('control: the service without breaker and backoff', async () => {
  const variant = makeVariant('no-breaker', [
    {
      file: 'airflow/lanes.ts',
      from: 'breaker: new EitherBreaker(new ConsecutiveBreaker(6), mostlyFailing())',
      to: 'breaker: { state: 0, success: () => undefined, failure: () => false }',
    },
    { file: 'core/retry.ts', from: 'const CAP_MS = 30_000;', to: 'const CAP_MS = BASE_MS;' },
  ]);
  const { fake, service } = await site(3, { root: variant.root });
  const downMs = 3_000; // it asks a hundred times a second
  const wrong = tooOften(await away(fake, service, downMs), downMs);
  expect(wrong).not.toEqual([]);
  failsAsItMust('R13', 'no breaker and no backoff', wrong.join('; '));
  variant.remove();
});
