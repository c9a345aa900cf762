/** Who paused a DAG, when several have a say. */
import { describe, expect, it } from 'vitest';
import { clearStep, dag, missed, missedAsset, Scenario } from './scenario.ts';

it('a person unpauses a DAG that was paused before us: its hold is theirs, and the next look at Airflow goes on', () => {
  const s = new Scenario(['a>b'], { dags: [dag('b', { paused: true })] });
  s.fails('a');
  s.surveyed();
  expect(s.holds()).toEqual({ b: 'foreign' });
  s.sees({ paused: [{ dagId: 'b', paused: false, who: 'gerda' }] });
  expect(s.holds()).toEqual({ b: 'ceded' });
});

it('unpaused by its owner between two polls, then paused by us for another incident: the last release unpauses it', () => {
  const s = new Scenario(['a>c', 'b>c'], { dags: [dag('c', { paused: true })] });
  s.fails('a');
  s.surveyed();
  s.fails('b');
  s.surveyed({ dags: [dag('a'), dag('b'), dag('c')] }).paused();
  expect(s.holds(0)).toEqual({ c: 'ceded' });
  expect(s.holds(1)).toEqual({ c: 'held' });
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(1).id, comment: 'go' });
  s.releasePlanned();
  expect(s.acts()).toEqual(['unpause c']);
});

it('a DAG of the protected list is not paused either when it is the failing one', () => {
  const policy = { hold: { pauseFailingDag: true, protectedDags: ['a'] } };
  const s = new Scenario(['a>b'], { policy });
  s.fails('a');
  s.surveyed();
  expect(s.acts()).toEqual(['pause b']);
  expect(s.spared()).toEqual({ a: 'protected' });
});

it('a pause that a person undid before it was read back is theirs: no second pause', () => {
  const s = new Scenario(['a>b']);
  s.fails('a');
  s.surveyed();
  s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'taken_over', who: 'gerda' } });
  expect(s.holds()).toEqual({ b: 'ceded' });
  expect(s.reasons('hold.ceded')).toEqual(['person_unpaused']);
  expect(s.incident().status).toBe('contained');
  expect(s.acts()).toEqual([]);
});

it('claimed again while it was let go: our own requests of before are still known as ours', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
  s.releasePlanned();
  s.fails('b');
  s.surveyed();
  s.unpaused();
  const own = s.state.ownerships.find((o) => o.dagId === 'c');
  expect(own?.state).toBe('pause_intended');
  expect(own?.auditCursor).toBe(7);
  expect(own?.ops).toHaveLength(3);
});

it('claimed again while it was let go, on 2.x: the next hold begins behind our own unpause', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
  s.releasePlanned();
  s.fails('b');
  s.surveyed();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'unpaused_by_us', cursor: 9 } });
  const own = s.state.ownerships.find((o) => o.dagId === 'c');
  expect(own?.auditCursor).toBe(9);
  expect(own?.ops).toEqual([s.open('pause_dag')[0]?.op]);
});

it('claimed for a new incident while a person takes it over from the old one: the new hold does not wait for ever', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
  s.releasePlanned();
  s.fails('b');
  s.surveyed();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'already_unpaused', who: 'gerda' } });
  expect(s.acts()).toEqual(['pause c']);
  s.paused();
  expect(s.holds(1)).toEqual({ c: 'held' });
});

/** `c` is being let go by the first incident when the second claims it. */
function claimedWhileLetGo(): Scenario {
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
  s.releasePlanned();
  s.fails('b');
  s.surveyed();
  return s;
}

it.each(['touched', 'repaused'] as const)(
  'claimed for a new incident while somebody paused it themselves (%s): it is their pause, so nothing is sent and nothing of it is undone',
  (was) => {
    const s = claimedWhileLetGo();
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was, who: 'gerda' } });
    expect(s.acts()).toEqual([]);
    expect(s.holds(0)).toEqual({ c: 'ceded' });
    expect(s.holds(1)).toEqual({ c: 'foreign' });
    expect(s.incident(1).status).toBe('contained');
    s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(1).id, comment: 'go' });
    s.releasePlanned();
    expect(s.acts()).toEqual([]);
    expect(s.reasons('hold.released')).toEqual(['release_not_ours']);
  },
);

