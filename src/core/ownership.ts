/**
 * Who paused a DAG: nobody, we, somebody else. The law of this file: we unpause only what we paused ourselves and what nobody has touched
 * since; where that cannot be told, a person is asked. Airflow offers no compare-and-set, so the effects read before and after.
 */
import { type Draft, dagKey } from './draft.ts';
import type { UnpauseFound } from './events.ts';
import type { DagRef } from './facts.ts';
import type { Hold, Ownership } from './hold.ts';
import { HOLD_STATE, OWNERSHIP_STATE, step } from './lifecycle.ts';
import { type Reason, reason } from './reason.ts';
import { AIRFLOW } from './timeline.ts';

/** Our last request about a DAG, for a look that begins now; '' while one is under way, because the look may see what is before it and what is after it. */
export const settledOp = (own: Ownership): string | null =>
  own.state === 'pause_intended' || own.state === 'resume_intended' ? '' : own.op;

/** In place of a request of ours, for a DAG that somebody else has moved: a look that began before it says nothing of it. */
export const movedByOthers = (draft: Draft): string => `others ${draft.now}`;

/** Asks for the unpause of a DAG that is ours and that nothing holds any more. `forced`: a person said so, the audit check is skipped. */
export function releaseNow(draft: Draft, dag: DagRef, forced = false): void {
  const own = draft.ownership(dag);
  step(OWNERSHIP_STATE, dagKey(dag), own.state, 'resume_intended');
  const intent = draft.intend({ kind: 'unpause_dag', airflow: dag.airflow, dagId: dag.dagId, forced });
  draft.putOwnership({ ...own, state: 'resume_intended', op: intent.op, ops: [...own.ops, intent.op] });
}

/** Lets one hold go: at once, or with the unpause that is asked for here. */
export function letGo(draft: Draft, hold: Hold, why: Reason, forced = false): void {
  const own = draft.ownership(hold);
  if (hold.state === 'release_intended') return;
  if (hold.state === 'foreign') return end(draft, hold, reason('release_not_ours'));
  if (draft.incident(hold.incidentId).mode === 'shadow') return end(draft, hold, why);
  const others = draft.holdingOn(hold).filter((h) => h.id !== hold.id);
  if (others.length > 0) return end(draft, hold, reason('still_held', { incidents: others.map((h) => h.incidentId).join(', ') }));
  if (own.state !== 'ours' && own.state !== 'pause_intended') return end(draft, hold, why);
  if (own.uncertain && !forced) return ask(draft, hold, 'after a restart nobody can tell who paused it');
  step(HOLD_STATE, `hold ${hold.id}`, hold.state, 'release_intended');
  draft.putHold({ ...hold, state: 'release_intended' });
  draft.tell(hold.incidentId, 'hold.release_intended', hold.dagId, why);
  // A pause that is on its way may arrive yet: the hold ends when that is known, so that nobody finds a paused DAG that nothing holds.
  if (own.state === 'ours') releaseNow(draft, hold, forced);
}

export const leavingOf = (draft: Draft, dag: DagRef): Hold[] =>
  draft.holds().filter((h) => dagKey(h) === dagKey(dag) && h.state === 'release_intended');

export function end(draft: Draft, hold: Hold, why: Reason): void {
  step(HOLD_STATE, `hold ${hold.id}`, hold.state, 'released');
  draft.putHold({ ...hold, state: 'released', releasedAt: draft.now });
  draft.tell(hold.incidentId, 'hold.released', hold.dagId, why);
}

/** Kept as the hold's reason: nobody let this one go, so a DAG that comes back is held again. */
export function endGone(draft: Draft, hold: Hold): void {
  const why = reason('dag_gone');
  end(draft, { ...hold, reason: why }, why);
}

export function ask(draft: Draft, hold: Hold, why: string): void {
  const because = reason('release_uncertain', { why });
  // Back to `held` each time, so that a person can say so again; told only when there is news.
  draft.putHold({ ...hold, state: 'held', reason: because });
  if (hold.reason.code === because.code && hold.reason.detail.why === why) return;
  draft.tell(hold.incidentId, 'hold.uncertain', hold.dagId, because);
  draft.notice(hold.incidentId, 'attention', hold.dagId);
}

