/**
 * Repair: from "fixed" to a plan, an approval, its steps, and an end. Steps run in waves, upstream first and a canary before the rest; the
 * first failure stops what has not started.
 */
import { conflict, invalid, notFound } from '../errors.ts';
import { checkApproval, difference, digestOf, isSelf } from './approval.ts';
import { addMs, type Draft, latest, msBetween } from './draft.ts';
import type { Person, PlanFacts } from './events.ts';
import type { RunFacts } from './facts.ts';
import type { IncidentRun } from './incident.ts';
import { isActiveRepair } from './lifecycle.ts';
import type { Repair, Step, StepRun } from './plan.ts';
import { reason } from './reason.ts';
import { activeRepair, setRepair, setStatus, stamp } from './status.ts';
import { type Actor, AIRFLOW } from './timeline.ts';
import { verify } from './verification.ts';

/** Somebody says that the cause is fixed: a new plan replaces one that nobody has approved yet. */
export function propose(draft: Draft, incidentId: string, person: Person): Repair {
  const before = activeRepair(draft, incidentId);
  if (before && (before.state === 'approved' || before.state === 'running')) {
    throw conflict(`repair ${before.id} is ${before.state}; cancel it before asking for another`, { repair: before.id });
  }
  if (before) setRepair(draft, before, before.state === 'planning' ? 'cancelled' : 'lapsed', reason('superseded'));
  const { airflow, timestamps } = draft.incident(incidentId);
  const repair: Repair = {
    id: draft.nextId('rep'),
    incidentId,
    airflow,
    state: 'planning',
    stateReason: reason('planning'),
    steps: [],
    digest: null,
    warnings: [],
    requestedBy: person.name,
    createdAt: latest(draft.now, timestamps.reopenedAt ?? timestamps.openedAt),
    expiresAt: null,
    approval: null,
    endedAt: null,
    stuckTold: false,
  };
  draft.putRepair(repair);
  draft.tell(incidentId, 'repair.planning', repair.id, reason('planning'));
  draft.intend({ kind: 'plan_repair', airflow: repair.airflow, repairId: repair.id });
  return repair;
}

/** The dry runs have answered: for a proposal, or once more just before the start. */
export function planned(draft: Draft, repairId: string, plan: PlanFacts): void {
  const repair = draft.repair(repairId);
  if (repair?.state === 'planning') present(draft, repair, plan);
  else if (repair?.state === 'approved') start(draft, repair, plan);
}

function present(draft: Draft, repair: Repair, plan: PlanFacts): void {
  if (plan.steps.length === 0) {
    setRepair(draft, repair, 'failed', reason('nothing_to_repair'), { warnings: plan.warnings });
    return;
  }
  setRepair(draft, repair, 'proposed', reason('proposed'), {
    steps: plan.steps,
    warnings: plan.warnings,
    digest: digestOf(repair.incidentId, repair.airflow, plan.steps),
    expiresAt: addMs(draft.now, draft.policy.repair.approvalExpiresMs),
  });
  draft.notice(repair.incidentId, 'approval', repair.id);
}

/** Said once: a plan that waits must not look like one that is stuck. */
export function planWaits(draft: Draft, repairId: string, why: string): void {
  const repair = draft.repair(repairId);
  if (repair?.state !== 'planning' || repair.stateReason.code === 'plan_waits') return;
  const because = reason('plan_waits', { why });
  draft.putRepair({ ...repair, stateReason: because });
  draft.tell(repair.incidentId, 'repair.waiting', repair.id, because);
}

export function planFailed(draft: Draft, repairId: string, error: string): void {
  const repair = draft.repair(repairId);
  if (!repair || !isActiveRepair(repair.state)) return;
  const why = reason('plan_failed', { error });
  setRepair(draft, repair, repair.state === 'planning' ? 'failed' : 'lapsed', why);
  draft.notice(repair.incidentId, 'failed', repair.id);
}

export function approve(draft: Draft, repairId: string, person: Person, digest: string, comment: string | null): void {
  const repair = draft.repair(repairId);
  if (!repair) throw notFound(`no repair ${repairId}`);
  checkApproval(draft, repair, person, digest);
  const approval = { by: person.name, role: person.role, at: draft.now, comment, digest };
  const actor: Actor = { kind: 'person', name: person.name };
  const approved = setRepair(
    draft,
    repair,
    'approved',
    reason(isSelf(draft, repair, person) ? 'self_approved' : 'approved'),
    { approval },
    actor,
  );
  if (!mayBegin(draft, repair)) setRepair(draft, approved, 'cancelled', reason('shadow_mode'));
  else draft.intend({ kind: 'plan_repair', airflow: repair.airflow, repairId });
}

/** A repair that runs goes on in any mode. */
const mayBegin = (draft: Draft, { incidentId }: Repair): boolean =>
  draft.policy.mode === 'armed' && draft.incident(incidentId).mode === 'armed';

