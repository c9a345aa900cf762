/**
 * From a signal to its incident: known already, not watched, a retry, one more failure of a known cause, fallout of another incident, the
 * platform, or something new. Each answer has a reason, also the ones that open nothing.
 */
import { requestSurvey } from './containment.ts';
import { addMs, type Draft, msBetween, sameDag } from './draft.ts';
import { anyGlob } from './glob.ts';
import { type Incident, type IncidentRun, isOfItsDag } from './incident.ts';
import { isHolding, isOver } from './lifecycle.ts';
import { failureReason, isGraver, openIncident, reopen, tellNote } from './opening.ts';
import { type Reason, reason, sentence } from './reason.ts';
import type { Signal } from './signal.ts';
import { AIRFLOW } from './timeline.ts';
import { isSick, isWhole, sendBack } from './verification.ts';

export function hear(draft: Draft, signal: Signal): void {
  const verdict = judge(draft, signal);
  draft.hear({
    ...signal,
    id: draft.nextId('sig'),
    heardAt: draft.now,
    incidentId: verdict.incident?.id ?? null,
    outcome: sentence(verdict.reason),
  });
  draft.answerWith({ incidentId: verdict.incident?.id ?? null, note: verdict.reason });
}

interface Verdict {
  readonly incident: Incident | null;
  readonly reason: Reason;
}

function judge(draft: Draft, signal: Signal): Verdict {
  const mine = activeFor(draft, signal);
  if (draft.knownSignals.has(signal.key) && !isFirstToCallItBad(draft, signal)) {
    // The listener was faster than the callback that carries the author's words (2.11.2): the failure is known, the words are not.
    if (mine) heed(draft, mine, signal);
    return { incident: mine ?? null, reason: reason('repeated_signal') };
  }
  if (signal.kind === 'task_retry')
    return { incident: mine ?? null, reason: reason('will_retry', { task: signal.taskId ?? '?' }) };
  if (signal.kind === 'run_succeeded') return { incident: mine ?? null, reason: reason('repeated_signal') };
  const unwatched = notWatched(draft, signal);
  if (unwatched) return { incident: null, reason: reason('not_watched', { what: unwatched }) };
  // How the run ends says nothing about data that a check has found bad.
  if (draft.policy.hold.at === 'run_end' && signal.kind === 'task_failed' && !signal.said.badData)
    return { incident: mine ?? null, reason: reason('hold_at_run_end') };
  if (mine) return { incident: join(draft, mine, signal, 'cause'), reason: reason('joined_cause') };
  const explained = explains(draft, signal);
  if (explained) {
    const why = reason('fallout', { dag: signal.dagId, cause: explained.dagId });
    return { incident: join(draft, explained, signal, 'fallout'), reason: why };
  }
  const recent = recentlyReleased(draft, signal);
  if (recent) return { incident: join(draft, reopen(draft, recent), signal, 'cause', true), reason: reason('reopened') };
  return { incident: openIncident(draft, signal, runOf(signal, 'cause', draft.now)), reason: failureReason(signal) };
}

/**
 * The poll had no words for the failed check, and found the failure before the callback with them got through: other readers than those of the failed task
 * are to be held, and the success of the run proves nothing. What has run again since and is whole is other data; told again, it is no news even when the
 * incident is long over.
 */
function isFirstToCallItBad(draft: Draft, s: Signal): boolean {
  const runs = draft.incidents().flatMap((i) => (i.airflow === s.airflow ? i.runs : []));
  const known = runs.filter((r) => r.dagId === s.dagId && r.runId === s.runId);
  return s.said.badData && draft.knownSignals.get(s.key) === false && !known.some((r) => r.badData || r.state === 'healed');
}

/**
 * The author's severity and type replace the policy's guess, and a graver word an author's earlier one; a person's word stands. Bad data reported
 * once is never taken back by a later word.
 */