/** What the unpause found. Returns the incidents whose release may now be complete. */
export function unpaused(draft: Draft, dag: DagRef, found: UnpauseFound): string[] {
  const own = draft.ownership(dag);
  if (own.state !== 'resume_intended') return [];
  const leaving = leavingOf(draft, dag);
  switch (found.was) {
    case 'unpaused_by_us': {
      // 2.x has no marks: behind the old cursor our own unpause would pass for somebody else's.
      draft.putOwnership({ ...own, ...behind(own, found.cursor), state: 'none', since: null });
      for (const h of leaving) end(draft, h, reason('released'));
      break;
    }
    case 'gone':
      draft.putOwnership({ ...own, state: 'none', since: null });
      for (const h of leaving) end(draft, h, reason('dag_gone'));
      break;
    case 'already_unpaused':
      // What people did with this pause is over with it: behind the old cursor their unpause would pass for one of the next.
      draft.putOwnership({ ...own, ...behind(own, found.cursor), state: 'ceded', op: movedByOthers(draft) });
      for (const h of leaving) cede(draft, h, reason('person_unpaused', { who: found.who }));
      break;
    case 'touched':
    case 'repaused':
      draft.putOwnership({ ...own, state: 'ceded', op: movedByOthers(draft) });
      for (const h of leaving) cede(draft, h, reason('person_touched', { who: found.who }));
      break;
    case 'uncertain':
      draft.putOwnership({ ...own, state: 'ours', uncertain: true });
      for (const h of leaving) ask(draft, h, found.why);
      break;
    /* v8 ignore next -- @preserve: no other finding exists, by type */
    default:
      found satisfies never;
  }
  return leaving.map((h) => h.incidentId);
}

/** From here on in the audit log. Where nothing came, or it could not be read, our earlier requests lie behind the cursor still (simulator, seed 4305). */
const behind = (own: Ownership, cursor: number | null | undefined): Partial<Ownership> =>
  cursor === null || cursor === undefined || cursor === own.auditCursor ? {} : { auditCursor: cursor, ops: [] };

/** A person unpaused it while our pause was still on its way to be read back. */
export function takenOver(draft: Draft, dag: DagRef, who: string): void {
  draft.putOwnership({ ...draft.ownership(dag), state: 'ceded', op: movedByOthers(draft) });
  for (const h of [...draft.holdingOn(dag), ...leavingOf(draft, dag)]) cede(draft, h, reason('person_unpaused', { who }));
}

/** A person took the DAG over: said once, never fought. */
function cede(draft: Draft, hold: Hold, why: Reason): void {
  step(HOLD_STATE, `hold ${hold.id}`, hold.state, 'ceded');
  draft.putHold({ ...hold, state: 'ceded', reason: why, releasedAt: draft.now });
  draft.tell(hold.incidentId, 'hold.ceded', hold.dagId, why, AIRFLOW);
  draft.notice(hold.incidentId, 'attention', hold.dagId);
}

/** A look at Airflow: a DAG that we hold (or count as held by others) runs again, so a person wants it to. Answers the incidents that lose a hold by it. */
export function observePause(draft: Draft, dag: DagRef, isPaused: boolean, who: string | null): readonly string[] {
  const own = draft.ownership(dag);
  if (isPaused || (own.state !== 'ours' && own.state !== 'foreign')) return [];
  const holds = draft.holdingOn(dag).filter((h) => h.state !== 'intended');
  draft.putOwnership({ ...own, state: holds.length > 0 ? 'ceded' : 'none', op: movedByOthers(draft) });
  for (const h of holds) cede(draft, h, reason('person_unpaused', { who: who ?? 'somebody' }));
  return holds.map((h) => h.incidentId);
}

/**
 * Deleted in Airflow, and our pause with it. Created anew it is paused as Airflow pauses whatever is new, or by a person: unpausing that one would start
 * what nobody has let run yet (simulator, seed 1799).
 */
export function observeGone(draft: Draft, dag: DagRef): readonly string[] {
  const own = draft.ownership(dag);
  if (own.state !== 'ours' && own.state !== 'foreign') return [];
  const holds = draft.holdingOn(dag).filter((h) => h.state !== 'intended');
  draft.putOwnership({ ...own, state: 'none', since: null, op: movedByOthers(draft) });
  for (const h of holds) endGone(draft, h);
  return holds.map((h) => h.incidentId);
}
