import type { LineageEdge } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import type { BrokenFile, Delivery, Incident, IncidentRun, IncidentTimestamps, Spared } from '../core/incident.ts';
import type { PlannedRun, Repair, Step, StepRequest } from '../core/plan.ts';
import { type Reason, sentence } from '../core/reason.ts';
import type { HeardSignal } from '../core/signal.ts';
import type { DagView, IncidentView, StoredEntry } from '../store/readModels.ts';
import { whyPaused } from '../web/why.ts';
import type { ReleasePreview } from './deps.ts';
import type { Api } from './schema.ts';

const said = (reason: Reason) => ({ reason: sentence(reason), reason_code: reason.code });
const reasonJson = (reason: Reason): Api['Reason'] => ({ code: reason.code, text: sentence(reason) });

export const incidentPage = (publicUrl: string, id: string): string =>
  `${publicUrl.replace(/\/+$/, '')}/incidents/${encodeURIComponent(id)}`;

/** Our words as the outside sees them: snake_case, reasons as text with their code beside. The types come from openapi/service.yaml. */
export function incidentJson(view: IncidentView, publicUrl: string): Api['Incident'] {
  const { incident } = view;
  return {
    ...incidentHead(incident, publicUrl),
    runs: incident.runs.map(incidentRunJson),
    broken_files: (incident.files ?? []).map(brokenFileJson),
    signals: view.signals.map(signalJson),
    holds: view.holds.map(holdJson),
    spared: incident.spared.map(sparedJson),
    repairs: view.repairs.map(repairJson),
    deliveries: incident.deliveries.map(deliveryJson),
    gaps: incident.gaps.map(({ source, why }) => ({ source, why })),
    timestamps: timestampsJson(incident.timestamps),
  };
}

function incidentHead(incident: Incident, publicUrl: string) {
  return {
    id: incident.id,
    status: incident.status,
    status_reason: reasonJson(incident.statusReason),
    severity: incident.severity,
    type: incident.type,
    rule: incident.rule,
    title: incident.title,
    mode: incident.mode,
    airflow: incident.airflow,
    dag_id: incident.dagId,
    opened_at: incident.timestamps.openedAt,
    page: incidentPage(publicUrl, incident.id),
    acknowledged_by: incident.acknowledgedBy,
    fixed_by: incident.fixedBy,
  };
}

const brokenFileJson = ({ file, error, dags, since, loadedAt }: BrokenFile): Api['BrokenFile'] => ({
  ...{ file, error, dags: [...dags], since, loaded_at: loadedAt },
});

const incidentRunJson = (run: IncidentRun): Api['IncidentRun'] => ({
  dag_id: run.dagId,
  run_id: run.runId,
  role: run.role,
  state: run.state,
  run_type: run.runType,
  logical_date: run.logicalDate,
  run_start: run.runStart,
  failed_tasks: run.failedTasks,
  failed_at: run.failedAt,
  bad_data: run.badData,
});

export const signalJson = (signal: HeardSignal): Api['Signal'] => ({
  id: signal.id,
  incident_id: signal.incidentId,
  airflow: signal.airflow,
  kind: signal.kind,
  origin: signal.origin,
  dag_id: signal.dagId,
  run_id: signal.runId,
  task_id: signal.taskId,
  map_index: signal.mapIndex,
  try_number: signal.tryNumber,
  occurred_at: signal.occurredAt,
  heard_at: signal.heardAt,
  text: signal.text,
  log_url: signal.logUrl,
  outcome: signal.outcome,
});

export const holdJson = (hold: Hold): Api['Hold'] => ({
  id: hold.id,
  airflow: hold.airflow,
  dag_id: hold.dagId,
  incident_id: hold.incidentId,
  state: hold.state,
  found_paused: hold.foundPaused,
  ...said(hold.reason),
  path: hold.path,
  depth: hold.depth,
  since: hold.since,
  review_by: hold.reviewBy,
  released_at: hold.releasedAt,
});

const sparedJson = (spared: Spared): Api['Spared'] => ({
  airflow: spared.airflow,
  dag_id: spared.dagId,
  ...said(spared.reason),
  path: spared.path,
});

const deliveryJson = (delivery: Delivery): Api['Delivery'] => ({
  airflow: delivery.airflow,
  dag_id: delivery.dagId,
  how: delivery.how,
  ...said(delivery.reason),
  expect_run: delivery.expectRun,
  since: delivery.since,
  run_id: delivery.runId,
  state: delivery.state,
});

