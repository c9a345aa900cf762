/** What a look at Airflow changes about the runs of an incident. */
import { describe, expect, test } from 'vitest';
import { ann, clearStep, dag, rita, run, Scenario, START } from './scenario.ts';

const FIRST = '2026-11-21T05:59:00.000Z';
const RERUN = '2026-11-21T06:10:00.000Z';
const AGAIN = '2026-11-21T07:00:00.000Z';
const failing = (change = {}) => {
  const s = new Scenario(['a>b']);
  s.fails('a', 'r1', change);
  return s.surveyed().paused();
};
const failed = () => failing({ kind: 'run_failed', taskId: null });
const states = (s: Scenario) => s.incident().runs.map((r) => r.state);

describe('a run that had a failed task', () => {
  test('still goes on: nothing, but its start is kept where it was not known', () => {
    const s = failing({ runStart: null });
    s.sees({ runs: [run('a', 'r1', { state: 'queued', startDate: null })] });
    expect(s.incident().runs[0]?.runStart).toBeNull();
    s.sees({ runs: [run('a', 'r1', { state: 'running' })] });
    expect(s.incident().runs[0]).toMatchObject({ state: 'failing', runStart: FIRST });
    s.sees({ runs: [run('a', 'r1', { state: 'running', startDate: RERUN })] });
    expect(s.incident().runs[0]).toMatchObject({ state: 'failing', runStart: FIRST });
    expect(s.history('run.')).toEqual([]);
  });

  test('ended as failed: said once, and containment looks again', () => {
    const s = failing();
    s.sees({ runs: [run('a', 'r1')] });
    expect(s.history('run.')).toEqual(['run.failed a r1 run_failed run=r1 (airflow)']);
    expect(s.open('survey')).toHaveLength(1);
    s.surveyed();
    s.sees({ runs: [run('a', 'r1')] });
    expect(s.history('run.')).toHaveLength(1);
    expect(s.open('survey')).toEqual([]);
  });

  test.each([
    [FIRST, 'succeeded', 'run.succeeded a r1 run_succeeded_anyway (airflow)'],
    [RERUN, 'healed', 'run.healed a r1 healed_outside (airflow)'],
  ])('succeeded in the attempt of %s: %s', (startDate, state, line) => {
    const s = failing();
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate })] });
    expect(states(s)).toEqual([state]);
    expect(s.history('run.')).toEqual([line]);
    expect(s.incident().statusReason.code).toBe(state === 'succeeded' ? 'run_succeeded_anyway' : 'healed_outside');
  });

  test('whose start is not known succeeded in the same attempt, as far as anybody knows', () => {
    const s = new Scenario(['a>b']);
    s.fails('a', 'r1', { runStart: null });
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    expect(states(s)).toEqual(['succeeded']);
  });
});

