/** Which events passed a DAG by, read while Airflow goes on: an event that reaches the DAG meanwhile is no missed one. */
import { describe, expect, it } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import { EMPTY_STATE } from '../../src/core/draft.ts';
import type { AssetEventFacts, AssetFacts, RunFacts } from '../../src/core/facts.ts';
import type { IntentAct } from '../../src/core/intent.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { missedAssets, type Reader } from '../../src/effects/missedAssets.ts';
import { planDelivery } from '../../src/effects/planDelivery.ts';
import { dag } from '../core/scenario.ts';

const at = (minutes: number): string => new Date(Date.parse('2026-11-21T06:00:00.000Z') + minutes * 60_000).toISOString();
const asset = (key: string, consumers: string[]): AssetFacts => ({
  key,
  uri: `s3://${key}`,
  name: key,
  producers: [],
  consumers,
});
const event = (id: number, minutes: number, ...readBy: string[]): AssetEventFacts => ({
  ...{ id, assetKey: 'a', uri: 's3://a', timestamp: at(minutes), sourceDagId: 'x', sourceRunId: 'x1', op: null },
  createdRuns: readBy.map((dagId) => ({ dagId, runId: `${dagId}_${id}`, startDate: at(minutes + 1) })),
});

interface Site {
  readonly consumers?: string[];
  readonly paused?: readonly string[];
  /** Answers of the list of events, one after the other; the last one stays. */
  readonly events: readonly (readonly AssetEventFacts[])[];
  /** How many more there are that cannot be listed, by answer. */
  readonly unreadable?: readonly number[];
  readonly queued?: Readonly<Record<string, readonly string[]>>;
  readonly runs?: Readonly<Record<string, readonly Partial<RunFacts>[]>>;
  /** When the tasks of a run began. */
  readonly tasks?: Readonly<Record<string, readonly (string | null)[]>>;
}

function clientOf({ consumers = ['b', 'c'], paused = [], events, unreadable = [0], queued = {}, runs = {}, tasks = {} }: Site) {
  const asked: string[] = [];
  let looks = 0;
  const client = {
    probe: async () => ({ serverTime: at(60) }),
    listAssets: async () => [asset('a', consumers), asset('other', ['z'])],
    listDags: async () => ['b', 'c', 'd'].map((id) => dag(id, { paused: paused.includes(id) })),
    getDagDetails: async (id: string) => ({ ...dag(id), catchup: false, dagrunTimeoutSeconds: null, assetCondition: null }),
    listRuns: async (dagId: string) => {
      asked.push(`runs ${dagId}`);
      if (dagId === 'gone') throw new AirflowError('not_found', 'no such DAG', { outcome: 'none', operation: 'GET' });
      return (runs[dagId] ?? []).map((one) => ({ dagId, runType: 'manual', state: 'success', queuedAt: null, ...one }));
    },
    listTasks: async (dagId: string, runId: string) => {
      asked.push(`tasks ${dagId}`);
      return (tasks[runId] ?? []).map((startDate) => ({ startDate }));
    },
    queuedAssets: async (dagId: string) => {
      asked.push(`queue ${dagId}`);
      return queued[dagId] ?? [];
    },
    listAssetEvents: async (key: string) => {
      asked.push(`events ${key}`);
      const answer = looks++;
      return {
        events: events[Math.min(answer, events.length - 1)] ?? [],
        unreadable: unreadable[Math.min(answer, unreadable.length - 1)],
      };
    },
  } as unknown as AirflowClient;
  return { client, asked };
}
const reader = (dagId: string, minutes = 0, runs = true): Reader => ({ dagId, since: at(minutes), runs });
const now = () => Date.parse(at(60));
const look = async (site: Site, ...readers: Reader[]) => {
  const { client, asked } = clientOf(site);
  const found = await missedAssets(client, readers, now);
  const told = Object.fromEntries([...found].map(([id, [a]]) => [id, a && [a.events, a.queued, a.otherReaders]]));
  return { told, asked };
};

