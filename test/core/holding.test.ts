/** Whom a failure holds, how often it is asked for, and what the rows say. */
import { describe, expect, test } from 'vitest';
import { ann, dag, run, Scenario, START, taskFailed } from './scenario.ts';

const FIRST = '2026-11-21T05:59:00.000Z';
const task = (taskId: string, state: string, runId = 'r1') => ({
  dagId: 'a',
  runId,
  taskId,
  mapIndex: -1,
  tryNumber: 1,
  maxTries: 0,
  state,
  operator: null,
  startDate: null,
  endDate: null,
});
const held = (s: Scenario, n = 0) => Object.keys(s.holds(n));
const seesPause = (s: Scenario, dagId: string, paused: boolean, who: string | null = 'paula') =>
  s.sees({ paused: [{ dagId, paused, who }] });

describe('asking for the facts', () => {
  test('once for all failures that are heard before the answer, and each incident for itself', () => {
    const s = new Scenario(['a>b', 'x>y']);
    s.fails('a', 'r1');
    s.fails('a', 'r2');
    s.fails('x', 'r1');
    expect(s.open('survey').map((i) => i.act)).toEqual([
      { kind: 'survey', airflow: 'prod', incidentId: 'inc-1' },
      { kind: 'survey', airflow: 'prod', incidentId: 'inc-2' },
    ]);
    expect(s.incident().surveyPending).toBe(true);
    s.surveyed();
    expect(s.incident().surveyPending).toBe(false);
  });

  test('once more for a failure that came while they were being read; the incident stays open until then', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1');
    const [first] = s.open('survey');
    s.state = { ...s.state, intents: s.state.intents.map((i) => (i.id === first?.id ? { ...i, state: 'sending' } : i)) };
    s.fails('a', 'r2');
    const [second] = s.open('survey');
    expect(second?.id).not.toBe(first?.id);
    const survey = { taskGraph: null, tasks: [], run: null, switches: [s.switches('prod')] };
    const answer = (id: string) =>
      s.when({ type: 'outcome', intentId: id, outcome: { result: 'done', facts: { kind: 'survey', survey } } });
    answer(first?.id ?? '');
    expect(s.incident()).toMatchObject({ surveyPending: true, status: 'open' });
    answer(second?.id ?? '');
    expect(s.incident()).toMatchObject({ surveyPending: false, status: 'contained' });
    expect(s.history('incident.contained')).toEqual(['a nothing_downstream (firedamper)']);
    expect(s.notices()).toEqual(['opened a']);
  });

  test('an answer for an incident that is over, or being released, holds nobody', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.surveyed();
    expect(s.acts()).toEqual([]);
    const released = new Scenario(['a>b']);
    released.fails('a');
    released.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'no' });
    released.surveyed();
    expect(released.state.holds).toEqual([]);
  });

  test('an answer for an incident that is not loaded changes nothing', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.state = { ...s.state, incidents: [] };
    s.surveyed();
    expect(s.state.holds).toEqual([]);
  });
});

