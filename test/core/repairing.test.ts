/** A plan, its steps, and the runs that move them. */
import { describe, expect, test } from 'vitest';
import type { Step } from '../../src/core/plan.ts';
import { ann, clearStep, missed, rita, run, Scenario, START } from './scenario.ts';

const FIRST = '2026-11-21T05:59:00.000Z';
const RERUN = '2026-11-21T06:10:00.000Z';
const DAY = '2026-11-20T00:00:00.000Z';
const well = (runId = 'r1', dagId = 'a') => run(dagId, runId, { state: 'success', startDate: RERUN });
const again = (runId = 'r1', change = {}) => run('a', runId, { startDate: RERUN, ...change });

function planning(policy = {}, runs = ['r1']): Scenario {
  const s = new Scenario(['a>b'], { policy });
  for (const r of runs) s.fails('a', r);
  s.surveyed().paused();
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  return s;
}
function approved(steps: readonly Step[], policy = {}, runs = ['r1']): Scenario {
  const s = planning(policy, runs).planned({ steps });
  s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  return s;
}
const started = (steps: readonly Step[], policy = {}, runs = ['r1']) => approved(steps, policy, runs).planned({ steps });
const many = (n: number, change: (i: number) => Partial<Step> = () => ({})) =>
  Array.from({ length: n }, (_, i) => clearStep('a', `r${i + 1}`, i + 1, change(i)));
const states = (s: Scenario) => s.repair().steps.map((x) => x.state);

describe('a plan', () => {
  test('is asked for, with who asked, and is nothing yet', () => {
    const s = planning();
    expect(s.repair()).toEqual({
      id: 'rep-1',
      incidentId: 'inc-1',
      airflow: 'prod',
      state: 'planning',
      stateReason: { code: 'planning', detail: {} },
      steps: [],
      digest: null,
      warnings: [],
      requestedBy: 'rita',
      createdAt: s.now,
      expiresAt: null,
      approval: null,
      endedAt: null,
      stuckTold: false,
    });
    expect(s.history('repair.planning')).toEqual(['rep-1 planning (firedamper)']);
    expect(s.open('plan_repair').map((i) => i.act)).toEqual([{ kind: 'plan_repair', airflow: 'prod', repairId: 'rep-1' }]);
  });

  test('is proposed with its warnings and its end, and people are asked', () => {
    const s = planning()
      .later(5_000)
      .planned({ steps: many(1), warnings: ['a hole in March'] });
    expect(s.repair()).toMatchObject({
      state: 'proposed',
      steps: many(1),
      warnings: ['a hole in March'],
      expiresAt: '2026-11-21T06:30:05.000Z',
      stateReason: { code: 'proposed' },
    });
    expect(s.history('repair.proposed')).toEqual(['rep-1 proposed (firedamper)']);
    expect(s.notices()).toContain('approval rep-1');
  });

  test('with nothing in it has failed, with its warnings, and nobody is asked', () => {
    const s = planning().planned({ warnings: ['the run is gone'] });
    expect(s.repair()).toMatchObject({ state: 'failed', warnings: ['the run is gone'], digest: null });
    expect(s.history('repair.failed')).toEqual(['rep-1 nothing_to_repair (firedamper)']);
    expect(s.told()).not.toContain('approval');
  });

  test.each([
    ['planning', 'cancelled', (s: Scenario) => s],
    ['proposed', 'lapsed', (s: Scenario) => s.planned({ steps: many(1) })],
  ])('asked for again while one is %s: the first is %s', (_state, after, given) => {
    const s = given(planning());
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    expect(s.history(`repair.${after}`)).toEqual(['rep-1 superseded (firedamper)']);
    expect(s.state.repairs.map((r) => r.state)).toEqual([after, 'planning']);
    s.planned({ steps: many(1) });
    expect(s.state.repairs.map((r) => r.state)).toEqual([after, 'proposed']);
  });

  test.each([
    ['approved', () => approved(many(1))],
    ['running', () => started(many(1))],
  ])('asked for again while one is %s is a conflict', (state, given) => {
    const s = given();
    expect(s.refusal(() => s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null }))).toMatchObject({
      kind: 'conflict',
      message: `repair rep-1 is ${state}; cancel it before asking for another`,
      detail: { repair: 'rep-1' },
    });
  });

  test('that Airflow refuses after the yes has lapsed', () => {
    const s = approved(many(1)).refused('plan_repair');
    expect(s.history('repair.lapsed')).toEqual(['rep-1 plan_failed error=Forbidden (firedamper)']);
    expect(s.notices()).toContain('failed rep-1');
  });

  test('whose answer comes when it is over changes nothing', () => {
    const s = planning();
    s.person(ann, { kind: 'cancel', repairId: 'rep-1', comment: 'no' });
    s.refused('plan_repair');
    expect(s.repair().state).toBe('cancelled');
    const gone = planning();
    gone.state = { ...gone.state, repairs: [] };
    gone.planned({ steps: many(1) });
    expect(gone.state.repairs).toEqual([]);
    const lost = planning();
    lost.state = { ...lost.state, repairs: [] };
    lost.refused('plan_repair');
    expect(lost.state.repairs).toEqual([]);
  });
});

