/** What is under way is looked at, all of it and nothing else. */
import { describe, expect, test } from 'vitest';
import { watchList } from '../../src/core/watchlist.ts';
import { ann, clearStep, dag, missed, missedAsset, rita, run, Scenario, START } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const DAY = '2026-11-20T00:00:00.000Z';
const watched = (s: Scenario, airflow = 'prod') => watchList(s.state, airflow);
const NOTHING = { runs: [], ranges: [], released: [], latest: [], paused: [], busy: false };

/** The steps of a repair are in Airflow. */
function repairing(s: Scenario, steps: Parameters<typeof clearStep>[3][]): Scenario {
  const plan = steps.map((change, i) => clearStep('a', `r${i + 1}`, i + 1, change));
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  s.planned({ steps: plan });
  s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  return s.planned({ steps: plan });
}

test('nothing is under way: nothing, and no hurry', () => {
  expect(watched(new Scenario(['a>b']))).toEqual(NOTHING);
});

describe('runs that failed', () => {
  test('are read until they are whole, each once, and the newest of their DAG with them', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1');
    s.fails('a', 'r2', { kind: 'run_failed', taskId: null });
    s.fails('z', 'r1');
    expect(watched(s)).toEqual({
      ...NOTHING,
      runs: [
        { dagId: 'a', runId: 'r1' },
        { dagId: 'a', runId: 'r2' },
        { dagId: 'z', runId: 'r1' },
      ],
      latest: ['a', 'z'],
      busy: true,
    });
    expect(watched(s, 'dev')).toEqual(NOTHING);
  });

  test('there is no hurry once they have failed, and there is when they run again', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { kind: 'run_failed', taskId: null });
    s.surveyed();
    expect(watched(s)).toMatchObject({ runs: [{ runId: 'r1' }], busy: false });
    s.sees({ runs: [run('a', 'r1', { state: 'running', startDate: RERUN })] });
    expect(watched(s)).toMatchObject({ runs: [{ runId: 'r1' }], busy: true });
  });

  test('those that are whole, or gone, are not read again', () => {
    const s = new Scenario([]);
    for (const id of ['r1', 'r2', 'r3', 'r4']) s.fails('a', id);
    s.sees({
      runs: [run('a', 'r1', { state: 'success' }), run('a', 'r2', { state: 'success', startDate: RERUN })],
      goneRuns: [{ dagId: 'a', runId: 'r3' }],
    });
    expect(s.incident().runs.map((r) => r.state)).toEqual(['succeeded', 'healed', 'gone', 'failing']);
    expect(watched(s).runs).toEqual([{ dagId: 'a', runId: 'r4' }]);
  });

  test('nothing of an incident that is over', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    expect(watched(s)).toEqual(NOTHING);
  });
});

describe('steps of a repair', () => {
  const clear = {};
  const backfill = {
    request: { kind: 'backfill', from: DAY, to: START, reprocess: 'failed', maxActiveRuns: 3 },
  } as const;
  const create = {
    request: { kind: 'create_run', runId: 'firedamper__1', logicalDate: DAY, intervalStart: DAY, intervalEnd: START },
  } as const;

  test('by the run where it has a name, by the range where it has none', () => {
    const s = repairing(new Scenario([]).contained('a', 'r1', { kind: 'run_failed', taskId: null }), [clear, backfill, create]);
    s.sent();
    expect(watched(s)).toMatchObject({
      runs: [{ dagId: 'a', runId: 'r1' }],
      ranges: [
        { dagId: 'a', from: DAY, to: START },
        { dagId: 'a', from: DAY, to: DAY },
      ],
      busy: true,
    });
    expect(watched(s, 'dev')).toEqual(NOTHING);
  });

  test('a run of another DAG that the repair clears is read too', () => {
    const s = repairing(new Scenario([]).contained('a'), [{ ...clear, dagId: 'other' }]).sent();
    expect(watched(s).runs).toEqual([
      { dagId: 'a', runId: 'r1' },
      { dagId: 'other', runId: 'r1' },
    ]);
  });

  test('not before they are sent, and not after they have ended', () => {
    const s = repairing(new Scenario([]).contained('a', 'r1', { kind: 'run_failed', taskId: null }), [backfill]);
    expect(watched(s)).toMatchObject({ ranges: [], busy: false });
    s.sent();
    expect(watched(s)).toMatchObject({ ranges: [{ from: DAY }], busy: true });
    s.person(ann, { kind: 'cancel', repairId: 'rep-1', comment: 'no' });
    expect(watched(s)).toMatchObject({ ranges: [], busy: false });
  });
});

