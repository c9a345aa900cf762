/** Where changes that were made apart meet: each was wrong once, found by a review of all of them together. */
import { expect, test } from 'vitest';
import { gate } from '../../src/core/gate.ts';
import { ann, clearStep, rita, run, Scenario } from './scenario.ts';

const taskGraph = { dagId: 'a', downstream: { make: [], other: [] } };

test('opened again: a run that began after the new failure and before we heard of it is its fallout', () => {
  const s = new Scenario(['a>b']);
  s.contained('a');
  s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'ok' });
  s.releasePlanned().unpaused();
  s.lookedAgain();
  s.later(3_600_000);
  // fails at 07:00:00 by Airflow; polled 60 s later
  s.later(60_000);
  s.fails('a', 'r2', { runStart: '2026-11-21T06:59:00.000Z', occurredAt: '2026-11-21T07:00:00.000Z' });
  expect(s.state.incidents).toHaveLength(1);
  expect(s.incident().timestamps.reopenedAt).not.toBeNull();
  s.surveyed().paused();
  expect(Object.values(s.holds())).toContain('held');
  // b had begun at 07:00:20 and reads what is missing
  s.fails('b', 'r9', { runStart: '2026-11-21T07:00:20.000Z', occurredAt: '2026-11-21T07:01:05.000Z' });
  expect(s.state.incidents.map((i) => i.dagId)).toEqual(['a']);
});

test('and so it is in the first episode', () => {
  const s = new Scenario(['a>b']);
  s.contained('a');
  s.fails('b', 'r9', { runStart: '2026-11-21T05:59:50.000Z', occurredAt: '2026-11-21T06:01:05.000Z' });
  expect(s.state.incidents.map((i) => i.dagId)).toEqual(['a']);
});

test('a new failure that reaches a second Airflow does not wait for the next try with one that is silent', () => {
  const s = new Scenario(['a>dev/b@make', 'a>stage/c@other']);
  s.fails('a', 'r1');
  s.surveyed({ scope: 'home', switches: [s.switches('prod')], taskGraph });
  s.answer('survey_elsewhere', { kind: 'survey', survey: { taskGraph, tasks: [], run: null, switches: [], scope: 'elsewhere' } }); // dev is silent
  expect(s.open('survey_elsewhere').map((i) => i.act)).toMatchObject([{ again: true }]);
  s.fails('a', 'r2', { taskId: 'other' });
  s.surveyed({ scope: 'home', switches: [s.switches('prod')], taskGraph });
  const due = s.open('survey_elsewhere').filter((i) => i.dueAt <= s.now);
  expect(s.holds()).toEqual({});
  expect(due.length).toBeGreaterThan(0);
});

test('the gate: wait while another Airflow is asked for a later link', () => {
  const s = new Scenario(['a>b', 'a>dev/c']);
  s.fails('a', 'r1', { taskId: 'x' });
  s.surveyed({ scope: 'home', switches: [s.switches('prod')] });
  s.surveyedElsewhere('dev');
  s.paused();
  expect(s.incident().status).toBe('contained');
  s.learns('a>dev/d');
  s.when({ type: 'lineage_changed', airflow: 'dev' });
  s.surveyed({ scope: 'home', switches: [s.switches('prod')] });
  expect(s.open('survey_elsewhere')).toHaveLength(1);
  expect(s.incident().surveyPending).toBe(false);
  expect(gate(s.state, s.world, { airflow: 'dev', dagId: 'd' }).decision).toBe('wait');
});

test('a run of which no start is known is healed by its repair', () => {
  const s = new Scenario(['a>b']);
  s.fails('a', 'r1', { kind: 'run_failed', taskId: null, runStart: null });
  s.surveyed().paused();
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: 'fixed' });
  s.planned({ steps: [clearStep('a', 'r1')] });
  s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  s.planned({ steps: [clearStep('a', 'r1')] });
  s.sent();
  s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
  expect(s.repair().state).toBe('succeeded');
  expect(s.incident().runs[0]).toMatchObject({ state: 'healed' });
  expect(s.history('incident.').filter((l) => /repair_failed/.test(l))).toEqual([]);
});

test('a failure that is heard while we look is looked at in the next look', () => {
  const s = new Scenario(['a>b@make', 'a>c@other']);
  s.fails('a', 'r1');
  // The worker reads now; r2's late callback comes, r2 has long succeeded
  s.fails('a', 'r2', { kind: 'run_failed', taskId: null });
  s.answer('survey', {
    kind: 'survey',
    survey: {
      of: ['a r1'],
      scope: 'home',
      switches: [s.switches('prod')],
      tasks: [],
      taskGraph,
      run: run('a', 'r1', { state: 'running' }),
    },
  });
  expect([Object.keys(s.holds()), s.open('survey').length]).toEqual([['b'], 1]);
});

test('the plan of a release that is refused for an incident that was opened again is no trouble', () => {
  const s = new Scenario(['a>b']);
  s.contained('a');
  s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'ok' });
  expect(s.open('plan_release')).toHaveLength(1);
  s.fails('a', 'r2');
  expect(s.incident().releasing).toBe(false);
  s.refused('plan_release', 'the incident is not being released');
  expect(s.open('plan_release')).toHaveLength(0);
  expect(s.history('release.failed')).toEqual([]);
});

test('the gate: what was held in the episode before is no word of a person, also while its Airflow is silent', () => {
  const s = new Scenario(['a>dev/c']);
  s.fails('a', 'r1');
  s.surveyed({ scope: 'home', switches: [s.switches('prod')] });
  s.surveyedElsewhere('dev');
  s.paused();
  expect(gate(s.state, s.world, { airflow: 'dev', dagId: 'c' }).decision).toBe('wait');
  s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'ok' });
  s.releasePlanned().unpaused();
  s.lookedAgain();
  expect(gate(s.state, s.world, { airflow: 'dev', dagId: 'c' }).decision).toBe('pass');
  s.later(60_000);
  s.fails('a', 'r2', { occurredAt: s.now });
  expect(s.incident()).toMatchObject({ status: 'open', surveyPending: true });
  const asked = gate(s.state, s.world, { airflow: 'dev', dagId: 'c' }).decision;
  s.surveyed({ scope: 'home', switches: [s.switches('prod')] });
  s.surveyedElsewhere(); // silent
  expect(s.incident().gaps.map((g) => g.source)).toContain('other_airflow');
  const silent = gate(s.state, s.world, { airflow: 'dev', dagId: 'c' }).decision;
  expect([asked, silent]).toEqual(['wait', 'wait']);
});

test('the gate: who was not affected the last time may be now', () => {
  const s = new Scenario(['a>b@make', 'a>c@other']);
  s.fails('a', 'r1');
  s.surveyed({ taskGraph }).paused();
  expect(s.spared()).toEqual({ c: 'not_affected' });
  s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'ok' });
  s.releasePlanned().unpaused();
  s.lookedAgain();
  s.later(60_000);
  s.fails('a', 'r2', { kind: 'run_failed', taskId: null, occurredAt: s.now });
  expect(s.incident()).toMatchObject({ status: 'open', surveyPending: true });
  expect(gate(s.state, s.world, { airflow: 'prod', dagId: 'c' }).decision).toBe('wait');
});
