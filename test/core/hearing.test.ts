/** From a signal to its incident: what is heard of each, and why. */
import { describe, expect, test } from 'vitest';
import { NOTHING_SAID, type Said, type Signal } from '../../src/core/signal.ts';
import { ann, dag, missed, rita, run, Scenario, START, taskFailed } from './scenario.ts';

const FIRST = '2026-11-21T05:59:00.000Z';
const RERUN = '2026-11-21T06:10:00.000Z';
const said = (change: Partial<Said>): Said => ({ ...NOTHING_SAID, ...change });
const well = (dagId = 'a', runId = 'r1') => run(dagId, runId, { state: 'success', startDate: RERUN });
/** What became of the last signal: the incident and the reason, as the caller is told and as it is stored. */
const heard = (s: Scenario) => [s.last?.answer.incidentId, s.last?.answer.note?.code];
const outcome = (s: Scenario) => s.last?.signals[0]?.outcome;
function resolved(s = new Scenario(['a>b'])): Scenario {
  s.contained('a');
  s.sees({ runs: [well()] });
  return s.releasePlanned([missed('b')]).unpaused();
}

describe('each signal is stored with what became of it', () => {
  test('a failure', () => {
    const s = new Scenario(['a>b']);
    s.later(1_000).fails('a');
    expect(s.last?.signals).toEqual([
      {
        ...taskFailed('a'),
        id: 'sig-1',
        heardAt: s.now,
        incidentId: 'inc-1',
        outcome: 'task make of run r1 failed for good',
      },
    ]);
    expect(heard(s)).toEqual(['inc-1', 'failure_final']);
  });

  test.each<[string, Partial<Signal>, string | null, string]>([
    ['the same once more', { key: 'a/r1/make/1' }, 'inc-1', 'this failure is already known'],
    ['a retry', { kind: 'task_retry', taskId: 'x' }, 'inc-1', 'task x failed and will be retried: nothing is opened or held'],
    ['a retry of who knows what', { kind: 'task_retry', taskId: null, key: 'k' }, 'inc-1', 'task ? failed and will be retried'],
    ['a success', { kind: 'run_succeeded', taskId: null, key: 'k' }, 'inc-1', 'this failure is already known'],
    ['another task', { taskId: 'x' }, 'inc-1', 'another failure of the same cause'],
  ])('%s', (_what, change, incident, text) => {
    const s = new Scenario(['a>b']).contained('a');
    s.fails('a', 'r1', change);
    expect(outcome(s)).toContain(text);
    expect(s.last?.answer.incidentId).toBe(incident);
    expect(s.state.incidents).toHaveLength(1);
  });

  test('without an incident there is none to name', () => {
    const s = new Scenario([]);
    for (const kind of ['task_retry', 'run_succeeded'] as const) {
      s.fails('a', 'r1', { kind, key: kind });
      expect(s.last?.answer.incidentId).toBeNull();
    }
    s.fails('a', 'r1', { kind: 'task_retry', key: 'task_retry' });
    expect(heard(s)).toEqual([null, 'repeated_signal']);
    expect(s.state.incidents).toEqual([]);
  });

  test('a known failure asks for nothing a second time', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.fails('a');
    expect(s.open('survey')).toEqual([]);
    expect(s.incident().runs).toHaveLength(1);
  });
});

