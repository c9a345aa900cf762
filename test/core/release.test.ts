import { describe, expect, test } from 'vitest';
import type { AssetCondition } from '../../src/core/facts.ts';
import { ann, dag, missed, missedAsset, run, Scenario } from './scenario.ts';

const healed = (dagId: string) => run(dagId, 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' });

/** Healed, and every DAG unpaused: what is delivered then? */
function releasedWith(s: Scenario, facts: Parameters<Scenario['releasePlanned']>[0]): Scenario {
  s.sees({ runs: [healed('a')] });
  return s.releasePlanned(facts).unpaused().lookedAgain(facts);
}
const conditioned = (dagId: string, condition: AssetCondition, assets: ReturnType<typeof missedAsset>[]) => {
  const facts = missed(dagId);
  const details = facts.details && { ...facts.details, assetCondition: condition, assetScheduled: true };
  return { ...facts, details, missedAssets: assets };
};

describe('release only what is ours', () => {
  test('a DAG paused before us stays paused', () => {
    const s = new Scenario(['a>b', 'a>c'], { dags: [dag('c', { paused: true })] }).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual(['unpause b']);
    expect(s.reasons('hold.released')).toEqual(['release_not_ours']);
    s.unpaused();
    expect(s.incident().status).toBe('resolved');
  });

  test('a ceded DAG is not touched', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('c')]);
    expect(s.acts()).toEqual(['unpause c']);
    expect(s.holds()).toMatchObject({ b: 'ceded' });
  });

  test.each([
    ['a', 'b'],
    ['b', 'a'],
  ])('two causes, one reader: released after %s and %s, whatever the order', (first, second) => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.fails('b');
    s.surveyed();
    s.sees({ runs: [healed(first)] });
    s.releasePlanned([missed('c')]);
    expect(s.acts()).toEqual([]);
    expect(s.reasons('hold.released')).toEqual(['still_held']);
    s.sees({ runs: [healed(second)] });
    s.releasePlanned([missed('c')]);
    expect(s.acts()).toEqual(['unpause c']);
  });

  test('touched by a person since: theirs, said once, and the incident still ends', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] })]);
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'touched', who: 'paula' } });
    expect(s.holds()).toEqual({ b: 'ceded' });
    expect(s.acts()).toEqual([]);
    expect(s.incident().status).toBe('resolved');
  });

  test('uncertain: never a blind resume; a person says so, then it is released and given what it missed', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] })]);
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: 'audit log: 403' } });
    expect(s.hold('b')).toMatchObject({ state: 'held', reason: { code: 'release_uncertain' } });
    expect(s.incident().status).toBe('monitoring');
    expect(s.told()).toContain('attention');
    s.person({ name: 'ann', role: 'approver' }, { kind: 'release_hold', holdId: 'hold-1', comment: 'it was us' });
    expect(s.open('unpause_dag')[0]?.act).toMatchObject({ forced: true });
    s.unpaused().lookedAgain();
    expect(s.acts()).toEqual(['deliver event']);
  });

  test('uncertain, and the person answers by unpausing it in Airflow: the incident ends', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] })]);
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: 'audit log: 403' } });
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    expect(s.holds()).toEqual({ b: 'ceded' });
    expect(s.acts()).toEqual([]);
    expect(s.incident()).toMatchObject({
      status: 'resolved',
      deliveries: [{ state: 'done', reason: { code: 'release_ceded' } }],
    });
  });

  test('a forced release that is uncertain too can be said once more, and is told once per reason', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]);
    const uncertain = { kind: 'unpause_dag', found: { was: 'uncertain', why: 'audit log: 403' } } as const;
    s.answer('unpause_dag', uncertain);
    for (let time = 0; time < 2; time++) {
      s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it was us' });
      expect(s.open('unpause_dag')).toHaveLength(1);
      s.answer('unpause_dag', uncertain);
      expect(s.hold('b')).toMatchObject({ state: 'held' });
    }
    expect(s.reasons('hold.uncertain')).toHaveLength(1);
  });

  test('paused after a crash by nobody knows whom: not resumed without a person', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_unknown' } });
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual([]);
    expect(s.hold('b')?.state).toBe('held');
  });

  test('a new cause while the unpause is under way: paused again', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('c')]);
    s.fails('b');
    s.surveyed();
    s.unpaused();
    expect(s.acts()).toEqual(['pause c']);
  });

  test('every hold ended while the pause was under way: unpaused at once', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    expect(s.incident().status).toBe('monitoring');
    s.paused();
    expect(s.acts()).toEqual(['unpause b']);
    s.unpaused();
    expect(s.incident().status).toBe('monitoring');
    s.lookedAgain([missed('b', { missedAssets: [missedAsset('s3://a', { events: 0 })] })]);
    expect(s.incident().status).toBe('resolved');
  });
});