describe('what REST shows of the run', () => {
  const readers = ['a>b@load', 'a>c@other', 'a>d@third'];
  const taskGraph = { dagId: 'a', downstream: { load: [], other: [], third: [] } };

  test('names the tasks that failed, of this run and no others, beside those that were heard', () => {
    const s = new Scenario(readers);
    s.fails('a', 'r1', { taskId: 'load' });
    const tasks = [
      task('load', 'failed'),
      task('third', 'failed'),
      task('other', 'upstream_failed'),
      task('other', 'failed', 'r9'),
    ];
    s.surveyed({ taskGraph, tasks, run: run('a', 'r1') });
    expect(held(s)).toEqual(['b', 'd']);
    expect(s.incident().runs[0]?.failedTasks).toEqual(['load', 'third']);
  });

  test('completes what the signal did not know, and never what it did', () => {
    const s = new Scenario(['a>b']);
    s.fails('a', 'r1', { runType: null, logicalDate: null, runStart: null });
    s.surveyed({ run: run('a', 'r1', { runType: 'asset_triggered', logicalDate: START, startDate: FIRST }) });
    expect(s.incident().runs[0]).toMatchObject({ runType: 'asset_triggered', logicalDate: START, runStart: FIRST });
    s.fails('a', 'r1', { taskId: 'more' });
    s.surveyed({ run: run('a', 'r1', { runType: 'x', logicalDate: null, startDate: START }) });
    expect(s.incident().runs[0]).toMatchObject({ runType: 'asset_triggered', logicalDate: START, runStart: FIRST });
  });

  test('is not taken for another run, nor for one of the same name of another DAG', () => {
    const s = new Scenario(['a>b@load', 'a>c@other']);
    s.fails('a', 'r1', { taskId: 'load', runType: null });
    s.surveyed({ taskGraph, tasks: [task('other', 'failed', 'r2')], run: run('a', 'r2') });
    expect(held(s)).toEqual(['b']);
    expect(s.incident().runs[0]).toMatchObject({ runId: 'r1', runType: null });
    s.fails('a', 'r1', { taskId: 'load2', runType: null });
    s.surveyed({ taskGraph, run: run('z', 'r1') });
    expect(s.incident().runs[0]).toMatchObject({ runType: null });
  });

  test('a run that healed counts no more: only what is still failed reaches anybody', () => {
    const s = new Scenario(readers);
    s.fails('a', 'r1', { taskId: 'load' });
    s.surveyed({ taskGraph }).paused();
    s.fails('a', 'r2', { taskId: 'other' });
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: START })] });
    s.surveyed({ taskGraph });
    expect(s.holds()).toEqual({ b: 'held', c: 'intended' });
    expect(s.spared()).toEqual({ d: 'not_affected' });
  });
});

describe('the rows', () => {
  test('a hold says who, why, by which way, since when, and when it is to be looked at', () => {
    const s = new Scenario(['a>b', 'b~c']);
    s.later(1_000).fails('a');
    s.later(1_000).surveyed();
    expect(s.hold('c')).toEqual({
      id: 'hold-2',
      incidentId: 'inc-1',
      airflow: 'prod',
      dagId: 'c',
      state: 'intended',
      foundPaused: false,
      reason: {
        code: 'downstream',
        detail: { path: 'a -(asset s3://a)-> b, b -(sensor task)-> c' },
      },
      path: ['a -(asset s3://a)-> b', 'b -(sensor task)-> c'],
      link: 'sensor',
      depth: 2,
      since: s.now,
      reviewBy: '2026-11-22T06:00:02.000Z',
      reviewAsked: false,
      releasedAt: null,
    });
    expect(s.history('hold.intended').at(-1)).toMatch(/^c downstream path=a .* \(firedamper\)$/);
    const intent = s.open('pause_dag').at(-1);
    expect(s.ownership('c')).toEqual({
      airflow: 'prod',
      dagId: 'c',
      state: 'pause_intended',
      op: intent?.op,
      auditCursor: 7,
      since: s.now,
      uncertain: false,
      foundPaused: false,
      ops: [intent?.op],
    });
    s.paused();
    expect(s.ownership('c')).toMatchObject({ state: 'ours', uncertain: false, op: intent?.op });
    expect(s.history('hold.held')).toEqual(['b paused (firedamper)', 'c paused (firedamper)']);
    expect(s.hold('c')).toMatchObject({ state: 'held', foundPaused: false, releasedAt: null });
    expect(s.notices()).toEqual(['opened a', 'held b, c']);
    expect(s.incident().timestamps.containedAt).toBe(s.now);
  });

  test('a DAG of which nobody knows whether it is paused is asked to pause, and found out then', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed({ dags: [], unknown: ['b'] });
    expect(s.hold('b')?.foundPaused).toBeNull();
    const unheard = new Scenario(['a>dev/b']);
    unheard.fails('a');
    (unheard.world as { dag: unknown }).dag = () => null;
    unheard.surveyed({ switches: [unheard.switches('prod'), { ...unheard.switches('dev'), dags: [], unknown: ['b'] }] });
    expect(unheard.hold('b')?.foundPaused).toBeNull();
    expect(unheard.acts()).toEqual(['pause b']);
    unheard.answer('pause_dag', { kind: 'pause_dag', found: { was: 'already_paused', settled: false } });
    expect(unheard.hold('b')).toMatchObject({ state: 'foreign', foundPaused: true });
  });

  test('what was read just now counts above what was read before, for DAGs of this Airflow', () => {
    const s = new Scenario(['a>b', 'a>dev/b']);
    s.fails('a');
    s.surveyed({ dags: [dag('b', { paused: true })] });
    expect(s.state.holds.map((h) => [h.airflow, h.state])).toEqual([
      ['prod', 'foreign'],
      ['dev', 'intended'],
    ]);
    expect(s.open('pause_dag').map((i) => i.act)).toEqual([{ kind: 'pause_dag', airflow: 'dev', dagId: 'b' }]);
    expect(s.history('hold.foreign')).toEqual(['b already_paused (firedamper)']);
    expect(s.ownership('b')).toMatchObject({ state: 'foreign', foundPaused: true, since: s.now, op: `others ${s.now}` });
  });
});

