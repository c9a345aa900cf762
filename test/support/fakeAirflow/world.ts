/**
 * The state of the fake Airflow and what may be done to it. It imitates what was seen on real ones (2.11.2, 3.3.2; each rule names
 * its source in docs of the project: pausing, asset events, backfills, clearing); the contract suite compares it with them.
 */
import { Scheduler } from './scheduler.ts';
import {
  type Asset,
  type AssetEvent,
  type AuditEntry,
  type Backfill,
  type Condition,
  type Dag,
  type DagSpec,
  type Effect,
  FakeError,
  type Outcome,
  type Run,
  type TaskInstance,
} from './types.ts';

export interface WorldOptions {
  readonly generation: 2 | 3;
  readonly version: string;
  readonly now: () => number;
  /** Queued runs of unpaused DAGs run by themselves; otherwise every task waits for `finishTask`. */
  readonly autoRun: boolean;
  /** How long a task runs with `autoRun`, milliseconds. */
  readonly taskMs: number;
  /** What a task does with `autoRun`; consulted after `outcomes`. */
  readonly outcome: (task: {
    dagId: string;
    runId: string;
    taskId: string;
    tryNumber: number;
    logical: number | null;
    conf: Record<string, unknown>;
  }) => Outcome | undefined;
  /** How long after its last run a backfill gets completed_at; 13-30 s on a real one. */
  readonly backfillSweepMs: number;
}

