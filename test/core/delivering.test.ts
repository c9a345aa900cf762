/** The end of the holds, and what each released DAG is given. */
import { describe, expect, test } from 'vitest';
import type { MissedFacts, UnpauseFound } from '../../src/core/events.ts';
import type { AssetCondition } from '../../src/core/facts.ts';
import { ann, clearStep, dag, missed, missedAsset, rita, run, Scenario } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const well = run('a', 'r1', { state: 'success', startDate: RERUN });
const HALF_AN_HOUR = 1_800_000;
function healed(edges = ['a>b'], options: ConstructorParameters<typeof Scenario>[1] = {}): Scenario {
  const s = new Scenario(edges, options).contained('a');
  s.sees({ runs: [well] });
  return s;
}
const released = (facts: readonly MissedFacts[], edges = ['a>b'], options = {}) =>
  healed(edges, options).releasePlanned(facts).unpaused().lookedAgain(facts);
const withCondition = (dagId: string, assetCondition: AssetCondition | null, assets: ReturnType<typeof missedAsset>[]) => {
  const facts = missed(dagId);
  return { ...facts, details: facts.details && { ...facts.details, assetCondition }, missedAssets: assets };
};
const orders = (s: Scenario) => s.open('deliver').flatMap(({ act }) => (act.kind === 'deliver' ? [act.delivery] : []));
const delivery = (s: Scenario, dagId = 'b') => s.incident().deliveries.find((d) => d.dagId === dagId);
const A = 's3://a';
const X = 's3://x';
const EVENT = missedAsset(A);

describe('the release', () => {
  test('reads what was missed first, once, and says why', () => {
    const s = healed();
    expect(s.open('plan_release').map((i) => i.act)).toEqual([{ kind: 'plan_release', airflow: 'prod', incidentId: 'inc-1' }]);
    expect(s.incident()).toMatchObject({ status: 'verifying', releasing: true, surveyPending: false });
    s.releasePlanned();
    expect(s.history('incident.monitoring')).toEqual(['a healed_outside (firedamper)']);
    s.later(1_000).unpaused().lookedAgain();
    expect(s.incident()).toMatchObject({ status: 'resolved', timestamps: { releasedAt: s.now, resolvedAt: s.now } });
    expect(s.history('incident.resolved')).toEqual(['a resolved (firedamper)']);
    expect(s.notices()).toContain('resolved a');
  });

  test('of nothing that is ours reads nothing and ends at once', () => {
    const none = healed(['x>y']);
    expect(none.incident().status).toBe('resolved');
    const foreign = healed(['a>b'], { dags: [dag('b', { paused: true })] });
    expect(foreign.incident().status).toBe('resolved');
    expect(foreign.state.intents.some((i) => i.act.kind === 'plan_release')).toBe(false);
    const shadow = new Scenario(['a>b'], { policy: { mode: 'shadow' } }).contained('a');
    shadow.sees({ runs: [well] });
    expect(shadow.incident().status).toBe('resolved');
    expect(shadow.history('hold.released')).toEqual(['b healed_outside (firedamper)']);
  });

  describe('with a DAG of another Airflow, which is away', () => {
    const unpauses = (s: Scenario, dagId: string, incident = 0) => {
      const id = s.open('unpause_dag').find((i) => i.act.kind === 'unpause_dag' && i.act.dagId === dagId)?.id ?? '';
      const facts = { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } } as const;
      s.when({ type: 'outcome', intentId: id, outcome: { result: 'done', facts } });
      expect(s.holds(incident)[dagId]).toBe('released');
    };
    const misses = (dagId: string, airflow = 'prod') => missed(dagId, { airflow, missedAssets: [EVENT] });

    test('gives the others what they missed, and that one when it is let go', () => {
      const s = healed(['a>b', 'a>d', 'a>dev/c']);
      s.releasePlanned([misses('b'), misses('d'), misses('c', 'dev')]);
      unpauses(s, 'b');
      expect(s.open('plan_delivery'), 'an event would reach b alone').toEqual([]);
      unpauses(s, 'd');
      expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([
        { airflow: 'prod', dags: [{ dagId: 'b' }, { dagId: 'd' }] },
      ]);
      s.lookedAgain([misses('b'), misses('d')]);
      expect(orders(s)).toMatchObject([{ how: 'event', dagIds: ['b', 'd'] }]);
      s.delivered();
      expect(s.holds()).toMatchObject({ c: 'release_intended' });
      expect(s.incident()).toMatchObject({ status: 'monitoring', timestamps: { releasedAt: null } });
      unpauses(s, 'c');
      expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ airflow: 'dev', dags: [{ dagId: 'c' }] }]);
      s.lookedAgain([misses('c', 'dev')]);
      expect(s.open('deliver').map((i) => i.act)).toMatchObject([{ airflow: 'dev', delivery: { dagIds: ['c'] } }]);
    });

    test('they are looked at in one look with those of other incidents, and given what it tells', () => {
      const s = new Scenario(['x>y', 'z>w', 'a>b', 'a>dev/c']).contained('x').contained('z').contained('a');
      s.sees({ runs: [well, { ...well, dagId: 'x' }, { ...well, dagId: 'z' }] });
      s.releasePlanned(['y', 'w', 'b'].map((d) => misses(d)));
      for (const [i, dagId] of ['y', 'w', 'b'].entries()) unpauses(s, dagId, i);
      s.lookedAgain();
      expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([
        { incidentId: 'inc-2', dags: [{ dagId: 'w' }, { dagId: 'b', incidentId: 'inc-3' }] },
      ]);
      s.lookedAgain(['w', 'b'].map((d) => missed(d, { missedAssets: [missedAsset(`s3://for ${d}`)] })));
      expect(orders(s)).toMatchObject([{ dagIds: ['y'] }, { dagIds: ['w'] }, { dagIds: ['b'] }]);
      expect(s.open('plan_delivery')).toEqual([]);
    });
  });

  test('goes upstream first, whatever order the holds were made in', () => {
    const s = new Scenario(['a>far', 'far>b']).contained('a');
    s.learns('a>z');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    s.surveyed().paused();
    s.sees({ runs: [well] });
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause far', 'unpause z', 'unpause b']);
  });

  test.each([
    ['planning', 'cancelled', (s: Scenario) => s],
    ['proposed', 'lapsed', (s: Scenario) => s.planned({ steps: [clearStep('a', 'r1')] })],
  ])('ends a repair that is %s: %s, because there is nothing left to repair', (_state, after, given) => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    given(s);
    s.sees({ runs: [well] });
    expect(s.history(`repair.${after}`)).toEqual(['rep-1 healed_outside (firedamper)']);
  });

  test('ends an approved one too, and no other incident’s', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.contained('z');
    for (const incidentId of ['inc-1', 'inc-2']) s.person(rita, { kind: 'fixed', incidentId, comment: null });
    s.planned({ steps: [clearStep('a', 'r1')] });
    for (const r of s.state.repairs) s.person(ann, { kind: 'approve', repairId: r.id, digest: r.digest ?? '', comment: null });
    s.sees({ runs: [well] });
    expect(s.state.repairs.map((r) => r.state)).toEqual(['cancelled', 'approved']);
  });

  test('whose facts come when the incident was reopened, or is gone, lets nothing go', () => {
    const s = healed();
    s.fails('a', 'r2');
    expect(s.incident().releasing).toBe(false);
    s.releasePlanned([missed('b')]);
    expect(s.holds()).toEqual({ b: 'held' });
    const gone = healed();
    gone.state = { ...gone.state, incidents: [] };
    gone.releasePlanned([missed('b')]);
    expect(gone.acts()).toEqual([]);
  });

  test('that was overtaken by a new failure: its holds go on, and a person who unpauses one is not fought', () => {
    const s = healed();
    s.later(1_000).fails('a', 'r2');
    s.releasePlanned([missed('b')]);
    s.surveyed();
    expect([s.holds(), s.acts()]).toEqual([{ b: 'held' }, []]);
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    s.later(1_000).fails('a', 'r3');
    s.surveyed();
    expect([s.holds(), s.acts()]).toEqual([{ b: 'ceded' }, []]);
  });

  test('a look that began before the run was cleared and failed again does not heal it', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', { runStart: '2026-11-21T05:59:00.000Z' });
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T05:00:00.000Z' })] });
    expect([s.incident().status, s.holds()]).toEqual(['contained', { b: 'held' }]);
  });

  test('is not over before the last hold is', () => {
    const s = healed(['a>b', 'a>c']).releasePlanned([missed('b', { missedAssets: [EVENT] })]);
    const [first] = s.open('unpause_dag');
    s.when({
      type: 'outcome',
      intentId: first?.id ?? '',
      outcome: { result: 'done', facts: { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } } },
    });
    s.tick();
    expect(s.open('plan_delivery')).toEqual([]);
    expect(s.incident()).toMatchObject({ status: 'monitoring', timestamps: { releasedAt: null } });
    s.unpaused().lookedAgain();
    expect(orders(s)).toHaveLength(1);
  });
});

