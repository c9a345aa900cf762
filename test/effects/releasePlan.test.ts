/** What a held DAG missed, when the clocks differ. */
import { describe, expect, it } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import { EMPTY_STATE, type State } from '../../src/core/draft.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { readMissed } from '../../src/effects/planRelease.ts';
import { notFound } from '../../src/errors.ts';
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

it('a DAG that was deleted while it was held has no runs, and does not keep the others', async () => {
  const gone = () => Promise.reject(new AirflowError('not_found', 'gone', { outcome: 'none', operation: 'GET /dags/b' }));
  const of =
    <T>(known: T) =>
    (dagId: string) =>
      dagId === 'b' ? gone() : Promise.resolve(known);
  const client = {
    probe: async () => ({ serverTime: at(30) }),
    listAssets: async () => [],
    listDags: async () => [dag('c', { paused: true })],
    getDagDetails: of({ ...dag('c'), catchup: false, dagrunTimeoutSeconds: null, assetCondition: null }),
    listRuns: async () => [],
  } as unknown as AirflowClient;
  const holds = ['b', 'c'].map((dagId) => ({
    id: dagId,
    incidentId: 'inc-1',
    airflow: 'prod',
    dagId,
    state: 'held',
    since: at(0),
  }));
  const deps = { client: () => client, policy: POLICY, now: () => Date.parse(at(30)) } as unknown as EffectDeps;
  const missed = await readMissed(deps, { ...EMPTY_STATE, holds } as unknown as State, 'inc-1');
  expect(missed.map((m) => [m.dagId, m.details === null, m.frozenRuns])).toEqual([
    ['b', true, []],
    ['c', false, []],
  ]);
});

describe('of another Airflow', () => {
  it('that is not in the configuration any more: nothing, and nobody waits for it', async () => {
    const client = () => {
      throw notFound('no Airflow dev in the configuration');
    };
    const hold = { id: 'hold-1', incidentId: 'inc-1', airflow: 'dev', dagId: 'b', state: 'held', since: at(0) };
    const of = (airflow: string) =>
      ({ ...EMPTY_STATE, holds: [hold], incidents: [{ id: 'inc-1', airflow }] }) as unknown as State;
    const policy = { ...POLICY, release: { ...POLICY.release, missedIntervals: 'backfill' } };
    const deps = { client, policy, now: () => Date.parse(at(30)) } as unknown as EffectDeps;
    expect(await readMissed(deps, of('prod'), 'inc-1')).toEqual([]);
    await expect(readMissed(deps, of('dev'), 'inc-1'), 'its own incident has nobody else').rejects.toThrow('no Airflow dev');
  });

  const kinds = { unreachable: [], forbidden: 'refused' } as const;
  it.each(Object.keys(kinds) as (keyof typeof kinds)[])('that answers %s', async (kind) => {
    const fails = () => Promise.reject(new AirflowError(kind, kind, { outcome: 'none', operation: 'GET /assets' }));
    const client = (id: string) => ({
      id,
      listAssets: fails,
      listDags: async () => [],
      probe: async () => ({ serverTime: at(30) }),
    });
    const hold = { id: 'hold-1', incidentId: 'inc-1', airflow: 'dev', dagId: 'b', state: 'held', since: at(0) };
    const state = { ...EMPTY_STATE, holds: [hold], incidents: [{ id: 'inc-1', airflow: 'prod' }] } as unknown as State;
    const deps = (missedIntervals: string) =>
      ({
        client,
        policy: { ...POLICY, release: { ...POLICY.release, missedIntervals } },
        now: () => Date.parse(at(30)),
      }) as unknown as EffectDeps;
    const read = (missedIntervals: string) => readMissed(deps(missedIntervals), state, 'inc-1').catch(() => 'refused');
    expect(await read('as_airflow'), 'what is refused for good is told, what is away is looked at after the unpause').toEqual(
      kinds[kind],
    );
    expect(await read('backfill'), 'intervals are planned here only').toBe('refused');
  });
});
