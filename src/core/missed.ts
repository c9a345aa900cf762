/**
 * Which events a DAG has had, told from what Airflow lists of them and of the DAG's runs. A run that began after the event has read what it tells of,
 * although Airflow does not list it: of several events within one loop of the scheduler only the first is listed (2.10.5 to 3.3.2, #56050), and what we
 * gave by a run of the DAG's own never is.
 */
import { OWN_RUN } from './deliveries.ts';
import { addMs } from './draft.ts';
import type { AssetEventFacts, Instant, RunFacts, TaskFacts } from './facts.ts';

export const runKey = (run: { readonly dagId: string; readonly runId: string }): string => `${run.dagId}\n${run.runId}`;

/**
 * How much later than the event that is listed another one of the same loop of the scheduler can be: the safe side is a short time, because a clear
 * moves the beginning of a run, and what came hours after its event was not read by the tasks that were not run again.
 */
const ONE_LOOP_MS = 60_000;

/** Events since then that no run of the DAG has had, by id, with their time. */
export function openFor(
  events: readonly AssetEventFacts[],
  dagId: string,
  since: Instant | undefined,
): ReadonlyMap<number, Instant> {
  if (since === undefined) return new Map();
  const had = events.flatMap((e) =>
    e.createdRuns
      .filter((run) => run.dagId === dagId)
      .map((run) => ({ from: e.timestamp, to: earliest(addMs(e.timestamp, ONE_LOOP_MS), run.startDate ?? LAST) })),
  );
  // The event that is listed itself, and what came with it before its run began.
  const isHad = (e: AssetEventFacts) =>
    e.createdRuns.some((run) => run.dagId === dagId) || had.some((h) => h.from <= e.timestamp && e.timestamp <= h.to);
  return new Map(events.filter((e) => e.timestamp >= since && !isHad(e)).map((e) => [e.id, e.timestamp]));
}

const LAST: Instant = '9999';
const earliest = (a: Instant, b: Instant): Instant => (a < b ? a : b);

/** Given by us for what its DAG missed. */
export const isGiven = (run: RunFacts): boolean => OWN_RUN.test(run.runId);

/**
 * From when on all of its tasks have read; '' where none ever will: it ended without having begun, marked so by a person. The earliest start of them, because
 * a clear of some tasks moves the beginning of the run and not that of the others.
 */
export function begunAt(run: RunFacts, tasks: readonly TaskFacts[]): Instant {
  const [first, ...others] = tasks.flatMap((t) => t.startDate ?? []);
  if (first !== undefined) return others.reduce(earliest, first);
  return run.startDate ?? (run.state === 'queued' || run.state === 'running' ? LAST : '');
}

/**
 * When runs were made that an event caused which cannot be listed, by the date in their ids (3.x): they are its, and no other reader's. A run of before
 * that was cleared keeps its id, whatever else it has anew.
 */
export const unlistedRuns = (runs: readonly RunFacts[], since: Instant, listed: ReadonlySet<string>): readonly Instant[] =>
  runs.flatMap((run) => {
    const made = madeByEvent(run);
    return made !== null && made >= since && !listed.has(runKey(run)) ? [made] : [];
  });

/** null: not made by an event, or by one on 2.x. */
function madeByEvent(run: RunFacts): Instant | null {
  const made = /^asset_triggered__(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\+00:00/.exec(run.runId)?.[1];
  return made === undefined ? null : new Date(`${made}Z`).toISOString();
}

/** A run that an event has made about then or later, and that began after `then`: whichever event it was, with it the DAG has all that came before. */
export const readsAllSince = (runs: readonly RunFacts[], about: Instant, then: Instant): RunFacts | undefined =>
  runs.find((run) => {
    const made = madeByEvent(run);
    const begins = run.startDate ?? (run.state === 'queued' || run.state === 'running' ? LAST : '');
    return made !== null && made >= about && begins >= then;
  });

/** An event that came in one loop with one that cannot be listed has no run in any list, and has been read by that one's. */
export const cameWithUnlisted = (at: Instant, unlisted: readonly Instant[]): boolean =>
  unlisted.some((made) => at <= made && made <= addMs(at, ONE_LOOP_MS));
