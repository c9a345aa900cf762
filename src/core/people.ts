/** What people may do, who may do it, and what it changes. The door checks roles too; here they are checked at the moment of the decision. */
import { conflict, invalid, notFound } from '../errors.ts';
import { requireRole } from './approval.ts';
import { requestSurvey } from './containment.ts';
import { missedUnread } from './deliveries.ts';
import type { Draft } from './draft.ts';
import type { Person, PersonAct } from './events.ts';
import { type Incident, isAboutFiles, isOfItsDag } from './incident.ts';
import { isOver } from './lifecycle.ts';
import { judgeSeverity, newIncident } from './opening.ts';
import { letGo } from './ownership.ts';
import { reason } from './reason.ts';
import { settleRelease, startRelease } from './release.ts';
import { approve, endByPerson, propose } from './repair.ts';
import { confirmRestore, refuseWhileObserving } from './restore.ts';
import { activeRepair, setStatus, stamp } from './status.ts';
import type { Actor } from './timeline.ts';
import { verifyByPerson } from './verification.ts';

export function act(draft: Draft, person: Person, a: PersonAct): void {
  const who: Actor = { kind: 'person', name: person.name };
  refuseWhileObserving(draft, a);
  switch (a.kind) {
    case 'acknowledge':
      requireRole(person, 'responder');
      return acknowledge(draft, live(draft, a.incidentId), who, a.comment);
    case 'fixed':
      requireRole(person, 'responder');
      return fixed(draft, live(draft, a.incidentId), person, a.comment);
    case 'edit':
      requireRole(person, 'responder');
      return edit(draft, live(draft, a.incidentId), who, a);
    case 'verify':
      requireRole(person, 'responder');
      verifyByPerson(draft, live(draft, a.incidentId).id, person, a.comment);
      return draft.answerWith({ incidentId: a.incidentId });
    case 'declare':
      requireRole(person, 'responder');
      return declare(draft, who, a);
    case 'dismiss':
      requireRole(person, 'approver');
      return dismiss(draft, live(draft, a.incidentId), who, a.comment);
    case 'release':
      requireRole(person, 'approver');
      return override(draft, live(draft, a.incidentId), who, a.comment);
    case 'release_hold':
      requireRole(person, 'approver');
      return releaseHold(draft, who, a.holdId, a.comment);
    case 'approve':
      approve(draft, a.repairId, person, a.digest, a.comment);
      return draft.answerWith({ repairId: a.repairId, incidentId: draft.repair(a.repairId)?.incidentId ?? null });
    case 'reject':
    case 'cancel':
      requireRole(person, 'approver');
      endByPerson(draft, a.repairId, person, a.kind === 'reject' ? 'rejected' : 'cancelled', a.comment);
      return draft.answerWith({ repairId: a.repairId, incidentId: draft.repair(a.repairId)?.incidentId ?? null });
    case 'confirm_restore':
      return confirmRestore(draft, person, a.comment);
    default:
      a satisfies never;
  }
}

function live(draft: Draft, id: string): Incident {
  const incident = draft.findIncident(id);
  if (!incident) throw notFound(`no incident ${id}`);
  if (isOver(incident.status)) throw conflict(`incident ${id} is ${incident.status}`, { status: incident.status });
  return incident;
}

function acknowledge(draft: Draft, incident: Incident, who: Actor & { kind: 'person' }, comment: string | null): void {
  draft.answerWith({ incidentId: incident.id });
  if (incident.acknowledgedBy === who.name) return;
  const timestamps = { ...incident.timestamps, acknowledgedAt: incident.timestamps.acknowledgedAt ?? draft.now };
  draft.patchIncident(incident.id, { acknowledgedBy: who.name, timestamps });
  draft.tell(incident.id, 'incident.acknowledged', incident.dagId, reason('acknowledged'), who, comment);
}

function fixed(draft: Draft, incident: Incident, person: Person, comment: string | null): void {
  if (isAboutFiles(incident)) {
    const still = incident.files?.filter((f) => f.loadedAt === null).map((f) => f.file);
    throw conflict(`incident ${incident.id} ends by itself as soon as Airflow loads ${still?.join(', ')}`, {
      status: incident.status,
    });
  }
  if (incident.releasing || incident.status === 'verifying') {
    throw conflict(`incident ${incident.id} is ${incident.status}: there is nothing left to repair`, { status: incident.status });
  }
  draft.patchIncident(incident.id, { fixedBy: person.name });
  stamp(draft, incident.id, 'fixedAt');
  draft.tell(
    incident.id,
    'incident.fixed',
    incident.dagId,
    reason('marked_fixed'),
    { kind: 'person', name: person.name },
    comment,
  );
  const repair = propose(draft, incident.id, person);
  draft.answerWith({ incidentId: incident.id, repairId: repair.id });
}

