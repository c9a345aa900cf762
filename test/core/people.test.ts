/** What people may do, who may do it, what it changes, and what the history keeps of it. */
import { describe, expect, test } from 'vitest';
import type { Person, PersonAct } from '../../src/core/events.ts';
import { ROLES } from '../../src/core/policy.ts';
import { ann, clearStep, dag, missed, rita, run, Scenario } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const well = run('a', 'r1', { state: 'success', startDate: RERUN });
const steps = [clearStep('a', 'r1')];
const contained = (policy = {}) => new Scenario(['a>b'], { policy }).contained('a');
function proposed(s = contained()): Scenario {
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  return s.planned({ steps });
}
function repairing(s = contained()): Scenario {
  proposed(s).person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  return s.planned({ steps });
}
const declare = (change: Partial<PersonAct & { kind: 'declare' }> = {}): PersonAct => ({
  kind: 'declare',
  airflow: 'prod',
  dagId: 'a',
  runId: null,
  title: 'the totals are wrong',
  severity: null,
  incidentType: null,
  comment: 'seen in the report',
  ...change,
});

describe('each act needs its role, and no higher one', () => {
  const incidentId = 'inc-1';
  const acts: readonly (readonly [PersonAct, string, () => Scenario])[] = [
    [{ kind: 'acknowledge', incidentId, comment: null }, 'responder', contained],
    [{ kind: 'fixed', incidentId, comment: null }, 'responder', contained],
    [{ kind: 'edit', incidentId, comment: 'x', severity: 'P0' }, 'responder', contained],
    [
      { kind: 'verify', incidentId, comment: 'x' },
      'responder',
      () => {
        const s = contained({ verify: { requirePerson: true } });
        s.sees({ runs: [well] });
        return s;
      },
    ],
    [declare({ dagId: 'z' }), 'responder', contained],
    [{ kind: 'dismiss', incidentId, comment: 'x' }, 'approver', contained],
    [{ kind: 'release', incidentId, comment: 'x' }, 'approver', contained],
    [{ kind: 'release_hold', holdId: 'hold-1', comment: 'x' }, 'approver', contained],
    [{ kind: 'reject', repairId: 'rep-1', comment: 'x' }, 'approver', proposed],
    [{ kind: 'cancel', repairId: 'rep-1', comment: 'x' }, 'approver', proposed],
  ];

  test.each(acts)('%j: %s', (act, needs, given) => {
    for (const role of ROLES) {
      const s = given();
      const who: Person = { name: 'sam', role };
      if (ROLES.indexOf(role) >= ROLES.indexOf(needs as Person['role'])) s.person(who, act);
      else
        expect(s.refusal(() => s.person(who, act))).toMatchObject({
          kind: 'forbidden',
          message: `this needs the role ${needs}; sam is ${role}`,
        });
    }
  });
});

describe('what there is not, or is over', () => {
  test.each(['acknowledge', 'fixed', 'edit', 'verify', 'dismiss', 'release'] as const)('%s of an unknown incident', (kind) => {
    const s = contained();
    const act = { kind, incidentId: 'inc-9', comment: 'x' } as PersonAct;
    expect(s.refusal(() => s.person(ann, act))).toMatchObject({ kind: 'notFound', message: 'no incident inc-9' });
  });

  test.each(['acknowledge', 'fixed', 'edit', 'verify', 'dismiss', 'release'] as const)('%s of a dismissed incident', (kind) => {
    const s = contained();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    const act = { kind, incidentId: 'inc-1', comment: 'x' } as PersonAct;
    expect(s.refusal(() => s.person(ann, act))).toMatchObject({
      kind: 'conflict',
      message: 'incident inc-1 is dismissed',
      detail: { status: 'dismissed' },
    });
  });

  test('an unknown hold, an unknown repair', () => {
    const s = contained();
    expect(s.refusal(() => s.person(ann, { kind: 'release_hold', holdId: 'hold-9', comment: 'x' }))).toMatchObject({
      kind: 'notFound',
      message: 'no hold hold-9',
    });
    for (const kind of ['reject', 'cancel'] as const)
      expect(s.refusal(() => s.person(ann, { kind, repairId: 'rep-9', comment: 'x' }))).toMatchObject({
        kind: 'notFound',
        message: 'no repair rep-9',
      });
  });

  test.each<PersonAct>([
    { kind: 'dismiss', incidentId: 'inc-1', comment: ' ' },
    { kind: 'release', incidentId: 'inc-1', comment: '\t' },
    { kind: 'release_hold', holdId: 'hold-1', comment: '' },
    { kind: 'edit', incidentId: 'inc-1', comment: '  ', severity: 'P0' },
    { kind: 'reject', repairId: 'rep-1', comment: ' ' },
    { kind: 'cancel', repairId: 'rep-1', comment: ' ' },
  ])('without a reason: %j', (act) => {
    const s = proposed();
    expect(s.refusal(() => s.person(ann, act))).toMatchObject({ kind: 'invalid', message: 'a reason is needed' });
  });
});

