/** A clock that is set back in the middle of a story: what came later never looks earlier. */
import { describe, expect, test } from 'vitest';
import { holdInOrder, incidentInOrder, repairInOrder } from '../../src/core/inOrder.ts';
import { ann, clearStep, missed, rita, run, Scenario } from './scenario.ts';

const MINUTE = 60_000;
const at = (minutes: number) => new Date(Date.parse('2026-11-21T06:00:00.000Z') + minutes * MINUTE).toISOString();

describe('a clock set back by ten minutes', () => {
  /** Held at 6:30; then it is 6:20. */
  const setBack = () => {
    const s = new Scenario(['a>b']).later(30 * MINUTE);
    return s.contained('a').later(-10 * MINUTE);
  };

  test('of an incident: each stamp is that of the one before, the clock’s own once it has caught up', () => {
    const s = setBack();
    s.person(rita, { kind: 'acknowledge', incidentId: 'inc-1', comment: null });
    s.later(15 * MINUTE).person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    expect(s.incident().timestamps).toMatchObject({
      openedAt: at(30),
      containedAt: at(30),
      acknowledgedAt: at(30),
      fixedAt: at(35),
    });
  });

  test('of a hold', () => {
    const s = setBack();
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'so' });
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.hold('b')).toMatchObject({ since: at(30), releasedAt: at(30) });
  });

  test('of a repair: asked for, approved, begun, ended', () => {
    const s = setBack();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps: [clearStep('a', 'r1')] });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    s.planned({ steps: [clearStep('a', 'r1')] }).sent();
    s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: at(21) })] });
    const { createdAt, approval, steps, endedAt, state } = s.repair();
    expect([state, createdAt, approval?.at, steps[0]?.startedAt, steps[0]?.endedAt, endedAt]).toEqual([
      'succeeded',
      ...Array.from({ length: 5 }, () => at(30)),
    ]);
  });
});

test('what is in order stays as it is', () => {
  const s = new Scenario(['a>b']).contained('a');
  s.later(MINUTE).person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  const [incident, hold, repair] = [s.incident(), s.hold('b'), s.repair()];
  expect(incidentInOrder(undefined, incident)).toEqual(incident);
  expect(hold && holdInOrder(hold)).toEqual(hold);
  expect(repairInOrder(repair)).toEqual(repair);
});

test('a file that loads again', () => {
  const file = { file: 'a.py', error: 'no', dags: [], since: at(5), loadedAt: at(1) };
  const incident = { ...new Scenario(['a>b']).contained('a').incident(), files: [file] };
  expect(incidentInOrder(incident, incident).files).toEqual([{ ...file, loadedAt: at(5) }]);
});
