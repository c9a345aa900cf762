/**
 * What a look at Airflow changes: runs that were cleared, healed, failed again, succeeded all the same or are gone; DAGs that a person took
 * over; steps of a repair; released DAGs that have run.
 */
import { requestSurvey } from './containment.ts';
import { type Draft, latest, msBetween, sameDag } from './draft.ts';
import type { Observation } from './events.ts';
import type { RunFacts } from './facts.ts';
import { endedGone, isClaimed, ofThisEpisode } from './holding.ts';
import { holdsMore, type Incident, type IncidentRun } from './incident.ts';
import { isOver } from './lifecycle.ts';
import { walk } from './lineage.ts';
import { observeGone, observePause } from './ownership.ts';
import { reason } from './reason.ts';
import { observeReleased, settleRelease } from './release.ts';
import { observeSteps } from './repair.ts';
import { activeRepair, rerunByUs } from './status.ts';
import { AIRFLOW } from './timeline.ts';
import { allWhole, isSick, verify } from './verification.ts';

export function observe(draft: Draft, airflow: string, seen: Observation): void {
  // A look takes seconds. One that began before we let a DAG go and held it anew saw our own unpause, not a person's (simulator, seed 256 with a clock
  // that jumps ahead: the hold was ceded, and the DAG stayed paused for ever).
  const isCurrent = (p: { readonly dagId: string; readonly op: string | null }) =>
    draft.ownership({ airflow, dagId: p.dagId }).op === p.op;
  const current = seen.paused.filter(isCurrent);
  const ceding = current.flatMap((p) => observePause(draft, { airflow, dagId: p.dagId }, p.paused, p.who));
  for (const { dagId } of (seen.goneDags ?? []).filter(isCurrent)) ceding.push(...observeGone(draft, { airflow, dagId }));
  // A release may have waited for just this: somebody was asked about the DAG, and unpaused it in Airflow instead of answering (simulator, seed 6203).
  for (const id of new Set(ceding)) settleRelease(draft, id);
  comeBack(draft, airflow, seen.paused);
  observeSteps(draft, airflow, seen.runs);
  for (const incident of draft.incidents().filter((i) => i.airflow === airflow && !isOver(i.status) && !i.releasing)) {
    observeIncident(draft, incident, seen);
  }
  observeReleased(draft, airflow, seen.releasedRuns, seen.unreadReleased);
}

/**
 * Deleted while it was held, and deployed again while the cause still stands: nobody let it go. Between two surveys its links look as if it had never been
 * away, so that nothing else asks for a look (simulator, seed 1008: it read the bad data).
 */
function comeBack(draft: Draft, airflow: string, seen: Observation['paused']): void {
  for (const h of draft.holds().filter((x) => endedGone(x) && x.airflow === airflow)) {
    const i = draft.findIncident(h.incidentId);
    if (!i || !holdsMore(i) || !ofThisEpisode(i, h) || !seen.some((d) => d.dagId === h.dagId)) continue;
    if (isClaimed(draft.holdsOf(i.id), i, h)) continue;
    // One that would be spared, or that the links reach no more, is not asked about at each poll.
    const reached = walk(draft.context.world.edges(), i, null).reached.some((d) => sameDag(d, h));
    if (reached && !i.spared.some((d) => sameDag(d, h))) requestSurvey(draft, i.id);
  }
}

function observeIncident(draft: Draft, incident: Incident, seen: Observation): void {
  const ourOwn = rerunByUs(draft, incident.id);
  const runs = incident.runs.map((r) => {
    const after = observeRun(draft, incident, r, seen, ourOwn.has(`${r.dagId} ${r.runId}`));
    return after.state === r.state && after.runStart === r.runStart && after.failedTasks === r.failedTasks ? r : after;
  });
  if (runs.some((r, i) => r !== incident.runs[i])) draft.patchIncident(incident.id, { runs });
  settleHealing(draft, draft.incident(incident.id), seen);
}

function observeRun(draft: Draft, incident: Incident, r: IncidentRun, seen: Observation, byUs: boolean): IncidentRun {
  if (r.state === 'healed' || r.state === 'succeeded' || r.state === 'gone') return r;
  if (seen.goneRuns.some((g) => g.dagId === r.dagId && g.runId === r.runId)) {
    draft.tell(incident.id, 'run.gone', `${r.dagId} ${r.runId}`, reason('run_gone'), AIRFLOW);
    return { ...r, state: 'gone' };
  }
  const run = seen.runs.find((x) => x.dagId === r.dagId && x.runId === r.runId);
  if (!run) return r;
  const known = { ...r, runType: r.runType ?? run.runType, logicalDate: r.logicalDate ?? run.logicalDate };
  return run.state === 'success'
    ? succeeded(draft, incident, known, run, byUs)
    : run.state === 'failed'
      ? failed(draft, incident, known, run)
      : moving(draft, incident, known, run, byUs);
}