it('claimed for a new incident while nobody can tell who paused it: held by our pause that still stands, and contained', () => {
  const s = claimedWhileLetGo();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: 'the audit log is hidden' } });
  expect(s.acts()).toEqual([]);
  expect(s.holds(0)).toEqual({ c: 'held' });
  expect(s.holds(1)).toEqual({ c: 'held' });
  expect(s.incident(1).status).toBe('contained');
});

it('claimed for a new incident while Airflow refuses the unpause for good: held by our pause that still stands, and contained', () => {
  const s = claimedWhileLetGo();
  s.refused('unpause_dag');
  expect(s.holds(1)).toEqual({ c: 'held' });
  expect(s.incident(1).status).toBe('contained');
});

it('claimed again while it was let go, and the audit log could not be read: our own requests of before are still known as ours', () => {
  const s = claimedWhileLetGo();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'unpaused_by_us', cursor: 7 } });
  const own = s.ownership('c');
  expect(own?.auditCursor).toBe(7);
  expect(own?.ops).toHaveLength(3);
});

it('claimed for a new incident while a person takes it over from the old one: the new pause begins behind what they did with the old one', () => {
  const s = claimedWhileLetGo();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'already_unpaused', who: 'gerda', cursor: 9 } });
  const own = s.ownership('c');
  expect(own).toMatchObject({ state: 'pause_intended', auditCursor: 9, ops: [s.open('pause_dag')[0]?.op] });
});

it.each([
  ['the new incident, then the first one', ['release 1', 'hold 0']],
  ['the first one, then the new incident', ['hold 0', 'release 1', 'hold 1']],
  ['the new one’s hold by name, then the first one', ['hold 1', 'hold 0']],
] as const)('what it missed is given once, where nobody could tell who had paused it: let go by %s', (_, order) => {
  const all = [missed('c', { missedAssets: [missedAsset('s3://a')] })];
  const ann = { name: 'ann', role: 'approver' } as const;
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  s.later(60_000).person(ann, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
  s.releasePlanned(all);
  s.fails('b');
  s.surveyed();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: 'the audit log is hidden' } });
  for (const what of order) {
    const n = Number(what.at(-1));
    if (what.startsWith('hold'))
      s.person(ann, { kind: 'release_hold', holdId: s.hold('c', n)?.id ?? '', comment: 'nobody else had it' });
    else s.person(ann, { kind: 'release', incidentId: s.incident(n).id, comment: 'go' });
    s.releasePlanned(all);
  }
  s.unpaused().lookedAgain(all);
  expect(s.open('deliver')).toHaveLength(1);
});

it('a person unpaused it, no look has seen that yet, and the next incident does: theirs for the first, and paused for the new one', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  s.fails('b');
  s.surveyed({ dags: [dag('a'), dag('b'), dag('c')] });
  expect(s.holds(0)).toEqual({ c: 'ceded' });
  expect(s.acts()).toEqual(['pause c']);
  s.paused();
  expect(s.holds(1)).toEqual({ c: 'held' });
});

it('the next incident saw it run before our pause of it arrived: that is no word of anybody', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.fails('a');
  s.surveyed();
  s.fails('b');
  const began = s.switches('prod');
  s.paused();
  s.surveyed({ switches: [began] });
  expect(s.holds(0)).toEqual({ c: 'held' });
  expect(s.holds(1)).toEqual({ c: 'held' });
  expect(s.acts()).toEqual([]);
});

it.each([true, false])(
  'we have let it go since the next incident began to look (saw it paused: %s): it is looked at once more, and paused',
  (seen) => {
    const s = new Scenario(['a>c', 'b>c']);
    s.contained('a');
    s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
    s.fails('b');
    const began = s.switches('prod');
    s.releasePlanned().unpaused();
    s.surveyed({ switches: [{ ...began, dags: began.dags.map((d) => (d.dagId === 'c' ? { ...d, paused: seen } : d)) }] });
    expect(s.holds(1)).toEqual({});
    expect(s.acts()).toEqual([]);
    expect(s.open('survey').map((i) => i.dueAt)).toEqual([s.now]);
    s.surveyed();
    expect(s.acts()).toEqual(['pause c']);
  },
);

