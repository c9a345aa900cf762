/**
 * Release: the end of the holds, and what the released DAGs are given because they missed it. First every DAG is unpaused, then missed
 * events are delivered, upstream first; a DAG whose input comes from another released DAG gets it from that DAG's run. So each held
 * DAG has the repaired data exactly once.
 */
import { asPlanned, deliveriesAgain, merged, plannedDeliveries, settled, withOwed } from './deliveries.ts';
import { type Draft, msBetween, sameDag } from './draft.ts';
import type { MissedFacts, MissedInputs } from './events.ts';
import type { DagRef, RunFacts } from './facts.ts';
import type { Hold } from './hold.ts';
import type { Delivery, Incident } from './incident.ts';
import type { DagLook, DeliveryOrder, Intent, IntentAct } from './intent.ts';
import { isOver, isUnderWay } from './lifecycle.ts';
import { letGo } from './ownership.ts';
import { type Reason, reason } from './reason.ts';
import { endRepairs, setStatus, stamp } from './status.ts';
import { AIRFLOW } from './timeline.ts';

const OPEN_HOLD: ReadonlySet<Hold['state']> = new Set(['intended', 'held', 'foreign', 'release_intended']);

export function startRelease(draft: Draft, incidentId: string, why: Reason): void {
  endRepairs(draft, incidentId, why);
  const incident = draft.patchIncident(incidentId, { releasing: true, surveyPending: false, statusReason: why });
  if (incident.status === 'open' || incident.status === 'contained' || incident.status === 'repairing')
    setStatus(draft, incidentId, 'verifying', why);
  const ours = draft.holdsOf(incidentId).some((h) => h.state === 'held' && draft.ownership(h).state === 'ours');
  if (ours && incident.mode === 'armed') draft.intend({ kind: 'plan_release', airflow: incident.airflow, incidentId });
  else release(draft, incidentId, [], why);
}

/** The facts are read: let go of every hold, and note what each DAG is to be given. */
export function release(draft: Draft, incidentId: string, missed: readonly MissedFacts[], why: Reason): void {
  const incident = draft.findIncident(incidentId);
  if (!incident?.releasing) return;
  if (!isOver(incident.status)) setStatus(draft, incidentId, 'monitoring', why);
  const holds = draft
    .holdsOf(incidentId)
    .filter((h) => OPEN_HOLD.has(h.state))
    .sort((a, b) => a.depth - b.depth);
  // Two of one incident on one DAG: reopened while it was let go, and then nobody could tell who had paused it. The younger one leaves, the other ends.
  const only = (h: Hold) =>
    draft.holdingOn(h).every((x) => x.incidentId === incidentId) && draft.holdingOn(h).at(-1)?.id === h.id;
  const leaving = holds.filter((h) => h.state === 'held' && only(h));
  for (const h of holds) letGo(draft, h, why);
  const left = new Set(draft.holdsOf(incidentId).flatMap((h) => (OPEN_HOLD.has(h.state) ? [h.id] : [])));
  const going = leaving.filter((h) => left.has(h.id));
  const planned = plannedDeliveries(draft, incidentId, going, missed);
  draft.patchIncident(incidentId, { deliveries: withOwed(incident.deliveries, planned) });
  settleRelease(draft, incidentId);
}

/** After each hold that ended: when all of an Airflow have, the missed data is delivered there; the facts for it are those of the release plan. */
export function settleRelease(draft: Draft, incidentId: string): void {
  const incident = draft.findIncident(incidentId);
  if (!incident) return;
  handOver(draft, incident);
  if (mayGive(incident)) deliver(draft, incidentId);
  if (incident.releasing) settleMonitoring(draft, incidentId);
}

/** An event reaches its own Airflow only: one that is away, or in no configuration any more, keeps nobody else from what they missed. */
const isLettingGo = (draft: Draft, incidentId: string, airflow: string): boolean =>
  draft.holdsOf(incidentId).some((h) => h.state === 'release_intended' && h.airflow === airflow);
