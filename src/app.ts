/**
 * The wiring: one straight function on purpose. Splitting it would only thread a bag of locals around. Closing runs in reverse. Tests start the very
 * same thing on port 0.
 */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import cron from 'node-cron';
import type { AirflowClient } from './airflow/client.ts';
import { createAirflowClient } from './airflow/connect.ts';
import { createAnnouncer } from './announce.ts';
import type { Config } from './config.ts';
import { gate } from './core/gate.ts';
import type { Signal } from './core/signal.ts';
import type { EffectDeps } from './effects/deps.ts';
import { readMissed } from './effects/planRelease.ts';
import { createReadBack } from './effects/readBack.ts';
import { readDifferences } from './effects/restoreDifferences.ts';
import { createWorker, type Worker } from './effects/worker.ts';
import { notFound } from './errors.ts';
import { describeHealth, previewRelease, skewWords } from './health.ts';
import type { Log, RestoreView } from './http/deps.ts';
import { createHttpServer } from './http/server.ts';
import { createCallbackIntake } from './intake/callbacks.ts';
import { createPoller, type Poller, type PollerDeps, type PollerState } from './intake/poller.ts';
import { createMetrics } from './metrics.ts';
import { createResponder, type Responder } from './respond.ts';
import { openStore, type Store } from './store/store.ts';
import { createWorld, type WorldCache } from './world.ts';

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
  /** Nothing more may be believed of the database: nothing is accepted from now on, and the process must end. */
  readonly onFatal?: (error: Error) => void;
}

/** Gone within the ten seconds that supervisors give, its own end included: at 10 s exactly it left after 10.1-10.2 s, and would have been killed. */
const SHUTDOWN_MS = 9_000;
/** How long an answer of Airflow is waited for at the end. */
const ANSWERS_MS = 5_000;
/** No Airflow can be called so: ids hold no brackets. */
const DECLARED = '(configuration)';

export async function startApp(options: AppOptions): Promise<App> {
  const { config, log } = options;
  const now = options.now ?? Date.now;
  let closing = false;
  const onError = (error: unknown, what: string) => log.error({ err: describeError(error) }, what);

  const store = await openStore(config.database, new Date(now()).toISOString(), options.onFatal, config.intake.minFreeBytes);
  await markInterrupted(store, log);
  const world = await recallWorld(store, config, now);
  const clients = makeClients(options);

  const responder = createResponder({
    ...{ store, policy: config.policy, world, now, chance: () => randomBytes(6).toString('hex') },
    onDecision: (decision) => {
      for (const t of decision.timeline)
        log.info({ incident: t.incidentId, event: t.event, subject: t.subject, reason: t.reason, actor: t.actor }, t.event);
      if (decision.intents.some((i) => i.state === 'planned' || i.state === 'unknown')) worker.wake();
    },
  });
  const pollers = makePollers(options, { store, responder, world, now }, clients);
  const readBacks = new Map([...clients].map(([id, c]) => [id, createReadBack(c, () => world.dagCount(id))]));
  const effects: EffectDeps = {
    ...{ world, policy: config.policy, now, snapshot: () => store.snapshot(), client: (id) => known(clients, id) },
    readBack: (airflow, dagId) => known(readBacks, airflow)(dagId),
    resurvey: (airflow) => known(pollers, airflow).resurvey(),
  };
  const announcer = createAnnouncer({ config, read: store.read, log, now });
  const worker = createWorker({ store, responder, effects, announce: announcer.announce, onError, chance: Math.random });
  const onNoted = (airflow: string, what: string) => log.info({ airflow }, what);
  const hearing = { onNoted, onBrokenFile: (airflow: string) => pollers.get(airflow)?.lookAtFiles() };
  const intake = createCallbackIntake({
    inbox: store.inbox,
    responder,
    complete: completer(config, clients),
    ...hearing,
    onError,
  });
  const pollerStates = new Map([...pollers].map(([id, p]) => [id, p.state] as const));
  const http = createHttpServer({
    ...{ config, read: store.read, act: responder.act, now, log },
    accept: (callback) => store.inbox.accept(callback).finally(intake.wake),
    releasePreview: async (id) => {
      const [view, state] = [await store.read.incident(id), await store.snapshot()];
      return view && previewRelease(id, view.holds, await readMissed(effects, state, id), state);
    },
    gate: async (airflow, dagId) => (world.hasRead(airflow) ? gate(await store.snapshot(), world, { airflow, dagId }) : null),
    health: async () => describeHealth(config, options.version, pollerStates, world, await standing(store, worker, closing)),
    restored: async () => describeRestore(store, [...clients.values()]),
    metrics: createMetrics(store, pollerStates, now),
  });
  const url = await listen(http.server, config).catch((error: unknown) => store.close().then(() => Promise.reject(error)));
  const upkeep = startUpkeep(store, config, { now, log, onError });

  await settleRestore(store, responder, log);
  // What the last stop left is settled before anything new: unknown acts first read Airflow, stored callbacks go through respond.
  worker.wake();
  intake.wake();
  if (options.polling !== false) for (const p of pollers.values()) p.start();

  const close = async () => {
    closing = true;
    await upkeep.stop();
    await stopInTurn({ http, pollers, worker, announcer, clients });
    await store.close();
  };
  return {
    url,
    poll: () => Promise.all([...pollers.values()].map((p) => p.poll())).then(() => undefined),
    close: () => inTime(close),
  };
}