describe('what is not watched', () => {
  const watch = {
    dags: ['a*', 'tagged'],
    ignoreDags: ['a_trial'],
    ignoreRunTypes: ['manual'],
    ignoreTags: ['playground'],
  };
  test.each<[string, Partial<Signal>, string | null]>([
    ['orders', {}, 'DAG orders is not on the list of watched DAGs'],
    ['a_trial', {}, 'DAG a_trial is ignored'],
    ['a', { runType: 'manual' }, 'runs of type manual are ignored'],
    ['tagged', {}, 'tag playground is ignored'],
    ['a', { runType: null }, null],
    ['a', { runType: 'scheduled' }, null],
  ])('%s %j: %s', (dagId, change, why) => {
    const s = new Scenario([], {
      policy: { watch },
      dags: [dag('tagged', { tags: ['nice', 'playground'] }), dag('a', { tags: ['nice'] })],
    });
    s.fails(dagId, 'r1', change);
    expect(s.last?.answer.note).toEqual(
      why === null ? expect.objectContaining({ code: 'failure_final' }) : { code: 'not_watched', detail: { what: why } },
    );
    expect(s.state.incidents).toHaveLength(why === null ? 1 : 0);
  });

  test('where the policy waits for the end of the run, a failed task opens nothing, the failed run does', () => {
    const s = new Scenario([], { policy: { hold: { at: 'run_end' } } });
    s.fails('a');
    expect(heard(s)).toEqual([null, 'hold_at_run_end']);
    s.fails('a', 'r1', { kind: 'run_failed', taskId: null, key: 'run' });
    expect(heard(s)).toEqual(['inc-1', 'run_failed']);
    s.fails('a', 'r2');
    expect(heard(s)).toEqual(['inc-1', 'hold_at_run_end']);
    expect(s.incident().runs).toHaveLength(1);
  });
});

describe('opening', () => {
  test('keeps what is known of the run, and the earlier of the two times', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { logicalDate: START });
    expect(s.incident()).toMatchObject({
      status: 'open',
      statusReason: { code: 'failure_final', detail: { task: 'make', run: 'r1' } },
      title: 'make of a failed',
      timestamps: { failedAt: '2026-11-21T05:59:30.000Z', openedAt: START },
    });
    expect(s.incident().runs).toEqual([
      {
        dagId: 'a',
        runId: 'r1',
        role: 'cause',
        state: 'failing',
        badData: false,
        runType: 'scheduled',
        logicalDate: START,
        runStart: FIRST,
        failedTasks: ['make'],
        failedAt: '2026-11-21T05:59:30.000Z',
      },
    ]);
    expect(s.history('incident.opened')).toEqual(['a failure_final task=make run=r1 (airflow): ValueError: no']);
    const early = new Scenario([]);
    early.fails('a', 'r1', { occurredAt: '2026-11-21T07:00:00.000Z' });
    expect(early.incident().timestamps.failedAt, 'a clock that is ahead does not count').toBe(START);
  });

  test('by a run without a task, and by a task without a name', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { kind: 'run_failed', taskId: null });
    expect(s.incident()).toMatchObject({
      title: 'run r1 of a failed',
      statusReason: { code: 'run_failed', detail: { run: 'r1' } },
      runs: [{ state: 'failed', failedTasks: [] }],
    });
    s.fails('b', 'r1', { taskId: null });
    expect(s.incident(1).statusReason.detail).toEqual({ task: '?', run: 'r1' });
  });

  test.each<[Partial<Signal>, string]>([
    [{ text: 'null_rate 0.4', said: said({ title: 'orders' }) }, 'null_rate 0.4'],
    [{ text: null, said: said({ title: 'orders' }) }, 'orders'],
    [{ text: null }, 'a'],
  ])('a report says what is bad as well as it can: %j', (change, what) => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { kind: 'report', ...change });
    expect(s.incident().statusReason).toEqual({ code: 'bad_data', detail: { what } });
  });

  test('the author’s word on severity counts above the rule, and a note is kept in their own words', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', {
      said: said({ severity: 'P0', note: 'ask the orders team', title: 'no orders', incidentType: 'data_loss' }),
    });
    expect(s.incident()).toMatchObject({
      severity: 'P0',
      type: 'data_loss',
      title: 'no orders',
      ruledBy: 'author',
      rule: 'data_loss; P0 because the author of a says so',
    });
    expect(s.history('signal.note')).toEqual(['a r1 author_says what=a note (airflow): ask the orders team']);
    const silent = new Scenario([]);
    silent.fails('a');
    expect(silent.history('signal.note')).toEqual([]);
  });

  test.each([
    [['tier:1'], [], 'P1', 'a failed DAG is a pipeline_failure; P1 because a is tagged tier:1'],
    [[], ['x', 'tier:1'], 'P1', 'a failed DAG is a pipeline_failure; P1 because b downstream is tagged tier:1'],
    [
      ['x'],
      ['y'],
      'P2',
      'a failed DAG is a pipeline_failure; P2 because neither it nor anything downstream is tagged tier:1, core',
    ],
  ])('tags %j, downstream %j: %s', (own, down, severity, rule) => {
    const s = new Scenario(['a>b'], {
      policy: { severity: { p1Tags: ['tier:1', 'core'] } },
      dags: [dag('a', { tags: own }), dag('b', { tags: down })],
    });
    s.fails('a');
    expect(s.incident()).toMatchObject({ severity, rule, ruledBy: 'policy' });
  });

  test('without any tag that matters the rule says so; upstream does not count', () => {
    const s = new Scenario(['z>a'], { policy: { severity: { p1Tags: [] } } });
    s.fails('a', 'r1', { said: said({ incidentType: 'schema_change' }) });
    expect(s.incident().rule).toBe('reported as schema_change; P2 because neither it nor anything downstream is tagged no tag');
    const up = new Scenario(['z>a'], { dags: [dag('z', { tags: ['tier:1'] })] });
    up.fails('a');
    expect(up.incident().severity).toBe('P2');
  });
});

