import { describe, expect, test } from 'vitest';
import { ann, clearStep, missed, missedAsset, rita, run, Scenario, START, vera } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const healed = (dagId: string, runId = 'r1') =>
  run(dagId, runId, { state: 'success', startDate: RERUN, endDate: '2026-11-21T06:11:00.000Z' });

function proposed(policy = {}, edges = ['a>b', 'b>c']): Scenario {
  const s = new Scenario(edges, { policy }).contained('a');
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: 'typo mended' });
  return s.planned({ steps: [clearStep('a', 'r1')] });
}

function approved(s: Scenario, steps = [clearStep('a', 'r1')]): Scenario {
  s.person(ann, { kind: 'approve', repairId: s.repair().id, digest: s.repair().digest ?? '', comment: null });
  return s.planned({ steps }).sent();
}

describe('from fixed to resolved', () => {
  test('each stage in turn, each with its reason, and nothing early', () => {
    const s = proposed();
    expect(s.repair()).toMatchObject({ state: 'proposed', digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(s.acts()).toEqual([]);
    approved(s);
    expect(s.incident().status).toBe('repairing');
    s.sees({ runs: [run('a', 'r1', { state: 'failed' })] });
    expect(s.repair().state).toBe('running');
    s.sees({ runs: [healed('a')] });
    expect(s.repair().state).toBe('succeeded');
    expect(s.incident().status).toBe('verifying');
    const b = missed('b', { missedAssets: [missedAsset('s3://a')] });
    s.releasePlanned([b, missed('c')]);
    expect(s.acts()).toEqual(['unpause b', 'unpause c']);
    expect(s.holds()).toEqual({ b: 'release_intended', c: 'release_intended' });
    s.unpaused().lookedAgain([b]);
    expect(s.acts()).toEqual(['deliver event']);
    s.delivered();
    expect(s.incident().status).toBe('monitoring');
    s.sees({ releasedRuns: [run('b', 'fresh', { state: 'success', queuedAt: s.now, startDate: s.now })] });
    expect(s.incident().status).toBe('monitoring');
    s.sees({ releasedRuns: [run('c', 'fresh', { state: 'success', queuedAt: s.now, startDate: s.now })] });
    expect(s.incident().status).toBe('resolved');
    expect(s.told()).toEqual(['opened', 'held', 'approval', 'resolved']);
  });

  test('nothing is delivered before every held DAG is unpaused', () => {
    const s = approved(proposed());
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] }), missed('c')]);
    const [first] = s.open('unpause_dag');
    s.when({
      type: 'outcome',
      intentId: first?.id ?? '',
      outcome: { result: 'done', facts: { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } } },
    });
    expect(s.acts()).toEqual(['unpause c']);
  });
});

describe('a plan that waits for the end of a run', () => {
  const waits = (s: Scenario) => {
    const [intent] = s.open('plan_repair');
    s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome: { result: 'not_yet', why: 'run r1 of a still goes on' } });
  };
  test('says so once, is asked again without end, and is proposed then', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    for (let time = 0; time < 30; time++) waits(s);
    expect(s.repair()).toMatchObject({ state: 'planning', stateReason: { code: 'plan_waits' } });
    expect(s.reasons('repair.waiting')).toEqual(['plan_waits']);
    expect((s.open('plan_repair')[0]?.dueAt ?? '') > s.now).toBe(true);
    s.planned({ steps: [clearStep('a', 'r1')] });
    expect(s.repair().state).toBe('proposed');
  });
});

