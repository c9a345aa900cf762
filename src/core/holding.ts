/**
 * The hold of one DAG: claimed for an incident by what its Airflow showed, paused for the first one, counted for the others, read back, refused. Whose
 * pause it is, `ownership.ts` says.
 */
import { missedUnread } from './deliveries.ts';
import { addMs, type Draft, dagKey, latest, sameDag } from './draft.ts';
import type { PauseFound, SwitchFacts, UnpauseFound } from './events.ts';
import type { DagFacts, DagRef } from './facts.ts';
import type { Hold } from './hold.ts';
import type { Incident } from './incident.ts';
import { REFUSED_AGAIN_MS } from './intent.ts';
import { HOLD_STATE, OWNERSHIP_STATE, step } from './lifecycle.ts';
import { describePath, type Reached } from './lineage.ts';
import { ask, end, endGone, leavingOf, movedByOthers, observePause, releaseNow, takenOver } from './ownership.ts';
import { type Reason, reason } from './reason.ts';
import { setStatus } from './status.ts';

/** One DAG as its own Airflow showed it. null: it did not answer, or was not asked for this DAG, whose link was found meanwhile. */
export function switchOf(switches: readonly SwitchFacts[], dag: DagRef): Switch | null {
  const seen = switches.find((s) => s.airflow === dag.airflow);
  const facts = seen?.dags.find((d) => d.dagId === dag.dagId) ?? null;
  if (!seen || (facts === null && !seen.unknown.includes(dag.dagId))) return null;
  return { facts, op: seen.ops[dag.dagId] ?? null, auditCursor: seen.auditCursor };
}

interface Switch {
  readonly facts: DagFacts | null;
  readonly op: string | null;
  readonly auditCursor: number | null;
}

const episodeOf = ({ timestamps }: Incident) => timestamps.reopenedAt ?? timestamps.openedAt;

/** One that was never let go belongs to both: a person who unpaused it just then was fought (model, acts that cross each other). */
export const ofThisEpisode = (incident: Incident, h: Hold): boolean =>
  h.since >= episodeOf(incident) || incident.heldOver?.includes(h.id) === true;

/** It was held until Airflow had it no more. */
export const endedGone = (h: Hold): boolean => h.state === 'released' && h.reason.code === 'dag_gone';

/** The mode was changed before its pause was sent. */
const endedUnsent = (incident: Incident, h: Hold): boolean =>
  h.state === 'released' && h.reason.code === 'shadow_mode' && incident.mode === 'armed';

/** Once per episode: what a person took over or let go is not claimed again for the same cause. */
export function isClaimed(holds: readonly Hold[], incident: Incident, dag: DagRef): boolean {
  // A hold that is being let go belongs to the episode before: what failed again must be held again. And a DAG that is deployed anew was let go by nobody.
  const claimed = (h: Hold) =>
    !endedGone(h) &&
    !endedUnsent(incident, h) &&
    ((h.releasedAt === null && h.state !== 'release_intended') || ofThisEpisode(incident, h));
  return holds.some((h) => h.incidentId === incident.id && sameDag(h, dag) && claimed(h));
}

/** False where it cannot be said yet whose pause it is that the DAG has, or would have: then nothing is done. */
export function hold(draft: Draft, incident: Incident, dag: Reached, switches: readonly SwitchFacts[]): boolean {
  const holds = draft.holdsOf(incident.id);
  if (isClaimed(holds, incident, dag)) return true;
  const seen = switchOf(switches, dag);
  // Still not there: each survey would be one more pause of nothing.
  if (seen?.facts === null && holds.some((h) => sameDag(h, dag) && endedGone(h) && ofThisEpisode(incident, h))) return true;
  if (seen === null || movedMeanwhile(draft, dag, seen)) return false;
  const path = describePath(dag.edges);
  const shadow = incident.mode === 'shadow';
  // Our clock may jump back: a hold never looks older than the episode that it belongs to.
  const since = latest(draft.now, episodeOf(incident));
  const row: Hold = {
    id: draft.nextId('hold'),
    incidentId: incident.id,
    airflow: dag.airflow,
    dagId: dag.dagId,
    state: 'intended',
    foundPaused: seen.facts?.paused ?? null,
    reason: shadow ? reason('shadow_mode') : reason('downstream', { path: path.join(', ') || dag.dagId }),
    path,
    link: dag.edges.at(-1)?.kind ?? 'config',
    depth: dag.depth,
    since,
    reviewBy: addMs(since, draft.policy.hold.reviewAfterMs),
    reviewAsked: false,
    releasedAt: null,
  };
  draft.putHold(row);
  draft.tell(incident.id, 'hold.intended', dag.dagId, row.reason);
  if (!shadow) claim(draft, row, seen);
  return true;
}

/**
 * We have let it go since the look began, or found it to be somebody else's. A pause that was seen was ours, and is no more; and behind the row that the look began at our own unpause would
 * pass for somebody's (simulator, seed 8788).
 */
