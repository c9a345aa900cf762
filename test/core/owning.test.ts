/** Who paused a DAG, and what follows from it when it is let go. */
import { describe, expect, test } from 'vitest';
import type { UnpauseFound } from '../../src/core/events.ts';
import { ann, dag, missed, run, Scenario } from './scenario.ts';

const well = (dagId: string) => run(dagId, 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' });
const sees = (s: Scenario, dagId: string, paused: boolean, who: string | null, airflow = 'prod') =>
  s.sees({ paused: [{ dagId, paused, who }] }, airflow);
const releaseHold = (s: Scenario, holdId = 'hold-1') =>
  s.person(ann, { kind: 'release_hold', holdId, comment: 'it reads last week only' });
/** Healed, and the unpause of each held DAG is asked for. */
function leaving(edges = ['a>b']): Scenario {
  const s = new Scenario(edges).contained('a');
  s.sees({ runs: [well('a')] });
  return s.releasePlanned([missed('b')]);
}

describe('letting go', () => {
  test('of what is ours: asked for with a mark of its own, and said why', () => {
    const s = leaving();
    const [intent] = s.open('unpause_dag');
    expect(intent?.act).toEqual({ kind: 'unpause_dag', airflow: 'prod', dagId: 'b', forced: false });
    expect(s.ownership('b')).toMatchObject({ state: 'resume_intended', op: intent?.op });
    expect(s.ownership('b')?.ops.at(-1)).toBe(intent?.op);
    expect(s.ownership('b')?.ops).toHaveLength(2);
    expect(s.history('hold.release_intended')).toEqual(['b healed_outside (firedamper)']);
  });

  test('of what others paused: ended, and never touched', () => {
    const s = new Scenario(['a>b'], { dags: [dag('b', { paused: true })] }).contained('a');
    releaseHold(s);
    expect(s.history('hold.released')).toEqual(['b release_not_ours (firedamper)']);
    expect(s.hold('b')).toMatchObject({ state: 'released', releasedAt: s.now });
    expect(s.acts()).toEqual([]);
    expect(s.ownership('b')?.state).toBe('foreign');
  });

  test('of what others still hold: ended, and named who; the last one unpauses it', () => {
    const s = new Scenario(['a>d', 'b>d', 'c>d']).contained('a');
    for (const other of ['b', 'c']) s.fails(other);
    s.surveyed();
    releaseHold(s);
    expect(s.history('hold.released')).toEqual(['d still_held incidents=inc-2, inc-3 (firedamper)']);
    releaseHold(s, 'hold-2');
    expect(s.acts()).toEqual([]);
    releaseHold(s, 'hold-3');
    expect(s.acts()).toEqual(['unpause d']);
  });

  test('of a DAG of the same name elsewhere: its holds do not count here', () => {
    const s = new Scenario(['a>d', 'b>dev/d']).contained('a');
    s.fails('b');
    s.surveyed().paused();
    releaseHold(s);
    expect(s.open('unpause_dag').map((i) => i.act)).toMatchObject([{ airflow: 'prod', dagId: 'd' }]);
  });

  test('while the pause is under way: it ends when the pause has come and is undone', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    releaseHold(s);
    expect(s.holds()).toEqual({ b: 'release_intended' });
    expect(s.acts()).toEqual(['pause b']);
    s.paused();
    expect(s.acts()).toEqual(['unpause b']);
    s.unpaused();
    expect(s.history('hold.released')).toEqual(['b released (firedamper)']);
  });

  test('in shadow mode: ended, nothing asked', () => {
    const s = new Scenario(['a>b'], { policy: { mode: 'shadow' } }).contained('a');
    releaseHold(s);
    expect(s.history('hold.released')).toEqual(['b person_release (firedamper)']);
    expect(s.acts()).toEqual([]);
  });

  test('of what is over already: nothing, however often', () => {
    const s = new Scenario(['a>b', 'a>c', 'a>d']).contained('a');
    sees(s, 'b', false, 'paula');
    releaseHold(s, 'hold-2');
    s.unpaused();
    releaseHold(s, 'hold-3');
    s.person(ann, { kind: 'release', incidentId: 'inc-1', comment: 'all of it' });
    s.releasePlanned();
    expect(s.holds()).toEqual({ b: 'ceded', c: 'released', d: 'release_intended' });
    expect(s.open('unpause_dag')).toHaveLength(1);
    s.unpaused();
    expect(s.history('hold.')).toEqual([
      ...s.history('hold.').slice(0, 6),
      'hold.ceded b person_unpaused who=paula (airflow)',
      'hold.release_ordered c person_release (ann): it reads last week only',
      'hold.release_intended c person_release (firedamper)',
      'hold.released c released (firedamper)',
      'hold.release_ordered d person_release (ann): it reads last week only',
      'hold.release_intended d person_release (firedamper)',
      'hold.released d released (firedamper)',
    ]);
  });

  test('of a DAG that was taken back meanwhile: ended, nothing asked', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.state = { ...s.state, ownerships: s.state.ownerships.map((o) => ({ ...o, state: 'none' as const })) };
    releaseHold(s);
    expect(s.history('hold.released')).toEqual(['b person_release (firedamper)']);
    expect(s.acts()).toEqual([]);
  });

  test('of what nobody knows who paused: asked once, and only a person’s word resumes it', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    s.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_unknown' } });
    s.sees({ runs: [well('a')] });
    s.releasePlanned();
    const why = 'after a restart nobody can tell who paused it';
    expect(s.history('hold.uncertain')).toEqual([`b release_uncertain why=${why} (firedamper)`]);
    expect(s.hold('b')).toMatchObject({
      state: 'held',
      reason: { code: 'release_uncertain', detail: { why } },
      releasedAt: null,
    });
    expect(s.acts()).toEqual([]);
    releaseHold(s);
    expect(s.open('unpause_dag')[0]?.act).toMatchObject({ forced: true });
    expect(s.notices().filter((n) => n === 'attention b')).toHaveLength(2);
  });
});

