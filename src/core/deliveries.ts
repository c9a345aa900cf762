/**
 * What released DAGs are given because they missed it, so that each has the repaired data exactly once: upstream first, and a DAG whose
 * input comes from another released DAG gets it from that DAG's run. Planned before the unpause, from what people were shown; and again
 * for DAGs that read assets once they run, because only from then on nothing can pass them by.
 */
import { type Draft, sameDag } from './draft.ts';
import type { MissedAsset, MissedFacts, MissedInputs } from './events.ts';
import type { AssetCondition, DagRef } from './facts.ts';
import type { Hold } from './hold.ts';
import type { Delivery } from './incident.ts';
import type { DeliveryOrder } from './intent.ts';
import { type Reason, type ReasonCode, reason } from './reason.ts';

/** The ids of runs that we give because of what their DAG missed; a repair's runs have others. */
export const OWN_RUN = /^firedamper__inc-\d+__/;

/** For DAGs that are about to be let go, upstream first. */
export function plannedDeliveries(
  draft: Draft,
  incidentId: string,
  leaving: readonly Hold[],
  missed: readonly MissedFacts[],
): Delivery[] {
  const facts = missed.filter((m) => leaving.some((h) => sameDag(h, m)));
  const plan = planner(draft, incidentId, facts);
  return leaving.flatMap((h) => {
    const m = facts.find((x) => sameDag(x, h));
    if (!m) return [unread(draft, h)];
    const d = plan.give(m, (orElse) => byIntervals(draft, m) ?? orElse);
    return [m.missedAssets.length > 0 ? { ...d, state: 'waiting' as const, missedSince: m.since } : d];
  });
}

/** The same for those of them that run by now, from a second look; the others stay as they are. */
export function deliveriesAgain(
  draft: Draft,
  incidentId: string,
  before: readonly Delivery[],
  missed: readonly MissedInputs[],
): Delivery[] {
  const plan = planner(draft, incidentId, missed);
  return before.map((d) => {
    const m = missed.find((x) => sameDag(x, d));
    if (!m) return plan.keep(d);
    const given = plan.give(m, (orElse) => (d.how === 'backfill' ? asPlanned(d) : orElse));
    return given.state === 'waiting'
      ? { ...given, ...(d.missedSince ? { missedSince: d.missedSince } : {}), looked: true }
      : given;
  });
}

/** For a DAG whose pause was on its way when everything was let go, and arrived: nobody has read what it misses until its unpause. */
export function missedUnread(draft: Draft, h: Hold): void {
  const { deliveries } = draft.incident(h.incidentId);
  draft.patchIncident(h.incidentId, { deliveries: withOwed(deliveries, [unread(draft, h)]) });
}

/** What a new release gives comes to what an earlier one still owes: a DAG that was held again before it was given anything is owed from the first hold on. */
export function withOwed(before: readonly Delivery[], planned: readonly Delivery[]): Delivery[] {
  const others = before.filter((d) => !planned.some((p) => sameDag(p, d)));
  return [
    ...others,
    ...planned.map((p) =>
      owing(
        before.find((d) => d.state === 'waiting' && sameDag(d, p)),
        p,
      ),
    ),
  ];
}

function owing(owed: Delivery | undefined, p: Delivery): Delivery {
  if (owed === undefined) return p;
  const intervals = owed.orders.filter(isIntervals);
  const planned: Delivery =
    intervals.length === 0
      ? p
      : p.how === 'nothing'
        ? { ...p, how: 'backfill', reason: owed.reason, expectRun: true, state: 'waiting', orders: intervals }
        : { ...p, orders: withIntervals(p.orders, intervals) };
  const since = [owed.missedSince, p.missedSince].flatMap((t) => t ?? []).sort()[0];
  return since === undefined ? planned : { ...planned, state: 'waiting', missedSince: since };
}

function unread(draft: Draft, h: Hold): Delivery {
  const missedSince = draft.ownership(h).since ?? h.since;
  return given(draft, h, 'nothing', reason('missed_nothing'), { expectRun: false, missedSince });
}

