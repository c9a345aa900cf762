/** Which events of their assets DAGs missed while they were held. An event during a pause is never queued for the paused DAG (2.10-3.3; 2.9 queues it). */
import type { AirflowClient } from '../airflow/client.ts';
import { OWN_RUN } from '../core/deliveries.ts';
import { addMs, latest } from '../core/draft.ts';
import type { MissedAsset } from '../core/events.ts';
import type { AssetEventFacts, AssetFacts, Instant } from '../core/facts.ts';
import { clockBehind } from './clock.ts';
import { inTurns } from './inTurns.ts';

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
 * the run that it causes. So what has no run, is not queued a moment later, and still has no run after that, has not reached it. A run that began
 * after the event has read what it tells of, although Airflow does not list it: of several events within one loop of the scheduler only the first is
 * listed (2.10.5 to 3.3.2, #56050), and what we gave by a run of the DAG's own never is.
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
  const open = (a: AssetFacts, dagId: string) => first.get(a.key)?.get(dagId) ?? NONE;
  const reading = [...new Set(mine.flatMap((a) => a.consumers))].filter((dagId) => since.has(dagId));
  const queues = new Map(await inTurns(reading, async (dagId) => [dagId, new Set(await client.queuedAssets(dagId))] as const));
  const queued = (a: AssetFacts, dagId: string) => [a.key, a.uri].some((name) => queues.get(dagId)?.has(name) === true);
  const isDoubted = (a: AssetFacts, dagId: string) => open(a, dagId).size > 0 && !queued(a, dagId);
  const doubted = mine.filter((a) => a.consumers.some((dagId) => isDoubted(a, dagId)));
  const again = await passedBy(client, doubted, since);
  const doubtedReaders = reading.filter((dagId) => doubted.some((a) => isDoubted(a, dagId)));
  const given = new Map(await inTurns(doubtedReaders, async (dagId) => [dagId, await lastGiven(client, dagId)] as const));
  const missed = (a: AssetFacts, dagId: string) => {
    const still = again.get(a.key)?.get(dagId) ?? NONE;
    const began = given.get(dagId) ?? '';
    return [...open(a, dagId)].filter(([id, at]) => still.has(id) && at > began).length;
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

/** Events by id, with their time. */
type Passed = ReadonlyMap<number, Instant>;
const NONE: Passed = new Map();

/** The events that no run of the DAG has had, by asset and DAG. */
async function passedBy(
  client: AirflowClient,
  assets: readonly AssetFacts[],
  since: ReadonlyMap<string, Instant>,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Passed>>> {
  return new Map(
    await inTurns(assets, async (a) => {
      const from = a.consumers.flatMap((dagId) => since.get(dagId) ?? []).sort();
      const events = from[0] === undefined ? [] : await client.listAssetEvents(a.key, from[0]);
      const of = (dagId: string): Passed => {
        const start = since.get(dagId);
        if (start === undefined) return NONE;
        const runs = events.flatMap((e) => e.createdRuns.filter((run) => run.dagId === dagId));
        // One that has not begun yet begins after everything.
        const newest = runs.some((run) => run.startDate === null)
          ? LAST
          : runs.map((run) => run.startDate ?? '').reduce(latest, '');
        const had = (e: AssetEventFacts) => e.timestamp <= newest || e.createdRuns.some((run) => run.dagId === dagId);
        return new Map(events.filter((e) => e.timestamp >= start && !had(e)).map((e) => [e.id, e.timestamp]));
      };
      return [a.key, new Map(a.consumers.map((dagId) => [dagId, of(dagId)]))] as const;
    }),
  );
}

const LAST: Instant = '9999';

/** When the newest run that we gave the DAG began; '' where there is none. */
async function lastGiven(client: AirflowClient, dagId: string): Promise<Instant> {
  const runs = (await client.listRuns(dagId, { limit: 25 })).filter((run) => run.runId.startsWith(OWN_RUN));
  return runs.map((run) => run.startDate ?? LAST).reduce(latest, '');
}