describe('a later word of the author', () => {
  const word = (change: Partial<Said>, key = 'more'): Partial<Signal> => ({ key, taskId: 'more', said: said(change) });

  test.each<[string, Partial<Said>, string, string[]]>([
    ['graver than the rule', { severity: 'P0' }, 'P0', ['a author_says what=severity P2 -> P0 (airflow)']],
    ['milder than the rule', { severity: 'P3' }, 'P3', ['a author_says what=severity P2 -> P3 (airflow)']],
    ['the same as the rule', { severity: 'P2' }, 'P2', []],
    ['none', {}, 'P2', []],
  ])('%s', (_what, words, severity, told) => {
    const s = new Scenario([]).contained('a');
    s.fails('a', 'r1', word(words));
    expect(s.incident().severity).toBe(severity);
    expect(s.history('incident.edited')).toEqual(told);
    expect(s.incident().ruledBy).toBe(words.severity ? 'author' : 'policy');
    if (words.severity) expect(s.incident().rule).toBe(`pipeline_failure; ${words.severity} because the author of a says so`);
  });

  test('an author’s earlier word gives way to a graver one only', () => {
    const s = new Scenario([]).contained('a', 'r1', { said: said({ severity: 'P1' }) });
    s.fails('a', 'r1', word({ severity: 'P2' }, 'k1'));
    s.fails('a', 'r1', word({ severity: 'P1' }, 'k2'));
    expect(s.incident().severity).toBe('P1');
    s.fails('a', 'r1', word({ severity: 'P0' }, 'k3'));
    expect(s.incident().severity).toBe('P0');
    expect(s.incident().rule, 'the rule is that of the word that counts').toContain('P0 because the author');
  });

  test('the type replaces the guess, never another type, and with severity it is one line', () => {
    const s = new Scenario([]).contained('a');
    s.fails('a', 'r1', word({ incidentType: 'data_loss', severity: 'P1' }));
    expect(s.history('incident.edited')).toEqual([
      'a author_says what=severity P2 -> P1, type pipeline_failure -> data_loss (airflow)',
    ]);
    s.fails('a', 'r1', word({ incidentType: 'schema_change' }, 'k2'));
    expect(s.incident().type).toBe('data_loss');
  });

  test('changes nothing that a person has said', () => {
    const s = new Scenario([]).contained('a');
    s.person(rita, { kind: 'edit', incidentId: 'inc-1', comment: 'mild', severity: 'P3' });
    s.fails('a', 'r1', word({ incidentType: 'data_loss', severity: 'P0' }));
    expect(s.incident()).toMatchObject({
      severity: 'P3',
      type: 'pipeline_failure',
      ruledBy: 'person',
      rule: 'set by rita: mild',
    });
    expect(s.history('incident.edited')).toHaveLength(1);
  });
});