/** Whom a reopened cause reaches is not known yet: what is given now might be paused in a moment. */
const mayGive = (incident: Incident): boolean => incident.releasing || !incident.surveyPending;

/** At the end of every decision: whatever let a DAG go, nothing that it is owed waits for an event that may not come. */
export function settleOwed(draft: Draft): void {
  for (const i of draft.incidents()) if (i.deliveries.some((d) => d.state === 'waiting')) settleRelease(draft, i.id);
}

const stateOf = (draft: Draft, incidentId: string, dag: DagRef): Hold['state'] | undefined =>
  draft
    .holdsOf(incidentId)
    .filter((h) => sameDag(h, dag))
    .at(-1)?.state;

function eachWaiting(draft: Draft, incidentId: string, change: (d: Delivery) => Delivery): void {
  const before = draft.incident(incidentId).deliveries;
  const deliveries = before.map((d) => (d.state === 'waiting' ? change(d) : d));
  if (deliveries.some((d, i) => d !== before[i])) draft.patchIncident(incidentId, { deliveries });
}

/** A DAG that a person took over is not given anything; one that is held again is given nothing yet. */
function handOver(draft: Draft, incident: Incident): void {
  eachWaiting(draft, incident.id, (d) => {
    if (stateOf(draft, incident.id, d) === 'ceded' || draft.ownership(d).state === 'ceded')
      return settled({ ...d, state: 'done', expectRun: false, reason: reason('release_ceded') });
    const holding = draft.holdingOn(d);
    if (holding.length === 0 && draft.ownership(d).state === 'foreign') return pausedByOthers(draft, d, incident.id);
    return heldAgain(draft, d, incident.id, holding);
  });
}

/** An event does not reach a paused DAG, and nobody knows when they let it go: they are told what it has not had. */
function pausedByOthers(draft: Draft, d: Delivery, incidentId: string): Delivery {
  const why = reason('not_delivered', { asset: 'what it missed', why: 'somebody has paused it' });
  draft.tell(incidentId, 'delivery.refused', d.dagId, why);
  draft.notice(incidentId, 'attention', d.dagId);
  return settled({ ...d, how: 'not_delivered', reason: why, expectRun: false, state: 'done', orders: [] });
}

/** Orders what waits, of DAGs that run by now. */
function deliver(draft: Draft, incidentId: string): void {
  const orders: { readonly airflow: string; readonly order: DeliveryOrder }[] = [];
  const due: Delivery[] = [];
  eachWaiting(draft, incidentId, (d) => {
    if (!isLet(draft, incidentId, d)) return d;
    if (d.missedSince !== undefined && d.looked !== true) {
      if (d.look === undefined) due.push(d);
      return d;
    }
    orders.push(...d.orders.map((order) => ({ airflow: d.airflow, order })));
    return settled({ ...d, state: 'sent', since: draft.now });
  });
  for (const airflow of new Set(due.map((d) => d.airflow))) lookAgain(draft, incidentId, airflow);
  for (const airflow of new Set(orders.map((o) => o.airflow))) {
    for (const delivery of merged(orders.filter((o) => o.airflow === airflow).map((o) => o.order)))
      draft.intend({ kind: 'deliver', airflow, incidentId, delivery });
  }
}

/**
 * Whoever lets it go next gives it what it missed. Of a pause that was never lifted they read that themselves; of one that came after our unpause they
 * know nothing, so what is owed becomes theirs. What was found out before the new pause counts no more.
 */
