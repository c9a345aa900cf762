/** The service inside the simulator: the same parts as `app.ts` wires, on virtual time, without the web. It can be killed between any two steps. */
import { type AirflowClient, AirflowError } from '../../../../src/airflow/client.ts';
import type { Decision } from '../../../../src/core/draft.ts';
import type { LineageEdge } from '../../../../src/core/facts.ts';
import type { Policy } from '../../../../src/core/policy.ts';
import type { EffectDeps } from '../../../../src/effects/deps.ts';
import { createReadBack } from '../../../../src/effects/readBack.ts';
import type { Announce } from '../../../../src/effects/sendNotice.ts';
import { createWorker } from '../../../../src/effects/worker.ts';
import { parseCallback } from '../../../../src/intake/callback.ts';
import { createCallbackIntake } from '../../../../src/intake/callbacks.ts';
import { createPoller, type Poller } from '../../../../src/intake/poller.ts';
import { createResponder, type Responder } from '../../../../src/respond.ts';
import { createWorld } from '../../../../src/world.ts';
import type { Chance } from './chance.ts';
import type { SimStore } from './memoryStore.ts';
import type { VirtualTime } from './time.ts';

/**
 * Negative controls: each replaces one part of the service by one that breaks a law, from outside, through the dependencies that the parts take anyway.
 */
export interface Sabotage {
  client?(client: AirflowClient): AirflowClient;
  store?(store: SimStore): SimStore;
  responder?(responder: Responder, store: SimStore): Responder;
  policy?(policy: Policy): Policy;
  announce?(announce: Announce): Announce;
}

export interface ServiceParts {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly policy: Policy;
  readonly edges: readonly LineageEdge[];
  readonly store: SimStore;
  readonly clients: readonly AirflowClient[];
  readonly announce: Announce;
  readonly intervalMs: number;
  readonly surveyIntervalMs: number;
  readonly lookbackMs: number;
  readonly onDecision: (decision: Decision) => void;
  readonly onError: (text: string) => void;
  readonly sabotage: Sabotage;
  /** False: nobody polls by itself. */
  readonly polling?: boolean;
}

export interface SimService {
  readonly responder: Responder;
  readonly store: SimStore;
  readonly pollers: readonly Poller[];
  /** As the door does after the signature: resolves when the row is stored. */
  callback(airflow: string, webhookId: string, body: Record<string, unknown>): Promise<{ duplicate: boolean }>;
}

export async function startService(parts: ServiceParts): Promise<SimService> {
  const { time, chance, sabotage, onError } = parts;
  const now = time.serviceNow;
  const store = sabotage.store?.(parts.store) ?? parts.store;
  const policy = sabotage.policy?.(parts.policy) ?? parts.policy;
  await store.markInterrupted();
  const world = createWorld(parts.edges);
  const facts = await store.loadFacts();
  for (const [airflow, dags] of facts.dags) world.setDags(airflow, dags);
  for (const lineage of facts.lineage.values()) world.setLineage(lineage);
  const clients = new Map(parts.clients.map((c) => [c.id, sabotage.client?.(c) ?? c]));
  const clientOf = (id: string): AirflowClient => {
    const found = clients.get(id);
    if (!found) throw new Error(`no Airflow ${id}`);
    return found;
  };
  const plain = createResponder({
    ...{ store, policy, world, now, chance: () => chance.letters(12) },
    onDecision: (decision) => {
      parts.onDecision(decision);
      if (decision.intents.some((i) => i.state === 'planned' || i.state === 'unknown')) worker.wake();
    },
  });
  const responder = sabotage.responder?.(plain, store) ?? plain;
  const say = (error: unknown, what: string) => onError(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  const pollers = [...clients.values()].map((client) => {
    const { intervalMs, surveyIntervalMs, lookbackMs } = parts;
    // What Airflow or the network did is weather; anything else is a decision that failed.
    const onState = (_: unknown, error: unknown) => {
      if (error !== null && error !== undefined && !(error instanceof AirflowError)) say(error, 'poll');
    };
    return createPoller({ client, store, responder, world, intervalMs, surveyIntervalMs, lookbackMs, now, onState });
  });
  const readBacks = new Map([...clients].map(([id, c]) => [id, createReadBack(c, () => world.dagCount(id))]));
  const effects: EffectDeps = {
    ...{ world, policy, now, snapshot: () => store.snapshot(), client: clientOf },
    readBack: (airflow, dagId) => readBacks.get(airflow)?.(dagId) ?? Promise.reject(new Error(airflow)),
    resurvey: async (airflow) => pollers[[...clients.keys()].indexOf(airflow)]?.resurvey(),
  };
  const announce = sabotage.announce?.(parts.announce) ?? parts.announce;
  const worker = createWorker({ store, responder, effects, announce, onError: say, chance: () => chance.next() });
  const intake = createCallbackIntake({
    inbox: store.inbox,
    responder,
    complete: async (s) => s,
    onBrokenFile: () => undefined,
    onNoted: () => undefined,
    onError: say,
  });
  worker.wake();
  intake.wake();
  if (parts.polling !== false) for (const p of pollers) p.start();
  return {
    responder,
    store,
    pollers,
    callback: async (airflow, webhookId, body) => {
      const parsed = parseCallback(airflow, webhookId, body);
      const dedupeKey = parsed.shape === 'known' ? parsed.signal.dedupeKey : null;
      const quarantine = parsed.shape === 'unknown' ? parsed.why : null;
      const row = {
        airflow,
        webhookId,
        body: JSON.stringify(body),
        receivedAt: new Date(now()).toISOString(),
        quarantine,
        dedupeKey,
      };
      const answer = await store.inbox.accept(row);
      intake.wake();
      return answer;
    },
  };
}