describe('its steps', () => {
  test('start with a reason and a time, and are sent as one act each', () => {
    const s = started(many(1));
    expect(s.repair().steps[0]).toMatchObject({ state: 'sending', startedAt: s.now, reason: { code: 'step_started' } });
    expect(s.history('step.started')).toEqual(['clear a r1 step_started (firedamper)']);
    expect(s.open('repair_step').map((i) => i.act)).toEqual([
      { kind: 'repair_step', airflow: 'prod', repairId: 'rep-1', step: 1 },
    ]);
    s.sent();
    expect(s.repair().steps[0]).toMatchObject({
      state: 'running',
      progress: [{ runId: 'r1', logicalDate: null, state: 'waiting' }],
    });
    expect(s.history('step.settled')).toEqual([]);
  });

  test.each([1, 2, 3])('at most %d at once, the next one when one has ended', (max) => {
    const s = started(many(4), { repair: { maxActiveRuns: max } }).sent();
    expect(states(s).filter((x) => x === 'running')).toHaveLength(max);
    s.sees({ runs: [well('r1')] });
    expect(states(s).filter((x) => x === 'running' || x === 'sending')).toHaveLength(max);
    expect(states(s)[0]).toBe('succeeded');
    expect(s.acts()).toEqual([`step ${max + 1}`]);
  });

  test('of the next wave wait for all of this one', () => {
    const s = started(many(4, (i) => ({ wave: i < 2 ? 0 : 5 }))).sent();
    expect(states(s)).toEqual(['running', 'running', 'waiting', 'waiting']);
    s.sees({ runs: [well('r2')] });
    expect(states(s)).toEqual(['running', 'succeeded', 'waiting', 'waiting']);
    s.sees({ runs: [well('r1')] });
    expect(s.acts()).toEqual(['step 3', 'step 4']);
  });

  test('are named by what they do', () => {
    const request = { kind: 'backfill', from: DAY, to: START, reprocess: 'failed', maxActiveRuns: 3 } as const;
    const s = started([clearStep('a', 'r1', 1, { stage: 'canary' }), clearStep('z', 'r1', 2, { request })]);
    expect(s.history('step.started')).toEqual([
      'clear a r1 (canary) step_started (firedamper)',
      `backfill z ${DAY} to ${START} step_started (firedamper)`,
    ]);
  });

  test('found done after a lost answer is said', () => {
    const s = started(many(1));
    s.answer('repair_step', { kind: 'repair_step', step: 1, settled: 'found_done' });
    expect(s.history('step.settled')).toEqual(['clear a r1 step_settled_done (firedamper)']);
    expect(states(s)).toEqual(['running']);
  });

  test('an answer or a refusal for one that is not being sent changes nothing', () => {
    const s = started(many(1));
    const [intent] = s.open('repair_step');
    s.sent();
    if (intent) s.state = { ...s.state, intents: [...s.state.intents, { ...intent, id: 'int-late' }] };
    s.refused('repair_step');
    expect(states(s)).toEqual(['running']);
    s.sees({ runs: [well()] });
    if (intent) s.state = { ...s.state, intents: [...s.state.intents, { ...intent, id: 'int-later' }] };
    s.sent();
    expect(states(s)).toEqual(['succeeded']);
    if (intent)
      s.state = {
        ...s.state,
        repairs: [],
        intents: [...s.state.intents, { ...intent, id: 'int-1000' }, { ...intent, id: 'int-1001' }],
      };
    const [one] = s.open('repair_step');
    s.when({ type: 'outcome', intentId: one?.id ?? '', outcome: { result: 'failed', error: 'x', retry: false } });
    s.sent();
    expect(s.state.repairs).toEqual([]);
  });
});

