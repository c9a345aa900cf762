/** After a lost answer, what we did is looked for by Airflow's clock, not by ours. */
import { expect, test } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import type { AssetEventFacts, RunFacts } from '../../src/core/facts.ts';
import type { IntentAct } from '../../src/core/intent.ts';
import { deliver } from '../../src/effects/deliver.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { POLICY, run } from '../core/scenario.ts';

const NOW = Date.parse('2026-11-21T06:00:00.000Z');
const iso = (ms: number) => new Date(ms).toISOString();

type Delivered = IntentAct & { readonly kind: 'deliver' };
const event: Delivered['delivery'] = { how: 'event', assetKey: '1', uri: 's3://a', dagIds: ['b'] };

/** `deliver` on an Airflow whose clock is so far from ours, and how many events it was sent. */
function site(answers: Partial<AirflowClient>, skew = 0) {
  let posted = 0;
  let lastError: string | null = null;
  const client = {
    probe: async () => ({ serverTime: iso(NOW + skew) }),
    createAssetEvent: async () => {
      posted++;
    },
    ...answers,
  } as unknown as AirflowClient;
  const deps = { client: () => client, now: () => NOW, policy: POLICY } as unknown as EffectDeps;
  return {
    posted: () => posted,
    deliver: async (delivery: Delivered['delivery'], attempts: number, settle: boolean) => {
      const act: Delivered = { kind: 'deliver', airflow: 'prod', incidentId: 'inc-1', delivery };
      const times = { createdAt: iso(NOW), dueAt: iso(NOW) };
      const intent = { ...{ id: 'int-1', act, state: 'sending' as const, op: 'fd-1', attempts, lastError }, ...times };
      const outcome = await deliver(deps, intent, act, settle);
      lastError = outcome.result === 'failed' || outcome.result === 'unknown' ? outcome.error : null;
      return outcome;
    },
  };
}

test.each([0, -90_000, -600_000, 600_000])(
  'an event that is there already is not posted again: Airflow’s clock %i ms from ours',
  async (skew) => {
    const ours = { timestamp: iso(NOW + skew), op: 'fd-1' } as AssetEventFacts;
    const s = site(
      { listAssetEvents: async (_, since) => ({ events: ours.timestamp >= since ? [ours] : [], unreadable: 0 }) },
      skew,
    );
    expect(await s.deliver(event, 9, true)).toMatchObject({ result: 'done' });
    expect(s.posted()).toBe(0);
  },
);

test('an event that cannot be listed may be ours: it is looked for again, and posted once more only after long', async () => {
  const s = site({ listAssetEvents: async () => ({ events: [], unreadable: 1 }), listRuns: async () => [] });
  expect(await s.deliver(event, 9, true)).toMatchObject({ result: 'failed', retry: true });
  expect(s.posted()).toBe(0);
  expect(await s.deliver(event, 15, true)).toMatchObject({ result: 'unknown', unread: true });
  expect(await s.deliver(event, 16, true)).toMatchObject({ result: 'done' });
  expect(s.posted()).toBe(1);
});

/** A server that stood still for half a minute may do what it was asked after it has answered the first look. */
test('looks that nobody answered count for nothing: the event is not posted again before two in a row were answered', async () => {
  let answered = false;
  const away = new AirflowError('timeout', 'no answer', { outcome: 'none', operation: 'GET /assets/events' });
  const s = site({ listAssetEvents: async () => (answered ? { events: [], unreadable: 0 } : Promise.reject(away)) });
  for (const attempt of [2, 3, 4, 5, 40])
    expect(await s.deliver(event, attempt, true)).toMatchObject({ result: 'failed', retry: true });
  answered = true;
  expect(await s.deliver(event, 41, true)).toMatchObject({ result: 'unknown', unread: true });
  expect(s.posted()).toBe(0);
  answered = false;
  expect(await s.deliver(event, 42, true)).toMatchObject({ result: 'failed', retry: true });
  answered = true;
  expect(await s.deliver(event, 43, true)).toMatchObject({ result: 'unknown' });
  expect(await s.deliver(event, 44, true)).toMatchObject({ result: 'done' });
  expect(s.posted()).toBe(1);
});