function heldAgain(draft: Draft, d: Delivery, incidentId: string, holding: readonly Hold[]): Delivery {
  const next = holding.find((h) => h.incidentId === incidentId) ?? holding[0];
  if (!next) return d;
  if (next.incidentId === incidentId) return d.look === undefined && d.looked !== true ? d : lookLater(d);
  const own = draft.ownership(d);
  // Whether it is lifted at all is not known yet: then theirs is nobody's, or this one's still.
  if (own.state === 'resume_intended') return d;
  const neverLifted = own.state === 'ours' && own.since !== null && own.since <= (d.missedSince ?? d.since);
  if (!neverLifted) {
    const { deliveries } = draft.incident(next.incidentId);
    draft.patchIncident(next.incidentId, { deliveries: withOwed(deliveries, [lookLater(d)]) });
  }
  const why = reason('still_held', { incidents: holding.map((h) => h.incidentId).join(', ') });
  return settled({ ...d, how: 'nothing', reason: why, expectRun: false, state: 'done', orders: [] });
}

function lookLater(d: Delivery): Delivery {
  const { look: _look, looked: _looked, ...again } = d;
  return again;
}

/** Their holds are over, and they run: what they missed can be told now. */
const isLet = (draft: Draft, incidentId: string, d: Delivery): boolean =>
  stateOf(draft, incidentId, d) === 'released' && draft.holdingOn(d).length === 0 && !isLettingGo(draft, incidentId, d.airflow);

const isDue = (draft: Draft, incidentId: string, airflow: string) => (d: Delivery) =>
  d.airflow === airflow &&
  d.state === 'waiting' &&
  d.missedSince !== undefined &&
  d.looked !== true &&
  d.look === undefined &&
  isLet(draft, incidentId, d);

/**
 * Between the look before the unpause and the unpause events went on: live story 04 lost one on 2.11.2, and so did the simulator (seeds 1351, 2702,
 * 5446). And a DAG that a person was asked about first is let go minutes later, when others have had what it missed (seed 8595).
 */
function lookAgain(draft: Draft, incidentId: string, airflow: string): void {
  // One at a time: what the one orders, the next must see. One that Airflow does not answer, or that has waited for long, gives up its turn.
  const first = (i: Intent) =>
    i.act.kind === 'plan_delivery' &&
    i.act.airflow === airflow &&
    isUnderWay(i.state) &&
    i.attempts === 0 &&
    msBetween(i.createdAt, draft.now) < TURN_MS;
  if (draft.intents().some(first)) return;
  // With all who wait for theirs: each look reads every asset and DAG of the site, and one after the other 2 in a second fell hours behind (soak).
  const dags: DagLook[] = [];
  const others = draft.incidents().filter((i) => i.id !== incidentId && mayGive(i));
  for (const id of [incidentId, ...others.map((i) => i.id)]) {
    if (dags.length >= MOST_LOOKED_AT) break;
    const due = draft.incident(id).deliveries.filter(isDue(draft, id, airflow));
    // Of two who owe the same DAG the other must see what the one orders.
    if (due.length === 0 || due.some((d) => dags.some((x) => x.dagId === d.dagId))) continue;
    dags.push(
      ...due.map((d) => ({
        ...{ dagId: d.dagId, since: d.missedSince ?? d.since },
        ...(id === incidentId ? {} : { incidentId: id }),
      })),
    );
  }
  const act = { kind: 'plan_delivery', airflow, incidentId, dags } as const;
  const { id: look } = draft.intend(act);
  for (const id of incidentsOf(act)) {
    const asked = dagsOf(act, id);
    const { deliveries } = draft.incident(id);
    const asks = (d: Delivery) => d.airflow === airflow && asked.includes(d.dagId) && d.state === 'waiting';
    draft.patchIncident(id, { deliveries: deliveries.map((d) => (asks(d) ? { ...d, look } : d)) });
  }
}

const TURN_MS = 60_000;
/** One look waits for its slowest DAG, and all who are in it wait with it. */
const MOST_LOOKED_AT = 100;

type LookAct = IntentAct & { readonly kind: 'plan_delivery' };
const incidentsOf = (act: LookAct): string[] => [...new Set(act.dags.map((d) => d.incidentId ?? act.incidentId))];
const dagsOf = (act: LookAct, incidentId: string): string[] =>
  act.dags.filter((d) => (d.incidentId ?? act.incidentId) === incidentId).map((d) => d.dagId);

