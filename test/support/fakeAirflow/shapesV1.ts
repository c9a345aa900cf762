/** JSON of REST v1 (2.9-2.11). */
import { isoV1 } from './routing.ts';
import type { AssetEvent, AuditEntry, Condition, Dag, Run, TaskInstance } from './types.ts';
import type { World } from './world.ts';

export const dagV1 = (world: World, dag: Dag) => {
  const schedule = dag.spec.schedule ?? null;
  const timed = schedule !== null && 'every' in schedule ? schedule : null;
  const after = dag.nextLogical === null || timed === null ? null : world.scheduler.runAfter(dag.nextLogical, timed.every);
  return {
    dag_id: dag.id,
    dag_display_name: dag.id,
    is_paused: dag.paused,
    is_active: !(dag.spec.stale ?? false),
    owners: dag.spec.owners ?? ['airflow'],
    tags: (dag.spec.tags ?? []).map((name) => ({ name })),
    schedule_interval:
      timed === null
        ? schedule === null
          ? null
          : { __type: 'CronExpression', value: 'Dataset' }
        : timed.cron === undefined
          ? timeDelta(timed.every / 1_000)
          : { __type: 'CronExpression', value: timed.cron },
    timetable_description:
      schedule === null ? 'Never, external triggers only' : timed === null ? 'Triggered by datasets' : 'At 00:00',
    max_active_runs: dag.spec.maxActiveRuns ?? 16,
    next_dagrun: isoV1(dag.nextLogical),
    next_dagrun_create_after: isoV1(after),
    last_parsed_time: isoV1(world.now()),
    fileloc: `/dags/${dag.id}.py`,
    file_token: 'fake',
  };
};

const timeDelta = (seconds: number) => ({
  __type: 'TimeDelta',
  days: Math.floor(seconds / 86_400),
  seconds: Math.floor(seconds % 86_400),
  microseconds: Math.round((seconds % 1) * 1e6),
});

export const importErrorV1 = ([file, trace]: readonly [string, string]) => ({
  ...{ import_error_id: 1, timestamp: isoV1(0), filename: `/dags/${file}`, stack_trace: trace },
});

export const dagDetailsV1 = (world: World, dag: Dag) => {
  const schedule = dag.spec.schedule ?? null;
  const seconds = dag.spec.timeoutSeconds;
  return {
    ...dagV1(world, dag),
    catchup: dag.spec.catchup ?? true,
    dag_run_timeout: seconds === undefined ? null : timeDelta(seconds),
    dataset_expression: schedule !== null && 'assets' in schedule ? expression(schedule.assets) : null,
  };
};

const expression = (condition: Condition): unknown => {
  if (typeof condition === 'string') return { all: [condition] };
  const inner = ('all' in condition ? condition.all : condition.any).map((one) =>
    typeof one === 'string' ? one : expression(one),
  );
  return 'all' in condition ? { all: inner } : { any: inner };
};

export const runV1 = (run: Run) => ({
  dag_run_id: run.runId,
  dag_id: run.dagId,
  logical_date: isoV1(run.logical),
  execution_date: isoV1(run.logical),
  start_date: isoV1(run.start),
  end_date: isoV1(run.end),
  data_interval_start: isoV1(run.intervalStart),
  data_interval_end: isoV1(run.intervalEnd),
  last_scheduling_decision: null,
  run_type: run.runType,
  state: run.state,
  external_trigger: run.runType === 'manual',
  conf: run.conf,
  note: run.note,
});

export const taskV1 = (run: Run, task: TaskInstance, operator: string) => ({
  task_id: task.taskId,
  dag_id: run.dagId,
  dag_run_id: run.runId,
  map_index: -1,
  execution_date: isoV1(run.logical),
  start_date: isoV1(task.start),
  end_date: isoV1(task.end),
  state: task.state,
  try_number: task.tryNumber,
  max_tries: task.maxTries,
  operator,
  rendered_fields: task.rendered,
});

export const taskReferenceV1 = (run: Run, taskId: string) => ({
  task_id: taskId,
  dag_id: run.dagId,
  dag_run_id: run.runId,
  execution_date: isoV1(run.logical),
});

export const datasetV1 = (world: World, uri: string) => ({
  id: world.asset(uri).id,
  uri,
  extra: {},
  aliases: [],
  created_at: isoV1(0),
  updated_at: isoV1(0),
  consuming_dags: world.scheduler.consumersOf(uri).map((dag) => ({ dag_id: dag.id, created_at: isoV1(0), updated_at: isoV1(0) })),
  producing_tasks: world.scheduler
    .producersOf(uri)
    .map(({ dagId, taskId }) => ({ dag_id: dagId, task_id: taskId, created_at: isoV1(0), updated_at: isoV1(0) })),
});

export const eventV1 = (event: AssetEvent) => ({
  id: event.id,
  dataset_id: event.assetId,
  dataset_uri: event.uri,
  extra: event.extra,
  source_dag_id: event.dagId,
  source_run_id: event.runId,
  source_task_id: event.taskId,
  source_map_index: event.dagId === null ? -1 : 0,
  timestamp: isoV1(event.at),
  created_dagruns: event.created.map((one) => ({
    dag_id: one.dagId,
    dag_run_id: one.runId,
    state: 'running',
    start_date: isoV1(one.run.start),
  })),
});

export const auditV1 = (entry: AuditEntry) => ({
  event_log_id: entry.id,
  when: isoV1(entry.when),
  dag_id: entry.dagId,
  task_id: null,
  run_id: entry.runId,
  map_index: null,
  try_number: null,
  event: entry.event,
  execution_date: null,
  owner: entry.owner,
  extra: entry.extra,
});

export const taskSpecV1 = (dag: Dag) =>
  Object.entries(dag.spec.tasks).map(([taskId, spec]) => ({
    task_id: taskId,
    class_ref: { class_name: operatorName(spec), module_path: 'airflow.operators' },
    operator_name: operatorName(spec),
    downstream_task_ids: spec.downstream ?? [],
    template_fields: templateFields(spec),
    extra_links:
      spec.triggers !== undefined
        ? [{ class_ref: { class_name: 'TriggerDagRunLink', module_path: 'airflow.operators.trigger_dagrun' } }]
        : [],
    retries: spec.retries ?? 0,
    is_mapped: false,
    trigger_rule: spec.rule ?? 'all_success',
  }));

export const operatorName = (spec: { triggers?: unknown; waitsFor?: unknown; operator?: string } | undefined): string => {
  if (spec?.operator !== undefined) return spec.operator;
  if (spec?.triggers !== undefined) return 'TriggerDagRunOperator';
  return spec?.waitsFor === undefined ? 'PythonOperator' : 'ExternalTaskSensor';
};

export const templateFields = (spec: { triggers?: unknown; waitsFor?: unknown }): readonly string[] => {
  if (spec.triggers !== undefined) return ['trigger_dag_id', 'trigger_run_id', 'conf'];
  return spec.waitsFor === undefined ? [] : ['external_dag_id', 'external_task_id', 'external_task_ids'];
};
