/**
 * R5 on a real Airflow: its API server (2.x: web server) is killed with -9 at one exact moment of one request and started again. In the middle of a hold
 * and of a release of 20 DAGs; and at each kind of effect once before Airflow has heard of it and once when it was carried out and the answer is lost.
 * Everything settles, and Airflow's own books show each effect once.
 */
import { afterAll, expect, test } from 'vitest';
import { failsAsItMust, figure } from '../support/faults/crash/figure.ts';
import { startRetrier } from '../support/faults/network/retrier.ts';
import { readBooks, type StoryDags } from '../support/live/books.ts';
import type { Firedamper, Repair } from '../support/live/firedamper.ts';
import { type MortalAirflow, mortalAirflow, type Phase, REQUEST } from '../support/live/mortalAirflow.ts';
import { story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, breakTask, mendTask } = story();
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Beside seven other stories an API server of 3.3.2 takes a minute and a half to start: with four starts the story ended well after 610 s (2026-11-30). */
const LIMIT = { timeout: 1_200_000 };
const DAYS = [0, 1].map((n) => new Date(Date.parse(lab.start) + n * 86_400_000).toISOString().slice(0, 10));
const REPAIR = truth.three ? 'backfill' : 'clear';
const dagsOf = (prefix: string, others: readonly string[] = []): StoryDags => ({
  ...{ failing: `${prefix}_a`, reader: `${prefix}_b`, asset: `lab://stories/${prefix}_1`, days: DAYS, others },
});

async function mortal(): Promise<MortalAirflow> {
  const airflow = await mortalAirflow(lab);
  closing.push(() => airflow.close());
  return airflow;
}

async function watching(dags: StoryDags, url: string, timeout = '10s'): Promise<Firedamper> {
  await truth.known(dags.failing, dags.reader, ...dags.others);
  const name = dags.failing.replace('_a', '');
  const edges = dags.others.map((id) => ({ from: `lab/${dags.failing}`, to: `lab/${id}` }));
  return (await serve({ name, prefixes: [name], airflow: { url, timeout }, edges })).firedamper;
}

async function breaks({ failing }: StoryDags): Promise<void> {
  for (const day of DAYS) breakTask(failing, `load.${day}`);
  await truth.unpause(failing);
}

/** Both days in one incident, everything held in Airflow itself, and then a plan of this version's own kind. */
async function planned(firedamper: Firedamper, { failing, reader, others }: StoryDags): Promise<Repair> {
  const { id } = await firedamper.opened(failing, 60);
  await until('both days are in the incident', async () => (await firedamper.incident(id)).runs.length === 2, { seconds: 90 });
  await firedamper.status(id, 'contained', 120);
  expect(await paused([reader, ...others]), 'every reader is paused in Airflow').toBe(1 + others.length);
  for (const day of DAYS) mendTask(failing, `load.${day}`);
  const plan = await firedamper.fixed(id);
  expect(
    plan.steps.map(({ kind, stage }) => [kind, stage]),
    'backfills on 3.x; 2.x has none',
  ).toEqual([
    [REPAIR, 'canary'],
    [REPAIR, 'rest'],
  ]);
  return plan;
}

async function ended(firedamper: Firedamper, { reader, others }: StoryDags, plan: Repair): Promise<void> {
  await firedamper.reached(plan.id, 'succeeded', 180);
  await firedamper.status(plan.incident_id, 'resolved', 180);
  await until('the reader has run', async () => (await truth.runs(reader)).some(({ state }) => state === 'success'));
  expect(await paused([reader, ...others]), 'nothing is left paused').toBe(0);
  expect(await firedamper.allIncidents()).toHaveLength(1);
}

const paused = async (dagIds: readonly string[]): Promise<number> =>
  (await Promise.all(dagIds.map((id) => truth.isPaused(id)))).filter(Boolean).length;

async function judged(dags: StoryDags, plan: Repair, airflow: MortalAirflow, also: Readonly<Record<string, string | number>>) {
  const { double, lost, compared, askedAgain } = await readBooks(truth, dags, plan);
  expect([...double, ...lost]).toEqual([]);
  const counted = {
    double_effects: double.length,
    lost_effects: lost.length,
    counts_compared: compared,
    asked_again: askedAgain,
  };
  figure('R5-live', { airflow: lab.version, restarts: airflow.restarts, ...also, ...counted });
}

