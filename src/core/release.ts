/**
 * Release: the end of the holds, and what the released DAGs are given because they missed it. First every DAG is unpaused, then missed
 * events are delivered, upstream first; a DAG whose input comes from another released DAG gets it from that DAG's run. So each held
 * DAG has the repaired data exactly once.
 */
import { type Draft, msBetween } from './draft.ts';
import type { MissedAsset, MissedFacts } from './events.ts';
import type { AssetCondition, RunFacts } from './facts.ts';
import type { Hold } from './hold.ts';
import type { Delivery, Incident } from './incident.ts';
import type { DeliveryOrder } from './intent.ts';
import { isActiveRepair, isOver } from './lifecycle.ts';
import { letGo } from './ownership.ts';
import { type Reason, reason } from './reason.ts';
import { setRepair, setStatus, stamp } from './status.ts';
import { AIRFLOW } from './timeline.ts';

const OPEN_HOLD: ReadonlySet<Hold['state']> = new Set(['intended', 'held', 'foreign', 'release_intended']);

export function startRelease(draft: Draft, incidentId: string, why: Reason): void {
  for (const r of draft.repairs().filter((x) => x.incidentId === incidentId && isActiveRepair(x.state))) {
    setRepair(draft, r, r.state === 'planning' || r.state === 'approved' ? 'cancelled' : 'lapsed', why);
  }
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
  const leaving = holds.filter((h) => h.state === 'held' && draft.holdingOn(h).every((x) => x.id === h.id));
  for (const h of holds) letGo(draft, h, why);
  draft.patchIncident(incidentId, { deliveries: plannedDeliveries(draft, leaving, missed) });
  settleRelease(draft, incidentId);
}

function plannedDeliveries(draft: Draft, leaving: readonly Hold[], missed: readonly MissedFacts[]): Delivery[] {
  const fed = new Map<string, Feeder>();
  const deliveries: Delivery[] = [];
  for (const h of leaving) {
    const facts = missed.find((m) => m.dagId === h.dagId);
    const delivery = facts ? oneDelivery(draft, h, facts, fed.get(h.dagId) ?? null) : null;
    if (!delivery) continue;
    deliveries.push(delivery);
    if (!delivery.expectRun) continue;
    const edges = draft.context.world
      .edges()
      .filter((e) => e.kind === 'asset' && e.from.airflow === h.airflow && e.from.dagId === h.dagId);
    for (const e of edges.filter((x) => x.to.airflow === h.airflow)) {
      const before = fed.get(e.to.dagId);
      fed.set(e.to.dagId, { dagId: before?.dagId ?? h.dagId, assets: new Set([...(before?.assets ?? []), e.via]) });
    }
  }
  return deliveries;
}

/** Which released DAG's run will feed another one, and by which assets. */
interface Feeder {
  readonly dagId: string;
  readonly assets: ReadonlySet<string>;
}

function oneDelivery(draft: Draft, h: Hold, m: MissedFacts, feeder: Feeder | null): Delivery {
  const base = { airflow: h.airflow, dagId: h.dagId, since: draft.now, runId: null, orders: [] };
  const missed = m.missedAssets.filter((a) => a.events > 0 && !a.queued);
  if (feeder !== null && m.details?.assetScheduled) {
    const orders = alsoNeeded(m, missed, feeder).map((a) => eventFor(h, a));
    return { ...base, how: 'fed_by', reason: reason('fed_by', { dag: feeder.dagId }), expectRun: true, state: 'waiting', orders };
  }
  if (missed.length > 0) return missedAssets(draft, h, m, missed);
  if (m.missedIntervals.length > 0) {
    const orders: DeliveryOrder[] = [{ how: 'intervals', dagId: h.dagId, intervals: m.missedIntervals }];
    const why = reason('intervals_backfilled', { count: String(m.missedIntervals.length) });
    return { ...base, how: 'backfill', reason: why, expectRun: true, state: 'waiting', orders };
  }
  const why = reason(m.details?.timeScheduled ? 'intervals_as_airflow' : 'missed_nothing');
  return { ...base, how: 'nothing', reason: why, expectRun: false, state: 'done' };
}

