import { describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/events.ts';
import type { IntentKind } from '../../src/core/intent.ts';
import type { Restored } from '../../src/core/restore.ts';
import { ann, clearStep, dag, missed, missedAsset, rita, run, Scenario } from './scenario.ts';

const adam: Person = { name: 'adam', role: 'admin' };
const MARK: Restored = {
  at: '2026-11-21T09:00:00.000Z',
  because: 'a test',
  knowsUntil: '2026-11-21T06:00:00.000Z',
  fileSaid: null,
};

/** The file comes back as it is now, and the service starts on it. */
function restored(s: Scenario): Scenario {
  s.state = { ...s.state, restored: MARK };
  s.when({ type: 'restored', paused: [] });
  return s;
}
const confirm = (s: Scenario) => s.person(adam, { kind: 'confirm_restore', comment: 'looked at it' });
const owned = (s: Scenario, dagId: string) => {
  const own = s.state.ownerships.find((o) => o.dagId === dagId);
  return [own?.state, own?.uncertain];
};
const healed = (dagId: string) => run(dagId, 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' });

describe('what the file takes for under way becomes a question', () => {
  test('a DAG that we hold stays held, but nobody is sure that it is ours', () => {
    const s = restored(new Scenario(['a>b']).contained('a'));
    expect(s.holds()).toEqual({ b: 'held' });
    expect(owned(s, 'b')).toEqual(['ours', true]);
    expect(s.reasons('restore.noticed')).toEqual(['restored', 'restored']);
    confirm(s);
    expect(owned(s, 'b')).toEqual(['ours', false]);
  });

  test('a DAG that was being let go when another incident claimed it is held for that one too', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('c')]);
    s.fails('b');
    restored(s.surveyed());
    expect([s.holds(0), s.holds(1)]).toEqual([{ c: 'held' }, { c: 'held' }]);
    expect(s.incident(1).status).toBe('contained');
    expect(owned(s, 'c')).toEqual(['ours', true]);
  });

  test('what was in doubt before is not made certain by the confirmation', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_unknown' } });
    confirm(restored(s));
    expect(owned(s, 'b')).toEqual(['ours', true]);
  });

  test('a pause that was being sent is settled by reading, not sent again', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    restored(s.surveyed());
    expect(s.open('pause_dag').map((i) => i.state)).toEqual(['unknown']);
  });

  test('an unpause that was being sent is dropped; the hold waits, and goes on after the confirmation', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual(['unpause b']);
    restored(s);
    expect(s.acts()).toEqual([]);
    expect(s.holds()).toEqual({ b: 'held' });
    expect(owned(s, 'b')).toEqual(['ours', true]);
    s.when({ type: 'tick' });
    expect(s.acts()).toEqual([]);
    confirm(s);
    expect(s.acts(), 'what it missed is read anew first').toEqual([]);
    s.releasePlanned([missed('b')]);
    expect(s.acts()).toEqual(['unpause b']);
    s.unpaused();
    expect(s.incident().status).toBe('resolved');
  });

  test('a DAG that Airflow shows as running meanwhile was let go: not held again, nothing delivered', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b')]);
    restored(s);
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'firedamper' }] });
    confirm(s);
    expect(s.holds()).toEqual({ b: 'ceded' });
    expect(s.acts()).toEqual([]);
  });

  test('b let go before the backup, c after it: what b missed was delivered meanwhile, and is not delivered again', () => {
    const s = new Scenario(['a>b', 'b>c']).contained('a');
    s.sees({ runs: [healed('a')] });
    s.releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] }), missed('c')]);
    const [first] = s.open('unpause_dag');
    s.when({
      type: 'outcome',
      intentId: first?.id ?? '',
      outcome: { result: 'done', facts: { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } } },
    });
    expect(s.holds()).toEqual({ b: 'released', c: 'release_intended' });
    restored(s);
    s.sees({ paused: [{ dagId: 'c', paused: false, who: 'firedamper' }] });
    confirm(s);
    expect(s.acts()).toEqual([]);
    expect(s.reasons('delivery.refused')).toContain('not_delivered');
    expect(s.told()).toContain('attention');
  });

  test('a yes to a plan has lapsed, a running repair has ended, and no step of it is started', () => {
    const proposed = new Scenario(['a>b']).contained('a');
    proposed.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    expect(proposed.repair().state).toBe('planning');
    restored(proposed);
    expect(proposed.repair()).toMatchObject({ state: 'lapsed', stateReason: { code: 'restored' } });
    expect(proposed.open('plan_repair')).toEqual([]);
    confirm(proposed);
    proposed.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    expect(proposed.repair().id, 'a new plan, with a number that was never given out').toBe('rep-1002');
  });

  test('a notice is not sent a second time; a new one is', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    expect(s.open('send_notice')).toHaveLength(1);
    restored(s);
    expect(s.open('send_notice')).toEqual([]);
    s.fails('z');
    expect(s.open('send_notice')).toHaveLength(1);
  });

  test('it happens once: a second start does not drop what was decided since', () => {
    const s = restored(new Scenario(['a>b']));
    s.fails('a');
    s.surveyed();
    s.when({ type: 'restored', paused: [] });
    expect(s.open('pause_dag').map((i) => i.state)).toEqual(['planned']);
    expect(s.incident().id).toBe('inc-1');
  });
});