const made = (ms: number) => `asset_triggered__${iso(NOW + ms).replace('Z', '+00:00')}_x`;

test.each<readonly [string, readonly RunFacts[], number]>([
  ['a run that an event made, not begun', [run('b', made(1_000), { state: 'queued', startDate: null })], 0],
  ['one that has begun since the order', [run('b', made(1_000), { state: 'running', startDate: iso(NOW + 5_000) })], 0],
  ['one that had begun before the order', [run('b', made(-1_000), { state: 'running', startDate: iso(NOW - 5_000) })], 1],
  [
    'one of long before that was cleared: perhaps in part only',
    [run('b', made(-99_000), { state: 'queued', startDate: null })],
    1,
  ],
  ['one that ended without having begun', [run('b', made(1_000), { state: 'failed', startDate: null })], 1],
  ['one that a person started', [run('b', 'manual__1', { state: 'queued', startDate: null })], 1],
  ['none', [], 1],
])('an event that cannot be listed needs not be ours where its reader has %s', async (_, runs, posted) => {
  const s = site({
    listAssetEvents: async () => ({ events: [], unreadable: 1 }),
    listRuns: async (dagId) => (dagId === 'b' ? runs : []),
  });
  expect(await s.deliver(event, 9, true)).toMatchObject(posted === 0 ? { result: 'done' } : { result: 'failed', retry: true });
  expect(await s.deliver(event, 15, true)).toMatchObject({ result: posted === 0 ? 'done' : 'unknown' });
  expect(await s.deliver(event, 16, true)).toMatchObject({ result: 'done' });
  expect(s.posted()).toBe(posted);
});

test.each([90_000, 600_000])(
  'nor where that run had begun before the order by Airflow’s clock, %i ms ahead of ours',
  async (skew) => {
    const before = run('b', made(skew - 30_000), { state: 'success', startDate: iso(NOW + skew - 30_000) });
    const after = run('b', made(skew + 3_000), { state: 'running', startDate: iso(NOW + skew + 4_000) });
    for (const [one, result] of [
      [before, 'failed'],
      [after, 'done'],
    ] as const) {
      const s = site({ listAssetEvents: async () => ({ events: [], unreadable: 1 }), listRuns: async () => [one] }, skew);
      expect(await s.deliver(event, 9, true)).toMatchObject({ result });
    }
  },
);

test('nor where our clock has jumped ahead since the order', async () => {
  const before = run('b', made(-300_000), { state: 'success', startDate: iso(NOW - 300_000) });
  const s = site({ listAssetEvents: async () => ({ events: [], unreadable: 1 }), listRuns: async () => [before] }, -600_000);
  expect(await s.deliver(event, 9, true)).toMatchObject({ result: 'failed' });
});

test('the run that reads it is the one that is waited for', async () => {
  const queued = run('b', made(1_000), { state: 'queued', startDate: null });
  const s = site({ listAssetEvents: async () => ({ events: [], unreadable: 1 }), listRuns: async () => [queued] });
  expect(await s.deliver(event, 9, true)).toMatchObject({ facts: { runIds: { b: queued.runId } } });
});

test('of two readers of an event that cannot be listed, both must have a run', async () => {
  const queued = run('b', made(1_000), { state: 'queued', startDate: null });
  const s = site({
    listAssetEvents: async () => ({ events: [], unreadable: 1 }),
    listRuns: async (dagId) => (dagId === 'b' ? [queued] : []),
  });
  expect(await s.deliver({ ...event, dagIds: ['b', 'c'] }, 9, true)).toMatchObject({ result: 'failed' });
  expect(await s.deliver({ ...event, dagIds: ['b'] }, 9, true)).toMatchObject({ result: 'done' });
});

test('a backfill that Airflow refuses while another one is under way waits for that one', async () => {
  const refused = new AirflowError('conflict', '409', { outcome: 'none', operation: 'POST /backfills' });
  const s = site({ startBackfill: () => Promise.reject(refused) });
  const intervals = [{ start: iso(NOW), end: iso(NOW) }];
  expect(await s.deliver({ how: 'intervals', dagId: 'b', intervals }, 1, false)).toMatchObject({ result: 'not_yet' });
});