/** In one order: Airflow runs one backfill of a DAG at a time and refuses a second one. */
function withIntervals(orders: readonly DeliveryOrder[], owed: readonly IntervalOrder[]): DeliveryOrder[] {
  const all = [...orders.filter(isIntervals), ...owed];
  const [first] = all;
  if (!first) return [...orders];
  const byStart = new Map(all.flatMap((o) => o.intervals.map((i) => [i.start, i] as const)));
  const intervals = [...byStart.values()].sort((a, b) => (a.start < b.start ? -1 : 1));
  return [...orders.filter((o) => !isIntervals(o)), { ...first, intervals }];
}

type IntervalOrder = DeliveryOrder & { readonly how: 'intervals' };
const isIntervals = (o: DeliveryOrder): o is IntervalOrder => o.how === 'intervals';

/** The plan made before the unpause counts: there is no later one. */
export function asPlanned(d: Delivery): Delivery {
  return d.how === 'nothing' || d.how === 'not_delivered' ? settled({ ...d, state: 'done' }) : { ...d, looked: true };
}

/** It waits for nothing any more. */
export function settled(d: Delivery): Delivery {
  const { missedSince: _since, look: _look, looked: _looked, ...rest } = d;
  return rest;
}

/** Which released DAG's run will feed another one, and by which assets. */
interface Feeder {
  readonly dagId: string;
  readonly assets: ReadonlySet<string>;
}

interface Planner {
  /** `other`: what to give instead where no asset was missed. */
  give(m: MissedInputs, other: (nothing: Delivery) => Delivery): Delivery;
  keep(d: Delivery): Delivery;
}

function planner(draft: Draft, incidentId: string, facts: readonly MissedInputs[]): Planner {
  const fed = new Map<string, Feeder>();
  const key = (dag: DagRef) => `${dag.airflow}/${dag.dagId}`;
  const feeds = (d: Delivery): Delivery => {
    // One that was sent before has its run already: what came of that, its readers have had or missed.
    if (!d.expectRun || d.state !== 'waiting') return d;
    for (const e of draft.context.world.edges().filter((x) => x.kind === 'asset' && sameDag(x.from, d))) {
      if (e.to.airflow !== d.airflow) continue;
      const known = fed.get(key(e.to));
      fed.set(key(e.to), { dagId: known?.dagId ?? d.dagId, assets: new Set([...(known?.assets ?? []), e.via]) });
    }
    return d;
  };
  const shared = sharing(facts);
  return {
    keep: feeds,
    give: (m, other) => feeds(oneDelivery(draft, incidentId, shared(m), fed.get(key(m)) ?? null, other)),
  };
}

const isMissed = (a: MissedAsset): boolean => a.events > 0 && !a.queued;

/**
 * An event reaches every reader that runs. A DAG that is given a run of its own, because others had its event, is such a reader of its other assets:
 * whoever missed one of those must be given a run too.
 */
function sharing(facts: readonly MissedInputs[]): (m: MissedInputs) => MissedInputs {
  const keysOf = (m: MissedInputs) => m.missedAssets.filter(isMissed).map((a) => `${m.airflow}/${a.assetKey}`);
  const reach = new Map<string, Set<string>>();
  const run = new Set<MissedInputs>();
  const mustRun = (m: MissedInputs) =>
    !run.has(m) &&
    satisfiable(m) &&
    (m.missedAssets.some((a) => isMissed(a) && a.otherReaders.length > 0) || keysOf(m).some((k) => reach.has(k)));
  for (let next = facts.find(mustRun); next; next = facts.find(mustRun)) {
    run.add(next);
    for (const k of keysOf(next)) reach.set(k, (reach.get(k) ?? new Set()).add(next.dagId));
  }
  return (m) => ({
    ...m,
    missedAssets: m.missedAssets.map((a) => {
      const others = [...(reach.get(`${m.airflow}/${a.assetKey}`) ?? [])].filter((dagId) => dagId !== m.dagId);
      return { ...a, otherReaders: [...new Set([...a.otherReaders, ...others])] };
    }),
  });
}

const given = (draft: Draft, dag: DagRef, how: Delivery['how'], why: Reason, change: Partial<Delivery> = {}): Delivery => ({
  airflow: dag.airflow,
  dagId: dag.dagId,
  how,
  reason: why,
  expectRun: true,
  since: draft.now,
  runId: null,
  state: 'waiting',
  orders: [],
  ...change,
});

