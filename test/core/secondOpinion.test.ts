/** What a review by fresh eyes broke: each was wrong once. Looks that began earlier, names that two Airflows share, refusals, holds of two episodes. */
import { describe, expect, test } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import { decide } from '../../src/core/decide.ts';
import type { Survey } from '../../src/core/events.ts';
import { gate } from '../../src/core/gate.ts';
import type { Intent } from '../../src/core/intent.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { readMissed } from '../../src/effects/planRelease.ts';
import { readDifferences } from '../../src/effects/restoreDifferences.ts';
import { previewRelease } from '../../src/health.ts';
import { ann, dag, missed, missedAsset, POLICY, run, Scenario, START, taskFailed } from './scenario.ts';

const at = (minutes: number) => new Date(Date.parse(START) + minutes * 60_000).toISOString();
const held = (s: Scenario) => s.state.holds.map((h) => `${h.airflow}/${h.dagId} ${h.state}`);
const ends = (s: Scenario, intent: Intent | undefined, survey: Survey) =>
  s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome: { result: 'done', facts: { kind: 'survey', survey } } });
const look = (s: Scenario, change: Partial<Survey> = {}): Survey => ({
  ...{ taskGraph: null, tasks: [], run: null, switches: [s.switches('prod')] },
  ...change,
});

describe('two Airflows with the same names', () => {
  test.each([
    ['held', {}],
    ['spared', { policy: { hold: { protectedDags: ['report'] } } }],
  ])('a DAG here is not explained by its namesake there, which is %s', (_, options) => {
    const s = new Scenario(['a>dev/report', 'report>x'], options);
    s.contained('a').later(60_000);
    s.contained('report', 'r9', { runStart: at(1), occurredAt: at(1) });
    expect(held(s)).toContain('prod/x held');
  });

  test('a link that is learnt there is followed', () => {
    const s = new Scenario(['a>dev/b']).contained('a');
    s.learns('dev/b>dev/c');
    s.when({ type: 'lineage_changed', airflow: 'dev' });
    expect(s.open('survey')).toHaveLength(1);
    s.when({ type: 'lineage_changed', airflow: 'nobody' });
    expect(s.open('survey')).toHaveLength(1);
  });

  test('a DAG that asks at the gate while its Airflow does not answer us waits', () => {
    const s = new Scenario(['a>b', 'a>dev/c']);
    const asks = () => gate(s.state, s.world, { airflow: 'dev', dagId: 'c' }).decision;
    s.fails('a');
    expect(asks()).toBe('wait');
    s.surveyed({ scope: 'home', switches: [s.switches('prod')] }).paused();
    expect(asks(), 'it is being asked').toBe('wait');
    s.surveyedElsewhere();
    expect([s.incident().status, asks()], 'it does not answer').toEqual(['contained', 'wait']);
    s.later(30_000).surveyedElsewhere('dev').paused();
    expect(asks()).toBe('wait');
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    expect(asks()).toBe('pass');
  });
});

describe('a look that began earlier', () => {
  test('does not make a run whole that was cleared and has failed again since', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', { kind: 'run_failed', taskId: null });
    s.learns('a>c');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    const [inFlight] = s.open('survey');
    s.later(1_000);
    const healed = run('a', 'r1', { state: 'success', startDate: at(0.01) });
    const early = look(s, { run: healed });
    s.sees({ runs: [healed] });
    s.releasePlanned().unpaused().later(2_000);
    s.fails('a', 'r1', { key: 'again', kind: 'run_failed', taskId: null, runStart: s.now, occurredAt: s.now });
    ends(s, inFlight, early);
    expect(s.incident().runs.map((r) => r.state)).toEqual(['failed']);
    expect(s.incident().releasing).toBe(false);
  });

  test('and saw our own pause, which a person has lifted since, does not take it for somebody else’s', () => {
    const s = new Scenario(['a>b', 'z>b']).contained('a');
    s.fails('z', 'r1');
    const early = look(s);
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    expect(s.holds()).toEqual({ b: 'ceded' });
    s.answer('survey', { kind: 'survey', survey: early });
    expect(s.holds(1), 'looked at again').toEqual({});
    s.surveyed().paused();
    expect(s.holds(1)).toEqual({ b: 'held' });
  });

  test('and saw it run does not end the holds that count on a pause of somebody since', () => {
    const s = new Scenario(['a>b', 'z>b']);
    s.fails('z', 'r1');
    const [z] = s.open('survey');
    const early = look(s);
    s.fails('a', 'r1');
    const pausedByPaula = { ...s.switches('prod'), dags: [dag('b', { paused: true })], auditCursor: 8 };
    ends(
      s,
      s.open('survey').find((i) => i.id !== z?.id),
      look(s, { switches: [pausedByPaula] }),
    );
    ends(s, z, early);
    expect([s.holds(1), s.acts()]).toEqual([{ b: 'foreign' }, []]);
    expect(s.open('survey'), 'looked at again').toHaveLength(1);
  });
});

test('a run without a failed task made nothing of what its DAG makes, whatever is known of another run', () => {
  const s = new Scenario(['a>b@make', 'a>c@other']);
  const taskGraph = { dagId: 'a', downstream: { make: [], other: [] } };
  s.fails('a', 'r1', { taskId: 'make' });
  s.surveyed({ taskGraph }).paused();
  expect(s.holds()).toEqual({ b: 'held' });
  s.fails('a', 'r2', { key: 'r2', kind: 'run_failed', taskId: null });
  s.surveyed({ taskGraph, run: run('a', 'r2') }).paused();
  expect(s.holds()).toEqual({ b: 'held', c: 'held' });
});

