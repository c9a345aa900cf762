/**
 * The poll of one Airflow: the truth, with every callback lost. An idle cycle is two requests, whatever the number of DAGs: failed runs and failed
 * tasks since the last time. What is under way is looked at too; the DAG list, the lineage and the second pass by `updated_at` come more rarely.
 */
import type { AirflowClient } from '../airflow/client.ts';
import { type WatchList, watchList } from '../core/watchlist.ts';
import type { Observation } from '../core/events.ts';
import type { RunFacts } from '../core/facts.ts';
import type { Responder } from '../respond.ts';
import type { Store } from '../store/store.ts';
import type { WorldCache } from '../world.ts';
import { signalOfRun, signalOfTask } from './observation.ts';

/** Rows may appear 10 s after their own end (2.11.2, a slow listener) and worker clocks differ: windows overlap, the seen-set takes out what is known. */
const OVERLAP_MS = 5 * 60_000;
const FORGET_MS = 60 * 60_000;
/** While a repair or a release is under way its runs are looked at this often. */
const BUSY_MS = 1_500;
const PAGE = 100;

export interface PollerState {
  readonly lastPollAt: string | null;
  readonly lastError: string | null;
  readonly version: string | null;
  readonly scheduler: 'healthy' | 'unhealthy' | 'unknown';
}