describe('caps', () => {
  const wide = ['a>z', 'a>m', 'a>b', 'm>far'];
  const withDags = (count: number, maxShare: number, maxDags = 50) => {
    const s = new Scenario(wide, { policy: { hold: { maxShare, maxDags } } });
    s.dagCount = count;
    return s.contained('a');
  };

  test('the nearest first, of equally near ones by name; the rest is named with the cap, and asked about once', () => {
    const s = withDags(4, 1, 2);
    expect(held(s).sort()).toEqual(['b', 'm']);
    expect(s.spared()).toEqual({ z: 'over_cap', far: 'over_cap' });
    expect(s.history('dag.spared')).toEqual(['z over_cap cap=2 (firedamper)', 'far over_cap cap=2 (firedamper)']);
    expect(s.notices()).toContain('attention z, far');
    s.fails('a', 'r2');
    s.surveyed();
    expect(s.reasons('dag.spared')).toHaveLength(2);
    expect(s.told().filter((t) => t === 'attention')).toHaveLength(1);
  });

  test.each([
    [49, 0.01, 4],
    [50, 0.01, 1],
    [50, 0.04, 2],
    [50, 0.059, 2],
    [100, 0.03, 3],
    [1_000, 0.5, 4],
  ])('of %d DAGs a share of %d holds %d; of few DAGs a share says nothing, and one may always be held', (count, share, n) => {
    expect(held(withDags(count, share))).toHaveLength(n);
  });

  test('who is held already keeps the place, however near a newcomer is', () => {
    const s = new Scenario(['a>m', 'm>n'], { policy: { hold: { maxDags: 2 } } }).contained('a');
    s.learns('a>b');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed();
    expect(s.holds()).toEqual({ m: 'held', n: 'held' });
    expect(s.spared()).toEqual({ b: 'over_cap' });
  });

  test('too far away is not over the cap', () => {
    const s = new Scenario(['a>b', 'b>c', 'c>d'], { policy: { hold: { maxDepth: 2 } } }).contained('a');
    expect(held(s)).toEqual(['b', 'c']);
    expect(s.history('dag.spared')).toEqual(['d over_depth depth=2 (firedamper)']);
    expect(s.told()).not.toContain('attention');
  });

  test('the tag "always" reaches further than the depth, and no further than protection', () => {
    const far = dag('c', { tags: ['firedamper:always'] });
    const s = new Scenario(['a>b', 'b>c'], { policy: { hold: { maxDepth: 1 } }, dags: [far] }).contained('a');
    expect(held(s)).toEqual(['b', 'c']);
    const listed = new Scenario(['a>b', 'b>c'], { policy: { hold: { protectedDags: ['c'] } }, dags: [far] }).contained('a');
    expect(listed.spared()).toEqual({ c: 'protected' });
    const waited = new Scenario(['a!!c'], { dags: [far] }).contained('a');
    expect(waited.spared()).toEqual({ c: 'repair_would_wait' });
  });
});

