import { expect, test } from 'vitest';
import { type GateAnswer, gate } from '../../src/core/gate.ts';
import { ann, dag, missed, run, Scenario } from './scenario.ts';

const ask = (s: Scenario, dagId: string): GateAnswer => gate(s.state, s.world, { airflow: 'prod', dagId });
const decision = (s: Scenario, dagId: string) => ask(s, dagId).decision;

test('what is held waits, what reads something else passes, and the failing DAG itself passes', () => {
  const s = new Scenario(['a>b', 'b>c', 'x>y']).contained('a');
  expect(['a', 'b', 'c', 'x', 'y'].map((d) => decision(s, d))).toEqual(['pass', 'wait', 'wait', 'pass', 'pass']);
  expect(ask(s, 'c').covering).toMatchObject([
    { incident: { id: 'inc-1' }, path: [expect.stringContaining('a'), expect.stringContaining('b')] },
  ]);
});

test('a DAG that is spared from a pause, and whose input is bad all the same, waits', () => {
  const s = new Scenario(['a>b', 'a>c', 'a>d'], {
    policy: { hold: { protectedDags: ['b'] } },
    dags: [dag('c', { tags: ['firedamper:never'] })],
  }).contained('a');
  expect(s.spared()).toEqual({ b: 'protected', c: 'never_tag' });
  expect(['b', 'c', 'd'].map((d) => decision(s, d))).toEqual(['wait', 'wait', 'wait']);
});

test('a DAG that the repair waits for passes, or neither would ever end', () => {
  const s = new Scenario(['a!!b']).contained('a');
  expect(s.spared()).toEqual({ b: 'repair_would_wait' });
  expect(decision(s, 'b')).toBe('pass');
});

test('a failure heard a moment ago makes everything behind it wait until it is known who is affected', () => {
  const s = new Scenario(['a>b@make', 'a>c@other']);
  s.fails('a');
  expect([decision(s, 'b'), decision(s, 'c')]).toEqual(['wait', 'wait']);
  s.surveyed({ taskGraph: { dagId: 'a', downstream: { make: [], other: [] } } }).paused();
  expect([decision(s, 'b'), decision(s, 'c')]).toEqual(['wait', 'pass']);
});

test('a person who releases a hold, or takes the DAG over, has said that it may run', () => {
  const s = new Scenario(['a>b', 'a>c']).contained('a');
  s.person(ann, { kind: 'release_hold', holdId: s.hold('b')?.id ?? '', comment: 'it reads last week only' });
  s.unpaused();
  s.sees({ paused: [{ dagId: 'c', paused: false, who: 'paula' }] });
  expect([decision(s, 'b'), decision(s, 'c')]).toEqual(['pass', 'pass']);
});

test('after the repair is verified it passes', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
  s.releasePlanned([missed('b')]);
  expect(decision(s, 'b')).toBe('pass');
});

test('shadow mode makes nobody wait, and says what would', () => {
  const s = new Scenario(['a>b'], { policy: { mode: 'shadow' } });
  s.fails('a');
  s.surveyed();
  expect(ask(s, 'b')).toMatchObject({ decision: 'pass', covering: [{ incident: { id: 'inc-1', mode: 'shadow' } }] });
});

test('another Airflow with a DAG of the same name is not meant', () => {
  const s = new Scenario(['a>b']).contained('a');
  expect(gate(s.state, s.world, { airflow: 'other', dagId: 'b' }).decision).toBe('pass');
});

test.each([
  ['ask_tag', ['a>b'], { dags: [dag('b', { tags: ['firedamper:ask'] })] }],
  ['over_cap', ['a>a1', 'a>b'], { policy: { hold: { maxDags: 1 } } }],
  ['over_depth', ['a>x', 'x>b'], { policy: { hold: { maxDepth: 1 } } }],
] as const)('spared as %s: its input is bad all the same, and says by which way', (code, edges, options) => {
  const s = new Scenario(edges, options).contained('a');
  expect(s.spared()).toEqual({ b: code });
  expect(decision(s, 'b')).toBe('wait');
  expect(ask(s, 'b').covering[0]?.path).toHaveLength(code === 'over_depth' ? 2 : 1);
});

test('a platform incident makes nobody wait: it says nothing about data', () => {
  const s = new Scenario(['c>d'], { policy: { platform: { massFailureDags: 3 } } });
  for (const d of ['a', 'b', 'c']) s.fails(d);
  s.state = { ...s.state, incidents: s.state.incidents.map((i) => ({ ...i, surveyPending: true })) };
  expect(s.incident(2).type).toBe('platform');
  expect(decision(s, 'd')).toBe('pass');
});

test('each incident counts for itself: let go for one, held for the other', () => {
  const s = new Scenario(['a>c', 'b>c']).contained('a');
  s.fails('b');
  s.surveyed();
  s.person(ann, { kind: 'release_hold', holdId: s.hold('c', 1)?.id ?? '', comment: 'fine for b' });
  expect(ask(s, 'c')).toMatchObject({ decision: 'wait', covering: [{ incident: { id: 'inc-1' } }] });
});

test('heard a moment ago, a DAG that the repair would wait for passes, and so does one that nothing reaches', () => {
  const s = new Scenario(['a!!b', 'x>y']);
  s.fails('a');
  expect(['b', 'y'].map((d) => decision(s, d))).toEqual(['pass', 'pass']);
  s.surveyed();
  s.learns('a>late');
  expect(decision(s, 'late'), 'not before the links are looked at again').toBe('pass');
});
