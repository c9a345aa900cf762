/** The working copy of one decision: what comes out of it, and what marks and numbers it gives out. */
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/core/decide.ts';
import { addMs, Draft, EMPTY_STATE, msBetween } from '../../src/core/draft.ts';
import { reason } from '../../src/core/reason.ts';
import { setStatus, stamp } from '../../src/core/status.ts';
import { missed, POLICY, run, Scenario, START, taskFailed } from './scenario.ts';

const world = new Scenario([]).world;
const context = { now: START, chance: 'abc', policy: POLICY, world };
const draftOf = (state = EMPTY_STATE) => new Draft(state, context);

test('nothing happened: nothing changed', () => {
  expect(decide(EMPTY_STATE, [], context)).toEqual({
    incidents: [],
    holds: [],
    ownerships: [],
    repairs: [],
    intents: [],
    signals: [],
    timeline: [],
    counters: {},
    answer: { incidentId: null, repairId: null, holdId: null, note: null },
  });
});

test('the same state, events and context give the same decision, and the state is not touched', () => {
  const s = new Scenario(['a>b']).contained('a');
  const before = structuredClone({ ...s.state, knownSignals: [...s.state.knownSignals] });
  const events = [
    { type: 'signal', signal: taskFailed('z') },
    { type: 'observed', airflow: 'prod', seen: { runs: [run('a', 'r1')], goneRuns: [], paused: [], releasedRuns: [] } },
  ] as const;
  const decision = decide(s.state, events, { ...context, now: s.now });
  expect(decide(s.state, events, { ...context, now: s.now })).toEqual(decision);
  expect({ ...s.state, knownSignals: [...s.state.knownSignals] }).toEqual(before);
  expect(decision.incidents.map((i) => i.id)).toEqual(['inc-2', 'inc-1']);
});

test('only what changed comes out, each row once and as it is at the end', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.contained('z');
  const d = s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
  expect([d.incidents, d.holds.map((h) => h.id), d.ownerships.map((o) => o.dagId), d.repairs]).toEqual([
    [],
    ['hold-1'],
    ['b'],
    [],
  ]);
});

describe('numbers and marks', () => {
  test('go on where the last decision ended, each kind for itself', () => {
    const draft = draftOf({ ...EMPTY_STATE, counters: { inc: 7 } });
    expect([draft.nextId('inc'), draft.nextId('inc'), draft.nextId('hold')]).toEqual(['inc-8', 'inc-9', 'hold-1']);
    draft.leaveOutNumbers(1_000);
    expect([draft.nextId('inc'), draft.nextId('hold'), draft.nextId('rep')]).toEqual(['inc-1010', 'hold-1002', 'rep-1']);
    expect(draft.decision().counters).toEqual({ inc: 1010, hold: 1002, rep: 1 });
  });

  test('a mark names the act and the evaluation, so that it is not given out again after a restore', () => {
    const intent = draftOf().intend({ kind: 'pause_dag', airflow: 'prod', dagId: 'b' }, 1_500);
    expect(intent).toEqual({
      id: 'int-1',
      act: { kind: 'pause_dag', airflow: 'prod', dagId: 'b' },
      state: 'planned',
      op: 'fd-1-abc',
      attempts: 0,
      createdAt: START,
      dueAt: '2026-11-21T06:00:01.500Z',
      lastError: null,
    });
  });

  test('an act is pending until it is over', () => {
    const draft = draftOf();
    const intent = draft.intend({ kind: 'pause_dag', airflow: 'prod', dagId: 'b' });
    const pending = (state: typeof intent.state) => {
      draft.putIntent({ ...intent, state });
      return draft.pending((a) => a.kind === 'pause_dag');
    };
    expect((['planned', 'sending', 'unknown', 'done', 'failed'] as const).map(pending)).toEqual([true, true, true, false, false]);
    draft.putIntent(intent);
    expect(draft.pending((a) => a.kind === 'survey')).toBe(false);
  });
});

test('a DAG that nobody knows is nobody’s', () => {
  expect(draftOf().ownership({ airflow: 'prod', dagId: 'b' })).toEqual({
    airflow: 'prod',
    dagId: 'b',
    state: 'none',
    op: null,
    auditCursor: null,
    since: null,
    uncertain: false,
    foundPaused: null,
    ops: [],
  });
});

test('an incident that is not loaded is a bug, and says which', () => {
  expect(() => draftOf().incident('inc-9')).toThrow(
    expect.objectContaining({ kind: 'internal', message: 'incident inc-9 is not loaded' }),
  );
  expect(draftOf().findIncident('inc-9')).toBeUndefined();
});

test('times', () => {
  expect(addMs(START, -1)).toBe('2026-11-21T05:59:59.999Z');
  expect(msBetween(START, '2026-11-21T06:00:01.000Z')).toBe(1_000);
  expect(msBetween('2026-11-21T06:00:01.000Z', START)).toBe(-1_000);
});

describe('a status', () => {
  const given = () => {
    const s = new Scenario(['a>b']).contained('a');
    return new Draft(s.state, { ...context, now: '2026-11-21T07:00:00.000Z' });
  };
  test('takes only the steps of its life, and says which was not one', () => {
    expect(() => setStatus(new Draft(resolved().state, context), 'inc-1', 'contained', reason('contained'))).toThrow(
      'illegal step of incident inc-1: resolved -> contained',
    );
  });
  test('is told when it changes; another reason for the same one is kept, not told', () => {
    const draft = given();
    setStatus(draft, 'inc-1', 'contained', reason('plan_waits', { why: 'x' }));
    expect(draft.incident('inc-1').statusReason.code).toBe('plan_waits');
    expect(draft.decision().timeline).toEqual([]);
    setStatus(draft, 'inc-1', 'verifying', reason('verified_runs'));
    expect(draft.decision().timeline).toMatchObject([
      { event: 'incident.verifying', subject: 'a', actor: { kind: 'firedamper' }, comment: null },
    ]);
  });
  test('a time is that of the first time', () => {
    const draft = given();
    stamp(draft, 'inc-1', 'fixedAt');
    expect(draft.incident('inc-1').timestamps.fixedAt).toBe('2026-11-21T07:00:00.000Z');
    const later = new Draft(
      { ...EMPTY_STATE, incidents: draft.decision().incidents },
      { ...context, now: '2026-11-21T08:00:00.000Z' },
    );
    stamp(later, 'inc-1', 'fixedAt');
    expect(later.incident('inc-1').timestamps.fixedAt).toBe('2026-11-21T07:00:00.000Z');
  });
});

function resolved(): Scenario {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
  return s.releasePlanned([missed('b')]).unpaused();
}
