/** What clearing and backfilling do; both generations reach it through their own paths. */
import { type Backfill, FakeError, type Run } from './types.ts';
import type { World } from './world.ts';

export interface ClearBody {
  readonly dry_run?: boolean;
  readonly dag_run_id?: string;
  readonly task_ids?: readonly string[];
  readonly only_failed?: boolean;
  readonly include_downstream?: boolean;
  readonly reset_dag_runs?: boolean;
  readonly start_date?: string;
  readonly end_date?: string;
}

/** Task ids per run that the body asks to clear. An unknown task or nothing that qualifies is an empty answer, not an error (3.3.2). */
export const selectTasks = (world: World, dagId: string, body: ClearBody): readonly { run: Run; taskIds: string[] }[] => {
  const from = body.start_date === undefined ? Number.NEGATIVE_INFINITY : Date.parse(body.start_date);
  const to = body.end_date === undefined ? Number.POSITIVE_INFINITY : Date.parse(body.end_date);
  const runs =
    body.dag_run_id === undefined
      ? world.runsOf(dagId).filter((run) => run.logical !== null && run.logical >= from && run.logical <= to)
      : [world.run(dagId, body.dag_run_id)];
  const named =
    body.task_ids === undefined
      ? Object.keys(world.dag(dagId).spec.tasks)
      : body.task_ids.filter((id) => world.dag(dagId).spec.tasks[id] !== undefined);
  const wanted = body.include_downstream === true ? [...world.behind(dagId, named)] : named;
  return runs
    .map((run) => ({
      run,
      taskIds: wanted.filter((id) => body.only_failed === false || isFailed(run.tasks.get(id)?.state ?? null)),
    }))
    .filter((one) => one.taskIds.length > 0);
};

const isFailed = (state: string | null): boolean => state === 'failed' || state === 'upstream_failed';

export interface BackfillBody {
  readonly dag_id: string;
  readonly from_date: string;
  readonly to_date: string;
  readonly reprocess_behavior?: 'none' | 'failed' | 'completed';
  readonly max_active_runs?: number;
  readonly dag_run_conf?: Record<string, unknown> | null;
}

/** Logical dates that would run now: ended intervals in the range, both bounds included; queued and running ones are left out. */
export const backfillDates = (world: World, body: BackfillBody): number[] => {
  const { every, start } = periodic(world, body.dag_id);
  const from = Date.parse(body.from_date);
  const to = Date.parse(body.to_date);
  if (from > to) throw new FakeError(422, `from_date (${body.from_date}) must not be after to_date (${body.to_date}).`);
  if (from > world.now() && to > world.now()) throw new FakeError(422, 'Backfill cannot be executed for future dates.');
  const dates: number[] = [];
  const behavior = body.reprocess_behavior ?? 'none';
  for (let at = start + Math.max(0, Math.ceil((from - start) / every)) * every; at <= to && at <= world.now(); at += every) {
    const run = world.runsOf(body.dag_id).find((one) => one.logical === at);
    const again =
      run !== undefined &&
      ((run.state === 'failed' && behavior !== 'none') || (run.state === 'success' && behavior === 'completed'));
    if (run === undefined || again) dates.push(at);
  }
  return dates;
};

const periodic = (world: World, dagId: string): { every: number; start: number } => {
  const { schedule } = world.dag(dagId).spec;
  if (schedule === null || schedule === undefined || !('every' in schedule))
    throw new FakeError(422, `${dagId} has a non-periodic schedule that does not support backfills`);
  return schedule;
};

/** One unfinished backfill per DAG. A run that is processed again keeps its id and becomes of type `backfill` (3.3.2). */
export const startBackfill = (world: World, body: BackfillBody, by: string): Backfill => {
  periodic(world, body.dag_id);
  if (world.backfills.some((one) => one.dagId === body.dag_id && one.completedAt === null)) {
    throw new FakeError(409, `There is already a running backfill for dag ${body.dag_id}`);
  }
  const dates = backfillDates(world, body);
  const backfill: Backfill = {
    id: world.backfills.length + 1,
    dagId: body.dag_id,
    from: Date.parse(body.from_date),
    to: Date.parse(body.to_date),
    reprocess: body.reprocess_behavior ?? 'none',
    maxActiveRuns: body.max_active_runs ?? 10,
    conf: body.dag_run_conf ?? null,
    createdAt: world.now(),
    paused: false,
    completedAt: null,
    runs: [],
  };
  world.backfills.push(backfill);
  world.effect('backfill', body.dag_id, by, { detail: dates.map((at) => new Date(at).toISOString()).join(',') });
  for (const at of dates) backfill.runs.push(backfillRun(world, backfill, at, by));
  world.scheduler.poke();
  return backfill;
};

const backfillRun = (world: World, backfill: Backfill, at: number, by: string): string => {
  const old = world.runsOf(backfill.dagId).find((run) => run.logical === at);
  if (old === undefined) {
    return world.createRun(backfill.dagId, {
      runType: 'backfill',
      by,
      logical: at,
      runId: `backfill__${new Date(at).toISOString().replace('.000Z', '+00:00')}`,
      backfill: backfill.id,
      conf: backfill.conf ?? {},
    }).runId;
  }
  old.runType = 'backfill';
  old.backfill = backfill.id;
  if (backfill.conf !== null) old.conf = backfill.conf;
  world.clear(old, [...old.tasks.keys()], by);
  return old.runId;
};

/** Queued runs become failed without an end, running ones go on, nobody is told (3.3.2). */
export const cancelBackfill = (world: World, id: number, by: string): Backfill => {
  const backfill = world.backfills.find((one) => one.id === id);
  if (backfill === undefined) throw new FakeError(404, `Could not find backfill with id ${id}`);
  if (backfill.completedAt !== null) throw new FakeError(409, 'Backfill is already completed.');
  backfill.paused = true;
  backfill.completedAt = world.now();
  for (const run of world.runsOf(backfill.dagId)) {
    if (run.backfill !== id || run.state !== 'queued') continue;
    Object.assign(run, { state: 'failed', updated: world.now() });
    world.active.delete(run);
  }
  world.effect('cancel_backfill', backfill.dagId, by, { detail: String(id) });
  return backfill;
};
