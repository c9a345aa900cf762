import { describe, expect, test } from 'vitest';
import { ann, dag, run, Scenario } from './scenario.ts';

describe('a failure for good', () => {
  test('opens one incident, holds what lies downstream, and leaves everything else alone', () => {
    const s = new Scenario(['a>b', 'b>c', 'x>z']);
    s.fails('a');
    expect(s.incident()).toMatchObject({ dagId: 'a', status: 'open', type: 'pipeline_failure', severity: 'P2' });
    s.surveyed();
    expect(s.acts()).toEqual(['pause b', 'pause c']);
    expect(s.holds()).toEqual({ b: 'intended', c: 'intended' });
    expect(s.hold('c')?.path).toEqual(['a -(asset s3://a)-> b', 'b -(asset s3://b)-> c']);
    s.paused();
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
    expect(s.incident().status).toBe('contained');
    expect(s.told()).toEqual(['opened', 'held']);
  });

  test('heard by callback and by poll is one incident and one set of holds', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.fails('a', 'r1', { origin: 'poll' });
    expect(s.state.incidents).toHaveLength(1);
    expect(s.state.holds).toHaveLength(1);
    expect(s.last?.signals[0]).toMatchObject({ origin: 'poll', incidentId: 'inc-1' });
    expect(s.acts()).toEqual([]);
  });

  test('that will be retried opens nothing and is on record', () => {
    const s = new Scenario(['a>b']);
    const d = s.fails('a', 'r1', { kind: 'task_retry' });
    expect(d.incidents).toEqual([]);
    expect(d.signals).toHaveLength(1);
    expect(s.open()).toEqual([]);
  });

  test('of three runs of one DAG is one incident with three runs', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1');
    s.fails('a', 'r2');
    s.fails('a', 'r3');
    expect(s.state.incidents).toHaveLength(1);
    expect(s.incident().runs.map((r) => r.runId)).toEqual(['r1', 'r2', 'r3']);
  });
});

describe('what the policy does not watch opens nothing', () => {
  test.each([
    ['an ignored DAG', { ignoreDags: ['sand*'] }, 'sandbox_a', {}],
    ['a DAG that is not on the list', { dags: ['prod_*'] }, 'sandbox_a', {}],
    ['an ignored run type', { ignoreRunTypes: ['manual'] }, 'a', { runType: 'manual' }],
    ['an ignored tag', { ignoreTags: ['playground'] }, 'tagged', {}],
  ])('%s', (_name, watch, dagId, change) => {
    const s = new Scenario(['a>b'], { policy: { watch }, dags: [dag('tagged', { tags: ['playground'] })] });
    s.fails(dagId, 'r1', change);
    expect(s.state.incidents).toEqual([]);
    expect(s.last?.signals[0]?.outcome).toContain('does not watch');
  });
});

describe('only what is affected', () => {
  const branches = { dagId: 'a', downstream: { left: ['fill_left'], right: ['fill_right'], fill_left: [], fill_right: [] } };

  test('the readers of the other branch are spared, with the reason', () => {
    const s = new Scenario(['a>l@fill_left', 'a>r@fill_right', 'l>l2']);
    s.fails('a', 'r1', { taskId: 'left' });
    s.surveyed({ taskGraph: branches }).paused();
    expect(s.holds()).toEqual({ l: 'held', l2: 'held' });
    expect(s.spared()).toEqual({ r: 'not_affected' });
  });

  test('when the other branch fails too, its readers are held as well', () => {
    const s = new Scenario(['a>l@fill_left', 'a>r@fill_right']);
    s.fails('a', 'r1', { taskId: 'left' });
    s.surveyed({ taskGraph: branches }).paused();
    s.fails('a', 'r1', { taskId: 'right' });
    s.surveyed({ taskGraph: branches }).paused();
    expect(s.holds()).toEqual({ l: 'held', r: 'held' });
    expect(s.spared()).toEqual({});
  });

  test('without the shape of the DAG everything it makes counts as failed: the safe side is to hold more', () => {
    const s = new Scenario(['a>l@fill_left', 'a>r@fill_right']).contained('a', 'r1', { taskId: 'left' });
    expect(s.holds()).toEqual({ l: 'held', r: 'held' });
  });

  test('a DAG that reads both is reached by the affected way', () => {
    const s = new Scenario(['a>l@fill_left', 'a>r@fill_right', 'l>r']);
    s.fails('a', 'r1', { taskId: 'left' });
    s.surveyed({ taskGraph: branches }).paused();
    expect(s.holds()).toEqual({ l: 'held', r: 'held' });
    expect(s.spared()).toEqual({});
  });
});

