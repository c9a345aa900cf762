/** Looks once more at what DAGs missed, now that they run and nothing can pass them by any more. Only then is it known what they are to be given. */
import type { AirflowClient } from '../airflow/client.ts';
import type { Outcome } from '../core/events.ts';
import type { DagDetails } from '../core/facts.ts';
import type { IntentAct } from '../core/intent.ts';
import { isUnderWay } from '../core/lifecycle.ts';
import type { EffectDeps } from './deps.ts';
import { inTurns } from './inTurns.ts';
import { missedAssets } from './missedAssets.ts';
import { done, failure, isGone } from './outcome.ts';
import { siteLists } from './siteLists.ts';

export async function planDelivery(deps: EffectDeps, act: IntentAct & { kind: 'plan_delivery' }): Promise<Outcome> {
  try {
    const client = deps.client(act.airflow);
    // Details first: between the look and what is decided from it nothing else is to be read.
    const details = await inTurns(act.dags, async ({ dagId }) => [dagId, await detailsOf(client, dagId)] as const);
    // Before the look: an event of ours that is on its way for others reaches these DAGs too, and one that ends meanwhile is seen.
    const coming = await eventsUnderWay(deps, act.airflow);
    if (coming.size > 0) {
      const mine = (await siteLists(client)).assets.filter((a) => act.dags.some(({ dagId }) => a.consumers.includes(dagId)));
      if (mine.some((a) => coming.has(a.key)))
        return { result: 'not_yet', why: 'the same event is being delivered to other DAGs' };
    }
    const missed = await missedAssets(
      client,
      act.dags.map((d) => ({ ...d, runs: true })),
      deps.now,
    );
    const inputs = details.map(([dagId, facts]) => ({
      airflow: act.airflow,
      dagId,
      details: facts,
      missedAssets: missed.get(dagId) ?? [],
    }));
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