describe('acknowledging', () => {
  test('is kept with the first time and the last person, and told once for each', () => {
    const s = contained();
    const at = s.later(1_000).now;
    s.person(rita, { kind: 'acknowledge', incidentId: 'inc-1', comment: 'mine' });
    s.later(1_000).person(rita, { kind: 'acknowledge', incidentId: 'inc-1', comment: 'still mine' });
    s.later(1_000).person(ann, { kind: 'acknowledge', incidentId: 'inc-1', comment: null });
    expect(s.incident()).toMatchObject({ acknowledgedBy: 'ann', timestamps: { acknowledgedAt: at } });
    expect(s.history('incident.acknowledged')).toEqual(['a acknowledged (rita): mine', 'a acknowledged (ann)']);
    expect(s.last?.answer).toEqual({ incidentId: 'inc-1', repairId: null, holdId: null, note: null });
  });
});

describe('marking as fixed', () => {
  test('asks for a plan, and is kept with who and when first', () => {
    const s = contained();
    const at = s.later(1_000).now;
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: 'typo mended' });
    expect(s.last?.answer).toMatchObject({ incidentId: 'inc-1', repairId: 'rep-1' });
    expect(s.incident()).toMatchObject({ fixedBy: 'rita', timestamps: { fixedAt: at } });
    expect(s.history('incident.fixed')).toEqual(['a marked_fixed (rita): typo mended']);
    s.later(1_000).person(ann, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    expect(s.incident()).toMatchObject({ fixedBy: 'ann', timestamps: { fixedAt: at } });
  });

  test('is refused when there is nothing left to repair', () => {
    const s = contained({ release: { mode: 'confirm' } });
    s.sees({ runs: [well] });
    const fixed: PersonAct = { kind: 'fixed', incidentId: 'inc-1', comment: null };
    const refused = (status: string) => ({
      kind: 'conflict',
      message: `incident inc-1 is ${status}: there is nothing left to repair`,
      detail: { status },
    });
    expect(s.refusal(() => s.person(rita, fixed))).toMatchObject(refused('verifying'));
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'go' });
    s.releasePlanned();
    expect(s.refusal(() => s.person(rita, fixed))).toMatchObject(refused('monitoring'));
  });
});

describe('editing', () => {
  const edit = (s: Scenario, change: Partial<PersonAct & { kind: 'edit' }>) =>
    s.person(rita, { kind: 'edit', incidentId: 'inc-1', comment: 'because', ...change });

  test('severity and type become a person’s, with the words and the reason', () => {
    const s = contained();
    edit(s, { severity: 'P0', incidentType: 'data_loss', title: 'orders are gone' });
    expect(s.incident()).toMatchObject({
      severity: 'P0',
      type: 'data_loss',
      title: 'orders are gone',
      ruledBy: 'person',
      rule: 'set by rita: because',
    });
    expect(s.history('incident.edited')).toEqual([
      'a edited what=severity P2 -> P0, type pipeline_failure -> data_loss, title (rita): because',
    ]);
    expect(s.last?.answer.incidentId).toBe('inc-1');
  });

  test('one of them alone leaves the other', () => {
    const s = contained();
    edit(s, { incidentType: 'data_loss' });
    expect(s.incident()).toMatchObject({ severity: 'P2', type: 'data_loss', title: 'make of a failed', ruledBy: 'person' });
    edit(s, { severity: 'P3' });
    expect(s.incident()).toMatchObject({ severity: 'P3', type: 'data_loss' });
  });

  test('a title alone is no judgement', () => {
    const s = contained();
    const { rule } = s.incident();
    edit(s, { title: 'orders are late' });
    expect(s.incident()).toMatchObject({ title: 'orders are late', ruledBy: 'policy', rule });
    expect(s.history('incident.edited')).toEqual(['a edited what=title (rita): because']);
  });

  test('what is so already changes nothing', () => {
    const s = contained();
    edit(s, { severity: 'P2', incidentType: 'pipeline_failure', title: 'make of a failed' });
    expect(s.history('incident.edited')).toEqual([]);
    expect(s.incident().ruledBy).toBe('policy');
    expect(s.last?.answer.incidentId).toBe('inc-1');
    edit(s, {});
    expect(s.history('incident.edited')).toEqual([]);
  });
});

