/** Opening and reopening an incident: type, severity, title, and the rule that gave them. */
import { requestSurvey } from './containment.ts';
import { addMs, type Draft, latest } from './draft.ts';
import {
  type BrokenFile,
  type Incident,
  type IncidentRun,
  type IncidentTimestamps,
  type IncidentType,
  isAboutFiles,
} from './incident.ts';
import { isHolding, isOver } from './lifecycle.ts';
import { walk } from './lineage.ts';
import type { Severity } from './policy.ts';
import { type Reason, reason } from './reason.ts';
import type { Signal } from './signal.ts';
import { setStatus } from './status.ts';
import { AIRFLOW } from './timeline.ts';
import { sendBack } from './verification.ts';

export function openIncident(draft: Draft, signal: Signal, run: IncidentRun): Incident {
  const mass = massFailure(draft, signal);
  if (mass) return openPlatform(draft, signal, run, mass);
  const type = signal.said.incidentType ?? 'pipeline_failure';
  const rule = judgeSeverity(draft, signal.airflow, signal.dagId, type);
  const said = signal.said.severity;
  const why = failureReason(signal);
  const incident = newIncident(draft, {
    airflow: signal.airflow,
    dagId: signal.dagId,
    type,
    severity: said ?? rule.severity,
    rule: said ? `${type}; ${said} because the author of ${signal.dagId} says so` : rule.sentence,
    ruledBy: said ? 'author' : 'policy',
    title: titleOf(signal),
    runs: [run],
    failedAt: run.failedAt,
    why,
  });
  draft.tell(incident.id, 'incident.opened', signal.dagId, why, AIRFLOW, signal.text);
  tellNote(draft, incident.id, signal);
  draft.notice(incident.id, 'opened', signal.dagId);
  requestSurvey(draft, incident.id);
  return draft.incident(incident.id);
}

function titleOf(s: Signal): string {
  if (s.said.title !== null) return s.said.title;
  return s.taskId === null ? `run ${s.runId} of ${s.dagId} failed` : `${s.taskId} of ${s.dagId} failed`;
}

export function failureReason(s: Signal): Reason {
  if (s.kind === 'report') return reason('bad_data', { what: s.text ?? s.said.title ?? s.dagId });
  return s.kind === 'task_failed'
    ? reason('failure_final', { task: s.taskId ?? '?', run: s.runId })
    : reason('run_failed', { run: s.runId });
}

export function tellNote(draft: Draft, incidentId: string, s: Signal): void {
  if (s.said.note !== null)
    draft.tell(
      incidentId,
      'signal.note',
      `${s.dagId} ${s.runId}`,
      reason('author_says', { what: 'a note' }),
      AIRFLOW,
      s.said.note,
    );
}

export interface NewIncident {
  readonly airflow: string;
  readonly dagId: string;
  readonly type: IncidentType;
  readonly severity: Severity;
  readonly rule: string;
  readonly ruledBy: Incident['ruledBy'];
  readonly title: string;
  readonly runs: readonly IncidentRun[];
  readonly files?: readonly BrokenFile[];
  readonly outage?: true;
  readonly failedAt: string;
  readonly why: Reason;
}

export function newIncident(draft: Draft, from: NewIncident): Incident {
  const { failedAt, why, ...rest } = from;
  return draft.putIncident({
    id: draft.nextId('inc'),
    ...rest,
    status: 'open',
    statusReason: why,
    mode: draft.policy.mode,
    spared: [],
    gaps: [],
    deliveries: [],
    timestamps: { ...NO_TIMES, failedAt, openedAt: draft.now },
    acknowledgedBy: null,
    fixedBy: null,
    surveyPending: false,
    releasing: false,
  });
}

const NO_TIMES: Omit<IncidentTimestamps, 'failedAt' | 'openedAt'> = {
  reopenedAt: null,
  acknowledgedAt: null,
  containedAt: null,
  fixedAt: null,
  repairedAt: null,
  verifiedAt: null,
  releasedAt: null,
  resolvedAt: null,
  dismissedAt: null,
};

const RANK: readonly Severity[] = ['P0', 'P1', 'P2', 'P3'];
export const isGraver = (a: Severity, b: Severity): boolean => RANK.indexOf(a) < RANK.indexOf(b);

