/** A DAG of another Airflow that reads what fails here: its switch is that Airflow's, and so is the log that says who moved it. */
import { afterEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Service, startService } from '../support/service.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

async function airflow(generation: 2 | 3): Promise<FakeAirflow> {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  open.push({ stop: () => fake.close() });
  return fake;
}

/** `a` of prod is read by `c` of dev; the log of prod is much longer than that of dev. */
async function site(generation: 2 | 3) {
  const [prod, dev] = [await airflow(generation), await airflow(generation)];
  prod.dag('a', { tasks: { make: {} } });
  prod.dag('busy', { tasks: { make: {} } });
  dev.dag('c', { tasks: { read: {} } });
  for (let n = 0; n < 40; n++) {
    prod.person().pause('busy');
    prod.person().unpause('busy');
  }
  prod.setOutcome('a', 'make', 'failed');
  const service = await startService(prod, { others: { dev }, edges: [{ from: 'prod/a', to: 'dev/c' }] });
  open.push(service);
  return { prod, dev, service };
}

async function fails(prod: FakeAirflow): Promise<void> {
  prod.startRun('a', { runId: 'r1' });
  await prod.until((f) => f.runs('a')[0]?.state === 'failed');
}

async function heals(prod: FakeAirflow, service: Service, status = 'resolved') {
  prod.setOutcome('a', 'make', 'success');
  prod.person().clear('a', 'r1');
  const incident = await service.reaches(status, 'a');
  return incident.holds.map((h: { state: string }) => h.state);
}

const ourUnpauses = (dev: FakeAirflow) => dev.effects.filter((e) => e.kind === 'unpause' && e.by === 'firedamper').length;

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test('it is held and let go', async () => {
    const { prod, dev, service } = await site(generation);
    await fails(prod);
    await service.until('c is paused', async () => dev.isPaused('c'));
    expect(await heals(prod, service)).toEqual(['released']);
    expect(dev.isPaused('c')).toBe(false);
  });

  test('a person who pauses it while it is held keeps it paused', async () => {
    const { prod, dev, service } = await site(generation);
    await fails(prod);
    await service.until('c is paused', async () => dev.isPaused('c'));
    dev.person().pause('c');
    expect(await heals(prod, service)).toEqual(['ceded']);
    expect(dev.isPaused('c')).toBe(true);
    expect(ourUnpauses(dev)).toBe(0);
  });

  test('what somebody has paused since its list was read is theirs, and stays paused', async () => {
    const { prod, dev, service } = await site(generation);
    dev.person().pause('c');
    await fails(prod);
    await service.until('its hold is made', async () => (await service.incident('a'))?.holds[0]?.state === 'foreign');
    await heals(prod, service);
    expect(dev.isPaused('c')).toBe(true);
    expect(dev.effects.filter((e) => e.by === 'firedamper')).toEqual([]);
  });
});