describe('declaring', () => {
  test('opens an incident with the person’s words, tells people, and asks whom it reaches', () => {
    const s = new Scenario(['a>b']);
    s.person(rita, declare());
    expect(s.incident()).toEqual({
      id: 'inc-1',
      airflow: 'prod',
      dagId: 'a',
      status: 'open',
      statusReason: { code: 'declared', detail: {} },
      mode: 'armed',
      type: 'pipeline_failure',
      severity: 'P2',
      rule: expect.stringContaining('tier:1'),
      ruledBy: 'policy',
      title: 'the totals are wrong',
      runs: [],
      spared: [],
      gaps: [],
      deliveries: [],
      timestamps: {
        failedAt: s.now,
        openedAt: s.now,
        reopenedAt: null,
        acknowledgedAt: null,
        containedAt: null,
        fixedAt: null,
        repairedAt: null,
        verifiedAt: null,
        releasedAt: null,
        resolvedAt: null,
        dismissedAt: null,
      },
      acknowledgedBy: null,
      fixedBy: null,
      surveyPending: true,
      releasing: false,
    });
    expect(s.history('incident.')).toEqual(['incident.opened a declared (rita): seen in the report']);
    expect(s.notices()).toEqual(['opened a']);
    expect(s.open('survey')).toHaveLength(1);
    expect(s.last?.answer.incidentId).toBe('inc-1');
  });

  test('with a run: bad data of that run; with a severity or a type: the person’s', () => {
    const s = new Scenario(['a>b']);
    s.person(rita, declare({ runId: 'r1', severity: 'P0' }));
    expect(s.incident()).toMatchObject({
      type: 'quality_degradation',
      severity: 'P0',
      rule: 'declared so by a person',
      ruledBy: 'person',
    });
    expect(s.incident().runs).toEqual([
      {
        dagId: 'a',
        runId: 'r1',
        role: 'cause',
        state: 'failing',
        runType: null,
        logicalDate: null,
        runStart: null,
        failedTasks: [],
        failedAt: s.now,
        badData: true,
      },
    ]);
    s.person(rita, declare({ dagId: 'z', incidentType: 'data_breach' }));
    expect(s.incident(1)).toMatchObject({ type: 'data_breach', rule: expect.stringContaining('reported as data_breach') });
  });

  test('of a DAG with an open incident is a conflict that names it; of another, or once it is being released, it is not', () => {
    const s = contained();
    expect(s.refusal(() => s.person(rita, declare()))).toMatchObject({
      kind: 'conflict',
      message: 'incident inc-1 is already open for a',
      detail: { incident: 'inc-1' },
    });
    s.person(rita, declare({ dagId: 'b' }));
    s.person(rita, declare({ airflow: 'dev' }));
    s.sees({ runs: [well] });
    s.person(rita, declare());
    expect(s.state.incidents.map((i) => `${i.airflow}/${i.dagId}`)).toEqual(['prod/a', 'prod/b', 'dev/a', 'prod/a']);
  });
});