export class World {
  readonly options: WorldOptions;
  readonly dags = new Map<string, Dag>();
  readonly runs = new Map<string, Map<string, Run>>();
  /** Runs that are queued or running: all that the scheduler looks at. */
  readonly active = new Set<Run>();
  readonly assets = new Map<string, Asset>();
  readonly events: AssetEvent[] = [];
  readonly backfills: Backfill[] = [];
  readonly audit: AuditEntry[] = [];
  readonly effects: Effect[] = [];
  /** `dag/task` -> outcome, changeable while it runs: how a test breaks and mends a task. */
  readonly outcomes = new Map<string, Outcome>();
  /** `x.py` -> trace. The DAG x stands in that file. */
  readonly brokenFiles = new Map<string, string>();
  readonly scheduler: Scheduler;
  #order = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.scheduler = new Scheduler(this);
  }

  now(): number {
    return this.options.now();
  }

  // --- definitions

  addDag(id: string, spec: DagSpec): void {
    const schedule = spec.schedule ?? null;
    const nextLogical = schedule !== null && 'every' in schedule ? (schedule.next ?? this.#nextFuture(schedule)) : null;
    this.dags.set(id, { id, spec, paused: spec.paused ?? false, nextLogical, queued: new Map() });
    if (!this.runs.has(id)) this.runs.set(id, new Map());
    for (const task of Object.values(spec.tasks)) for (const uri of task.outlets ?? []) this.asset(uri);
    if (schedule !== null && 'assets' in schedule) for (const uri of leaves(schedule.assets)) this.asset(uri);
    this.scheduler.poke();
  }

  /** As on a site that runs for long: everything that was due has been created, the next interval is still to end. */
  #nextFuture(schedule: { readonly every: number; readonly start: number }): number {
    const last = this.options.generation === 2 ? this.now() - schedule.every : this.now();
    return schedule.start + (Math.max(-1, Math.floor((last - schedule.start) / schedule.every)) + 1) * schedule.every;
  }

  asset(uri: string): Asset {
    const known = this.assets.get(uri);
    if (known !== undefined) return known;
    const asset = { id: this.assets.size + 1, uri, name: uri };
    this.assets.set(uri, asset);
    return asset;
  }

  dag(id: string): Dag {
    const dag = this.dags.get(id);
    if (dag === undefined) throw new FakeError(404, id);
    return dag;
  }

  run(dagId: string, runId: string): Run {
    const run = this.runs.get(dagId)?.get(runId);
    if (run === undefined) throw new FakeError(404, `${dagId}/${runId}`);
    return run;
  }

  runsOf(dagId: string): Run[] {
    return [...(this.runs.get(dagId)?.values() ?? [])];
  }

  allRuns(): Run[] {
    return [...this.runs.values()].flatMap((runs) => [...runs.values()]);
  }

  task(run: Run, taskId: string): TaskInstance {
    const task = run.tasks.get(taskId);
    if (task === undefined) throw new FakeError(404, taskId);
    return task;
  }

  /** Tasks behind these ones, themselves included. */
  behind(dagId: string, taskIds: readonly string[]): Set<string> {
    const { tasks } = this.dag(dagId).spec;
    const found = new Set<string>();
    const walk = (id: string) => {
      if (found.has(id) || tasks[id] === undefined) return;
      found.add(id);
      for (const next of tasks[id].downstream ?? []) walk(next);
    };
    taskIds.forEach(walk);
    return found;
  }

  // --- acts

  effect(kind: Effect['kind'], dagId: string, by: string, more: Partial<Effect> = {}): void {
    this.effects.push({ at: this.now(), kind, dagId, by, ...more });
  }

  writeAudit(event: string, owner: string, dagId: string | null, extra: string | null, runId: string | null = null): void {
    this.audit.push({ id: this.audit.length + 1, when: this.now(), dagId, runId, event, owner, extra });
  }

  setPaused(dagId: string, paused: boolean, by: string): void {
    const dag = this.dag(dagId);
    if (dag.paused !== paused) this.effect(paused ? 'pause' : 'unpause', dagId, by);
    dag.paused = paused;
    if (!paused) this.scheduler.unpaused(dag);
    this.scheduler.poke();
  }

  createRun(dagId: string, about: NewRun): Run {
    const dag = this.dag(dagId);
    const runs = this.runs.get(dagId) ?? new Map<string, Run>();
    const at = this.now();
    const runId =
      about.runId ??
      `${about.prefix ?? 'manual'}__${new Date(about.logical ?? at).toISOString()}${runs.size === 0 ? '' : `_${runs.size}`}`;
    if (runs.has(runId)) throw new FakeError(409, `run ${runId} exists`);
    const logical = about.logical ?? null;
    if (logical !== null && [...runs.values()].some((run) => run.logical === logical))
      throw new FakeError(409, 'logical date exists');
    const run: Run = {
      dagId,
      runId,
      logical,
      runType: about.runType,
      intervalStart: about.intervalStart ?? logical,
      intervalEnd: about.intervalEnd ?? logical,
      runAfter: about.intervalEnd ?? logical ?? at,
      triggeredBy: about.by,
      conf: { ...about.conf },
      note: about.note ?? null,
      state: 'queued',
      queuedAt: at,
      start: null,
      end: null,
      updated: at,
      clears: 0,
      backfill: about.backfill ?? null,
      order: ++this.#order,
      tasks: new Map(),
    };
    for (const [taskId, spec] of Object.entries(dag.spec.tasks)) {
      run.tasks.set(taskId, {
        taskId,
        state: null,
        tryNumber: 0,
        maxTries: spec.retries ?? 0,
        start: null,
        end: null,
        updated: at,
        rendered: {},
        child: null,
        endsAt: null,
      });
    }
    runs.set(runId, run);
    this.active.add(run);
    this.runs.set(dagId, runs);
    this.effect('trigger', dagId, about.by, { runId });
    this.scheduler.poke();
    return run;
  }

  /** Resets tasks; a cleared run is queued again with no start and no end, and its `max_tries` grow (2.11.2, 3.3.2). */
  clear(run: Run, taskIds: readonly string[], by: string, resetRun = true): void {
    for (const taskId of taskIds) {
      const task = this.task(run, taskId);
      if (task.state !== null)
        task.maxTries = Math.max(task.maxTries, task.tryNumber + (this.dag(run.dagId).spec.tasks[taskId]?.retries ?? 0));
      Object.assign(task, { state: null, start: null, end: null, updated: this.now(), child: null, endsAt: null });
    }
    if (resetRun) {
      Object.assign(run, { state: 'queued', start: null, end: null, queuedAt: this.now(), updated: this.now() });
      run.clears += 1;
      this.active.add(run);
    }
    this.effect('clear', run.dagId, by, { runId: run.runId, detail: taskIds.join(',') });
    this.scheduler.poke();
  }

  createEvent(
    uri: string,
    source: { dagId: string; runId: string; taskId: string } | null,
    extra: Record<string, unknown>,
    by: string,
  ): AssetEvent {
    const asset = this.assets.get(uri);
    if (asset === undefined) throw new FakeError(404, uri);
    const event: AssetEvent = {
      id: this.events.length + 1,
      assetId: asset.id,
      uri,
      at: this.now(),
      extra,
      dagId: source?.dagId ?? null,
      runId: source?.runId ?? null,
      taskId: source?.taskId ?? null,
      created: [],
    };
    this.events.push(event);
    if (source === null) this.effect('asset_event', '', by, { detail: uri });
    this.scheduler.deliver(event);
    this.scheduler.poke();
    return event;
  }

  // --- how tests move things by hand

  /** Ends a task that is running or waiting, whatever its outcome would have been. */
  finishTask(dagId: string, runId: string, taskId: string, state: 'success' | 'failed' | 'skipped'): void {
    const run = this.run(dagId, runId);
    if (run.state === 'queued') this.scheduler.startRun(run);
    this.scheduler.endTask(run, this.task(run, taskId), state);
    this.scheduler.poke();
  }
}

export interface NewRun {
  readonly runType: string;
  readonly by: string;
  readonly runId?: string;
  readonly prefix?: string;
  readonly logical?: number | null;
  readonly intervalStart?: number | null;
  readonly intervalEnd?: number | null;
  readonly conf?: Record<string, unknown>;
  readonly note?: string | null;
  readonly backfill?: number;
}

export const leaves = (condition: Condition): string[] => {
  if (typeof condition === 'string') return [condition];
  return ('all' in condition ? condition.all : condition.any).flatMap(leaves);
};

export const fulfilled = (condition: Condition, has: (uri: string) => boolean): boolean => {
  if (typeof condition === 'string') return has(condition);
  return 'all' in condition
    ? condition.all.every((one) => fulfilled(one, has))
    : condition.any.some((one) => fulfilled(one, has));
};