describe('too many at once', () => {
  const policy = { platform: { massFailureDags: 3, windowMs: 60_000 } };
  test('one platform incident without holds, that the next ones join', () => {
    const s = new Scenario(['x>y', 'z>y'], { policy });
    for (const d of ['a', 'b', 'x']) s.fails(d);
    expect(s.incident(2)).toMatchObject({
      type: 'platform',
      status: 'contained',
      severity: 'P1',
      ruledBy: 'policy',
      title: '3 DAGs of prod fail at once',
      rule: '3 DAGs failing within 60 s make one platform incident without holds',
      statusReason: { code: 'mass_failure', detail: { count: '3', window: '60 s' } },
      runs: [{ dagId: 'x' }],
    });
    expect(s.history('incident.opened').at(-1)).toBe('prod mass_failure count=3 window=60 s (airflow)');
    expect(s.notices()).toContain('opened prod');
    s.fails('z');
    s.fails('z', 'r2');
    expect(s.history('signal.joined')).toEqual(['z r1 joined_cause (airflow)', 'z r2 failure_final task=make run=r2 (airflow)']);
    expect(s.incident(2).runs.map((r) => `${r.dagId} ${r.runId}`)).toEqual(['x r1', 'z r1', 'z r2']);
    expect(s.open('survey').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-1' }, { incidentId: 'inc-2' }]);
    s.when({ type: 'lineage_changed', airflow: 'prod' });
    expect(s.incident(2).surveyPending).toBe(false);
  });

  test.each([
    [60_000, 'platform'],
    [60_001, 'pipeline_failure'],
  ])('the first two %d ms ago: %s', (ms, type) => {
    const s = new Scenario([], { policy });
    for (const d of ['a', 'b']) s.fails(d);
    s.later(ms).fails('c');
    expect(s.incident(2).type).toBe(type);
  });

  test('neither runs of one DAG, nor another Airflow, nor what is over counts', () => {
    const s = new Scenario([], { policy });
    for (const id of ['r1', 'r2', 'r3']) s.fails('a', id);
    for (const d of ['b', 'c']) s.fails(d, 'r1', { airflow: 'dev', key: `dev ${d}` });
    s.fails('d');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-4', comment: 'x' });
    s.fails('e');
    expect(s.state.incidents.map((i) => i.type)).not.toContain('platform');
    s.fails('f', 'r1', { airflow: 'dev', key: 'dev f' });
    expect(s.incident(5)).toMatchObject({ type: 'platform', airflow: 'dev' });
  });

  test('each DAG of the platform incident counts on, so that it grows instead of falling apart', () => {
    const s = new Scenario([], { policy });
    for (const d of ['a', 'b', 'c', 'd']) s.fails(d);
    s.later(60_001);
    s.fails('e');
    expect(s.incident(3)).toMatchObject({ type: 'pipeline_failure', dagId: 'e' });
  });

  describe('an outage that never ends, because nobody clears one of its runs', () => {
    const outage = (readers: readonly string[] = []) => {
      const s = new Scenario(readers, { policy });
      for (const d of ['a', 'b', 'c', 'x', 'y']) s.fails(d);
      s.sees({ runs: [well('x'), well('c')] });
      return s.later(86_400_000);
    };
    const of = (s: Scenario, at = s.now) => ({ occurredAt: at, runStart: at });

    test.each(['x', 'c'])(
      'hides no failure of %s that has a reason of its own: its readers are held, people are told',
      (dagId) => {
        const s = outage([`${dagId}>r`]);
        s.fails(dagId, 'r9', of(s));
        s.surveyed();
        expect(s.incident(3)).toMatchObject({ type: 'pipeline_failure', dagId });
        expect(s.holds(3)).toEqual({ r: 'intended' });
        expect(s.notices().filter((n) => n === `opened ${dagId}`)).toHaveLength(1);
      },
    );

    test('keeps what happened while it lasted, heard late as well, and the end of a run that failed then', () => {
      const s = outage();
      s.fails('x', 'r2', of(s, '2026-11-21T05:59:45.000Z'));
      s.fails('y', 'r1', { kind: 'run_failed', taskId: null, key: 'end of y', ...of(s) });
      expect(s.state.incidents).toHaveLength(3);
      expect(s.incident(2).runs.map((r) => `${r.dagId} ${r.runId} ${r.state}`)).toEqual([
        'c r1 healed',
        'x r1 healed',
        'y r1 failed',
        'x r2 failing',
      ]);
    });

    test.each([
      [60_000, 3],
      [60_001, 4],
    ])('%d ms after the last failure of another DAG of it: %d incidents', (ms, incidents) => {
      const s = outage();
      s.fails('x', 'r9', of(s, new Date(Date.parse('2026-11-21T05:59:30.000Z') + ms).toISOString()));
      expect(s.state.incidents).toHaveLength(incidents);
    });

    test('its own failures in a row keep nobody in it', () => {
      const s = outage();
      for (const [i, ms] of [50_000, 100_000].entries())
        s.fails('x', `r${i + 8}`, of(s, new Date(Date.parse('2026-11-21T05:59:30.000Z') + ms).toISOString()));
      expect(s.incident(3).runs.map((r) => r.runId)).toEqual(['r9']);
    });

    test('many at once once more are it again', () => {
      const s = outage();
      for (const d of ['x', 'c', 'y']) s.fails(d, 'r9', of(s));
      expect(s.state.incidents.map((i) => i.type)).toEqual([
        ...['pipeline_failure', 'pipeline_failure', 'platform', 'pipeline_failure', 'pipeline_failure'],
      ]);
      expect(s.incident(2).runs.at(-1)).toMatchObject({ dagId: 'y', runId: 'r9' });
    });

    test('is no reason to refuse a report about the DAG that it is named after', () => {
      const s = outage();
      const about = { airflow: 'prod', dagId: 'c', runId: null, title: 'wrong totals', severity: null, incidentType: null };
      s.person(rita, { kind: 'declare', ...about, comment: null });
      expect(s.incident(3)).toMatchObject({ dagId: 'c', title: 'wrong totals' });
    });
  });

  test('an outage that is over is not opened again by a failure of the DAG that it was named after', () => {
    const s = new Scenario(['c>r'], { policy });
    for (const d of ['a', 'b', 'c']) s.fails(d);
    s.sees({ runs: [well('c')] });
    expect(s.incident(2).status).toBe('resolved');
    s.later(3_600_000).fails('c', 'r9');
    s.surveyed();
    expect(s.holds(3)).toEqual({ r: 'intended' });
  });

  test('what its author calls a matter of the platform is one incident, however often it fails', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { said: said({ incidentType: 'platform' }) });
    s.later(3_600_000).fails('a', 'r2', { said: said({ incidentType: 'platform' }), occurredAt: s.now });
    expect(s.state.incidents).toHaveLength(1);
  });

  test('a platform incident is no incident of the DAG that happened to be the third', () => {
    const s = new Scenario([], { policy });
    for (const d of ['a', 'b', 'c']) s.fails(d);
    expect(s.incident(2).dagId).toBe('c');
    s.sees({ runs: [run('c', 'r1')] });
    expect(s.open('survey').map((i) => i.act)).toMatchObject([{ incidentId: 'inc-1' }, { incidentId: 'inc-2' }]);
  });
});