describe('dismissing', () => {
  test('says who and why, and lets go', () => {
    const s = contained();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    expect(s.history('incident.')).toEqual([
      ...s.history('incident.').slice(0, 2),
      'incident.dismissed_because a dismissed (ann): a drill',
      'incident.dismissed a dismissed (ann)',
    ]);
    expect(s.incident()).toMatchObject({
      status: 'dismissed',
      releasing: true,
      timestamps: { dismissedAt: s.now, releasedAt: null },
    });
    expect(s.last?.answer.incidentId).toBe('inc-1');
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause b']);
    s.later(1_000).unpaused().lookedAgain();
    expect(s.incident()).toMatchObject({ status: 'dismissed', timestamps: { releasedAt: s.now, resolvedAt: null } });
    expect(s.told()).not.toContain('resolved');
  });

  test('while it is being released: ended, and released once', () => {
    const s = contained();
    s.sees({ runs: [well] });
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'enough' });
    expect(s.open('plan_release')).toHaveLength(1);
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause b']);
  });

  test('not while a repair runs; a proposal lapses', () => {
    const running = repairing();
    for (const kind of ['dismiss', 'release'] as const)
      expect(running.refusal(() => running.person(ann, { kind, incidentId: 'inc-1', comment: 'x' }))).toMatchObject({
        kind: 'conflict',
        message: 'repair rep-1 is running; cancel it first',
        detail: { repair: 'rep-1' },
      });
    const s = proposed();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    expect(s.history('repair.lapsed')).toEqual(['rep-1 dismissed (firedamper)']);
  });
});

describe('releasing before it is verified', () => {
  test('is loud, with name and reason', () => {
    const s = contained();
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'needed now' });
    expect(s.history('incident.release_ordered')).toEqual(['a person_release (ann): needed now']);
    expect(s.history('incident.verifying')).toEqual(['a person_release (firedamper)']);
    expect(s.last?.answer.incidentId).toBe('inc-1');
    s.releasePlanned();
    expect(s.history('hold.release_intended')).toEqual(['b person_release (firedamper)']);
    expect(s.refusal(() => s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'again' }))).toMatchObject({
      kind: 'conflict',
      message: 'incident inc-1 is being released already',
    });
  });

  test('after the verification, where the policy waits for a person, it is a confirmation', () => {
    const s = contained({ release: { mode: 'confirm' } });
    s.sees({ runs: [well] });
    expect(s.history('incident.verified')).toEqual(['a healed_outside (firedamper)']);
    expect(s.notices()).toContain('attention a');
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'looks right' });
    expect(s.history('incident.release_ordered')).toEqual(['a person_verified (ann): looks right']);
    expect(s.incident().statusReason.code).toBe('verified_runs');
  });

  test('while somebody’s word is waited for it is an override, not a confirmation', () => {
    const s = contained({ verify: { requirePerson: true } });
    s.sees({ runs: [well] });
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'needed now' });
    expect(s.history('incident.release_ordered')).toEqual(['a person_release (ann): needed now']);
  });

  test('of one hold: it alone, with name and reason, and the incident goes on', () => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'it reads last week' });
    expect(s.last?.answer).toEqual({ incidentId: 'inc-1', repairId: null, holdId: 'hold-1', note: null });
    expect(s.history('hold.release_ordered')).toEqual(['b person_release (ann): it reads last week']);
    expect(s.holds()).toEqual({ b: 'release_intended', c: 'held' });
    const again: PersonAct = { kind: 'release_hold', holdId: 'hold-1', comment: 'x' };
    expect(s.refusal(() => s.person(ann, again))).toMatchObject({
      kind: 'conflict',
      message: 'the hold is release_intended',
      detail: { state: 'release_intended' },
    });
    s.unpaused();
    expect(s.refusal(() => s.person(ann, again))).toMatchObject({ message: 'the hold is released' });
    expect(s.incident().status).toBe('contained');
  });
});