function movedMeanwhile(draft: Draft, dag: DagRef, seen: Switch): boolean {
  const { state, op } = draft.ownership(dag);
  // Nothing is kept of a DAG that is nobody's.
  const now = state === 'none' ? null : op;
  // Seen as paused, and somebody's: the look agrees with what is known.
  const agrees = state === 'foreign' && seen.facts?.paused === true;
  return (state === 'none' || state === 'ceded' || state === 'foreign') && now !== seen.op && !agrees;
}

/** One more hold on a DAG: the first one pauses it, the others count. */
function claim(draft: Draft, row: Hold, { facts, op, auditCursor }: Switch): void {
  // Somebody has unpaused what we or others had paused, and no poll has seen it yet: the holds that counted on that pause end with it, or they would
  // keep ours from ever being lifted; and the new one must not count on it. What our own pause has changed since the look says nothing.
  if (facts?.paused === false && draft.ownership(row).op === op) observePause(draft, row, false, null);
  const own = draft.ownership(row);
  if (own.state === 'ours') {
    settleHold(draft, row, 'held', reason('already_ours'));
    return;
  }
  if (own.state === 'pause_intended' || own.state === 'resume_intended') return;
  if (facts?.paused) {
    putForeign(draft, row);
    settleHold(draft, row, 'foreign', reason('already_paused'));
    return;
  }
  intendPause(draft, row, auditCursor);
}

function putForeign(draft: Draft, dag: DagRef): void {
  const own = draft.ownership(dag);
  step(OWNERSHIP_STATE, dagKey(dag), own.state, 'foreign');
  draft.putOwnership({ ...own, state: 'foreign', since: draft.now, foundPaused: true, op: movedByOthers(draft) });
}

function intendPause(draft: Draft, dag: DagRef, cursor: number | null): void {
  const own = draft.ownership(dag);
  step(OWNERSHIP_STATE, dagKey(dag), own.state, 'pause_intended');
  const intent = draft.intend({ kind: 'pause_dag', airflow: dag.airflow, dagId: dag.dagId });
  draft.putOwnership({
    ...own,
    airflow: dag.airflow,
    dagId: dag.dagId,
    state: 'pause_intended',
    op: intent.op,
    auditCursor: cursor,
    since: draft.now,
    uncertain: false,
    foundPaused: false,
    // Behind a cursor that stays, our earlier requests stay in the log as well: they must not pass for somebody else's.
    ops: own.auditCursor === cursor ? [...own.ops, intent.op] : [intent.op],
  });
}

export function settleHold(draft: Draft, row: Hold, to: 'held' | 'foreign', why: Reason): Hold {
  step(HOLD_STATE, `hold ${row.id}`, row.state, to);
  const after = draft.putHold({
    ...row,
    state: to,
    foundPaused: to === 'foreign' ? true : row.foundPaused,
    releasedAt: null,
  });
  draft.tell(row.incidentId, `hold.${to}`, row.dagId, why);
  return after;
}

/** The pause was read back, or turned out to be somebody else's. Returns the incidents whose release may now be complete. */
export function paused(draft: Draft, dag: DagRef, found: PauseFound): string[] {
  const own = draft.ownership(dag);
  if (own.state !== 'pause_intended') return [];
  const leaving = leavingOf(draft, dag);
  const waiting = draft.holdingOn(dag).filter((h) => h.state === 'intended');
  if (found.was === 'already_paused') {
    draft.putOwnership({ ...own, state: 'foreign', foundPaused: true });
    for (const h of waiting) settleHold(draft, h, 'foreign', reason(found.settled ? 'settled_foreign' : 'already_paused'));
  } else if (found.was === 'not_wanted') {
    draft.putOwnership({ ...own, state: 'none' });
    if (draft.policy.mode === 'shadow') for (const h of waiting) spareUnsent(draft, h);
    // A hold that came while the effect was on its way out is not forgotten.
    else if (waiting.length > 0) intendPause(draft, dag, own.auditCursor);
  } else if (found.was === 'gone') {
    draft.putOwnership({ ...own, state: 'none' });
    for (const h of waiting) endGone(draft, h);
  } else if (found.was === 'taken_over') {
    takenOver(draft, dag, found.who);
  } else {
    const uncertain = found.was === 'paused_by_unknown';
    draft.putOwnership({ ...own, state: 'ours', uncertain });
    const why = uncertain ? 'settled_uncertain' : found.settled ? 'settled_ours' : 'paused';
    for (const h of waiting) settleHold(draft, h, 'held', reason(why));
    if (uncertain) for (const h of waiting) draft.notice(h.incidentId, 'attention', dag.dagId);
    // Every hold may have ended while the PATCH was under way: then nothing wants this pause any more.
    if (draft.holdingOn(dag).length === 0 && !uncertain) releaseNow(draft, dag);
    else if (draft.holdingOn(dag).length === 0) for (const h of leaving) ask(draft, h, 'nobody can tell who paused it');
  }
  if (found.was !== 'taken_over') letLeave(draft, dag, leaving, found);
  for (const id of new Set(
    draft
      .holds()
      .filter((h) => dagKey(h) === dagKey(dag))
      .map((h) => h.incidentId),
  ))
    settleContainment(draft, id);
  return leaving.map((h) => h.incidentId);
}

