/** Reads, just before a release, what each held DAG missed and what its unpause would start. The same facts make the preview that people see. */
import type { AirflowClient } from '../airflow/client.ts';
import { addMs, holdsWanting, type State } from '../core/draft.ts';
import type { MissedAsset, MissedFacts, Outcome } from '../core/events.ts';
import type { AssetFacts, DagDetails, DagFacts, Instant, RunFacts } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import { clockBehind } from './clock.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isGone } from './outcome.ts';

export async function planRelease(deps: EffectDeps, act: { airflow: string; incidentId: string }): Promise<Outcome> {
  try {
    const state = await deps.snapshot();
    return done({ kind: 'plan_release', missed: await readMissed(deps, state, act.incidentId) });
  } catch (error) {
    return failure(error);
  }
}

interface Reading {
  readonly deps: EffectDeps;
  readonly client: AirflowClient;
  readonly assets: readonly AssetFacts[];
  readonly dags: ReadonlyMap<string, DagFacts>;
  /** DAGs that this release lets go: they do not count as readers who would get an event twice. */
  readonly leaving: ReadonlySet<string>;
}

/** What would be missed by every DAG that this incident holds alone. */
export async function readMissed(deps: EffectDeps, state: State, incidentId: string): Promise<MissedFacts[]> {
  const holds = state.holds.filter((h) => h.incidentId === incidentId && h.state === 'held');
  const missed: MissedFacts[] = [];
  for (const airflow of new Set(holds.map((h) => h.airflow))) {
    const client = deps.client(airflow);
    const here = holds.filter((h) => h.airflow === airflow);
    const [assets, dags, behind] = await Promise.all([client.listAssets(), client.listDags(), clockBehind(client, deps.now)]);
    const leaving = new Set(here.filter((h) => !heldByOthers(state, h)).map((h) => h.dagId));
    const reading: Reading = { deps, client, assets, dags: new Map(dags.map((d) => [d.dagId, d])), leaving };
    for (const h of here) {
      const since = state.ownerships.find((o) => o.airflow === airflow && o.dagId === h.dagId)?.since ?? h.since;
      missed.push(await missedBy(reading, h, addMs(since, -behind)));
    }
  }
  return missed;
}

const heldByOthers = (state: State, h: Hold): boolean => holdsWanting(state, h).some((other) => other.id !== h.id);

async function missedBy(r: Reading, h: Hold, since: Instant): Promise<MissedFacts> {
  const details = await r.client.getDagDetails(h.dagId).catch((e: unknown) => (isGone(e) ? null : Promise.reject(e)));
  const [frozenRuns, queuedRuns, missedAssets] = await Promise.all([
    r.client.listRuns(h.dagId, { states: ['running'], limit: 100 }),
    r.client.listRuns(h.dagId, { states: ['queued'], limit: 100 }),
    missedAssetsOf(r, h.dagId, since),
  ]);
  return {
    dagId: h.dagId,
    details,
    missedAssets,
    frozenRuns,
    queuedRuns,
    startsByItself: details ? await startsByItself(r, details) : 0,
    missedIntervals: details ? await missedIntervals(r, details, since) : [],
    wouldTimeOut: details ? timedOut(details, frozenRuns, r.deps.now()) : [],
  };
}

/** An event during the pause is never queued for a paused DAG (2.10-3.3): one without a run of this DAG was missed. */
async function missedAssetsOf(r: Reading, dagId: string, since: Instant): Promise<MissedAsset[]> {
  const mine = r.assets.filter((a) => a.consumers.includes(dagId));
  if (mine.length === 0) return [];
  const queued = new Set(await r.client.queuedAssets(dagId));
  return Promise.all(
    mine.map(async (a) => {
      const events = (await r.client.listAssetEvents(a.key, since)).filter(
        (e) => !e.createdRuns.some((run) => run.dagId === dagId),
      );
      const otherReaders = a.consumers.filter((c) => c !== dagId && !r.leaving.has(c) && r.dags.get(c)?.paused === false);
      return { assetKey: a.key, uri: a.uri, events: events.length, otherReaders, queued: queued.has(a.key) || queued.has(a.uri) };
    }),
  );
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