describe('fallout', () => {
  const after = '2026-11-21T05:59:30.000Z';
  const before = '2026-11-21T05:59:29.999Z';
  test.each<[string, Partial<Signal>, string]>([
    ['started when the cause had failed', { runStart: after }, 'fallout'],
    ['started just before', { runStart: before }, 'cause'],
    ['started nobody knows when', { runStart: null }, 'cause'],
  ])('a reader’s run that %s: %s', (_what, change, role) => {
    const s = new Scenario(['a>b']).contained('a');
    s.fails('b', 'r7', change);
    expect(s.incident(role === 'cause' ? 1 : 0).runs.at(-1)).toMatchObject({ dagId: 'b', runId: 'r7', role });
    expect(heard(s)[1]).toBe(role === 'cause' ? 'failure_final' : 'fallout');
  });

  test('is told with the cause, asks for no survey, and holds nobody behind it', () => {
    const s = new Scenario(['a>b', 'b>c']).contained('a');
    s.fails('b', 'r7', { runStart: after });
    expect(s.history('signal.fallout')).toEqual(['b r7 fallout dag=b cause=a (airflow)']);
    expect(s.open('survey')).toEqual([]);
    expect(outcome(s)).toBe('explained by this incident: b reads what a did not make');
  });

  test('of a DAG that was spared, or that a person took over, is fallout too; of one that reads something else it is not', () => {
    const s = new Scenario(['a>b', 'a>c', 'a>d@other'], { policy: { hold: { protectedDags: ['b'] } } });
    s.fails('a');
    s.surveyed({ taskGraph: { dagId: 'a', downstream: { make: [], other: [] } } }).paused();
    s.sees({ paused: [{ dagId: 'c', paused: false, who: 'paula' }] });
    for (const d of ['b', 'c', 'd', 'e']) s.fails(d, 'r7', { runStart: after });
    expect(s.incident().runs.map((r) => `${r.dagId} ${r.role}`)).toEqual(['a cause', 'b fallout', 'c fallout']);
    expect(s.state.incidents.map((i) => i.dagId)).toEqual(['a', 'd', 'e']);
  });

  test('a released DAG, an incident that is over or another Airflow explain nothing', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.person(ann, { kind: 'release_hold', holdId: 'hold-1', comment: 'x' });
    s.unpaused();
    s.fails('b', 'r7', { runStart: after });
    expect(s.state.incidents).toHaveLength(2);
    const dev = new Scenario(['a>b']).contained('a');
    dev.fails('b', 'r7', { runStart: after, airflow: 'dev', key: 'dev' });
    expect(dev.state.incidents).toHaveLength(2);
    const over = new Scenario(['a>b']).contained('a');
    over.sees({ runs: [well()] });
    over.fails('b', 'r7', { runStart: RERUN });
    expect(over.state.incidents.map((i) => i.dagId)).toEqual(['a', 'b']);
  });
});

