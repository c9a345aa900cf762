/**
 * Containment: whom to hold, whom to spare, and why. As little as possible (only the readers of what the failed task and the tasks it
 * stops would have made), never a protected DAG, never more than the caps, and never a DAG that the repair itself would wait for.
 */
import { type Draft, dagKey, sameDag } from './draft.ts';
import type { Survey } from './events.ts';
import type { DagFacts, DagRef, LineageGap, RunFacts } from './facts.ts';
import { anyGlob } from './glob.ts';
import { hold, isClaimed, settleContainment, switchOf } from './holding.ts';
import type { Incident, Spared } from './incident.ts';
import type { IntentAct } from './intent.ts';
import { isHolding, isOver } from './lifecycle.ts';
import { affectedTasks, blocksRepair, describePath, type Reached, walk } from './lineage.ts';
import { type Reason, reason } from './reason.ts';
import { activeRepair, rerunByUs } from './status.ts';
import { AIRFLOW } from './timeline.ts';
import { isSick, isWhole, verify } from './verification.ts';

/** Asks for the facts that containment needs. One survey at a time: a failure heard meanwhile is in the next one. */
export function requestSurvey(draft: Draft, incidentId: string): void {
  draft.patchIncident(incidentId, { surveyPending: true });
  const planned = draft.intents().find((i) => i.state === 'planned' && isSurveyOf(i.act, incidentId));
  if (!planned) draft.intend({ kind: 'survey', airflow: draft.incident(incidentId).airflow, incidentId });
  // One that waits for its next try is made now: there is news.
  else if (planned.dueAt > draft.now) draft.putIntent({ ...planned, dueAt: draft.now });
}

/** Another Airflow did not answer. */
const SILENT_AGAIN_MS = 30_000;

function askElsewhere(draft: Draft, { airflow, id: incidentId }: Incident, silent: boolean, news = false): void {
  // Who has never been asked does not wait for the next try with who is silent.
  const asked = (a: IntentAct) => a.kind === 'survey_elsewhere' && a.incidentId === incidentId && (a.again !== true || !news);
  if (draft.pending(asked)) return;
  const act = { kind: 'survey_elsewhere', airflow, incidentId } as const;
  if (silent) draft.intend({ ...act, again: true }, SILENT_AGAIN_MS);
  else draft.intend(act);
}

const isSurveyOf = (a: IntentAct, incidentId: string): boolean => a.kind === 'survey' && a.incidentId === incidentId;

export function contain(draft: Draft, incidentId: string, survey: Survey): void {
  const incident = draft.findIncident(incidentId);
  if (!incident || isOver(incident.status) || incident.releasing) return;
  const again = draft.pending((a) => isSurveyOf(a, incidentId));
  draft.patchIncident(incidentId, { surveyPending: again, runs: withSurveyed(incident, survey) });
  const proof = survey.run?.state === 'success' ? endedWell(draft, incidentId, survey.run) : null;
  const { runs } = draft.incident(incidentId);
  if (proof && runs.every(isWhole) && activeRepair(draft, incidentId)?.state !== 'running')
    return verify(draft, incidentId, proof);
  const broken = runs.filter(isSick);
  const causes = broken.filter((r) => survey.of === undefined || survey.of.includes(`${r.dagId} ${r.runId}`));
  // It came while we looked (an act that only reads is not marked as being made): in the next look. It may have ended well by now.
  if (causes.length < broken.length) requestSurvey(draft, incidentId);
  // Whole again, but for its fallout: who reads it reads what is right.
  if (causes.length === 0 && runs.some((r) => r.role === 'cause')) return settleContainment(draft, incidentId);
  // A check that fails says that something before it is bad, and not what: then all that the DAG makes is.
  const whole = causes.some((r) => r.badData || r.failedTasks.length === 0);
  const tasks = affectedTasks(survey.taskGraph, whole ? [] : causes.flatMap((r) => r.failedTasks));
  const { reached, unaffected } = walk(draft.context.world.edges(), incident, tasks);
  const spared = [...unaffected.map((d) => spare(d, reason('not_affected')))];
  const wanted: Reached[] = [];
  for (const dag of reached) {
    const why = sparedBecause(draft, incident, dag, factsOf(draft, survey, dag));
    if (why) spared.push(spare(dag, why));
    else wanted.push(dag);
  }
  const { within, over } = applyCaps(draft, incident, [...itself(draft, incident, survey, spared), ...wanted]);
  spared.push(...over);
  holdThem(draft, incident, within, survey);
  tellSpared(draft, incident, spared);
  settleContainment(draft, incidentId);
}

/** Whom nobody has asked yet is asked now; who did not answer, later. */
function holdThem(draft: Draft, incident: Incident, wanted: readonly Reached[], survey: Survey): void {
  const { scope, switches } = survey;
  const home = (dag: DagRef) => dag.airflow === incident.airflow;
  const asked = wanted.filter((dag) => scope === undefined || home(dag) === (scope === 'home'));
  const unsure = asked.filter((dag) => !hold(draft, incident, dag, switches));
  const silent = unsure.filter((dag) => !switches.some((s) => s.airflow === dag.airflow));
  const moved = unsure.filter((dag) => !silent.includes(dag));
  if (moved.some(home)) requestSurvey(draft, incident.id);
  const unasked = wanted.filter(
    (dag) => !asked.includes(dag) && !home(dag) && !isClaimed(draft.holdsOf(incident.id), incident, dag),
  );
  tellGaps(draft, incident.id, survey, scope === 'home' ? unasked : silent);
  const silentBefore = namesIn(incident.gaps.find((g) => g.source === 'other_airflow')?.why ?? '');
  const news = unasked.some((dag) => !silentBefore.has(nameOf(dag)));
  if (unasked.length > 0 || moved.some((dag) => !home(dag))) askElsewhere(draft, incident, false, news);
  if (silent.length > 0) askElsewhere(draft, incident, true);
}

