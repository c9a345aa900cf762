/** Reads, just before a release, what each held DAG missed and what its unpause would start. The same facts make the preview that people see. */
import type { AirflowClient } from '../airflow/client.ts';
import { addMs, holdsWanting, type State, sameDag } from '../core/draft.ts';
import type { MissedAsset, MissedFacts, Outcome } from '../core/events.ts';
import type { DagDetails, Instant, RunFacts } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import { FiredamperError } from '../errors.ts';
import { clockBehind } from './clock.ts';
import type { EffectDeps } from './deps.ts';
import { missedAssets, type Reader } from './missedAssets.ts';
import { done, failure } from './outcome.ts';
import { detailsOf } from './planDelivery.ts';
import { soon } from './soon.ts';

export async function planRelease(deps: EffectDeps, act: { airflow: string; incidentId: string }): Promise<Outcome> {
  try {
    const state = await deps.snapshot();
    return done({ kind: 'plan_release', missed: await readMissed(deps, state, act.incidentId) });
  } catch (error) {
    return failure(error);
  }
}

/** What would be missed by every DAG that this incident holds alone. */
export async function readMissed(deps: EffectDeps, state: State, incidentId: string): Promise<MissedFacts[]> {
  const holds = state.holds.filter((h) => h.incidentId === incidentId && h.state === 'held');
  const home = state.incidents.find((i) => i.id === incidentId)?.airflow;
  const read = (airflow: string) =>
    readOf(
      deps,
      state,
      airflow,
      holds.filter((h) => h.airflow === airflow),
    );
  const all = await Promise.all(
    [...new Set(holds.map((h) => h.airflow))].map(async (airflow) => {
      // Their assets are looked at once more after the unpause, but what passed by the clock is planned here only.
      const mayBeAway = airflow !== home && deps.policy.release.missedIntervals === 'as_airflow';
      if (mayBeAway) return (await soon(read(airflow), isAway)) ?? [];
      return read(airflow).catch((error: unknown) => (airflow !== home && isNotConfigured(error) ? [] : Promise.reject(error)));
    }),
  );
  return all.flat();
}

/** It may answer another time; a refusal is said to people. */
const isAway = (error: unknown): boolean => {
  const outcome = failure(error);
  return outcome.result !== 'failed' || outcome.retry;
};

/** Its DAGs stay as they are, and no plan for them will ever come: the others do not wait for it. */
const isNotConfigured = (error: unknown): boolean => error instanceof FiredamperError && error.kind === 'notFound';

async function readOf(deps: EffectDeps, state: State, airflow: string, holds: readonly Hold[]): Promise<MissedFacts[]> {
  const client = deps.client(airflow);
  const readers = holds.map((h) => {
    const since = state.ownerships.find((o) => sameDag(o, h))?.since ?? h.since;
    return { dagId: h.dagId, since, runs: !heldByOthers(state, h) };
  });
  const [assets, behind] = await Promise.all([missedAssets(client, readers, deps.now), clockBehind(client, deps.now)]);
  const missed: MissedFacts[] = [];
  for (const reader of readers) missed.push(await missedBy({ deps, client, airflow, behind, assets }, reader));
  return missed;
}

interface Reading {
  readonly deps: EffectDeps;
  readonly client: AirflowClient;
  readonly airflow: string;
  /** Milliseconds, as `clockBehind` tells them. */
  readonly behind: number;
  readonly assets: ReadonlyMap<string, readonly MissedAsset[]>;
}

const heldByOthers = (state: State, h: Hold): boolean =>
  holdsWanting(state, h).some((other) => other.incidentId !== h.incidentId);

async function missedBy(r: Reading, { dagId, since }: Reader): Promise<MissedFacts> {
  const details = await detailsOf(r.client, dagId);
  const [frozenRuns, queuedRuns] = await Promise.all([
    r.client.listRuns(dagId, { states: ['running'], limit: 100 }),
    r.client.listRuns(dagId, { states: ['queued'], limit: 100 }),
  ]);
  return {
    ...{ airflow: r.airflow, dagId, since, details, frozenRuns, queuedRuns },
    missedAssets: r.assets.get(dagId) ?? [],
    startsByItself: details ? await startsByItself(r, details) : 0,
    missedIntervals: details ? await missedIntervals(r, details, addMs(since, -r.behind)) : [],
    wouldTimeOut: details ? timedOut(details, frozenRuns, r.deps.now()) : [],
  };
}

/** 3.0.6-3.3.2 and 2.11.2: nothing before its time; one run without catch-up; with catch-up every missed interval. */
async function startsByItself(r: Reading, d: DagDetails): Promise<number> {
  if (d.nextRunAfter === null || Date.parse(d.nextRunAfter) > r.deps.now()) return 0;
  if (!d.catchup || !r.client.canBackfill || d.nextLogicalDate === null) return 1;
  const request = {
    dagId: d.dagId,
    from: d.nextLogicalDate,
    to: new Date(r.deps.now()).toISOString(),
    reprocess: 'none',
    maxActiveRuns: 1,
  } as const;
  return (await r.client.dryRunBackfill(request).catch(() => [null])).length;
}

async function missedIntervals(r: Reading, d: DagDetails, since: Instant): Promise<MissedFacts['missedIntervals']> {
  if (r.deps.policy.release.missedIntervals !== 'backfill' || !d.timeScheduled || d.catchup || !r.client.canBackfill) return [];
  const to = new Date(r.deps.now()).toISOString();
  const dates = await r.client.dryRunBackfill({
    dagId: d.dagId,
    from: since,
    to,
    reprocess: 'none',
    maxActiveRuns: r.deps.policy.repair.maxActiveRuns,
  });
  // Without catch-up the unpause itself starts the newest missed interval.
  return dates.slice(0, -1).map((t) => ({ start: t, end: t }));
}

function timedOut(d: DagDetails, frozen: readonly RunFacts[], now: number): string[] {
  const timeout = d.dagrunTimeoutSeconds;
  if (timeout === null) return [];
  return frozen.filter((r) => r.startDate !== null && Date.parse(r.startDate) + timeout * 1000 < now).map((r) => r.runId);
}