function heed(draft: Draft, incident: Incident, s: Signal): void {
  tellNote(draft, incident.id, s);
  if (incident.ruledBy === 'person') return;
  const { severity, incidentType } = s.said;
  const type = incidentType !== null && incident.type === 'pipeline_failure' ? incidentType : incident.type;
  const ruled = severity !== null && (incident.ruledBy === 'policy' || isGraver(severity, incident.severity)) ? severity : null;
  if (type !== incident.type) draft.patchIncident(incident.id, { type });
  if (ruled !== null) {
    const rule = `${type}; ${ruled} because the author of ${s.dagId} says so`;
    draft.patchIncident(incident.id, { severity: ruled, ruledBy: 'author', rule });
  }
  const changes = [
    ...(ruled === null || ruled === incident.severity ? [] : [`severity ${incident.severity} -> ${ruled}`]),
    ...(type === incident.type ? [] : [`type ${incident.type} -> ${type}`]),
  ];
  if (changes.length === 0) return;
  draft.tell(incident.id, 'incident.edited', s.dagId, reason('author_says', { what: changes.join(', ') }), AIRFLOW);
}

const OPS_TAG = 'firedamper:ops';

/** The text names the first rule that keeps this failure out; null = watched. */
function notWatched(draft: Draft, signal: Signal): string | null {
  const watch = draft.policy.watch;
  if (!anyGlob(watch.dags, signal.dagId)) return `DAG ${signal.dagId} is not on the list of watched DAGs`;
  if (anyGlob(watch.ignoreDags, signal.dagId)) return `DAG ${signal.dagId} is ignored`;
  if (signal.runType !== null && watch.ignoreRunTypes.includes(signal.runType))
    return `runs of type ${signal.runType} are ignored`;
  const tags = draft.context.world.dag(signal.airflow, signal.dagId)?.tags ?? [];
  // A step of a response that is refused or fails is the business of whoever triggered it. What its check says about data is heard.
  if (signal.kind !== 'report' && tags.includes(OPS_TAG)) return `${signal.dagId} is a step of a response, not a pipeline`;
  const tag = tags.find((t) => watch.ignoreTags.includes(t));
  return tag === undefined ? null : `tag ${tag} is ignored`;
}

function activeFor(draft: Draft, s: Signal): Incident | undefined {
  const live = draft.incidents().filter((i) => i.airflow === s.airflow && !isOver(i.status) && !i.releasing);
  return (
    live.find((i) => i.dagId === s.dagId && isOfItsDag(i)) ?? live.find((i) => i.type === 'platform' && isOfPlatform(draft, i, s))
  );
}

/**
 * What a run does that failed in the outage, and what fails beside others of it. Nothing is held for it and nobody told, and one run that is never cleared
 * keeps it open for days: a later failure has a reason of its own, or they are many at once again.
 */
function isOfPlatform(draft: Draft, { runs }: Incident, s: Signal): boolean {
  const mine = runs.filter((r) => r.dagId === s.dagId);
  const beside = (r: IncidentRun) =>
    r.dagId !== s.dagId && Math.abs(msBetween(r.failedAt, s.occurredAt)) <= draft.policy.platform.windowMs;
  return mine.some((r) => r.runId === s.runId && !isWhole(r)) || (mine.length > 0 && runs.some(beside));
}

/**
 * An active incident explains the failure of a DAG behind it when that run can have read what was missing: it started after the failure, or
 * the link is a sensor, which fails by waiting. A run that started before is a cause of its own: joining it would hide a second problem.
 */
function explains(draft: Draft, s: Signal): Incident | undefined {
  return draft.incidents().find((incident) => {
    if (isOver(incident.status) || incident.releasing || incident.airflow !== s.airflow) return false;
    const hold = draft.holdsOf(incident.id).find((h) => sameDag(h, s) && (isHolding(h.state) || h.state === 'ceded'));
    const spared = incident.spared.find((d) => sameDag(d, s) && d.reason.code !== 'not_affected');
    if (!hold && !spared) return false;
    if (hold?.link === 'sensor') return true;
    return s.runStart !== null && msBetween(brokenSince(incident), s.runStart) >= 0;
  });
}

/** By Airflow's clock. Of an incident that was opened again: since what is broken now failed, not since we heard of it. */
function brokenSince({ runs, timestamps }: Incident): string {
  if (timestamps.reopenedAt === null) return timestamps.failedAt;
  const broken = runs.filter(isSick).map((r) => r.failedAt);
  return broken.sort()[0] ?? timestamps.reopenedAt;
}

