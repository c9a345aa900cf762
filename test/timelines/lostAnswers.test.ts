/** Lost answers: what was found when the network failed at one request after the other (test/faults/network), each as a short story of its own. */
import { afterAll, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Service, startService } from '../support/service.ts';

const open: { fake: FakeAirflow; service: Service }[] = [];
afterAll(async () => {
  for (const { fake, service } of open.splice(0)) {
    await service.stop();
    await fake.close();
  }
});

/** A has failed and B is held; A is then mended by hand, and B must be given what it missed. */
async function healed(generation: 2 | 3, breaks: (fake: FakeAirflow) => void): Promise<FakeAirflow> {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  fake.dag('b', { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  fake.setOutcome('a', 'make', 'failed');
  const service = await startService(fake, { airflow: { timeout: '1s' } });
  open.push({ fake, service });
  fake.startRun('a', { runId: 'r1' });
  await fake.until((f) => f.runs('a')[0]?.state === 'failed');
  await service.reaches('contained', 'a');
  breaks(fake);
  fake.setOutcome('a', 'make', 'success');
  fake.person().clear('a', 'r1');
  await service.until('resolved', async () => (await service.incident('a')).status === 'resolved', 25_000);
  return fake;
}

/** Once a request like this has come in. */
const afterwards = (fake: FakeAirflow, method: string, path: RegExp, act: () => void): void => {
  const before = fake.requestsTo(method, path).length;
  void fake.until((f) => f.requestsTo(method, path).length > before, 20_000).then(act);
};
const eventsOf = (fake: FakeAirflow) => fake.effects.filter((e) => e.kind === 'asset_event').length;
const EVENTS = /\/(assets|datasets)\/events$/;
const gateway = { kind: 'answer', answer: { status: 502, html: '<h1>Bad Gateway</h1>' } } as const;

describe.concurrent.each([3, 2] as const)('on Airflow %i', (generation) => {
  test('the answer of a delivery is lost, and then nobody answers the look for it: it is not sent again', async () => {
    const fake = await healed(generation, (f) => {
      f.inject({ method: 'POST', path: EVENTS, fault: { kind: 'cut_after' }, times: 1 });
      // Three tries each, for two looks.
      afterwards(f, 'POST', EVENTS, () => f.inject({ method: 'GET', path: EVENTS, fault: gateway, times: 6 }));
    });
    expect(eventsOf(fake)).toBe(1);
    expect(fake.runs('b').map((run) => run.state)).toEqual(['success']);
  });

  test('a delivery that works after its time-out is not sent again', async () => {
    const fake = await healed(generation, (f) => {
      f.inject({ method: 'POST', path: EVENTS, fault: { kind: 'delay', ms: 2_200 }, times: 1 });
    });
    await fake.until((f) => f.requestsTo('POST', EVENTS).every((request) => request.status !== null));
    expect(eventsOf(fake)).toBe(1);
  });

  test('the answer of an unpause is lost, and then nobody answers the look for it: it was ours, and what was missed is delivered', async () => {
    const fake = await healed(generation, (f) => {
      f.inject({ method: 'PATCH', path: '/dags/{dag_id}', fault: { kind: 'cut_after' }, times: 3 });
      afterwards(f, 'PATCH', /\/dags\/b$/, () => f.inject({ method: 'GET', path: /\/eventLogs$/, fault: gateway, times: 6 }));
    });
    expect(fake.isPaused('b')).toBe(false);
    expect(eventsOf(fake)).toBe(1);
  });
});

test('a poll that hangs does not hold up the pauses, although their number makes them read the list of DAGs', async () => {
  const fake = await startFakeAirflow({ generation: 3, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (const id of ['b', 'c', 'd']) fake.dag(id, { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  const service = await startService(fake);
  open.push({ fake, service });
  const POLL = /\/dags\/~\/dagRuns/;
  fake.inject({ path: POLL, fault: { kind: 'stall_before' } });
  void service.app.poll();
  await fake.until((f) => f.requestsTo('GET', POLL).filter((request) => request.status === null).length === 2);
  fake.failRun('a', 'make', { runId: 'r1' });
  const said = {
    version: 1,
    kind: 'task_failed',
    airflow: 'prod',
    dag_id: 'a',
    run_id: 'r1',
    task_id: 'make',
    map_index: -1,
    try_number: 1,
  };
  expect((await service.callback({ ...said, occurred_at: new Date().toISOString() })).status).toBe(202);
  await fake.until((f) => ['b', 'c', 'd'].every((id) => f.isPaused(id)));
  await fake.close(); // lets go of what hangs
});