describe('spared', () => {
  test('with its way, told once for each reason, and forgotten when it is held after all', () => {
    const s = new Scenario(['a>b'], { dags: [dag('b', { tags: ['firedamper:ask'] })] }).contained('a');
    expect(s.incident().spared).toEqual([
      { airflow: 'prod', dagId: 'b', reason: { code: 'ask_tag', detail: {} }, path: ['a -(asset s3://a)-> b'] },
    ]);
    expect(s.notices()).toEqual(['opened a', 'attention b']);
    const again = (tags: string[]) => {
      s.when({ type: 'lineage_changed', airflow: 'prod' });
      s.surveyed({ dags: [dag('b', { tags })] });
    };
    again(['firedamper:ask']);
    again(['firedamper:never']);
    expect(s.reasons('dag.spared')).toEqual(['ask_tag', 'never_tag']);
    again([]);
    expect(s.spared()).toEqual({});
    expect(s.acts()).toEqual(['pause b']);
  });

  test('a DAG that is held stays so when it is tagged later: neither told as spared nor asked about', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed({ dags: [dag('b', { tags: ['firedamper:ask'] })] });
    expect(s.spared()).toEqual({});
    expect(s.reasons('dag.spared')).toEqual([]);
    expect(s.notices()).toEqual(['opened a', 'held b']);
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('only spared ones: contained, and nobody is told of holds', () => {
    const s = new Scenario(['a>b'], { policy: { hold: { protectedDags: ['b'] } } }).contained('a');
    expect(s.history('incident.contained')).toEqual(['a contained (firedamper)']);
    expect(s.told()).toEqual(['opened']);
  });
});

describe('the failing DAG itself', () => {
  const policy = { hold: { pauseFailingDag: true } };
  test('is paused first where the policy says so', () => {
    const s = new Scenario(['a>b'], { policy });
    s.fails('a');
    s.surveyed();
    expect(s.acts()).toEqual(['pause a', 'pause b']);
    expect(s.hold('a')).toMatchObject({
      depth: 0,
      link: 'config',
      path: [],
      reason: { code: 'downstream', detail: { path: 'a' } },
    });
  });

  test('is found paused like any other', () => {
    const s = new Scenario(['a>b'], { policy });
    s.fails('a');
    s.surveyed({ dags: [dag('a', { paused: true }), dag('b')] });
    expect(s.holds()).toEqual({ a: 'foreign', b: 'intended' });
  });

  test('is not, where it says nothing', () => {
    const s = new Scenario(['a>b']).contained('a');
    expect(held(s)).toEqual(['b']);
  });
});

describe('what could not be read', () => {
  test('is told once for each source, and kept with the incident', () => {
    const s = new Scenario(['a>b']);
    s.gaps = [{ source: 'rendered_fields', why: '403' }];
    s.fails('a');
    s.surveyed({ auditGap: 'audit log: 403' });
    expect(s.history('source.gap')).toEqual([
      'rendered_fields lineage_gap source=rendered_fields why=403 (firedamper)',
      'audit_log lineage_gap source=audit_log why=audit log: 403 (firedamper)',
    ]);
    s.fails('a', 'r2');
    s.surveyed({ auditGap: 'audit log: 403' });
    expect(s.reasons('source.gap')).toHaveLength(2);
    expect(s.incident().gaps).toEqual([
      { source: 'rendered_fields', why: '403' },
      { source: 'audit_log', why: 'audit log: 403' },
    ]);
    s.gaps = [];
    s.fails('a', 'r3');
    s.surveyed();
    expect(s.incident().gaps).toEqual([]);
  });
});

describe('one claim for each DAG and episode', () => {
  test('a second cause while the first pause is under way: one request, two holds', () => {
    const s = new Scenario(['a>c', 'b>c']);
    s.fails('a');
    s.fails('b');
    s.surveyed();
    expect(s.acts()).toEqual(['pause c']);
    s.paused();
    expect([s.holds(0), s.holds(1)]).toEqual([{ c: 'held' }, { c: 'held' }]);
    expect(s.state.incidents.map((i) => i.status)).toEqual(['contained', 'contained']);
  });

  test('a second cause on what is ours says so', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.fails('b');
    s.surveyed();
    expect(s.history('hold.held')).toEqual(['c paused (firedamper)', 'c already_ours (firedamper)']);
  });

  test('a hold that a person let go is not claimed again for the same cause, but for a later episode it is', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it reads last week' });
    s.unpaused();
    s.later(1_000).fails('a', 'r2');
    s.surveyed();
    expect(s.holds()).toEqual({ b: 'released' });
    s.sees({ runs: ['r1', 'r2'].map((r) => run('a', r, { state: 'success', startDate: START })) });
    s.releasePlanned();
    expect(s.incident().status).toBe('resolved');
    s.later(1_000).fails('a', 'r3');
    s.surveyed();
    expect(s.history('incident.reopened')).toEqual(['a reopened (airflow)']);
    expect(s.acts()).toEqual(['pause b']);
  });

  test('a hold that is still there when the cause comes back is not made twice', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: START })] });
    s.later(1_000).fails('a', 'r2');
    expect(s.incident().status).toBe('open');
    s.surveyed();
    expect(s.state.holds.map((h) => h.state)).toEqual(['held']);
    expect(s.acts()).toEqual([]);
  });

  test('claimed anew behind another place of the audit log: only the marks since then are ours', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: START })] });
    s.releasePlanned().unpaused();
    s.later(1_000).fails('a', 'r2');
    s.surveyed({ auditCursor: 9 });
    expect(s.ownership('b')).toMatchObject({ auditCursor: 9, ops: [s.open('pause_dag')[0]?.op] });
  });

  test('a DAG whose link was found after the survey began is asked about first', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    const began = s.switches('prod');
    s.learns('a>c');
    s.surveyed({ switches: [began] });
    expect(s.acts()).toEqual(['pause b']);
    s.surveyed({ dags: [dag('a'), dag('b'), dag('c', { paused: true })] });
    expect(s.acts()).toEqual(['pause b']);
    expect(s.holds()).toMatchObject({ c: 'foreign' });
  });

  test('a pause of others of which nothing is known now is asked for like any other', () => {
    const s = new Scenario(['a>c', 'b>c'], { dags: [dag('c', { paused: true })] }).contained('a');
    (s.world as { dag: unknown }).dag = () => null;
    s.fails('b');
    s.surveyed({ dags: [], unknown: ['c'] });
    expect(s.acts()).toEqual(['pause c']);
  });

  test('paused by somebody else since: counted, and theirs', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    seesPause(s, 'c', false);
    s.fails('b');
    s.surveyed({ dags: [dag('c', { paused: true })] });
    expect([s.holds(0), s.holds(1)]).toEqual([{ c: 'ceded' }, { c: 'foreign' }]);
    expect(s.ownership('c')?.state).toBe('foreign');
    s.fails('a', 'r2');
    s.surveyed({ dags: [dag('c', { paused: true })] });
    expect(s.state.holds).toHaveLength(2);
  });

  test('both count on a pause of others', () => {
    const s = new Scenario(['a>c', 'b>c'], { dags: [dag('c', { paused: true })] });
    s.fails('a');
    s.fails('b');
    s.surveyed();
    expect([s.holds(0), s.holds(1)]).toEqual([{ c: 'foreign' }, { c: 'foreign' }]);
    expect(s.acts()).toEqual([]);
  });
});