const standing = async (store: Store, worker: Worker, closing: boolean) => ({
  closing,
  silent: worker.troubles(),
  trouble: store.trouble,
  restored: await store.restored(),
  // More than are held at once anywhere.
  held: (await store.read.holds({ active: true, limit: 5_000 })).items,
});

function known<T>(all: ReadonlyMap<string, T>, airflow: string): T {
  const found = all.get(airflow);
  if (!found) throw notFound(`no Airflow ${airflow} in the configuration`);
  return found;
}

const describeError = (error: unknown) =>
  error instanceof Error ? { message: error.message, stack: error.stack } : { message: String(error) };

/** DAGs and lineage as last read, so that a failure right after the start can be decided. */
async function recallWorld(store: Store, config: Config, now: () => number): Promise<WorldCache> {
  const world = createWorld(config.edges);
  const facts = await store.loadFacts();
  for (const [airflow, dags] of facts.dags) world.setDags(airflow, dags);
  facts.lineage.delete(DECLARED);
  for (const lineage of facts.lineage.values()) world.setLineage(lineage);
  // The pages draw declared links too, and read them where they read all others.
  const seenAt = new Date(now()).toISOString();
  await store.saveFacts(DECLARED, 'lineage', { airflow: DECLARED, edges: config.edges, gaps: [], seenAt }, seenAt);
  return world;
}

/** The type of a run is asked for only where the policy ignores some types and the sender did not say it: it costs a call before the hold. */
function completer({ policy }: Config, clients: ReadonlyMap<string, AirflowClient>): (signal: Signal) => Promise<Signal> {
  if (policy.watch.ignoreRunTypes.length === 0) return async (signal) => signal;
  return async (signal) => {
    if (signal.runType !== null) return signal;
    const run = await known(clients, signal.airflow)
      .getRun(signal.dagId, signal.runId)
      .catch(() => null);
    return run ? { ...signal, runType: run.runType } : signal;
  };
}

async function markInterrupted(store: Store, log: Log): Promise<void> {
  const interrupted = await store.markInterrupted();
  if (interrupted > 0) log.warn({ interrupted }, 'acts were cut off by the last stop; each is settled by reading Airflow first');
}

/** A file that is not what ran here last: everything in it that would change Airflow becomes a question first. */
async function settleRestore(store: Store, responder: Responder, log: Log): Promise<void> {
  const restored = await store.restored();
  if (restored === null) return;
  const about = { because: restored.because, knowsUntil: restored.knowsUntil };
  log.warn(
    about,
    'the database is a restored one: nothing is changed in Airflow until an admin confirms (restore --differences, --confirm)',
  );
  if (restored.fileSaid !== null) return;
  const { dags } = await store.loadFacts();
  const paused = [...dags].flatMap(([airflow, all]) => all.filter((d) => d.paused).map((d) => ({ airflow, dagId: d.dagId })));
  await responder.respond({ type: 'restored', paused });
}

async function describeRestore(store: Store, clients: readonly AirflowClient[]): Promise<RestoreView | null> {
  const restored = await store.restored();
  if (restored === null) return null;
  const state = await store.snapshot();
  const differences = (await Promise.all(clients.map((c) => readDifferences(c, restored, state)))).flat();
  return { at: restored.at, because: restored.because, knowsUntil: restored.knowsUntil, differences };
}

function makeClients({ config, log, makeClient }: AppOptions): ReadonlyMap<string, AirflowClient> {
  return new Map(
    config.airflows.map((a) => {
      const tell = (message: string, about: object) => log.info({ airflow: a.id, ...about }, message);
      return [a.id, makeClient?.(a.id) ?? createAirflowClient({ ...a, log: tell })];
    }),
  );
}