/** What would run is asked again just before it runs; if it differs, the yes was for something else and has lapsed. */
function start(draft: Draft, repair: Repair, plan: PlanFacts): void {
  if (!mayBegin(draft, repair)) {
    setRepair(draft, repair, 'cancelled', reason('shadow_mode'));
    return;
  }
  if (digestOf(repair.incidentId, repair.airflow, plan.steps) !== repair.digest) {
    const what = difference(repair.steps, plan.steps).join('; ');
    setRepair(draft, repair, 'lapsed', reason('plan_changed', { what }));
    draft.notice(repair.incidentId, 'attention', repair.id);
    return;
  }
  const running = setRepair(draft, repair, 'running', reason('approved'));
  setStatus(draft, repair.incidentId, 'repairing', reason('approved'));
  advance(draft, running.id);
}

const isRunning = (s: Step): boolean => s.state === 'sending' || s.state === 'running';
const isOpen = (s: Step): boolean => s.state === 'waiting' || isRunning(s);

/** Starts what may start now, or ends the repair. */
export function advance(draft: Draft, repairId: string): void {
  const repair = draft.repair(repairId);
  if (repair?.state !== 'running') return;
  const failed = repair.steps.find((s) => s.state === 'failed');
  if (failed) {
    stop(draft, repair, failed);
    return;
  }
  const open = repair.steps.filter(isOpen);
  if (open.length === 0) {
    succeed(draft, repair);
    return;
  }
  const wave = Math.min(...open.map((s) => s.wave));
  let room = draft.policy.repair.maxActiveRuns - open.filter(isRunning).length;
  for (const s of open.filter((x) => x.wave === wave && x.state === 'waiting')) {
    if (room-- <= 0) break;
    putStep(draft, repairId, { ...s, state: 'sending', startedAt: draft.now, reason: reason('step_started') });
    draft.tell(repair.incidentId, 'step.started', stepName(s), reason('step_started'));
    draft.intend({ kind: 'repair_step', airflow: repair.airflow, repairId, step: s.n });
  }
}

export const stepName = (s: Step): string => {
  const what = s.request.kind === 'backfill' ? `${s.request.from} to ${s.request.to}` : s.request.runId;
  return `${s.request.kind} ${s.dagId} ${what}${s.stage === 'canary' ? ' (canary)' : ''}`;
};

function putStep(draft: Draft, repairId: string, step: Step): void {
  const repair = draft.repair(repairId);
  if (repair) draft.putRepair({ ...repair, steps: repair.steps.map((s) => (s.n === step.n ? step : s)) });
}

function stop(draft: Draft, repair: Repair, failed: Step): void {
  const why = reason(failed.stage === 'canary' ? 'canary_failed' : 'stopped_after_failure');
  const steps = repair.steps.map((s) => (s.state === 'waiting' ? { ...s, state: 'skipped' as const, reason: why } : s));
  for (const s of repair.steps.filter((x) => x.state === 'waiting'))
    draft.tell(repair.incidentId, 'step.skipped', stepName(s), why);
  const stopped = draft.putRepair({ ...repair, steps });
  if (steps.some(isRunning)) return;
  heal(draft, stopped);
  const what = stepName(failed);
  setRepair(draft, stopped, 'failed', reason('repair_failed', { what }));
  setStatus(draft, repair.incidentId, 'contained', reason('repair_failed', { what }));
  draft.notice(repair.incidentId, 'failed', repair.id);
}

function succeed(draft: Draft, repair: Repair): void {
  setRepair(draft, repair, 'succeeded', reason('repair_succeeded'));
  heal(draft, repair);
  stamp(draft, repair.incidentId, 'repairedAt');
  setStatus(draft, repair.incidentId, 'verifying', reason('repair_succeeded'));
  verify(draft, repair.incidentId, reason('verified_runs'));
}

/** The runs that the steps made whole. */
function heal(draft: Draft, repair: Repair): void {
  const done = new Set(
    repair.steps.flatMap((s) => s.progress.filter((p) => p.state === 'success').map((p) => `${s.dagId} ${p.runId}`)),
  );
  const incident = draft.incident(repair.incidentId);
  // Cleared by somebody and failed once more while other steps went on (simulator, seed 484): of that attempt the repair says nothing.
  const planned = repair.steps.flatMap((s) => s.runs.map((p) => [`${s.dagId} ${p.runId}`, p.startBefore] as const));
  const before = new Map<string, string | null>(planned);
  const anew = (r: IncidentRun, key: string) =>
    r.state === 'failed' && r.runStart !== null && before.has(key) && r.runStart !== before.get(key);
  const runs = incident.runs.map((r) => {
    const key = `${r.dagId} ${r.runId}`;
    return done.has(key) && !anew(r, key) ? { ...r, state: 'healed' as const } : r;
  });
  draft.putIncident({ ...incident, runs });
}

/** The request is in Airflow, or was found there: from now on its runs are watched. */
export function stepSent(draft: Draft, repairId: string, n: number, settled: 'sent' | 'found_done'): void {
  const repair = draft.repair(repairId);
  const s = repair?.steps.find((x) => x.n === n);
  if (!repair || s?.state !== 'sending') return;
  const progress: StepRun[] = s.runs.map((r) => ({ runId: r.runId, logicalDate: r.logicalDate, state: 'waiting' }));
  putStep(draft, repairId, { ...s, state: 'running', progress });
  if (settled === 'found_done') draft.tell(repair.incidentId, 'step.settled', stepName(s), reason('step_settled_done'));
}