describe('an incident of shadow mode beside an armed one, after a change of mode', () => {
  function both(): Scenario {
    const s = new Scenario(['a>b', 'z>b']).contained('a');
    s.fails('z');
    s.state = { ...s.state, incidents: s.state.incidents.map((i) => (i.id === 'inc-2' ? { ...i, mode: 'shadow' as const } : i)) };
    return s.surveyed();
  }
  test('does not keep the DAG paused, and its end does not touch it', () => {
    const s = both();
    expect([s.holds(0), s.holds(1)]).toEqual([{ b: 'held' }, { b: 'intended' }]);
    s.sees({ runs: [well('a')] });
    s.releasePlanned();
    expect(s.acts()).toEqual(['unpause b']);
    s.unpaused();
    expect(s.acts(), 'nor does it ask for a pause of its own').toEqual([]);
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-2', comment: 'a drill' });
    expect(s.holds(1)).toEqual({ b: 'released' });
    expect(s.history('hold.released')).toEqual(['b released (firedamper)', 'b dismissed (firedamper)']);
    expect(s.acts()).toEqual([]);
  });

  test('ends for itself, while the armed one holds on', () => {
    const s = both();
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-2', comment: 'a drill' });
    expect(s.history('hold.released')).toEqual(['b dismissed (firedamper)']);
    expect(s.holds(0)).toEqual({ b: 'held' });
  });

  test('is not told as held when the other one’s pause is read back', () => {
    const s = new Scenario(['a>b', 'z>b']);
    s.fails('a');
    s.fails('z');
    s.state = { ...s.state, incidents: s.state.incidents.map((i) => (i.id === 'inc-2' ? { ...i, mode: 'shadow' as const } : i)) };
    s.surveyed().paused();
    expect([s.holds(0), s.holds(1)]).toEqual([{ b: 'held' }, { b: 'intended' }]);
  });
});