test.concurrent('killed in the middle of a hold and of a release of 20 DAGs', LIMIT, async () => {
  const others = Array.from({ length: 19 }, (_, n) => `s22h_r${String(n + 1).padStart(2, '0')}`);
  const dags = dagsOf('s22h', others);
  const held = [dags.reader, ...others];
  const airflow = await mortal();
  const firedamper = await watching(dags, airflow.url);
  /** Paused DAGs in Airflow's own database at the kill: neither none nor all, or the story would be blind. */
  const partial = async (when: Promise<void>): Promise<number> => {
    await when;
    const count = await paused(held);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(held.length);
    await airflow.restart();
    return count;
  };

  const duringHold = partial(airflow.diesAt('after', REQUEST.pause('s22h_\\w+'), 6));
  await breaks(dags);
  const pausedAtKill = await duringHold;
  const plan = await planned(firedamper, dags);
  const duringRelease = partial(airflow.diesAt('after', REQUEST.unpause('s22h_\\w+'), 6));
  expect((await firedamper.approve(plan)).status).toBe(200);
  const stillPausedAtKill = await duringRelease;
  await ended(firedamper, dags, plan);
  await judged(dags, plan, airflow, { held: held.length, paused_at_kill: pausedAtKill, still_paused_at_kill: stillPausedAtKill });
});

test.concurrent.each([
  { prefix: 's22x', phase: 'before', happened: 0 },
  { prefix: 's22y', phase: 'after', happened: 1 },
] as const)('killed $phase the pause, the repair, the unpause and the event', LIMIT, async ({ prefix, phase, happened }) => {
  const dags = dagsOf(prefix);
  const { failing, reader, asset } = dags;
  const airflow = await mortal();
  const firedamper = await watching(dags, airflow.url);
  const isPaused = async () => Number(await truth.isPaused(reader));
  const holdIs = async (state: string) => expect((await firedamper.holds(reader)).map((hold) => hold.state)).toEqual([state]);
  /** What Airflow's own database says while its server is dead. */
  const died = async (phase: Phase, kind: keyof typeof REQUEST, count: () => Promise<number>): Promise<void> => {
    await airflow.diesAt(phase, REQUEST[kind](reader));
    expect(await count(), `effects of the ${kind} at the kill ${phase} it`).toBe(happened);
  };

  const atPause = died(phase, 'pause', isPaused);
  await breaks(dags);
  await atPause;
  await holdIs('intended');
  await airflow.restart();
  const plan = await planned(firedamper, dags);

  // 2.x: a run that was cleared is not failed any more.
  const started = async () =>
    truth.three ? truth.backfills(failing) : (await truth.runs(failing)).filter(({ state }) => state !== 'failed').length;
  const atRepair = died(phase, REPAIR, started);
  expect((await firedamper.approve(plan)).status).toBe(200);
  await atRepair;
  const atUnpause = died(phase, 'unpause', async () => 1 - (await isPaused()));
  await airflow.restart();
  await atUnpause;
  await holdIs('release_intended');
  const atEvent = died(phase, 'event', async () => (await truth.deliveries(asset)).length);
  await airflow.restart();
  await atEvent;
  await airflow.restart();
  await ended(firedamper, dags, plan);
  await judged(dags, plan, airflow, { killed: phase, effects: `pause,${REPAIR},unpause,event` });
});

/**
 * Between Firedamper and its Airflow stands a proxy that sends a POST again when its answer was lost, here with the server restarted in between. The event is
 * the effect to show it by: a second backfill of a DAG is refused by Airflow itself while the first goes on (409, 3.3.2), a second event never is.
 */
test.concurrent('control: a proxy that repeats a lost POST by itself', LIMIT, async () => {
  const dags = dagsOf('s22k');
  const airflow = await mortal();
  const retrier = await startRetrier(airflow.url, 120_000);
  closing.push(() => retrier.close());
  const firedamper = await watching(dags, retrier.url, '120s');
  await breaks(dags);
  const plan = await planned(firedamper, dags);
  const lost = airflow.proxy.ambush({
    ...{ phase: 'after', lose: true, when: REQUEST.event(dags.reader) },
    act: async () => {
      await until('the reader has run', async () => truth.records(dags.reader).length > 0);
      await airflow.server.kill();
      await airflow.server.start();
    },
  });
  expect((await firedamper.approve(plan)).status).toBe(200);
  await lost;
  await until('the reader has run on the second event as well', async () => truth.records(dags.reader).length > 1);
  await ended(firedamper, dags, plan);
  expect(retrier.repeated).toBeGreaterThan(0);
  const { double } = await readBooks(truth, dags, plan);
  expect(double.join('; ')).toContain(`events given again of ${dags.asset}: 2 instead of 1`);
  failsAsItMust('R5-live', `a proxy that repeats a lost POST, Airflow ${lab.version}`, double.join('; '));
});