describe('what passed a DAG by', () => {
  it('is what came since and no run of it has read; the other reader that runs has had it', async () => {
    const { told, asked } = await look({ events: [[event(1, -5), event(2, 5, 'b', 'c'), event(3, 7, 'c')]] }, reader('b'));
    expect(told).toEqual({ b: [1, false, ['c']] });
    expect(asked).toEqual(['events a', 'queue b', 'events a', 'runs b']);
  });

  it('is not what a run of it has read that began later: of several events Airflow lists only the first (#56050)', async () => {
    expect((await look({ events: [[event(1, 5, 'b'), event(2, 5.5)]] }, reader('b'))).told.b).toEqual([0, false, ['c']]);
    const begins = (startDate: string | null) => ({ ...event(1, 5), createdRuns: [{ dagId: 'b', runId: 'b_1', startDate }] });
    expect((await look({ events: [[begins(null), event(2, 5.9)]] }, reader('b'))).told.b).toEqual([0, false, ['c']]);
    // Cleared later, or marked failed before it began: what came long after its event it has not read.
    expect((await look({ events: [[begins(at(40)), event(2, 20)]] }, reader('b'))).told.b).toEqual([1, false, ['c']]);
    expect((await look({ events: [[begins(null), event(2, 9)]] }, reader('b'))).told.b).toEqual([1, false, ['c']]);
    const ofC = { ...event(1, 5), createdRuns: [{ dagId: 'c', runId: 'c_1', startDate: null }] };
    expect((await look({ events: [[ofC, event(2, 9)]] }, reader('b'))).told.b).toEqual([2, false, ['c']]);
  });

  it('is not what we gave it by a run of its own, which Airflow lists at no event', async () => {
    const own = (startDate: string | null, state: RunFacts['state'] = 'running', runId = 'firedamper__inc-1__x') => ({
      b: [
        { runId, startDate, state },
        { runId: 'manual', startDate: at(50) },
      ],
    });
    const missed = { events: [[event(2, 5)]] };
    expect((await look({ ...missed, runs: own(at(6)) }, reader('b'))).told.b).toEqual([0, false, ['c']]);
    expect((await look({ ...missed, runs: own(null) }, reader('b'))).told.b).toEqual([0, false, ['c']]);
    expect((await look({ ...missed, runs: own(at(4)) }, reader('b'))).told.b).toEqual([1, false, ['c']]);
    // Marked by a person before it began, it has read nothing; and what a repair runs is no answer to an event.
    expect((await look({ ...missed, runs: own(null, 'failed') }, reader('b'))).told.b).toEqual([1, false, ['c']]);
    const repairs = own(at(6), 'success', 'firedamper__rep-1__2026-11-21');
    expect((await look({ ...missed, runs: repairs }, reader('b'))).told.b).toEqual([1, false, ['c']]);
  });

  it('is what a run of ours had not read before some of its tasks were cleared: the others have read what was there before', async () => {
    const missed = { events: [[event(2, 5)]] };
    const cleared = (startDate: string | null, tasks: readonly (string | null)[]): Site => ({
      ...missed,
      runs: { b: [{ runId: 'firedamper__inc-1__x', startDate, state: 'running' }] },
      tasks: { 'firedamper__inc-1__x': tasks },
    });
    expect((await look(cleared(at(6), [at(2), at(6)]), reader('b'))).told.b, 'in part').toEqual([1, false, ['c']]);
    expect((await look(cleared(null, [at(2), null]), reader('b'))).told.b, 'in part, and not begun').toEqual([1, false, ['c']]);
    expect((await look(cleared(at(6), [at(6), at(7), null]), reader('b'))).told.b, 'as a whole').toEqual([0, false, ['c']]);
    expect((await look(cleared(null, [null, null]), reader('b'))).told.b, 'as a whole, and not begun').toEqual([0, false, ['c']]);
  });

  it('is not what is queued for it, nor what a run took out of the queue between two of our looks', async () => {
    const came = [event(2, 5)];
    expect((await look({ events: [came], queued: { b: ['a'] } }, reader('b'))).told).toEqual({ b: [1, true, ['c']] });
    expect((await look({ events: [came], queued: { b: ['s3://a'] } }, reader('b'))).told).toEqual({ b: [1, true, ['c']] });
    expect((await look({ events: [came, [event(2, 5, 'b')]] }, reader('b'))).told).toEqual({ b: [0, false, ['c']] });
  });

  it('is not what came while we looked: it reaches what runs', async () => {
    expect((await look({ events: [[], [event(2, 5)]] }, reader('b'))).told).toEqual({ b: [0, false, ['c']] });
    const { told } = await look({ events: [[event(2, 5)], [event(2, 5), event(3, 6)]] }, reader('b'));
    expect(told).toEqual({ b: [1, false, ['c']] });
  });

  it('is an event that cannot be listed, unless the DAG has a run that can only be its', async () => {
    const hidden = { events: [[]], unreadable: [1] };
    expect((await look(hidden, reader('b'))).told.b).toEqual([1, false, ['c']]);
    const made = (minutes: number) => `asset_triggered__${at(minutes).replace('Z', '+00:00')}_Ab1`;
    const caused = (runId: string) => ({ ...hidden, runs: { b: [{ runId, queuedAt: at(7), startDate: null }] } });
    expect((await look(caused(made(5)), reader('b'))).told.b).toEqual([0, false, ['c']]);
    // A run of before the hold, that was cleared and queued anew, is another event's.
    expect((await look(caused(made(-7)), reader('b'))).told.b).toEqual([1, false, ['c']]);
    expect((await look(caused('manual__2026-11-21T06:05:00+00:00'), reader('b'))).told.b).toEqual([1, false, ['c']]);
    const known = { ...event(1, 5), createdRuns: [{ dagId: 'b', runId: made(5), startDate: at(6) }] };
    expect((await look({ ...caused(made(5)), events: [[known]] }, reader('b'))).told.b).toEqual([1, false, ['c']]);
  });

  it('is not what came in one loop with an event that cannot be listed, and whose run the DAG has', async () => {
    const runs = { b: [{ runId: 'asset_triggered__2026-11-21T06:05:30+00:00_Ab1' }] };
    const burst = { events: [[event(2, 5)]], unreadable: [1], runs };
    expect((await look(burst, reader('b'))).told.b).toEqual([0, false, ['c']]);
    expect((await look({ ...burst, events: [[event(2, 4)]] }, reader('b'))).told.b).toEqual([1, false, ['c']]);
    expect((await look({ ...burst, events: [[event(2, 6)]] }, reader('b'))).told.b).toEqual([1, false, ['c']]);
    expect((await look({ ...burst, unreadable: [0] }, reader('b'))).told.b, 'all is listed').toEqual([1, false, ['c']]);
  });

  it('is not told while what can be listed changes: the next look will', async () => {
    await expect(look({ events: [[]], unreadable: [1, 0] }, reader('b'))).rejects.toThrow(/cannot be listed/);
  });

  it('of a DAG that is gone is told without its runs', async () => {
    const { told } = await look({ consumers: ['gone'], events: [[event(2, 5)]] }, reader('gone'));
    expect(told).toEqual({ gone: [1, false, []] });
  });

  it('looks once where nothing came', async () => {
    expect((await look({ events: [[event(1, 5, 'b')]] }, reader('b'))).asked).toEqual(['events a', 'queue b']);
  });

  it.each<[string, Site, Reader[], readonly string[]]>([
    ['one that is paused does not count', { events: [[event(2, 5)]], paused: ['c'] }, [reader('b')], []],
    ['one that missed it as well does not count', { events: [[event(2, 5)]] }, [reader('b'), reader('c')], []],
    ['one for which it is queued counts', { events: [[event(2, 5)]], queued: { c: ['a'] } }, [reader('b'), reader('c')], ['c']],
    ['one that was held later and has had it counts', { events: [[event(2, 5)]] }, [reader('b'), reader('c', 10)], ['c']],
    ['one that stays paused does not', { events: [[event(2, 5)]], paused: ['c'] }, [reader('b'), reader('c', 10, false)], []],
    [
      'one that is paused yet, and is let go with it, does',
      { events: [[event(2, 5, 'c')]], paused: ['b', 'c'] },
      [reader('b'), reader('c')],
      ['c'],
    ],
  ])('another reader: %s', async (_what, site, readers, others) => {
    expect((await look(site, ...readers)).told.b).toEqual([1, false, others]);
  });

  it('of a DAG that reads no asset is nothing, and nothing is asked for it', async () => {
    const { told, asked } = await look({ events: [[event(1, 5)]] }, reader('d'));
    expect([told, asked]).toEqual([{ d: undefined }, []]);
  });
});