describe('a run that had failed', () => {
  test('seen again as it was: its start is kept, and nothing is told', () => {
    const s = new Scenario(['a>b']);
    s.fails('a', 'r1', { kind: 'run_failed', taskId: null, runStart: null, runType: null });
    s.surveyed();
    s.sees({ runs: [run('a', 'r1', { logicalDate: START })] });
    expect(s.incident().runs[0]).toMatchObject({ state: 'failed', runStart: FIRST, runType: 'manual', logicalDate: START });
    expect(s.history('run.')).toEqual([]);
    expect(s.open('survey')).toEqual([]);
    s.sees({ runs: [run('a', 'r1', { runType: 'x', logicalDate: RERUN })] });
    expect(s.incident().runs[0]).toMatchObject({ runType: 'manual', logicalDate: START });
  });

  test('in the same attempt it is not running again, whatever REST shows', () => {
    const s = failed();
    s.sees({ runs: [run('a', 'r1', { state: 'running' })] });
    expect(states(s)).toEqual(['failed']);
  });

  test('runs again, fails again, runs again and heals: each told once', () => {
    const s = failed();
    const at = (state: 'running' | 'failed' | 'success', startDate: string) => {
      s.sees({ runs: [run('a', 'r1', { state, startDate })] });
      s.sees({ runs: [run('a', 'r1', { state, startDate })] });
    };
    at('running', RERUN);
    expect(s.incident().runs[0]).toMatchObject({ state: 'rerunning', runStart: FIRST });
    at('failed', RERUN);
    expect(s.incident().runs[0]).toMatchObject({ state: 'failed', runStart: RERUN });
    s.surveyed();
    at('running', AGAIN);
    at('success', AGAIN);
    expect(s.history('run.')).toEqual([
      'run.rerunning a r1 rerun_outside (airflow)',
      'run.failed a r1 run_failed run=r1 (airflow)',
      'run.rerunning a r1 rerun_outside (airflow)',
      'run.healed a r1 healed_outside (airflow)',
    ]);
    expect(s.incident().releasing).toBe(true);
  });

  test('a run of the fallout that fails again asks for no survey', () => {
    const s = new Scenario(['a~e']).contained('a');
    s.fails('e', 'w', { taskId: 'wait' });
    s.sees({ runs: [run('e', 'w')] });
    expect(s.incident().runs.at(-1)).toMatchObject({ role: 'fallout', state: 'failed' });
    expect(s.open('survey')).toEqual([]);
  });

  test('what is whole moves no more', () => {
    const s = new Scenario(['a>b']);
    for (const id of ['r1', 'r2', 'r3', 'r4']) s.fails('a', id);
    s.surveyed().paused();
    s.sees({
      runs: [run('a', 'r1', { state: 'success' }), run('a', 'r2', { state: 'success', startDate: RERUN })],
      goneRuns: [{ dagId: 'a', runId: 'r3' }],
    });
    const before = states(s);
    expect(before).toEqual(['succeeded', 'healed', 'gone', 'failing']);
    s.sees({ runs: ['r1', 'r2', 'r3'].map((id) => run('a', id, { startDate: START })) });
    expect(states(s)).toEqual(before);
  });

  test('gone from Airflow: told, and whole; only when it is this one', () => {
    const s = failed();
    s.sees({
      goneRuns: [
        { dagId: 'a', runId: 'r2' },
        { dagId: 'z', runId: 'r1' },
      ],
    });
    expect(states(s)).toEqual(['failed']);
    s.sees({ goneRuns: [{ dagId: 'a', runId: 'r1' }] });
    expect(s.history('run.')).toEqual(['run.gone a r1 run_gone (airflow)']);
    expect(s.incident().releasing).toBe(true);
    expect(s.history('incident.verified')).toEqual(['a healed_outside (firedamper)']);
  });

  test('runs of other DAGs, other names and other Airflows are none of it', () => {
    const s = failed();
    s.sees({
      runs: [run('z', 'r1', { state: 'success', startDate: RERUN }), run('a', 'r2', { state: 'success', startDate: RERUN })],
    });
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: RERUN })] }, 'dev');
    expect(states(s)).toEqual(['failed']);
    expect(s.incident().status).toBe('contained');
  });
});

describe('whole again', () => {
  test('only when every run is', () => {
    const s = failing();
    s.fails('a', 'r2');
    s.surveyed();
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    expect(s.incident().status).toBe('contained');
    s.sees({ runs: [run('a', 'r2', { state: 'success', startDate: RERUN })] });
    expect(s.history('incident.verified')).toEqual(['a healed_outside (firedamper)']);
  });

  test('a declared incident without runs is never whole by itself', () => {
    const s = new Scenario(['a>b']);
    const act = {
      kind: 'declare',
      airflow: 'prod',
      dagId: 'a',
      runId: null,
      title: 'x',
      severity: null,
      incidentType: null,
      comment: null,
    } as const;
    s.person(rita, act);
    s.surveyed().paused();
    s.sees({});
    expect(s.incident().status).toBe('contained');
  });

  test('is verified once, also where a person is waited for', () => {
    const s = new Scenario(['a>b'], { policy: { release: { mode: 'confirm' } } }).contained('a');
    const seen = { runs: [run('a', 'r1', { state: 'success' as const, startDate: RERUN })] };
    s.sees(seen);
    s.sees(seen);
    expect(s.history('incident.verified')).toHaveLength(1);
  });

  test('not by our own repair before it has ended', () => {
    const steps = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2, { wave: 1 })];
    const s = failing();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    s.planned({ steps }).sent();
    s.sees({ runs: [run('a', 'r1', { state: 'running', startDate: RERUN })] });
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: RERUN })] });
    expect(s.history('run.')).toEqual([]);
    expect(s.incident().status).toBe('repairing');
    expect(states(s)).toEqual(['failing']);
  });

  test('what a repair of ours runs again is not told as done by others; what waits for its turn is', () => {
    const steps = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2, { wave: 1 })];
    const s = new Scenario(['a>b']);
    for (const id of ['r1', 'r2']) s.fails('a', id, { kind: 'run_failed', taskId: null, key: id });
    s.surveyed().paused();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    s.planned({ steps }).sent();
    s.sees({ runs: ['r1', 'r2'].map((id) => run('a', id, { state: 'running', startDate: RERUN })) });
    expect(s.history('run.')).toEqual(['run.rerunning a r2 rerun_outside (airflow)']);
    expect(states(s)).toEqual(['rerunning', 'rerunning']);
  });
});