describe('runs move them', () => {
  test('only in another attempt than the one that failed, and step by step', () => {
    const s = started(many(1)).sent();
    const progress = () => s.repair().steps[0]?.progress[0]?.state;
    s.sees({ runs: [run('a', 'r1')] });
    expect(progress()).toBe('waiting');
    s.sees({ runs: [again('r1', { state: 'queued', startDate: null })] });
    expect(progress()).toBe('queued');
    s.sees({ runs: [again('r1', { state: 'running' })] });
    expect(progress()).toBe('running');
    expect(s.history('step.succeeded')).toEqual([]);
    s.sees({ runs: [well()] });
    expect(s.repair().steps[0]).toMatchObject({ state: 'succeeded', endedAt: s.now, reason: { code: 'step_succeeded' } });
    expect(s.history('step.succeeded')).toEqual(['clear a r1 step_succeeded (airflow)']);
    expect(s.history('repair.succeeded')).toEqual(['rep-1 repair_succeeded (firedamper)']);
    expect(s.history('incident.verifying')[0]).toBe('a repair_succeeded (firedamper)');
    expect(s.history('incident.verified')).toEqual(['a verified_runs (firedamper)']);
    expect(s.incident().timestamps).toMatchObject({ repairedAt: s.now, verifiedAt: s.now });
    expect(s.incident().runs[0]?.state).toBe('healed');
    expect(s.history('run.'), 'the old failure, and nothing of what we did ourselves').toEqual([
      'run.failed a r1 run_failed run=r1 (airflow)',
    ]);
  });

  test('of their own DAG and their own Airflow only', () => {
    const s = started(many(1)).sent();
    s.sees({ runs: [well('r1', 'z'), well('r9')] });
    s.sees({ runs: [well()] }, 'dev');
    expect(states(s)).toEqual(['running']);
  });

  test('a step of several runs ends with the last, and fails with the first that failed', () => {
    const runs = ['r1', 'r2'].map((runId) => ({ runId, logicalDate: null, startBefore: FIRST, tasks: [] }));
    const s = started([clearStep('a', 'r1', 1, { runs })], {}, ['r1', 'r2']).sent();
    s.sees({ runs: [again('r1'), run('a', 'r2')] });
    expect(states(s)).toEqual(['running']);
    s.sees({ runs: [well('r2')] });
    expect(states(s)).toEqual(['failed']);
    expect(s.history('step.failed')).toEqual(['clear a r1 step_failed run=r1 (airflow)']);
  });

  test('a run that has no name yet is found by its date, and one that never gets a name is named by it', () => {
    const runs = [{ runId: null, logicalDate: DAY, startBefore: null, tasks: [] }];
    const s = started([clearStep('a', 'r1', 1, { runs })]).sent();
    s.sees({ runs: [run('a', 'other', { logicalDate: START, state: 'success' }), run('a', 'plain', { state: 'success' })] });
    expect(states(s)).toEqual(['running']);
    s.sees({ runs: [again('scheduled__1', { logicalDate: DAY })] });
    expect(s.repair().steps[0]?.progress).toEqual([{ runId: 'scheduled__1', logicalDate: DAY, state: 'failed' }]);
    expect(s.history('step.failed')).toEqual(['clear a r1 step_failed run=scheduled__1 (airflow)']);
  });

  test('its name counts above its date', () => {
    const runs = [{ runId: 'r1', logicalDate: DAY, startBefore: null, tasks: [] }];
    const s = started([clearStep('a', 'r1', 1, { runs })]).sent();
    s.sees({ runs: [run('a', 'other', { logicalDate: DAY }), well()] });
    expect(states(s)).toEqual(['succeeded']);
  });
});

describe('a step that fails', () => {
  test.each([
    ['canary', 'canary_failed'],
    ['all', 'stopped_after_failure'],
  ] as const)('of stage %s: what has not started does not, what runs goes on to its end', (stage, why) => {
    const s = started(
      many(3, () => ({ stage })),
      { repair: { maxActiveRuns: 2 } },
      ['r1', 'r2', 'r3'],
    ).sent();
    s.sees({ runs: [again('r1')] });
    expect(states(s)).toEqual(['failed', 'running', 'skipped']);
    expect(s.repair().steps[2]?.reason?.code).toBe(why);
    expect(s.reasons('step.skipped')).toEqual([why]);
    expect(s.repair().state).toBe('running');
    expect(s.acts()).toEqual([]);
    s.sees({ runs: [again('r1'), well('r2')] });
    expect(s.repair()).toMatchObject({ state: 'failed', stateReason: { code: 'repair_failed' } });
    expect(s.incident().runs.map((r) => r.state)).toEqual(['failed', 'healed', 'failing']);
    expect(s.reasons('step.skipped')).toHaveLength(1);
    expect(s.incident().timestamps.repairedAt).toBeNull();
    expect(s.notices()).toContain('failed rep-1');
    expect(s.history('incident.contained').at(-1)).toMatch(/^a repair_failed what=clear a r1/);
  });
});

describe('verified', () => {
  test('not while a run of the incident is still failed: said which, and the holds stay', () => {
    const s = started(many(1), {}, ['r1', 'r2']).sent();
    s.sees({ runs: [well('r1')] });
    expect(s.incident()).toMatchObject({
      status: 'contained',
      releasing: false,
      statusReason: { code: 'repair_failed', detail: { what: 'still failed: a r2' } },
    });
    expect(s.notices()).toContain('attention a');
    expect(s.holds()).toEqual({ b: 'held' });
    expect(s.history('incident.verified')).toEqual([]);
  });

  test('runs that are gone, or that succeeded all the same, count as whole', () => {
    const s = started(many(1), {}, ['r1', 'r2', 'r3']).sent();
    s.sees({ runs: [run('a', 'r2', { state: 'success' })], goneRuns: [{ dagId: 'a', runId: 'r3' }] });
    expect(s.repair().state).toBe('running');
    s.sees({ runs: [well('r1')] });
    expect(s.incident()).toMatchObject({ releasing: true, statusReason: { code: 'verified_runs' } });
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual(['unpause b']);
  });
});