/** By an event where nobody else would get it twice; by a run of the DAG itself where somebody would. */
function missedAssets(draft: Draft, h: Hold, m: MissedFacts, missed: readonly MissedAsset[]): Delivery {
  const base = { airflow: h.airflow, dagId: h.dagId, since: draft.now, runId: null };
  const asset = missed.map((a) => a.uri).join(', ');
  if (missed.every((a) => a.otherReaders.length === 0)) {
    // Where one asset is enough, one event is enough: Airflow attaches the other missed events to the same run (2.11.2, 3.0.6-3.3.2).
    const needed = needsAll(conditionOf(m)) ? missed : missed.slice(0, 1);
    const orders = needed.map((a) => eventFor(h, a));
    return {
      ...base,
      how: 'event',
      reason: reason('delivered_event', { asset }),
      expectRun: satisfiable(m),
      state: 'waiting',
      orders,
    };
  }
  if (!satisfiable(m)) {
    const why = `${missed.flatMap((a) => a.otherReaders).join(', ')} had it already, and ${h.dagId} waits for other assets too`;
    return {
      ...base,
      how: 'not_delivered',
      reason: reason('not_delivered', { asset, why }),
      expectRun: false,
      state: 'done',
      orders: [],
    };
  }
  const runId = `firedamper__${h.incidentId}__${draft.context.chance}`;
  const orders: DeliveryOrder[] = [{ how: 'run', dagId: h.dagId, uri: asset, runId }];
  return { ...base, how: 'run', reason: reason('delivered_run', { asset }), expectRun: true, state: 'waiting', runId, orders };
}

const conditionOf = (m: MissedFacts): AssetCondition | null => m.details?.assetCondition ?? null;

const eventFor = (h: Hold, a: MissedAsset): DeliveryOrder => ({
  how: 'event',
  assetKey: a.assetKey,
  uri: a.uri,
  dagIds: [h.dagId],
});

/**
 * A DAG that waits for several assets is fed one of them by the run before it; what else it missed it must be given, or it never runs. Nothing that
 * another reader would get twice; and where the names of the links match no asset we cannot tell what it will be fed, so nothing.
 */
function alsoNeeded(m: MissedFacts, missed: readonly MissedAsset[], feeder: Feeder): readonly MissedAsset[] {
  const comes = (a: MissedAsset) => feeder.assets.has(a.uri) || feeder.assets.has(a.assetKey);
  if (!needsAll(conditionOf(m)) || !m.missedAssets.some(comes)) return [];
  return missed.filter((a) => !comes(a) && a.otherReaders.length === 0);
}

const needsAll = (c: AssetCondition | null): boolean =>
  c !== null && ('all' in c ? c.all.length > 1 || c.all.some(needsAll) : 'any' in c && c.any.some(needsAll));

/** Would the asset condition be met by what was missed and what is queued? An AND stays an AND. */
function satisfiable(m: MissedFacts): boolean {
  const condition = conditionOf(m);
  if (condition === null) return true;
  const have = new Set(m.missedAssets.filter((a) => a.events > 0 || a.queued).map((a) => a.uri));
  const met = (c: AssetCondition): boolean => {
    if ('all' in c) return c.all.every(met);
    if ('any' in c) return c.any.some(met);
    return 'uri' in c ? have.has(c.uri) : true;
  };
  return met(condition);
}

/** After each hold that ended: when all have, the missed data is delivered; the facts for it are those of the release plan. */
export function settleRelease(draft: Draft, incidentId: string): void {
  const incident = draft.findIncident(incidentId);
  if (!incident?.releasing) return;
  const holds = draft.holdsOf(incidentId);
  if (holds.some((h) => h.state === 'release_intended')) return;
  deliver(draft, incident);
  settleMonitoring(draft, incidentId);
}

