/**
 * Containment: whom to hold, whom to spare, and why. As little as possible (only the readers of what the failed task and the tasks it
 * stops would have made), never a protected DAG, never more than the caps, and never a DAG that the repair itself would wait for.
 */
import { missedUnread } from './deliveries.ts';
import { addMs, type Draft, dagKey, latest } from './draft.ts';
import type { PauseFound, Survey, SwitchFacts, UnpauseFound } from './events.ts';
import type { DagFacts, DagRef, LineageGap, RunFacts } from './facts.ts';
import { anyGlob } from './glob.ts';
import type { Hold } from './hold.ts';
import type { Incident, Spared } from './incident.ts';
import type { IntentAct } from './intent.ts';
import { HOLD_STATE, isOver, OWNERSHIP_STATE, step } from './lifecycle.ts';
import { affectedTasks, blocksRepair, describePath, type Reached, walk } from './lineage.ts';
import { end, leavingOf, observePause, releaseNow, takenOver } from './ownership.ts';
import { type Reason, reason } from './reason.ts';
import { activeRepair, rerunByUs, setStatus } from './status.ts';
import { AIRFLOW } from './timeline.ts';
import { isWhole, verify } from './verification.ts';

/** Asks for the facts that containment needs. One survey at a time: a failure heard meanwhile is in the next one. */
export function requestSurvey(draft: Draft, incidentId: string): void {
  draft.patchIncident(incidentId, { surveyPending: true });
  const planned = draft.intents().some((i) => i.state === 'planned' && isSurveyOf(i.act, incidentId) && !i.act.elsewhere);
  if (!planned) draft.intend({ kind: 'survey', airflow: draft.incident(incidentId).airflow, incidentId });
}

/** Another Airflow did not answer. */
const SILENT_AGAIN_MS = 30_000;

function askElsewhere(draft: Draft, { airflow, id }: Incident): void {
  if (draft.pending((a) => isSurveyOf(a, id) && a.elsewhere === true)) return;
  draft.intend({ kind: 'survey', airflow, incidentId: id, elsewhere: true }, SILENT_AGAIN_MS);
}

const isSurveyOf = (a: IntentAct, incidentId: string): a is IntentAct & { kind: 'survey' } =>
  a.kind === 'survey' && a.incidentId === incidentId;

export function contain(draft: Draft, incidentId: string, survey: Survey): void {
  const incident = draft.findIncident(incidentId);
  if (!incident || isOver(incident.status) || incident.releasing) return;
  const again = draft.pending((a) => isSurveyOf(a, incidentId) && !a.elsewhere);
  draft.patchIncident(incidentId, { surveyPending: again, runs: withSurveyed(incident, survey) });
  const proof = survey.run?.state === 'success' ? endedWell(draft, incidentId, survey.run) : null;
  const { runs } = draft.incident(incidentId);
  if (proof && runs.every(isWhole) && activeRepair(draft, incidentId)?.state !== 'running')
    return verify(draft, incidentId, proof);
  const causes = runs.filter((r) => r.role === 'cause' && !isWhole(r));
  // Whole again, but for its fallout: who reads it reads what is right.
  if (causes.length === 0 && runs.some((r) => r.role === 'cause')) return settleContainment(draft, incidentId);
  // A check that fails says that something before it is bad, and not what: then all that the DAG makes is.
  const whole = causes.some((r) => r.badData);
  const tasks = affectedTasks(survey.taskGraph, whole ? [] : causes.flatMap((r) => r.failedTasks));
  const { reached, unaffected } = walk(draft.context.world.edges(), incident, tasks);
  const spared = [...unaffected.map((d) => spare(d, reason('not_affected')))];
  const wanted: Reached[] = [];
  for (const dag of reached) {
    const why = sparedBecause(draft, incident, dag, factsOf(draft, survey, dag));
    if (why) spared.push(spare(dag, why));
    else wanted.push(dag);
  }
  const { within, over } = applyCaps(draft, incident, wanted);
  spared.push(...over);
  if (draft.policy.hold.pauseFailingDag) {
    const itself: Reached = { airflow: incident.airflow, dagId: incident.dagId, depth: 0, edges: [] };
    const why = sparedBecause(draft, incident, itself, factsOf(draft, survey, itself));
    if (why) spared.push(spare(itself, why));
    else within.unshift(itself);
  }
  const unsure = within.filter((dag) => !hold(draft, incident, dag, survey.switches));
  const silent = unsure.filter((dag) => switchOf(survey.switches, dag) === null);
  if (unsure.length > silent.length) requestSurvey(draft, incidentId);
  tellSpared(draft, incident, spared);
  tellGaps(draft, incident, survey.switches, silent);
  settleContainment(draft, incidentId);
  if (silent.length > 0) askElsewhere(draft, incident);
}