describe('approval', () => {
  const yes =
    (s: Scenario, digest = s.repair().digest ?? '') =>
    () =>
      s.person(ann, { kind: 'approve', repairId: 'rep-1', digest, comment: null });

  test('of another digest is a conflict that names the difference, and changes nothing', () => {
    const s = proposed();
    expect(yes(s, 'f'.repeat(64))).toThrow(
      expect.objectContaining({
        kind: 'conflict',
        detail: expect.objectContaining({ reason: 'digest_mismatch', difference: expect.any(Array) }),
      }),
    );
    expect(s.repair().state).toBe('proposed');
  });

  test('of an older plan says what is different now', () => {
    const s = proposed();
    const old = s.repair().digest ?? '';
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps: [clearStep('a', 'r1'), clearStep('a', 'r2', 2)] });
    try {
      s.person(ann, { kind: 'approve', repairId: 'rep-2', digest: old, comment: null });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ kind: 'conflict', detail: { difference: [expect.stringContaining('now runs: a r2')] } });
    }
  });

  test('by a viewer or a responder is forbidden', () => {
    const s = proposed();
    for (const who of [vera, rita]) {
      expect(() => s.person(who, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null })).toThrow(
        expect.objectContaining({ kind: 'forbidden' }),
      );
    }
  });

  const self = { ...ann, name: 'rita' };
  test('by the person who marked it fixed is forbidden, unless the policy allows it, and then it is said', () => {
    const approve = (s: Scenario) => () =>
      s.person(self, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    expect(approve(proposed())).toThrow(expect.objectContaining({ kind: 'forbidden', detail: { reason: 'self_approval' } }));
    const lax = proposed({ repair: { allowSelfApproval: true } });
    approve(lax)();
    expect(lax.reasons('repair.approved')).toEqual(['self_approved']);
  });

  test('after its time is refused, and the plan lapses', () => {
    const s = proposed().later(1_800_000);
    expect(yes(s)).toThrow(
      expect.objectContaining({ kind: 'conflict', detail: expect.objectContaining({ reason: 'approval_expired' }) }),
    );
    s.when({ type: 'tick' });
    expect(s.repair()).toMatchObject({ state: 'lapsed', stateReason: { code: 'approval_expired' } });
  });

  test('is single use', () => {
    const s = proposed();
    yes(s)();
    expect(yes(s)).toThrow(expect.objectContaining({ kind: 'conflict' }));
    expect(s.open('plan_repair')).toHaveLength(1);
  });

  test('lapses when what would run has changed by the time it starts, and says how', () => {
    const s = proposed();
    yes(s)();
    s.planned({ steps: [] });
    expect(s.repair()).toMatchObject({
      state: 'lapsed',
      stateReason: { code: 'plan_changed', detail: { what: expect.stringContaining('no longer runs: a r1') } },
    });
    expect(s.acts()).toEqual([]);
    expect(s.incident().status).toBe('contained');
  });

  test('an attempt that somebody began meanwhile is another plan, though the tasks are the same', () => {
    const s = proposed();
    yes(s)();
    const step = clearStep('a', 'r1');
    s.planned({ steps: [{ ...step, runs: step.runs.map((r) => ({ ...r, startBefore: RERUN })) }] });
    expect(s.repair().state).toBe('lapsed');
  });

  test('in shadow mode runs nothing', () => {
    const s = new Scenario(['a>b'], { policy: { mode: 'shadow' } });
    s.fails('a');
    s.surveyed();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps: [clearStep('a', 'r1')] });
    yes(s)();
    expect(s.repair()).toMatchObject({ state: 'cancelled', stateReason: { code: 'shadow_mode' } });
    expect(s.acts()).toEqual([]);
    s.sees({ runs: [healed('a')] });
    expect(s.incident().status).toBe('resolved');
    expect(s.acts()).toEqual([]);
  });

  describe('the kill switch: shadow mode after an incident was opened armed', () => {
    test.each<[string, (s: Scenario) => void]>([
      ['an approval runs nothing', (s) => yes(s.restarts('shadow'))()],
      [
        'nor does one that was given before',
        (s) => {
          yes(s)();
          s.restarts('shadow').planned({ steps: [clearStep('a', 'r1')] });
        },
      ],
    ])('%s', (_what, approve) => {
      const s = proposed();
      approve(s);
      expect(s.repair()).toMatchObject({ state: 'cancelled', stateReason: { code: 'shadow_mode' } });
      expect(s.open('plan_repair')).toEqual([]);
      expect(s.acts()).toEqual([]);
      expect(s.incident().status).toBe('contained');
    });

    test('a repair that runs is ended as it was begun', () => {
      const steps = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2, { wave: 1 })];
      const s = new Scenario(['a>b']).contained('a');
      s.fails('a', 'r2');
      s.surveyed();
      s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
      s.planned({ steps });
      yes(s)();
      s.planned({ steps }).sent().restarts('shadow');
      s.sees({ runs: [healed('a')] });
      expect(s.acts()).toEqual(['step 2']);
    });
  });
});

