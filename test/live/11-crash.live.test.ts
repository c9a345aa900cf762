import { afterAll, expect, test } from 'vitest';
import { type KillProxy, type ProxiedRequest, startKillProxy } from '../support/live/killProxy.ts';
import { ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, failedRun, breakTask, mendTask } = story();
const proxies: KillProxy[] = [];
afterAll(() => Promise.all(proxies.map((proxy) => proxy.close())));

/** A service behind a proxy of its own, which can kill it at one moment of one request. */
async function mortal(prefix: string) {
  const proxy = await startKillProxy(lab.url);
  proxies.push(proxy);
  const { firedamper, service } = await serve({ name: prefix, prefixes: [prefix], airflow: { url: proxy.url } });
  const killed = (phase: 'before' | 'after', when: (request: ProxiedRequest) => boolean) =>
    proxy.ambush({ phase, when, lose: true, act: () => service.kill() });
  return { proxy, firedamper, service, killed };
}

const pauses = (dagId: string, paused: boolean) => (request: ProxiedRequest) =>
  request.method === 'PATCH' && request.path.includes(`/dags/${dagId}?`) && request.body.includes(`"is_paused":${paused}`);

test.concurrent.each([
  { prefix: 's11a', phase: 'before', moment: 'between intent and PATCH: the request never left' },
  { prefix: 's11b', phase: 'after', moment: 'between PATCH and its record: the answer never came' },
] as const)('kill -9 $moment', async ({ prefix, phase }) => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => `${prefix}_${name}`) as [string, string, string];
  await truth.known(a, b, c);
  const { firedamper, service, killed } = await mortal(prefix);
  const death = killed(phase, pauses(b, true));
  await failedRun(a, 'make');
  await death;
  expect(service.running).toBe(false);
  expect(await truth.isPaused(b), 'what the crash left behind').toBe(phase === 'after');

  await service.start();
  const { id } = await firedamper.opened(a);
  await firedamper.status(id, 'contained', 60);
  for (const dagId of [b, c]) {
    expect(await truth.isPaused(dagId), dagId).toBe(true);
    expect(await truth.pauses('firedamper', dagId), `${dagId}: asked for once`).toEqual(['pause']);
  }
  mendTask(a, 'make');
  await repaired(firedamper, id);
  for (const dagId of [a, b, c]) await ranOnce(truth, dagId);
  for (const dagId of [b, c]) expect(await truth.pauses('firedamper', dagId), dagId).toEqual(['pause', 'unpause']);
  for (const dagId of [a, b, c]) expect(await truth.isPaused(dagId), dagId).toBe(false);
  expect(await firedamper.allIncidents()).toHaveLength(1);
});

test.concurrent('kill -9 between the unpause and its record: nothing stays held for ever', async () => {
  await truth.known('s11c_a', 's11c_b', 's11c_c');
  const { firedamper, service, killed } = await mortal('s11c');
  await failedRun('s11c_a', 'make');
  const { id } = await firedamper.opened('s11c_a');
  await firedamper.status(id, 'contained', 45);
  mendTask('s11c_a', 'make');
  const plan = await firedamper.fixed(id);
  const death = killed('after', pauses('s11c_b', false));
  expect((await firedamper.approve(plan)).status).toBe(200);
  await death;
  await service.start();
  await firedamper.status(id, 'resolved', 120);
  for (const dagId of ['s11c_a', 's11c_b', 's11c_c']) {
    await ranOnce(truth, dagId);
    expect(await truth.isPaused(dagId), dagId).toBe(false);
  }
  expect(await truth.pauses('firedamper', 's11c_b')).toEqual(['pause', 'unpause']);
});

test.concurrent('kill -9 between the POST of a repair and its record: it is found in Airflow and not sent again', async () => {
  await truth.known('s11d_a', 's11d_b');
  const { firedamper, service, killed, proxy } = await mortal('s11d');
  const days = [lab.start, new Date(Date.parse(lab.start) + 86_400_000).toISOString().slice(0, 10)];
  for (const day of days) breakTask('s11d_a', `load.${day}`);
  await truth.unpause('s11d_a');
  await until(
    'both days have failed',
    async () => (await truth.runs('s11d_a')).filter((run) => run.state === 'failed').length === 2,
  );
  const { id } = await firedamper.opened('s11d_a');
  await until('both are in the incident', async () => (await firedamper.incident(id)).runs.length === 2, {
    show: () => firedamper.incident(id),
  });
  await firedamper.status(id, 'contained', 45);
  for (const day of days) mendTask('s11d_a', `load.${day}`);
  const plan = await firedamper.fixed(id);

  const changes = ({ method, path, body }: ProxiedRequest) =>
    method === 'POST' &&
    !path.includes('dry_run') &&
    (/\/backfills$/.test(path) || (/clear/.test(path) && body.includes('"dry_run":false')) || /dagRuns$/.test(path));
  const death = killed('after', changes);
  expect((await firedamper.approve(plan)).status).toBe(200);
  await death;
  await service.start();
  await firedamper.status(id, 'resolved', 150);
  const runs = await truth.runs('s11d_a');
  expect(runs.map((run) => run.state)).toEqual(['success', 'success']);
  for (const run of runs) expect((await truth.task('s11d_a', run.runId, 'load')).tryNumber, run.runId).toBe(2);
  expect(
    truth
      .records('s11d_a')
      .map((record) => record.day)
      .sort(),
  ).toEqual(days);
  const sent = proxy.seen.filter(changes).map((request) => `${request.path} ${request.body}`);
  expect(new Set(sent).size, `no request twice:\n${sent.join('\n')}`).toBe(sent.length);
  expect(await truth.isPaused('s11d_b')).toBe(false);
});
