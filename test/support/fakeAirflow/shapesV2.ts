/** JSON of REST v2 (3.0-3.3). */
import { graphOf } from './graph.ts';
import { iso } from './routing.ts';
import type { AssetEvent, AuditEntry, Backfill, Condition, Dag, Run, TaskInstance } from './types.ts';
import type { World } from './world.ts';

const minor = (world: World): number => Number(world.options.version.split('.')[1] ?? 0);

const scheduleOf = (dag: Dag) => {
  const schedule = dag.spec.schedule ?? null;
  if (schedule === null) return { summary: null, every: null };
  return 'assets' in schedule
    ? { summary: 'Asset', every: null }
    : { summary: schedule.cron ?? '0 0 * * *', every: schedule.every };
};

export const dagV2 = (world: World, dag: Dag) => {
  const { summary, every } = scheduleOf(dag);
  const after = dag.nextLogical === null || every === null ? null : world.scheduler.runAfter(dag.nextLogical, every);
  return {
    dag_id: dag.id,
    dag_display_name: dag.id,
    is_paused: dag.paused,
    is_stale: dag.spec.stale ?? false,
    fileloc: `/dags/${dag.id}.py`,
    relative_fileloc: `${dag.id}.py`,
    bundle_name: 'dags-folder',
    tags: (dag.spec.tags ?? []).map((name) => ({ name, dag_id: dag.id })),
    owners: dag.spec.owners ?? ['airflow'],
    timetable_summary: summary,
    timetable_description: summary,
    max_active_runs: dag.spec.maxActiveRuns ?? 16,
    next_dagrun_logical_date: iso(dag.nextLogical),
    next_dagrun_run_after: iso(after),
    last_parsed_time: iso(world.now()),
    ...(minor(world) >= 3 ? { is_backfillable: every !== null, timetable_periodic: every !== null } : {}),
  };
};

export const importErrorV2 = ([file, trace]: readonly [string, string]) => ({
  ...{ import_error_id: 1, timestamp: iso(0), filename: file, bundle_name: 'dags-folder', stack_trace: trace },
});

export const dagDetailsV2 = (world: World, dag: Dag) => ({
  ...dagV2(world, dag),
  catchup: dag.spec.catchup ?? false,
  dag_run_timeout: dag.spec.timeoutSeconds === undefined ? null : `PT${dag.spec.timeoutSeconds}S`,
  asset_expression:
    dag.spec.schedule !== null && dag.spec.schedule !== undefined && 'assets' in dag.spec.schedule
      ? expression(world, dag.spec.schedule.assets)
      : null,
});

const expression = (world: World, condition: Condition): object => {
  const leaf = (uri: string) => ({ asset: { uri, name: uri, group: 'asset', id: world.asset(uri).id } });
  if (typeof condition === 'string') return { all: [leaf(condition)] };
  const inner = ('all' in condition ? condition.all : condition.any).map((one) =>
    typeof one === 'string' ? leaf(one) : expression(world, one),
  );
  return 'all' in condition ? { all: inner } : { any: inner };
};

export const runV2 = (run: Run) => ({
  dag_run_id: run.runId,
  dag_id: run.dagId,
  logical_date: iso(run.logical),
  queued_at: iso(run.queuedAt),
  start_date: iso(run.start),
  end_date: iso(run.end),
  data_interval_start: iso(run.intervalStart),
  data_interval_end: iso(run.intervalEnd),
  run_after: iso(run.runAfter),
  last_scheduling_decision: null,
  run_type: run.runType,
  state: run.state,
  triggered_by: run.triggeredBy === 'operator' ? 'operator' : 'rest_api',
  triggering_user_name: null,
  conf: run.conf,
  note: run.note,
  dag_versions: [],
  dag_display_name: run.dagId,
});

export const taskV2 = (run: Run, task: TaskInstance, operator: string, withFields: boolean) => ({
  id: `${run.runId}-${task.taskId}-${task.tryNumber}`,
  task_id: task.taskId,
  dag_id: run.dagId,
  dag_run_id: run.runId,
  map_index: -1,
  logical_date: iso(run.logical),
  run_after: iso(run.runAfter),
  start_date: iso(task.start),
  end_date: iso(task.end),
  state: task.state,
  try_number: task.tryNumber,
  max_tries: task.maxTries,
  operator,
  operator_name: operator,
  rendered_fields: withFields ? task.rendered : {},
});

export const assetV2 = (world: World, uri: string) => {
  const asset = world.asset(uri);
  const consumers = world.scheduler.consumersOf(uri).map((dag) => ({ dag_id: dag.id, created_at: iso(0), updated_at: iso(0) }));
  return {
    id: asset.id,
    name: asset.name,
    uri,
    group: 'asset',
    extra: {},
    created_at: iso(0),
    updated_at: iso(0),
    aliases: [],
    watchers: [],
    producing_tasks: world.scheduler
      .producersOf(uri)
      .map(({ dagId, taskId }) => ({ dag_id: dagId, task_id: taskId, created_at: iso(0), updated_at: iso(0) })),
    ...(minor(world) >= 1 ? { scheduled_dags: consumers, consuming_tasks: [] } : { consuming_dags: consumers }),
  };
};

export const eventV2 = (event: AssetEvent) => ({
  id: event.id,
  asset_id: event.assetId,
  uri: event.uri,
  name: event.uri,
  group: 'asset',
  extra: event.extra,
  source_task_id: event.taskId,
  source_dag_id: event.dagId,
  source_run_id: event.runId,
  source_map_index: -1,
  timestamp: iso(event.at),
  partition_key: null,
  created_dagruns: event.created.map((one) => ({
    run_id: one.runId,
    dag_id: one.dagId,
    triggering: one.triggering,
    state: 'running',
    start_date: iso(one.run.start),
  })),
});

export const auditV2 = (entry: AuditEntry) => ({
  event_log_id: entry.id,
  when: iso(entry.when),
  dag_id: entry.dagId,
  task_id: null,
  run_id: entry.runId,
  map_index: null,
  try_number: null,
  event: entry.event,
  logical_date: null,
  owner: entry.owner,
  extra: entry.extra,
});

export const backfillV2 = (backfill: Backfill) => ({
  id: backfill.id,
  dag_id: backfill.dagId,
  from_date: iso(backfill.from),
  to_date: iso(backfill.to),
  dag_run_conf: backfill.conf,
  is_paused: backfill.paused,
  reprocess_behavior: backfill.reprocess,
  max_active_runs: backfill.maxActiveRuns,
  created_at: iso(backfill.createdAt),
  completed_at: iso(backfill.completedAt),
  updated_at: iso(backfill.createdAt),
  dag_display_name: backfill.dagId,
});

export const graphV2 = (world: World) => {
  const { nodes, edges } = graphOf(world, (uri) => `asset:${world.asset(uri).id}`);
  return {
    nodes: nodes.map((node) => ({ ...node, team: null })),
    edges: edges.map(({ from, to }) => ({ source_id: from, target_id: to })),
  };
};