describe('what the pause found', () => {
  const asked = (edges = ['a>b']) => {
    const s = new Scenario(edges);
    s.fails('a');
    return s.surveyed();
  };

  test.each([
    [{ was: 'paused_by_us', settled: false }, 'hold.held b paused (firedamper)'],
    [{ was: 'paused_by_us', settled: true }, 'hold.held b settled_ours (firedamper)'],
    [{ was: 'already_paused', settled: false }, 'hold.foreign b already_paused (firedamper)'],
    [{ was: 'already_paused', settled: true }, 'hold.foreign b settled_foreign (firedamper)'],
    [{ was: 'paused_by_unknown' }, 'hold.held b settled_uncertain (firedamper)'],
    [{ was: 'gone' }, 'hold.released b dag_gone (firedamper)'],
    [{ was: 'taken_over', who: 'gerda' }, 'hold.ceded b person_unpaused who=gerda (airflow)'],
  ] as const)('%j', (found, line) => {
    const s = asked();
    s.answer('pause_dag', { kind: 'pause_dag', found });
    expect(s.history('hold.').at(-1)).toBe(line);
    expect(s.incident().status).toBe('contained');
  });

  test.each([
    [
      { was: 'paused_by_us', settled: false },
      { state: 'ours', uncertain: false, foundPaused: false },
    ],
    [
      { was: 'already_paused', settled: true },
      { state: 'foreign', foundPaused: true },
    ],
    [{ was: 'paused_by_unknown' }, { state: 'ours', uncertain: true }],
    [{ was: 'gone' }, { state: 'none' }],
    [{ was: 'taken_over', who: 'gerda' }, { state: 'ceded' }],
  ] as const)('%j: whose it is then', (found, own) => {
    const s = asked();
    s.answer('pause_dag', { kind: 'pause_dag', found });
    expect(s.ownership('b')).toMatchObject(own);
  });

  test('paused by nobody knows whom: people are asked, once for each incident', () => {
    const s = asked();
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_unknown' } });
    expect(s.notices()).toEqual(['opened a', 'attention b', 'held b']);
    const sure = asked();
    sure.paused();
    expect(sure.notices()).toEqual(['opened a', 'held b']);
  });

  test('Airflow no longer has it: not told as held', () => {
    const s = asked(['a>b', 'a>c']);
    const [b, c] = s.open('pause_dag');
    const found = (id: string | undefined, was: 'gone' | 'paused_by_us') =>
      s.when({
        type: 'outcome',
        intentId: id ?? '',
        outcome: { result: 'done', facts: { kind: 'pause_dag', found: was === 'gone' ? { was } : { was, settled: false } } },
      });
    found(b?.id, 'gone');
    expect(s.incident().status).toBe('open');
    found(c?.id, 'paused_by_us');
    expect(s.notices()).toEqual(['opened a', 'held c']);
  });

  test('not sent, and wanted once more meanwhile: asked for again', () => {
    const s = asked(['a>b', 'z>b']);
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.fails('z');
    s.surveyed();
    expect(s.acts()).toEqual(['pause b']);
    const [first] = s.open('pause_dag');
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'not_wanted' } });
    const [second] = s.open('pause_dag');
    expect(second?.id).not.toBe(first?.id);
    expect(s.ownership('b')).toMatchObject({ state: 'pause_intended', op: second?.op, ops: [first?.op, second?.op] });
    s.paused();
    expect(s.holds(1)).toEqual({ b: 'held' });
  });

  test('heard when it is not waited for any more: changes nothing', () => {
    const s = asked();
    const [intent] = s.open('pause_dag');
    s.state = { ...s.state, intents: s.state.intents.flatMap((i) => (i === intent ? [i, { ...i, id: 'int-late' }] : [i])) };
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } });
    expect(s.reasons('hold.held')).toEqual(['paused']);
    const late = asked();
    late.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    late.answer('pause_dag', { kind: 'pause_dag', found: { was: 'gone' } });
    expect(late.history('hold.released')).toEqual(['b dag_gone (firedamper)']);
    expect(late.acts()).toEqual([]);
  });

  test('only the holds on this DAG, and those that wait, move', () => {
    const s = asked(['a>b', 'a>c', 'a>dev/b']);
    const [first] = s.open('pause_dag');
    s.when({
      type: 'outcome',
      intentId: first?.id ?? '',
      outcome: { result: 'done', facts: { kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } } },
    });
    expect(s.state.holds.map((h) => `${h.airflow}/${h.dagId} ${h.state}`)).toEqual([
      'prod/b held',
      'dev/b intended',
      'prod/c intended',
    ]);
  });
});