test('a link that is learnt late: its reader is held too', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.learns('a>late');
  s.when({ type: 'lineage_changed', airflow: 'prod' });
  s.surveyed();
  expect(s.acts()).toEqual(['pause late']);
  s.paused();
  expect(s.holds()).toEqual({ b: 'held', late: 'held' });
  expect(s.incident().status).toBe('contained');
});

describe('whom not to hold', () => {
  test.each([
    ['protected', { policy: { hold: { protectedDags: ['b*'] } } }],
    ['never_tag', { dags: [dag('b', { tags: ['firedamper:never'] })] }],
    ['ask_tag', { dags: [dag('b', { tags: ['firedamper:ask'] })] }],
  ] as const)('%s: spared, but what lies behind it is still held', (code, options) => {
    const s = new Scenario(['a>b', 'b>c'], options).contained('a');
    expect(s.holds()).toEqual({ c: 'held' });
    expect(s.spared()).toEqual({ b: code });
  });

  test('a DAG that the repair itself would wait for', () => {
    const s = new Scenario(['a!!b', 'a!c', 'a>d', 'd~a']).contained('a');
    expect(s.holds()).toEqual({ c: 'held' });
    expect(s.spared()).toEqual({ b: 'repair_would_wait', d: 'repair_would_wait' });
  });

  test('over the cap: the nearest are held, the rest is named, a person is asked', () => {
    const s = new Scenario(['a>b', 'b>c', 'c>d'], { policy: { hold: { maxDags: 2 } } }).contained('a');
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
    expect(s.spared()).toEqual({ d: 'over_cap' });
    expect(s.told()).toContain('attention');
  });

  test('the failing DAG, where it is held too, is one of those that the cap allows', () => {
    const policy = { hold: { maxDags: 2, pauseFailingDag: true } };
    const s = new Scenario(['a>b', 'b>c'], { policy }).contained('a');
    expect([s.holds(), s.spared()]).toEqual([{ a: 'held', b: 'held' }, { c: 'over_cap' }]);
  });

  test('what the links do not reach any more stays held, and takes its place under the cap', () => {
    const s = new Scenario(['a>b', 'a>c', 'a>d'], { policy: { hold: { maxDags: 2 } } }).contained('a');
    expect([s.holds(), s.spared()]).toEqual([{ b: 'held', c: 'held' }, { d: 'over_cap' }]);
    s.forgets('a>b');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed();
    expect([s.holds(), s.spared()]).toEqual([{ b: 'held', c: 'held' }, { d: 'over_cap' }]);
  });

  test('further away than the policy reaches', () => {
    const s = new Scenario(['a>b', 'b>c'], { policy: { hold: { maxDepth: 1 } } }).contained('a');
    expect(s.spared()).toEqual({ c: 'over_depth' });
  });

  test('a cycle ends', () => {
    const s = new Scenario(['a>b', 'b>c', 'c>b', 'c>a']).contained('a');
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
  });
});

