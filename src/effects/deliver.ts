/** Gives released DAGs what they missed, once: by one more event of the asset, by a run of their own, or by their missed intervals. */
import { AirflowError } from '../airflow/client.ts';
import { addMs } from '../core/draft.ts';
import type { Outcome } from '../core/events.ts';
import type { DeliveryOrder, Intent } from '../core/intent.ts';
import { readsAllSince } from '../core/missed.ts';
import { cannotBeListed } from './assetEvents.ts';
import { clockBehind } from './clock.ts';
import type { EffectDeps } from './deps.ts';
import { newestRuns } from './missedAssets.ts';
import { done, failure, mayStillCome } from './outcome.ts';

/** A clock that moved meanwhile; the mark in the event makes a longer look harmless. */
const CLOCK_SLACK_MS = 60_000;

/** About five minutes of them. */
const MOST_LOOKS = 15;

type Act = { readonly airflow: string; readonly incidentId: string; readonly delivery: DeliveryOrder };

export async function deliver(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<Outcome> {
  try {
    const order = act.delivery;
    if (settle && order.how === 'event') {
      if (await givenBefore(deps, intent, act.airflow, order)) return done({ kind: 'deliver', delivery: order, runIds: {} });
      const early = mayStillCome(intent);
      if (early) return early;
    }
    return done({ kind: 'deliver', delivery: order, runIds: await send(deps, intent, act, settle) });
  } catch (error) {
    if (act.delivery.how === 'intervals' && error instanceof AirflowError && error.kind === 'conflict')
      return { result: 'not_yet', why: 'another backfill of this DAG is not finished yet' };
    return failure(error);
  }
}

async function send(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<Record<string, string>> {
  const client = deps.client(act.airflow);
  const order = act.delivery;
  if (order.how === 'event') {
    await client.createAssetEvent(order.assetKey, { firedamper_op: intent.op, firedamper_incident: act.incidentId });
    return {};
  }
  if (order.how === 'run') {
    const note = `started by Firedamper: ${order.dagId} was held and missed ${order.uri}`;
    await onceOnly(() =>
      client.triggerRun({ dagId: order.dagId, runId: order.runId, interval: null, conf: null, note: note.slice(0, 1000) }),
    );
    return { [order.dagId]: order.runId };
  }
  const [first, last] = [order.intervals[0], order.intervals.at(-1)];
  if (!first || !last) return {};
  const request = {
    dagId: order.dagId,
    from: first.start,
    to: last.start,
    reprocess: 'none',
    maxActiveRuns: deps.policy.repair.maxActiveRuns,
  } as const;
  const known = settle ? await client.listBackfills(order.dagId) : [];
  if (!known.some((b) => b.from === request.from && b.to === request.to)) await client.startBackfill(request);
  return {};
}

/** Our own mark in the event's extra tells whether a lost answer was a lost request. */
async function givenBefore(
  deps: EffectDeps,
  intent: Intent,
  airflow: string,
  { assetKey, dagIds }: DeliveryOrder & { how: 'event' },
): Promise<boolean> {
  const client = deps.client(airflow);
  // By Airflow's clock: 90 s behind ours it dated our event before the order for it, and it was posted again (simulator, seed 1993).
  const ordered = addMs(intent.createdAt, -(await clockBehind(client, deps.now)));
  const since = addMs(ordered, -CLOCK_SLACK_MS);
  const { events, unreadable } = await client.listAssetEvents(assetKey, since);
  if (events.some((e) => e.op === intent.op)) return true;
  if (unreadable === 0) return false;
  // Held anew before its run began, a DAG hides our event for as long: then the run itself says enough (simulator, seed 8668: posted again after a while).
  const runs = await Promise.all(dagIds.map((dagId) => newestRuns(client, dagId)));
  if (runs.every((r) => readsAllSince(r, since, ordered))) return true;
  // Ours may be among them: posted again, its readers would have it twice. Not for ever: one run too many is better than an incident without an end.
  if (intent.attempts < MOST_LOOKS) throw cannotBeListed(assetKey);
  return false;
}

/** Our own run id makes it findable: 409 means that it is there already. */
async function onceOnly(trigger: () => Promise<unknown>): Promise<void> {
  try {
    await trigger();
  } catch (error) {
    if (!(error instanceof AirflowError && error.kind === 'conflict')) throw error;
  }
}
