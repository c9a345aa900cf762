import { afterEach, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Service, startService } from '../support/service.ts';

const open: { fake: FakeAirflow; service: Service }[] = [];
afterEach(async () => {
  for (const { fake, service } of open.splice(0)) {
    await service.stop();
    await fake.close();
  }
});

async function withDags(
  count: number,
  options: Parameters<typeof startService>[1] = {},
  prepare?: (fake: FakeAirflow) => unknown,
  generation: 2 | 3 = 3,
) {
  const fake = await startFakeAirflow({ generation });
  for (let i = 0; i < count; i++) fake.dag(`dag_${i}`, { tasks: { make: {} } });
  await prepare?.(fake);
  const service = await startService(fake, options);
  open.push({ fake, service });
  return { fake, service };
}

test.each([10, 1_000])('an idle cycle with %i DAGs costs at most three requests', async (count) => {
  const { fake, service } = await withDags(count, { airflow: { survey_interval: '1h' } });
  const before = fake.requests.length;
  for (let i = 0; i < 5; i++) await service.app.poll();
  expect((fake.requests.length - before) / 5).toBeLessThanOrEqual(3);
});

test.each([2, 3] as const)('a survey reads each page of the list of DAGs once (%i.x)', async (generation) => {
  const { fake } = await withDags(150, { airflow: { survey_interval: '1h' } }, undefined, generation);
  const pages = fake.requests.filter(({ method, path }) => method === 'GET' && /^\/api\/v\d\/dags$/.test(path));
  // Without an offset: the one row by which the session of 2.x is tried.
  const offsets = pages.flatMap(({ query }) => new URLSearchParams(query).get('offset') ?? []);
  expect(offsets).toEqual(['0', '100']);
});

test('what fails while the first look is still under way is heard', async () => {
  const { fake, service } = await withDags(2, { polling: true }, (f) => {
    f.latencyMs = 300;
  });
  await new Promise((resolve) => setTimeout(resolve, 400));
  fake.failRun('dag_1', 'make', { runId: 'r1' });
  fake.latencyMs = 0;
  expect((await service.until('the failure is heard', () => service.incident('dag_1'))).runs).toMatchObject([{ run_id: 'r1' }]);
});

test('what failed before the first start is history, also when a later window overlaps it', async () => {
  const { fake, service } = await withDags(2, {}, (f) => {
    f.failRun('dag_0', 'make', { runId: 'old' });
    // Airflow's clock is known to the second only.
    return new Promise((resolve) => setTimeout(resolve, 2_100));
  });
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  fake.failRun('dag_1', 'make', { runId: 'new' });
  await service.until('the new failure is heard', () => service.incident('dag_1'));
  await service.app.poll();
  expect((await service.get('/v1/incidents')).incidents).toHaveLength(1);
});