/**
 * The signal came late (a spooled callback, say), or the run ended well by its trigger rules before we looked: success is final, nothing is held
 * for it. `running` would prove nothing, the callback comes before REST shows the failure. Other runs of the incident may be as bad as before.
 * What a repair of ours runs again moves with its steps.
 */
function endedWell(draft: Draft, incidentId: string, run: RunFacts): Reason | null {
  const incident = draft.incident(incidentId);
  const known = incident.runs.find((r) => r.dagId === run.dagId && r.runId === run.runId);
  if (!known || known.badData || isWhole(known) || rerunByUs(draft, incidentId).has(`${run.dagId} ${run.runId}`)) return null;
  const anyway = known.state === 'failing' && known.runStart === run.startDate;
  const state = anyway ? 'succeeded' : 'healed';
  const runs = incident.runs.map((r) => (r === known ? ({ ...r, state } as const) : r));
  draft.patchIncident(incidentId, { runs });
  const why = reason(anyway ? 'run_succeeded_anyway' : 'healed_outside');
  draft.tell(incidentId, `run.${state}`, `${run.dagId} ${run.runId}`, why, AIRFLOW);
  return runs.every((r) => r.state === 'succeeded') ? why : reason('healed_outside');
}

/** What REST shows of the run completes what the signals told; an early read may still lag behind the callback and adds nothing then. */
function withSurveyed(incident: Incident, survey: Survey): Incident['runs'] {
  const run = survey.run;
  if (!run) return incident.runs;
  return incident.runs.map((r) => {
    if (r.dagId !== run.dagId || r.runId !== run.runId) return r;
    const seen = survey.tasks.filter((t) => t.runId === r.runId && t.state === 'failed').map((t) => t.taskId);
    const failedTasks = [...new Set([...r.failedTasks, ...seen])];
    return {
      ...r,
      failedTasks,
      runType: r.runType ?? run.runType,
      logicalDate: r.logicalDate ?? run.logicalDate,
      runStart: r.runStart ?? run.startDate,
    };
  });
}

function factsOf(draft: Draft, survey: Survey, dag: DagRef): DagFacts | null {
  return switchOf(survey.switches, dag)?.facts ?? draft.context.world.dag(dag.airflow, dag.dagId);
}

/** One DAG as its own Airflow showed it: null where that did not answer. */
function switchOf(switches: readonly SwitchFacts[], dag: DagRef): Switch | null {
  const seen = switches.find((s) => s.airflow === dag.airflow);
  if (!seen) return null;
  return {
    facts: seen.dags.find((d) => d.dagId === dag.dagId) ?? null,
    op: seen.ops[dag.dagId] ?? null,
    auditCursor: seen.auditCursor,
  };
}

interface Switch {
  readonly facts: DagFacts | null;
  readonly op: string | null;
  readonly auditCursor: number | null;
}

const spare = (dag: Reached, why: Reason): Spared => ({
  airflow: dag.airflow,
  dagId: dag.dagId,
  reason: why,
  path: describePath(dag.edges),
});

function sparedBecause(draft: Draft, incident: Incident, dag: Reached, facts: DagFacts | null): Reason | null {
  const { hold } = draft.policy;
  if (anyGlob(hold.protectedDags, dag.dagId)) return reason('protected');
  const tags = facts?.tags ?? [];
  if (tags.includes('firedamper:never')) return reason('never_tag');
  if (tags.includes('firedamper:ask')) return reason('ask_tag');
  if (blocksRepair(draft.context.world.edges(), incident, dag)) return reason('repair_would_wait');
  if (tags.includes('firedamper:always')) return null;
  if (dag.depth > hold.maxDepth) return reason('over_depth', { depth: String(hold.maxDepth) });
  return null;
}

