/**
 * R5 on a real Airflow: its API server (2.x: web server) stands still (SIGSTOP) with one of our requests in its hands for much longer than we wait, and then
 * goes on with everything at once. A request that nobody waits for any more is carried out all the same, after looks that nobody answered.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { figure } from '../support/faults/crash/figure.ts';
import { readBooks } from '../support/live/books.ts';
import { mortalAirflow, REQUEST } from '../support/live/mortalAirflow.ts';
import { story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, breakTask, mendTask } = story();
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const DAYS = [0, 1].map((n) => new Date(Date.parse(lab.start) + n * 86_400_000).toISOString().slice(0, 10));
const REPAIR = truth.three ? 'backfill' : 'clear';
/** Long enough for the request itself and several looks after it to time out. */
const STILL_MS = 25_000;

async function held(prefix: string) {
  const [failing, reader] = [`${prefix}_a`, `${prefix}_b`];
  await truth.known(failing, reader);
  const airflow = await mortalAirflow(lab);
  closing.push(() => airflow.close());
  const { firedamper } = await serve({ name: prefix, prefixes: [prefix], airflow: { url: airflow.url, timeout: '2s' } });
  for (const day of DAYS) breakTask(failing, `load.${day}`);
  await truth.unpause(failing);
  const { id } = await firedamper.opened(failing, 60);
  await until('both days are in the incident', async () => (await firedamper.incident(id)).runs.length === 2, { seconds: 90 });
  await firedamper.status(id, 'contained', 120);
  for (const day of DAYS) mendTask(failing, `load.${day}`);
  return { dags: { failing, reader, asset: `lab://stories/${prefix}_1`, days: DAYS, others: [] }, airflow, firedamper, id };
}

test.concurrent('with the repair and with the event in its hands: each is there once', { timeout: 480_000 }, async () => {
  const { dags, airflow, firedamper, id } = await held('s24e');
  const plan = await firedamper.fixed(id);
  for (const kind of [REPAIR, 'event'] as const) {
    const still = airflow.freezesAt(REQUEST[kind](dags.reader));
    if (kind === REPAIR) expect((await firedamper.approve(plan)).status).toBe(200);
    await still;
    await sleep(STILL_MS);
    airflow.thaw();
  }
  await firedamper.reached(plan.id, 'succeeded', 180);
  await firedamper.status(id, 'resolved', 180);
  const { double, lost, compared } = await readBooks(truth, dags, plan);
  expect([...double, ...lost]).toEqual([]);
  figure('R5-still', {
    airflow: lab.version,
    double_effects: double.length,
    lost_effects: lost.length,
    counts_compared: compared,
  });
});

test.concurrent('with the unpause in its hands, and a person pauses the DAG meanwhile: it stays theirs', {
  timeout: 480_000,
}, async () => {
  const { dags, airflow, firedamper, id } = await held('s24p');
  const plan = await firedamper.fixed(id);
  const still = airflow.freezesAt(REQUEST.unpause(dags.reader));
  expect((await firedamper.approve(plan)).status).toBe(200);
  await still;
  await truth.pause(dags.reader);
  await sleep(STILL_MS);
  airflow.thaw();
  await firedamper.reached(plan.id, 'succeeded', 180);
  await until('the hold is the person’s', async () => (await firedamper.holds(dags.reader))[0]?.state === 'ceded', {
    seconds: 120,
    show: async () => ({ holds: await firedamper.holds(dags.reader), audit: await truth.audit(dags.reader) }),
  });
  expect(await truth.isPaused(dags.reader), 'as the person left it').toBe(true);
  const asked = (await truth.pauses('firedamper', dags.reader)).join(',');
  expect(asked, 'one unpause crossed theirs, and what it did was put back').toMatch(/^pause,unpause(,pause)+$/);
  figure('R5-still', { airflow: lab.version, asked_by_us: asked });
});
