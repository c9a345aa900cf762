/** Looks once more at what DAGs missed, now that they run and nothing can pass them by any more. Only then is it known what they are to be given. */
import type { AirflowClient } from '../airflow/client.ts';
import type { Outcome } from '../core/events.ts';
import type { DagDetails } from '../core/facts.ts';
import type { IntentAct } from '../core/intent.ts';
import { isUnderWay } from '../core/lifecycle.ts';
import type { EffectDeps } from './deps.ts';
import { missedAssets } from './missedAssets.ts';
import { done, failure, isGone } from './outcome.ts';

export async function planDelivery(deps: EffectDeps, act: IntentAct & { kind: 'plan_delivery' }): Promise<Outcome> {
  try {
    const client = deps.client(act.airflow);
    // Read first: one that ends while we look is in what we see. An event of ours that is on its way for others reaches these DAGs too.
    const coming = await eventsUnderWay(deps, act.airflow);
    const readers = act.dags.map((d) => ({ ...d, runs: true }));
    const missed = await missedAssets(client, readers, deps.now);
    const keys = [...missed.values()].flatMap((assets) => assets.filter((a) => a.events > 0 && !a.queued).map((a) => a.assetKey));
    if (keys.some((key) => coming.has(key))) return { result: 'not_yet', why: 'the same event is being delivered to other DAGs' };
    const inputs = await Promise.all(
      act.dags.map(async ({ dagId }) => ({
        airflow: act.airflow,
        dagId,
        details: await detailsOf(client, dagId),
        missedAssets: missed.get(dagId) ?? [],
      })),
    );
    return done({ kind: 'plan_delivery', missed: inputs });
  } catch (error) {
    return failure(error);
  }
}

async function eventsUnderWay(deps: EffectDeps, airflow: string): Promise<ReadonlySet<string>> {
  const { intents } = await deps.snapshot();
  return new Set(
    intents.flatMap(({ act, state }) =>
      act.kind === 'deliver' && act.airflow === airflow && act.delivery.how === 'event' && isUnderWay(state)
        ? [act.delivery.assetKey]
        : [],
    ),
  );
}

export const detailsOf = (client: AirflowClient, dagId: string): Promise<DagDetails | null> =>
  client.getDagDetails(dagId).catch((error: unknown) => (isGone(error) ? null : Promise.reject(error)));