describe('joining', () => {
  test('a new run, or a new task of a known one, asks whom it reaches; the same task once more does not', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.fails('a', 'r1', { taskId: 'make', key: 'again' });
    expect(s.open('survey')).toEqual([]);
    s.fails('a', 'r1', { taskId: 'load' });
    expect(s.incident().runs[0]?.failedTasks).toEqual(['make', 'load']);
    expect(s.open('survey')).toHaveLength(1);
    s.surveyed();
    s.fails('a', 'r2');
    expect(s.history('signal.joined')).toEqual([
      'a r1 failure_final task=load run=r1 (airflow)',
      'a r2 failure_final task=make run=r2 (airflow)',
    ]);
    expect(s.open('survey')).toHaveLength(1);
  });

  test('completes what was not known of the run, and never what was', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { runStart: null, runType: null, logicalDate: null });
    s.fails('a', 'r1', { taskId: 'load', logicalDate: START });
    expect(s.incident().runs[0]).toMatchObject({ runStart: FIRST, runType: 'scheduled', logicalDate: START });
    s.fails('a', 'r1', { taskId: 'x', runStart: RERUN, runType: 'y', logicalDate: RERUN });
    expect(s.incident().runs[0]).toMatchObject({ runStart: FIRST, runType: 'scheduled', logicalDate: START });
    expect(s.history('run.failed')).toEqual([]);
  });

  test('the end of the run makes it failed; a new attempt that failed is told as one', () => {
    const s = new Scenario([]).contained('a');
    const failed = (runStart: string | null, key: string) =>
      s.fails('a', 'r1', { kind: 'run_failed', taskId: null, runStart, key });
    failed(FIRST, 'k1');
    expect(s.incident().runs[0]).toMatchObject({ state: 'failed', runStart: FIRST });
    s.sees({ runs: [run('a', 'r1', { state: 'running', startDate: RERUN })] });
    failed(null, 'k2');
    failed('2026-11-21T05:00:00.000Z', 'k3');
    failed(FIRST, 'k4');
    expect(s.incident().runs[0]).toMatchObject({ state: 'rerunning', runStart: FIRST });
    expect(s.history('run.failed')).toEqual([]);
    failed(RERUN, 'k5');
    expect(s.incident().runs[0]).toMatchObject({ state: 'failed', runStart: RERUN });
    expect(s.history('run.failed')).toEqual(['a r1 run_failed run=r1 (airflow)']);
  });

  test('a failed task of a run that is known as failed does not soften it', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { kind: 'run_failed', taskId: null, key: 'run' });
    s.fails('a', 'r1');
    expect(s.incident().runs[0]).toMatchObject({ state: 'failed', failedTasks: ['make'] });
  });

  test('bad data is never taken back by a later word', () => {
    const s = new Scenario([]).contained('a', 'r1', { kind: 'report', said: said({ badData: true }) });
    s.fails('a', 'r1', { taskId: 'load' });
    expect(s.incident().runs[0]?.badData).toBe(true);
    const later = new Scenario([]).contained('a');
    later.fails('a', 'r1', { kind: 'report', key: 'report', said: said({ badData: true }) });
    expect(later.incident().runs[0]).toMatchObject({ badData: true, state: 'failing' });
    expect(later.open('survey'), 'all of it is bad now').toHaveLength(1);
  });
});