function edit(draft: Draft, incident: Incident, who: Actor, a: PersonAct & { kind: 'edit' }): void {
  if (a.comment.trim() === '') throw invalid('a reason is needed');
  const changes: string[] = [];
  if (a.severity && a.severity !== incident.severity) changes.push(`severity ${incident.severity} -> ${a.severity}`);
  if (a.incidentType && a.incidentType !== incident.type) changes.push(`type ${incident.type} -> ${a.incidentType}`);
  if (a.title && a.title !== incident.title) changes.push('title');
  draft.answerWith({ incidentId: incident.id });
  if (changes.length === 0) return;
  draft.patchIncident(incident.id, {
    severity: a.severity ?? incident.severity,
    type: a.incidentType ?? incident.type,
    title: a.title ?? incident.title,
    ruledBy: a.severity || a.incidentType ? 'person' : incident.ruledBy,
    rule: a.severity || a.incidentType ? `set by ${who.kind === 'person' ? who.name : who.kind}: ${a.comment}` : incident.rule,
  });
  draft.tell(incident.id, 'incident.edited', incident.dagId, reason('edited', { what: changes.join(', ') }), who, a.comment);
}

/** A person reports bad data: the readers of the DAG are held as for a failure. A named run is to run again; without one there is nothing to repair. */
function declare(draft: Draft, who: Actor, a: PersonAct & { kind: 'declare' }): void {
  const active = draft
    .incidents()
    .find((i) => i.airflow === a.airflow && i.dagId === a.dagId && !isOver(i.status) && !i.releasing && isOfItsDag(i));
  if (active) throw conflict(`incident ${active.id} is already open for ${a.dagId}`, { incident: active.id });
  const type = a.incidentType ?? (a.runId === null ? 'pipeline_failure' : 'quality_degradation');
  const rule = judgeSeverity(draft, a.airflow, a.dagId, type);
  const incident = newIncident(draft, {
    airflow: a.airflow,
    dagId: a.dagId,
    type,
    severity: a.severity ?? rule.severity,
    rule: a.severity ? 'declared so by a person' : rule.sentence,
    ruledBy: a.severity ? 'person' : 'policy',
    title: a.title,
    runs: a.runId === null ? [] : [declaredRun(a.dagId, a.runId, draft.now)],
    failedAt: draft.now,
    why: reason('declared'),
  });
  draft.tell(incident.id, 'incident.opened', a.dagId, reason('declared'), who, a.comment);
  draft.notice(incident.id, 'opened', a.dagId);
  requestSurvey(draft, incident.id);
  draft.answerWith({ incidentId: incident.id });
}

const declaredRun = (dagId: string, runId: string, now: string): Incident['runs'][number] => ({
  dagId,
  runId,
  role: 'cause',
  state: 'failing',
  runType: null,
  logicalDate: null,
  runStart: null,
  failedTasks: [],
  failedAt: now,
  badData: true,
});

function noRunningRepair(draft: Draft, incident: Incident): void {
  const repair = activeRepair(draft, incident.id);
  if (repair?.state === 'running') throw conflict(`repair ${repair.id} is running; cancel it first`, { repair: repair.id });
}

function dismiss(draft: Draft, incident: Incident, who: Actor, comment: string): void {
  if (comment.trim() === '') throw invalid('a reason is needed');
  noRunningRepair(draft, incident);
  draft.tell(incident.id, 'incident.dismissed_because', incident.dagId, reason('dismissed'), who, comment);
  setStatus(draft, incident.id, 'dismissed', reason('dismissed'), who);
  stamp(draft, incident.id, 'dismissedAt');
  if (!incident.releasing) startRelease(draft, incident.id, reason('dismissed'));
  draft.answerWith({ incidentId: incident.id });
}

/** A release before verification: law 7 allows it only to a person with the right role and a reason. */
function override(draft: Draft, incident: Incident, who: Actor, comment: string): void {
  if (comment.trim() === '') throw invalid('a reason is needed');
  if (incident.releasing) throw conflict(`incident ${incident.id} is being released already`);
  noRunningRepair(draft, incident);
  const confirms = incident.status === 'verifying' && incident.timestamps.verifiedAt !== null;
  draft.tell(
    incident.id,
    'incident.release_ordered',
    incident.dagId,
    reason(confirms ? 'person_verified' : 'person_release'),
    who,
    comment,
  );
  startRelease(draft, incident.id, reason(confirms ? 'verified_runs' : 'person_release'));
  draft.answerWith({ incidentId: incident.id });
}

function releaseHold(draft: Draft, who: Actor, holdId: string, comment: string): void {
  const hold = draft.holds().find((h) => h.id === holdId);
  if (!hold) throw notFound(`no hold ${holdId}`);
  if (comment.trim() === '') throw invalid('a reason is needed');
  if (hold.releasedAt !== null || hold.state === 'release_intended')
    throw conflict(`the hold is ${hold.state}`, { state: hold.state });
  draft.tell(hold.incidentId, 'hold.release_ordered', hold.dagId, reason('person_release'), who, comment);
  // The plan of the release is being read, and will not name it any more.
  const planning = draft.pending((a) => a.kind === 'plan_release' && a.incidentId === hold.incidentId);
  if (planning && hold.state === 'held') missedUnread(draft, hold);
  letGo(draft, hold, reason('person_release'), true);
  settleRelease(draft, hold.incidentId);
  draft.answerWith({ incidentId: hold.incidentId, holdId });
}
