/** A DAG of another Airflow that reads what fails here: its switch is that Airflow's, and so is the log that says who moved it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import { makeVariant } from '../support/faults/crash/variant.ts';
import { type Json, type Service, startService } from '../support/service.ts';

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
async function site(generation: 2 | 3, more: { folder?: string; root?: string } = {}) {
  const [prod, dev] = [await airflow(generation), await airflow(generation)];
  prod.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  prod.dag('b', { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  prod.dag('busy', { tasks: { make: {} } });
  dev.dag('c', { tasks: { read: {} } });
  for (let n = 0; n < 40; n++) {
    prod.person().pause('busy');
    prod.person().unpause('busy');
  }
  prod.setOutcome('a', 'make', 'failed');
  const service = await startService(prod, {
    others: { dev },
    edges: [{ from: 'prod/a', to: 'dev/c' }],
    ...more,
  });
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
  return Object.fromEntries(incident.holds.map((h: { dag_id: string; state: string }) => [h.dag_id, h.state]));
}

const holdOf = (incident: Json, dagId: string) => incident?.holds.find((h: { dag_id: string }) => h.dag_id === dagId)?.state;
const ourUnpauses = (dev: FakeAirflow) => dev.effects.filter((e) => e.kind === 'unpause' && e.by === 'firedamper').length;

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test('it is held and let go', async () => {
    const { prod, dev, service } = await site(generation);
    await fails(prod);
    await service.until('c is paused', async () => dev.isPaused('c'));
    expect(await heals(prod, service)).toEqual({ b: 'released', c: 'released' });
    expect(dev.isPaused('c')).toBe(false);
  });

  test('taken out of the configuration, it is named with what stays held there; back in it, that is let go', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fd-stray-'));
    open.push({ stop: async () => rmSync(folder, { recursive: true }) });
    const { prod, dev, service } = await site(generation, { folder });
    await fails(prod);
    await service.until('c is paused', async () => dev.isPaused('c'));
    await service.reaches('contained', 'a');
    await service.stop();
    const without = await startService(prod, { folder });
    const states = async (s: Service) => (await s.get('/readyz')).airflows.map((a: Json) => [a.id, a.detail]);
    const detail = 'not in the configuration any more; still held there, until it is back in it or somebody unpauses them: c';
    expect(await states(without)).toContainEqual(['dev', detail]);
    prod.setOutcome('a', 'make', 'success');
    prod.person().clear('a', 'r1');
    await prod.until((f) => f.runs('a')[0]?.state === 'success');
    await without.app.poll();
    expect((await without.get('/readyz')).ready).toBe(true);
    await without.stop();
    expect(dev.isPaused('c')).toBe(true);
    const again = await startService(prod, { folder, others: { dev }, edges: [{ from: 'prod/a', to: 'dev/c' }] });
    open.push(again);
    expect((await states(again)).map(([id]: string[]) => id)).toEqual(['prod', 'dev']);
    await again.reaches('resolved', 'a');
    expect(dev.isPaused('c')).toBe(false);
  });

  test('a person who pauses it while it is held keeps it paused', async () => {
    const { prod, dev, service } = await site(generation);
    await fails(prod);
    await service.until('c is paused', async () => dev.isPaused('c'));
    dev.person().pause('c');
    expect(await heals(prod, service)).toEqual({ b: 'released', c: 'ceded' });
    expect(dev.isPaused('c')).toBe(true);
    expect(ourUnpauses(dev)).toBe(0);
  });

  test('away, it keeps nobody here waiting: neither the hold nor the release', async () => {
    const { prod, dev, service } = await site(generation);
    dev.inject({ kind: 'cut_before' });
    await fails(prod);
    await service.until('b is paused', async () => prod.isPaused('b'));
    const away = (i: Json) => i?.gaps.find((g: { source: string }) => g.source === 'other_airflow');
    const gap = await service.until('it is told', async () => away(await service.incident('a')), 20_000);
    expect(gap.why).toContain('c of dev');
    await heals(prod, service);
    expect(prod.isPaused('b')).toBe(false);
    expect(dev.effects.filter((e) => e.by === 'firedamper')).toEqual([]);
  });

  test('away once it is held: what is here is let go at once, and its own DAG when it is back', async () => {
    const { prod, dev, service } = await site(generation);
    await fails(prod);
    await service.until('both are paused', async () => prod.isPaused('b') && dev.isPaused('c'));
    dev.inject({ kind: 'cut_before' });
    prod.setOutcome('a', 'make', 'success');
    prod.person().clear('a', 'r1');
    await service.until('b runs', async () => !prod.isPaused('b'));
    expect(dev.isPaused('c')).toBe(true);
    dev.heal();
    await service.until('c runs', async () => !dev.isPaused('c'), 30_000);
  });

  test('what somebody has paused since its list was read is theirs, and stays paused', async () => {
    const { prod, dev, service } = await site(generation);
    dev.person().pause('c');
    await fails(prod);
    await service.until('its hold is made', async () => holdOf(await service.incident('a'), 'c') === 'foreign');
    await heals(prod, service);
    expect(dev.isPaused('c')).toBe(true);
    expect(dev.effects.filter((e) => e.by === 'firedamper')).toEqual([]);
  });
});

test("control: a service that reads the log of the failing DAG's Airflow for that of another one takes a person's pause for its own", async () => {
  const variant = makeVariant('one-log-for-all', [
    {
      file: 'effects/survey.ts',
      from: 'const cursor = await client.auditCursor();',
      to: "const cursor = await deps.client('prod').auditCursor();",
    },
  ]);
  open.push({ stop: async () => variant.remove() });
  const { prod, dev, service } = await site(3, { root: variant.root });
  await fails(prod);
  await service.until('c is paused', async () => dev.isPaused('c'));
  dev.person().pause('c');
  expect((await heals(prod, service)).c, 'the test did not see it').toBe('released');
  failsAsItMust('otherAirflow', 'one log for all Airflows', "a person's pause undone");
});
