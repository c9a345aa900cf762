/** Gives released DAGs what they missed, once: by one more event of the asset, by a run of their own, or by their missed intervals. */
import { type AirflowClient, AirflowError } from '../airflow/client.ts';
import { addMs } from '../core/draft.ts';
import type { Outcome } from '../core/events.ts';
import type { DeliveryOrder, Intent } from '../core/intent.ts';
import { readsAllSince } from '../core/missed.ts';
import { cannotBeListed } from './assetEvents.ts';
import { certainlyAfter, clockBehind } from './clock.ts';
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
      const runIds = await givenBefore(deps, intent, act.airflow, order);
      if (runIds) return done({ kind: 'deliver', delivery: order, runIds });
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

/** Our own mark in the event's extra tells whether a lost answer was a lost request. Answers the runs that are to read it, where they are known. */
async function givenBefore(
  deps: EffectDeps,
  intent: Intent,
  airflow: string,
  { assetKey, dagIds }: DeliveryOrder & { how: 'event' },
): Promise<Readonly<Record<string, string>> | null> {
  const client = deps.client(airflow);
  // By Airflow's clock: 90 s behind ours it dated our event before the order for it, and it was posted again (simulator, seed 1993).
  const since = addMs(intent.createdAt, -CLOCK_SLACK_MS - (await clockBehind(client, deps.now)));
  const { events, unreadable } = await client.listAssetEvents(assetKey, since);
  if (events.some((e) => e.op === intent.op)) return {};
  if (unreadable === 0) return null;
  // Held anew before its run began, a DAG hides our event for as long: then the run itself says enough (simulator, seed 8668: posted again after a while).
  const reading = await readers(deps, client, intent, dagIds);
  if (reading) return reading;
  // Ours may be among them: posted again, its readers would have it twice. Not for ever: one run too many is better than an incident without an end.
  if (intent.attempts < MOST_LOOKS) throw cannotBeListed(assetKey);
  return null;
}

/** Of each DAG a run that has all that was missed, whatever became of our order; null: one has none. */
async function readers(
  deps: EffectDeps,
  client: AirflowClient,
  intent: Intent,
  dagIds: readonly string[],
): Promise<Record<string, string> | null> {
  const ordered = await certainlyAfter(client, deps.now, intent.createdAt);
  if (ordered === null) return null;
  const found = await Promise.all(
    dagIds.map(async (dagId) => {
      const run = readsAllSince(await newestRuns(client, dagId), addMs(ordered, -CLOCK_SLACK_MS), ordered);
      return run ? [[dagId, run.runId] as const] : [];
    }),
  );
  return found.every((run) => run.length > 0) ? Object.fromEntries(found.flat()) : null;
}

/** Our own run id makes it findable: 409 means that it is there already. */
async function onceOnly(trigger: () => Promise<unknown>): Promise<void> {
  try {
    await trigger();
  } catch (error) {
    if (!(error instanceof AirflowError && error.kind === 'conflict')) throw error;
  }
}
