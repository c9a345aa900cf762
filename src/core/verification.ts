/** Verification: proof that the data is right again, before anything is released. */
import { conflict } from '../errors.ts';
import type { Draft } from './draft.ts';
import type { Person } from './events.ts';
import type { Incident, IncidentRun } from './incident.ts';
import { type Reason, reason } from './reason.ts';
import { startRelease } from './release.ts';
import { endRepairs, setStatus, stamp } from './status.ts';
import type { Actor } from './timeline.ts';

export const isWhole = (r: IncidentRun): boolean => r.state === 'healed' || r.state === 'succeeded' || r.state === 'gone';

/** A failure that nothing explains, and that stands. */
export const isSick = (r: IncidentRun): boolean => r.role === 'cause' && !isWhole(r);

/** True when every run that the incident is about has succeeded since, or exists no more. */
export const allWhole = (incident: Incident): boolean => incident.runs.every(isWhole);

/** The runs have succeeded: that is the proof where no check is configured. A failure that came meanwhile sends it back. */
export function verify(draft: Draft, incidentId: string, why: Reason): void {
  const incident = draft.incident(incidentId);
  if (!allWhole(incident)) {
    const left = incident.runs.filter((r) => !isWhole(r)).map((r) => `${r.dagId} ${r.runId}`);
    setStatus(draft, incidentId, 'contained', reason('repair_failed', { what: `still failed: ${left.join(', ')}` }));
    draft.notice(incidentId, 'attention', incident.dagId);
    return;
  }
  // An approved one would have started beside a person's verification (simulator, seed 2854).
  endRepairs(draft, incidentId, why);
  setStatus(draft, incidentId, 'verifying', why);
  if (draft.policy.verify.requirePerson && why.code !== 'run_succeeded_anyway') {
    setStatus(draft, incidentId, 'verifying', reason('waiting_for_person'));
    draft.notice(incidentId, 'attention', incident.dagId);
    return;
  }
  verified(draft, incidentId, why);
}

/** It failed once more while a person's word was waited for: that would be given about something else. */
export function sendBack(draft: Draft, incidentId: string, why: Reason): void {
  const incident = draft.incident(incidentId);
  if (incident.status !== 'verifying' || incident.releasing || allWhole(incident)) return;
  // What was verified was before this.
  draft.patchIncident(incidentId, { timestamps: { ...incident.timestamps, verifiedAt: null, repairedAt: null } });
  setStatus(draft, incidentId, incident.surveyPending ? 'open' : 'contained', why);
  draft.notice(incidentId, 'attention', incident.dagId);
}

function verified(draft: Draft, incidentId: string, why: Reason, actor?: Actor): void {
  stamp(draft, incidentId, 'verifiedAt');
  draft.tell(incidentId, 'incident.verified', draft.incident(incidentId).dagId, why, actor);
  if (draft.policy.release.mode === 'confirm') {
    setStatus(draft, incidentId, 'verifying', reason('release_waits'));
    draft.notice(incidentId, 'attention', draft.incident(incidentId).dagId);
    return;
  }
  startRelease(draft, incidentId, why);
}

/** A named person's word, where the policy asks for it. It never replaces a repair: that would be a release by override, and is named so. */
export function verifyByPerson(draft: Draft, incidentId: string, person: Person, comment: string): void {
  const incident = draft.incident(incidentId);
  if (incident.status !== 'verifying' || incident.releasing) {
    throw conflict(`only an incident that is being verified can be verified; this one is ${incident.status}`, {
      status: incident.status,
    });
  }
  const actor: Actor = { kind: 'person', name: person.name };
  draft.tell(incidentId, 'incident.person_verified', incident.dagId, reason('person_verified'), actor, comment);
  verified(draft, incidentId, reason('person_verified'), actor);
}
