/** After a lost answer, what we did is looked for by Airflow's clock, not by ours. */
import { expect, test } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import type { Intent } from '../../src/core/intent.ts';
import { deliver } from '../../src/effects/deliver.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { POLICY } from '../core/scenario.ts';

const NOW = Date.parse('2026-11-21T06:00:00.000Z');
const iso = (ms: number) => new Date(ms).toISOString();

test.each([0, -90_000, -600_000, 600_000])(
  'an event that is there already is not posted again: Airflow’s clock %i ms from ours',
  async (skew) => {
    let posted = 0;
    const ours = { timestamp: iso(NOW + skew), op: 'fd-1' };
    const client = {
      probe: async () => ({ serverTime: iso(NOW + skew) }),
      listAssetEvents: async (_: string, since: string) => ({ events: ours.timestamp >= since ? [ours] : [], unreadable: 0 }),
      createAssetEvent: async () => {
        posted++;
      },
    } as unknown as AirflowClient;
    const delivery = { how: 'event', assetKey: '1', uri: 's3://a', dagIds: ['b'] } as const;
    const act = { kind: 'deliver', airflow: 'prod', incidentId: 'inc-1', delivery } as const;
    const intent: Intent = {
      ...{ id: 'int-1', act, state: 'sending', op: 'fd-1', attempts: 9, createdAt: iso(NOW), dueAt: iso(NOW), lastError: null },
    };
    const deps = { client: () => client, now: () => NOW } as unknown as EffectDeps;
    expect(await deliver(deps, intent, act, true)).toMatchObject({ result: 'done' });
    expect(posted).toBe(0);
  },
);

test('an event that cannot be listed may be ours: it is looked for again, and never posted twice', async () => {
  let posted = 0;
  const client = {
    probe: async () => ({ serverTime: iso(NOW) }),
    listAssetEvents: async () => ({ events: [], unreadable: 1 }),
    createAssetEvent: async () => {
      posted++;
    },
  } as unknown as AirflowClient;
  const delivery = { how: 'event', assetKey: '1', uri: 's3://a', dagIds: ['b'] } as const;
  const act = { kind: 'deliver', airflow: 'prod', incidentId: 'inc-1', delivery } as const;
  const intent: Intent = {
    ...{ id: 'int-1', act, state: 'sending', op: 'fd-1', attempts: 9, createdAt: iso(NOW), dueAt: iso(NOW), lastError: null },
  };
  const deps = { client: () => client, now: () => NOW } as unknown as EffectDeps;
  expect(await deliver(deps, intent, act, true)).toMatchObject({ result: 'failed', retry: true });
  expect(posted).toBe(0);
  expect(await deliver(deps, { ...intent, attempts: 15 }, act, true), 'but not for ever').toMatchObject({ result: 'done' });
  expect(posted).toBe(1);
});

test('a backfill that Airflow refuses while another one is under way waits for that one', async () => {
  const client = {
    listBackfills: async () => [],
    startBackfill: async () => {
      throw new AirflowError('conflict', '409', { outcome: 'none', operation: 'POST /backfills' });
    },
  } as unknown as AirflowClient;
  const interval = { start: iso(NOW), end: iso(NOW) };
  const delivery = { how: 'intervals', dagId: 'b', intervals: [interval] } as const;
  const act = { kind: 'deliver', airflow: 'prod', incidentId: 'inc-1', delivery } as const;
  const intent: Intent = {
    ...{ id: 'int-1', act, state: 'sending', op: 'fd-1', attempts: 1, createdAt: iso(NOW), dueAt: iso(NOW), lastError: null },
  };
  const deps = { client: () => client, now: () => NOW, policy: POLICY } as unknown as EffectDeps;
  expect(await deliver(deps, intent, act, false)).toMatchObject({ result: 'not_yet' });
});
