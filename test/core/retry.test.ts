import { describe, expect, test } from 'vitest';
import { type Intent, type IntentAct, type IntentKind, isDue, LONGEST_WAIT_MS } from '../../src/core/intent.ts';
import { nextAttempt, notYet } from '../../src/core/retry.ts';
import { START } from './scenario.ts';

const airflow = 'prod';
const ACTS: Readonly<Record<IntentKind, IntentAct>> = {
  survey: { kind: 'survey', airflow, incidentId: 'inc-1' },
  survey_elsewhere: { kind: 'survey_elsewhere', airflow, incidentId: 'inc-1' },
  pause_dag: { kind: 'pause_dag', airflow, dagId: 'b' },
  unpause_dag: { kind: 'unpause_dag', airflow, dagId: 'b', forced: false },
  plan_repair: { kind: 'plan_repair', airflow, repairId: 'rep-1' },
  repair_step: { kind: 'repair_step', airflow, repairId: 'rep-1', step: 1 },
  plan_release: { kind: 'plan_release', airflow, incidentId: 'inc-1' },
  plan_delivery: { kind: 'plan_delivery', airflow, incidentId: 'inc-1', dags: [{ dagId: 'b', since: START }] },
  deliver: {
    kind: 'deliver',
    airflow,
    incidentId: 'inc-1',
    delivery: { how: 'run', dagId: 'b', uri: 's3://a', runId: 'firedamper__1' },
  },
  send_notice: { kind: 'send_notice', channel: 'chat', incidentId: 'inc-1', event: 'opened', subject: 'a' },
};
const intent = (kind: IntentKind, change: Partial<Intent> = {}): Intent => ({
  id: 'int-1',
  act: ACTS[kind],
  state: 'sending',
  op: 'op',
  attempts: 1,
  createdAt: START,
  dueAt: START,
  lastError: null,
  ...change,
});
/** The least and the greatest spread. */
const [LEAST, MOST] = ['00000000', 'zz000000'];
const FAILED = { result: 'failed', error: '503', retry: true } as const;
const waitOf = (i: Intent) => Date.parse(i.dueAt) - Date.parse(START);

/** How often it is tried before it is given up; what only reads is counted here, what acts was counted before it was sent. */
const LIMITS: readonly (readonly [IntentKind, number])[] = [
  ['survey', Number.POSITIVE_INFINITY],
  ['pause_dag', Number.POSITIVE_INFINITY],
  ['unpause_dag', Number.POSITIVE_INFINITY],
  ['plan_release', Number.POSITIVE_INFINITY],
  ['plan_delivery', Number.POSITIVE_INFINITY],
  // Given up by its age: notices.test.ts
  ['send_notice', Number.POSITIVE_INFINITY],
  ['plan_repair', 5],
  ['repair_step', 20],
  ['deliver', 20],
];
const COUNTED_HERE: ReadonlySet<IntentKind> = new Set<IntentKind>(['survey', 'plan_repair', 'plan_release', 'plan_delivery']);

describe('giving up', () => {
  test.each(LIMITS)('%s after %d attempts, not one before', (kind, limit) => {
    const before = COUNTED_HERE.has(kind) ? 1 : 0;
    const tried = (n: number) => nextAttempt(intent(kind, { attempts: n - before }), FAILED, START, LEAST);
    if (limit === Number.POSITIVE_INFINITY) {
      expect(tried(1_000_000)).toMatchObject({ state: 'planned', attempts: 1_000_000 });
      return;
    }
    expect(tried(limit - 1)).toMatchObject({ state: 'planned', attempts: limit - 1, lastError: '503' });
    expect(tried(limit)).toMatchObject({ state: 'failed', attempts: limit, lastError: '503', dueAt: START });
  });

  test.each(LIMITS)('%s at once where trying again makes no sense', (kind) => {
    const next = nextAttempt(intent(kind), { result: 'failed', error: 'Forbidden', retry: false }, START, LEAST);
    expect(next).toMatchObject({ state: 'failed', lastError: 'Forbidden' });
  });

  test('an act whose effect nobody could look for is not given up, however long Airflow is gone: it may well have worked', () => {
    const tried = intent('repair_step', { attempts: 500 });
    const next = nextAttempt(tried, { result: 'unknown', error: 'down', unread: true }, START, MOST);
    expect(next).toMatchObject({ state: 'unknown', attempts: 500, lastError: 'down' });
  });

  test('one that was looked for and sent so often in vain is given up, and people are told', () => {
    const tried = intent('repair_step', { attempts: 500 });
    expect(nextAttempt(tried, { result: 'unknown', error: '500' }, START, MOST)).toMatchObject({
      state: 'failed',
      lastError: '500',
    });
  });

  test('a certain failure is certain, and an unknown outcome stays unknown', () => {
    expect(nextAttempt(intent('pause_dag'), { result: 'unknown', error: 'cut' }, START, LEAST).state).toBe('unknown');
    expect(nextAttempt(intent('pause_dag'), FAILED, START, LEAST).state).toBe('planned');
  });
});

describe('waiting', () => {
  test.each([
    [1, 500],
    [2, 1_000],
    [3, 2_000],
    [5, 8_000],
    [6, 15_000],
    [7, 15_000],
    [400, 15_000],
  ])('after attempt %d: from %d ms to almost twice that, doubled each time, never more than half a minute', (attempts, least) => {
    const wait = (chance: string) => waitOf(nextAttempt(intent('pause_dag', { attempts }), FAILED, START, chance));
    expect(wait(LEAST)).toBe(least);
    expect(wait(MOST) / least).toBeGreaterThan(1.99);
    expect(wait(MOST) / least).toBeLessThan(2);
  });

  test('only the first two letters of the chance spread it; without a usable one it waits the least', () => {
    const wait = (chance: string) => waitOf(nextAttempt(intent('pause_dag'), FAILED, START, chance));
    expect(wait('ab000000')).toBe(wait('abzzzzzz'));
    expect(wait('ab')).toBeGreaterThan(wait('aa'));
    expect(wait('--')).toBe(500);
  });
});

describe('what is not there yet', () => {
  test.each(LIMITS)('%s is asked for again in two seconds, and it counts as no attempt', (kind) => {
    const before = intent(kind, { attempts: 3, state: 'sending' });
    expect(notYet(before, 'the run still goes on', START)).toEqual({
      ...before,
      state: 'planned',
      attempts: COUNTED_HERE.has(kind) ? 3 : 2,
      dueAt: '2026-11-21T06:00:02.000Z',
      lastError: 'the run still goes on',
    });
  });
});

describe('due', () => {
  const at = (ms: number) => new Date(Date.parse(START) + ms).toISOString();
  test.each([
    ['now', 0, true],
    ['long ago', -3_600_000, true],
    ['in a while', 1, false],
    ['as late as we ever wait', LONGEST_WAIT_MS, false],
    ['later than that: the clock was set back', LONGEST_WAIT_MS + 1, true],
  ])('%s', (_, ms, due) => {
    expect(isDue(at(ms), START)).toBe(due);
  });
});