export interface Poller {
  /** One whole cycle now; never rejects. */
  poll(): Promise<void>;
  /** DAG list and lineage now; never rejects. */
  resurvey(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
  state(): PollerState;
}

interface Deps {
  readonly client: AirflowClient;
  readonly store: Pick<Store, 'watermark' | 'polled' | 'seen' | 'snapshot' | 'saveFacts'>;
  readonly responder: Pick<Responder, 'respond'>;
  readonly world: WorldCache;
  readonly intervalMs: number;
  readonly surveyIntervalMs: number;
  readonly lookbackMs: number;
  readonly now: () => number;
  readonly onState: (state: PollerState, error: unknown) => void;
}

export function createPoller(deps: Deps): Poller {
  const { client, store, responder, world, now } = deps;
  const airflow = client.id;
  let state: PollerState = { lastPollAt: null, lastError: null, version: null, scheduler: 'unknown' };
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  let surveyedAt = Number.NEGATIVE_INFINITY;
  /** Airflow's clock minus ours, ms: the watermark is kept in Airflow's time. */
  let skew = 0;
  let busy = false;

  const serverNow = () => now() + skew;
  const iso = (ms: number) => new Date(ms).toISOString();

  async function survey(): Promise<void> {
    const identity = await client.probe();
    if (identity.serverTime !== null) skew = Date.parse(identity.serverTime) - now();
    state = { ...state, version: identity.version, scheduler: identity.scheduler };
    const [dags, lineage] = await Promise.all([client.listDags(), client.getLineage()]);
    world.setDags(airflow, dags);
    world.setLineage(lineage);
    await store.saveFacts(airflow, 'dags', dags, iso(now()));
    await store.saveFacts(airflow, 'lineage', lineage, iso(now()));
    surveyedAt = now();
  }

  async function hearFailures(secondPass: boolean): Promise<void> {
    const startedAt = serverNow();
    const mark = await store.watermark(airflow);
    const since = mark ?? iso(startedAt - deps.lookbackMs);
    const from = iso(Date.parse(since) - (mark === null ? 0 : OVERLAP_MS));
    const [runs, tasks, updated] = await Promise.all([
      client.listFailedRuns(from),
      client.listFailedTasks(from),
      secondPass ? client.listFailedRunsUpdated(from) : ([] as RunFacts[]),
    ]);
    const signals = [...tasks.map((t) => signalOfTask(airflow, t, iso(startedAt))), ...[...runs, ...updated].map((r) => signalOfRun(airflow, r, iso(startedAt)))];
    const known = await store.seen(airflow, signals.map((s) => s.key));
    const baseline = mark === null ? since : '';
    const fresh = signals.filter((s) => !known.has(s.key) && s.occurredAt >= baseline);
    await Promise.all(fresh.map((signal) => responder.respond({ type: 'signal', signal })));
    // Only now: a crash before this line hears them again, and the signals' own keys take them out.
    await store.polled(airflow, iso(startedAt), signals.map((s) => s.key), iso(startedAt - FORGET_MS));
  }

  async function cycle(): Promise<void> {
    const due = now() - surveyedAt >= deps.surveyIntervalMs;
    if (due || !world.hasRead(airflow)) await survey();
    await hearFailures(due);
    const watched = watchList(await store.snapshot(), airflow);
    busy = watched.busy;
    const seen = await observe(client, watched, world.dagCount(airflow));
    if (seen) await responder.respond({ type: 'observed', airflow, seen });
    await responder.respond({ type: 'tick' });
    state = { ...state, lastPollAt: iso(now()), lastError: null };
    deps.onState(state, null);
  }

  async function poll(): Promise<void> {
    running ??= cycle()
      .catch((error: unknown) => {
        state = { ...state, lastError: error instanceof Error ? error.message : String(error) };
        deps.onState(state, error);
      })
      .finally(() => {
        running = null;
      });
    await running;
  }

  function schedule(): void {
    if (stopped) return;
    const wait = busy ? Math.min(BUSY_MS, deps.intervalMs) : deps.intervalMs;
    timer = setTimeout(() => void poll().then(schedule), wait);
  }

  return {
    poll,
    resurvey: () => survey().catch((error: unknown) => deps.onState(state, error)),
    start: () => void poll().then(schedule),
    stop: async () => {
      stopped = true;
      if (timer) clearTimeout(timer);
      await running;
    },
    state: () => state,
  };
}

/** Reads what the watch list names; null when it names nothing. */
async function observe(client: AirflowClient, w: WatchList, dagCount: number): Promise<Observation | null> {
  if (w.runs.length + w.ranges.length + w.released.length + w.paused.length === 0) return null;
  const [byId, ranges, latest, released, paused] = await Promise.all([
    Promise.all(w.runs.map(async (r) => ({ ...r, run: await client.getRun(r.dagId, r.runId) }))),
    Promise.all(w.ranges.map((r) => client.listRuns(r.dagId, { logicalDateFrom: r.from, logicalDateTo: r.to, limit: 1_000 }))),
    Promise.all(w.latest.map((dagId) => client.listRuns(dagId, { states: ['success'], limit: 1 }))),
    Promise.all(w.released.map((dagId) => client.listRuns(dagId, { limit: 10 }))),
    pauseStates(client, w.paused, dagCount),
  ]);
  return {
    runs: [...byId.flatMap((r) => r.run ?? []), ...ranges.flat(), ...latest.flat()],
    goneRuns: byId.filter((r) => r.run === null).map(({ dagId, runId }) => ({ dagId, runId })),
    paused,
    tasks: [],
    releasedRuns: released.flat(),
  };
}

/** From the list when that costs fewer requests. Who did it is asked only for a DAG that is not paused any more. */
async function pauseStates(client: AirflowClient, watched: WatchList['paused'], dagCount: number): Promise<Observation['paused']> {
  if (watched.length === 0) return [];
  const viaList = watched.length > Math.max(1, Math.ceil(dagCount / PAGE));
  const dags = viaList ? await client.listDags() : await Promise.all(watched.map((w) => client.getDag(w.dagId).catch(() => null)));
  const states = new Map(dags.flatMap((d) => (d ? [[d.dagId, d.paused] as const] : [])));
  const seen = watched.flatMap((w) => (states.has(w.dagId) ? [{ ...w, paused: states.get(w.dagId) === true }] : []));
  return Promise.all(seen.map(async (s) => ({ dagId: s.dagId, paused: s.paused, who: s.paused ? null : await lastToucher(client, s.dagId, s.auditCursor) })));
}

async function lastToucher(client: AirflowClient, dagId: string, after: number | null): Promise<string | null> {
  if (after === null) return null;
  const audit = await client.auditRows(dagId, after).catch(() => null);
  return audit?.readable ? (audit.rows.filter((r) => r.paused === false).at(-1)?.owner ?? null) : null;
}
