/** What Airflow's scheduler does, as far as Firedamper can see it. */
import {
  type AssetEvent,
  type Backfill,
  type Condition,
  type Dag,
  type DagSpec,
  FakeError,
  type Outcome,
  type Run,
  type TaskInstance,
} from './types.ts';
import { fulfilled, leaves, type World } from './world.ts';

const finished = new Set(['success', 'failed', 'upstream_failed', 'skipped']);

interface Links {
  readonly consumes: ReadonlySet<string>;
  /** By asset. */
  readonly produces: ReadonlyMap<string, readonly { readonly taskId: string }[]>;
}
/** A specification never changes. Without this a list of 200 assets of 400 DAGs took the fake 40 ms, and was what the soak measured. */
const links = new WeakMap<DagSpec, Links>();
function linksOf(spec: DagSpec): Links {
  const known = links.get(spec);
  if (known !== undefined) return known;
  const { schedule } = spec;
  const consumes = schedule !== null && schedule !== undefined && 'assets' in schedule ? leaves(schedule.assets) : [];
  const made = Object.entries(spec.tasks).flatMap(([taskId, { outlets = [] }]) =>
    [...new Set(outlets)].map((uri) => ({ uri, taskId })),
  );
  const produces = Map.groupBy(made, ({ uri }) => uri);
  const found = { consumes: new Set(consumes), produces };
  links.set(spec, found);
  return found;
}

