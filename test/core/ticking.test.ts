/** How acts end, what is told of trouble, and what the passing of time changes. */
import { describe, expect, test } from 'vitest';
import type { Intent, IntentKind } from '../../src/core/intent.ts';
import { ann, clearStep, missed, missedAsset, rita, run, Scenario } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const DAY = 86_400_000;
const well = run('a', 'r1', { state: 'success', startDate: RERUN });
const steps = [clearStep('a', 'r1')];
const busy = { result: 'failed', error: '503', retry: true } as const;

function repairing(): Scenario {
  const s = new Scenario(['a>b']).contained('a');
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  s.planned({ steps });
  s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  return s.planned({ steps });
}
/** One scenario for each kind of act, up to where it is open. */
const GIVEN: Readonly<Record<IntentKind, () => Scenario>> = {
  survey: () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    return s;
  },
  survey_elsewhere: () => {
    const s = new Scenario(['a>b', 'a>dev/c']);
    s.fails('a');
    return s.surveyed({ scope: 'home', switches: [s.switches('prod')] });
  },
  pause_dag: () => GIVEN.survey().surveyed(),
  unpause_dag: () => GIVEN.plan_release().releasePlanned([missed('b')]),
  plan_repair: () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    return s;
  },
  repair_step: repairing,
  plan_release: () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [well] });
    return s;
  },
  plan_delivery: () =>
    GIVEN.plan_release()
      .releasePlanned([missed('b', { missedAssets: [missedAsset('s3://a')] })])
      .unpaused(),
  deliver: () => GIVEN.plan_delivery().lookedAgain(),
  send_notice: () => GIVEN.survey(),
};
const since = (s: Scenario, act: () => void) => {
  const before = s.timeline.length;
  act();
  return s.timeline.slice(before).map((t) => `${t.event} ${t.subject} ${t.reason.code} ${t.reason.detail.error ?? ''}`.trim());
};

describe('an act that has ended', () => {
  test.each(Object.keys(GIVEN) as IntentKind[])('%s: an outcome that comes twice changes nothing the second time', (kind) => {
    const s = GIVEN[kind]();
    const [intent] = s.open(kind);
    const as = (state: Intent['state']) => {
      s.state = { ...s.state, intents: s.state.intents.map((i) => (i.id === intent?.id ? { ...i, state } : i)) };
    };
    for (const state of ['done', 'failed'] as const) {
      as(state);
      for (const outcome of [busy, { result: 'unknown', error: 'cut' }, { result: 'not_yet', why: 'wait' }] as const) {
        const d = s.when({ type: 'outcome', intentId: intent?.id ?? '', outcome });
        expect([d.intents, d.timeline, d.incidents, d.holds, d.repairs]).toEqual([[], [], [], [], []]);
      }
    }
  });

  test('one that nobody knows changes nothing', () => {
    const d = new Scenario([]).when({ type: 'outcome', intentId: 'int-9', outcome: busy });
    expect([d.intents, d.timeline]).toEqual([[], []]);
  });

  test('done is done, and what went wrong before is forgotten', () => {
    const s = GIVEN.pause_dag().ends('pause_dag', busy);
    expect(s.open('pause_dag')[0]).toMatchObject({ state: 'planned', lastError: '503' });
    s.paused();
    expect(s.state.intents.find((i) => i.act.kind === 'pause_dag')).toMatchObject({ state: 'done', lastError: null });
  });

  test.each(Object.keys(GIVEN) as IntentKind[])('%s: facts of another kind than were asked for change nothing', (kind) => {
    const s = GIVEN[kind]();
    const facts = kind === 'send_notice' ? ({ kind: 'plan_release', missed: [] } as const) : ({ kind: 'send_notice' } as const);
    expect(since(s, () => s.answer(kind, facts))).toEqual([]);
  });
});