/** The failing DAG, where the policy holds it too: it counts as one of those that an incident may hold (simulator, seed 58: three where two were allowed). */
function itself(draft: Draft, incident: Incident, survey: Survey, spared: Spared[]): Reached[] {
  if (!draft.policy.hold.pauseFailingDag) return [];
  const dag: Reached = { airflow: incident.airflow, dagId: incident.dagId, depth: 0, edges: [] };
  const why = sparedBecause(draft, incident, dag, factsOf(draft, survey, dag));
  if (why === null) return [dag];
  spared.push(spare(dag, why));
  return [];
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
  // A look that began before this attempt did.
  if (known.runStart !== null && run.startDate !== null && run.startDate < known.runStart) return null;
  const anyway = known.state === 'failing' && known.runStart === run.startDate;
  const state = anyway ? 'succeeded' : 'healed';
  const runs = incident.runs.map((r) => (r === known ? ({ ...r, state } as const) : r));
  draft.patchIncident(incidentId, { runs });
  const why = reason(anyway ? 'run_succeeded_anyway' : 'healed_outside');
  draft.tell(incidentId, `run.${state}`, `${run.dagId} ${run.runId}`, why, AIRFLOW);
  return runs.every((r) => r.state === 'succeeded') ? why : reason('healed_outside');
}

/** What REST shows of the runs completes what the signals told; an early read may still lag behind the callback and adds nothing then. */
function withSurveyed(incident: Incident, { run, tasks }: Survey): Incident['runs'] {
  return incident.runs.map((r) => {
    const seen = tasks.filter((t) => t.dagId === r.dagId && t.runId === r.runId && t.state === 'failed').map((t) => t.taskId);
    const failedTasks = [...new Set([...r.failedTasks, ...seen])];
    if (run === null || r.dagId !== run.dagId || r.runId !== run.runId) return { ...r, failedTasks };
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
  // Opened armed, and the mode has been changed since: what is held stays so to the end, and nothing more is paused.
  const stopped = draft.policy.mode === 'shadow' && incident.mode === 'armed';
  if (stopped && !isClaimed(draft.holdsOf(incident.id), incident, dag)) return reason('shadow_mode');
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
  const holds = draft.holdsOf(incident.id);
  const held = new Set(holds.map(dagKey));
  // What the links do not reach any more stays held till the end, and takes its place: three were held where two were allowed (simulator, seed 1732).
  const besides = holds.filter((h) => isHolding(h.state) && !wanted.some((d) => sameDag(d, h))).length;
  const room = Math.max(0, cap - besides);
  const sorted = [...wanted].sort(
    (a, b) => Number(held.has(dagKey(b))) - Number(held.has(dagKey(a))) || a.depth - b.depth || (a.dagId < b.dagId ? -1 : 1),
  );
  return {
    within: sorted.slice(0, room),
    over: sorted.slice(room).map((d) => spare(d, reason('over_cap', { cap: String(cap) }))),
  };
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
function tellGaps(draft: Draft, incidentId: string, { scope, switches }: Survey, notHeld: readonly DagRef[]): void {
  const incident = draft.incident(incidentId);
  const before = (source: string): LineageGap[] => incident.gaps.filter((g) => g.source === source);
  const audit = switches.flatMap(({ auditGap }): LineageGap[] => (auditGap ? [{ source: 'audit_log', why: auditGap }] : []));
  // A look at some of the Airflows says nothing of what is missing in the others.
  const gaps = [
    ...draft.context.world.gaps(incident.airflow),
    ...(audit.length === 0 && scope === 'elsewhere' ? before('audit_log') : audit.slice(0, 1)),
    ...(scope === 'home' && notHeld.length > 0 ? before('other_airflow') : scope === 'home' ? [] : silence(notHeld)),
  ];
  for (const gap of gaps) {
    if (before(gap.source).length > 0) continue;
    draft.tell(incidentId, 'source.gap', gap.source, reason('lineage_gap', { source: gap.source, why: gap.why }));
    if (gap.source === 'other_airflow') draft.notice(incidentId, 'attention', notHeld.map((d) => d.dagId).join(', '));
  }
  draft.patchIncident(incidentId, { gaps });
}

const nameOf = (d: DagRef): string => `${d.dagId} of ${d.airflow}`;
const SILENT = 'it does not answer, so these are not held yet: ';
const namesIn = (why: string): ReadonlySet<string> => new Set(why.slice(SILENT.length).split(', '));

function silence(notHeld: readonly DagRef[]): LineageGap[] {
  if (notHeld.length === 0) return [];
  return [{ source: 'other_airflow', why: SILENT + notHeld.map(nameOf).join(', ') }];
}