/** Below this many DAGs a share says nothing: half of a small Airflow may well hang on one source. */
const SHARE_COUNTS_FROM = 50;

/** The nearest first; what is over a cap is named, and a person is asked. */
function applyCaps(draft: Draft, incident: Incident, wanted: readonly Reached[]): { within: Reached[]; over: Spared[] } {
  const total = draft.context.world.dagCount(incident.airflow);
  const { maxDags, maxShare } = draft.policy.hold;
  const byShare = total >= SHARE_COUNTS_FROM ? Math.max(1, Math.floor(total * maxShare)) : Number.POSITIVE_INFINITY;
  const cap = Math.min(maxDags, byShare);
  const held = new Set(draft.holdsOf(incident.id).map(dagKey));
  const sorted = [...wanted].sort(
    (a, b) => Number(held.has(dagKey(b))) - Number(held.has(dagKey(a))) || a.depth - b.depth || (a.dagId < b.dagId ? -1 : 1),
  );
  return { within: sorted.slice(0, cap), over: sorted.slice(cap).map((d) => spare(d, reason('over_cap', { cap: String(cap) }))) };
}

/** False where it cannot be said yet whose pause it is that the DAG has, or would have: then nothing is done. */
function hold(draft: Draft, incident: Incident, dag: Reached, switches: readonly SwitchFacts[]): boolean {
  // Once per episode: what a person took over or let go is not claimed again for the same cause.
  const episode = incident.timestamps.reopenedAt ?? incident.timestamps.openedAt;
  // A hold that is being let go belongs to the episode before: what failed again must be held again.
  const claimed = (h: Hold) => (h.releasedAt === null && h.state !== 'release_intended') || h.since >= episode;
  if (draft.holdsOf(incident.id).some((h) => dagKey(h) === dagKey(dag) && claimed(h))) return true;
  const seen = switchOf(switches, dag);
  if (seen === null || movedMeanwhile(draft, dag, seen)) return false;
  const path = describePath(dag.edges);
  const shadow = incident.mode === 'shadow';
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
    // Our clock may jump back: a hold never looks older than the episode that it belongs to.
    since: latest(draft.now, episode),
    reviewBy: addMs(draft.now, draft.policy.hold.reviewAfterMs),
    reviewAsked: false,
    releasedAt: null,
  };
  draft.putHold(row);
  draft.tell(incident.id, 'hold.intended', dag.dagId, row.reason);
  if (!shadow) claim(draft, row, seen);
  return true;
}

