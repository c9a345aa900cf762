/**
 * The wiring: one straight function on purpose. Splitting it would only thread a bag of locals around. Closing runs in reverse. Tests start the very
 * same thing on port 0.
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import cron from 'node-cron';
import type { AirflowClient } from './airflow/client.ts';
import { createAirflowClient } from './airflow/connect.ts';
import { createAnnouncer } from './announce.ts';
import type { Config } from './config.ts';
import type { EffectDeps } from './effects/deps.ts';
import { readMissed } from './effects/planRelease.ts';
import { createReadBack } from './effects/readBack.ts';
import { createWorker } from './effects/worker.ts';
import { notFound } from './errors.ts';
import { describeHealth, previewRelease } from './health.ts';
import type { Log } from './http/deps.ts';
import { createHttpServer } from './http/server.ts';
import { createCallbackIntake } from './intake/callbacks.ts';
import { createPoller, type Poller } from './intake/poller.ts';
import { createMetrics } from './metrics.ts';
import { createResponder } from './respond.ts';
import { openStore, type Store } from './store/store.ts';
import { createWorld } from './world.ts';

export interface App {
  readonly url: string;
  /** One whole poll of every Airflow now; for tests and for the first look at start. */
  poll(): Promise<void>;
  /** Takes nothing new, finishes what is under way, closes the database. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
  readonly now?: () => number;
  /** Tests may stand between the service and its Airflows. */
  readonly makeClient?: (id: string) => AirflowClient;
  /** False: nobody polls by itself. */
  readonly polling?: boolean;
}

const SHUTDOWN_MS = 10_000;
/** No Airflow can be called so: ids hold no brackets. */
const DECLARED = '(configuration)';

/* biome-ignore lint/complexity/noExcessiveLinesPerFunction: the wiring is deliberately one straight-line function. */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, log } = options;
  const now = options.now ?? Date.now;
  const chance = () => randomBytes(6).toString('hex');
  let closing = false;

  const store = await openStore(config.database);
  const interrupted = await store.markInterrupted();
  if (interrupted > 0) log.warn({ interrupted }, 'acts were cut off by the last stop; each is settled by reading Airflow first');

  const world = createWorld(config.edges);
  const facts = await store.loadFacts();
  for (const [airflow, dags] of facts.dags) world.setDags(airflow, dags);
  facts.lineage.delete(DECLARED);
  for (const lineage of facts.lineage.values()) world.setLineage(lineage);
  // The pages draw declared links too, and read them where they read all others.
  const seenAt = new Date(now()).toISOString();
  await store.saveFacts(DECLARED, 'lineage', { airflow: DECLARED, edges: config.edges, gaps: [], seenAt }, seenAt);

  const clients = new Map<string, AirflowClient>();
  for (const a of config.airflows) {
    const make = () => createAirflowClient({ ...a, log: (message, about) => log.info({ airflow: a.id, ...about }, message) });
    clients.set(a.id, options.makeClient?.(a.id) ?? make());
  }
  const client = (id: string): AirflowClient => {
    const found = clients.get(id);
    if (!found) throw notFound(`no Airflow ${id} in the configuration`);
    return found;
  };

  const responder = createResponder({
    store,
    policy: config.policy,
    world,
    now,
    chance,
    onDecision: (decision) => {
      for (const t of decision.timeline)
        log.info({ incident: t.incidentId, event: t.event, subject: t.subject, reason: t.reason, actor: t.actor }, t.event);
      if (decision.intents.some((i) => i.state === 'planned' || i.state === 'unknown')) worker.wake();
    },
  });

  const onError = (error: unknown, what: string) =>
    log.error({ err: error instanceof Error ? { message: error.message, stack: error.stack } : String(error) }, what);
  const readBacks = new Map([...clients].map(([id, c]) => [id, createReadBack(c, () => world.dagCount(id))]));
  const pollers = new Map<string, Poller>();
  const effects: EffectDeps = {
    client,
    world,
    policy: config.policy,
    snapshot: () => store.snapshot(),
    now,
    readBack: (airflow, dagId) => readBacks.get(airflow)?.(dagId) ?? Promise.reject(notFound(`no Airflow ${airflow}`)),
    resurvey: async (airflow) => pollers.get(airflow)?.resurvey(),
  };
  const announcer = createAnnouncer({ config, read: store.read, log, now });
  const worker = createWorker({ store, responder, effects, announce: announcer.announce, onError });
  const intake = createCallbackIntake({ inbox: store.inbox, responder, onError });

  const complained = new Map<string, string>();
  for (const a of config.airflows) {
    const poller = createPoller({
      client: client(a.id),
      store,
      responder,
      world,
      intervalMs: a.pollIntervalMs,
      surveyIntervalMs: a.surveyIntervalMs,
      lookbackMs: a.pollLookbackMs,
      now,
      onState: (state, error) => {
        // A repeated failure is said once, and once more when it is over.
        const message = state.lastError ?? '';
        if ((complained.get(a.id) ?? '') === message) return;
        complained.set(a.id, message);
        if (error) log.warn({ airflow: a.id, error: message }, 'the poll failed; it goes on');
        else log.info({ airflow: a.id }, 'the poll works again');
      },
    });
    pollers.set(a.id, poller);
  }

  const pollerStates = new Map([...pollers].map(([id, p]) => [id, p.state] as const));
  const http = createHttpServer({
    config,
    read: store.read,
    act: (person, act) => responder.act(person, act),
    accept: async (callback) => {
      const answer = await store.inbox.accept(callback);
      intake.wake();
      return answer;
    },
    releasePreview: async (incidentId) => {
      const view = await store.read.incident(incidentId);
      if (!view) return null;
      return previewRelease(incidentId, view.holds, await readMissed(effects, await store.snapshot(), incidentId));
    },
    health: async () => describeHealth(config, options.version, pollerStates, world, closing),
    metrics: createMetrics(store.read, pollerStates, now),
    now,
    log,
  });

  await new Promise<void>((resolve, reject) => {
    http.server.once('error', reject);
    http.server.listen(config.server.port, config.server.host, resolve);
  }).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const { port } = http.server.address() as AddressInfo;

  const retention = cron.schedule('17 3 * * *', () => forgetOld(store, now).catch((e: unknown) => onError(e, 'retention')), {
    timezone: 'UTC',
    noOverlap: true,
  });

  // What the last stop left is settled before anything new: unknown acts first read Airflow, stored callbacks go through respond.
  worker.wake();
  intake.wake();
  if (options.polling !== false) for (const p of pollers.values()) p.start();

  return {
    url: `http://${config.server.host}:${port}`,
    poll: async () => void (await Promise.all([...pollers.values()].map((p) => p.poll()))),
    close: async () => {
      closing = true;
      await retention.destroy();
      const hard = setTimeout(() => process.exit(1), SHUTDOWN_MS);
      hard.unref();
      await http.close();
      await Promise.all([...pollers.values()].map((p) => p.stop()));
      await worker.stop();
      announcer.close();
      for (const c of clients.values()) c.close();
      await store.close();
      clearTimeout(hard);
    },
  };
}

/** Callbacks are kept longer than any sender's spool, so that a late repeat is still a duplicate. */
const KEEP_CALLBACKS_MS = 30 * 86_400_000;
const AT_ONCE = 500;

async function forgetOld(store: Store, now: () => number): Promise<void> {
  const before = new Date(now() - KEEP_CALLBACKS_MS).toISOString();
  while ((await store.forgetCallbacks(before, AT_ONCE)) === AT_ONCE);
}