describe('ownership', () => {
  test('a DAG that was paused before us is counted, never paused by us', () => {
    const s = new Scenario(['a>b', 'a>c'], { dags: [dag('c', { paused: true })] });
    s.fails('a');
    s.surveyed();
    expect(s.acts()).toEqual(['pause b']);
    s.paused();
    expect(s.holds()).toEqual({ b: 'held', c: 'foreign' });
    expect(s.hold('c')?.foundPaused).toBe(true);
  });

  test('a second cause counts on the DAG that is ours already: one PATCH for two holds', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.fails('b');
    s.surveyed();
    expect(s.acts()).toEqual([]);
    expect(s.holds(1)).toEqual({ c: 'held' });
  });

  test('a person unpauses it: ceded, said once, no second pause', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    expect(s.holds()).toEqual({ b: 'ceded' });
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    s.fails('a', 'r2');
    s.surveyed();
    expect(s.acts()).toEqual([]);
    expect(s.told().filter((t) => t === 'attention')).toHaveLength(1);
  });

  test('another cause later is news: the ceded DAG is held for it', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.sees({ paused: [{ dagId: 'c', paused: false, who: 'paula' }] });
    s.fails('b');
    s.surveyed();
    expect(s.acts()).toEqual(['pause c']);
  });

  test('Airflow refuses the pause: the incident stays open, the hold says why, people are told', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    const [intent] = s.open('pause_dag');
    s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome: { result: 'failed', error: 'Forbidden', retry: false } });
    expect(s.incident().status).toBe('open');
    expect(s.hold('b')).toMatchObject({ state: 'intended', reason: { code: 'pause_failed' } });
    expect(s.told()).toContain('attention');
  });

  test('a refused pause is asked for again while a hold wants it, told once, and not asked for after that', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    const refuse = () => {
      const intent = s.open('pause_dag').at(-1);
      s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome: { result: 'failed', error: 'Forbidden', retry: false } });
    };
    refuse();
    expect(s.open('pause_dag')).toMatchObject([{ dueAt: new Date(Date.parse(s.now) + 60_000).toISOString() }]);
    refuse();
    expect(s.reasons('hold.refused')).toHaveLength(1);
    s.paused();
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('a refused pause that nothing wants any more is forgotten, and the next cause asks anew', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a test' });
    const [intent] = s.open('pause_dag');
    s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome: { result: 'failed', error: 'Forbidden', retry: false } });
    expect(s.open('pause_dag')).toEqual([]);
    s.fails('a', 'r2');
    s.surveyed();
    expect(s.acts()).toEqual(['pause b']);
  });

  test('a pause that was not sent because every hold had ended leaves the DAG to the next cause', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a test' });
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'not_wanted' } });
    expect(s.acts()).toEqual([]);
    s.fails('a', 'r2');
    s.surveyed().paused();
    expect(s.holds(1)).toEqual({ b: 'held' });
  });

  test('a lost answer is unknown, and tried again later', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    const [intent] = s.open('pause_dag');
    s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome: { result: 'unknown', error: 'cut' } });
    expect(s.open('pause_dag')[0]).toMatchObject({ state: 'unknown' });
    expect((s.open('pause_dag')[0]?.dueAt ?? '') > s.now).toBe(true);
  });
});

describe('shadow mode', () => {
  test('decides and tells everything, and asks nothing of Airflow', () => {
    const s = new Scenario(['a>b'], { policy: { mode: 'shadow' } });
    s.fails('a');
    s.surveyed();
    expect(s.incident()).toMatchObject({ status: 'contained', mode: 'shadow' });
    expect(s.hold('b')).toMatchObject({ state: 'intended', reason: { code: 'shadow_mode' } });
    expect(s.acts()).toEqual([]);
    expect(s.told()).toEqual(['opened', 'held']);
  });
});