describe('what the unpause found', () => {
  test.each<[UnpauseFound, string, string, string]>([
    [{ was: 'unpaused_by_us' }, 'released', 'none', 'hold.released b released (firedamper)'],
    [{ was: 'gone' }, 'released', 'none', 'hold.released b dag_gone (firedamper)'],
    [{ was: 'already_unpaused', who: 'paula' }, 'ceded', 'ceded', 'hold.ceded b person_unpaused who=paula (airflow)'],
    [{ was: 'touched', who: 'paula' }, 'ceded', 'ceded', 'hold.ceded b person_touched who=paula (airflow)'],
    [{ was: 'repaused', who: 'paula' }, 'ceded', 'ceded', 'hold.ceded b person_touched who=paula (airflow)'],
    [{ was: 'uncertain', why: '403' }, 'held', 'ours', 'hold.uncertain b release_uncertain why=403 (firedamper)'],
  ])('%j', (found, hold, owner, line) => {
    const s = leaving();
    s.answer('unpause_dag', { kind: 'unpause_dag', found });
    expect(s.hold('b')?.state).toBe(hold);
    expect(s.ownership('b')?.state).toBe(owner);
    expect(s.history('hold.').at(-1)).toBe(line);
    expect(s.ownership('b')?.uncertain).toBe(found.was === 'uncertain');
  });

  test.each<[UnpauseFound]>([[{ was: 'unpaused_by_us' }], [{ was: 'gone' }]])(
    '%j: since when we paused it is over too',
    (found) => {
      const s = leaving();
      expect(s.ownership('b')?.since).not.toBeNull();
      s.answer('unpause_dag', { kind: 'unpause_dag', found });
      expect(s.ownership('b')?.since).toBeNull();
    },
  );

  test.each<[UnpauseFound, string[]]>([
    [{ was: 'unpaused_by_us' }, []],
    [{ was: 'gone' }, []],
    [{ was: 'already_unpaused', who: 'paula' }, ['attention b']],
    [{ was: 'touched', who: 'paula' }, ['attention b']],
    [{ was: 'uncertain', why: '403' }, ['attention b']],
  ])('%j: people are told where it is theirs to decide', (found, told) => {
    const s = leaving();
    s.answer('unpause_dag', { kind: 'unpause_dag', found });
    expect(s.notices().filter((n) => n.startsWith('attention'))).toEqual(told);
  });

  test('on 2.x, which has no marks: what is claimed next begins behind our own unpause', () => {
    const s = leaving();
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'unpaused_by_us', cursor: 99 } });
    expect(s.ownership('b')).toMatchObject({ auditCursor: 99, ops: [] });
    const none = leaving();
    none.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'unpaused_by_us', cursor: null } });
    expect(none.ownership('b')?.auditCursor).toBe(7);
    expect(none.ownership('b')?.ops).toHaveLength(2);
  });

  test('only what was leaving ends, and only here', () => {
    const s = leaving(['a>b', 'a>c', 'a>dev/b']);
    const [first] = s.open('unpause_dag').filter((i) => i.act.kind === 'unpause_dag' && i.act.airflow === 'prod');
    s.when({
      type: 'outcome',
      intentId: first?.id ?? '',
      outcome: { result: 'done', facts: { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } } },
    });
    expect(s.state.holds.map((h) => `${h.airflow}/${h.dagId} ${h.state}`).sort()).toEqual([
      'dev/b release_intended',
      'prod/b released',
      'prod/c release_intended',
    ]);
    expect(s.incident().status).toBe('monitoring');
  });

  test('heard when it is not waited for any more: nothing', () => {
    const s = leaving();
    const [intent] = s.open('unpause_dag');
    if (intent) s.state = { ...s.state, intents: [...s.state.intents, { ...intent, id: 'int-late' }] };
    s.unpaused();
    expect(s.reasons('hold.released')).toEqual(['released']);
    expect(s.ownership('b')?.state).toBe('none');
    expect(s.timeline.filter((t) => t.event === 'incident.resolved')).toHaveLength(1);
  });

  test('a refusal for good is uncertain: it stays paused, and a person is asked', () => {
    const s = leaving().refused('unpause_dag');
    expect(s.hold('b')).toMatchObject({ state: 'held', reason: { code: 'release_uncertain', detail: { why: 'Forbidden' } } });
    expect(s.ownership('b')).toMatchObject({ state: 'ours', uncertain: true });
    expect(s.notices()).toContain('attention b');
  });

  test('the same doubt twice is told once, another doubt once more', () => {
    const s = leaving();
    for (const why of ['403', '403', 'a gap']) {
      s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why } });
      releaseHold(s);
    }
    expect(s.history('hold.uncertain')).toEqual([
      'b release_uncertain why=403 (firedamper)',
      'b release_uncertain why=a gap (firedamper)',
    ]);
  });

  test('wanted again meanwhile: paused again, behind the same place of the audit log, and both of our marks are known', () => {
    const s = new Scenario(['a>b', 'z>b']).contained('a');
    s.sees({ runs: [well('a')] });
    s.releasePlanned();
    s.fails('z');
    s.surveyed();
    expect(s.holds(1)).toEqual({ b: 'intended' });
    expect(s.acts()).toEqual(['unpause b']);
    s.unpaused();
    expect(s.acts()).toEqual(['pause b']);
    expect(s.ownership('b')).toMatchObject({ state: 'pause_intended', auditCursor: 7 });
    expect(s.ownership('b')?.ops).toHaveLength(3);
    expect(s.state.incidents.map((i) => i.status)).toEqual(['resolved', 'open']);
  });

  test('still paused, by a doubt: what wants it again waits for no second pause', () => {
    const s = new Scenario(['a>b', 'z>b']).contained('a');
    s.sees({ runs: [well('a')] });
    s.releasePlanned();
    s.fails('z');
    s.surveyed();
    s.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'uncertain', why: '403' } });
    expect(s.acts()).toEqual([]);
  });
});