describe('the second look, once they run', () => {
  const none = missed('b', { missedAssets: [missedAsset(A, { events: 0 })] });
  const one = missed('b', { missedAssets: [EVENT] });
  const SINCE = '2026-11-21T06:00:00.000Z';
  const planned = (facts: readonly MissedFacts[], edges = ['a>b'], options = {}) =>
    healed(edges, options).releasePlanned(facts).unpaused();

  test('is asked for DAGs that read assets, all of them at once, and nothing is given before it', () => {
    const s = planned([one, missed('c', { missedAssets: [EVENT] }), missed('d')], ['a>b', 'a>c', 'a>d']);
    expect(s.open('plan_delivery').map((i) => i.act)).toEqual([
      {
        ...{ kind: 'plan_delivery', airflow: 'prod', incidentId: 'inc-1' },
        dags: [
          { dagId: 'b', since: SINCE },
          { dagId: 'c', since: SINCE },
        ],
      },
    ]);
    expect(orders(s)).toEqual([]);
    s.tick();
    expect(s.open('plan_delivery')).toHaveLength(1);
    expect(s.incident()).toMatchObject({ status: 'monitoring', timestamps: { releasedAt: null } });
  });

  test.each<[string, MissedFacts, MissedFacts, object, number]>([
    ['an event that came before the unpause is delivered too', none, one, { how: 'event', state: 'sent' }, 1],
    ['what it has had by now is not delivered again', one, none, { how: 'nothing', state: 'done', expectRun: false }, 0],
    [
      'what others have had by now is given by a run',
      one,
      missed('b', { missedAssets: [missedAsset(A, { otherReaders: ['z'] })] }),
      { how: 'run', state: 'sent' },
      1,
    ],
  ])('%s', (_what, before, after, then, count) => {
    const s = planned([before]).lookedAgain([after]);
    expect(delivery(s)).toMatchObject(then);
    expect(delivery(s)).not.toHaveProperty('missedSince');
    expect(orders(s)).toHaveLength(count);
    expect(s.incident().status).toBe(count === 0 ? 'resolved' : 'monitoring');
  });

  test('where Airflow refuses to say, what was planned before counts', () => {
    const s = planned([one, missed('c', { missedAssets: [missedAsset(X, { events: 0 })] })], ['a>b', 'a>c']);
    s.refused('plan_delivery', '403');
    expect(orders(s)).toEqual([{ how: 'event', assetKey: A, uri: A, dagIds: ['b'] }]);
    expect(delivery(s, 'c')).toMatchObject({ how: 'nothing', state: 'done' });
  });

  test('of an incident that was reopened meanwhile gives nothing: its data is bad again', () => {
    const s = planned([one]);
    s.fails('a', 'r2');
    expect(s.incident().releasing).toBe(false);
    s.lookedAgain([one]);
    expect(orders(s)).toEqual([]);
  });

  test('that took longer than a reopening says nothing of the next release', () => {
    const s = planned([one]);
    const late = s.open('plan_delivery')[0]?.id ?? '';
    s.fails('a', 'r2');
    s.surveyed().paused();
    s.sees({ runs: [{ ...well, runId: 'r2' }] });
    s.releasePlanned([{ ...none, since: '2026-11-21T06:30:00.000Z' }]);
    const outcome = { result: 'done', facts: { kind: 'plan_delivery', missed: [one] } } as const;
    s.when({ type: 'outcome', intentId: late, outcome });
    expect(delivery(s)).toMatchObject({ how: 'nothing', state: 'waiting', missedSince: SINCE });
    s.unpaused();
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ dags: [{ dagId: 'b', since: SINCE }] }]);
    expect(orders(s)).toEqual([]);
  });

  test('of a dismissed incident still gives what was missed', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.releasePlanned([one]).unpaused();
    expect(s.incident().timestamps.releasedAt).toBeNull();
    s.lookedAgain([one]);
    expect(orders(s)).toHaveLength(1);
  });

  test('leaves missed intervals as they were planned, unless an asset was missed as well', () => {
    const missedIntervals = [{ start: '2026-11-20T00:00:00.000Z', end: '2026-11-21T00:00:00.000Z' }];
    const both = { ...none, missedIntervals };
    expect(orders(planned([both]).lookedAgain([none]))).toMatchObject([{ how: 'intervals', intervals: missedIntervals }]);
    expect(orders(planned([both]).lookedAgain([one]))).toMatchObject([{ how: 'event' }]);
  });

  test('sees only what runs: the reader of a DAG that a person is asked about waits for that one', () => {
    const s = healed(['a>b', 'b>c']).releasePlanned([one, missed('c', { missedAssets: [missedAsset('s3://b')] })]);
    const [b, c] = s.open('unpause_dag');
    const end = (id = '', found: object) =>
      s.when({
        type: 'outcome',
        intentId: id,
        outcome: { result: 'done', facts: { kind: 'unpause_dag', found: found as { was: 'unpaused_by_us' } } },
      });
    end(b?.id, { was: 'uncertain', why: '403' });
    end(c?.id, { was: 'unpaused_by_us' });
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ dags: [{ dagId: 'c' }] }]);
    s.lookedAgain([missed('c', { missedAssets: [missedAsset('s3://b')] })]);
    expect(delivery(s, 'c')).toMatchObject({ how: 'fed_by', state: 'sent' });
    expect(delivery(s, 'b')).toMatchObject({ state: 'waiting', missedSince: SINCE });
  });

  test('finds the reader of a DAG that a person took over: it is given its event, for that DAG gets nothing', () => {
    const s = healed(['a>b', 'b>c']).releasePlanned([one, missed('c', { missedAssets: [missedAsset('s3://b')] })]);
    const [b, c] = s.open('unpause_dag');
    for (const [id, found] of [
      [b?.id, { was: 'touched', who: 'paula' }],
      [c?.id, { was: 'unpaused_by_us' }],
    ] as const)
      s.when({ type: 'outcome', intentId: id ?? '', outcome: { result: 'done', facts: { kind: 'unpause_dag', found } } });
    s.lookedAgain([missed('c', { missedAssets: [missedAsset('s3://b')] })]);
    expect(orders(s)).toMatchObject([{ how: 'event', uri: 's3://b', dagIds: ['c'] }]);
  });

  test('is asked for a DAG whose pause arrived while the first look was on its way', () => {
    const s = new Scenario(['a>b', 'a>c']);
    s.fails('a');
    s.surveyed();
    const [b] = s.open('pause_dag');
    const arrives = (id = '') =>
      s.when({
        type: 'outcome',
        intentId: id,
        outcome: { result: 'done', facts: { kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } } },
      });
    arrives(b?.id);
    s.sees({ runs: [well] });
    arrives(s.open('pause_dag')[0]?.id);
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ dags: [{ dagId: 'c' }] }]);
    s.lookedAgain([missed('c', { missedAssets: [EVENT] })]);
    expect(orders(s)).toMatchObject([{ how: 'event', dagIds: ['c'] }]);
  });

  test('dates from our pause, not from the last hold, and is made for one incident where two let go', () => {
    const s = new Scenario(['a>b', 'z>b']);
    s.fails('a');
    s.surveyed();
    const since = s.now;
    s.sees({ runs: [well] });
    s.later(300_000).fails('z');
    s.surveyed();
    s.sees({ runs: [run('z', 'r1', { state: 'success', startDate: RERUN })] });
    expect(s.state.holds.map((h) => h.state)).toEqual(['release_intended', 'release_intended']);
    s.paused().unpaused();
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ dags: [{ dagId: 'b', since }] }]);
    s.lookedAgain([one]);
    expect(s.open('plan_delivery')).toEqual([]);
    expect(orders(s)).toHaveLength(1);
  });

  test('is not made for a DAG that another incident holds by then: whoever lets it go gives it all', () => {
    const s = healed(['a>b', 'z>b']).releasePlanned([one]);
    const since = s.ownership('b')?.since;
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: '403' } });
    s.later(1_000).contained('z');
    s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it was us' });
    expect(delivery(s)).toMatchObject({ state: 'done', reason: { code: 'still_held', detail: { incidents: 'inc-2' } } });
    expect(s.open('plan_delivery')).toEqual([]);
    expect(s.incident(0).status).toBe('resolved');
    expect(s.ownership('b')).toMatchObject({ state: 'ours', since });
  });

  describe('that a DAG was held again before', () => {
    const LATER = '2026-11-21T07:00:00.000Z';
    const heldByZ = (s: Scenario): Scenario => {
      s.later(60_000).fails('z');
      return s.surveyed().paused();
    };
    const healZ = (s: Scenario): Scenario => {
      s.sees({ runs: [run('z', 'r1', { state: 'success', startDate: RERUN })] });
      return s;
    };
    const owed = (s: Scenario, incident: number) => s.incident(incident).deliveries.find((d) => d.dagId === 'b');
    const lookedFor = (s: Scenario) =>
      s.open('plan_delivery').flatMap(({ act }) => (act.kind === 'plan_delivery' ? [[act.incidentId, act.dags]] : []));

    test('by another cause: what it is owed becomes owed by that one, from the first hold on', () => {
      const s = heldByZ(planned([one], ['a>b', 'z>b']));
      expect(owed(s, 0)).toMatchObject({ state: 'done', reason: { code: 'still_held', detail: { incidents: 'inc-2' } } });
      expect(owed(s, 1)).toMatchObject({ state: 'waiting', missedSince: SINCE });
      s.lookedAgain([one]);
      expect(orders(s)).toEqual([]);
      expect(s.incident(0).status).toBe('resolved');
      healZ(s)
        .releasePlanned([{ ...none, since: LATER }])
        .unpaused();
      expect(lookedFor(s)).toEqual([['inc-2', [{ dagId: 'b', since: SINCE }]]]);
      s.lookedAgain([one]);
      expect(orders(s)).toHaveLength(1);
    });

    test('by another cause, after the look: what was found is found once more', () => {
      const s = healed(['a>b', 'a>c', 'z>b']).releasePlanned([one, missed('c', { missedAssets: [EVENT] })]);
      const [b, c] = s.open('unpause_dag');
      const end = (id = '', found: UnpauseFound) =>
        s.when({ type: 'outcome', intentId: id, outcome: { result: 'done', facts: { kind: 'unpause_dag', found } } });
      end(c?.id, { was: 'uncertain', why: '403' });
      end(b?.id, { was: 'unpaused_by_us' });
      s.person(ann, { kind: 'release_hold', holdId: 'hold-2', comment: 'it was us' });
      s.lookedAgain([one]);
      expect(owed(s, 0), 'it waits for the other unpause').toMatchObject({ state: 'waiting', looked: true });
      heldByZ(s);
      expect(owed(s, 1)).toMatchObject({ state: 'waiting', missedSince: SINCE });
      expect(owed(s, 1)).not.toHaveProperty('looked');
    });

    test('by another cause that healed before its pause came: it is looked at all the same', () => {
      const s = planned([one], ['a>b', 'z>b']);
      s.later(1_000).fails('z');
      s.surveyed();
      healZ(s);
      s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'not_wanted' } });
      s.lookedAgain([one]);
      expect(orders(s), 'the first look was for another time').toEqual([]);
      s.lookedAgain([one]);
      expect(orders(s)).toHaveLength(1);
    });

    test('while it was being let go: intervals that were to be backfilled are owed, too', () => {
      const missedIntervals = [{ start: '2026-11-20T00:00:00.000Z', end: '2026-11-21T00:00:00.000Z' }];
      const s = healed(['a>b', 'z>b']).releasePlanned([missed('b', { missedIntervals })]);
      s.later(60_000).fails('z');
      s.surveyed().unpaused().paused();
      expect(owed(s, 0)).toMatchObject({ state: 'done', reason: { code: 'still_held' } });
      healZ(s)
        .releasePlanned([missed('b', { since: LATER })])
        .unpaused();
      expect(orders(s)).toMatchObject([{ how: 'intervals', intervals: missedIntervals }]);
      expect(owed(s, 1)).toMatchObject({ how: 'backfill', state: 'sent', expectRun: true });
    });

    test('while it was being let go: what it missed by each hold comes together', () => {
      const first = [{ start: '2026-11-20T00:00:00.000Z', end: '2026-11-20T00:00:00.000Z' }];
      const second = [{ start: '2026-11-21T00:00:00.000Z', end: '2026-11-21T00:00:00.000Z' }];
      const s = healed(['a>b', 'z>b']).releasePlanned([missed('b', { missedIntervals: first })]);
      s.later(60_000).fails('z');
      s.surveyed().unpaused().paused();
      healZ(s)
        .releasePlanned([missed('b', { since: LATER, missedIntervals: second })])
        .unpaused();
      // In one order: Airflow refuses a second backfill of a DAG while one is under way.
      expect(orders(s).map((o) => (o.how === 'intervals' ? o.intervals : []))).toEqual([[...first, ...second]]);
    });

    test('after a doubt: an interval that both plans name is given once', () => {
      const [i1, i2] = ['2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'].map((t) => ({ start: t, end: t })) as [
        { start: string; end: string },
        { start: string; end: string },
      ];
      const s = healed().releasePlanned([missed('b', { missedIntervals: [i1] })]);
      s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: '403' } });
      s.later(60_000).fails('a', 'r2');
      s.surveyed();
      s.sees({ runs: [{ ...well, runId: 'r2' }] });
      s.releasePlanned([missed('b', { missedIntervals: [i1, i2] })]);
      s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it was us' });
      s.unpaused();
      expect(orders(s)).toMatchObject([{ how: 'intervals', intervals: [i1, i2] }]);
    });

    test('an old order that is refused says nothing of what is owed by now', () => {
      const s = planned([one]).lookedAgain([one]);
      const [old] = s.open('deliver');
      s.later(60_000).fails('a', 'r2');
      s.surveyed().paused();
      s.sees({ runs: [{ ...well, runId: 'r2' }] });
      s.releasePlanned([one]).unpaused();
      s.when({ type: 'outcome', intentId: old?.id ?? '', outcome: { result: 'failed', error: '403', retry: false } });
      expect(delivery(s)).toMatchObject({ state: 'waiting', missedSince: SINCE });
      s.lookedAgain([one]);
      expect(delivery(s)).toMatchObject({ how: 'event', state: 'sent' });
    });

    test('by another cause, while somebody else has paused it: nothing reaches it, and people are told', () => {
      const s = planned([one], ['a>b', 'z>b']);
      s.later(60_000).fails('z');
      s.surveyed({ dags: [dag('a'), dag('z'), dag('b', { paused: true })] });
      expect(s.hold('b', 1)).toMatchObject({ state: 'foreign' });
      healZ(s).lookedAgain([one]);
      expect(owed(s, 1)).toMatchObject({ how: 'not_delivered', state: 'done', reason: { code: 'not_delivered' } });
      expect(orders(s)).toEqual([]);
      expect(s.notices()).toContain('attention b');
      expect(s.incident(1).status).toBe('resolved');
    });

    test('by the same cause, while it was being let go: the next release gives it from the first hold on', () => {
      const s = healed(['a>b']).releasePlanned([one]);
      s.later(60_000).fails('a', 'r2');
      s.surveyed().unpaused().paused();
      expect(delivery(s)).toMatchObject({ state: 'waiting', missedSince: SINCE });
      s.sees({ runs: [{ ...well, runId: 'r2' }] });
      s.releasePlanned([{ ...none, since: LATER }]).unpaused();
      expect(lookedFor(s)).toEqual([['inc-1', [{ dagId: 'b', since: SINCE }]]]);
      expect(s.incident().deliveries).toHaveLength(1);
    });

    test('by the same cause, which does not reach all of them now: those are given theirs at once', () => {
      const s = planned([one, missed('c', { missedAssets: [EVENT] })], ['a>b', 'a>c']);
      s.later(60_000).fails('a', 'r2');
      s.answer('plan_delivery', { kind: 'plan_delivery', missed: [one, missed('c', { missedAssets: [EVENT] })] });
      expect(orders(s), 'whom it reaches is not known yet').toEqual([]);
      s.forgets('a>c');
      s.surveyed().paused();
      expect(orders(s)).toMatchObject([{ how: 'event', dagIds: ['c'] }]);
      expect(delivery(s, 'b')).toMatchObject({ state: 'waiting', missedSince: SINCE });
      expect(delivery(s, 'b')).not.toHaveProperty('looked');
      s.delivered();
      s.sees({ releasedRuns: [run('c', 'fresh', { state: 'success', queuedAt: s.now })] });
      expect(delivery(s, 'c')).toMatchObject({ state: 'ran' });
      expect(s.incident().status).not.toBe('resolved');
    });

    test('and then taken over by a person: they know what it is to have', () => {
      const s = heldByZ(planned([one], ['a>b', 'z>b']));
      s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
      expect(s.ownership('b')?.state).toBe('ceded');
      expect(owed(s, 1)).toMatchObject({ state: 'done', reason: { code: 'release_ceded' } });
      s.lookedAgain([one]);
      expect(orders(s)).toEqual([]);
    });

    test('dates a new hold from itself, once all is paid', () => {
      const s = planned([one], ['a>b', 'z>b']).lookedAgain([one]);
      expect(s.ownership('b')?.since).toBeNull();
      heldByZ(s);
      expect(s.ownership('b')).toMatchObject({ state: 'ours', since: s.now });
      expect(s.incident(1).deliveries).toEqual([]);
    });
  });

  test('of a dismissed incident waits for its turn, and is not forgotten', () => {
    const s = healed(['a>b', 'z>c']);
    s.contained('z');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-2', comment: 'a drill' });
    s.releasePlanned([one, missed('c', { missedAssets: [EVENT] })]).unpaused();
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-1' }]);
    expect(s.incident(1).timestamps.releasedAt).toBeNull();
    s.lookedAgain([one]);
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-2' }]);
  });

  test('that Airflow does not answer keeps nobody else waiting', () => {
    const s = healed(['a>b', 'z>c']);
    s.contained('z');
    s.sees({ runs: [run('z', 'r1', { state: 'success', startDate: RERUN })] });
    s.releasePlanned([one, missed('c', { missedAssets: [EVENT] })]).unpaused();
    s.ends('plan_delivery', { result: 'failed', error: '500', retry: true });
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-1' }, { incidentId: 'inc-2' }]);
    s.tick();
    expect(s.open('plan_delivery')).toHaveLength(2);
    for (let n = 0; n < 2; n++) s.ends('plan_delivery', { result: 'failed', error: '500', retry: true });
    expect(s.history('release.retrying')).toEqual(['null missed_unread error=500 (firedamper)']);
  });

  test('that waits for an event on its way keeps its turn for a minute', () => {
    const s = healed(['a>b', 'z>c']);
    s.contained('z');
    s.sees({ runs: [run('z', 'r1', { state: 'success', startDate: RERUN })] });
    s.releasePlanned([one, missed('c', { missedAssets: [EVENT] })]).unpaused();
    s.later(59_000).ends('plan_delivery', { result: 'not_yet', why: 'the same event is being delivered' });
    expect(s.open('plan_delivery')).toHaveLength(1);
    s.later(2_000).tick();
    expect(s.open('plan_delivery')).toHaveLength(2);
  });

  test('comes one after the other in one Airflow', () => {
    const s = healed(['a>b', 'z>c']);
    s.contained('z');
    s.sees({ runs: [run('z', 'r1', { state: 'success', startDate: RERUN })] });
    s.releasePlanned([one, missed('c', { missedAssets: [EVENT] })]).unpaused();
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-1' }]);
    s.lookedAgain([one]);
    expect(s.open('plan_delivery').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-2', dags: [{ dagId: 'c' }] }]);
  });

  describe('for several who wait', () => {
    const NOT_YET = { result: 'not_yet', why: 'the same event is being delivered' } as const;
    const of = (dagId: string, uri: string) => missed(dagId, { missedAssets: [missedAsset(uri)] });
    const asked = (s: Scenario) => s.open('plan_delivery').flatMap(({ act }) => (act.kind === 'plan_delivery' ? [act.dags] : []));
    /** The look for the first one is under way, and two others wait for their turn. */
    function waiting(): Scenario {
      const s = healed(['a>b', 'y>c', 'z>d']);
      for (const cause of ['y', 'z']) s.contained(cause);
      s.sees({ runs: ['y', 'z'].map((cause) => run(cause, 'r1', { state: 'success', startDate: RERUN })) });
      return s.releasePlanned([of('b', A), of('c', X), of('d', 's3://y')]).unpaused();
    }

    test('is one look, when the turn is free', () => {
      const s = waiting();
      expect(asked(s)).toMatchObject([[{ dagId: 'b' }]]);
      s.lookedAgain([of('b', A)]);
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }, { dagId: 'd', incidentId: 'inc-3' }]]);
      s.lookedAgain([of('c', X), of('d', 's3://y')]);
      expect(orders(s)).toMatchObject([
        { how: 'event', uri: A, dagIds: ['b'] },
        { how: 'event', uri: X, dagIds: ['c'] },
        { how: 'event', uri: 's3://y', dagIds: ['d'] },
      ]);
      expect(asked(s)).toEqual([]);
      s.delivered();
      s.sees({ releasedRuns: ['b', 'c', 'd'].map((x) => run(x, 'fresh', { state: 'success', queuedAt: s.now })) });
      expect(s.state.incidents.map((i) => i.status)).toEqual(['resolved', 'resolved', 'resolved']);
    });

    test('of the same event: the second one is looked for again, once the first has been given it', () => {
      const s = waiting().lookedAgain([of('b', A)]);
      s.lookedAgain([of('c', X), of('d', X)]);
      expect(orders(s)).toMatchObject([{ dagIds: ['b'] }, { uri: X, dagIds: ['c'] }]);
      expect(asked(s)).toMatchObject([[{ dagId: 'd' }]]);
      s.lookedAgain([missed('d', { missedAssets: [missedAsset(X, { events: 0 })] })]);
      expect(orders(s)).toHaveLength(2);
      expect(s.incident(2).status).toBe('resolved');
    });

    test('of the same asset, of which nothing was missed: they have nothing in common', () => {
      const s = waiting().lookedAgain([of('b', A)]);
      s.lookedAgain([missed('c', { missedAssets: [missedAsset(X, { events: 0 })] }), of('d', X)]);
      expect(orders(s)).toMatchObject([{ dagIds: ['b'] }, { uri: X, dagIds: ['d'] }]);
      expect(asked(s)).toEqual([]);
    });

    test('that comes to nothing goes on for one, and the others are looked at without it', () => {
      const s = waiting().lookedAgain([of('b', A)]);
      s.ends('plan_delivery', { result: 'failed', error: '500', retry: true });
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }], [{ dagId: 'd' }]]);
      const outcome = { result: 'done', facts: { kind: 'plan_delivery', missed: [of('d', 's3://y')] } } as const;
      s.when({ type: 'outcome', intentId: s.open('plan_delivery')[1]?.id ?? '', outcome });
      expect(orders(s)).toMatchObject([{ dagIds: ['b'] }, { dagIds: ['d'] }]);
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }]]);
      s.lookedAgain([of('c', X)]);
      expect(orders(s)).toHaveLength(3);
    });

    test('that Airflow refuses to say is believed when it was asked for alone: the refusal may have been another one’s', () => {
      const s = healed(['a>b', 'y>c', 'z>d']);
      for (const cause of ['y', 'z']) s.contained(cause);
      s.sees({ runs: ['y', 'z'].map((cause) => run(cause, 'r1', { state: 'success', startDate: RERUN })) });
      const nothing = missed('c', { missedAssets: [missedAsset(X, { events: 0 })] });
      s.releasePlanned([of('b', A), nothing, of('d', 's3://y')])
        .unpaused()
        .lookedAgain([of('b', A)]);
      s.refused('plan_delivery', 'GET /dags/d/details: 403');
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }], [{ dagId: 'd' }]]);
      const [c, d] = s.open('plan_delivery');
      s.when({
        type: 'outcome',
        intentId: c?.id ?? '',
        outcome: { result: 'done', facts: { kind: 'plan_delivery', missed: [of('c', X)] } },
      });
      s.when({ type: 'outcome', intentId: d?.id ?? '', outcome: { result: 'failed', error: '403', retry: false } });
      expect(orders(s)).toMatchObject([{ dagIds: ['b'] }, { uri: X, dagIds: ['c'] }, { dagIds: ['d'] }]);
      expect(asked(s)).toEqual([]);
    });

    test('of one that may not be given anything yet: it is looked for alone later, or others that had its event would have it twice', () => {
      const s = healed(['a>b', 'y>c', 'y>e', 'z>d']);
      for (const cause of ['y', 'z']) s.contained(cause);
      s.sees({ runs: ['y', 'z'].map((cause) => run(cause, 'r1', { state: 'success', startDate: RERUN })) });
      s.releasePlanned([of('b', A), of('c', X), of('e', 's3://e'), of('d', X)]).unpaused();
      s.lookedAgain([of('b', A)]);
      s.delivered();
      s.later(1_000).fails('y', 'r2');
      s.lookedAgain([of('c', X), of('e', 's3://e'), of('d', X)]);
      expect(orders(s)).toMatchObject([{ how: 'event', uri: X, dagIds: ['d'] }]);
      s.delivered();
      s.forgets('y>c');
      s.surveyed().paused();
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }]]);
      s.lookedAgain([missed('c', { missedAssets: [missedAsset(X, { events: 0 })] })]);
      expect(orders(s)).toEqual([]);
    });

    test('that must wait for an event gives the others their turn after a minute', () => {
      const s = waiting()
        .lookedAgain([of('b', A)])
        .ends('plan_delivery', NOT_YET);
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }]]);
      s.later(61_000).tick();
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }], [{ dagId: 'd' }]]);
    });

    test('leaves out who is not let go yet, and whose cause has come back', () => {
      const s = healed(['a>b', 'y>c', 'y>e', 'z>d']);
      for (const cause of ['y', 'z']) s.contained(cause);
      s.sees({ runs: ['y', 'z'].map((cause) => run(cause, 'r1', { state: 'success', startDate: RERUN })) });
      s.releasePlanned([of('b', A), of('c', X), of('e', X), of('d', 's3://y')]);
      const outcome = { result: 'done', facts: { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } } } as const;
      for (const i of s.open('unpause_dag'))
        if (i.act.kind === 'unpause_dag' && i.act.dagId !== 'e') s.when({ type: 'outcome', intentId: i.id, outcome });
      s.fails('z', 'r2');
      s.lookedAgain([of('b', A)]);
      expect(asked(s)).toEqual([]);
      s.unpaused();
      expect(asked(s)).toMatchObject([[{ dagId: 'c' }, { dagId: 'e' }]]);
    });

    test('asks for a hundred DAGs at most', () => {
      const many = Array.from({ length: 50 }, (_, n) => n);
      const s = healed(['a>b', ...many.map((n) => `y>c${n}`), ...many.map((n) => `z>d${n}`), 'x>e']);
      for (const cause of ['y', 'z', 'x']) s.contained(cause);
      s.sees({ runs: ['y', 'z', 'x'].map((cause) => run(cause, 'r1', { state: 'success', startDate: RERUN })) });
      const all = [of('b', A), ...many.flatMap((n) => [of(`c${n}`, X), of(`d${n}`, 's3://y')]), of('e', 's3://e')];
      s.releasePlanned(all)
        .unpaused()
        .lookedAgain([of('b', A)]);
      expect(asked(s).map((dags) => dags.length)).toEqual([100]);
      s.lookedAgain(all);
      expect(asked(s)).toMatchObject([[{ dagId: 'e' }]]);
    });
  });

  test('finds what a DAG missed of one that was given its own before', () => {
    const s = healed(['a>b', 'b>c']).releasePlanned([one, missed('c', { missedAssets: [missedAsset('s3://b', { events: 0 })] })]);
    const [b, c] = s.open('unpause_dag');
    const end = (id = '', found: UnpauseFound) =>
      s.when({ type: 'outcome', intentId: id, outcome: { result: 'done', facts: { kind: 'unpause_dag', found } } });
    end(b?.id, { was: 'unpaused_by_us' });
    end(c?.id, { was: 'uncertain', why: '403' });
    s.lookedAgain([one]).delivered();
    expect(delivery(s, 'b')).toMatchObject({ state: 'sent' });
    s.person(ann, { kind: 'release_hold', holdId: 'hold-2', comment: 'it was us' });
    s.unpaused().lookedAgain([missed('c', { missedAssets: [missedAsset('s3://b')] })]);
    expect(orders(s)).toMatchObject([{ how: 'event', uri: 's3://b', dagIds: ['c'] }]);
  });

  test('goes to the Airflow of the DAG, and so does what it is given', () => {
    const s = healed(['a>b', 'a>dev/b']);
    const elsewhere = { ...one, airflow: 'dev' };
    s.releasePlanned([none, elsewhere]).unpaused();
    const asked = s.open('plan_delivery').map((i) => i.act);
    expect(asked).toMatchObject([
      { airflow: 'prod', dags: [{ dagId: 'b' }] },
      { airflow: 'dev', dags: [{ dagId: 'b' }] },
    ]);
    s.lookedAgain([none, elsewhere]);
    expect(s.open('deliver').map((i) => i.act)).toMatchObject([{ airflow: 'dev', delivery: { how: 'event', dagIds: ['b'] } }]);
    s.delivered();
    const ran = run('b', 'fresh', { state: 'success', queuedAt: s.now });
    s.sees({ releasedRuns: [ran] });
    expect(s.incident().status).toBe('monitoring');
    s.sees({ releasedRuns: [ran] }, 'dev');
    expect(s.incident().status).toBe('resolved');
  });
});

