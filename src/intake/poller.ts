/**
 * The poll of one Airflow: the truth, with every callback lost. An idle cycle is two requests, whatever the number of DAGs: failed runs and failed
 * tasks since the last time. What is under way is looked at too; the DAG list, the lineage and the second pass by `updated_at` come more rarely.
 */
import { type AirflowClient, AirflowError } from '../airflow/client.ts';
import { onErrand } from '../airflow/lanes.ts';
import type { SeenBroken } from '../core/events.ts';
import type { ImportErrorFacts, Instant, RunFacts } from '../core/facts.ts';
import type { Signal } from '../core/signal.ts';
import { watchList } from '../core/watchlist.ts';
import type { Responder } from '../respond.ts';
import type { Store } from '../store/store.ts';
import type { WorldCache } from '../world.ts';
import { signalOfRun, signalOfTask } from './observation.ts';
import { observe } from './watching.ts';

/** Rows may appear 10 s after their own end (2.11.2, a slow listener) and worker clocks differ: windows overlap, the seen-set takes out what is known. */
const OVERLAP_MS = 5 * 60_000;
const FORGET_MS = 60 * 60_000;
/** While a repair or a release is under way its runs are looked at this often. */
const BUSY_MS = 1_500;
/** A timer that comes so much too early or too late says that our clock was set, or that the machine slept. */
const CLOCK_MOVED_MS = 5_000;
const SECOND_LOOK_MS = 2_000;
/** Airflow's clock is known from its Date header, to the second. */
const DATE_RESOLUTION_MS = 1_000;

export interface PollerState {
  /** Start of the last whole cycle: what was visible before it has been heard. */
  readonly lastPollAt: string | null;
  readonly lastError: string | null;
  readonly version: string | null;
  readonly scheduler: 'healthy' | 'unhealthy' | 'unknown';
  /** Airflow's clock minus ours, to about a second; null: it has not said what time it is. */
  readonly clockSkewMs: number | null;
}

export interface Poller {
  /** One whole cycle now; never rejects. */
  poll(): Promise<void>;
  /** DAG list and lineage now; never rejects. */
  resurvey(): Promise<void>;
  /** A DAG file was said to be broken: looks now, and once more soon, because Airflow tells before it has written it down (2.11.2, 3.3.2). */
  lookAtFiles(): void;
  start(): void;
  stop(): Promise<void>;
  state(): PollerState;
}

export interface PollerDeps {
  readonly client: AirflowClient;
  readonly store: Pick<
    Store,
    'watermark' | 'baseline' | 'setBaseline' | 'polled' | 'seen' | 'snapshot' | 'saveFacts' | 'loadFacts'
  >;
  readonly responder: Pick<Responder, 'respond'>;
  readonly world: WorldCache;
  readonly intervalMs: number;
  readonly surveyIntervalMs: number;
  readonly lookbackMs: number;
  readonly now: () => number;
  readonly onState: (state: PollerState, error: unknown) => void;
}

export const createPoller = (deps: PollerDeps): Poller => new AirflowPoller(deps);

const iso = (ms: number): string => new Date(ms).toISOString();

class AirflowPoller implements Poller {
  readonly #deps: PollerDeps;
  readonly #airflow: string;
  #state: PollerState = { lastPollAt: null, lastError: null, version: null, scheduler: 'unknown', clockSkewMs: null };
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #stopped = false;
  #surveyedAt = Number.NEGATIVE_INFINITY;
  /** Airflow's clock minus ours, ms: the watermark is kept in Airflow's time. */
  #skew = 0;
  /** The skew is not what it was: kept, a clock that jumped ahead by ten minutes skipped five of Airflow's (simulator, seed 88 with that jump). */
  #clockMoved = false;
  #busy = false;
  /** What Airflow asked for in the last cycle. */
  #leaveAloneMs = 0;
  #surveying: Promise<void> | null = null;
  /** Ours: what fails from now on is heard, however long the first look takes. What failed before is history, also when a later window overlaps it. */
  readonly #startedAt: number;
  #remembered: Promise<void> | null = null;
  /** Files that did not load at the last look; null: not known yet, here or in the store. */
  #broken: readonly string[] | null = null;
  #hearingFiles: Promise<void> = Promise.resolve();
  #secondLook: NodeJS.Timeout | null = null;
  /** None of the lists answered at the last poll. */
  #deaf = false;
  /** Of the second pass, by Airflow's clock: until when it has answered, and whether its last one did not. */
  #updatedTo: Instant | null = null;
  #updatedOwed = false;
  /** Until when the other lists have answered, while the watermark waits for the second pass. */
  #heardTo: Instant | null = null;

