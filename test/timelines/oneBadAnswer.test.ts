/** One thing that Airflow cannot show, or has not any more, must not make the service blind or deaf for all the others of that Airflow. */
import { afterEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import { makeVariant } from '../support/faults/crash/variant.ts';
import { type Json, startService } from '../support/service.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

/** b and b2 read a, d reads c; z is alone. */
async function site(generation: 2 | 3, options: Parameters<typeof startService>[1] = {}) {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  open.push({ stop: () => fake.close() });
  for (const id of ['a', 'c']) {
    fake.dag(id, { tasks: { make: { outlets: [`s3://${id}`] } } });
    fake.setOutcome(id, 'make', 'failed');
  }
  for (const [id, uri] of Object.entries({ b: 's3://a', b2: 's3://a', d: 's3://c' }))
    fake.dag(id, { tasks: { read: {} }, schedule: { assets: uri } });
  fake.dag('z', { tasks: { make: {} } });
  const service = await startService(fake, options);
  open.push(service);
  return { fake, service };
}

async function fails(fake: FakeAirflow, dagId: string, runId = 'r1') {
  fake.startRun(dagId, { runId });
  await fake.until((f) => f.runs(dagId)[0]?.state === 'failed');
}

function heals(fake: FakeAirflow, dagId: string) {
  fake.setOutcome(dagId, 'make', 'success');
  fake.person().clear(dagId, 'r1');
}

function remove(fake: FakeAirflow, dagId: string) {
  fake.world.dags.delete(dagId);
  fake.world.runs.delete(dagId);
}

async function bothHeld(generation: 2 | 3, root?: string) {
  const { fake, service } = await site(generation, root === undefined ? {} : { root });
  for (const id of ['a', 'c']) await fails(fake, id);
  const isHeld = async (id: string) => (await service.incident(id))?.holds.every((h: Json) => h.state === 'held');
  await service.until('b, b2 and d are held', async () => fake.isPaused('b2') && (await isHeld('a')) && (await isHeld('c')));
  return { fake, service };
}

/** Airflow fails to show the run that a's incident is about. */
function hideTheRun(fake: FakeAirflow) {
  const answer = { status: 500, json: { detail: 'Internal Server Error' } };
  fake.inject({ method: 'GET', path: /\/dags\/a\/dagRuns\/r1$/, fault: { kind: 'answer', answer } });
}

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test('a failing DAG that was deleted keeps no other incident from ending, and its own ends', async () => {
    const { fake, service } = await bothHeld(generation);
    remove(fake, 'a');
    heals(fake, 'c');
    await service.until('d is let go', async () => !fake.isPaused('d'));
    await service.until('b is let go', async () => !fake.isPaused('b') && !fake.isPaused('b2'));
  });

  test('a held DAG that was deleted keeps no other one of its incident held', async () => {
    const { fake, service } = await bothHeld(generation);
    remove(fake, 'b');
    heals(fake, 'a');
    await service.until('b2 is let go', async () => !fake.isPaused('b2'));
    expect((await service.reaches('resolved', 'a')).holds.map((h: Json) => [h.dag_id, h.state])).toEqual([
      ['b', 'released'],
      ['b2', 'released'],
    ]);
  });

  test('an incident about a DAG file neither stops the look at the others nor its own end', async () => {
    const often = { survey_interval: '5s', poll_interval: '1s' };
    const { fake, service } = await site(generation, { airflow: often, polling: true });
    await service.until('the first look', async () => fake.requestsTo('GET', '/importErrors').length > 0);
    fake.breakFile('z.py', 'boom');
    const files = async (status: string) =>
      (await service.get('/v1/incidents')).incidents.find((i: Json) => i.broken_files.length > 0 && i.status === status);
    await service.until('its incident', () => files('contained'), 20_000);
    await fails(fake, 'a');
    await service.until('b is held', async () => fake.isPaused('b'));
    fake.mendFile('z.py');
    await service.until('it is over', () => files('resolved'), 30_000);
    heals(fake, 'a');
    await service.until('b is let go', async () => !fake.isPaused('b'));
  });

  test('a run that Airflow fails to show leaves out just that run', async () => {
    const { fake, service } = await bothHeld(generation);
    hideTheRun(fake);
    heals(fake, 'c');
    await service.until('d is let go', async () => !fake.isPaused('d'));
    const [airflow] = (await service.get('/readyz')).airflows;
    expect(airflow.state, 'and is told').toBe('unreachable');
  });

  test.each([
    ['of failed tasks', /\/taskInstances$/],
    ['of failures, each of them', /\/dags\/~\/dagRuns/],
  ])('a list that never answers, %s, keeps nothing held whose cause has healed, and is told', async (_, path) => {
    const { fake, service } = await bothHeld(generation);
    fake.inject({ method: 'GET', path, fault: { kind: 'answer', answer: { status: 504, html: 'late' } } });
    heals(fake, 'c');
    await service.until('d is let go', async () => !fake.isPaused('d'), 20_000);
    const [airflow] = (await service.get('/readyz')).airflows;
    expect(airflow.state).toBe('unreachable');
  });

  test('a run whose id cannot be asked for is heard, and so is everybody else', async () => {
    const { fake, service } = await site(generation);
    await fails(fake, 'a', 'x/y');
    await fails(fake, 'c');
    await service.until('d is held', async () => fake.isPaused('d'));
    await service.until('b is held', async () => fake.isPaused('b'));
  });
});

test('control: a service that throws away a look for one bad answer in it lets nothing go any more', async () => {
  const variant = makeVariant('all-or-nothing', [
    {
      file: 'intake/watching.ts',
      from: 'await Promise.allSettled(all.map(read));',
      to: "(await Promise.all(all.map(read))).map((value) => ({ status: 'fulfilled' as const, value, reason: null }));",
    },
  ]);
  open.push({ stop: async () => variant.remove() });
  const { fake, service } = await bothHeld(3, variant.root);
  hideTheRun(fake);
  heals(fake, 'c');
  const seconds = 3;
  const letGo = service.until('d is let go', async () => !fake.isPaused('d'), seconds * 1_000);
  await expect(letGo, 'the test did not see it').rejects.toThrow('not in time: d is let go');
  fake.heal();
  await service.until('d is let go, now that everything can be read', async () => !fake.isPaused('d'));
  failsAsItMust('oneBadAnswer', 'a whole look thrown away', `d is held ${seconds} s after its cause was mended`);
});
