/**
 * The product's table of contents: signal -> incident -> containment -> repair -> verification -> release. Pure: the same state, event and
 * context always give the same decision. Nothing in here waits, reads a clock, rolls a die or touches the outside; what is to be done outside
 * leaves as intents.
 */
import { observeFiles } from './brokenFiles.ts';
import { contain, requestSurvey } from './containment.ts';
import { type Context, type Decision, Draft, msBetween, type State } from './draft.ts';
import type { DomainEvent, Outcome, OutcomeFacts, UnpauseFound } from './events.ts';
import type { DagRef } from './facts.ts';
import { claimAfterUnpause, paused, pauseRefused, settleContainment } from './holding.ts';
import { holdsMore } from './incident.ts';
import { type Intent, type IntentAct, REFUSED_AGAIN_MS } from './intent.ts';
import { isOver } from './lifecycle.ts';
import { walk } from './lineage.ts';
import { hear } from './matching.ts';
import { noticeNotSent, noticeSent } from './notices.ts';
import { observe } from './observation.ts';
import { unpaused } from './ownership.ts';
import { act } from './people.ts';
import { type Reason, reason } from './reason.ts';
import {
  delivered,
  deliveryRefused,
  lookAlone,
  lookedAgain,
  release,
  settleMonitoring,
  settleOwed,
  settleRelease,
} from './release.ts';
import { planFailed, planned, planWaits, repairTick, stepRefused, stepSent } from './repair.ts';
import { takeBack } from './restore.ts';
import { NOT_YET_MS, nextAttempt, notYet } from './retry.ts';

/** Decides a list of events one after the other, as one evaluation with one `now`. */
export function decide(state: State, events: readonly DomainEvent[], context: Context): Decision {
  const draft = new Draft(state, context);
  for (const event of events) decideOne(draft, event);
  settleOwed(draft);
  return draft.decision();
}

function decideOne(draft: Draft, event: DomainEvent): void {
  switch (event.type) {
    case 'signal':
      return hear(draft, event.signal);
    case 'observed':
      return observe(draft, event.airflow, event.seen);
    case 'person':
      return act(draft, event.actor, event.act);
    case 'outcome':
      return conclude(draft, event.intentId, event.outcome);
    case 'broken_files':
      return observeFiles(draft, event.airflow, event.now, event.before);
    case 'lineage_changed':
      return relook(draft, event.airflow);
    case 'restored':
      return takeBack(draft, event.paused);
    case 'tick':
      return tick(draft);
    default:
      event satisfies never;
  }
}

/** An intent has ended, or is to be tried again. An outcome of an intent that is over already changes nothing. */
function conclude(draft: Draft, intentId: string, how: Outcome): void {
  const found = draft.intent(intentId);
  if (!found || found.state === 'done' || found.state === 'failed') return;
  if (how.result === 'done') {
    draft.putIntent({ ...found, state: 'done', lastError: null });
    return apply(draft, found, how.facts);
  }
  const intent = lookAlone(draft, found);
  // What was refused may have been another one's: it is believed where it was asked for alone.
  const outcome = intent !== found && how.result === 'failed' ? { ...how, retry: true } : how;
  if (outcome.result === 'not_yet') {
    draft.putIntent(notYet(intent, outcome.why, draft.now));
    if (intent.act.kind === 'plan_repair') planWaits(draft, intent.act.repairId, outcome.why);
    return tellStuck(draft, intent, outcome.why);
  }
  if (intent.act.kind === 'send_notice') return noticeNotSent(draft, intent, intent.act, outcome);
  const next = nextAttempt(intent, outcome, draft.now, draft.context.chance);
  draft.putIntent(next);
  if (next.state === 'failed') refuse(draft, intent, outcome.error);
  else if (next.attempts === FIRST_TOLD) tellTrouble(draft, intent.act, outcome.error);
}

/** What a released DAG is to be given may wait for something in Airflow that never ends (a backfill of somebody's): said once, or its incident would stay without a word. */
function tellStuck(draft: Draft, { act: a, createdAt, dueAt }: Intent, what: string): void {
  if (a.kind !== 'deliver' && a.kind !== 'plan_delivery') return;
  const { stuckAfterMs } = draft.policy.repair;
  const lastAsked = msBetween(createdAt, dueAt) - NOT_YET_MS;
  if (msBetween(createdAt, draft.now) < stuckAfterMs || lastAsked >= stuckAfterMs) return;
  draft.tell(
    a.incidentId,
    'delivery.stuck',
    null,
    reason('repair_stuck', { minutes: String(Math.round(stuckAfterMs / 60_000)), what }),
  );
  draft.notice(a.incidentId, 'attention', a.airflow);
}

/** A single failed attempt is normal on a network; the third in a row is told, once. */
const FIRST_TOLD = 3;

function apply(draft: Draft, intent: Intent, facts: OutcomeFacts): void {
  const a = intent.act;
  if (facts.kind === 'survey' && (a.kind === 'survey' || a.kind === 'survey_elsewhere'))
    contain(draft, a.incidentId, facts.survey);
  else if (facts.kind === 'pause_dag' && a.kind === 'pause_dag') settleAll(draft, paused(draft, a, facts.found));
  else if (facts.kind === 'unpause_dag' && a.kind === 'unpause_dag') afterUnpause(draft, a, facts.found);
  else if (facts.kind === 'plan_repair' && a.kind === 'plan_repair') planned(draft, a.repairId, facts.plan);
  else if (facts.kind === 'repair_step' && a.kind === 'repair_step') stepSent(draft, a.repairId, a.step, facts.settled);
  else if (facts.kind === 'plan_release' && a.kind === 'plan_release') afterReleasePlan(draft, a.incidentId, facts);
  else if (facts.kind === 'plan_delivery' && a.kind === 'plan_delivery') lookedAgain(draft, intent.id, a, facts.missed);
  else if (facts.kind === 'deliver' && a.kind === 'deliver') delivered(draft, a, facts.runIds);
  else if (facts.kind === 'send_notice' && a.kind === 'send_notice') noticeSent(draft, intent, a);
}