export class Scheduler {
  readonly #world: World;
  #poked = false;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(world: World) {
    this.#world = world;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Something changed: look again soon. One look for many changes. */
  poke(): void {
    if (this.#poked || this.#closed) return;
    this.#poked = true;
    setImmediate(() => {
      this.#poked = false;
      if (!this.#closed) this.step();
    });
  }

  /** One pass, as often as something moves. */
  step(): void {
    while (this.#pass()) {
      // again, until nothing moves
    }
    this.#sweepBackfills();
    this.#sleepUntilNextEnd();
  }

  #pass(): boolean {
    let moved = false;
    for (const run of [...this.#world.active]) {
      if (run.state === 'queued' && this.#mayStart(run)) {
        this.startRun(run);
        moved = true;
      }
      if (run.state === 'running') moved = this.#advance(run) || moved;
    }
    return moved;
  }

  /** Queued runs of a paused DAG stay queued; so do runs of a paused backfill, for ever when it was cancelled (#72337). */
  #mayStart(run: Run): boolean {
    const dag = this.#world.dag(run.dagId);
    if (dag.paused) return false;
    if (run.runType === 'backfill' && this.#world.options.generation === 2) return false;
    if (run.logical !== null && run.logical > this.#world.now()) return false;
    const active = this.#world.runsOf(run.dagId).filter((one) => one.state === 'running');
    if (run.runType === 'backfill') {
      const backfill = this.#world.backfills.find((one) => one.id === run.backfill);
      if (backfill === undefined) return true;
      return !backfill.paused && active.filter((one) => one.backfill === backfill.id).length < backfill.maxActiveRuns;
    }
    return active.length < (dag.spec.maxActiveRuns ?? 16);
  }

  startRun(run: Run): void {
    run.state = 'running';
    run.start = this.#world.now();
    run.updated = run.start;
    this.#world.effect('run_started', run.dagId, 'scheduler', { runId: run.runId });
  }

  /** True where something changed. Nothing of a paused DAG's run is started, what runs goes on (2.11.2, 3.3.2). */
  #advance(run: Run): boolean {
    const dag = this.#world.dag(run.dagId);
    let moved = false;
    for (const task of run.tasks.values()) {
      if (task.state === null) moved = this.#schedule(dag, run, task) || moved;
      else if (task.state === 'running' || task.state === 'up_for_retry') moved = this.#work(dag, run, task) || moved;
    }
    return this.#endRun(dag, run) || moved;
  }

  #schedule(dag: Dag, run: Run, task: TaskInstance): boolean {
    const spec = dag.spec.tasks[task.taskId];
    const before = Object.entries(dag.spec.tasks)
      .filter(([, one]) => one.downstream?.includes(task.taskId))
      .map(([id]) => run.tasks.get(id)?.state ?? null);
    const done = before.every((state) => state !== null && finished.has(state));
    const rule = spec?.rule ?? 'all_success';
    const bad = before.some((state) => state === 'failed' || state === 'upstream_failed');
    if (rule === 'all_success' && bad) return this.#mark(run, task, 'upstream_failed');
    if (rule === 'none_failed' && bad) return this.#mark(run, task, 'upstream_failed');
    if (!done && !(rule === 'one_success' && before.includes('success'))) return false;
    if (rule === 'all_success' && before.includes('skipped')) return this.#mark(run, task, 'skipped');
    if (rule === 'one_success' && before.length > 0 && !before.includes('success'))
      return this.#mark(run, task, 'upstream_failed');
    if (dag.paused) return false;
    const now = this.#world.now();
    task.tryNumber += 1;
    Object.assign(task, { state: 'running', start: now, end: null, updated: now, rendered: this.#rendered(dag, task) });
    task.endsAt = now + (spec?.ms ?? this.#world.options.taskMs);
    return true;
  }

  #mark(run: Run, task: TaskInstance, state: string): boolean {
    const now = this.#world.now();
    Object.assign(task, { state, updated: now, start: state === 'upstream_failed' ? now : task.start, end: now });
    run.updated = now;
    return true;
  }

  #rendered(dag: Dag, task: TaskInstance): Record<string, unknown> {
    const spec = dag.spec.tasks[task.taskId];
    if (spec?.triggers !== undefined) {
      return {
        trigger_dag_id: spec.triggers.dagId,
        trigger_run_id: null,
        conf: null,
        wait_for_completion: spec.triggers.wait ?? false,
      };
    }
    if (spec?.waitsFor !== undefined) {
      const ids = spec.waitsFor.taskIds ?? null;
      return {
        external_dag_id: spec.waitsFor.dagId,
        external_task_ids: ids,
        external_task_id: ids?.[0] ?? null,
        external_task_group_id: null,
      };
    }
    return {};
  }

  #work(dag: Dag, run: Run, task: TaskInstance): boolean {
    const now = this.#world.now();
    if (task.state === 'up_for_retry') {
      if (dag.paused || (task.endsAt ?? 0) > now) return false;
      task.tryNumber += 1;
      Object.assign(task, {
        state: 'running',
        start: now,
        end: null,
        updated: now,
        endsAt: now + (dag.spec.tasks[task.taskId]?.ms ?? this.#world.options.taskMs),
      });
      return true;
    }
    const outcome = this.#outcome(dag, run, task);
    if (outcome === 'wait' || (task.endsAt ?? 0) > now) return false;
    if (outcome === 'retry' || (outcome === 'failed' && task.tryNumber <= task.maxTries)) {
      Object.assign(task, { state: 'up_for_retry', end: now, updated: now, endsAt: now + 1 });
      return true;
    }
    this.endTask(run, task, outcome);
    return true;
  }

  #outcome(dag: Dag, run: Run, task: TaskInstance): Outcome {
    const { options, outcomes } = this.#world;
    const said =
      outcomes.get(`${dag.id}/${task.taskId}`) ??
      options.outcome({
        dagId: dag.id,
        runId: run.runId,
        taskId: task.taskId,
        tryNumber: task.tryNumber,
        logical: run.logical,
        conf: run.conf,
      });
    if (said !== undefined && said !== 'success') return said;
    if (said === undefined && !options.autoRun) return 'wait';
    const spec = dag.spec.tasks[task.taskId];
    if (spec?.triggers !== undefined) return this.#trigger(run, task, spec.triggers);
    if (spec?.waitsFor !== undefined) return this.#sensed(run, spec.waitsFor) ? 'success' : 'wait';
    return 'success';
  }

  #trigger(run: Run, task: TaskInstance, target: { readonly dagId: string; readonly wait?: boolean }): Outcome {
    if (task.child === null) {
      if (!this.#world.dags.has(target.dagId)) return 'failed';
      // 3.3 names such a run `operator_triggered`, everything before `manual` (2.11.2, 3.0.6-3.3.2).
      const modern = this.#world.options.generation === 3 && /^3\.([3-9]|\d\d)/.test(this.#world.options.version);
      const child = this.#world.createRun(target.dagId, {
        runType: modern ? 'operator_triggered' : 'manual',
        by: 'operator',
        runId: `manual__${run.runId}__${task.taskId}__${task.tryNumber}`,
        logical: this.#world.options.generation === 2 ? this.#freeDate(target.dagId, this.#world.now()) : null,
      });
      task.child = { dagId: child.dagId, runId: child.runId };
    }
    if (target.wait !== true) return 'success';
    const child = this.#world.run(task.child.dagId, task.child.runId);
    if (child.state === 'failed') return 'failed';
    return child.state === 'success' ? 'success' : 'wait';
  }

  #sensed(run: Run, target: { readonly dagId: string; readonly taskIds?: readonly string[] }): boolean {
    const seen = this.#world.runsOf(target.dagId).filter((one) => run.logical === null || one.logical === run.logical);
    return seen.some((one) =>
      target.taskIds === undefined
        ? one.state === 'success'
        : target.taskIds.every((id) => one.tasks.get(id)?.state === 'success'),
    );
  }

  endTask(run: Run, task: TaskInstance, state: Outcome): void {
    if (state !== 'success' && state !== 'failed' && state !== 'skipped')
      throw new FakeError(400, `a task does not end ${state}`);
    const now = this.#world.now();
    if (task.start === null) {
      task.start = now;
      task.tryNumber += 1;
      task.rendered = this.#rendered(this.#world.dag(run.dagId), task);
    }
    Object.assign(task, { state, end: now, updated: now, endsAt: null });
    run.updated = now;
    this.#world.writeAudit(state, 'airflow', run.dagId, '{"host_name": "fake"}', run.runId);
    if (state !== 'success') return;
    for (const uri of this.#world.dag(run.dagId).spec.tasks[task.taskId]?.outlets ?? []) {
      this.#world.createEvent(uri, { dagId: run.dagId, runId: run.runId, taskId: task.taskId }, {}, 'airflow');
    }
  }

  /** The leaves decide: a failed task whose followers run all the same does not fail the run. */
  #endRun(dag: Dag, run: Run): boolean {
    const states = [...run.tasks.values()].map((task) => task.state);
    if (!states.every((state) => state !== null && finished.has(state))) return false;
    const ends = Object.entries(dag.spec.tasks)
      .filter(([, spec]) => (spec.downstream ?? []).length === 0)
      .map(([id]) => run.tasks.get(id)?.state);
    this.finishRun(run, ends.some((state) => state === 'failed' || state === 'upstream_failed') ? 'failed' : 'success');
    return true;
  }

  finishRun(run: Run, state: 'success' | 'failed'): void {
    Object.assign(run, { state, end: this.#world.now(), updated: this.#world.now() });
    this.#world.active.delete(run);
    this.#world.effect('run_ended', run.dagId, 'scheduler', { runId: run.runId, detail: state });
  }

  consumersOf(uri: string): Dag[] {
    return [...this.#world.dags.values()].filter(({ spec }) => linksOf(spec).consumes.has(uri));
  }

  producersOf(uri: string): { dagId: string; taskId: string }[] {
    return [...this.#world.dags.values()].flatMap((dag) =>
      (linksOf(dag.spec).produces.get(uri) ?? []).map(({ taskId }) => ({ dagId: dag.id, taskId })),
    );
  }

  /** An event reaches the consumers that are not paused at this moment; the others never get it (2.10-3.3; 2.9 queues it). */
  deliver(event: AssetEvent): void {
    const queuesWhilePaused = this.#world.options.version.startsWith('2.9');
    for (const dag of this.consumersOf(event.uri)) {
      if (dag.paused && !queuesWhilePaused) continue;
      dag.queued.set(event.uri, event.id);
      this.#fire(dag);
    }
  }

  #fire(dag: Dag): void {
    const { schedule } = dag.spec;
    if (dag.paused || schedule === null || schedule === undefined || !('assets' in schedule)) return;
    if (dag.queued.size === 0 || !fulfilled(schedule.assets, (uri) => dag.queued.has(uri))) return;
    const two = this.#world.options.generation === 2;
    const number = this.#world.runsOf(dag.id).length;
    const at = this.#world.now();
    const run = this.#world.createRun(dag.id, {
      runType: two ? 'dataset_triggered' : 'asset_triggered',
      by: 'scheduler',
      runId: `${two ? 'dataset_triggered' : 'asset_triggered'}__${new Date(at).toISOString().replace('Z', '000+00:00')}_${number}`,
      ...(two ? { logical: this.#freeDate(dag.id, at) } : {}),
    });
    for (const id of dag.queued.values())
      this.#world.events[id - 1]?.created.push({ dagId: dag.id, runId: run.runId, triggering: true, run });
    dag.queued.clear();
    this.#takeAlong(dag.id, schedule.assets, run);
  }

  /** What the DAG missed since its last such run is attached to the next one, which it did not cause (2.11.2, 3.3.2). */
  #takeAlong(dagId: string, condition: Condition, run: Run): void {
    const { runId } = run;
    const { events } = this.#world;
    const before = events.findLastIndex((e) => e.created.some((c) => c.dagId === dagId && c.runId !== runId && c.triggering));
    for (const event of events.slice(before + 1)) {
      const had = event.created.some((c) => c.dagId === dagId);
      if (!had && leaves(condition).includes(event.uri)) event.created.push({ dagId, runId, triggering: false, run });
    }
  }

  #freeDate(dagId: string, at: number): number {
    const taken = new Set(this.#world.runsOf(dagId).map((run) => run.logical));
    let date = at;
    while (taken.has(date)) date += 1;
    return date;
  }

  /** Catch-up, latest interval, queued asset rows, and runs past their time limit, which fail at once (2.11.2, 3.3.2). */
  unpaused(dag: Dag): void {
    const now = this.#world.now();
    const limit = dag.spec.timeoutSeconds;
    for (const run of this.#world.runsOf(dag.id)) {
      if (limit === undefined || run.state !== 'running' || run.start === null || run.start + limit * 1000 > now) continue;
      for (const task of run.tasks.values())
        if (task.state === null || !finished.has(task.state))
          Object.assign(task, { state: 'skipped', updated: now, endsAt: null });
      this.finishRun(run, 'failed');
    }
    this.#fire(dag);
    this.createDueRuns(dag);
  }

  /** Runs of intervals that have ended: all of them with catchup, otherwise the newest only. */
  createDueRuns(dag: Dag): void {
    const { schedule } = dag.spec;
    if (dag.paused || dag.nextLogical === null || schedule === null || schedule === undefined || !('every' in schedule)) return;
    const { every } = schedule;
    const now = this.#world.now();
    const taken = new Set(this.#world.runsOf(dag.id).map((run) => run.logical));
    const due: number[] = [];
    for (let at = dag.nextLogical; this.runAfter(at, every) <= now; at += every) due.push(at);
    for (const at of dag.spec.catchup === true ? due : due.slice(-1)) {
      if (!taken.has(at))
        this.#world.createRun(dag.id, {
          runType: 'scheduled',
          prefix: 'scheduled',
          by: 'scheduler',
          logical: at,
          intervalStart: at,
          intervalEnd: this.#intervalEnd(at, every),
          runId: `scheduled__${isoZone(at)}`,
        });
    }
    const last = due.at(-1);
    if (last !== undefined) dag.nextLogical = last + every;
  }

  /** 2.x runs an interval after its end; 3.x takes bare cron texts as points in time (CronTriggerTimetable). */
  runAfter(logical: number, every: number): number {
    return this.#world.options.generation === 2 ? logical + every : logical;
  }

  #intervalEnd(logical: number, every: number): number {
    return this.#world.options.generation === 2 ? logical + every : logical;
  }

  #sweepBackfills(): void {
    const { options } = this.#world;
    for (const backfill of this.#world.backfills) {
      if (backfill.completedAt !== null) continue;
      const runs = this.#backfillRuns(backfill);
      if (runs.some((run) => run.state === 'queued' || run.state === 'running')) continue;
      const ended = Math.max(backfill.createdAt, ...runs.map((run) => run.end ?? 0));
      if (this.#world.now() >= ended + options.backfillSweepMs) backfill.completedAt = this.#world.now();
    }
  }

  #backfillRuns(backfill: Backfill): Run[] {
    return this.#world.runsOf(backfill.dagId).filter((run) => run.backfill === backfill.id);
  }

  /** Timers only where time itself moves something: a running task, a retry, a backfill that waits for its sweep. */
  #sleepUntilNextEnd(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const now = this.#world.now();
    let next = Number.POSITIVE_INFINITY;
    for (const run of this.#world.active) {
      if (run.state !== 'running') continue;
      for (const task of run.tasks.values())
        if (task.endsAt !== null && task.endsAt > now) next = Math.min(next, task.endsAt - now);
    }
    if (this.#world.backfills.some((one) => one.completedAt === null))
      next = Math.min(next, Math.max(5, this.#world.options.backfillSweepMs / 4));
    if (Number.isFinite(next) && !this.#closed) this.#timer = setTimeout(() => this.step(), Math.max(1, next));
  }
}

const isoZone = (at: number): string => new Date(at).toISOString().replace('.000Z', '+00:00');