test('a run that began between two episodes of a cause is a cause of its own', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: at(1) })] });
  s.releasePlanned()
    .unpaused()
    .lookedAgain()
    .later(20 * 60_000);
  s.fails('a', 'r2', { runStart: at(19), occurredAt: at(20) });
  s.surveyed().paused();
  s.fails('b', 'r1', { runStart: at(10), occurredAt: at(20) });
  expect(s.state.incidents.map((i) => i.dagId)).toEqual(['a', 'b']);
});

test('a pause of which nobody can tell from whom it is stays until a person says so, also where its incident was dismissed meanwhile', () => {
  const s = new Scenario(['a>b']);
  s.fails('a');
  s.surveyed();
  s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'drill' });
  s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_unknown' } });
  expect([s.acts(), s.holds()]).toEqual([[], { b: 'held' }]);
  s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it is ours' });
  expect(s.acts()).toEqual(['unpause b']);
});

describe('opened again while a DAG of it was being let go', () => {
  const reopened = (s: Scenario) => {
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    s.releasePlanned([missed('b')]).later(1_000);
    s.fails('a', 'r2', { runStart: s.now, occurredAt: s.now });
    return s.surveyed();
  };

  test('and nobody can tell who paused it: what the second episode missed is given', () => {
    const s = reopened(new Scenario(['a>b'], { policy: { release: { missedIntervals: 'backfill' } } }).contained('a'));
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: 'log' } });
    s.sees({ runs: [run('a', 'r2', { state: 'success', startDate: s.now })] });
    s.releasePlanned([missed('b', { missedIntervals: [{ start: at(0), end: at(1) }] })]);
    for (const h of s.state.holds.filter((x) => x.state === 'held'))
      s.person(ann, { kind: 'release_hold', holdId: h.id, comment: 'ok' });
    s.unpaused();
    expect(s.acts()).toEqual(['deliver intervals']);
  });

  test('and restored: one hold of it is enough', () => {
    const s = reopened(new Scenario(['a>b']).contained('a'));
    expect(s.state.holds.map((h) => h.state)).toEqual(['release_intended', 'intended']);
    s.state = { ...s.state, restored: { at: s.now, because: 'x', knowsUntil: s.now, fileSaid: null } };
    s.when({ type: 'restored', paused: [] });
    expect(s.state.holds.map((h) => h.state)).toEqual(['released', 'held']);
  });
});

test.each([
  ['shadow', 'armed'],
  ['armed', 'shadow'],
] as const)('opened again it is in the mode of today: %s, then %s', (before, today) => {
  const s = new Scenario(['a>b'], { policy: { mode: before } }).contained('a');
  s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
  s.releasePlanned().unpaused().lookedAgain();
  expect(s.incident()).toMatchObject({ status: 'resolved', mode: before });
  const context = { now: at(5), chance: 'c9', policy: { ...POLICY, mode: today }, world: s.world };
  expect(decide(s.state, [{ type: 'signal', signal: taskFailed('a', 'r2') }], context).incidents[0]?.mode).toBe(today);
});

test('let go by hand while the plan of its release is read, it is given what it missed all the same', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
  s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it takes long' });
  s.unpaused();
  s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] })]);
  expect(s.open('plan_delivery')).toHaveLength(1);
});

test('a pause of ours that a restored file does not know is named, also of a DAG that a person had once taken over', async () => {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
  s.state = { ...s.state, restored: { at: START, because: 'x', knowsUntil: START, fileSaid: null } };
  s.when({ type: 'restored', paused: [] });
  const row = { id: 9, when: at(5), dagId: 'b', event: 'patch_dag', owner: 'firedamper', paused: true, op: 'fd-77-x' };
  const client = {
    ...{ id: 'prod', account: 'firedamper', canBackfill: true },
    listDags: async () => [dag('b', { paused: true })],
    auditRows: async () => ({ readable: true, rows: [{ ...row, pattern: null }] }),
    getRun: async () => run('a', 'r1'),
    listRuns: async () => [],
    listBackfills: async () => [],
  } as unknown as AirflowClient;
  const { restored } = s.state;
  if (!restored) throw new Error('it is not restored');
  const differences = await readDifferences(client, restored, s.state);
  expect(differences.map((d) => d.text).join()).toContain('by Firedamper as it seems');
});

test('the preview does not say that a DAG of an Airflow that is away stays paused, and of one that others hold it does', async () => {
  const s = new Scenario(['a>dev/c', 'z>dev/c', 'a>dev/d']).contained('a').contained('z');
  const away = () => Promise.reject(new AirflowError('unreachable', 'away', { outcome: 'none', operation: 'GET' }));
  const client = { id: 'dev', listAssets: away, listDags: away, probe: away } as unknown as AirflowClient;
  const deps = { client: () => client, policy: POLICY, now: () => Date.parse(s.now) } as unknown as EffectDeps;
  const holds = s.state.holds.filter((h) => h.incidentId === 'inc-1');
  const preview = previewRelease('inc-1', holds, await readMissed(deps, s.state, 'inc-1'), s.state);
  expect(preview.dags.map((d) => [d.dagId, d.willUnpause])).toEqual([
    ['c', false],
    ['d', true],
  ]);
  expect(preview.dags[1]?.compensation).toMatch(/does not answer/);
});