/** The same cause: the same DAG failing again, in a task that had failed before where the tasks are known. */
function recentlyReleased(draft: Draft, s: Signal): Incident | undefined {
  const since = addMs(draft.now, -draft.policy.monitor.reopenWithinMs);
  return draft
    .incidents()
    .filter((i) => i.airflow === s.airflow && i.dagId === s.dagId && i.releasing && i.status !== 'dismissed' && isOfItsDag(i))
    .filter((i) => (i.timestamps.releasedAt ?? i.timestamps.resolvedAt ?? i.timestamps.openedAt) >= since)
    .find((i) => {
      const failedBefore = i.runs.filter((r) => r.role === 'cause').flatMap((r) => r.failedTasks);
      return s.taskId === null || failedBefore.length === 0 || failedBefore.includes(s.taskId);
    });
}

export function runOf(s: Signal, role: IncidentRun['role'], now: string): IncidentRun {
  return {
    dagId: s.dagId,
    runId: s.runId,
    role,
    state: s.kind === 'run_failed' ? 'failed' : 'failing',
    badData: s.said.badData,
    runType: s.runType,
    logicalDate: s.logicalDate,
    runStart: s.runStart,
    failedTasks: s.taskId === null ? [] : [s.taskId],
    failedAt: s.occurredAt < now ? s.occurredAt : now,
  };
}

/** Adds the failure to the incident; new failed tasks or runs may reach more DAGs, so the facts are read again. */
function join(draft: Draft, incident: Incident, signal: Signal, role: IncidentRun['role'], reopened = false): Incident {
  const known = incident.runs.find((r) => r.dagId === signal.dagId && r.runId === signal.runId);
  const run = known ? merge(known, signal, draft.now, reopened) : runOf(signal, role, draft.now);
  const runs = known ? incident.runs.map((r) => (r === known ? run : r)) : [...incident.runs, run];
  const changed = draft.putIncident({ ...incident, runs });
  heed(draft, changed, signal);
  if (known && run.runStart !== known.runStart && known.runStart !== null) {
    draft.tell(
      incident.id,
      'run.failed',
      `${signal.dagId} ${signal.runId}`,
      reason('run_failed', { run: signal.runId }),
      AIRFLOW,
    );
  }
  const worse = known !== undefined && run.badData && (!known.badData || run.state !== known.state);
  const again = known !== undefined && isWhole(known) && !isWhole(run);
  if (
    !known ||
    worse ||
    again ||
    reopened ||
    run.failedTasks.length > known.failedTasks.length ||
    (known.state === 'failing' && run.state === 'failed')
  ) {
    const code = role === 'fallout' ? reason('fallout', { dag: signal.dagId, cause: incident.dagId }) : failureReason(signal);
    draft.tell(
      incident.id,
      role === 'fallout' ? 'signal.fallout' : 'signal.joined',
      `${signal.dagId} ${signal.runId}`,
      code,
      AIRFLOW,
    );
    if (role === 'cause' && changed.type !== 'platform') requestSurvey(draft, changed.id);
    sendBack(draft, changed.id, code);
  }
  return draft.incident(incident.id);
}

function merge(known: IncidentRun, s: Signal, now: string, reopened: boolean): IncidentRun {
  const failedTasks =
    s.taskId === null || known.failedTasks.includes(s.taskId) ? known.failedTasks : [...known.failedTasks, s.taskId];
  // A late callback must not turn a run that was cleared since back into a failed one: only observations may do that.
  const ofRun = s.kind === 'run_failed' || s.said.badData;
  const newer = s.runStart !== null && known.runStart !== null && s.runStart > known.runStart;
  const newAttempt = ofRun && newer;
  // Whole since, cleared once more, and failing again. A late callback may say so of a run that is whole: the survey reads it, and success is final.
  const again = isWhole(known) && (newer || reopened);
  // A run that had "succeeded all the same" made bad data after all.
  const worse = s.said.badData && known.state === 'succeeded';
  const ended = s.kind === 'run_failed';
  const state =
    newAttempt || worse || (known.state === 'failing' && ended) || (again && ended) ? 'failed' : again ? 'failing' : known.state;
  return {
    ...known,
    failedTasks,
    state,
    badData: known.badData || s.said.badData,
    runStart: newAttempt || again ? (s.runStart ?? known.runStart) : (known.runStart ?? s.runStart),
    failedAt: newAttempt || again ? runOf(s, known.role, now).failedAt : known.failedAt,
    runType: known.runType ?? s.runType,
    logicalDate: known.logicalDate ?? s.logicalDate,
  };
}
