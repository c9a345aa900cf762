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

type Holding = Awaited<ReturnType<typeof holding>>;

/** As Airflow makes whatever is new. */
const comesBack = ({ fake }: Holding) => fake.dag('b', { tasks: { read: {} }, schedule: { assets: 's3://a' }, paused: true });

async function heals({ fake, service }: Holding): Promise<void> {
  fake.setOutcome('a', 'make', 'success');
  fake.person().clear('a', 'r1');
  await fake.until((f) => f.runs('a')[0]?.state === 'success');
  await service.app.poll();
  await service.until('c is let go', async () => !fake.isPaused('c'));
  await service.reaches('resolved', 'a');
}

const ourUnpauses = ({ fake }: Holding) =>
  fake.effects.filter((e) => e.kind === 'unpause' && e.by === 'firedamper').map((e) => e.dagId);

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test('its hold ends, and the new one stays as it is', async () => {
    const site = await holding(generation);
    site.fake.person().delete('b');
    await site.service.app.poll();
    expect(await holdsOf(site.service)).toEqual({ b: 'released', c: 'held' });
    comesBack(site);
    await heals(site);
    expect(site.fake.isPaused('b')).toBe(true);
    expect(ourUnpauses(site)).toEqual(['c']);
  });

  test('and deployed again while the cause stands, it is held again, and has the repaired data once', async () => {
    const site = await holding(generation);
    const { fake, service } = site;
    fake.person().delete('b');
    await service.app.poll();
    expect(await holdsOf(service)).toEqual({ b: 'released', c: 'held' });
    fake.dag('b', { tasks: { read: {} }, schedule: { assets: 's3://a' } });
    await service.app.poll();
    await service.until('b is paused again', async () => fake.isPaused('b'));
    await heals(site);
    await service.until('b is let go', async () => !fake.isPaused('b'));
    expect(ourUnpauses(site).sort()).toEqual(['b', 'c']);
    await fake.until((f) => f.runs('b')[0]?.state === 'success');
    expect(fake.runs('b')).toHaveLength(1);
  });

  test.each([
    ['is not parsed just now: it left the list, and its own page shows it paused', null],
    ['left the list, and its own page does not answer: nothing is known', { status: 503, json: { detail: 'busy' } }],
  ] as const)('one that %s; it stays held', async (_, answer) => {
    const { fake, service } = await holding(generation);
    const list = { status: 200, json: { dags: [], total_entries: 0 } };
    fake.inject({ method: 'GET', path: /\/dags$/, fault: { kind: 'answer', answer: list } });
    if (answer) fake.inject({ method: 'GET', path: /\/dags\/b$/, fault: { kind: 'answer', answer } });
    await service.app.poll();
    expect(await holdsOf(service)).toEqual({ b: 'held', c: 'held' });
  });

  test('and is back before anybody looked: its deletion stands in the log', async () => {
    const site = await holding(generation);
    site.fake.person('gerda').delete('b');
    comesBack(site);
    await site.service.app.poll();
    expect((await holdsOf(site.service)).b).toBe('held');
    await heals(site);
    expect(site.fake.isPaused('b')).toBe(true);
    expect(ourUnpauses(site)).toEqual(['c']);
    expect(await holdsOf(site.service)).toEqual({ b: 'ceded', c: 'released' });
  });
});