describe('a later run', () => {
  const later = (change = {}) => run('a', 'r9', { state: 'success', startDate: '2026-11-21T07:00:00.000Z', ...change });
  const tagged = () => new Scenario(['a>b'], { dags: [dag('a', { tags: ['firedamper:latest-heals'] })] }).contained('a');

  test('heals a DAG that is tagged so, and says which run it was', () => {
    const s = tagged();
    s.sees({ runs: [later()] });
    expect(s.history('run.healed')).toEqual(['a r9 later_run_heals (airflow)']);
    expect(s.history('incident.verified')).toEqual(['a later_run_heals (firedamper)']);
    expect(states(s)).toEqual(['healed']);
  });

  test.each([
    ['of another DAG', { dagId: 'z' }],
    ['that failed', { state: 'failed' }],
    ['that never started', { startDate: null }],
    ['that started before the failure', { startDate: '2026-11-21T05:59:30.000Z' }],
  ])('%s does not', (_what, change) => {
    const s = tagged();
    s.sees({ runs: [later(change)] });
    expect(states(s)).toEqual(['failing']);
  });

  test('than the last of several failures; the fallout does not heal with it', () => {
    const s = new Scenario(['a~e'], { policy: { repair: { latestHeals: true } } }).contained('a');
    s.later(3_600_000);
    s.fails('a', 'r2', { occurredAt: '2026-11-21T06:59:59.999Z' });
    s.fails('e', 'w', { taskId: 'wait' });
    s.surveyed().paused();
    s.sees({ runs: [later({ startDate: '2026-11-21T06:59:59.999Z' })] });
    expect(states(s)).toEqual(['failing', 'failing', 'failing']);
    s.sees({ runs: [later()] });
    expect(states(s)).toEqual(['healed', 'healed', 'failing']);
    expect(s.incident().releasing).toBe(false);
    s.sees({ runs: [later()] });
    expect(s.reasons('run.healed'), 'told once, however often it is looked at').toEqual(['later_run_heals']);
    s.sees({ runs: [run('e', 'w', { state: 'success', startDate: RERUN })] });
    expect(s.history('incident.verified')).toEqual(['a healed_outside (firedamper)']);
  });

  test('heals in an outage its own DAG alone, the one that it is named after or another', () => {
    const policy = { repair: { latestHeals: true }, platform: { massFailureDags: 2, windowMs: 60_000 } };
    const s = new Scenario([], { policy });
    for (const dagId of ['q', 'a', 'y', 'z']) s.fails(dagId, 'r1', { kind: 'run_failed', taskId: null });
    const outage = () => s.incident(1);
    expect(outage()).toMatchObject({ type: 'platform', dagId: 'a' });
    s.person(rita, { kind: 'fixed', incidentId: outage().id, comment: null });
    s.planned({ steps: [clearStep('y', 'r1')] });
    s.sees({ runs: [later()] });
    expect(outage().runs.map((r) => `${r.dagId} ${r.state}`)).toEqual(['a healed', 'y failed', 'z failed']);
    expect(outage()).toMatchObject({ status: 'contained', releasing: false });
    expect(s.repair().state).toBe('proposed');
    s.sees({ runs: [later({ dagId: 'z' }), later({ dagId: 'y' })] });
    expect(s.history('run.healed')).toEqual(['a', 'y', 'z'].map((d) => `${d} r9 later_run_heals (airflow)`));
    expect(outage().status).toBe('resolved');
  });

  test('of an outage: the tag of each DAG counts for itself', () => {
    const policy = { platform: { massFailureDags: 2, windowMs: 60_000 } };
    const s = new Scenario([], { policy, dags: [dag('y', { tags: ['firedamper:latest-heals'] })] });
    for (const dagId of ['q', 'a', 'y']) s.fails(dagId, 'r1');
    s.sees({ runs: [later(), later({ dagId: 'y' })] });
    expect(s.incident(1).runs.map((r) => `${r.dagId} ${r.state}`)).toEqual(['a failing', 'y healed']);
  });

  test('says nothing of an incident that was declared without a run', () => {
    const s = new Scenario(['a>b'], { policy: { repair: { latestHeals: true } } });
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
    s.sees({ runs: [later()] });
    expect(s.history('run.')).toEqual([]);
    expect(s.incident().status).toBe('contained');
  });
});

