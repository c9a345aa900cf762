/** Which events of their assets DAGs missed while they were held. An event during a pause is never queued for the paused DAG (2.10-3.3; 2.9 queues it). */
import type { AirflowClient } from '../airflow/client.ts';
import { addMs } from '../core/draft.ts';
import type { MissedAsset } from '../core/events.ts';
import type { AssetEventFacts, AssetFacts, Instant } from '../core/facts.ts';
import { clockBehind } from './clock.ts';

/**
 * A clock that was set during the hold dates its beginning too late (simulator, clocks, seed 20: 20 s, and an event was lost). What came before the
 * pause and reached the DAG has a run or is queued, so looking further back finds nothing more, but for what it missed by a person's own pause just
 * before: one run too many is the safe side.
 */
const CLOCK_WAS_SET_MS = 120_000;

export interface Reader {
  readonly dagId: string;
  /** From when on no event reached it, by our clock. */
  readonly since: Instant;
  /** It runs, or will when events are delivered: one more would start it. */
  readonly runs: boolean;
}

/**
 * By DAG. True of DAGs that are paused and of DAGs that run: an event that reaches a DAG is queued for it at once, and leaves the queue together with
 * the run that it causes. So what has no run, is not queued a moment later, and still has no run after that, has not reached it.
 */
export async function missedAssets(
  client: AirflowClient,
  readers: readonly Reader[],
  now: () => number,
): Promise<ReadonlyMap<string, readonly MissedAsset[]>> {
  const [assets, dags, behind] = await Promise.all([client.listAssets(), client.listDags(), clockBehind(client, now)]);
  const since = new Map(readers.map((r) => [r.dagId, addMs(r.since, -behind - CLOCK_WAS_SET_MS)]));
  const mine = assets.filter((a) => a.consumers.some((dagId) => since.has(dagId)));
  const first = await passedBy(client, mine, since);
  const reading = [...new Set(mine.flatMap((a) => a.consumers))].filter((dagId) => since.has(dagId));
  const queues = new Map(
    await Promise.all(reading.map(async (dagId) => [dagId, new Set(await client.queuedAssets(dagId))] as const)),
  );
  const queued = (a: AssetFacts, dagId: string) => [a.key, a.uri].some((name) => queues.get(dagId)?.has(name) === true);
  const open = (a: AssetFacts, dagId: string) => first.get(a.key)?.get(dagId) ?? NONE;
  const doubted = mine.filter((a) => a.consumers.some((dagId) => open(a, dagId).size > 0 && !queued(a, dagId)));
  const again = await passedBy(client, doubted, since);
  const missed = (a: AssetFacts, dagId: string) => {
    const still = again.get(a.key)?.get(dagId) ?? NONE;
    return [...open(a, dagId)].filter((id) => still.has(id)).length;
  };

  const byReader = new Map(readers.map((r) => [r.dagId, [] as MissedAsset[]]));
  const running = new Set([
    ...dags.filter((d) => !d.paused).map((d) => d.dagId),
    ...readers.filter((r) => r.runs).map((r) => r.dagId),
  ]);
  for (const a of mine) {
    const counts = new Map(a.consumers.map((dagId) => [dagId, queued(a, dagId) ? 0 : missed(a, dagId)]));
    const hadAll = a.consumers.filter((dagId) => running.has(dagId) && counts.get(dagId) === 0);
    for (const dagId of a.consumers) {
      const otherReaders = hadAll.filter((c) => c !== dagId);
      const events = queued(a, dagId) ? open(a, dagId).size : (counts.get(dagId) ?? 0);
      byReader.get(dagId)?.push({ assetKey: a.key, uri: a.uri, events, otherReaders, queued: queued(a, dagId) });
    }
  }
  return byReader;
}

const NONE: ReadonlySet<number> = new Set();

/** Ids of the events that no run of the DAG has had, by asset and DAG. */
async function passedBy(
  client: AirflowClient,
  assets: readonly AssetFacts[],
  since: ReadonlyMap<string, Instant>,
): Promise<ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<number>>>> {
  const had = (e: AssetEventFacts, dagId: string) => e.createdRuns.some((run) => run.dagId === dagId);
  return new Map(
    await Promise.all(
      assets.map(async (a) => {
        const from = a.consumers.flatMap((dagId) => since.get(dagId) ?? []).sort();
        const events = from[0] === undefined ? [] : await client.listAssetEvents(a.key, from[0]);
        const of = (dagId: string) => {
          const start = since.get(dagId);
          return new Set(events.filter((e) => start !== undefined && e.timestamp >= start && !had(e, dagId)).map((e) => e.id));
        };
        return [a.key, new Map(a.consumers.map((dagId) => [dagId, of(dagId)]))] as const;
      }),
    ),
  );
}
