/** What a held DAG missed, when the clocks differ. */
import { expect, it } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import { EMPTY_STATE, type State } from '../../src/core/draft.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { readMissed } from '../../src/effects/planRelease.ts';
import { dag, POLICY } from '../core/scenario.ts';

const at = (minutes: number): string => new Date(Date.parse('2026-11-21T06:00:00.000Z') + minutes * 60_000).toISOString();

it.each([
  ['the same', 0, '2026-11-21T05:57:58.000Z'],
  ['ten minutes behind ours', -10, '2026-11-21T05:47:58.000Z'],
  ['ten minutes ahead of ours', 10, '2026-11-21T05:57:58.000Z'],
])("events since the hold are read by Airflow's clock: %s", async (_, minutes, since) => {
  const asked: string[] = [];
  const client = {
    probe: async () => ({ serverTime: at(30 + minutes) }),
    listAssets: async () => [{ key: '1', uri: 's3://a', name: 'a', producers: [], consumers: ['b'] }],
    listDags: async () => [dag('b', { paused: true })],
    getDagDetails: async () => ({ ...dag('b'), catchup: false, dagrunTimeoutSeconds: null, assetCondition: null }),
    listRuns: async () => [],
    queuedAssets: async () => [],
    listAssetEvents: async (_key: string, from: string) => {
      asked.push(from);
      return { events: [], unreadable: 0 };
    },
  } as unknown as AirflowClient;
  const hold = { id: 'hold-1', incidentId: 'inc-1', airflow: 'prod', dagId: 'b', state: 'held', since: at(0) };
  const state = { ...EMPTY_STATE, holds: [hold] } as unknown as State;
  const deps = { client: () => client, policy: POLICY, now: () => Date.parse(at(30)) } as unknown as EffectDeps;
  await readMissed(deps, state, 'inc-1');
  expect(asked).toEqual([since]);
});