/** Orders what waits. A DAG that was not unpaused after all (ceded, or a person is asked) is not given anything. */
function deliver(draft: Draft, incident: Incident): void {
  const holds = draft.holdsOf(incident.id);
  const stateOf = (dagId: string) => holds.filter((h) => h.dagId === dagId).at(-1)?.state;
  const orders: DeliveryOrder[] = [];
  const deliveries = incident.deliveries.map((d): Delivery => {
    if (d.state !== 'waiting') return d;
    const state = stateOf(d.dagId);
    if (state === 'ceded') return { ...d, state: 'done', expectRun: false, reason: reason('release_ceded') };
    if (state !== 'released') return d;
    orders.push(...d.orders);
    return { ...d, state: 'sent', since: draft.now };
  });
  draft.patchIncident(incident.id, { deliveries });
  for (const order of merged(orders))
    draft.intend({ kind: 'deliver', airflow: incident.airflow, incidentId: incident.id, delivery: order });
}

/** One event reaches every reader of its asset: two DAGs that missed the same one are given it by one POST. */
function merged(orders: readonly DeliveryOrder[]): DeliveryOrder[] {
  const events = new Map<string, DeliveryOrder & { how: 'event' }>();
  for (const o of orders) {
    if (o.how !== 'event') continue;
    const known = events.get(o.assetKey);
    events.set(o.assetKey, known ? { ...known, dagIds: [...known.dagIds, ...o.dagIds] } : o);
  }
  return [...events.values(), ...orders.filter((o) => o.how !== 'event')];
}

/** Airflow has what was delivered. */
export function delivered(
  draft: Draft,
  incidentId: string,
  order: DeliveryOrder,
  runIds: Readonly<Record<string, string>>,
): void {
  const incident = draft.findIncident(incidentId);
  if (!incident) return;
  const dagIds = order.how === 'event' ? order.dagIds : [order.dagId];
  for (const dagId of dagIds) {
    const d = incident.deliveries.find((x) => x.dagId === dagId);
    if (d) draft.tell(incidentId, 'delivery.done', dagId, d.reason);
  }
  const deliveries = incident.deliveries.map((d) =>
    runIds[d.dagId] === undefined ? d : { ...d, runId: runIds[d.dagId] ?? null },
  );
  draft.patchIncident(incidentId, { deliveries });
}

export function deliveryRefused(draft: Draft, incidentId: string, order: DeliveryOrder, error: string): void {
  const incident = draft.findIncident(incidentId);
  if (!incident) return;
  const dagIds = order.how === 'event' ? order.dagIds : [order.dagId];
  const why = reason('not_delivered', {
    asset: order.how === 'event' || order.how === 'run' ? order.uri : 'missed intervals',
    why: error,
  });
  const deliveries = incident.deliveries.map(
    (d): Delivery =>
      dagIds.includes(d.dagId) ? { ...d, how: 'not_delivered', reason: why, expectRun: false, state: 'done' } : d,
  );
  draft.patchIncident(incidentId, { deliveries });
  for (const dagId of dagIds) draft.tell(incidentId, 'delivery.refused', dagId, why);
  draft.notice(incidentId, 'attention', dagIds.join(', '));
  settleMonitoring(draft, incidentId);
}

/** Runs of released DAGs: did each have what it missed? */
export function observeReleased(draft: Draft, airflow: string, runs: readonly RunFacts[]): void {
  for (const incident of draft.incidents().filter((i) => i.airflow === airflow && i.releasing)) {
    const deliveries = incident.deliveries.map((d) => watch(draft, incident, d, runs));
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
  if (!incident?.releasing || draft.pending((a) => a.kind === 'deliver' && a.incidentId === incidentId)) return;
  if (draft.holdsOf(incidentId).some((h) => OPEN_HOLD.has(h.state))) return;
  stamp(draft, incidentId, 'releasedAt');
  if (incident.status !== 'monitoring') return;
  if (!incident.deliveries.every((d) => DELIVERY_OVER.has(d.state) || (d.state === 'sent' && !d.expectRun))) return;
  stamp(draft, incidentId, 'resolvedAt');
  setStatus(draft, incidentId, 'resolved', reason('resolved'));
  draft.notice(incidentId, 'resolved', incident.dagId);
}
