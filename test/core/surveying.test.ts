/** What a survey shows of the run that it looked at, beside what was heard of it and of other runs. */
import { describe, expect, test } from 'vitest';
import { ann, clearStep, missed, rita, run, Scenario } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const well = (runId: string, change = {}) => run('a', runId, { state: 'success', ...change });

describe('the run that it looked at has ended well', () => {
  test('another one has not: its readers are held all the same', () => {
    const s = new Scenario(['a>b']);
    s.fails('a', 'r1');
    s.fails('a', 'r2');
    s.surveyed({ run: well('r2') });
    expect(s.incident().runs.map((r) => [r.runId, r.state])).toEqual([
      ['r1', 'failing'],
      ['r2', 'succeeded'],
    ]);
    expect(s.acts()).toEqual(['pause b']);
    expect(s.history('run.')).toEqual(['run.succeeded a r2 run_succeeded_anyway (airflow)']);
  });

  test('what only its own tasks would have made is not looked at any more', () => {
    const s = new Scenario(['a>b@left', 'a>c@right']);
    s.fails('a', 'r1', { taskId: 'left' });
    s.fails('a', 'r2', { taskId: 'right' });
    s.surveyed({ taskGraph: { dagId: 'a', downstream: { left: [], right: [] } }, run: well('r2') });
    expect(s.holds()).toEqual({ b: 'intended' });
    expect(s.spared()).toEqual({ c: 'not_affected' });
  });

  test('it had healed before: nothing is told twice, and not otherwise', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1');
    s.fails('a', 'r2');
    s.surveyed();
    s.sees({ runs: [run('a', 'r1'), run('a', 'r2')] });
    s.surveyed();
    s.sees({ runs: [well('r2', { startDate: RERUN })] });
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed({ run: well('r2', { startDate: RERUN }) });
    expect(s.incident().runs.map((r) => r.state)).toEqual(['failed', 'healed']);
    expect(s.reasons('run.healed')).toEqual(['healed_outside']);
    expect(s.reasons('run.succeeded')).toEqual([]);
  });

  test('in another attempt than the one that failed: healed, which is no success by trigger rules and wants a word where the policy says so', () => {
    const s = new Scenario(['a>b'], { policy: { verify: { requirePerson: true } } });
    s.fails('a', 'r1');
    s.surveyed({ run: well('r1', { startDate: RERUN }) });
    expect(s.incident()).toMatchObject({ status: 'verifying', statusReason: { code: 'waiting_for_person' } });
    expect(s.history('run.')).toEqual(['run.healed a r1 healed_outside (airflow)']);
  });

  test('after it had ended as failed: healed', () => {
    const s = new Scenario(['a>b']);
    s.fails('a', 'r1', { kind: 'run_failed', taskId: null, runStart: null });
    s.surveyed({ run: well('r1') });
    expect(s.incident()).toMatchObject({ status: 'resolved', runs: [{ state: 'healed' }] });
    expect(s.history('incident.verified')).toEqual(['a healed_outside (firedamper)']);
  });

  test('while a repair of ours runs it again: its step says so, the survey does not end the repair', () => {
    const steps = [clearStep('a', 'r1')];
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    s.planned({ steps }).sent();
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed({ run: well('r1', { startDate: RERUN }) });
    expect(s.repair().state).toBe('running');
    expect(s.incident()).toMatchObject({ status: 'repairing', runs: [{ state: 'failing' }] });
    expect(s.history('run.')).toEqual([]);
    s.sees({ runs: [well('r1', { startDate: RERUN })] });
    expect(s.repair().state).toBe('succeeded');
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual(['unpause b']);
  });

  test('and nothing is left to repair: the repair that runs ends by its own steps', () => {
    const steps = [clearStep('a', 'r1')];
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    s.planned({ steps }).sent();
    s.sees({ goneRuns: [{ dagId: 'a', runId: 'r1' }] });
    s.fails('a', 'r2');
    s.surveyed({ run: well('r2') });
    expect(s.incident()).toMatchObject({
      status: 'repairing',
      releasing: false,
      runs: [{ state: 'gone' }, { state: 'succeeded' }],
    });
    expect(s.repair().state).toBe('running');
  });

  test('and others healed before: the whole is healed, which a person has to confirm where the policy says so', () => {
    const s = new Scenario(['a>b'], { policy: { verify: { requirePerson: true } } }).contained('a', 'r1');
    s.fails('a', 'r2');
    s.sees({ runs: [well('r1', { startDate: RERUN })] });
    s.surveyed({ run: well('r2') });
    expect(s.incident()).toMatchObject({ status: 'verifying', statusReason: { code: 'waiting_for_person' } });
    expect(s.history('incident.verifying')).toEqual(['a healed_outside (firedamper)']);
  });

  test('declared without a run, its readers are looked for as before, also when something of its fallout failed', () => {
    const s = new Scenario(['a~e']);
    const title = 'the totals are wrong';
    s.person(rita, {
      kind: 'declare',
      airflow: 'prod',
      dagId: 'a',
      runId: null,
      title,
      severity: null,
      incidentType: null,
      comment: null,
    });
    s.surveyed().paused();
    s.fails('e', 'waiting', { taskId: 'wait' });
    expect(s.incident().runs).toMatchObject([{ dagId: 'e', role: 'fallout' }]);
    s.learns('a>late');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed();
    expect(s.holds()).toEqual({ e: 'held', late: 'intended' });
  });

  test('the cause is whole again and only its fallout is not: nobody more is held for it', () => {
    const s = new Scenario(['a~e']).contained('a');
    s.fails('e', 'waiting', { taskId: 'wait' });
    s.sees({ runs: [well('r1', { startDate: RERUN })] });
    expect(s.incident().runs.map((r) => [r.role, r.state])).toEqual([
      ['cause', 'healed'],
      ['fallout', 'failing'],
    ]);
    s.learns('a>late');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed({ run: well('r1', { startDate: RERUN }) });
    expect(s.holds()).toEqual({ e: 'held' });
    expect(s.incident().status).toBe('contained');
  });
});