/** A look that came to nothing goes on for its own incident alone: a DAG that Airflow cannot show must not keep the others from what they missed. */
export function lookAlone(draft: Draft, intent: Intent): Intent {
  const { act } = intent;
  if (act.kind !== 'plan_delivery') return intent;
  const others = incidentsOf(act).filter((id) => id !== act.incidentId);
  if (others.length === 0) return intent;
  for (const id of others) {
    const incident = draft.findIncident(id);
    const deliveries = incident?.deliveries.map((d) => (d.look === intent.id ? lookLater(d) : d));
    if (deliveries) draft.patchIncident(id, { deliveries });
  }
  return draft.putIntent({ ...intent, act: { ...act, dags: act.dags.filter((d) => d.incidentId === undefined) } });
}

/** What DAGs that run by now missed until they did. Nothing: Airflow refuses to say, and what was planned before counts. */
export function lookedAgain(draft: Draft, intentId: string, act: LookAct, missed: readonly MissedInputs[]): void {
  const given = new Set<string>();
  const shared = incidentsOf(act).length > 1;
  for (const incidentId of incidentsOf(act)) {
    const incident = draft.findIncident(incidentId);
    if (!incident) continue;
    const asked = (d: Delivery) => d.state === 'waiting' && d.look === intentId && draft.holdingOn(d).length === 0;
    const known = missed.filter((m) => incident.deliveries.some((d) => asked(d) && sameDag(m, d)));
    const assets = known.flatMap((m) => m.missedAssets.filter((a) => a.events > 0).map((a) => a.assetKey));
    // Asked about together none is another's reader that had it: an order that waits must not stand until the others have been given theirs.
    const mustWait = shared && (!mayGive(incident) || isLettingGo(draft, incidentId, act.airflow));
    // What another one has just been given by this look may have reached these too: only another look can tell.
    const again = mustWait || assets.some((key) => given.has(key));
    if (!mustWait) for (const key of assets) given.add(key);
    const settledBy = (d: Delivery) => (again ? lookLater(d) : known.some((m) => sameDag(m, d)) ? d : asPlanned(d));
    const deliveries = incident.deliveries.map((d) => (asked(d) ? settledBy(d) : d));
    draft.patchIncident(incident.id, {
      deliveries: again ? deliveries : deliveriesAgain(draft, incident.id, deliveries, known),
    });
    settleRelease(draft, incident.id);
  }
}

type DeliverAct = IntentAct & { readonly kind: 'deliver' };
const meant = ({ airflow, delivery }: DeliverAct) => {
  const dagIds = delivery.how === 'event' ? delivery.dagIds : [delivery.dagId];
  return (d: Delivery) => d.airflow === airflow && dagIds.includes(d.dagId);
};

/** Airflow has what was delivered. */
export function delivered(draft: Draft, act: DeliverAct, runIds: Readonly<Record<string, string>>): void {
  const incident = draft.findIncident(act.incidentId);
  if (!incident) return;
  const isMeant = meant(act);
  const deliveries = incident.deliveries.map((d) => {
    if (!isMeant(d) || d.state === 'waiting') return d;
    draft.tell(incident.id, 'delivery.done', d.dagId, d.reason);
    return { ...d, runId: runIds[d.dagId] ?? d.runId };
  });
  draft.patchIncident(incident.id, { deliveries });
}

export function deliveryRefused(draft: Draft, act: DeliverAct, error: string): void {
  const { incidentId, delivery: order } = act;
  const incident = draft.findIncident(incidentId);
  if (!incident) return;
  const dagIds = order.how === 'event' ? order.dagIds : [order.dagId];
  const isMeant = meant(act);
  const why = reason('not_delivered', {
    asset: order.how === 'event' || order.how === 'run' ? order.uri : 'missed intervals',
    why: error,
  });
  const deliveries = incident.deliveries.map(
    // What is owed by now is owed by a later hold: the old order says nothing of it.
    (d): Delivery =>
      isMeant(d) && d.state === 'sent' ? { ...d, how: 'not_delivered', reason: why, expectRun: false, state: 'done' } : d,
  );
  draft.patchIncident(incidentId, { deliveries });
  for (const dagId of dagIds) draft.tell(incidentId, 'delivery.refused', dagId, why);
  draft.notice(incidentId, 'attention', dagIds.join(', '));
  settleMonitoring(draft, incidentId);
}