describe('a look at Airflow', () => {
  test('a DAG that we hold runs again: whoever did it has it, for every incident that holds it', () => {
    const s = new Scenario(['a>c', 'b>c']).contained('a');
    s.fails('b');
    s.surveyed();
    sees(s, 'c', false, 'paula');
    expect([s.holds(0), s.holds(1)]).toEqual([{ c: 'ceded' }, { c: 'ceded' }]);
    expect(s.history('hold.ceded')).toEqual(Array(2).fill('c person_unpaused who=paula (airflow)'));
    expect(s.hold('c')).toMatchObject({ reason: { code: 'person_unpaused' }, releasedAt: s.now });
    expect(s.ownership('c')?.state).toBe('ceded');
    expect(s.notices().filter((n) => n === 'attention c')).toHaveLength(2);
  });

  test('by nobody whom the audit log names: somebody', () => {
    const s = new Scenario(['a>b']).contained('a');
    sees(s, 'b', false, null);
    expect(s.history('hold.ceded')).toEqual(['b person_unpaused who=somebody (airflow)']);
  });

  test('still paused: nothing', () => {
    const s = new Scenario(['a>b']).contained('a');
    sees(s, 'b', true, 'paula');
    expect(s.holds()).toEqual({ b: 'held' });
    expect(s.ownership('b')?.state).toBe('ours');
  });

  test('not paused yet, because our pause is under way: nothing', () => {
    const s = new Scenario(['a>b']);
    s.fails('a');
    s.surveyed();
    sees(s, 'b', false, null);
    expect(s.holds()).toEqual({ b: 'intended' });
    expect(s.ownership('b')?.state).toBe('pause_intended');
  });

  test('of another Airflow: nothing', () => {
    const s = new Scenario(['a>b']).contained('a');
    sees(s, 'b', false, 'paula', 'dev');
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('of a DAG that is nobody’s: nothing', () => {
    const s = new Scenario(['a>b']);
    sees(s, 'b', false, 'paula');
    expect(s.state.ownerships).toEqual([]);
  });

  test('a pause of others that no hold counts on any more is forgotten', () => {
    const s = new Scenario(['a>b'], { dags: [dag('b', { paused: true })] }).contained('a');
    releaseHold(s);
    sees(s, 'b', false, 'paula');
    expect(s.ownership('b')?.state).toBe('none');
    expect(s.reasons('hold.ceded')).toEqual([]);
  });
});