describe('the fix was none', () => {
  test('the repair fails, the holds stay, people are told, and a second one can be proposed', () => {
    const s = approved(proposed());
    s.sees({ runs: [run('a', 'r1', { startDate: RERUN })] });
    expect(s.repair()).toMatchObject({ state: 'failed', stateReason: { code: 'repair_failed' } });
    expect(s.incident().status).toBe('contained');
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
    expect(s.acts()).toEqual([]);
    expect(s.told()).toContain('failed');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: 'really' });
    expect(s.repair()).toMatchObject({ id: 'rep-2', state: 'planning' });
  });

  test('a run that its own step made whole counts as repaired, also where another step failed', () => {
    const steps = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2)];
    const s = new Scenario(['a>b']).contained('a', 'r1');
    s.fails('a', 'r2');
    s.surveyed();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    approved(s.planned({ steps }), steps);
    s.sees({ runs: [healed('a', 'r1'), run('a', 'r2', { startDate: RERUN })] });
    expect(s.repair().state).toBe('failed');
    expect(s.incident().runs).toMatchObject([
      { runId: 'r1', state: 'healed' },
      { runId: 'r2', state: 'failed' },
    ]);
    s.sees({ runs: [healed('a', 'r1'), run('a', 'r2', { startDate: RERUN })] });
    expect(s.timeline.filter((t) => t.reason.code === 'healed_outside')).toEqual([]);
  });

  test('the old failure, still shown by REST after the clear, is not a new one', () => {
    const s = approved(proposed());
    s.sees({ runs: [run('a', 'r1')] });
    expect(s.repair().state).toBe('running');
  });
});

describe('a range', () => {
  const steps = ['r1', 'r2', 'r3'].map((id, i) =>
    clearStep('a', id, i + 1, { wave: i === 0 ? 0 : 1, stage: i === 0 ? 'canary' : 'rest' }),
  );
  function ranged(): Scenario {
    const s = new Scenario(['a>b']).contained('a', 'r1');
    s.fails('a', 'r2');
    s.fails('a', 'r3');
    s.surveyed();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    return s.planned({ steps });
  }

  test('the canary goes first, the rest after it, at most so many at once', () => {
    const s = ranged();
    expect(s.acts()).toEqual(['step 1']);
    s.sent();
    s.sees({ runs: [healed('a', 'r1')] });
    expect(s.acts()).toEqual(['step 2', 'step 3']);
    s.sent();
    s.sees({ runs: [healed('a', 'r2'), healed('a', 'r3')] });
    expect(s.repair().state).toBe('succeeded');
  });

  test('an interval that Airflow filled by itself meanwhile counts by its date', () => {
    const day = '2026-11-20T00:00:00.000Z';
    const request = {
      kind: 'create_run',
      runId: 'firedamper__1',
      logicalDate: day,
      intervalStart: day,
      intervalEnd: START,
    } as const;
    const made = clearStep('a', 'x', 1, {
      request,
      runs: [{ runId: 'firedamper__1', logicalDate: day, startBefore: null, tasks: [] }],
    });
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps: [made] });
    approved(s, [made]);
    s.sees({ runs: [run('a', 'scheduled__1', { state: 'success', logicalDate: day, startDate: RERUN })] });
    expect(s.repair().state).toBe('succeeded');
  });

  test('a failing canary stops the rest', () => {
    const s = ranged().sent();
    s.sees({ runs: [run('a', 'r1', { startDate: RERUN })] });
    expect(s.repair().steps.map((x) => x.state)).toEqual(['failed', 'skipped', 'skipped']);
    expect(s.repair().steps[1]?.reason?.code).toBe('canary_failed');
    expect(s.acts()).toEqual([]);
  });

  test('a failure that came while the repair ran keeps the holds', () => {
    const s = ranged().sent();
    s.fails('a', 'r4', { kind: 'run_failed', taskId: null });
    for (const id of ['r1', 'r2', 'r3']) {
      s.sees({ runs: [healed('a', id)] });
      s.sent();
    }
    s.sees({ runs: [healed('a', 'r2'), healed('a', 'r3')] });
    expect(s.repair().state).toBe('succeeded');
    expect(s.incident()).toMatchObject({
      status: 'contained',
      statusReason: { detail: { what: expect.stringContaining('r4') } },
    });
    expect(s.holds()).toEqual({ b: 'held' });
  });
});