describe('compensation', () => {
  test('one event for all who missed it', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    releasedWith(s, [
      missed('b', { missedAssets: [missedAsset('s3://a')] }),
      missed('c', { missedAssets: [missedAsset('s3://a')] }),
    ]);
    expect(s.open('deliver').map((i) => i.act)).toMatchObject([
      { delivery: { how: 'event', assetKey: 's3://a', dagIds: ['b', 'c'] } },
    ]);
  });

  test('a run of its own where another reader already had the event', () => {
    const s = new Scenario(['a>b']).contained('a');
    releasedWith(s, [missed('b', { missedAssets: [missedAsset('s3://a', { otherReaders: ['z'] })] })]);
    expect(s.acts()).toEqual(['deliver run']);
  });

  test('an AND stays an AND: no run of its own while another asset is missing', () => {
    const s = new Scenario(['a>b']).contained('a');
    const both: AssetCondition = { all: [{ uri: 's3://a' }, { uri: 's3://x' }] };
    releasedWith(s, [
      conditioned('b', both, [missedAsset('s3://a', { otherReaders: ['z'] }), missedAsset('s3://x', { events: 0 })]),
    ]);
    expect(s.acts()).toEqual([]);
    expect(s.incident().deliveries[0]).toMatchObject({ how: 'not_delivered' });
  });

  test('an AND with all its assets missed gets all of them, an OR gets one', () => {
    const assets = [missedAsset('s3://a'), missedAsset('s3://x')];
    const and = new Scenario(['a>b']).contained('a');
    releasedWith(and, [conditioned('b', { all: [{ uri: 's3://a' }, { uri: 's3://x' }] }, assets)]);
    expect(and.acts()).toEqual(['deliver event', 'deliver event']);
    const or = new Scenario(['a>b']).contained('a');
    releasedWith(or, [conditioned('b', { any: [{ uri: 's3://a' }, { uri: 's3://x' }] }, assets)]);
    expect(or.acts()).toEqual(['deliver event']);
  });

  test('what is queued already fires by itself', () => {
    const s = new Scenario(['a>b']).contained('a');
    releasedWith(s, [missed('b', { missedAssets: [missedAsset('s3://a', { queued: true })] })]);
    expect(s.acts()).toEqual([]);
    expect(s.incident().status).toBe('resolved');
  });

  test('a DAG fed by another released DAG waits for that run', () => {
    const s = new Scenario(['a>b', 'b>c']).contained('a');
    releasedWith(s, [
      missed('b', { missedAssets: [missedAsset('s3://a')] }),
      missed('c', { missedAssets: [missedAsset('s3://b')] }),
    ]);
    expect(s.acts()).toEqual(['deliver event']);
    expect(s.incident().deliveries).toMatchObject([
      { dagId: 'b', how: 'event' },
      { dagId: 'c', how: 'fed_by' },
    ]);
  });

  test('a DAG that waits for two assets is fed one by the run before it, and given the other', () => {
    const s = new Scenario(['a>b', 'b>c']).contained('a');
    const both: AssetCondition = { all: [{ uri: 's3://b' }, { uri: 's3://x' }] };
    releasedWith(s, [
      missed('b', { missedAssets: [missedAsset('s3://a')] }),
      conditioned('c', both, [missedAsset('s3://b'), missedAsset('s3://x')]),
    ]);
    expect(s.incident().deliveries).toMatchObject([
      { dagId: 'b', how: 'event', orders: [{ uri: 's3://a' }] },
      { dagId: 'c', how: 'fed_by', orders: [{ uri: 's3://x', dagIds: ['c'] }] },
    ]);
  });

  test('a released DAG that never runs is named, not waited for without end', () => {
    const s = new Scenario(['a>b']).contained('a');
    releasedWith(s, [missed('b', { missedAssets: [missedAsset('s3://a')] })]).delivered();
    s.later(1_900_000).sees({});
    expect(s.incident().status).toBe('resolved');
    expect(s.reasons('delivery.not_seen')).toEqual(['not_seen_after_release']);
  });
});

test('a hold that is due for review becomes a question, never an unpause', () => {
  const s = new Scenario(['a>b']).contained('a').later(86_400_000);
  s.when({ type: 'tick' });
  s.when({ type: 'tick' });
  expect(s.reasons('hold.review_due')).toEqual(['review_due']);
  expect(s.acts()).toEqual([]);
  expect(s.holds()).toEqual({ b: 'held' });
});