function makePollers(
  { config, log }: AppOptions,
  shared: Pick<PollerDeps, 'store' | 'responder' | 'world' | 'now'>,
  clients: ReadonlyMap<string, AirflowClient>,
): ReadonlyMap<string, Poller> {
  return new Map(
    config.airflows.map((a) => {
      const { pollIntervalMs: intervalMs, surveyIntervalMs, pollLookbackMs: lookbackMs } = a;
      const times = { intervalMs, surveyIntervalMs, lookbackMs };
      const [complain, clock] = [complainOnce(log, a.id), tellClock(log, a.id)];
      const onState: PollerDeps['onState'] = (state, error) => {
        complain(state, error);
        clock(state);
      };
      return [a.id, createPoller({ ...shared, ...times, client: known(clients, a.id), onState })];
    }),
  );
}

/** Said once when it grows past a limit, and once when it is over. */
function tellClock(log: Log, airflow: string): (state: PollerState) => void {
  let said: ReturnType<typeof skewWords> = null;
  return ({ clockSkewMs }) => {
    const now = skewWords(clockSkewMs);
    if (now === said) return;
    said = now;
    const about = { airflow, skew_seconds: (clockSkewMs ?? 0) / 1000 };
    if (now === null) log.info(about, "this Airflow's clock and ours agree again");
    else log[now.level](about, now.words);
  };
}

/** A repeated failure is said once, and once more when it is over. */
function complainOnce(log: Log, airflow: string): (state: PollerState, error: unknown) => void {
  let said = '';
  return ({ lastError }, error) => {
    const message = lastError ?? '';
    if (message === said) return;
    said = message;
    if (error) log.warn({ airflow, error: message }, 'the poll failed; it goes on');
    else log.info({ airflow }, 'the poll works again');
  };
}

async function listen(server: Server, { server: { host, port } }: Config): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

interface Parts {
  readonly http: { close(): Promise<void> };
  readonly pollers: ReadonlyMap<string, Poller>;
  readonly worker: Worker;
  readonly announcer: { closeSoon(): void; close(): void };
  readonly clients: ReadonlyMap<string, AirflowClient>;
}

async function stopInTurn({ http, pollers, worker, announcer, clients }: Parts): Promise<void> {
  const cutOff = () => {
    for (const client of clients.values()) client.close();
  };
  // What still waits for an answer then is settled by reading at the next start; so the database is closed in time.
  const impatient = setTimeout(cutOff, ANSWERS_MS);
  announcer.closeSoon();
  await http.close();
  await Promise.all([...pollers.values()].map((p) => p.stop()));
  await worker.stop();
  clearTimeout(impatient);
  announcer.close();
  cutOff();
}

/** What cannot be closed in time must not keep the process alive: everything acknowledged is on disk. */
async function inTime(close: () => Promise<void>): Promise<void> {
  const hard = setTimeout(() => process.exit(1), SHUTDOWN_MS);
  hard.unref();
  await close();
  clearTimeout(hard);
}

const AT_ONCE = 500;
const LOOK_AT_WAL_MS = 30_000;

/** What keeps the file from growing for ever: old rows go by small transactions at night, a log that has grown is cut. */
interface Upkeep {
  readonly now: () => number;
  readonly log: Log;
  readonly onError: (error: unknown, what: string) => void;
}

function startUpkeep(store: Store, { retention }: Config, { now, log, onError }: Upkeep) {
  const before = (ms: number) => new Date(now() - ms).toISOString();
  const forgetOld = async () => {
    while ((await store.forgetCallbacks(before(retention.callbacksMs), AT_ONCE)) === AT_ONCE);
    while ((await store.forgetIncidents(before(retention.incidentsMs), AT_ONCE)) > 0);
  };
  const tellHead = async () => {
    const head = await store.auditHead();
    if (head) log.info({ head: `${head.id}:${head.hash}` }, 'head of the history, for audit verify --head');
  };
  const nightly = cron.schedule(
    '17 3 * * *',
    () =>
      forgetOld()
        .then(tellHead)
        .catch((e: unknown) => onError(e, 'retention')),
    {
      timezone: 'UTC',
      noOverlap: true,
    },
  );
  const wal = setInterval(() => {
    try {
      store.guardWal();
    } catch (error) {
      onError(error, 'the write-ahead log');
    }
  }, LOOK_AT_WAL_MS);
  wal.unref();
  tellHead().catch((e: unknown) => onError(e, 'the head of the history'));
  return {
    stop: async () => {
      clearInterval(wal);
      await nightly.destroy();
    },
  };
}