describe('a person’s word that the data is right', () => {
  test('counts once, and only when it is asked for', () => {
    const s = contained({ verify: { requirePerson: true } });
    const word: PersonAct = { kind: 'verify', incidentId: 'inc-1', comment: 'counts match' };
    expect(s.refusal(() => s.person(rita, word))).toMatchObject({
      kind: 'conflict',
      message: 'only an incident that is being verified can be verified; this one is contained',
      detail: { status: 'contained' },
    });
    s.sees({ runs: [well] });
    expect(s.history('incident.verified')).toEqual([]);
    expect(s.incident().timestamps.verifiedAt).toBeNull();
    expect(s.notices()).toContain('attention a');
    s.later(1_000).person(rita, word);
    expect(s.last?.answer.incidentId).toBe('inc-1');
    expect(s.history('incident.person_verified')).toEqual(['a person_verified (rita): counts match']);
    expect(s.history('incident.verified')).toEqual(['a person_verified (rita)']);
    expect(s.incident()).toMatchObject({ releasing: true, timestamps: { verifiedAt: s.now } });
    expect(s.refusal(() => s.person(rita, word))).toMatchObject({ kind: 'conflict' });
  });

  test.each([
    ['verify', { requirePerson: true }, 'automatic'],
    ['release', { requirePerson: false }, 'confirm'],
  ] as const)(
    '(%s) is for what it was asked about: the cause fails once more, and the incident is open again',
    (kind, verify, mode) => {
      const s = contained({ verify, release: { mode } });
      s.sees({ runs: [well] });
      s.fails('a', 'r2');
      expect(s.incident()).toMatchObject({ status: 'open', statusReason: { code: 'failure_final' } });
      expect(s.notices().filter((n) => n === 'attention a')).toHaveLength(2);
      s.surveyed();
      expect(s.incident().status).toBe('contained');
      expect(s.refusal(() => s.person(rita, { kind: 'verify', incidentId: 'inc-1', comment: 'counts match' }))).toMatchObject({
        kind: 'conflict',
      });
      expect(s.holds()).toEqual({ b: 'held' });
      s.sees({ runs: [run('a', 'r2', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
      expect(s.incident()).toMatchObject({ status: 'verifying', releasing: false });
      s.person(ann, { kind, incidentId: 'inc-1', comment: 'counts match' });
      expect(s.incident().releasing).toBe(true);
    },
  );

  test('said before it failed once more is not said of that: it is asked for anew', () => {
    const s = contained({ verify: { requirePerson: true }, release: { mode: 'confirm' } });
    s.sees({ runs: [well] });
    s.person(rita, { kind: 'verify', incidentId: 'inc-1', comment: 'counts match' });
    expect(s.incident().timestamps.verifiedAt).not.toBeNull();
    s.fails('a', 'r2');
    expect(s.incident().timestamps.verifiedAt).toBeNull();
    s.surveyed();
    s.sees({ runs: [run('a', 'r2', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
    expect(s.incident()).toMatchObject({ status: 'verifying', statusReason: { code: 'waiting_for_person' } });
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'needed now' });
    expect(s.history('incident.release_ordered')).toEqual(['a person_release (ann): needed now']);
  });

  test('about an outage of the platform is not enough while one more DAG fails', () => {
    const s = new Scenario([], {
      policy: { platform: { massFailureDags: 2, windowMs: 60_000 }, verify: { requirePerson: true } },
    });
    for (const dagId of ['x', 'y']) s.fails(dagId);
    const platform = () => s.state.incidents.find((i) => i.type === 'platform');
    const ended = (platform()?.runs ?? []).map((r) => run(r.dagId, r.runId, { state: 'success', startDate: RERUN }));
    s.sees({ runs: ended });
    expect(platform()?.status).toBe('verifying');
    s.fails('z');
    expect(platform()).toMatchObject({ status: 'contained', releasing: false });
  });

  test('is not enough while what read it has failed', () => {
    const s = contained({ verify: { requirePerson: true } });
    s.sees({ runs: [well] });
    s.fails('b', 'r1', { runStart: '2026-11-21T06:05:00.000Z' });
    expect(s.incident()).toMatchObject({ status: 'contained', statusReason: { code: 'fallout' } });
    s.sees({ runs: [run('b', 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
    expect(s.incident().status).toBe('verifying');
  });

  test.each(['planning', 'proposed', 'approved'] as const)(
    'is waited for alone: a repair that is %s ends, because all is whole',
    (state) => {
      const s = contained({ verify: { requirePerson: true } });
      s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
      if (state !== 'planning') s.planned({ steps: [clearStep('a', 'r1')] });
      if (state === 'approved')
        s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
      expect(s.repair().state).toBe(state);
      s.sees({ runs: [well] });
      expect(s.repair()).toMatchObject({
        state: state === 'proposed' ? 'lapsed' : 'cancelled',
        stateReason: { code: 'healed_outside' },
      });
      expect(s.incident().status).toBe('verifying');
      if (state !== 'proposed') s.planned({ steps: [clearStep('a', 'r1')] });
      expect(s.incident().status).toBe('verifying');
      expect(s.acts()).toEqual([]);
    },
  );

  test('is not asked for where the run had succeeded all the same', () => {
    const s = contained({ verify: { requirePerson: true } });
    s.sees({ runs: [run('a', 'r1', { state: 'success' })] });
    expect(s.incident()).toMatchObject({ releasing: true, statusReason: { code: 'run_succeeded_anyway' } });
  });

  test('does not stand for the release, where the policy wants that confirmed too', () => {
    const s = contained({ verify: { requirePerson: true }, release: { mode: 'confirm' } });
    s.sees({ runs: [well] });
    s.person(rita, { kind: 'verify', incidentId: 'inc-1', comment: 'counts match' });
    expect(s.incident()).toMatchObject({ status: 'verifying', releasing: false, statusReason: { code: 'release_waits' } });
    expect(s.notices().filter((n) => n === 'attention a')).toHaveLength(2);
  });
});

describe('ending a repair', () => {
  const end = (s: Scenario, kind: 'reject' | 'cancel') => s.person(ann, { kind, repairId: 'rep-1', comment: 'not this one' });

  test.each([
    ['reject', 'rejected'],
    ['cancel', 'cancelled'],
  ] as const)('%s a proposal: with name and reason', (kind, state) => {
    const s = proposed();
    end(s, kind);
    expect(s.repair()).toMatchObject({ state, endedAt: s.now, steps: [{ state: 'skipped', reason: { code: 'cancelled' } }] });
    expect(s.history('repair.').slice(-2)).toEqual([
      `repair.${state} rep-1 ${state} (ann)`,
      `repair.${state}_because rep-1 ${state} (ann): not this one`,
    ]);
    expect(s.last?.answer).toMatchObject({ incidentId: 'inc-1', repairId: 'rep-1' });
    expect(s.incident().status).toBe('contained');
    expect(s.refusal(() => end(s, 'cancel'))).toMatchObject({
      kind: 'conflict',
      message: `the repair is already ${state}`,
      detail: { state },
    });
  });

  test('only a proposal can be rejected', () => {
    const s = contained();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    expect(s.refusal(() => end(s, 'reject'))).toMatchObject({
      kind: 'conflict',
      message: 'only a proposed repair can be rejected; this one is planning',
      detail: { state: 'planning' },
    });
    end(s, 'cancel');
    s.planned({ steps });
    expect(s.repair().state).toBe('cancelled');
  });

  test('cancelling a running one leaves what runs alone, starts nothing more, and the holds stay', () => {
    const two = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2, { wave: 1 })];
    const s = contained();
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps: two });
    s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
    s.planned({ steps: two }).sent();
    end(s, 'cancel');
    expect(s.repair().steps.map((x) => x.state)).toEqual(['running', 'skipped']);
    expect(s.history('incident.contained').at(-1)).toBe('a cancelled (firedamper)');
    s.sees({ runs: [well] });
    expect(s.acts()).toEqual([]);
    expect(s.repair().state).toBe('cancelled');
  });
});

test('whoever is told of it: only channels that want this event, each once', () => {
  const channels = [
    { id: 'chat', events: ['opened', 'held'] },
    { id: 'pager', events: ['opened'] },
  ] as const;
  const s = new Scenario(['a>b'], { policy: { channels }, dags: [dag('b')] }).contained('a');
  s.sees({ runs: [well] });
  s.releasePlanned([missed('b')]).unpaused();
  const sent = s.state.intents.flatMap(({ act }) => (act.kind === 'send_notice' ? [`${act.channel} ${act.event}`] : []));
  expect(sent).toEqual(['chat opened', 'pager opened', 'chat held']);
});