describe('what a DAG is given', () => {
  test('the event that it missed, once', () => {
    const s = released([missed('b', { missedAssets: [EVENT] })]);
    expect(orders(s)).toEqual([{ how: 'event', assetKey: A, uri: A, dagIds: ['b'] }]);
    expect(s.open('deliver')[0]?.act).toMatchObject({ airflow: 'prod', incidentId: 'inc-1' });
    expect(delivery(s)).toEqual({
      airflow: 'prod',
      dagId: 'b',
      how: 'event',
      reason: { code: 'delivered_event', detail: { asset: A } },
      expectRun: true,
      since: s.now,
      runId: null,
      state: 'sent',
      orders: [{ how: 'event', assetKey: A, uri: A, dagIds: ['b'] }],
    });
    s.delivered();
    expect(s.history('delivery.')).toEqual(['delivery.done b delivered_event asset=s3://a (firedamper)']);
  });

  test.each<[string, MissedFacts, string]>([
    ['no facts', missed('z'), 'missed_nothing'],
    ['an asset without events', missed('b', { missedAssets: [missedAsset(A, { events: 0 })] }), 'missed_nothing'],
    ['an event that is queued', missed('b', { missedAssets: [missedAsset(A, { queued: true })] }), 'missed_nothing'],
    ['nothing', missed('b'), 'missed_nothing'],
    [
      'nothing, by time',
      missed('b', {
        details: { ...dag('b'), timeScheduled: true, catchup: false, dagrunTimeoutSeconds: null, assetCondition: null },
      }),
      'intervals_as_airflow',
    ],
    ['nothing that anybody could read', missed('b', { details: null }), 'missed_nothing'],
  ])('%s: %s', (_what, facts, code) => {
    const s = released([facts]);
    expect(delivery(s)?.reason.code ?? 'none').toBe(code);
    if (code !== 'none')
      expect(delivery(s)).toMatchObject({ how: 'nothing', expectRun: false, state: 'done', orders: [], runId: null });
    expect(orders(s)).toEqual([]);
    expect(s.incident().status).toBe('resolved');
  });

  test('intervals that passed, where the policy had them read', () => {
    const missedIntervals = [{ start: '2026-11-20T00:00:00.000Z', end: '2026-11-21T00:00:00.000Z' }];
    const s = released([missed('b', { missedIntervals })]);
    expect(orders(s)).toEqual([{ how: 'intervals', dagId: 'b', intervals: missedIntervals }]);
    expect(delivery(s)).toMatchObject({
      how: 'backfill',
      reason: { code: 'intervals_backfilled', detail: { count: '1' } },
      expectRun: true,
      state: 'sent',
    });
    s.refused('deliver', '409');
    expect(s.history('delivery.refused')).toEqual(['b not_delivered asset=missed intervals why=409 (firedamper)']);
  });

  test('a run of its own, where others had the event: named so that it is found again', () => {
    const s = released([missed('b', { missedAssets: [missedAsset(A, { otherReaders: ['z'] }), missedAsset(X)] })]);
    const [order] = orders(s);
    expect(order).toEqual({
      how: 'run',
      dagId: 'b',
      uri: `${A}, ${X}`,
      runId: expect.stringMatching(/^firedamper__inc-1__c\d+$/),
    });
    expect(delivery(s)).toMatchObject({
      how: 'run',
      runId: order?.how === 'run' ? order.runId : '',
      reason: { code: 'delivered_run', detail: { asset: `${A}, ${X}` } },
      expectRun: true,
    });
    s.refused('deliver', '403');
    expect(s.history('delivery.refused')).toEqual([`b not_delivered asset=${A}, ${X} why=403 (firedamper)`]);
  });

  test('a run too, where one event for it would start a DAG again that is given a run', () => {
    const s = released(
      [
        missed('b', { missedAssets: [missedAsset(A, { otherReaders: ['z'] }), missedAsset(X)] }),
        missed('c', { missedAssets: [missedAsset(X)] }),
        missed('d', { missedAssets: [missedAsset('s3://y')] }),
      ],
      ['a>b', 'a>c', 'a>d'],
    );
    expect(orders(s).map((o) => [o.how, o.how === 'event' ? o.dagIds : o.dagId])).toEqual([
      ['event', ['d']],
      ['run', 'b'],
      ['run', 'c'],
    ]);
    const ids = orders(s).flatMap((o) => (o.how === 'run' ? [o.runId] : []));
    expect(new Set(ids).size, 'of two DAGs, so the same id is no clash').toBe(1);
  });

  const had = missedAsset(A, { otherReaders: ['y', 'z'] });
  const all = (...c: AssetCondition[]): AssetCondition => ({ all: c });
  const any = (...c: AssetCondition[]): AssetCondition => ({ any: c });
  const [a, x]: AssetCondition[] = [{ uri: A }, { uri: X }];
  const other: AssetCondition = { other: 'an alias' };
  test.each<[string, AssetCondition | null, ReturnType<typeof missedAsset>[], string]>([
    ['no condition', null, [had], 'run'],
    ['met', a ?? null, [had], 'run'],
    ['not met', all(a as AssetCondition, x as AssetCondition), [had], 'not_delivered'],
    [
      'met by what is queued',
      all(a as AssetCondition, x as AssetCondition),
      [had, missedAsset(X, { queued: true, events: 0 })],
      'run',
    ],
    [
      'not met by what had no events',
      all(a as AssetCondition, x as AssetCondition),
      [had, missedAsset(X, { events: 0 })],
      'not_delivered',
    ],
    ['either', any(x as AssetCondition, a as AssetCondition), [had], 'run'],
    ['neither', any(x as AssetCondition), [had], 'not_delivered'],
    ['what nobody can tell', all(a as AssetCondition, other), [had], 'run'],
    ['a tree', all(a as AssetCondition, any(x as AssetCondition, a as AssetCondition)), [had], 'run'],
  ])('an AND stays an AND: %s', (_what, condition, assets, how) => {
    const s = released([withCondition('b', condition, assets)]);
    expect(delivery(s)?.how).toBe(how);
    if (how === 'not_delivered') {
      expect(delivery(s)).toMatchObject({ expectRun: false, state: 'done', orders: [], runId: null });
      expect(delivery(s)?.reason.detail).toEqual({ asset: A, why: 'y, z had it already, and b waits for other assets too' });
      expect(s.incident().status).toBe('resolved');
    }
  });

  test.each<[string, AssetCondition | null, number, boolean]>([
    ['one asset', a ?? null, 1, true],
    ['an AND', all(a as AssetCondition, x as AssetCondition), 2, true],
    ['an AND of one', all(a as AssetCondition), 1, true],
    ['an AND in an AND of one', all(all(a as AssetCondition, x as AssetCondition)), 2, true],
    ['an OR', any(a as AssetCondition, x as AssetCondition), 1, true],
    ['an OR with an AND in it', any(all(a as AssetCondition, x as AssetCondition), x as AssetCondition), 2, true],
    ['no condition', null, 1, true],
    ['an AND with something else', all(a as AssetCondition, { uri: 's3://else' }), 2, false],
  ])('events for %s', (_what, condition, count, expectRun) => {
    const s = released([withCondition('b', condition, [EVENT, missedAsset(X)])]);
    expect(orders(s)).toHaveLength(count);
    expect(delivery(s)).toMatchObject({ how: 'event', expectRun });
    expect(delivery(s)?.reason.detail.asset).toBe(`${A}, ${X}`);
  });

  test('two that missed the same one get it by one event, and different ones by one each', () => {
    const s = released(
      [
        missed('b', { missedAssets: [EVENT] }),
        missed('c', { missedAssets: [EVENT] }),
        missed('d', { missedAssets: [missedAsset(X)] }),
      ],
      ['a>b', 'a>c', 'a>d'],
    );
    expect(orders(s)).toEqual([
      { how: 'event', assetKey: A, uri: A, dagIds: ['b', 'c'] },
      { how: 'event', assetKey: X, uri: X, dagIds: ['d'] },
    ]);
    s.delivered();
    expect(s.history('delivery.done').map((x2) => x2.slice(0, 1))).toEqual(['b', 'c', 'd']);
  });
});

