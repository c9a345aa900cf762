/** Release only what is ours: against what people and Airflow may have done to a held DAG meanwhile, on both generations. */
import { afterEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Service, startService } from '../support/service.ts';

const open: { fake: FakeAirflow; service: Service }[] = [];
afterEach(async () => {
  for (const { fake, service } of open.splice(0)) {
    await service.stop();
    await fake.close();
  }
});

/** A has failed, B and C are held. */
async function held(generation: 2 | 3, policy: Record<string, unknown> = {}, prepare?: (fake: FakeAirflow) => void) {
  const fake = await startFakeAirflow({ generation, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (const id of ['b', 'c']) fake.dag(id, { tasks: { read: {} }, schedule: { assets: 's3://a' } });
  fake.setOutcome('a', 'make', 'failed');
  prepare?.(fake);
  const service = await startService(fake, { policy });
  open.push({ fake, service });
  fake.startRun('a', { runId: 'r1' });
  await fake.until((f) => f.runs('a')[0]?.state === 'failed');
  await service.reaches('contained', 'a');
  return { fake, service };
}

async function healed({ fake, service }: { fake: FakeAirflow; service: Service }, status = 'resolved') {
  fake.setOutcome('a', 'make', 'success');
  fake.person().clear('a', 'r1');
  return service.reaches(status, 'a');
}

const stateOf = (incident: { holds: { dag_id: string; state: string }[] }, dagId: string) =>
  incident.holds.find((h) => h.dag_id === dagId)?.state;

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test.each([
    ['pauses it once more', (f: FakeAirflow) => f.person().pause('b')],
    ['pauses everything by pattern', (f: FakeAirflow) => f.person().bulkPause('b', true)],
    ['pauses it on the command line', (f: FakeAirflow) => f.person().commandLinePause('b', true)],
  ])('a person who %s while it is held keeps it paused', async (_what, touch) => {
    const { fake, service } = await held(generation);
    touch(fake);
    const incident = await healed({ fake, service });
    expect(stateOf(incident, 'b')).toBe('ceded');
    expect(stateOf(incident, 'c')).toBe('released');
    expect([fake.isPaused('b'), fake.isPaused('c')]).toEqual([true, false]);
    expect(fake.effects.filter((e) => e.dagId === 'b' && e.kind === 'unpause')).toEqual([]);
  });

  test('where the audit log cannot be read nothing is resumed blindly: a person is asked, and may say so', async () => {
    const { fake, service } = await held(generation, {}, (f) => {
      f.hideAuditLog = true;
    });
    const before = await service.incident('a');
    expect(before.gaps.map((g: { source: string }) => g.source)).toContain('audit_log');
    const incident = await healed({ fake, service }, 'monitoring');
    expect([fake.isPaused('b'), fake.isPaused('c')]).toEqual([true, true]);
    for (const hold of incident.holds) {
      const answer = await service.call('ann', 'POST', `/v1/holds/${hold.id}/release`, { reason: 'it was ours' });
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    }
    await service.reaches('resolved', 'a');
    expect([fake.isPaused('b'), fake.isPaused('c')]).toEqual([false, false]);
    for (const id of ['b', 'c']) expect(fake.runs(id).map((r) => r.state)).toEqual(['success']);
  });

  test('where the policy trusts the polls it is released without the audit log', async () => {
    const { fake, service } = await held(generation, { release: { without_audit_log: 'observed' } }, (f) => {
      f.hideAuditLog = true;
    });
    await healed({ fake, service });
    expect([fake.isPaused('b'), fake.isPaused('c')]).toEqual([false, false]);
  });

  test('an answer that is lost after the pause took effect does not make it foreign', async () => {
    const { fake, service } = await held(generation, {}, (f) => {
      f.inject({ method: 'PATCH', path: '/dags/{dag_id}', times: 1, fault: { kind: 'cut_after' } });
    });
    const incident = await healed({ fake, service });
    expect(incident.holds.map((h: { state: string }) => h.state)).toEqual(['released', 'released']);
    for (const id of ['b', 'c']) expect(fake.runs(id).map((r) => r.state)).toEqual(['success']);
  });
});