describe('Airflow refuses the pause', () => {
  test('each incident that waits says so, with what Airflow said, in status and history', () => {
    const s = new Scenario(['a>c', 'b>c']);
    s.fails('a');
    s.fails('b');
    s.surveyed().refused('pause_dag');
    expect(s.history('hold.refused')).toEqual([
      'c pause_failed error=Forbidden (firedamper)',
      'c pause_failed error=Forbidden (firedamper)',
    ]);
    expect(s.state.incidents.map((i) => [i.status, i.statusReason.code, i.statusReason.detail.error])).toEqual([
      ['open', 'pause_failed', 'Forbidden'],
      ['open', 'pause_failed', 'Forbidden'],
    ]);
    expect(s.notices().filter((n) => n.startsWith('attention'))).toEqual(['attention c', 'attention c']);
    const [again] = s.open('pause_dag');
    expect(again?.act).toEqual({ kind: 'pause_dag', airflow: 'prod', dagId: 'c' });
    expect(s.ownership('c')).toMatchObject({ state: 'pause_intended', op: again?.op });
    expect(s.ownership('c')?.ops).toHaveLength(2);
    s.refused('pause_dag');
    expect(s.reasons('hold.refused')).toHaveLength(2);
  });

  test('nothing waits for it any more: the DAG is nobody’s', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.refused('pause_dag');
    expect(s.ownership('b')?.state).toBe('none');
    expect(s.open('pause_dag')).toEqual([]);
    expect(s.reasons('hold.refused')).toEqual([]);
  });

  test('of a request that is not the one under way: no second one', () => {
    const s = new Scenario(['a>b']).contained('a');
    const [done] = s.state.intents.filter((i) => i.act.kind === 'pause_dag');
    if (done) s.state = { ...s.state, intents: [...s.state.intents, { ...done, id: 'int-old', state: 'unknown' }] };
    s.refused('pause_dag');
    expect(s.ownership('b')?.state).toBe('ours');
    expect(s.acts()).toEqual([]);
    expect(s.reasons('hold.refused')).toEqual([]);
  });
});