function afterReleasePlan(draft: Draft, incidentId: string, facts: OutcomeFacts & { kind: 'plan_release' }): void {
  const incident = draft.findIncident(incidentId);
  if (!incident) return;
  release(draft, incidentId, facts.missed, incident.statusReason);
}

function afterUnpause(draft: Draft, dag: DagRef, found: UnpauseFound): void {
  const leaving = unpaused(draft, dag, found);
  claimAfterUnpause(draft, dag, found);
  settleAll(draft, leaving);
}

function settleAll(draft: Draft, incidentIds: readonly string[]): void {
  for (const id of new Set(incidentIds)) settleRelease(draft, id);
}

/** What is done about an act that Airflow refuses for good. */
function refuse(draft: Draft, { id, act: a }: Intent, error: string): void {
  switch (a.kind) {
    case 'survey':
    case 'survey_elsewhere':
      if (!isLive(draft, a.incidentId)) return;
      askAgain(draft, a, 'survey.failed', reason('survey_failed', { error }));
      return settleContainment(draft, a.incidentId);
    case 'pause_dag':
      return settleAll(draft, pauseRefused(draft, a, error));
    case 'unpause_dag':
      return afterUnpause(draft, a, { was: 'uncertain', why: error });
    case 'plan_repair':
      return planFailed(draft, a.repairId, error);
    case 'repair_step':
      return stepRefused(draft, a.repairId, a.step, error);
    case 'plan_release':
      // Opened again meanwhile: nothing is to be let go.
      if (draft.findIncident(a.incidentId)?.releasing !== true) return;
      return askAgain(draft, a, 'release.failed', reason('unpause_failed', { error }));
    case 'plan_delivery':
      return lookedAgain(draft, id, a, []);
    case 'deliver':
      return deliveryRefused(draft, a, error);
    case 'send_notice':
      return;
    default:
      a satisfies never;
  }
}

/** What only reads is asked again for as long as it is needed, and told once: given up, it would leave DAGs running on bad data, or held for ever. */
function askAgain(
  draft: Draft,
  act: IntentAct & { kind: 'survey' | 'survey_elsewhere' | 'plan_release' },
  event: string,
  why: Reason,
): void {
  draft.intend({ ...act, again: true }, REFUSED_AGAIN_MS);
  if (act.again) return;
  draft.tell(act.incidentId, event, null, why);
  draft.notice(act.incidentId, 'attention', act.airflow);
}

/** What is over, or is being let go, misses no survey. */
function isLive(draft: Draft, incidentId: string): boolean {
  const incident = draft.findIncident(incidentId);
  return incident !== undefined && !isOver(incident.status) && !incident.releasing;
}

function tellTrouble(draft: Draft, a: IntentAct, error: string): void {
  if (a.kind === 'survey' || a.kind === 'survey_elsewhere')
    draft.tell(a.incidentId, 'survey.retrying', null, reason('survey_failed', { error }));
  if (a.kind === 'plan_release' || a.kind === 'plan_delivery')
    draft.tell(a.incidentId, 'release.retrying', null, reason('missed_unread', { error }));
  if (a.kind === 'unpause_dag') {
    for (const h of draft
      .holds()
      .filter((x) => x.state === 'release_intended' && x.dagId === a.dagId && x.airflow === a.airflow)) {
      draft.tell(h.incidentId, 'hold.release_retrying', a.dagId, reason('unpause_failed', { error }));
    }
  }
  if (a.kind === 'pause_dag') {
    for (const h of draft.holdingOn(a)) draft.tell(h.incidentId, 'hold.retrying', a.dagId, reason('pause_failed', { error }));
  }
}

/** A link that was learnt late (a task that had never run, a DAG deployed a minute ago) must not leave a reader of bad data running. */
function relook(draft: Draft, airflow: string): void {
  for (const i of draft.incidents()) if (holdsMore(i) && reaches(draft, i, airflow)) requestSurvey(draft, i.id);
}

const reaches = (draft: Draft, i: DagRef, airflow: string): boolean =>
  i.airflow === airflow || walk(draft.context.world.edges(), i, null).reached.some((d) => d.airflow === airflow);

/** Time has passed. A hold whose review time is over becomes a question, never an unpause. */
function tick(draft: Draft): void {
  repairTick(draft);
  for (const h of draft.holds()) {
    if (h.releasedAt !== null || h.reviewAsked || msBetween(h.reviewBy, draft.now) < 0) continue;
    draft.putHold({ ...h, reviewAsked: true });
    draft.tell(h.incidentId, 'hold.review_due', h.dagId, reason('review_due'));
    draft.notice(h.incidentId, 'attention', h.dagId);
  }
  for (const i of draft.incidents()) {
    if (i.releasing) settleMonitoring(draft, i.id);
    else if (i.status === 'open' && i.surveyPending && !draft.pending((a) => a.kind === 'survey' && a.incidentId === i.id))
      requestSurvey(draft, i.id);
    else settleContainment(draft, i.id);
  }
}
