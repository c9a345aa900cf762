/** From REST v1 (Airflow 2.9-2.11) to the words of core/facts.ts. Pure. */
import type {
  AssetEventFacts,
  AssetFacts,
  ClearedTask,
  DagDetails,
  DagFacts,
  ImportErrorFacts,
  RunFacts,
  TaskFacts,
  TaskGraph,
} from '../../core/facts.ts';
import type { components } from '../schema-v1.d.ts';
import {
  assetCondition,
  flag,
  instant,
  instantOrNull,
  lastLine,
  runState,
  text,
  textOrNull,
  texts,
  whole,
} from '../translate.ts';
import { rows } from '../typedWire.ts';

export type V1 = components['schemas'];

export const dagFacts = (dag: V1['DAG']): DagFacts => {
  const schedule = scheduleText(dag.schedule_interval);
  const byDatasets = dag.timetable_description === 'Triggered by datasets' || /^Dataset\b/.test(schedule ?? '');
  const intervals = schedule !== null && schedule !== '@once' && schedule !== '@continuous' && !/^Dataset$/.test(schedule);
  return {
    dagId: text(dag.dag_id, 'dag_id'),
    paused: flag(dag.is_paused, 'is_paused'),
    tags: (dag.tags ?? []).map((tag) => text(tag.name, 'tags.name')),
    owners: texts(dag.owners),
    timeScheduled: intervals,
    assetScheduled: byDatasets,
    schedule,
    maxActiveRuns: dag.max_active_runs ?? null,
    nextRunAfter: instantOrNull(dag.next_dagrun_create_after, 'next_dagrun_create_after'),
    nextLogicalDate: instantOrNull(dag.next_dagrun, 'next_dagrun'),
    file: textOrNull(dag.fileloc),
  };
};

export const importErrorFacts = (error: V1['ImportError']): ImportErrorFacts => ({
  file: text(error.filename, 'filename'),
  error: lastLine(error.stack_trace),
});

/** Cron text as it stands; time deltas as `every N s`. Null for a DAG without a schedule of its own. */
const scheduleText = (interval: V1['ScheduleInterval'] | undefined): string | null => {
  if (interval === null || interval === undefined) return null;
  if (typeof interval.value === 'string') return interval.value;
  return interval.__type === 'TimeDelta' ? `every ${deltaSeconds(interval)} s` : interval.__type;
};

const deltaSeconds = (delta: { days?: number; seconds?: number; microseconds?: number }): number =>
  (delta.days ?? 0) * 86_400 + (delta.seconds ?? 0) + (delta.microseconds ?? 0) / 1e6;

export const dagDetails = (dag: V1['DAGDetail']): DagDetails => ({
  ...dagFacts(dag),
  catchup: dag.catchup === true,
  dagrunTimeoutSeconds:
    dag.dag_run_timeout === null || dag.dag_run_timeout === undefined ? null : deltaSeconds(dag.dag_run_timeout),
  assetCondition: assetCondition(dag.dataset_expression),
});

export const taskGraph = (dagId: string, tasks: V1['TaskCollection']): TaskGraph => ({
  dagId,
  downstream: Object.fromEntries(
    rows(tasks.tasks, 'tasks').map((task) => [text(task.task_id, 'task_id'), texts(task.downstream_task_ids)]),
  ),
});

/** v1 does not tell when a run was queued. */
export const runFacts = (run: V1['DAGRun']): RunFacts => ({
  dagId: text(run.dag_id, 'dag_id'),
  runId: text(run.dag_run_id, 'dag_run_id'),
  state: runState(run.state),
  runType: text(run.run_type, 'run_type'),
  logicalDate: instantOrNull(run.logical_date, 'logical_date'),
  dataIntervalStart: instantOrNull(run.data_interval_start, 'data_interval_start'),
  dataIntervalEnd: instantOrNull(run.data_interval_end, 'data_interval_end'),
  startDate: instantOrNull(run.start_date, 'start_date'),
  endDate: instantOrNull(run.end_date, 'end_date'),
  queuedAt: null,
});

export const taskFacts = (task: V1['TaskInstance']): TaskFacts => ({
  dagId: text(task.dag_id, 'dag_id'),
  runId: text(task.dag_run_id, 'dag_run_id'),
  taskId: text(task.task_id, 'task_id'),
  mapIndex: whole(task.map_index, 'map_index'),
  tryNumber: whole(task.try_number, 'try_number'),
  maxTries: whole(task.max_tries, 'max_tries'),
  state: textOrNull(task.state),
  operator: textOrNull(task.operator),
  startDate: instantOrNull(task.start_date, 'start_date'),
  endDate: instantOrNull(task.end_date, 'end_date'),
});

/** v1 names no map index here: all mapped instances of a task stand under -1. */
export const clearedTask = (task: V1['TaskInstanceReference']): ClearedTask => ({
  runId: text(task.dag_run_id, 'dag_run_id'),
  taskId: text(task.task_id, 'task_id'),
  mapIndex: -1,
});

export const assetFacts = (dataset: V1['Dataset']): AssetFacts => ({
  key: text(dataset.uri, 'uri'),
  uri: dataset.uri,
  name: dataset.uri,
  producers: rows(dataset.producing_tasks, 'producing_tasks').flatMap((task) =>
    typeof task.dag_id === 'string' && typeof task.task_id === 'string' ? [{ dagId: task.dag_id, taskId: task.task_id }] : [],
  ),
  consumers: rows(dataset.consuming_dags, 'consuming_dags').flatMap((dag) =>
    typeof dag.dag_id === 'string' ? [dag.dag_id] : [],
  ),
});

export const assetEventFacts = (event: V1['DatasetEvent']): AssetEventFacts => ({
  id: whole(event.id, 'id'),
  assetKey: text(event.dataset_uri, 'dataset_uri'),
  uri: event.dataset_uri,
  timestamp: instant(event.timestamp, 'timestamp'),
  sourceDagId: textOrNull(event.source_dag_id),
  sourceRunId: textOrNull(event.source_run_id),
  createdRuns: rows(event.created_dagruns, 'created_dagruns').map((run) => ({
    dagId: run.dag_id,
    runId: run.dag_run_id,
    startDate: instantOrNull(run.start_date, 'start_date'),
  })),
  op: textOrNull(event.extra?.firedamper_op),
});