/** Runs of released DAGs: did each have what it missed? */
export function observeReleased(draft: Draft, airflow: string, runs: readonly RunFacts[], unread: readonly string[] = []): void {
  const concerned = (i: Incident) => i.airflow === airflow || i.deliveries.some((d) => d.airflow === airflow);
  for (const incident of draft.incidents().filter(concerned)) {
    const deliveries = incident.deliveries.map((d) =>
      d.airflow === airflow && !unread.includes(d.dagId) ? watch(draft, incident, d, runs) : d,
    );
    if (deliveries.some((d, i) => d !== incident.deliveries[i])) draft.patchIncident(incident.id, { deliveries });
    settleMonitoring(draft, incident.id);
  }
}

function watch(draft: Draft, incident: Incident, d: Delivery, runs: readonly RunFacts[]): Delivery {
  if (!d.expectRun || d.state !== 'sent') return d;
  const mine = runs.filter((r) => r.dagId === d.dagId && (d.runId === null ? startedSince(r, d.since) : r.runId === d.runId));
  const ended = mine.find((r) => r.state === 'success') ?? mine.find((r) => r.state === 'failed');
  if (ended) {
    const ok = ended.state === 'success';
    draft.tell(
      incident.id,
      ok ? 'delivery.ran' : 'delivery.failed',
      d.dagId,
      reason(ok ? 'ran_after_release' : 'failed_after_release', { run: ended.runId }),
      AIRFLOW,
    );
    return { ...d, state: ok ? 'ran' : 'failed', runId: ended.runId };
  }
  if (mine.length === 0 && msBetween(d.since, draft.now) >= draft.policy.monitor.settleWithinMs) {
    draft.tell(incident.id, 'delivery.not_seen', d.dagId, reason('not_seen_after_release'));
    draft.notice(incident.id, 'attention', d.dagId);
    return { ...d, state: 'not_seen' };
  }
  return d;
}

/** Clocks of two machines differ a little: a run that was queued this much before our order still is its answer. */
const CLOCK_SLACK_MS = 2_000;
const startedSince = (r: RunFacts, since: string): boolean => {
  const at = r.queuedAt ?? r.startDate;
  return at === null || msBetween(since, at) >= -CLOCK_SLACK_MS;
};

const DELIVERY_OVER: ReadonlySet<Delivery['state']> = new Set(['ran', 'failed', 'not_seen', 'done']);

/** The end of the story: no hold is left, and every released DAG has what it missed. */
export function settleMonitoring(draft: Draft, incidentId: string): void {
  const incident = draft.findIncident(incidentId);
  const givesYet = (a: IntentAct) => (a.kind === 'deliver' || a.kind === 'plan_delivery') && a.incidentId === incidentId;
  if (!incident?.releasing) return;
  if (draft.holdsOf(incidentId).some((h) => OPEN_HOLD.has(h.state))) return;
  // A dismissed incident is not read any more once it is released.
  if (incident.deliveries.some((d) => d.state === 'waiting')) return;
  // Last: it looks through all acts.
  if (draft.pending(givesYet)) return;
  stamp(draft, incidentId, 'releasedAt');
  if (incident.status !== 'monitoring') return;
  if (!incident.deliveries.every((d) => DELIVERY_OVER.has(d.state) || (d.state === 'sent' && !d.expectRun))) return;
  stamp(draft, incidentId, 'resolvedAt');
  setStatus(draft, incidentId, 'resolved', reason('resolved'));
  draft.notice(incidentId, 'resolved', incident.dagId);
}