  constructor(deps: PollerDeps) {
    this.#deps = deps;
    this.#airflow = deps.client.id;
    this.#startedAt = deps.now();
  }

  state = (): PollerState => this.#state;

  async poll(): Promise<void> {
    this.#running ??= this.#cycle()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#running = null;
      });
    await this.#running;
  }

  resurvey(): Promise<void> {
    return this.#survey().catch((error: unknown) => this.#deps.onState(this.#state, error));
  }

  lookAtFiles(): void {
    if (this.#stopped || this.#secondLook) return;
    this.#secondLook = setTimeout(() => {
      this.#secondLook = null;
      void this.#readFiles();
    }, SECOND_LOOK_MS);
    this.#secondLook.unref();
    void this.#readFiles();
  }

  start(): void {
    void this.poll().then(() => this.#schedule());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of [this.#timer, this.#secondLook]) if (timer) clearTimeout(timer);
    await this.#running;
    await this.#hearingFiles.catch(() => undefined); // told where it was asked for
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { now, intervalMs } = this.#deps;
    const wait = Math.max(this.#leaveAloneMs, this.#busy ? Math.min(BUSY_MS, intervalMs) : intervalMs);
    const at = now() + wait;
    this.#timer = setTimeout(() => {
      if (Math.abs(now() - at) > CLOCK_MOVED_MS) this.#clockMoved = true;
      this.start();
    }, wait);
  }

  /**
   * Failures first: the survey may take long on a large Airflow, and must neither delay nor stop the hearing. Nor does a list that does not answer stop the
   * rest: what has healed was never seen, and what was held stayed held. Only an Airflow of which nothing answers is asked nothing more.
   */
  async #cycle(): Promise<void> {
    const { client, store, responder, world, now, onState, surveyIntervalMs } = this.#deps;
    const startedAt = iso(now());
    this.#leaveAloneMs = 0;
    const due = now() - this.#surveyedAt >= surveyIntervalMs;
    await this.#rememberStart();
    const asks = due || this.#clockMoved || this.#deaf;
    if (asks) await this.#identify();
    const { missing, answered } = await this.#hearFailures(due);
    this.#deaf = !answered;
    if (this.#deaf && !asks) throw missing;
    const watched = watchList(await store.snapshot(), this.#airflow);
    this.#busy = watched.busy;
    const { seen, trouble } = await onErrand('watch', () => observe(client, watched, world.dagCount(this.#airflow)));
    if (seen) await responder.respond({ type: 'observed', airflow: this.#airflow, seen });
    await responder.respond({ type: 'tick' });
    if (due) {
      const survey = this.#survey();
      if (world.hasRead(this.#airflow)) survey.catch((error: unknown) => this.#failed(error));
      else await survey;
    }
    // Set while we polled: what the overlap covers does no harm.
    if (Math.abs(now() - Date.parse(startedAt)) > OVERLAP_MS / 2) this.#clockMoved = true;
    if (missing !== null) throw missing;
    this.#state = { ...this.#state, lastPollAt: startedAt, lastError: null };
    // What cannot be read of one DAG is told, and keeps nothing else from being heard: also not for as long as it wants to be left alone.
    if (trouble !== null) this.#complain(trouble);
    else onState(this.#state, null);
  }

  #failed(error: unknown): void {
    if (error instanceof AirflowError) this.#leaveAloneMs = error.retryAfterMs ?? 0;
    this.#complain(error);
  }

  #complain(error: unknown): void {
    this.#state = { ...this.#state, lastError: error instanceof Error ? error.message : String(error) };
    this.#deps.onState(this.#state, error);
  }

  /** In our own time, because Airflow's is not known yet: the first answer may come only after a restart of ours, and what failed meanwhile counts. */
  async #rememberStart(): Promise<void> {
    const { store, lookbackMs } = this.#deps;
    this.#remembered ??= store
      .setBaseline(this.#airflow, iso(this.#startedAt - DATE_RESOLUTION_MS - lookbackMs))
      // Kept, one write that the disk refused would end all polls until the next start.
      .catch((error: unknown) => {
        this.#remembered = null;
        throw error;
      });
    await this.#remembered;
  }

  /** Version, health and clock. */
  async #identify(): Promise<void> {
    const { client, now } = this.#deps;
    const identity = await onErrand('watch', () => client.probe());
    const clockSkewMs = identity.serverTime === null ? null : Date.parse(identity.serverTime) - now();
    this.#skew = clockSkewMs ?? this.#skew;
    this.#clockMoved = false;
    this.#state = { ...this.#state, version: identity.version, scheduler: identity.scheduler, clockSkewMs };
  }

  /** DAG list and lineage: what changes slowly and costs most. One at a time, whoever asks. */
  #survey(): Promise<void> {
    this.#surveying ??= this.#readWorld().finally(() => {
      this.#surveying = null;
    });
    return this.#surveying;
  }

  async #readWorld(): Promise<void> {
    const { client, store, responder, world, now } = this.#deps;
    const startedAt = now();
    const before = JSON.stringify(world.edges());
    // Before the new list of DAGs counts: one whose file is broken is not in it any more (3.3.2; 2.11.2 lists it for some minutes).
    const files = this.#hearFiles().then(
      () => null,
      (error: unknown) => ({ error }),
    );
    const listing = onErrand('survey', () => client.listDags());
    const ids = () => listing.then((list) => list.map((dag) => dag.dagId));
    const [dags, lineage, unheard] = await Promise.all([listing, client.getLineage(ids), files]);
    world.setDags(this.#airflow, dags);
    world.setLineage(lineage);
    await store.saveFacts(this.#airflow, 'dags', dags, iso(now()));
    await store.saveFacts(this.#airflow, 'lineage', lineage, iso(now()));
    this.#surveyedAt = startedAt;
    if (JSON.stringify(world.edges()) !== before) await responder.respond({ type: 'lineage_changed', airflow: this.#airflow });
    if (unheard) throw unheard.error;
  }

  #readFiles(): Promise<void> {
    return this.#hearFiles().catch((error: unknown) => this.#failed(error));
  }

  /** One look after the other, whoever asks: each compares with the one before. */
  #hearFiles(): Promise<void> {
    this.#hearingFiles = this.#hearingFiles.catch(() => undefined).then(() => this.#compareFiles());
    return this.#hearingFiles;
  }

  async #compareFiles(): Promise<void> {
    if (this.#stopped) return;
    const { client, store, responder, world } = this.#deps;
    const airflow = this.#airflow;
    const errors = await brokenFiles(client);
    if (errors === null) return;
    const now: readonly SeenBroken[] = errors.map((f) => ({ ...f, dags: world.dagsIn(airflow, f.file) }));
    this.#broken ??= (await store.loadFacts()).brokenFiles.get(airflow) ?? null;
    const files = now.map((f) => f.file).sort();
    if (this.#broken !== null && JSON.stringify(files) === JSON.stringify(this.#broken)) return;
    await responder.respond({ type: 'broken_files', airflow, now, before: this.#broken });
    // Only now: after a crash before this line the same is told again, and what is known of it is known.
    await store.saveFacts(airflow, 'broken_files', files, iso(this.#deps.now()));
    this.#broken = files;
  }

  /** Of lists that do not answer the others are heard; the watermark stands still until all have. */
  async #hearFailures(secondPass: boolean): Promise<{ missing: unknown; answered: boolean }> {
    const { client, store, responder, now } = this.#deps;
    const startedAt = now() + this.#skew;
    const mark = await store.watermark(this.#airflow);
    const first = await store.baseline(this.#airflow);
    const baseline = mark === null ? iso(Date.parse(first) + this.#skew) : first;
    const since = mark ?? baseline;
    const from = (to: Instant | null) => iso(Date.parse(to ?? since) - (to === null && mark === null ? 0 : OVERLAP_MS));
    const [runs, tasks, updated] = await Promise.allSettled([
      client.listFailedRuns(from(this.#heardTo)),
      client.listFailedTasks(from(this.#heardTo)),
      secondPass ? client.listFailedRunsUpdated(from(this.#updatedTo)) : ([] as RunFacts[]),
    ]);
    const errors = [runs, tasks, updated].flatMap((list) => (list.status === 'rejected' ? [list.reason] : []));
    for (const error of errors) if (!isOfOneList(error)) throw error;
    const at = iso(startedAt);
    const signals = [
      ...rowsOf(tasks).map((t) => signalOfTask(this.#airflow, t, at)),
      ...[...rowsOf(runs), ...rowsOf(updated)].map((r) => signalOfRun(this.#airflow, r, at)),
    ];
    const keys = signals.map((s) => s.key);
    const known = await store.seen(this.#airflow, keys);
    const unheard = signals.filter((s) => !known.has(s.key) && s.occurredAt >= baseline);
    // Part of the hearing, so in its places: a watched run that wants to be left alone must not keep what fails now from being heard.
    const fresh = await onErrand('poll', () => withRuns(client, unheard));
    await Promise.all(fresh.map((signal) => responder.respond({ type: 'signal', signal })));
    const both = runs.status === 'fulfilled' && tasks.status === 'fulfilled';
    if (secondPass) this.#updatedOwed = updated.status === 'rejected';
    // On disk, so that a restart asks for what was not answered; the window of the other lists must not grow meanwhile.
    const to = both && !this.#updatedOwed ? at : since;
    // Only now: a crash before this line hears them again, and the signals' own keys take them out.
    if (to === at || keys.length > 0) await store.polled(this.#airflow, to, keys, iso(Date.parse(to) - FORGET_MS), baseline);
    if (secondPass && !this.#updatedOwed) this.#updatedTo = at;
    if (both) this.#heardTo = at;
    return { missing: errors[0] ?? null, answered: errors.length < (secondPass ? 3 : 2) };
  }
}

const rowsOf = <T>(list: PromiseSettledResult<readonly T[]>): readonly T[] => (list.status === 'fulfilled' ? list.value : []);

/** A log-in that is not taken any more is about all of them. */
const isOfOneList = (error: unknown): boolean => error instanceof AirflowError && error.kind !== 'unauthorized';

/** null: this account may not read them, which `check` says. */
const brokenFiles = (client: AirflowClient): Promise<readonly ImportErrorFacts[] | null> =>
  client.listImportErrors().catch((error: unknown) => {
    if (error instanceof AirflowError && error.kind === 'forbidden') return null;
    throw error;
  });

/** More runs than this at once are an outage: then the signals go as they are. */
const MOST_RUNS = 50;

/** A task instance does not say what kind of run it belongs to, nor when that started: both decide whether and to whom its failure counts. */
async function withRuns(client: AirflowClient, signals: readonly Signal[]): Promise<readonly Signal[]> {
  const wanted = new Map(signals.filter((s) => s.runType === null).map((s) => [runKey(s), s]));
  if (wanted.size > MOST_RUNS) return signals;
  const read = await Promise.all(
    // One that cannot be asked for (an id with a slash) goes as it is: without it nothing of this Airflow would be heard any more.
    [...wanted].map(async ([key, s]) => [key, await client.getRun(s.dagId, s.runId).catch(unlessAway)] as const),
  );
  const runs = new Map(read);
  return signals.map((s) => {
    const run = s.runType === null ? runs.get(runKey(s)) : null;
    return run ? { ...s, runType: run.runType, logicalDate: run.logicalDate, runStart: run.startDate } : s;
  });
}

/** Airflow is there and does not show it. */
function unlessAway(error: unknown): null {
  if (error instanceof AirflowError && !AWAY.has(error.kind)) return null;
  throw error;
}
const AWAY: ReadonlySet<AirflowError['kind']> = new Set(['unreachable', 'timeout', 'unauthorized', 'not_airflow']);

const runKey = (s: { dagId: string; runId: string }): string => `${s.dagId}\n${s.runId}`;