describe('the same cause again', () => {
  const DAY = 86_400_000;
  test.each([
    [DAY, 1],
    [DAY + 1, 2],
  ])('%d ms after the release: %d incidents', (ms, count) => {
    const s = resolved();
    s.later(ms).fails('a', 'r2');
    expect(s.state.incidents).toHaveLength(count);
  });

  test('opens a new episode: told, with its own times, without what belonged to the old one', () => {
    const s = resolved();
    s.later(1_000).fails('a', 'r2');
    expect(heard(s)).toEqual(['inc-1', 'reopened']);
    expect(s.incident()).toMatchObject({
      status: 'open',
      statusReason: { code: 'reopened' },
      releasing: false,
      deliveries: [],
      fixedBy: null,
      surveyPending: true,
      timestamps: {
        openedAt: START,
        reopenedAt: s.now,
        containedAt: null,
        fixedAt: null,
        repairedAt: null,
        verifiedAt: null,
        releasedAt: null,
        resolvedAt: null,
      },
    });
    expect(s.incident().runs.map((r) => `${r.runId} ${r.state}`)).toEqual(['r1 healed', 'r2 failing']);
    expect(s.notices().filter((n) => n === 'opened a')).toHaveLength(2);
    expect(s.history('incident.open')).toEqual(['a reopened (airflow)'].map((x) => x.replace('(airflow)', '(firedamper)')));
  });

  describe('in the same run, which was cleared once more', () => {
    const THIRD = '2026-11-21T06:50:00.000Z';
    const running = run('a', 'r1', { state: 'running', startDate: THIRD });
    const success = run('a', 'r1', { state: 'success', startDate: THIRD });
    const again = (change: Partial<Signal> = {}): Scenario => {
      const s = resolved();
      s.later(3_600_000).fails('a', 'r1', { tryNumber: 2, runStart: THIRD, occurredAt: s.now, ...change });
      return s;
    };
    const state = (s: Scenario) => s.incident().runs.map((r) => `${r.runId} ${r.state} ${r.runStart}`);

    test.each<[string, Partial<Signal>, string]>([
      ['its task has failed', {}, 'failing'],
      ['it has failed', { kind: 'run_failed', taskId: null, key: 'k' }, 'failed'],
      ['nobody says when it began', { runStart: null }, 'failing'],
    ])('%s: its readers are held again, and no look at the running run ends that', (_what, change, after) => {
      const s = again(change);
      expect(state(s)[0]).toMatch(`r1 ${after}`);
      expect(s.incident()).toMatchObject({ status: 'open', surveyPending: true });
      s.surveyed().paused();
      expect(s.holds()).toEqual({ b: 'held' });
      s.sees({ runs: [running] });
      expect(s.incident()).toMatchObject({ status: 'contained', releasing: false });
      s.fails('a', 'r1', { key: 'k3', kind: 'run_failed', taskId: null, runStart: THIRD });
      s.sees({ runs: [run('a', 'r1', { state: 'failed', startDate: THIRD })] });
      expect([s.incident().status, s.holds()]).toEqual(['contained', { b: 'held' }]);
      s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T07:30:00.000Z' })] });
      expect(s.incident().releasing).toBe(true);
    });

    test('by a word that came late: the survey reads that the run is whole, and holds nothing', () => {
      const s = again({ runStart: START });
      s.surveyed({ run: success });
      expect(s.holds()).toEqual({ b: 'released' });
      expect(s.incident().releasing).toBe(true);
    });

    test('while another run of its incident is failed yet: known as failing, and surveyed again', () => {
      const s = new Scenario(['a>b']).contained('a');
      s.fails('a', 'r2');
      s.surveyed();
      s.sees({ runs: [run('a', 'r1', { state: 'success', startDate: '2026-11-21T06:10:00.000Z' })] });
      expect(state(s)[0]).toMatch('r1 healed');
      s.later(60_000).fails('a', 'r1', { tryNumber: 2, runStart: null });
      expect(state(s)[0], 'an old word changes nothing').toMatch('r1 healed');
      s.fails('a', 'r1', { tryNumber: 3, runStart: THIRD });
      expect(state(s)[0]).toBe(`r1 failing ${THIRD}`);
      expect(s.open('survey')).toHaveLength(1);
    });
  });

  test.each<[string, Partial<Signal>, number]>([
    ['in the same task', {}, 1],
    ['in another task', { taskId: 'load' }, 2],
    ['in who knows which', { taskId: null, kind: 'run_failed' }, 1],
  ])('%s', (_what, change, count) => {
    const s = resolved();
    s.later(1_000).fails('a', 'r2', change);
    expect(s.state.incidents).toHaveLength(count);
  });

  test('where no task was known, any task counts', () => {
    const s = new Scenario([]);
    s.fails('a', 'r1', { taskId: null, kind: 'run_failed' });
    s.surveyed();
    s.sees({ runs: [well()] });
    expect(s.incident().status).toBe('resolved');
    s.later(1_000).fails('a', 'r2', { taskId: 'load' });
    expect(s.state.incidents).toHaveLength(1);
  });

  test('what was dismissed stays so; another DAG or Airflow is another story', () => {
    const s = new Scenario([]).contained('a');
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'a drill' });
    s.fails('a', 'r2');
    expect(s.state.incidents.map((i) => i.status)).toEqual(['dismissed', 'open']);
    const other = resolved();
    other.fails('z');
    other.fails('a', 'r2', { airflow: 'dev', key: 'dev' });
    expect(other.state.incidents.map((i) => `${i.airflow}/${i.dagId} ${i.status}`)).toEqual([
      'prod/a resolved',
      'prod/z open',
      'dev/a open',
    ]);
  });

  test('while it is still being released it is taken up again, and held anew', () => {
    const s = new Scenario(['a>b']).contained('a');
    s.sees({ runs: [well()] });
    s.releasePlanned([missed('b')]);
    s.later(1_000).fails('a', 'r2');
    expect(s.incident()).toMatchObject({ status: 'open', releasing: false });
    s.unpaused().surveyed().paused();
    expect(s.state.holds.map((h) => `${h.dagId} ${h.state}`)).toEqual(['b released', 'b held']);
  });
});