describe('the kill switch: shadow mode after an incident was opened armed', () => {
  const unsent = { kind: 'pause_dag', found: { was: 'not_wanted' } } as const;

  test('holds on to what it holds, and lets it go at the end; what it has not claimed yet is spared', () => {
    const s = new Scenario(['a>b']).contained('a').restarts('shadow');
    s.learns('a>c');
    s.fails('a', 'r2');
    s.surveyed();
    expect(s.holds()).toEqual({ b: 'held' });
    expect(s.spared()).toEqual({ c: 'shadow_mode' });
    expect(s.acts()).toEqual([]);
    s.sees({ runs: ['r1', 'r2'].map((r) => run('a', r, { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })) });
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause b']);
  });

  test('a DAG that is to be held at any depth, and the failing one, are no exceptions; another reason to spare one is said first', () => {
    const always = dag('b', { tags: ['firedamper:always'] });
    const policy = { hold: { pauseFailingDag: true, protectedDags: ['c'] } };
    const s = new Scenario(['a>b', 'a>c'], { dags: [always], policy });
    s.fails('a');
    s.restarts('shadow').surveyed();
    expect(s.spared()).toEqual({ a: 'shadow_mode', b: 'shadow_mode', c: 'protected' });
    expect(s.incident().status).toBe('contained');
  });

  test('a pause that was not sent ends so, and is not asked for again', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed().refused('pause_dag');
    s.restarts('shadow').answer('pause_dag', unsent);
    expect(s.acts()).toEqual([]);
    expect(s.hold('b')).toMatchObject({ state: 'released', reason: { code: 'shadow_mode' } });
    expect(s.history('hold.released')).toEqual(['b shadow_mode (firedamper)']);
    expect(s.incident()).toMatchObject({
      status: 'contained',
      statusReason: { code: 'contained' },
      spared: [{ dagId: 'b', reason: { code: 'shadow_mode' }, path: ['a -(asset s3://a)-> b'] }],
    });
    s.fails('a', 'r2');
    s.surveyed();
    expect(s.spared()).toEqual({ b: 'shadow_mode' });
    expect(s.acts()).toEqual([]);
  });

  test('one that was sent is found out, counts, and is undone at the end', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed().ends('pause_dag', { result: 'unknown', error: 'cut' });
    s.restarts('shadow').answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_us', settled: true } });
    expect(s.holds()).toEqual({ b: 'held' });
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'x' });
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause b']);
  });

  test('armed again, what it had spared or not sent is held at the next look; what a person let go is not', () => {
    const s = new Scenario(['a>b', 'a>c', 'a>d']);
    s.fails('a');
    s.surveyed();
    const of = (dagId: string) => s.open('pause_dag').find((i) => i.act.kind === 'pause_dag' && i.act.dagId === dagId)?.id ?? '';
    const pausedByUs = { kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } } as const;
    s.when({ type: 'outcome', intentId: of('d'), outcome: { result: 'done', facts: pausedByUs } });
    s.restarts('shadow').answer('pause_dag', unsent);
    s.person(ann, { kind: 'release_hold', holdId: s.hold('d')?.id ?? '', comment: 'x' });
    s.unpaused();
    s.restarts('armed').fails('a', 'r2');
    s.surveyed().paused();
    expect(s.holds()).toEqual({ b: 'held', c: 'held', d: 'released' });
    expect(s.spared()).toEqual({});
  });
});

describe('severity', () => {
  test.each([
    ['the failing DAG', ['a']],
    ['something downstream', ['c']],
  ])('P1 where %s is tagged so', (_what, [tagged]) => {
    const s = new Scenario(['a>b', 'b>c'], { dags: [dag(tagged ?? '', { tags: ['tier:1'] })] });
    s.fails('a');
    expect(s.incident().severity).toBe('P1');
    expect(s.incident().rule).toContain('tier:1');
  });
});

describe('too many at once', () => {
  test('is the platform, not the data: one incident without holds', () => {
    const s = new Scenario(['a>b'], { policy: { platform: { massFailureDags: 3 } } });
    for (const d of ['a', 'x1', 'x2', 'x3']) s.fails(d);
    expect(s.state.incidents.map((i) => i.type)).toEqual(['pipeline_failure', 'pipeline_failure', 'platform']);
    expect(s.incident(2).runs.map((r) => r.dagId)).toEqual(['x2', 'x3']);
    expect(s.holds(2)).toEqual({});
  });
});

describe('fallout', () => {
  test('a sensor that waited in vain belongs to the incident that explains it', () => {
    const s = new Scenario(['a~e']).contained('a');
    s.fails('e', 'waiting', { taskId: 'wait', runStart: '2026-11-21T05:00:00.000Z' });
    expect(s.state.incidents).toHaveLength(1);
    expect(s.incident().runs).toMatchObject([{ dagId: 'a' }, { dagId: 'e', role: 'fallout' }]);
  });

  test('a run that had started before the failure is a cause of its own', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.fails('b', 'early', { runStart: '2026-11-21T05:00:00.000Z' });
    expect(s.state.incidents.map((i) => i.dagId)).toEqual(['a', 'b']);
  });
});