const timestampsJson = (at: IncidentTimestamps): Api['Timestamps'] => ({
  failed_at: at.failedAt,
  opened_at: at.openedAt,
  acknowledged_at: at.acknowledgedAt,
  contained_at: at.containedAt,
  fixed_at: at.fixedAt,
  repaired_at: at.repairedAt,
  verified_at: at.verifiedAt,
  released_at: at.releasedAt,
  reopened_at: at.reopenedAt,
  resolved_at: at.resolvedAt,
  dismissed_at: at.dismissedAt,
});

export const entryJson = (entry: StoredEntry): Api['TimelineEntry'] => ({
  id: entry.id,
  incident_id: entry.incidentId,
  at: entry.at,
  actor: entry.actor.kind === 'person' ? entry.actor.name : entry.actor.kind,
  actor_kind: entry.actor.kind,
  event: entry.event,
  subject: entry.subject,
  ...said(entry.reason),
  comment: entry.comment,
});

export const repairJson = (repair: Repair): Api['Repair'] => ({
  id: repair.id,
  incident_id: repair.incidentId,
  airflow: repair.airflow,
  state: repair.state,
  state_reason: reasonJson(repair.stateReason),
  digest: repair.digest,
  steps: repair.steps.map(stepJson),
  warnings: repair.warnings,
  requested_by: repair.requestedBy,
  created_at: repair.createdAt,
  expires_at: repair.expiresAt,
  approval: repair.approval === null ? null : { ...repair.approval },
  ended_at: repair.endedAt,
});

const stepJson = (step: Step): Api['Step'] => ({
  n: step.n,
  dag_id: step.dagId,
  wave: step.wave,
  stage: step.stage,
  kind: step.request.kind,
  request: requestJson(step.request),
  dry_run: step.dryRun,
  runs: step.runs.map(plannedRunJson),
  state: step.state,
  reason: step.reason === null ? null : sentence(step.reason),
  reason_code: step.reason?.code ?? null,
  progress: step.progress.map((run) => ({ run_id: run.runId, logical_date: run.logicalDate, state: run.state })),
  started_at: step.startedAt,
  ended_at: step.endedAt,
});

const plannedRunJson = (run: PlannedRun): Api['PlannedRun'] => ({
  run_id: run.runId,
  logical_date: run.logicalDate,
  tasks: run.tasks.map((task) => ({ task_id: task.taskId, map_index: task.mapIndex })),
});

function requestJson(request: StepRequest): Api['Step']['request'] {
  switch (request.kind) {
    case 'clear':
      return {
        kind: 'clear',
        run_id: request.runId,
        logical_date: request.logicalDate,
        tasks: request.tasks,
        run_start: request.runStart,
      };
    case 'backfill':
      return {
        kind: 'backfill',
        from: request.from,
        to: request.to,
        reprocess: request.reprocess,
        max_active_runs: request.maxActiveRuns,
      };
    case 'create_run':
      return {
        kind: 'create_run',
        run_id: request.runId,
        logical_date: request.logicalDate,
        interval_start: request.intervalStart,
        interval_end: request.intervalEnd,
      };
  }
}

export const previewJson = (preview: ReleasePreview): Api['ReleasePreview'] => ({
  incident_id: preview.incidentId,
  dags: preview.dags.map((dag) => ({
    dag_id: dag.dagId,
    hold_state: dag.holdState,
    will_unpause: dag.willUnpause,
    why: dag.why,
    frozen_runs: dag.frozenRuns,
    queued_runs: dag.queuedRuns,
    would_time_out: dag.wouldTimeOut,
    starts_by_itself: dag.startsByItself,
    compensation: dag.compensation,
  })),
});

export function dagJson(airflow: string, dagId: string, view: DagView): Api['Dag'] {
  return {
    airflow,
    dag_id: dagId,
    paused: view.facts?.paused ?? null,
    why: whyPaused(view),
    tags: view.facts?.tags ?? [],
    owners: view.facts?.owners ?? [],
    schedule: view.facts?.schedule ?? null,
    ownership: {
      state: view.ownership?.state ?? 'none',
      since: view.ownership?.since ?? null,
      uncertain: view.ownership?.uncertain ?? false,
    },
    holds: view.holds.map(holdJson),
    upstream: view.upstream.map(edgeJson),
    downstream: view.downstream.map(edgeJson),
  };
}

const edgeJson = (edge: LineageEdge): Api['Edge'] => ({
  from: { airflow: edge.from.airflow, dag_id: edge.from.dagId },
  to: { airflow: edge.to.airflow, dag_id: edge.to.dagId },
  kind: edge.kind,
  via: edge.via,
  from_tasks: edge.fromTasks,
  waits: edge.waits,
  source: edge.source,
});