describe('contained', () => {
  test('at the first time that nothing waits; later holds do not change when it was', () => {
    const s = new Scenario(['a>b']).contained('a');
    const at = s.incident().timestamps.containedAt;
    s.later(5_000).learns('a>c');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed().paused().tick();
    expect(s.incident().timestamps.containedAt).toBe(at);
    expect(s.reasons('incident.contained')).toEqual(['contained']);
    expect(s.told()).toEqual(['opened', 'held']);
  });

  test('not while one of several holds is still asked for', () => {
    const s = new Scenario(['a>b', 'a>c'], { dags: [dag('c', { paused: true })] });
    s.fails('a');
    s.surveyed();
    s.tick();
    expect(s.incident().status).toBe('open');
    s.paused();
    expect(s.incident().status).toBe('contained');
    expect(s.notices()).toContain('held b, c');
  });

  test('in shadow mode at once: nothing is asked for that could be waited for', () => {
    const s = new Scenario(['a>b', 'b>c'], { policy: { mode: 'shadow' } });
    s.when({ type: 'signal', signal: taskFailed('a') });
    s.surveyed();
    expect(s.history('hold.intended')).toEqual(['b shadow_mode (firedamper)', 'c shadow_mode (firedamper)']);
    expect(s.state.ownerships).toEqual([]);
    expect(s.notices()).toEqual(['opened a', 'held b, c']);
  });
});
