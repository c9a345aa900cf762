import { describe, expect, test } from 'vitest';
import { NOTHING_SAID, type Said, type Signal } from '../../src/core/signal.ts';
import { ann, clearStep, dag, missed, rita, run, Scenario } from './scenario.ts';

const RERUN = '2026-11-21T06:10:00.000Z';
const FIRST = '2026-11-21T05:59:00.000Z';
const said = (change: Partial<Said> = {}): Said => ({ ...NOTHING_SAID, ...change });
const bad = (change: Partial<Said> = {}, signal: Partial<Signal> = {}): Partial<Signal> => ({
  key: `report ${signal.runStart ?? FIRST} ${change.note ?? ''}`,
  kind: 'report',
  taskId: 'check',
  text: 'orders: null_rate is 0.4, allowed 0.01',
  said: said({ incidentType: 'quality_degradation', title: 'null_rate of orders failed (a)', badData: true, ...change }),
  ...signal,
});
const ended = (startDate = FIRST) => run('a', 'r1', { state: 'success', startDate });
const whole = clearStep('a', 'r1', 1, {
  request: { kind: 'clear', runId: 'r1', logicalDate: null, tasks: null, runStart: FIRST },
});

/** Repaired up to the point where the run goes on again. */
function repairing(s: Scenario): Scenario {
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  s.planned({ steps: [whole] });
  s.person(ann, { kind: 'approve', repairId: 'rep-1', digest: s.repair().digest ?? '', comment: null });
  return s.planned({ steps: [whole] }).sent();
}

describe('bad data in a run that succeeds', () => {
  test('is an incident of its type and title, and holds every reader of the DAG, not only those of the task that checked', () => {
    const s = new Scenario(['a>b', 'a>c@load']);
    s.fails('a', 'r1', bad());
    s.surveyed({ taskGraph: { dagId: 'a', downstream: { load: ['check'], check: [] } } }).paused();
    expect(s.incident()).toMatchObject({ type: 'quality_degradation', title: 'null_rate of orders failed (a)' });
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
    expect(s.reasons('incident.opened')).toEqual(['bad_data']);
  });

  test('one bad run among failed ones is enough for all readers', () => {
    const s = new Scenario(['a>b@load', 'a>c@other']);
    s.fails('a', 'r1', { taskId: 'load' });
    s.fails('a', 'r2', bad());
    s.surveyed({ taskGraph: { dagId: 'a', downstream: { load: [], other: [], check: [] } } });
    expect(s.holds()).toEqual({ b: 'intended', c: 'intended' });
  });

  test('its success heals nothing, and is said', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', bad());
    s.sees({ runs: [ended()] });
    s.sees({ runs: [ended()] });
    expect(s.incident()).toMatchObject({ status: 'contained', runs: [{ state: 'failed', badData: true }] });
    expect(s.reasons('run.succeeded')).toEqual(['bad_data_ended']);
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('heard when the run has ended long ago: held all the same', () => {
    const s = new Scenario(['a>b']);
    s.fails('a', 'r1', bad());
    s.surveyed({ run: ended() }).paused();
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('run again as a whole it is repaired, and the readers are released', () => {
    const s = repairing(new Scenario(['a>b']).contained('a', 'r1', bad()));
    s.sees({ runs: [ended()] });
    expect(s.repair().state).toBe('running');
    s.sees({ runs: [ended(RERUN)] });
    expect(s.repair().state).toBe('succeeded');
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.incident().status).toBe('resolved');
  });

  test('run again by somebody else, it is whole', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', bad());
    s.sees({ runs: [ended()] });
    s.sees({ runs: [run('a', 'r1', { state: 'running', startDate: RERUN })] });
    s.sees({ runs: [ended(RERUN)] });
    expect(s.incident().status).toBe('verifying');
    expect(s.incident().runs[0]).toMatchObject({ state: 'healed' });
  });

  test('reported again while it is repaired: the fix was none, whatever the run says', () => {
    const s = repairing(new Scenario(['a>b']).contained('a', 'r1', bad()));
    s.fails('a', 'r1', bad({}, { runStart: RERUN }));
    s.sees({ runs: [ended(RERUN)] });
    expect(s.repair()).toMatchObject({ state: 'failed', stateReason: { code: 'repair_failed' } });
    expect(s.incident()).toMatchObject({ status: 'contained', runs: [{ state: 'failed' }] });
    expect(s.holds()).toEqual({ b: 'held' });
  });

  test('two reports of one run are one incident with two signals; another run joins', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', bad());
    s.fails('a', 'r1', bad({ note: 'and duplicates too' }));
    s.fails('a', 'r2', { ...bad(), key: 'report r2' });
    expect(s.state.incidents).toHaveLength(1);
    expect(s.incident().runs.map((r) => r.runId)).toEqual(['r1', 'r2']);
    expect(s.timeline.filter((t) => t.event === 'signal.note').map((t) => t.comment)).toEqual(['and duplicates too']);
  });

  test('a failed task whose run had "succeeded all the same" is bad after all', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1');
    s.fails('a', 'r2');
    s.surveyed();
    s.sees({ runs: [ended()] });
    expect(s.incident().runs[0]).toMatchObject({ runId: 'r1', state: 'succeeded' });
    s.fails('a', 'r1', bad());
    expect(s.incident().runs[0]).toMatchObject({ state: 'failed', badData: true });
  });

  test('a missed deadline is no bad data: the end of the run is the end of it', () => {
    const late = bad({ incidentType: 'freshness_violation', badData: false }, { taskId: null });
    const s = new Scenario(['a>b']).contained('a', 'r1', late);
    expect(s.incident().type).toBe('freshness_violation');
    s.sees({ runs: [ended()] });
    expect(s.incident().status).toBe('verifying');
  });

  test('what the policy does not watch opens nothing', () => {
    const s = new Scenario(['a>b'], { policy: { watch: { ignoreDags: ['a'] } } });
    s.fails('a', 'r1', bad());
    expect(s.state.incidents).toEqual([]);
  });
});