export function stepRefused(draft: Draft, repairId: string, n: number, error: string): void {
  const repair = draft.repair(repairId);
  const s = repair?.steps.find((x) => x.n === n);
  if (!repair || s?.state !== 'sending') return;
  const why = reason('step_refused', { error });
  putStep(draft, repairId, { ...s, state: 'failed', reason: why, endedAt: draft.now });
  draft.tell(repair.incidentId, 'step.failed', stepName(s), why);
  advance(draft, repairId);
}

/** Runs seen in Airflow move the steps that wait for them. */
export function observeSteps(draft: Draft, airflow: string, runs: readonly RunFacts[]): void {
  for (const repair of draft.repairs().filter((r) => r.airflow === airflow && r.state === 'running')) {
    for (const s of repair.steps.filter((x) => x.state === 'running')) observeStep(draft, repair, s, runs);
    advance(draft, repair.id);
  }
}

function observeStep(draft: Draft, repair: Repair, s: Step, runs: readonly RunFacts[]): void {
  const bad = draft.incident(repair.incidentId).runs.filter((r) => r.dagId === s.dagId && r.badData);
  const ofDag = runs
    .filter((r) => r.dagId === s.dagId)
    // Reported as bad once more in its new attempt: it may succeed, the fix was none.
    .map((r) =>
      r.state === 'success' && bad.some((b) => b.runId === r.runId && b.runStart === r.startDate)
        ? { ...r, state: 'failed' as const }
        : r,
    );
  const progress = s.progress.map((p, i) => seen(p, s.runs[i]?.startBefore ?? null, ofDag));
  const ended = progress.every((p) => p.state === 'success' || p.state === 'failed');
  const broken = progress.find((p) => p.state === 'failed');
  if (!ended) {
    putStep(draft, repair.id, { ...s, progress });
    return;
  }
  const why = broken ? reason('step_failed', { run: broken.runId ?? broken.logicalDate ?? '?' }) : reason('step_succeeded');
  putStep(draft, repair.id, { ...s, progress, state: broken ? 'failed' : 'succeeded', reason: why, endedAt: draft.now });
  draft.tell(repair.incidentId, broken ? 'step.failed' : 'step.succeeded', stepName(s), why, AIRFLOW);
}

/** A run counts only with another start than the attempt that failed: until then REST still shows the old failure. */
function seen(p: StepRun, startBefore: string | null, runs: readonly RunFacts[]): StepRun {
  const byDate = p.logicalDate === null ? undefined : runs.find((r) => r.logicalDate === p.logicalDate);
  const run = (p.runId === null ? undefined : runs.find((r) => r.runId === p.runId)) ?? byDate;
  if (!run) return p;
  const old = startBefore !== null && run.startDate === startBefore;
  return old ? p : { runId: run.runId, logicalDate: run.logicalDate, state: run.state };
}

export function endByPerson(
  draft: Draft,
  repairId: string,
  person: Person,
  how: 'rejected' | 'cancelled',
  comment: string,
): void {
  const repair = draft.repair(repairId);
  if (!repair) throw notFound(`no repair ${repairId}`);
  if (!isActiveRepair(repair.state)) throw conflict(`the repair is already ${repair.state}`, { state: repair.state });
  if (how === 'rejected' && repair.state !== 'proposed')
    throw conflict(`only a proposed repair can be rejected; this one is ${repair.state}`, { state: repair.state });
  if (comment.trim() === '') throw invalid('a reason is needed');
  const steps = repair.steps.map((s) =>
    s.state === 'waiting' ? { ...s, state: 'skipped' as const, reason: reason('cancelled') } : s,
  );
  const actor: Actor = { kind: 'person', name: person.name };
  setRepair(draft, repair, how, reason(how), { steps }, actor);
  draft.tell(repair.incidentId, `repair.${how}_because`, repair.id, reason(how), actor, comment);
  if (repair.state === 'running') setStatus(draft, repair.incidentId, 'contained', reason('cancelled'));
}

/** Time has passed: proposals that nobody approved lapse, repairs without an end are named. */
export function repairTick(draft: Draft): void {
  for (const r of draft.repairs()) {
    if (r.state === 'proposed' && r.expiresAt !== null && msBetween(r.expiresAt, draft.now) >= 0) {
      setRepair(draft, r, 'lapsed', reason('approval_expired'));
      draft.notice(r.incidentId, 'attention', r.id);
    }
    const s = r.state === 'running' && !r.stuckTold ? r.steps.find(isRunning) : undefined;
    if (s?.startedAt && msBetween(s.startedAt, draft.now) >= draft.policy.repair.stuckAfterMs) {
      draft.putRepair({ ...r, stuckTold: true });
      const minutes = String(Math.round(msBetween(s.startedAt, draft.now) / 60_000));
      draft.tell(r.incidentId, 'repair.stuck', r.id, reason('repair_stuck', { minutes, what: stepName(s) }));
      draft.notice(r.incidentId, 'attention', r.id);
    }
  }
}
