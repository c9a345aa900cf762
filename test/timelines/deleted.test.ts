/** A DAG that we hold is deleted in Airflow: with it goes our pause, and what comes back under its name is paused by nobody of us. */
import { afterEach, describe, expect, test } from 'vitest';
import { startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Json, type Service, startService } from '../support/service.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

async function holding(generation: 2 | 3) {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  open.push({ stop: () => fake.close() });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (const reader of ['b', 'c']) fake.dag(reader, { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  fake.setOutcome('a', 'make', 'failed');
  const service = await startService(fake);
  open.push(service);
  fake.startRun('a', { runId: 'r1' });
  await fake.until((f) => f.runs('a')[0]?.state === 'failed');
  await service.app.poll();
  await service.until('both are paused', async () => fake.isPaused('b') && fake.isPaused('c'));
  await service.reaches('contained', 'a');
  return { fake, service };
}

const holdsOf = async (service: Service) =>
  Object.fromEntries((await service.incident('a')).holds.map((h: Json) => [h.dag_id, h.state]));

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test('its hold ends, and the new one stays as it is', async () => {
    const { fake, service } = await holding(generation);
    fake.world.dags.delete('b');
    await service.app.poll();
    expect(await holdsOf(service)).toEqual({ b: 'released', c: 'held' });
    // As Airflow makes whatever is new.
    fake.dag('b', { tasks: { read: {} }, schedule: { assets: 's3://a' }, paused: true });
    fake.setOutcome('a', 'make', 'success');
    fake.person().clear('a', 'r1');
    await fake.until((f) => f.runs('a')[0]?.state === 'success');
    await service.app.poll();
    await service.until('c is let go', async () => !fake.isPaused('c'));
    expect(fake.isPaused('b')).toBe(true);
    expect(fake.effects.filter((e) => e.kind === 'unpause').map((e) => e.dagId)).toEqual(['c']);
  });
});