describe('without a repair of ours', () => {
  test('healed by hand: noticed, verified, released by the same path, and the history says who did not do it', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [run('a', 'r1')] });
    s.sees({ runs: [run('a', 'r1', { state: 'running', startDate: RERUN, endDate: null })] });
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.incident().status).toBe('resolved');
    expect(s.reasons('run.rerunning')).toEqual(['rerun_outside']);
    expect(s.reasons('run.healed')).toEqual(['healed_outside']);
  });

  test('a task failed but the run succeeded all the same: released at once, with that reason', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.incident().status).toBe('resolved');
    expect(s.reasons('incident.verified')).toEqual(['run_succeeded_anyway']);
  });

  test('a callback that comes late, when the run has long succeeded, holds nothing', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed({ run: run('a', 'r1', { state: 'success' }) });
    expect(s.acts()).toEqual([]);
    expect(s.incident()).toMatchObject({ status: 'resolved' });
  });

  test('a run that still shows as running proves nothing: held', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed({ run: run('a', 'r1', { state: 'running', endDate: null }) });
    expect(s.acts()).toEqual(['pause b']);
  });

  test('a later run heals only where the DAG rebuilds everything each time', () => {
    const later = run('a', 'r9', { state: 'success', startDate: '2026-11-21T07:00:00.000Z' });
    const strict = new Scenario(['a>b']).contained('a');
    strict.sees({ runs: [later] });
    expect(strict.incident().status).toBe('contained');
    const lax = new Scenario(['a>b'], { policy: { repair: { latestHeals: true } } }).contained('a');
    lax.sees({ runs: [later] });
    expect(lax.reasons('incident.verified')).toEqual(['later_run_heals']);
  });

  test('the same cause again after the release reopens the incident, and holds anew', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]).unpaused();
    s.later(60_000).fails('a', 'r2');
    s.surveyed();
    expect(s.state.incidents).toHaveLength(1);
    expect(s.incident().status).toBe('open');
    expect(s.acts()).toEqual(['pause b']);
  });
});

describe('a person decides', () => {
  test('release before verification needs the role and a reason', () => {
    const s = new Scenario(['a>b']).contained('a');
    expect(() => s.person(rita, { kind: 'release', incidentId: 'inc-1', comment: 'x' })).toThrow(
      expect.objectContaining({ kind: 'forbidden' }),
    );
    expect(() => s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: ' ' })).toThrow(
      expect.objectContaining({ kind: 'invalid' }),
    );
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'the report is needed now' });
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual(['unpause b']);
  });

  test('confirm mode waits for a person after the verification', () => {
    const s = approved(proposed({ release: { mode: 'confirm' } }));
    s.sees({ runs: [healed('a')] });
    expect(s.incident()).toMatchObject({ status: 'verifying', statusReason: { code: 'release_waits' } });
    expect(s.open('plan_release')).toEqual([]);
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'looks right' });
    expect(s.open('plan_release')).toHaveLength(1);
  });

  test('where the policy wants a word, the runs alone release nothing', () => {
    const s = approved(proposed({ verify: { requirePerson: true } }));
    s.sees({ runs: [healed('a')] });
    expect(s.incident()).toMatchObject({ status: 'verifying', statusReason: { code: 'waiting_for_person' } });
    s.person(rita, { kind: 'verify', incidentId: 'inc-1', comment: 'counts match' });
    expect(s.open('plan_release')).toHaveLength(1);
  });

  test('dismissing lets go of the holds', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.incident().status).toBe('dismissed');
    expect(s.holds()).toEqual({ b: 'released' });
  });
});