describe('the look at DAGs that run', () => {
  const act = { kind: 'plan_delivery', airflow: 'prod', incidentId: 'inc-1', dags: [{ dagId: 'b', since: at(0) }] } as const;
  const intent = (assetKey: string, change: object = {}) => ({
    state: 'planned',
    act: { kind: 'deliver', airflow: 'prod', incidentId: 'inc-2', delivery: { how: 'event', assetKey, uri: '', dagIds: ['q'] } },
    ...change,
  });
  const run = (site: Site, intents: object[] = []) =>
    planDelivery(
      {
        client: () => clientOf(site).client,
        now,
        snapshot: async () => ({ ...EMPTY_STATE, intents }),
      } as unknown as EffectDeps,
      act as IntentAct & { kind: 'plan_delivery' },
    );

  it('tells what each of them missed', async () => {
    expect(await run({ events: [[event(2, 5)]] })).toMatchObject({
      result: 'done',
      facts: { missed: [{ airflow: 'prod', dagId: 'b', details: { dagId: 'b' }, missedAssets: [{ events: 1 }] }] },
    });
  });

  it('waits while the same event is on its way for others: it reaches these as well', async () => {
    const missed = { events: [[event(2, 5)]] };
    expect(await run(missed, [intent('a')])).toMatchObject({ result: 'not_yet' });
    expect(await run(missed, [intent('other')])).toMatchObject({ result: 'done' });
    expect(await run(missed, [intent('a', { state: 'done' })])).toMatchObject({ result: 'done' });
  });
});
