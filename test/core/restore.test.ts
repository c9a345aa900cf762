import { describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/events.ts';
import type { Restored } from '../../src/core/restore.ts';
import { ann, missed, missedAsset, rita, run, Scenario } from './scenario.ts';

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