describe('who is fed by whom', () => {
  test('the reader of a released DAG that will run gets it from that run, and says from which', () => {
    const s = released(
      [missed('b', { missedAssets: [EVENT] }), missed('c', { missedAssets: [missedAsset('s3://b')] })],
      ['a>b', 'b>c'],
    );
    expect(delivery(s, 'c')).toMatchObject({
      how: 'fed_by',
      reason: { code: 'fed_by', detail: { dag: 'b' } },
      expectRun: true,
      orders: [],
      runId: null,
      state: 'sent',
    });
    expect(orders(s)).toHaveLength(1);
  });

  test.each<[string, readonly string[], MissedFacts]>([
    ['one that will not run', ['a>b', 'b>c'], missed('b')],
    ['a trigger', ['a>b', 'b!c'], missed('b', { missedAssets: [EVENT] })],
    ['a DAG of another Airflow', ['a>b', 'a>c', 'dev/b>c'], missed('b', { missedAssets: [EVENT] })],
  ])('not by %s', (_what, edges, b) => {
    const s = released([b, missed('c', { missedAssets: [missedAsset('s3://b')] })], [...edges]);
    expect(delivery(s, 'c')?.how).toBe('event');
  });

  test('not where it is no asset that starts it', () => {
    const byTime = missed('c', {
      details: {
        ...dag('c'),
        assetScheduled: false,
        timeScheduled: true,
        catchup: false,
        dagrunTimeoutSeconds: null,
        assetCondition: null,
      },
    });
    const s = released([missed('b', { missedAssets: [EVENT] }), byTime], ['a>b', 'b>c']);
    expect(delivery(s, 'c')?.reason.code).toBe('intervals_as_airflow');
  });

  test('by two: the nearer one is named, and what either brings is not delivered too', () => {
    const both: AssetCondition = { all: [{ uri: 's3://b' }, { uri: 's3://d' }, { uri: X }] };
    const assets = [missedAsset('s3://b'), missedAsset('s3://d'), missedAsset(X), missedAsset('s3://y', { otherReaders: ['o'] })];
    const s = released(
      [missed('b', { missedAssets: [EVENT] }), missed('d', { missedAssets: [EVENT] }), withCondition('c', both, assets)],
      ['a>b', 'a>d', 'b>c', 'd>c'],
    );
    expect(delivery(s, 'c')).toMatchObject({
      how: 'fed_by',
      reason: { detail: { dag: 'b' } },
      orders: [{ how: 'event', uri: X, dagIds: ['c'] }],
    });
  });

  test.each<[string, AssetCondition, ReturnType<typeof missedAsset>[]]>([
    ['an OR needs no more', { any: [{ uri: 's3://b' }, { uri: X }] }, [missedAsset('s3://b'), missedAsset(X)]],
    ['where no name fits nobody can tell', { all: [{ uri: 's3://q' }, { uri: X }] }, [missedAsset('s3://q'), missedAsset(X)]],
  ])('%s', (_what, condition, assets) => {
    const s = released([missed('b', { missedAssets: [EVENT] }), withCondition('c', condition, assets)], ['a>b', 'b>c']);
    expect(delivery(s, 'c')).toMatchObject({ how: 'fed_by', orders: [] });
  });

  test('an asset that is known by its key comes too', () => {
    const keyed = { ...missedAsset('uri-of-b'), assetKey: 's3://b' };
    const both: AssetCondition = { all: [{ uri: 'uri-of-b' }, { uri: X }] };
    const s = released(
      [missed('b', { missedAssets: [EVENT] }), withCondition('c', both, [keyed, missedAsset(X)])],
      ['a>b', 'b>c'],
    );
    expect(delivery(s, 'c')?.orders).toMatchObject([{ uri: X }]);
  });
});