describe('while it observes', () => {
  test('incidents are opened and decided, and their pauses wait; after the confirmation Airflow is read before they are sent', () => {
    const s = restored(new Scenario(['a>b']));
    s.fails('a');
    s.surveyed();
    expect(s.acts()).toEqual(['pause b']);
    confirm(s.later(3_600_000));
    const [intent] = s.open('pause_dag');
    expect(intent).toMatchObject({ state: 'unknown', dueAt: s.now });
    expect((intent?.dueAt ?? '') > (intent?.createdAt ?? ''), 'so that a hold that has ended meanwhile is noticed').toBe(true);
  });

  test('what wants hands is refused with the way out; acknowledging is not', () => {
    const s = restored(new Scenario(['a>b']).contained('a'));
    const refused = 'an admin looks at what differs and confirms first';
    expect(() => s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'x' })).toThrow(refused);
    expect(() => s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'x' })).toThrow(refused);
    expect(() => s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: 'd', comment: null })).toThrow(refused);
    s.person(rita, { kind: 'acknowledge', incidentId: 'inc-1', comment: null });
    confirm(s);
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'x' });
  });
});

describe('the confirmation', () => {
  test('is an admin’s, with a reason, once, and in the history', () => {
    const s = restored(new Scenario(['a>b']).contained('a'));
    expect(() => s.person(ann, { kind: 'confirm_restore', comment: 'x' })).toThrow('needs the role admin');
    expect(() => s.person(adam, { kind: 'confirm_restore', comment: ' ' })).toThrow('a reason is needed');
    confirm(s);
    expect(s.timeline.filter((t) => t.event === 'restore.confirmed').map((t) => [t.incidentId, t.actor, t.comment])).toEqual([
      [null, { kind: 'person', name: 'adam' }, 'looked at it'],
      ['inc-1', { kind: 'person', name: 'adam' }, 'looked at it'],
    ]);
    expect(() => confirm(s)).toThrow('nothing to confirm');
  });
});

