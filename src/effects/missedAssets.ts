/** Which events of their assets DAGs missed while they were held. An event during a pause is never queued for the paused DAG (2.10-3.3; 2.9 queues it). */
import type { AirflowClient, AssetEvents } from '../airflow/client.ts';
import { addMs, latest } from '../core/draft.ts';
import type { MissedAsset } from '../core/events.ts';
import type { AssetFacts, Instant, RunFacts, TaskFacts } from '../core/facts.ts';
import { begunAt, cameWithUnlisted, isGiven, openFor, runKey, unlistedRuns } from '../core/missed.ts';
import { cannotBeListed } from './assetEvents.ts';
import { clockBehind } from './clock.ts';
import { inTurns } from './inTurns.ts';
import { isGone } from './outcome.ts';
import { siteLists } from './siteLists.ts';

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
  const [{ assets, dags }, behind] = await Promise.all([siteLists(client), clockBehind(client, now)]);
  const since = new Map(readers.map((r) => [r.dagId, addMs(r.since, -behind - CLOCK_WAS_SET_MS)]));
  const mine = assets.filter((a) => a.consumers.some((dagId) => since.has(dagId)));
  const first = await passedBy(client, mine, since);
  const isOpen = (a: AssetFacts, dagId: string) => openOf(first, a, dagId).size > 0 || (first.get(a.key)?.unreadable ?? 0) > 0;
  const reading = [...new Set(mine.flatMap((a) => a.consumers))].filter((dagId) => since.has(dagId));
  const queues = new Map(await inTurns(reading, async (dagId) => [dagId, new Set(await client.queuedAssets(dagId))] as const));
  const queued = (a: AssetFacts, dagId: string) => [a.key, a.uri].some((name) => queues.get(dagId)?.has(name) === true);
  const isDoubted = (a: AssetFacts, dagId: string) => isOpen(a, dagId) && !queued(a, dagId);
  const doubted = mine.filter((a) => a.consumers.some((dagId) => isDoubted(a, dagId)));
  const again = await passedBy(client, doubted, since);
  // What became readable between the two looks can be told from what is new by a third one only.
  for (const a of doubted) if (first.get(a.key)?.unreadable !== again.get(a.key)?.unreadable) throw cannotBeListed(a.key);
  const doubtedReaders = reading.filter((dagId) => doubted.some((a) => isDoubted(a, dagId)));
  const listed = new Set([...first.values()].flatMap((p) => [...p.runs]));
  const had = new Map(
    await inTurns(doubtedReaders, async (dagId) => {
      const runs = await newestRuns(client, dagId);
      const from = since.get(dagId) ?? '';
      return [dagId, { given: await lastGiven(client, runs, from), unlisted: unlistedRuns(runs, from, listed) }] as const;
    }),
  );
  const missed = (a: AssetFacts, dagId: string) => {
    const still = openOf(again, a, dagId);
    const known = had.get(dagId);
    if (known === undefined) return 0;
    const unreadable = again.get(a.key)?.unreadable ?? 0;
    const withOne = (at: Instant) => unreadable > 0 && cameWithUnlisted(at, known.unlisted);
    const seen = [...openOf(first, a, dagId)].filter(([id, at]) => still.has(id) && at > known.given && !withOne(at)).length;
    return seen + Math.max(0, unreadable - known.unlisted.length);
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
      const events = queued(a, dagId) ? openOf(first, a, dagId).size : (counts.get(dagId) ?? 0);
      byReader.get(dagId)?.push({ assetKey: a.key, uri: a.uri, events, otherReaders, queued: queued(a, dagId) });
    }
  }
  return byReader;
}

/** When the newest run that we gave the DAG began; '' where there is none since then. */
async function lastGiven(client: AirflowClient, runs: readonly RunFacts[], since: Instant): Promise<Instant> {
  const given = runs.filter((run) => isGiven(run) && (run.startDate === null || run.startDate >= since));
  const begun = await inTurns(given, async (run) => begunAt(run, await tasksOf(client, run)));
  return begun.reduce(latest, '');
}

const tasksOf = (client: AirflowClient, run: RunFacts): Promise<readonly TaskFacts[]> =>
  client.listTasks(run.dagId, run.runId).catch((error: unknown) => (isGone(error) ? [] : Promise.reject(error)));

interface Passed {
  /** Events that no run of the DAG has had, by DAG and id, with their time. */
  readonly open: ReadonlyMap<string, ReadonlyMap<number, Instant>>;
  readonly unreadable: number;
  /** All runs that the events name. */
  readonly runs: readonly string[];
}

const openOf = (passed: ReadonlyMap<string, Passed>, a: AssetFacts, dagId: string): ReadonlyMap<number, Instant> =>
  passed.get(a.key)?.open.get(dagId) ?? new Map<number, Instant>();
async function passedBy(
  client: AirflowClient,
  assets: readonly AssetFacts[],
  since: ReadonlyMap<string, Instant>,
): Promise<ReadonlyMap<string, Passed>> {
  return new Map(
    await inTurns(assets, async (a): Promise<readonly [string, Passed]> => {
      const from = a.consumers.flatMap((dagId) => since.get(dagId) ?? []).sort();
      const { events, unreadable } = from[0] === undefined ? NOTHING : await client.listAssetEvents(a.key, from[0]);
      const open = new Map(a.consumers.map((dagId) => [dagId, openFor(events, dagId, since.get(dagId))]));
      return [a.key, { open, unreadable, runs: events.flatMap((e) => e.createdRuns.map(runKey)) }];
    }),
  );
}

const NOTHING: AssetEvents = { events: [], unreadable: 0 };

export const newestRuns = async (client: AirflowClient, dagId: string): Promise<readonly RunFacts[]> =>
  client.listRuns(dagId, { limit: 25 }).catch((error: unknown) => (isGone(error) ? [] : Promise.reject(error)));