function spareUnsent(draft: Draft, h: Hold): void {
  const why = reason('shadow_mode');
  end(draft, { ...h, reason: why }, why);
  const { spared } = draft.incident(h.incidentId);
  draft.patchIncident(h.incidentId, { spared: [...spared, { airflow: h.airflow, dagId: h.dagId, reason: why, path: h.path }] });
}

/** Holds that were let go while the pause was on its way: they end with it, or with the unpause that undoes it. */
function letLeave(draft: Draft, dag: DagRef, leaving: readonly Hold[], found: PauseFound): void {
  const others = draft.holdingOn(dag).map((h) => h.incidentId);
  const why =
    found.was === 'already_paused'
      ? reason('release_not_ours')
      : found.was === 'gone'
        ? reason('dag_gone')
        : others.length > 0
          ? reason('still_held', { incidents: others.join(', ') })
          : reason('never_paused');
  const unpaused = draft.ownership(dag).state === 'resume_intended';
  // One of them is to give it what it missed, whatever the number of incidents.
  const [one] = leaving;
  if (unpaused && one) missedUnread(draft, one);
  if (!unpaused) for (const h of leavingOf(draft, dag)) end(draft, h, why);
}

/** Another incident may have claimed the DAG while it was being let go: what the unpause found says whose pause it is now. */
export function claimAfterUnpause(draft: Draft, dag: DagRef, found: UnpauseFound): void {
  const waiting = draft.holdingOn(dag).filter((h) => h.state === 'intended');
  const own = draft.ownership(dag);
  if (waiting.length === 0 || own.state === 'pause_intended' || own.state === 'resume_intended') return;
  if (own.state === 'ours') {
    for (const h of waiting) settleHold(draft, h, 'held', reason('already_ours'));
  } else if (found.was === 'touched' || found.was === 'repaused') {
    // Paused, and by somebody else (3.0.x does not say who wanted what: perhaps). A pause of ours on top would pass for the one to undo, and came after a person's unpause once (simulator, seed 75
    // with a clock that jumps back).
    putForeign(draft, dag);
    for (const h of waiting) settleHold(draft, h, 'foreign', reason('already_paused'));
  } else {
    // Taken over in the old story or not: nobody has said anything about the new one yet.
    intendPause(draft, dag, own.auditCursor);
  }
  for (const h of waiting) settleContainment(draft, h.incidentId);
}

/**
 * Airflow refused (no right to do it, say): the hold stays open, people are told once, and it is tried again while anything wants it. Returns the
 * incidents whose release may now be complete.
 */
export function pauseRefused(draft: Draft, dag: DagRef, error: string): string[] {
  const own = draft.ownership(dag);
  const waiting = draft.holdingOn(dag).filter((x) => x.state === 'intended');
  if (own.state === 'pause_intended') {
    const again =
      waiting.length > 0 ? draft.intend({ kind: 'pause_dag', airflow: dag.airflow, dagId: dag.dagId }, REFUSED_AGAIN_MS) : null;
    draft.putOwnership(again ? { ...own, op: again.op, ops: [...own.ops, again.op] } : { ...own, state: 'none' });
  }
  for (const h of waiting.filter((x) => x.reason.code !== 'pause_failed')) {
    const why = reason('pause_failed', { error });
    draft.putHold({ ...h, reason: why });
    draft.tell(h.incidentId, 'hold.refused', dag.dagId, why);
    draft.patchIncident(h.incidentId, { statusReason: why });
    draft.notice(h.incidentId, 'attention', dag.dagId);
  }
  const leaving = leavingOf(draft, dag);
  for (const h of leaving) end(draft, h, reason('never_paused'));
  return leaving.map((h) => h.incidentId);
}

/** `open` ends when every affected DAG is held or has a reason why not. */
export function settleContainment(draft: Draft, incidentId: string): void {
  const incident = draft.findIncident(incidentId);
  if (incident?.status !== 'open' || incident.surveyPending) return;
  // Other Airflows have a moment to answer; after it, what is here is contained, and what is not is named.
  if (draft.pending((a) => a.kind === 'survey_elsewhere' && a.incidentId === incidentId && !a.again)) return;
  const holds = draft.holdsOf(incidentId).filter((h) => h.releasedAt === null);
  if (incident.mode === 'armed' && holds.some((h) => h.state === 'intended')) return;
  draft.patchIncident(incidentId, {
    timestamps: { ...incident.timestamps, containedAt: incident.timestamps.containedAt ?? draft.now },
  });
  setStatus(
    draft,
    incidentId,
    'contained',
    holds.length === 0 && incident.spared.length === 0 ? reason('nothing_downstream') : reason('contained'),
  );
  if (holds.length > 0) draft.notice(incidentId, 'held', holds.map((h) => h.dagId).join(', '));
}