describe('Airflow refuses for good', () => {
  test.each<[IntentKind, string[], string[]]>([
    ['survey', ['survey.failed null survey_failed Forbidden'], ['attention prod']],
    ['pause_dag', ['hold.refused b pause_failed Forbidden'], ['attention b']],
    ['unpause_dag', ['hold.uncertain b release_uncertain'], ['attention b']],
    ['plan_repair', ['repair.failed rep-1 plan_failed Forbidden'], ['failed rep-1']],
    ['plan_release', ['release.failed null unpause_failed Forbidden'], ['attention prod']],
    ['deliver', ['delivery.refused b not_delivered', 'incident.resolved a resolved'], ['attention b', 'resolved a']],
    ['send_notice', ['notice.failed opened not_told Forbidden'], []],
  ])('%s', (kind, told, notices) => {
    const s = GIVEN[kind]();
    const before = s.notices().length;
    expect(since(s, () => s.refused(kind))).toEqual(told);
    expect(s.notices().slice(before)).toEqual(notices);
  });

  test('a notice that could not be sent names its channel, and asks for no other one', () => {
    const s = GIVEN.send_notice().refused('send_notice');
    expect(s.history('notice.failed')).toEqual(['opened not_told channel=chat error=Forbidden (firedamper)']);
    expect(s.open('send_notice')).toEqual([]);
  });

  test('a step: the repair fails with what Airflow said, the holds stay', () => {
    const s = GIVEN.repair_step().refused('repair_step');
    expect(s.repair()).toMatchObject({
      state: 'failed',
      steps: [{ state: 'failed', endedAt: s.now, reason: { code: 'step_refused', detail: { error: 'Forbidden' } } }],
    });
    expect(s.history('step.failed')).toEqual(['clear a r1 step_refused error=Forbidden (firedamper)']);
    expect(s.history('repair.failed')).toEqual(['rep-1 repair_failed what=clear a r1 (firedamper)']);
    expect(s.incident()).toMatchObject({ status: 'contained', statusReason: { detail: { what: 'clear a r1' } } });
    expect(s.notices()).toContain('failed rep-1');
  });

  test.each(['survey', 'survey_elsewhere', 'plan_release'] as const)(
    '%s: asked again every minute for as long as it is needed, and told once',
    (kind) => {
      const s = GIVEN[kind]();
      const told = () => s.timeline.filter((t) => /^(survey|release)\.failed$/.test(t.event)).length;
      for (let n = 0; n < 10; n++) {
        s.refused(kind);
        expect(s.open(kind)).toMatchObject([{ act: { kind, again: true }, state: 'planned' }]);
        expect(Date.parse(s.open(kind)[0]?.dueAt ?? '') - Date.parse(s.now)).toBe(60_000);
        s.later(60_000).tick();
      }
      expect([told(), s.notices().filter((n) => n === 'attention prod').length]).toEqual([1, 1]);
    },
  );

  test('the survey: a failure that is heard meanwhile does not wait for the next try', () => {
    const s = GIVEN.survey().refused('survey').later(10_000);
    s.fails('a', 'r2');
    expect(s.open('survey').map((i) => i.dueAt)).toEqual([s.now]);
    s.surveyed().paused();
    expect(s.holds()).toEqual({ b: 'held' });
    expect(s.open('survey')).toEqual([]);
  });
});

test.each(['deliver', 'plan_delivery'] as const)('%s: what waits in Airflow without an end is told, once', (kind) => {
  const s = GIVEN[kind]();
  const stuck = () => s.history('delivery.stuck');
  const waits = () => s.ends(kind, { result: 'not_yet', why: 'another backfill of this DAG is not finished yet' });
  waits().later(5 * 3_600_000);
  waits().later(2_000);
  expect(stuck()).toEqual([]);
  s.later(3_600_000);
  for (let n = 0; n < 5; n++) waits().later(2_000);
  expect(stuck()).toHaveLength(1);
  expect(stuck()[0]).toContain('another backfill of this DAG is not finished yet');
  expect(s.open(kind), 'and it goes on waiting').toHaveLength(1);
});

describe('trouble on the way is told at the third attempt, once', () => {
  const attempts = (s: Scenario, kind: IntentKind, n: number) => {
    // The worker counts what it sends before it sends it.
    for (let i = 0; i < n; i++) {
      s.state = {
        ...s.state,
        intents: s.state.intents.map((x) =>
          x.act.kind === kind && x.state !== 'done' && !['survey', 'plan_release', 'plan_delivery'].includes(kind)
            ? { ...x, attempts: x.attempts + 1 }
            : x,
        ),
      };
      s.ends(kind, busy);
    }
  };
  test.each<[IntentKind, string[]]>([
    ['survey', ['survey.retrying null survey_failed 503']],
    ['pause_dag', ['hold.retrying b pause_failed 503']],
    ['unpause_dag', ['hold.release_retrying b unpause_failed 503']],
    ['plan_release', ['release.retrying null missed_unread 503']],
    ['plan_delivery', ['release.retrying null missed_unread 503']],
    ['repair_step', []],
  ])('%s', (kind, told) => {
    const s = GIVEN[kind]();
    expect(since(s, () => attempts(s, kind, 2))).toEqual([]);
    expect(since(s, () => attempts(s, kind, 1))).toEqual(told);
    expect(since(s, () => attempts(s, kind, 3))).toEqual([]);
    expect(s.open(kind)).toHaveLength(1);
  });

  test('only for the DAG in trouble, and only what leaves', () => {
    const s = new Scenario(['a>b', 'a>c', 'a>dev/b', 'z>b']).contained('a');
    s.sees({ runs: [well] });
    s.releasePlanned();
    s.fails('z');
    s.surveyed();
    const [first] = s.open('unpause_dag').filter((i) => i.act.kind === 'unpause_dag' && i.act.airflow === 'prod');
    const at = s.timeline.length;
    s.state = { ...s.state, intents: s.state.intents.map((i) => (i === first ? { ...i, attempts: 3 } : i)) };
    s.when({ type: 'outcome', intentId: first?.id ?? '', outcome: busy });
    expect(s.timeline.slice(at).map((t) => `${t.event} ${t.subject} ${t.incidentId}`)).toEqual(['hold.release_retrying b inc-1']);
  });
});