describe('not given', () => {
  test('to a DAG that a person took over', () => {
    const s = healed().releasePlanned([missed('b', { missedAssets: [EVENT] })]);
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'already_unpaused', who: 'paula' } });
    expect(delivery(s)).toMatchObject({ state: 'done', expectRun: false, reason: { code: 'release_ceded' } });
    expect(orders(s)).toEqual([]);
  });

  test('to a DAG that stays paused by a doubt, until a person has said so', () => {
    const s = healed().releasePlanned([missed('b', { missedAssets: [EVENT] })]);
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: '403' } });
    expect(delivery(s)).toMatchObject({ state: 'waiting' });
    s.later(1_000).person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it was us' });
    s.later(1_000).unpaused().later(1_000).lookedAgain();
    expect(delivery(s)).toMatchObject({ state: 'sent', since: s.now });
  });

  test('to a DAG that another incident still holds', () => {
    const s = new Scenario(['a>b', 'z>b']).contained('a');
    s.fails('z');
    s.surveyed();
    s.sees({ runs: [well] });
    s.releasePlanned([missed('b', { missedAssets: [EVENT] })]);
    expect(s.incident()).toMatchObject({ status: 'resolved', deliveries: [] });
  });

  test('where Airflow refuses: said for each reader, people are told, and the incident ends', () => {
    const s = released([missed('b', { missedAssets: [EVENT] }), missed('c', { missedAssets: [EVENT] })], ['a>b', 'a>c']);
    s.refused('deliver', '403');
    expect(s.history('delivery.refused')).toEqual([
      'b not_delivered asset=s3://a why=403 (firedamper)',
      'c not_delivered asset=s3://a why=403 (firedamper)',
    ]);
    expect(s.incident().deliveries).toMatchObject([
      { how: 'not_delivered', expectRun: false, state: 'done', reason: { code: 'not_delivered' } },
      { how: 'not_delivered', expectRun: false, state: 'done' },
    ]);
    expect(s.notices()).toContain('attention b, c');
    expect(s.incident().status).toBe('resolved');
  });

  test('to one, and to the others all the same', () => {
    const s = released([missed('b', { missedAssets: [EVENT] }), missed('c', { missedAssets: [missedAsset(X)] })], ['a>b', 'a>c']);
    const [first] = s.open('deliver');
    s.when({ type: 'outcome', intentId: first?.id ?? '', outcome: { result: 'failed', error: '403', retry: false } });
    expect([delivery(s, 'b')?.state, delivery(s, 'c')?.state]).toEqual(['done', 'sent']);
    expect(s.incident().status).toBe('monitoring');
  });

  test('an answer about an incident that is gone changes nothing', () => {
    for (const end of ['done', 'refused'] as const) {
      const s = released([missed('b', { missedAssets: [EVENT] })]);
      s.state = { ...s.state, incidents: [] };
      if (end === 'done') s.delivered();
      else s.refused('deliver');
      expect(s.last?.timeline).toEqual([]);
    }
  });
});