describe('a failed check that the poll heard first, without its words', () => {
  const words = { said: said({ incidentType: 'quality_degradation', badData: true }) };
  const graph = { taskGraph: { dagId: 'a', downstream: { load: ['make'], make: [] } } };
  const polled = () => {
    const s = new Scenario(['a>b@make', 'a>c@load']);
    s.fails('a', 'r1', { origin: 'poll', runStart: null });
    return s.surveyed({ ...graph, run: run('a', 'r1', { state: 'running', startDate: FIRST }) }).paused();
  };

  test('when they come, every reader of the DAG is held, and the success of the run heals nothing', () => {
    const s = polled();
    expect(s.spared()).toEqual({ c: 'not_affected' });
    s.fails('a', 'r1', words);
    s.surveyed(graph).paused();
    expect(s.holds()).toEqual({ b: 'held', c: 'held' });
    s.sees({ runs: [ended()] });
    expect(s.incident()).toMatchObject({ status: 'contained', type: 'quality_degradation', runs: [{ badData: true }] });
    s.fails('a', 'r1', words);
    expect(s.open('survey'), 'said once more it is known').toEqual([]);
    expect(s.last?.answer.note?.code).toBe('repeated_signal');
  });

  test('while a person’s word is waited for, they send it back', () => {
    const s = new Scenario(['a>b'], { policy: { verify: { requirePerson: true } } }).contained('a', 'r1');
    s.fails('a', 'r2');
    s.surveyed();
    s.sees({ runs: [ended(), run('a', 'r2', { state: 'success', startDate: RERUN })] });
    expect(s.incident().status).toBe('verifying');
    s.fails('a', 'r1', words);
    expect(s.incident()).toMatchObject({ status: 'open', surveyPending: true, runs: [{ state: 'failed' }, {}] });
  });

  test('when its run has succeeded by trigger rules and all was let go, it is opened again', () => {
    const s = polled();
    s.sees({ runs: [ended()] });
    s.releasePlanned([missed('b')]).unpaused();
    expect(s.incident().status).toBe('resolved');
    s.fails('a', 'r1', words);
    expect(s.last?.answer.note?.code).toBe('reopened');
    s.surveyed({ ...graph, run: ended() }).paused();
    expect(s.state.holds.map((h) => `${h.dagId} ${h.state}`)).toEqual(['b released', 'b held', 'c held']);
    s.sees({ runs: [ended()] });
    expect(s.incident()).toMatchObject({ status: 'contained', runs: [{ state: 'failed', badData: true }] });
  });

  test('told again when the incident is long over they are no news', () => {
    const s = polled();
    s.fails('a', 'r1', words);
    // Older than the time in which an incident may be opened again: it is not loaded any more.
    s.state = { ...s.state, incidents: [], holds: [], intents: [], ownerships: [] };
    s.fails('a', 'r1', words);
    expect(s.last?.answer.note?.code).toBe('repeated_signal');
    expect(s.state.incidents).toEqual([]);
  });

  test('of a run that was run again meanwhile and is whole they are about what is no more', () => {
    const s = polled();
    s.sees({ runs: [ended(RERUN)] });
    s.releasePlanned([missed('b')]).unpaused();
    s.fails('a', 'r1', words);
    expect(s.last?.answer.note?.code).toBe('repeated_signal');
    expect(s.incident().status).toBe('resolved');
  });
});