describe('what the file said is kept for the person who has to judge', () => {
  test('whose DAGs, which runs, what was under way, and what of it was beyond doubt', () => {
    const s = new Scenario(['a>b', 'a>c', 'a>d'], { dags: [dag('d', { paused: true })] });
    s.fails('a');
    s.surveyed();
    const [first] = s.open('pause_dag');
    s.when({
      type: 'outcome',
      intentId: first?.id ?? '',
      outcome: { result: 'done', facts: { kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } } },
    });
    s.state = { ...s.state, restored: MARK };
    s.when({ type: 'restored', paused: [{ airflow: 'prod', dagId: 'b' }] });
    expect(s.state.restored).toEqual({
      ...MARK,
      fileSaid: {
        paused: [{ airflow: 'prod', dagId: 'b' }],
        owned: expect.any(Array),
        runs: [{ airflow: 'prod', dagId: 'a', runId: 'r1', state: 'failing', incidentId: 'inc-1' }],
        underWay: [{ kind: 'pause_dag', airflow: 'prod', dagId: 'c', text: 'a pause was being sent' }],
        doubted: ['prod/b'],
      },
    });
    const said = s.state.restored?.fileSaid?.owned ?? [];
    expect(said.map((o) => `${o.airflow}/${o.dagId} ${o.state}`).sort()).toEqual([
      'prod/b ours',
      'prod/c pause_intended',
      'prod/d foreign',
    ]);
    expect(s.history('restore.noticed')).toEqual([
      'null restored because=a test until=2026-11-21T06:00:00.000Z (firedamper)',
      'a restored because=a test until=2026-11-21T06:00:00.000Z (firedamper)',
    ]);
  });

  test.each<[string, () => Scenario, readonly object[]]>([
    ['an unpause', () => releasing([missed('b')]), [{ dagId: 'b', text: 'an unpause was being sent' }]],
    [
      'an event for two',
      () =>
        releasing(
          [missed('b', { missedAssets: [missedAsset('s3://a')] }), missed('c', { missedAssets: [missedAsset('s3://a')] })],
          ['a>b', 'a>c'],
        )
          .unpaused()
          .lookedAgain(),
      ['b', 'c'].map((dagId) => ({ airflow: 'prod', dagId, text: 'what it missed was being delivered for inc-1' })),
    ],
    [
      'a run',
      () =>
        releasing([missed('b', { missedAssets: [missedAsset('s3://a', { otherReaders: ['z'] })] })])
          .unpaused()
          .lookedAgain(),
      [{ airflow: 'prod', dagId: 'b', text: 'what it missed was being delivered for inc-1' }],
    ],
    ['a step', repairing, [{ airflow: 'prod', dagId: 'a', text: 'step 1 of rep-1 was being started' }]],
    ['a step of a repair that the file does not have', () => without(repairing()), []],
    ['a survey and a notice', failing, []],
  ])('under way: %s', (_what, given, said) => {
    const s = restored(given());
    expect(s.state.restored?.fileSaid?.underWay).toMatchObject(said);
    expect(s.state.restored?.fileSaid?.underWay).toHaveLength(said.length);
  });

  test('nothing of what is over', () => {
    const s = releasing([missed('b')]).unpaused();
    expect(s.incident().status).toBe('resolved');
    restored(s);
    expect(s.state.restored?.fileSaid).toEqual({ paused: [], owned: [], runs: [], underWay: [], doubted: [] });
    expect(s.reasons('restore.noticed'), 'said once, for the whole').toEqual(['restored']);
  });

  test('a file that knows nothing of any time says so', () => {
    const s = new Scenario([]);
    s.state = { ...s.state, restored: { ...MARK, knowsUntil: null } };
    s.when({ type: 'restored', paused: [] });
    expect(s.history('restore.noticed')).toEqual(['null restored because=a test until=? (firedamper)']);
  });

  test('without a mark there is nothing to take back', () => {
    const s = new Scenario(['a>b']).contained('a');
    const d = s.when({ type: 'restored', paused: [] });
    expect([d.timeline, d.ownerships, d.restored]).toEqual([[], [], undefined]);
    expect(owned(s, 'b')).toEqual(['ours', false]);
  });
});