it('the next incident saw it run, and somebody has paused it since, as our own pause found out: theirs, and looked at once more', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.fails('a');
  s.surveyed();
  s.fails('b');
  const began = s.switches('prod');
  s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'already_paused', settled: true } });
  s.surveyed({ switches: [began] });
  expect(s.holds(1)).toEqual({});
  expect(s.acts()).toEqual([]);
  s.surveyed({ dags: [dag('a'), dag('b'), dag('c', { paused: true })] });
  expect([s.holds(0), s.holds(1)]).toEqual([{ c: 'foreign' }, { c: 'foreign' }]);
  expect(s.acts()).toEqual([]);
});

describe('a DAG of another Airflow', () => {
  const elsewhere = () => new Scenario(['a>b', 'a>dev/c']);

  it('is paused behind a row of its own log', () => {
    const s = elsewhere();
    s.fails('a');
    s.surveyed({ switches: [s.switches('prod'), { ...s.switches('dev'), auditCursor: 3 }] });
    expect(s.state.ownerships.map((o) => [o.airflow, o.dagId, o.auditCursor])).toEqual([
      ['prod', 'b', 7],
      ['dev', 'c', 3],
    ]);
  });

  it('that somebody has paused there since its list was read is theirs', () => {
    const s = elsewhere();
    s.fails('a');
    s.surveyed({ switches: [s.switches('prod'), { ...s.switches('dev'), dags: [dag('c', { paused: true })] }] });
    expect(s.holds()).toEqual({ b: 'intended', c: 'foreign' });
  });

  it('which does not answer keeps nobody waiting: people are told, and it is looked at again', () => {
    const s = elsewhere();
    s.fails('a');
    const home = () => s.surveyed({ scope: 'home', switches: [s.switches('prod')] }).paused();
    home();
    expect(s.holds(), 'what is here is held at once').toEqual({ b: 'held' });
    expect([s.incident().status, s.history('source.gap')], 'it has a moment to answer').toEqual(['open', []]);
    s.surveyedElsewhere();
    expect(s.incident().status).toBe('contained');
    expect(s.history('source.gap')).toHaveLength(1);
    expect(s.history('source.gap')[0]).toContain('c of dev');
    expect(s.notices().filter((n) => n === 'attention c')).toHaveLength(1);
    const asked = () => s.open('survey_elsewhere').map((i) => [i.act, Date.parse(i.dueAt) - Date.parse(s.now)]);
    const again = { kind: 'survey_elsewhere', airflow: 'prod', incidentId: 'inc-1', again: true };
    expect(asked()).toEqual([[again, 30_000]]);
    s.later(30_000).surveyedElsewhere();
    expect(s.history('source.gap'), 'told once').toHaveLength(1);
    s.fails('a', 'r2');
    expect(s.open('survey').map((i) => i.dueAt)).toEqual([s.now]);
    home();
    expect(s.incident(), 'a new failure does not wait for it').toMatchObject({ status: 'contained', surveyPending: false });
    expect(asked(), 'it is asked once').toEqual([[again, 30_000]]);
    expect(
      s.incident().gaps.map((g) => g.source),
      'still away',
    ).toEqual(['other_airflow']);
    s.later(30_000).surveyedElsewhere('dev').paused();
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
    expect(s.open('survey_elsewhere')).toEqual([]);
    expect(s.incident().gaps).toEqual([]);
  });

  it('which does not answer is asked at once about one more DAG, also where the name of another one ends like it', () => {
    const s = new Scenario(['a>dev/bc']);
    s.fails('a');
    const home = () => s.surveyed({ scope: 'home', switches: [s.switches('prod')] });
    home();
    s.surveyedElsewhere();
    const asked = () => s.open('survey_elsewhere').map((i) => Date.parse(i.dueAt) - Date.parse(s.now));
    expect(asked()).toEqual([30_000]);
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    home();
    expect(asked(), 'nobody new').toEqual([30_000]);
    s.learns('a>dev/c');
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    home();
    expect(asked()).toContain(0);
  });

  it('which does not answer before the incident is over is nobody’s alarm any more', () => {
    const s = elsewhere();
    s.fails('a');
    s.surveyed({ switches: [s.switches('prod')] }).paused();
    s.person({ name: 'ann', role: 'approver' }, { kind: 'dismiss', incidentId: s.incident().id, comment: 'a drill' });
    const told = s.notices().length;
    s.refused('survey_elsewhere', 'the incident is over');
    expect(s.history('survey.failed')).toEqual([]);
    expect(s.notices()).toHaveLength(told);
  });
});