describe('a failed check where the policy waits for the end of the run', () => {
  const words = { said: said({ badData: true }) };
  const late = () => new Scenario(['a>b'], { policy: { hold: { at: 'run_end' } } });

  test.each<[string, (s: Scenario) => unknown]>([
    ['waits for nothing: how its run ends says nothing about the data', () => undefined],
    ['does not either where the poll heard it first', (s) => s.fails('a', 'r1', { origin: 'poll' })],
  ])('%s', (_what, before) => {
    const s = late();
    before(s);
    expect(s.state.incidents).toEqual([]);
    s.fails('a', 'r1', words);
    s.surveyed({ run: ended() }).paused();
    expect(s.holds()).toEqual({ b: 'held' });
    s.sees({ runs: [ended()] });
    expect(s.incident()).toMatchObject({ status: 'contained', runs: [{ state: 'failed', badData: true }] });
  });

  test('of another Airflow, DAG or run it is another one', () => {
    const s = late();
    s.fails('a', 'r1', words);
    for (const [dagId, runId, airflow] of [
      ['a', 'r2', 'prod'],
      ['z', 'r1', 'prod'],
      ['a', 'r1', 'dev'],
    ] as const) {
      const key = `${airflow} ${dagId} ${runId}`;
      s.fails(dagId, runId, { airflow, key });
      s.fails(dagId, runId, { airflow, key, ...words });
    }
    expect(s.state.incidents.map((i) => `${i.airflow} ${i.dagId} ${i.runs.map((r) => r.runId).join('+')}`)).toEqual([
      'prod a r1+r2',
      'prod z r1',
      'dev a r1',
    ]);
  });
});

describe('a ready DAG for a step of a response', () => {
  const ops = { dags: [dag('a', { tags: ['firedamper:ops', 'firedamper:never'] })] };

  test('may fail without an incident of its own', () => {
    const s = new Scenario(['a>b'], ops);
    s.fails('a');
    expect(s.state.incidents).toEqual([]);
    expect(s.last?.signals[0]?.outcome).toContain('a step of a response');
  });

  test('is heard when its check says that data is bad', () => {
    const s = new Scenario(['a>b'], ops).contained('a', 'r1', bad());
    expect(s.incident().type).toBe('quality_degradation');
  });
});

describe("the author's words", () => {
  const P0 = said({ severity: 'P0', note: 'ask the orders team' });

  test('give severity and note from the start', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', { said: P0 });
    expect(s.incident()).toMatchObject({ severity: 'P0', ruledBy: 'author', rule: expect.stringContaining('author of a') });
    expect(s.timeline.find((t) => t.event === 'signal.note')?.comment).toBe('ask the orders team');
  });

  test('count also when the listener was faster with the same failure', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1');
    expect(s.incident().severity).not.toBe('P0');
    s.fails('a', 'r1', { said: P0 });
    expect(s.incident()).toMatchObject({ severity: 'P0', ruledBy: 'author' });
    expect(s.state.incidents).toHaveLength(1);
  });

  test('never soften what was said before, and never touch what a person has said', () => {
    const s = new Scenario(['a>b']).contained('a', 'r1', { said: P0 });
    s.fails('a', 'r2', { said: said({ severity: 'P3' }) });
    expect(s.incident().severity).toBe('P0');
    s.person(rita, { kind: 'edit', incidentId: 'inc-1', comment: 'not that bad', severity: 'P2' });
    s.fails('a', 'r3', { said: P0 });
    expect(s.incident()).toMatchObject({ severity: 'P2', ruledBy: 'person' });
  });
});

describe('declared by a person', () => {
  const declare = (s: Scenario, runId: string | null) =>
    s.person(rita, {
      kind: 'declare',
      airflow: 'prod',
      dagId: 'a',
      runId,
      title: 'the totals are wrong',
      severity: null,
      incidentType: null,
      comment: null,
    });

  test('with a run: that run is to run again', () => {
    const s = new Scenario(['a>b']);
    declare(s, 'r1');
    s.surveyed({ run: ended() }).paused();
    s.sees({ runs: [ended()] });
    expect(s.incident()).toMatchObject({
      status: 'contained',
      runs: [{ runId: 'r1', state: 'failed', badData: true, runStart: FIRST }],
    });
  });

  test('without one: held until a person releases it', () => {
    const s = new Scenario(['a>b']);
    declare(s, null);
    s.surveyed().paused();
    s.sees({ runs: [ended()] });
    expect(s.incident()).toMatchObject({ status: 'contained', type: 'pipeline_failure', runs: [] });
  });
});