describe('after the release', () => {
  const given = () => released([missed('b', { missedAssets: [EVENT] })]).delivered();
  const fresh = (s: Scenario, change = {}) =>
    run('b', 'fresh', { state: 'success', queuedAt: s.now, startDate: s.now, ...change });

  test.each([
    ['success', 'ran', 'delivery.ran b ran_after_release run=fresh (airflow)'],
    ['failed', 'failed', 'delivery.failed b failed_after_release run=fresh (airflow)'],
  ])('its run ended as %s', (state, after, line) => {
    const s = given();
    s.sees({ releasedRuns: [fresh(s, { state })] });
    expect(delivery(s)).toMatchObject({ state: after, runId: 'fresh' });
    expect(s.history('delivery.').at(-1)).toBe(line);
    expect(s.incident().status).toBe('resolved');
    s.sees({ releasedRuns: [fresh(s, { state })] });
    expect(s.history('delivery.')).toHaveLength(2);
  });

  test('one success among failures is what counts', () => {
    const s = given();
    s.sees({ releasedRuns: [fresh(s, { runId: 'bad', state: 'failed' }), fresh(s)] });
    expect(delivery(s)).toMatchObject({ state: 'ran', runId: 'fresh' });
  });

  test.each([
    ['queued two seconds before, by another clock', { queuedAt: -2_000 }, 'ran'],
    ['queued earlier', { queuedAt: -2_001 }, 'sent'],
    ['started earlier, never queued', { queuedAt: null, startDate: -2_001 }, 'sent'],
    ['started since, never queued', { queuedAt: null, startDate: 5 }, 'ran'],
    ['of which no time is known', { queuedAt: null, startDate: null }, 'ran'],
  ] as const)('a run that was %s: %s', (_what, times, state) => {
    const s = given();
    const at = (ms: number | null) => (ms === null ? null : new Date(Date.parse(s.now) + ms).toISOString());
    const change = Object.fromEntries(Object.entries(times).map(([k, v]) => [k, at(v)]));
    s.sees({ releasedRuns: [fresh(s, change)] });
    expect(delivery(s)?.state).toBe(state);
  });

  test('runs of others, runs elsewhere and runs under way are not its end', () => {
    const s = given();
    s.sees({ releasedRuns: [fresh(s, { dagId: 'z' }), fresh(s, { state: 'running' })] });
    s.sees({ releasedRuns: [fresh(s)] }, 'dev');
    expect(delivery(s)?.state).toBe('sent');
    expect(s.incident().status).toBe('monitoring');
  });

  test('a run that we named is found by its name alone', () => {
    const s = released([missed('b', { missedAssets: [missedAsset(A, { otherReaders: ['z'] })] })]).delivered();
    const runId = delivery(s)?.runId ?? '';
    s.sees({ releasedRuns: [fresh(s)] });
    expect(delivery(s)?.state).toBe('sent');
    s.sees({ releasedRuns: [fresh(s, { runId, queuedAt: '2026-11-20T00:00:00.000Z' })] });
    expect(delivery(s)?.state).toBe('ran');
  });

  test('a run that Airflow named is kept, for the DAG that it belongs to', () => {
    const s = released([missed('b', { missedAssets: [EVENT] }), missed('c', { missedAssets: [EVENT] })], ['a>b', 'a>c']);
    const [order] = orders(s);
    if (order) s.answer('deliver', { kind: 'deliver', delivery: order, runIds: { b: 'dataset__1' } });
    expect([delivery(s, 'b')?.runId, delivery(s, 'c')?.runId]).toEqual(['dataset__1', null]);
  });

  test.each([
    [HALF_AN_HOUR - 1, [], 'monitoring'],
    [HALF_AN_HOUR, ['b not_seen_after_release (firedamper)'], 'resolved'],
  ])('no run after %d ms: %j', (ms, told, status) => {
    const s = given();
    s.later(ms).sees({});
    expect(s.history('delivery.not_seen')).toEqual(told);
    expect(s.notices().filter((n) => n === 'attention b')).toHaveLength(told.length);
    expect(s.incident().status).toBe(status);
  });

  test('a run that is under way for longer than that is waited for', () => {
    const s = given();
    s.later(HALF_AN_HOUR).sees({ releasedRuns: [fresh(s, { state: 'running' })] });
    expect(s.incident().status).toBe('monitoring');
  });

  test('not over while a delivery is still being made', () => {
    const s = released([withCondition('b', { all: [{ uri: A }, { uri: 's3://else' }] }, [EVENT])]);
    expect(delivery(s)).toMatchObject({ state: 'sent', expectRun: false });
    s.tick();
    expect(s.incident().status).toBe('monitoring');
    s.delivered().tick();
    expect(s.incident().status).toBe('resolved');
  });

  test('a dismissed incident is watched for nothing, and stays dismissed', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.releasePlanned([missed('b', { missedAssets: [EVENT] })])
      .unpaused()
      .delivered();
    s.sees({ releasedRuns: [fresh(s)] });
    expect(s.incident().status).toBe('dismissed');
  });
});