describe('what is not there yet', () => {
  test('a plan says so once, another act says nothing', () => {
    const s = GIVEN.plan_repair().ends('plan_repair', { result: 'not_yet', why: 'run r1 goes on' });
    s.ends('plan_repair', { result: 'not_yet', why: 'run r2 goes on' });
    expect(s.history('repair.waiting')).toEqual(['rep-1 plan_waits why=run r1 goes on (firedamper)']);
    expect(s.repair().stateReason.detail.why).toBe('run r1 goes on');
    const other = GIVEN.pause_dag();
    expect(since(other, () => other.ends('pause_dag', { result: 'not_yet', why: 'x' }))).toEqual([]);
    const again = repairing();
    again.state = { ...again.state, repairs: again.state.repairs.map((r) => ({ ...r, state: 'approved' as const })) };
    const [plan] = again.state.intents.filter((i) => i.act.kind === 'plan_repair');
    if (plan) again.state = { ...again.state, intents: [...again.state.intents, { ...plan, id: 'int-again', state: 'planned' }] };
    expect(since(again, () => again.ends('plan_repair', { result: 'not_yet', why: 'x' }))).toEqual([]);
  });
});

describe('links that are learnt or lost', () => {
  const relook = (s: Scenario, airflow = 'prod') => {
    s.when({ type: 'lineage_changed', airflow });
    return s.open('survey').length;
  };
  test('open, contained and repairing incidents look again; those that are verified, released or elsewhere do not', () => {
    expect(relook(GIVEN.pause_dag())).toBe(1);
    expect(relook(new Scenario(['a>b']).contained('a'))).toBe(1);
    expect(relook(repairing())).toBe(1);
    expect(relook(new Scenario(['a>b']).contained('a'), 'dev')).toBe(0);
    expect(relook(GIVEN.plan_release())).toBe(0);
    const waits = new Scenario(['a>b'], { policy: { release: { mode: 'confirm' } } }).contained('a');
    waits.sees({ runs: [well] });
    expect(waits.incident().status).toBe('verifying');
    expect(relook(waits)).toBe(0);
  });
});

describe('time passes', () => {
  test.each([
    [DAY - 1, 0],
    [DAY, 1],
  ])('%d ms after a hold began: %d questions, asked once', (ms, count) => {
    const s = new Scenario(['a>b', 'a>c']).contained('a');
    s.later(ms).tick();
    s.later(1).tick();
    s.tick();
    expect(s.history('hold.review_due')).toHaveLength(2);
    const first = new Scenario(['a>b']).contained('a').later(ms);
    first.tick();
    expect(first.history('hold.review_due')).toEqual(Array(count).fill('b review_due (firedamper)'));
    expect(first.notices().filter((n) => n === 'attention b')).toHaveLength(count);
    expect(first.hold('b')).toMatchObject({ state: 'held', reviewAsked: count === 1 });
  });

  test('a hold that has ended is not asked about', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ paused: [{ dagId: 'b', paused: false, who: 'paula' }] });
    s.later(DAY).tick();
    expect(s.history('hold.review_due')).toEqual([]);
  });

  test.each([
    [1_799_999, 'proposed'],
    [1_800_000, 'lapsed'],
  ])('%d ms after a proposal it is %s', (ms, state) => {
    const s = GIVEN.plan_repair().planned({ steps });
    s.later(ms).tick();
    expect(s.repair().state).toBe(state);
    if (state === 'lapsed') {
      expect(s.history('repair.lapsed')).toEqual(['rep-1 approval_expired (firedamper)']);
      expect(s.notices()).toContain('attention rep-1');
      s.tick();
      expect(s.history('repair.lapsed')).toHaveLength(1);
    }
  });

  test.each([
    [21_599_999, 0],
    [21_600_000, 1],
  ])('%d ms after a step began: told %d times that the repair is stuck', (ms, count) => {
    const s = repairing().sent();
    s.later(ms).tick();
    expect(s.history('repair.stuck')).toEqual(Array(count).fill('rep-1 repair_stuck minutes=360 what=clear a r1 (firedamper)'));
    expect(s.notices().filter((n) => n === 'attention rep-1')).toHaveLength(count);
    s.tick();
    expect(s.history('repair.stuck')).toHaveLength(count);
    expect(s.repair().stuckTold).toBe(count === 1);
    expect(s.repair().state).toBe('running');
  });

  test('an approved repair, or one that has ended, is not stuck', () => {
    const s = repairing().sent();
    s.sees({ runs: [well] });
    s.later(DAY).tick();
    expect(s.history('repair.stuck')).toEqual([]);
  });

  test('a step that is being sent for so long is stuck too', () => {
    const s = repairing();
    s.later(21_600_000).tick();
    expect(s.reasons('repair.stuck')).toEqual(['repair_stuck']);
  });

  test('an incident that waits for its holds stays open', () => {
    const s = GIVEN.pause_dag();
    s.tick();
    expect(s.incident().status).toBe('open');
    expect(s.open('survey')).toEqual([]);
  });
});