describe('released DAGs', () => {
  test('are watched for the run that they should have, once it was asked for, and the pause of what is left no more', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    expect(watched(s)).toMatchObject({
      paused: [
        { dagId: 'b', auditCursor: 7 },
        { dagId: 'c', auditCursor: 7 },
      ],
    });
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: RERUN })] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] }), missed('c')]);
    expect(watched(s)).toEqual(NOTHING);
    s.unpaused();
    expect(watched(s)).toEqual(NOTHING);
    s.lookedAgain();
    expect(watched(s)).toEqual({ ...NOTHING, released: ['b'], busy: true });
    s.sees({ releasedRuns: [run('b', 'fresh', { state: 'success', queuedAt: s.now })] });
    expect(watched(s)).toEqual(NOTHING);
  });

  test('of two incidents once', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: RERUN })] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] })])
      .unpaused()
      .lookedAgain();
    const copies = s.state.incidents.flatMap((i) => [i, { ...i, id: 'inc-9' }]);
    expect(watchList({ ...s.state, incidents: copies }, 'prod').released).toEqual(['b']);
  });
});

test('two incidents of one DAG look at its newest runs once', () => {
  const s = new Scenario([]).contained('a');
  const copies = s.state.incidents.flatMap((i) => [i, { ...i, id: 'inc-9' }]);
  expect(watchList({ ...s.state, incidents: copies }, 'prod').latest).toEqual(['a']);
});

test('in an outage the newest runs of each DAG are looked at until it is whole', () => {
  const s = new Scenario([], { policy: { platform: { massFailureDags: 2 } } });
  for (const d of ['a', 'b', 'c', 'd']) s.fails(d);
  expect(watched(s).latest).toEqual(['a', 'b', 'c', 'd']);
  s.sees({ runs: ['b', 'c'].map((d) => run(d, 'r1', { state: 'success', startDate: RERUN })) });
  expect(watched(s).latest).toEqual(['a', 'b', 'd']);
});

test('the pause of what is ours and of what others paused is looked at, of what people took over it is not', () => {
  const s = new Scenario(['a>b', 'a>c', 'a>d', 'a>dev/e'], { dags: [dag('c', { paused: true })] }).contained('a');
  s.sees({ paused: [{ dagId: 'd', paused: false, who: 'paula' }] });
  expect(watched(s).paused.map((p) => p.dagId)).toEqual(['b', 'c']);
  expect(watched(s, 'dev').paused.map((p) => p.dagId)).toEqual(['e']);
});

test('what was deleted while it was held is looked for, until it is held again or its incident is over', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ goneDags: [{ dagId: 'b', op: s.opOf('b') }] });
  expect(watched(s).paused.map((p) => p.dagId)).toEqual(['b']);
  expect(watched(s, 'dev').paused).toEqual([]);
  s.sees({ paused: [{ dagId: 'b', paused: false, who: null }] });
  s.surveyed().paused();
  expect(watched(s).paused).toEqual([{ dagId: 'b', op: s.opOf('b'), auditCursor: 7 }]);
  s.sees({ goneDags: [{ dagId: 'b', op: s.opOf('b') }] });
  s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: RERUN })] });
  expect(s.incident().status).toBe('resolved');
  expect(watched(s)).toEqual(NOTHING);
});
