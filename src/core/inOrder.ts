/**
 * What came later never looks earlier. Our clock may be set back between two acts (R10); then the later one is dated like the one before it, so that no
 * page, no answer and no sum of durations shows a negative time. What is asked of Airflow goes by the intents, which keep the clock's own word.
 */
import type { Instant } from './facts.ts';
import type { Hold } from './hold.ts';
import type { Incident, IncidentTimestamps } from './incident.ts';
import type { Repair, Step } from './plan.ts';

/** The latest of these; null where the first is. */
function notBefore(at: Instant, ...others: readonly (Instant | null | undefined)[]): Instant;
function notBefore(at: Instant | null, ...others: readonly (Instant | null | undefined)[]): Instant | null;
function notBefore(at: Instant | null, ...others: readonly (Instant | null | undefined)[]): Instant | null {
  if (at === null) return null;
  return others.reduce<Instant>((latest, t) => (t !== null && t !== undefined && t > latest ? t : latest), at);
}

export const holdInOrder = (h: Hold): Hold => ({ ...h, releasedAt: notBefore(h.releasedAt, h.since) });

/** A new stamp comes after all that were there; the failure itself is dated by Airflow. */
export function incidentInOrder(before: Incident | undefined, i: Incident): Incident {
  const known = Object.entries(before?.timestamps ?? {}).flatMap(([what, at]) => (what === 'failedAt' ? [] : [at]));
  const dated = Object.entries(i.timestamps).map(([what, at]) => {
    const isNew = what !== 'failedAt' && at !== (before?.timestamps[what as keyof IncidentTimestamps] ?? null);
    return [what, isNew ? notBefore(at, i.timestamps.openedAt, ...known) : at] as const;
  });
  const files = i.files?.map((f) => ({ ...f, loadedAt: notBefore(f.loadedAt, f.since) }));
  return {
    ...i,
    timestamps: Object.fromEntries(dated) as unknown as IncidentTimestamps,
    ...(files === undefined ? {} : { files }),
  };
}

export function repairInOrder(r: Repair): Repair {
  const approval = r.approval && { ...r.approval, at: notBefore(r.approval.at, r.createdAt) };
  const steps = r.steps.map((s) => stepInOrder(s, approval?.at ?? r.createdAt));
  const ends = steps.flatMap((s) => [s.startedAt, s.endedAt]);
  return {
    ...r,
    approval,
    steps,
    expiresAt: notBefore(r.expiresAt, r.createdAt),
    endedAt: notBefore(r.endedAt, r.createdAt, approval?.at, ...ends),
  };
}

function stepInOrder(s: Step, from: Instant): Step {
  const startedAt = notBefore(s.startedAt, from);
  return { ...s, startedAt, endedAt: notBefore(s.endedAt, startedAt) };
}