describe('each act that was under way', () => {
  test.each<[string, () => Scenario, string, string | null]>([
    ['survey', failing, 'planned', null],
    ['send_notice', failing, 'failed', 'dropped: the database was restored from an earlier time'],
    ['pause_dag', () => failing().surveyed(), 'unknown', null],
    ['plan_release', () => releasing(null), 'planned', null],
    ['unpause_dag', () => releasing([missed('b')]), 'failed', 'dropped: the database was restored from an earlier time'],
    [
      'plan_delivery',
      () => releasing([missed('b', { missedAssets: [missedAsset('s3://a')] })]).unpaused(),
      'failed',
      'dropped: the database was restored from an earlier time',
    ],
    [
      'deliver',
      () =>
        releasing([missed('b', { missedAssets: [missedAsset('s3://a')] })])
          .unpaused()
          .lookedAgain(),
      'unknown',
      null,
    ],
    ['repair_step', repairing, 'failed', 'dropped: the database was restored from an earlier time'],
  ])('%s', (kind, given, state, lastError) => {
    const s = given();
    const [intent] = s.open(kind as IntentKind);
    restored(s);
    expect(s.state.intents.find((i) => i.id === intent?.id)).toMatchObject({ state, lastError });
  });

  test.each(['sending', 'unknown'] as const)('that was %s too', (state) => {
    const s = failing().surveyed();
    s.state = { ...s.state, intents: s.state.intents.map((i) => (i.act.kind === 'pause_dag' ? { ...i, state } : i)) };
    restored(s);
    expect(s.open('pause_dag')).toMatchObject([{ state: 'unknown' }]);
    expect(s.state.restored?.fileSaid?.underWay).toHaveLength(1);
  });

  test('what is over stays over', () => {
    const s = restored(new Scenario(['a>b']).contained('a'));
    expect(s.state.intents.filter((i) => i.act.kind === 'pause_dag').map((i) => i.state)).toEqual(['done']);
  });
});

describe('repairs', () => {
  test('a running one has ended, what had not started is skipped, and its incident waits for another', () => {
    const s = restored(repairing());
    expect(s.repair()).toMatchObject({
      state: 'cancelled',
      stateReason: { code: 'restored' },
      steps: [{ state: 'sending' }, { state: 'skipped', reason: { code: 'restored' } }],
    });
    expect(s.incident()).toMatchObject({ status: 'contained', statusReason: { code: 'restored' } });
  });

  test('a proposal has lapsed, and its incident stays as it was', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    restored(s.planned({ steps: [clearStep('a', 'r1')] }));
    expect(s.repair().state).toBe('lapsed');
    expect(s.incident().statusReason.code).toBe('contained');
  });

  test('one that has ended stays so', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    restored(s.planned({}));
    expect(s.repair()).toMatchObject({ state: 'failed', stateReason: { code: 'nothing_to_repair' } });
  });
});

describe('after the confirmation', () => {
  test('what changes Airflow is looked for before it is sent; what only reads, and notices, are not', () => {
    const s = restored(new Scenario(['a>b']));
    s.fails('a');
    s.surveyed();
    s.fails('z');
    confirm(s.later(1_000));
    const states = (kind: IntentKind) => s.open(kind).map((i) => i.state);
    expect([states('pause_dag'), states('survey'), states('send_notice')]).toEqual([
      ['unknown'],
      ['planned'],
      ['planned', 'planned'],
    ]);
  });

  test('it is said with the time, to what is not over', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.releasePlanned().unpaused();
    s.contained('z');
    confirm(restored(s));
    expect(s.history('restore.confirmed')).toEqual([
      `null restore_confirmed since=${MARK.at} (adam): looked at it`,
      `z restore_confirmed since=${MARK.at} (adam): looked at it`,
    ]);
    expect(s.state.restored).toBeNull();
  });

  test('a DAG that was taken over meanwhile is not ours again by the confirmation', () => {
    const s = restored(new Scenario(['a>b', 'a>c']).contained('a'));
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    confirm(s);
    expect([owned(s, 'b')[0], owned(s, 'c')]).toEqual(['ceded', ['ours', false]]);
  });

  test('a refusal while it observes says since when', () => {
    const s = restored(new Scenario(['a>b']).contained('a'));
    expect(s.refusal(() => s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'x' }))).toMatchObject({
      kind: 'conflict',
      detail: { restored_at: MARK.at },
    });
  });
});

function failing(): Scenario {
  const s = new Scenario(['a>b']);
  s.fails('a');
  return s;
}
function releasing(facts: Parameters<Scenario['releasePlanned']>[0] | null, edges = ['a>b']): Scenario {
  const s = new Scenario(edges).contained('a');
  s.sees({ runs: [healed('a')] });
  return facts === null ? s : s.releasePlanned(facts);
}
function repairing(): Scenario {
  const steps = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2, { wave: 1 })];
  const s = new Scenario(['a>b']).contained('a');
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  s.planned({ steps });
  s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  return s.planned({ steps });
}
function without(s: Scenario): Scenario {
  s.state = { ...s.state, repairs: [] };
  return s;
}