/** The same attempt: as far as we know it is the one that failed, and nobody cleared it since. */
const sameAttempt = (r: IncidentRun, run: RunFacts): boolean => r.runStart === null || run.startDate === r.runStart;

function succeeded(draft: Draft, incident: Incident, r: IncidentRun, run: RunFacts, byUs: boolean): IncidentRun {
  // A look takes seconds: what it saw of an attempt that began before the one that failed is old (simulator, seed 182: the failure passed for healed).
  const old = r.runStart !== null && run.startDate !== null && msBetween(r.runStart, run.startDate) < 0;
  if (byUs || old) return r;
  if (r.badData && sameAttempt(r, run)) return endedBad(draft, incident, r, run);
  const anyway = r.state === 'failing' && sameAttempt(r, run);
  draft.tell(
    incident.id,
    anyway ? 'run.succeeded' : 'run.healed',
    `${r.dagId} ${r.runId}`,
    reason(anyway ? 'run_succeeded_anyway' : 'healed_outside'),
    AIRFLOW,
  );
  return { ...r, state: anyway ? 'succeeded' : 'healed' };
}

function endedBad(draft: Draft, incident: Incident, r: IncidentRun, run: RunFacts): IncidentRun {
  if (r.state === 'failed' && r.runStart !== null) return r;
  if (r.state !== 'failed') draft.tell(incident.id, 'run.succeeded', `${r.dagId} ${r.runId}`, reason('bad_data_ended'), AIRFLOW);
  return { ...r, state: 'failed', runStart: run.startDate };
}

function failed(draft: Draft, incident: Incident, r: IncidentRun, run: RunFacts): IncidentRun {
  if (r.state === 'failed' && sameAttempt(r, run)) return r.runStart === null ? { ...r, runStart: run.startDate } : r;
  draft.tell(incident.id, 'run.failed', `${r.dagId} ${r.runId}`, reason('run_failed', { run: r.runId }), AIRFLOW);
  // The end of the run may name more failed tasks than the first signal did: containment looks again.
  if (r.role === 'cause' && incident.type !== 'platform') requestSurvey(draft, incident.id);
  return { ...r, state: 'failed', runStart: run.startDate };
}

function moving(draft: Draft, incident: Incident, r: IncidentRun, run: RunFacts, byUs: boolean): IncidentRun {
  if (r.state === 'failing') return r.runStart === null && run.startDate !== null ? { ...r, runStart: run.startDate } : r;
  if (r.state !== 'failed' || sameAttempt(r, run)) return r;
  if (!byUs) draft.tell(incident.id, 'run.rerunning', `${r.dagId} ${r.runId}`, reason('rerun_outside'), AIRFLOW);
  return { ...r, state: 'rerunning' };
}

/** Everything that had failed is whole again without a repair of ours: verified and released by the same path. */
function settleHealing(draft: Draft, incident: Incident, seen: Observation): void {
  if (activeRepair(draft, incident.id)?.state === 'running' || incident.status === 'verifying') return;
  // Once: fallout that is left, or a declared incident without a run, would have it told at each look. An outage has sick runs of many DAGs.
  const sick = Map.groupBy(incident.runs.filter(isSick), (r) => r.dagId);
  const later = [...sick].flatMap(([dagId, runs]) => laterSuccess(draft, incident, dagId, runs, seen) ?? []);
  if (later.length > 0) {
    const heals = (r: IncidentRun) => isSick(r) && later.some((l) => l.dagId === r.dagId);
    draft.patchIncident(incident.id, { runs: incident.runs.map((r) => (heals(r) ? { ...r, state: 'healed' as const } : r)) });
    for (const l of later) draft.tell(incident.id, 'run.healed', `${l.dagId} ${l.runId}`, reason('later_run_heals'), AIRFLOW);
  }
  if (incident.runs.length === 0 || !allWhole(draft.incident(incident.id))) return;
  const anyway = incident.runs.every((r) => r.state === 'succeeded');
  verify(draft, incident.id, reason(later.length > 0 ? 'later_run_heals' : anyway ? 'run_succeeded_anyway' : 'healed_outside'));
}

const HEALS_TAG = 'firedamper:latest-heals';

function laterSuccess(
  draft: Draft,
  { airflow }: Incident,
  dagId: string,
  sick: readonly IncidentRun[],
  seen: Observation,
): RunFacts | undefined {
  const tags = draft.context.world.dag(airflow, dagId)?.tags ?? [];
  if (!draft.policy.repair.latestHeals && !tags.includes(HEALS_TAG)) return undefined;
  const lastFailure = sick.map((r) => r.failedAt).reduce(latest);
  return seen.runs.find(
    (r) => r.dagId === dagId && r.state === 'success' && r.startDate !== null && msBetween(lastFailure, r.startDate) > 0,
  );
}