function oneDelivery(
  draft: Draft,
  incidentId: string,
  m: MissedInputs,
  feeder: Feeder | null,
  other: (nothing: Delivery) => Delivery,
): Delivery {
  const missed = m.missedAssets.filter(isMissed);
  if (feeder !== null && m.details?.assetScheduled) {
    const orders = alsoNeeded(m, missed, feeder).map((a) => eventFor(m, a));
    return given(draft, m, 'fed_by', reason('fed_by', { dag: feeder.dagId }), { orders });
  }
  if (missed.length > 0) return missedAssets(draft, incidentId, m, missed);
  const code: ReasonCode = m.details?.timeScheduled ? 'intervals_as_airflow' : 'missed_nothing';
  return other(given(draft, m, 'nothing', reason(code), { expectRun: false, state: 'done' }));
}

function byIntervals(draft: Draft, m: MissedFacts): Delivery | null {
  if (m.missedIntervals.length === 0) return null;
  const why = reason('intervals_backfilled', { count: String(m.missedIntervals.length) });
  const orders: DeliveryOrder[] = [{ how: 'intervals', dagId: m.dagId, intervals: m.missedIntervals }];
  return given(draft, m, 'backfill', why, { orders });
}

/** By an event where nobody else would get it twice; by a run of the DAG itself where somebody would. */
function missedAssets(draft: Draft, incidentId: string, m: MissedInputs, missed: readonly MissedAsset[]): Delivery {
  const asset = missed.map((a) => a.uri).join(', ');
  if (missed.every((a) => a.otherReaders.length === 0)) {
    // Where one asset is enough, one event is enough: Airflow attaches the other missed events to the same run (2.11.2, 3.0.6-3.3.2).
    const needed = needsAll(conditionOf(m)) ? missed : missed.slice(0, 1);
    const orders = needed.map((a) => eventFor(m, a));
    return given(draft, m, 'event', reason('delivered_event', { asset }), { orders, expectRun: satisfiable(m) });
  }
  if (!satisfiable(m)) {
    const why = `${missed.flatMap((a) => a.otherReaders).join(', ')} had it already, and ${m.dagId} waits for other assets too`;
    return given(draft, m, 'not_delivered', reason('not_delivered', { asset, why }), { expectRun: false, state: 'done' });
  }
  const runId = `firedamper__${incidentId}__${draft.context.chance}`;
  const orders: DeliveryOrder[] = [{ how: 'run', dagId: m.dagId, uri: asset, runId }];
  return given(draft, m, 'run', reason('delivered_run', { asset }), { runId, orders });
}

const conditionOf = (m: MissedInputs): AssetCondition | null => m.details?.assetCondition ?? null;

const eventFor = (dag: DagRef, a: MissedAsset): DeliveryOrder => ({
  how: 'event',
  assetKey: a.assetKey,
  uri: a.uri,
  dagIds: [dag.dagId],
});

/**
 * A DAG that waits for several assets is fed one of them by the run before it; what else it missed it must be given, or it never runs. Nothing that
 * another reader would get twice; and where the names of the links match no asset we cannot tell what it will be fed, so nothing.
 */
function alsoNeeded(m: MissedInputs, missed: readonly MissedAsset[], feeder: Feeder): readonly MissedAsset[] {
  const comes = (a: MissedAsset) => feeder.assets.has(a.uri) || feeder.assets.has(a.assetKey);
  if (!needsAll(conditionOf(m)) || !m.missedAssets.some(comes)) return [];
  return missed.filter((a) => !comes(a) && a.otherReaders.length === 0);
}

const needsAll = (c: AssetCondition | null): boolean =>
  c !== null && ('all' in c ? c.all.length > 1 || c.all.some(needsAll) : 'any' in c && c.any.some(needsAll));

/** Would the asset condition be met by what was missed and what is queued? An AND stays an AND. */
function satisfiable(m: MissedInputs): boolean {
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

/** One event reaches every reader of its asset: two DAGs that missed the same one are given it by one POST. */
export function merged(orders: readonly DeliveryOrder[]): DeliveryOrder[] {
  const events = new Map<string, DeliveryOrder & { how: 'event' }>();
  for (const o of orders) {
    if (o.how !== 'event') continue;
    const known = events.get(o.assetKey);
    events.set(o.assetKey, known ? { ...known, dagIds: [...known.dagIds, ...o.dagIds] } : o);
  }
  return [...events.values(), ...orders.filter((o) => o.how !== 'event')];
}
