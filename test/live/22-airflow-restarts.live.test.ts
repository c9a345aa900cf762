/**
 * R5 on a real Airflow: its API server (2.x: web server) is killed with -9 and started again in the middle of a hold of 20 DAGs, of a repair's start,
 * and of a release. Everything settles, and Airflow's own books show each effect once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { ApiServer } from '../support/faults/network/apiServer.ts';
import { type FaultProxy, type PlacedToxic, startFaultProxy } from '../support/faults/network/proxy.ts';
import { story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, breakTask, mendTask } = story();
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const A = 's22_a';
const B = 's22_b';
const REST = Array.from({ length: 19 }, (_, n) => `s22_r${String(n + 1).padStart(2, '0')}`);
const HELD = [B, ...REST];
const DAYS = [0, 1].map((n) => new Date(Date.parse(lab.start) + n * 86_400_000).toISOString().slice(0, 10));
const DOWN_MS = 2_000;

const PAUSE = /^PATCH \S+\/dags\/s22_\w+\?[\s\S]*"is_paused":true/;
const UNPAUSE = /^PATCH \S+\/dags\/s22_\w+\?[\s\S]*"is_paused":false/;
const REPAIR = /^POST \S+(\/backfills |\/clearTaskInstances [\s\S]*"dry_run":false)/;

/** Changes nothing and counts. */
const watch = (proxy: FaultProxy, when: RegExp): PlacedToxic => proxy.add({ kind: 'latency', ms: 0, stream: 'upstream', when });

/** Kills the server as soon as so many such requests are on their way, and starts it again. */
async function restartedAt(server: ApiServer, seen: PlacedToxic, requests: number): Promise<void> {
  while (seen.hits < requests) await sleep(1);
  await server.kill();
  await sleep(DOWN_MS);
  await server.start();
}

const pausedNow = async (): Promise<number> => (await Promise.all(HELD.map((id) => truth.isPaused(id)))).filter(Boolean).length;

test('the API server dies in the middle of a hold, of a repair and of a release', { timeout: 480_000 }, async () => {
  await truth.known(A, ...HELD);
  const server = await ApiServer.beside(lab);
  closing.push(() => server.kill());
  const proxy = await startFaultProxy(server.url);
  closing.push(() => proxy.close());
  const { firedamper } = await serve({
    name: 's22',
    prefixes: ['s22'],
    airflow: { url: proxy.url, timeout: '10s' },
    edges: REST.map((id) => ({ from: `lab/${A}`, to: `lab/${id}` })),
  });

  // the hold
  const pauses = watch(proxy, PAUSE);
  const duringHold = restartedAt(server, pauses, 6);
  for (const day of DAYS) breakTask(A, `load.${day}`);
  await truth.unpause(A);
  await duringHold;
  const { id } = await firedamper.opened(A);
  await until('both days are in the incident', async () => (await firedamper.incident(id)).runs.length === 2, { seconds: 90 });
  await firedamper.status(id, 'contained', 120);
  expect(await pausedNow(), 'every reader is paused in Airflow').toBe(HELD.length);

  // the repair
  for (const day of DAYS) mendTask(A, `load.${day}`);
  const repairs = watch(proxy, REPAIR);
  const plan = await firedamper.fixed(id);
  const duringRepair = restartedAt(server, repairs, 1);
  expect((await firedamper.approve(plan)).status).toBe(200);
  await duringRepair;

  // the release
  const unpauses = watch(proxy, UNPAUSE);
  const duringRelease = restartedAt(server, unpauses, 6);
  await firedamper.reached(plan.id, 'succeeded', 180);
  await duringRelease;
  await firedamper.status(id, 'resolved', 150);

  // what Airflow says
  expect(await pausedNow(), 'nothing is left paused').toBe(0);
  const runs = await truth.runs(A);
  expect(runs.map((run) => run.state)).toEqual(['success', 'success']);
  const tries = await Promise.all(runs.map(async (run) => (await truth.task(A, run.runId, 'load')).tryNumber));
  expect(tries, 'each day was run again once').toEqual([2, 2]);
  const worked = truth.records(A).map((record) => record.day);
  expect([...worked].sort(), 'each day was made good once').toEqual(DAYS);
  expect(await truth.runs(B), 'the reader by asset was given what it missed once').toMatchObject([{ state: 'success' }]);
  expect(truth.records(B)).toHaveLength(1);
  for (const dagId of REST) expect(await truth.runs(dagId), `${dagId} missed nothing`).toEqual([]);
  const sent = await Promise.all(HELD.map(async (dagId) => ({ dagId, asked: await truth.pauses('firedamper', dagId) })));
  for (const { dagId, asked } of sent)
    expect(asked.join(' '), `${dagId}: held, then let go, and never to and fro`).toMatch(/^pause( pause)*( unpause)+$/);
  const repeated = sent.reduce((sum, { asked }) => sum + asked.length - 2, 0);
  const starts = (await truth.acts('firedamper', A)).filter((row) => /backfill|clear/.test(row.event)).length;
  expect(await firedamper.allIncidents()).toHaveLength(1);
  console.log(
    `figure: R5-live airflow=${lab.version} restarts=3 held=${HELD.length} double_effects=0 requests_sent_again=${repeated} repair_requests=${starts} steps=${plan.steps.length}`,
  );
});
