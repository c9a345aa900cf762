import type { Draft } from './draft.ts';
import type { Incident } from './incident.ts';
import { INCIDENT_STATUS, isActiveRepair, REPAIR_STATE, step } from './lifecycle.ts';
import type { Repair } from './plan.ts';
import type { Reason } from './reason.ts';
import type { Actor } from './timeline.ts';

/** The one way to change an incident's status: checked against the lifecycle, with its reason, in the history. */
export function setStatus(draft: Draft, id: string, to: Incident['status'], why: Reason, actor?: Actor): Incident {
  const before = draft.incident(id);
  step(INCIDENT_STATUS, `incident ${id}`, before.status, to);
  const after = draft.putIncident({ ...before, status: to, statusReason: why });
  if (before.status !== to) draft.tell(id, `incident.${to}`, before.dagId, why, actor);
  return after;
}

/** Notes when something first happened; a later repetition keeps the first time. */
export function stamp(
  draft: Draft,
  id: string,
  what: 'fixedAt' | 'repairedAt' | 'verifiedAt' | 'releasedAt' | 'resolvedAt' | 'dismissedAt',
): void {
  const { timestamps } = draft.incident(id);
  draft.patchIncident(id, { timestamps: { ...timestamps, [what]: timestamps[what] ?? draft.now } });
}

export const activeRepair = (draft: Draft, incidentId: string): Repair | undefined =>
  draft.repairs().find((r) => r.incidentId === incidentId && isActiveRepair(r.state));

/** What is whole, or is let go, needs no repair any more. */
export function endRepairs(draft: Draft, incidentId: string, why: Reason): void {
  for (const r of draft.repairs().filter((x) => x.incidentId === incidentId && isActiveRepair(x.state)))
    setRepair(draft, r, r.state === 'proposed' ? 'lapsed' : 'cancelled', why);
}

/** Runs that a repair of ours has cleared or started: they move with its steps. */
export function rerunByUs(draft: Draft, incidentId: string): ReadonlySet<string> {
  const repairs = draft.repairs().filter((r) => r.incidentId === incidentId && r.state === 'running');
  const steps = repairs.flatMap((r) => r.steps.filter((s) => s.state !== 'waiting'));
  return new Set(steps.flatMap((s) => s.runs.map((run) => `${s.dagId} ${run.runId}`)));
}

export function setRepair(
  draft: Draft,
  repair: Repair,
  to: Repair['state'],
  why: Reason,
  change: Partial<Repair> = {},
  actor?: Actor,
): Repair {
  step(REPAIR_STATE, `repair ${repair.id}`, repair.state, to);
  const after = draft.putRepair({
    ...repair,
    ...change,
    state: to,
    stateReason: why,
    endedAt: isActiveRepair(to) ? null : draft.now,
  });
  draft.tell(repair.incidentId, `repair.${to}`, repair.id, why, actor);
  return after;
}
