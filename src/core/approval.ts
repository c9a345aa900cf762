/**
 * Approval: a person's yes to exactly one plan. The digest is over what would run, nothing else: not over times, progress or words, so that
 * the same plan made again has the same digest and any other plan has another.
 */
import { createHash } from 'node:crypto';
import { conflict, forbidden } from '../errors.ts';
import { type Draft, msBetween } from './draft.ts';
import type { Person } from './events.ts';
import type { PlannedRun, Repair, Step } from './plan.ts';
import { ROLES, type Role } from './policy.ts';
import { reason, sentence } from './reason.ts';

/** JSON with sorted keys and no spaces: one text for one value (numbers, strings, booleans, null, arrays, plain objects). */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** What people approve: DAGs, requests and the exact runs and tasks, in order. */
function essence(incidentId: string, airflow: string, steps: readonly Step[]): unknown {
  return {
    incident: incidentId,
    airflow,
    steps: steps.map((s) => ({ dag: s.dagId, wave: s.wave, stage: s.stage, request: s.request, runs: s.runs })),
  };
}

/** SHA-256 of the canonical plan, hex. */
export function digestOf(incidentId: string, airflow: string, steps: readonly Step[]): string {
  return createHash('sha256')
    .update(canonical(essence(incidentId, airflow, steps)))
    .digest('hex');
}

/** In words, what one plan runs that the other does not. */
export function difference(before: readonly Step[], after: readonly Step[]): string[] {
  const linesOf = (steps: readonly Step[]) => new Set(steps.flatMap((s) => s.runs.flatMap((r) => linesOfRun(s, r))));
  const [a, b] = [linesOf(before), linesOf(after)];
  const gone = [...a].filter((x) => !b.has(x)).map((x) => `no longer runs: ${x}`);
  const added = [...b].filter((x) => !a.has(x)).map((x) => `now runs: ${x}`);
  const changed = gone.length + added.length === 0 && canonical(essence('', '', before)) !== canonical(essence('', '', after));
  return changed ? ['the same runs, asked for in another way'] : [...gone, ...added];
}

function linesOfRun(step: Step, run: PlannedRun): string[] {
  const name = `${step.dagId} ${run.runId ?? run.logicalDate ?? '?'} (attempt of ${run.startBefore ?? 'never'})`;
  return run.tasks.length === 0 ? [name] : run.tasks.map((t) => `${name} ${t.taskId}${t.mapIndex >= 0 ? `[${t.mapIndex}]` : ''}`);
}

/** Throws a conflict or a refusal that says why, and changes nothing; returns normally when this person may approve this digest now. */
export function checkApproval(draft: Draft, repair: Repair, person: Person, digest: string): void {
  requireRole(person, 'approver');
  if (repair.state !== 'proposed') {
    throw conflict(`the repair is ${repair.state}: ${sentence(repair.stateReason)}`, {
      state: repair.state,
      reason: repair.stateReason.code,
    });
  }
  if (repair.expiresAt === null || msBetween(repair.expiresAt, draft.now) >= 0) {
    throw conflict(sentence(reason('approval_expired')), { reason: 'approval_expired', expires_at: repair.expiresAt });
  }
  if (repair.digest !== digest) {
    const older = draft.repairs().find((r) => r.incidentId === repair.incidentId && r.digest === digest);
    throw conflict(sentence(reason('digest_mismatch')), {
      reason: 'digest_mismatch',
      digest: repair.digest,
      difference: older
        ? difference(older.steps, repair.steps)
        : [`no plan of this incident has the digest ${digest.slice(0, 64)}`, ...difference([], repair.steps)],
    });
  }
  if (isSelf(draft, repair, person) && !draft.policy.repair.allowSelfApproval) {
    throw forbidden(sentence(reason('self_approval')), { reason: 'self_approval' });
  }
}

export const isSelf = (draft: Draft, repair: Repair, person: Person): boolean =>
  repair.requestedBy === person.name || draft.findIncident(repair.incidentId)?.fixedBy === person.name;

export const atLeast = (role: Role, wanted: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(wanted);

/** Checked again here although the door checks it too: a role may be taken away while a page is open. */
export function requireRole(person: Person, wanted: Role): void {
  if (!atLeast(person.role, wanted))
    throw forbidden(`this needs the role ${wanted}; ${person.name} is ${person.role}`, { reason: 'role', needs: wanted });
}