/** Paused when it was looked at, and we have let it go since: that pause was ours, and is no more. */
function movedMeanwhile(draft: Draft, dag: DagRef, seen: Switch): boolean {
  const { state, op } = draft.ownership(dag);
  // Nothing is kept of a DAG that is nobody's.
  const now = state === 'none' ? null : op;
  return seen.facts?.paused === true && (state === 'none' || state === 'ceded') && now !== seen.op;
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
  draft.putOwnership({ ...own, state: 'foreign', since: draft.now, foundPaused: true });
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

export function settleHold(draft: Draft, row: Hold, to: 'held' | 'foreign' | 'released', why: Reason): Hold {
  step(HOLD_STATE, `hold ${row.id}`, row.state, to);
  const after = draft.putHold({
    ...row,
    state: to,
    foundPaused: to === 'foreign' ? true : row.foundPaused,
    releasedAt: to === 'released' ? draft.now : null,
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
    // A hold that came while the effect was on its way out is not forgotten.
    if (waiting.length > 0) intendPause(draft, dag, own.auditCursor);
  } else if (found.was === 'gone') {
    draft.putOwnership({ ...own, state: 'none' });
    for (const h of waiting) settleHold(draft, h, 'released', reason('dag_gone'));
  } else if (found.was === 'taken_over') {
    takenOver(draft, dag, found.who);
  } else {
    const uncertain = found.was === 'paused_by_unknown';
    draft.putOwnership({ ...own, state: 'ours', uncertain });
    const why = uncertain ? 'settled_uncertain' : found.settled ? 'settled_ours' : 'paused';
    for (const h of waiting) settleHold(draft, h, 'held', reason(why));
    if (uncertain) for (const h of waiting) draft.notice(h.incidentId, 'attention', dag.dagId);
    // Every hold may have ended while the PATCH was under way: then nothing wants this pause any more.
    if (draft.holdingOn(dag).length === 0) releaseNow(draft, dag);
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
  if (!unpaused) for (const h of leaving) end(draft, h, why);
}

/** Another incident may have claimed the DAG while it was being let go: what the unpause found says whose pause it is now. */
export function claimAfterUnpause(draft: Draft, dag: DagRef, found: UnpauseFound): void {
  const waiting = draft.holdingOn(dag).filter((h) => h.state === 'intended');
  const own = draft.ownership(dag);
  if (waiting.length === 0 || own.state === 'pause_intended' || own.state === 'resume_intended') return;
  if (own.state === 'ours') {
    for (const h of waiting) settleHold(draft, h, 'held', reason('already_ours'));
  } else if (found.was === 'touched' || found.was === 'repaused') {
    // Paused, and by somebody else. A pause of ours on top would pass for the one to undo, and came after a person's unpause once (simulator, seed 75
    // with a clock that jumps back).
    putForeign(draft, dag);
    for (const h of waiting) settleHold(draft, h, 'foreign', reason('already_paused'));
  } else {
    // Taken over in the old story or not: nobody has said anything about the new one yet.
    intendPause(draft, dag, own.auditCursor);
  }
  for (const h of waiting) settleContainment(draft, h.incidentId);
}

/** A right that is missing now may be granted in a minute. */
const REFUSED_AGAIN_MS = 60_000;

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

function tellSpared(draft: Draft, incident: Incident, spared: readonly Spared[]): void {
  const held = new Set(
    draft
      .holdsOf(incident.id)
      .filter((h) => h.releasedAt === null)
      .map(dagKey),
  );
  // What is held already stays held: that it would be spared today is no news, and must not be asked about at each survey.
  const free = spared.filter((d) => !held.has(dagKey(d)));
  const before = new Map(draft.incident(incident.id).spared.map((d) => [dagKey(d), d.reason.code]));
  const news = free.filter((d) => before.get(dagKey(d)) !== d.reason.code);
  for (const d of news) draft.tell(incident.id, 'dag.spared', d.dagId, d.reason);
  // One question for all of them: a cap that is reached by hundreds must not become hundreds of messages.
  const asked = news.filter((d) => d.reason.code === 'over_cap' || d.reason.code === 'ask_tag').map((d) => d.dagId);
  if (asked.length > 0) draft.notice(incident.id, 'attention', asked.join(', '));
  draft.patchIncident(incident.id, { spared: free });
}

/** A source of facts that is missing makes the blast radius smaller than the truth may be: people must see that. */
function tellGaps(draft: Draft, incident: Incident, switches: readonly SwitchFacts[], silent: readonly DagRef[]): void {
  const known = new Set(incident.gaps.map((g) => g.source));
  const audit = switches.flatMap(({ auditGap }): LineageGap[] => (auditGap ? [{ source: 'audit_log', why: auditGap }] : []));
  const names = silent.map((d) => `${d.dagId} of ${d.airflow}`).join(', ');
  const other: LineageGap[] =
    silent.length > 0 ? [{ source: 'other_airflow', why: `it does not answer, so these are not held yet: ${names}` }] : [];
  const gaps = [...draft.context.world.gaps(incident.airflow), ...audit.slice(0, 1), ...other];
  for (const gap of gaps) {
    if (!known.has(gap.source))
      draft.tell(incident.id, 'source.gap', gap.source, reason('lineage_gap', { source: gap.source, why: gap.why }));
  }
  draft.patchIncident(incident.id, { gaps });
}