it('a look that began before a DAG was let go and held anew says nothing about the new pause: it saw our own unpause', () => {
  const s = new Scenario(['a>c', 'b>c']);
  s.contained('a');
  const op = s.opOf('c');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident(0).id, comment: 'go' });
  s.releasePlanned().unpaused();
  s.fails('b');
  s.surveyed().paused();
  s.sees({ paused: [{ dagId: 'c', op, paused: false, who: null }] });
  expect(s.holds(1)).toEqual({ c: 'held' });
  s.sees({ paused: [{ dagId: 'c', paused: false, who: 'gerda' }] });
  expect(s.holds(1)).toEqual({ c: 'ceded' });
});

it('a repair that was approved before every hold could be made starts all the same', () => {
  const s = new Scenario(['a>b']);
  s.fails('a');
  s.surveyed();
  s.person({ name: 'rita', role: 'responder' }, { kind: 'fixed', incidentId: s.incident().id, comment: null });
  s.planned({ steps: [clearStep('a', 'r1')] });
  s.person(
    { name: 'ann', role: 'approver' },
    { kind: 'approve', repairId: s.repair().id, digest: s.repair().digest ?? '', comment: null },
  );
  s.planned({ steps: [clearStep('a', 'r1')] });
  expect(s.incident().status).toBe('repairing');
  s.paused();
  expect(s.holds()).toEqual({ b: 'held' });
});

it('the clock jumps back between a release and the next failure: the readers are held again', () => {
  const s = new Scenario(['a>b']);
  s.contained('a');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident().id, comment: 'go' });
  s.releasePlanned();
  s.unpaused();
  s.later(-600_000);
  s.fails('a', 'r2', { runStart: '2026-11-21T06:10:00.000Z' });
  s.surveyed();
  expect(s.acts()).toEqual(['pause b']);
});

it('the clock jumps back while an incident is contained: what a person took over is not claimed again', () => {
  const s = new Scenario(['a>b']);
  s.fails('a');
  s.later(-600_000);
  s.surveyed().paused();
  s.sees({ paused: [{ dagId: 'b', paused: false, who: 'gerda' }] });
  s.fails('a', 'r2');
  s.surveyed();
  expect(s.acts()).toEqual([]);
  expect(s.holds()).toEqual({ b: 'ceded' });
});

it.each([
  ['already_paused', { was: 'already_paused', settled: true }, 'released', 'release_not_ours'],
  ['taken_over', { was: 'taken_over', who: 'gerda' }, 'ceded', 'person_unpaused'],
  ['not_wanted', { was: 'not_wanted' }, 'released', 'never_paused'],
] as const)(
  'let go while its pause was on the way, which turned out as %s: said so, and the story ends',
  (_, found, state, code) => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.person({ name: 'ann', role: 'approver' }, { kind: 'dismiss', incidentId: s.incident().id, comment: 'no' });
    s.answer('pause_dag', { kind: 'pause_dag', found });
    expect(s.holds()).toEqual({ b: state });
    expect(s.reasons(`hold.${state}`)).toEqual([code]);
    expect(s.acts()).toEqual([]);
    expect(s.incident().timestamps.releasedAt).not.toBeNull();
  },
);

it('let go while its pause was on the way, and a person was there meanwhile: the hold says that it stays paused', () => {
  const s = new Scenario(['a>b']);
  s.fails('a');
  s.surveyed();
  s.person({ name: 'ann', role: 'approver' }, { kind: 'dismiss', incidentId: s.incident().id, comment: 'no' });
  s.paused();
  s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'touched', who: 'gerda' } });
  expect(s.holds()).toEqual({ b: 'ceded' });
  expect(s.told()).toContain('attention');
});

it('the cause fails again while its readers are being let go: they are held again', () => {
  const s = new Scenario(['a>b']);
  s.contained('a');
  s.person({ name: 'ann', role: 'approver' }, { kind: 'release', incidentId: s.incident().id, comment: 'go' });
  s.releasePlanned();
  expect(s.acts()).toEqual(['unpause b']);
  s.later(1_000);
  s.fails('a', 'r2', { runStart: s.now });
  s.surveyed();
  s.unpaused();
  expect(s.acts()).toEqual(['pause b']);
  s.paused();
  expect(s.state.holds.map((h) => h.state)).toEqual(['released', 'held']);
});