/** The simplest honest rule: P1 where the failing DAG, or something downstream of it, carries a tag that says so; else the default. */
export function judgeSeverity(
  draft: Draft,
  airflow: string,
  dagId: string,
  type: IncidentType,
  what = naming(type),
): { severity: Severity; sentence: string } {
  const { p1Tags, p1Severity, defaultSeverity } = draft.policy.severity;
  const world = draft.context.world;
  const tagOf = (a: string, d: string) => world.dag(a, d)?.tags.find((t) => p1Tags.includes(t));
  const own = tagOf(airflow, dagId);
  if (own)
    return {
      severity: p1Severity,
      sentence: `${what}; ${p1Severity} because ${dagId} is tagged ${own}`,
    };
  for (const down of walk(world.edges(), { airflow, dagId }, null).reached) {
    const tag = tagOf(down.airflow, down.dagId);
    if (tag)
      return {
        severity: p1Severity,
        sentence: `${what}; ${p1Severity} because ${down.dagId} downstream is tagged ${tag}`,
      };
  }
  const listed = p1Tags.join(', ') || 'no tag';
  return {
    severity: defaultSeverity,
    sentence: `${what}; ${defaultSeverity} because neither it nor anything downstream is tagged ${listed}`,
  };
}

const naming = (type: IncidentType): string =>
  type === 'pipeline_failure' ? 'a failed DAG is a pipeline_failure' : `reported as ${type}`;

/** Too many different DAGs at once look like Airflow itself, not like bad data: a responder must not become the outage. */
function massFailure(draft: Draft, signal: Signal): number | null {
  const since = addMs(draft.now, -draft.policy.platform.windowMs);
  const failing = new Set(
    draft
      .incidents()
      .filter((i) => i.airflow === signal.airflow && !isOver(i.status) && i.timestamps.openedAt >= since)
      .flatMap((i) => (i.type === 'platform' ? i.runs.map((r) => r.dagId) : [i.dagId])),
  );
  failing.add(signal.dagId);
  return failing.size >= draft.policy.platform.massFailureDags ? failing.size : null;
}

function openPlatform(draft: Draft, signal: Signal, run: IncidentRun, count: number): Incident {
  const about = (i: Incident) => i.airflow === signal.airflow && i.type === 'platform' && !isAboutFiles(i);
  const open = draft.incidents().find((i) => about(i) && !isOver(i.status));
  if (open) {
    draft.tell(open.id, 'signal.joined', `${signal.dagId} ${signal.runId}`, reason('joined_cause'), AIRFLOW);
    draft.putIncident({ ...open, runs: [...open.runs, run] });
    sendBack(draft, open.id, failureReason(signal));
    return draft.incident(open.id);
  }
  const why = reason('mass_failure', { count: String(count), window: `${draft.policy.platform.windowMs / 1000} s` });
  const incident = newIncident(draft, {
    airflow: signal.airflow,
    dagId: signal.dagId,
    type: 'platform',
    severity: draft.policy.severity.p1Severity,
    ruledBy: 'policy',
    rule: `${count} DAGs failing within ${draft.policy.platform.windowMs / 1000} s make one platform incident without holds`,
    title: `${count} DAGs of ${signal.airflow} fail at once`,
    runs: [run],
    outage: true,
    failedAt: run.failedAt,
    why,
  });
  draft.tell(incident.id, 'incident.opened', signal.airflow, why, AIRFLOW);
  draft.notice(incident.id, 'opened', signal.airflow);
  return setStatus(draft, incident.id, 'contained', why);
}

/** A cause that fails again within the monitoring time continues its own story instead of beginning another. */
export function reopen(draft: Draft, incident: Incident): Incident {
  // Our clock may have jumped back: the new episode begins after everything of the one before, or its holds would count as made already.
  const reopenedAt = draft.holdsOf(incident.id).reduce((t, h) => latest(t, addMs(h.since, 1)), draft.now);
  // As it was while something of it is still held; else what the policy says today.
  const held = draft.holdsOf(incident.id).some((h) => h.releasedAt === null);
  const again = draft.putIncident({
    ...incident,
    mode: held ? incident.mode : draft.policy.mode,
    releasing: false,
    // What a released DAG has not been given yet, it is owed whatever happens to its cause.
    deliveries: incident.deliveries.filter((d) => d.state === 'waiting'),
    fixedBy: null,
    heldOver: draft.holdsOf(incident.id).flatMap((h) => (isHolding(h.state) ? [h.id] : [])),
    timestamps: {
      ...incident.timestamps,
      reopenedAt,
      containedAt: null,
      fixedAt: null,
      repairedAt: null,
      verifiedAt: null,
      releasedAt: null,
      resolvedAt: null,
    },
  });
  draft.tell(incident.id, 'incident.reopened', incident.dagId, reason('reopened'), AIRFLOW);
  draft.notice(incident.id, 'opened', incident.dagId);
  return setStatus(draft, again.id, 'open', reason('reopened'));
}
