/**
 * What the client alone promises, many calls at a time: R11, one new log-in for all calls that meet the end of the old one; R13, retries are at most a
 * tenth of what is asked, however much fails. Counted in the fake Airflow's log; the controls are the same client with the promise taken out.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AirflowClient } from '../../../src/airflow/client.ts';
import { type ClientOptions, createAirflowClient } from '../../../src/airflow/connect.ts';
import { Secret } from '../../../src/config.ts';
import { startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { type Change, makeVariant } from '../../support/faults/crash/variant.ts';
import { giveTheClockBack, takeTheClock } from '../../support/faults/network/hours.ts';
import { Chance } from '../../support/faults/sim/chance.ts';

type Generation = 2 | 3;
type MakeClient = (options: ClientOptions) => AirflowClient;

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  giveTheClockBack();
  for (const close of closing.splice(0).reverse()) await close();
});

/** The client with one promise taken out. */
async function without(name: string, changes: readonly Change[]): Promise<MakeClient> {
  const variant = makeVariant(name, changes);
  closing.push(() => variant.remove());
  return (await import(pathToFileURL(join(variant.root, 'src', 'airflow', 'connect.ts')).href)).createAirflowClient;
}

async function site(generation: Generation, make: MakeClient, pauseConcurrency: number) {
  const fake = await startFakeAirflow({ generation });
  for (let n = 0; n < CALLS; n++) fake.dag(`d_${n}`, { tasks: { t: {} } });
  const client = make({
    ...{ id: 'prod', url: fake.url, timeoutMs: 20_000, pauseConcurrency, sessionLogin: true },
    auth: { kind: 'password', username: 'firedamper', password: new Secret('firedamper') },
    random: () => 0.5,
  });
  closing.push(
    () => fake.close(),
    () => client.close(),
  );
  await client.getDag('d_0');
  return { fake, client };
}

/** R11: so many at the same moment. */
const CALLS = 50;

/** All of them are on their way before the first is answered. */
async function atTheEndOfTheLogin(generation: Generation, make: MakeClient) {
  const { fake, client } = await site(generation, make, CALLS);
  const before = fake.auth.logins.length;
  fake.auth.expireTokens();
  fake.latencyMs = 300;
  const ended = await Promise.allSettled(Array.from({ length: CALLS }, (_, n) => client.setPaused(`d_${n}`, true, `op-${n}`)));
  return {
    refused: fake.requestsTo('PATCH', '/dags/{dag_id}').filter((one) => one.status === 401 || one.status === 403).length,
    logins: fake.auth.logins.length - before,
    well: ended.filter((one) => one.status === 'fulfilled').length,
    paused: fake.effects.filter((e) => e.kind === 'pause').length,
  };
}

describe.each([3, 2] as const)('Airflow %i', (generation) => {
  test('fifty calls at once meet a log-in that has ended: one new log-in, and each call ends well', async () => {
    const seen = await atTheEndOfTheLogin(generation, createAirflowClient);
    figure('R11', { airflow: generation, calls: CALLS, ...seen });
    expect(seen).toEqual({ refused: CALLS, logins: 1, well: CALLS, paused: CALLS });
  });
});

test.each([
  [3, { file: 'airflow/auth.ts', from: 'loggingIn ??= logIn()', to: 'loggingIn = logIn()' }],
  [2, { file: 'airflow/authSession.ts', from: 'if (checking === null) {', to: '{' }],
] as const)('control, Airflow %i: each call logs in by itself', async (generation, change) => {
  const own = { file: 'airflow/authSession.ts', from: 'loggingIn ??= open()', to: 'loggingIn = open()' };
  const quick = { file: 'airflow/authSession.ts', from: 'sessionCheckPauseMs = 30_000', to: 'sessionCheckPauseMs = 0' };
  const make = await without(`own-log-in-${generation}`, generation === 3 ? [change] : [change, own, quick]);
  const seen = await atTheEndOfTheLogin(generation, make);
  expect(seen.refused).toBe(CALLS);
  expect(seen.logins).toBeGreaterThan(1);
  failsAsItMust('R11', `Airflow ${generation}, each call logs in by itself`, `${seen.logins} log-ins for ${CALLS} calls`);
});

/** R13: far more calls fail than the budget has retries for. A quarter of them twice in a row. */
const FAILING = 0.4;
const MANY = 600;
const gateway = { kind: 'answer', answer: { status: 502, html: '<h1>Bad Gateway</h1>' } } as const;

/** One call after the other, a second apart: reads of all kinds and pauses. Requests of the log for each call that was sent at all. */
async function whileManyFail(make: MakeClient, generation: Generation) {
  takeTheClock();
  const { fake, client } = await site(generation, make, 4);
  const chance = new Chance(13);
  const call = (n: number): Promise<unknown> =>
    n % 3 === 0
      ? client.setPaused(`d_${n % CALLS}`, n % 2 === 0, `op-${n}`)
      : n % 3 === 1
        ? client.getDag(`d_${n % CALLS}`)
        : client.listFailedRuns(new Date().toISOString());
  const sent = { calls: 0, requests: 0, failed: 0 };
  const one = async (n: number): Promise<void> => {
    fake.heal();
    if (chance.hit(FAILING)) fake.inject({ fault: gateway, times: chance.hit(0.25) ? 2 : 1 });
    const before = fake.requests.length;
    let over = false;
    void call(n)
      .catch(() => sent.failed++)
      .finally(() => {
        over = true;
      });
    while (!over) await vi.advanceTimersByTimeAsync(50);
    const requests = fake.requests.length - before;
    sent.calls += requests > 0 ? 1 : 0;
    sent.requests += requests;
    await vi.advanceTimersByTimeAsync(1_000);
  };
  // What was saved in quiet times is spent first: measured is what an outage of any length costs.
  for (let n = 0; n < MANY / 6; n++) await one(n);
  Object.assign(sent, { calls: 0, requests: 0, failed: 0 });
  for (let n = 0; n < MANY; n++) await one(n);
  return { ...sent, ratio: sent.requests / sent.calls };
}

/** Requests for so many calls: a tenth more, and the ten retries that may have been saved. */
const mostRequests = (calls: number): number => calls * 1.1 + 10;

test.each([3, 2] as const)(
  'Airflow %i: four calls in ten fail, and retries are at most a tenth of the calls',
  async (generation) => {
    const { ratio, ...seen } = await whileManyFail(createAirflowClient, generation);
    figure('R13', { airflow: generation, failing: FAILING, ...seen, ratio: ratio.toFixed(3) });
    expect(seen.calls).toBeGreaterThan(MANY / 2);
    expect(seen.requests).toBeGreaterThan(seen.calls);
    expect(seen.requests).toBeLessThanOrEqual(mostRequests(seen.calls));
  },
);

test('control: a budget without end', async () => {
  const make = await without('endless-budget', [
    { file: 'airflow/lanes.ts', from: 'if (this.#tokens < 1) return false;', to: '' },
  ]);
  const { ratio, calls, requests } = await whileManyFail(make, 3);
  expect(calls).toBeGreaterThan(MANY / 2);
  expect(requests).toBeGreaterThan(mostRequests(calls));
  failsAsItMust('R13', 'a retry budget without end', `${ratio.toFixed(3)} requests a call`);
});