describe('a DAG that we hold is deleted in Airflow', () => {
  const gone = (s: Scenario, op = s.opOf('b')) => s.sees({ goneDags: [{ dagId: 'b', op }] });

  test('its hold ends, and one that is created anew under its name is nobody’s: what is paused then is not let go', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    gone(s);
    expect(s.holds()).toEqual({ b: 'released', c: 'held' });
    expect(s.ownership('b')?.state).toBe('none');
    expect(s.history('hold.released')).toEqual(['b dag_gone (firedamper)']);
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause c']);
  });

  const back = (s: Scenario, paused = false) => s.sees({ paused: [{ dagId: 'b', paused, who: null }] });

  test('deployed again while the cause stands, it is held again, and let go as any other', () => {
    const s = new Scenario(['a>b']).contained('a');
    gone(s);
    expect(s.holds()).toEqual({ b: 'released' });
    back(s);
    expect(s.open('survey')).toHaveLength(1);
    s.surveyed();
    expect(s.acts()).toEqual(['pause b']);
    s.paused();
    expect(s.holds()).toEqual({ b: 'held' });
    back(s, true);
    expect([s.open('survey'), s.acts()]).toEqual([[], []]);
  });

  test('deployed again as Airflow makes what is new, paused, it counts as paused by somebody', () => {
    const s = new Scenario(['a>b'], { dags: [dag('b')] }).contained('a');
    gone(s);
    back(s, true);
    s.surveyed({ dags: [dag('b', { paused: true })] });
    expect([s.holds(), s.acts()]).toEqual([{ b: 'foreign' }, []]);
  });

  test('at the next survey still away, it is not paused once more', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    gone(s);
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed({ dags: [dag('a'), dag('c', { paused: true })], unknown: ['b'] });
    expect([s.holds(), s.acts()]).toEqual([{ b: 'released', c: 'held' }, []]);
  });

  test('which was found only when it was to be paused, it is held when it comes back', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'gone' } });
    back(s);
    s.surveyed().paused();
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('one that a person let go by name stays theirs when it comes back', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    const hold = s.state.holds.find((h) => h.dagId === 'b');
    s.person(ann, { kind: 'release_hold', holdId: hold?.id ?? '', comment: 'it may run' });
    s.releasePlanned();
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'gone' } });
    expect(s.holds()).toEqual({ b: 'released', c: 'held' });
    back(s);
    expect([s.open('survey'), s.acts()]).toEqual([[], []]);
  });

  test.each<[string, (s: Scenario) => void]>([
    ['the links reach no more', (s) => s.forgets('a>b')],
    ['is to be left alone by now', () => undefined],
  ])('one that %s is asked about once at most, not at each look', (_, change) => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    gone(s);
    change(s);
    back(s);
    s.surveyed({ dags: [dag('a'), dag('b', { tags: ['firedamper:never'] }), dag('c', { paused: true })] });
    back(s);
    expect([s.holds(), s.open('survey'), s.acts()]).toEqual([{ b: 'released', c: 'held' }, [], []]);
  });

  test('a look that began before it was held anew says nothing of it', () => {
    const s = new Scenario(['a>b']).contained('a');
    gone(s, 'fd-older');
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('what nothing of ours holds is no news', () => {
    const s = new Scenario(['a>b']);
    gone(s);
    expect(s.state.ownerships).toEqual([]);
  });
});
