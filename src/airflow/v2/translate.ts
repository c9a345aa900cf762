/** From REST v2 (Airflow 3.0-3.3) to the words of core/facts.ts. Pure. */
import type {
  AssetEventFacts,
  AssetFacts,
  BackfillFacts,
  ClearedTask,
  DagDetails,
  DagFacts,
  ImportErrorFacts,
  RunFacts,
  TaskFacts,
  TaskGraph,
} from '../../core/facts.ts';
import type { components } from '../schema-v2.d.ts';
import {
  assetCondition,
  flag,
  instant,
  instantOrNull,
  isoDurationSeconds,
  lastLine,
  runState,
  text,
  textOrNull,
  texts,
  whole,
} from '../translate.ts';
import { rows } from '../typedWire.ts';

export type V2 = components['schemas'];

export const dagFacts = (dag: V2['DAGResponse']): DagFacts => {
  const summary = textOrNull(dag.timetable_summary);
  return {
    dagId: text(dag.dag_id, 'dag_id'),
    paused: flag(dag.is_paused, 'is_paused'),
    tags: rows(dag.tags, 'tags').map((tag) => text(tag.name, 'tags.name')),
    owners: texts(dag.owners),
    timeScheduled: timeScheduled(summary, dag.timetable_periodic),
    assetScheduled: assetScheduled(summary),
    schedule: summary,
    maxActiveRuns: dag.max_active_runs ?? null,
    nextRunAfter: instantOrNull(dag.next_dagrun_run_after, 'next_dagrun_run_after'),
    nextLogicalDate: instantOrNull(dag.next_dagrun_logical_date, 'next_dagrun_logical_date'),
    file: dag.relative_fileloc ? fileIn(dag.bundle_name, dag.relative_fileloc) : null,
  };
};

/** Files are told apart by bundle and the path within it (3.0.6-3.3.2); of a new file there is an error and no DAG. */
const fileIn = (bundle: string | null | undefined, path: string): string => (bundle ? `${bundle}/${path}` : path);

export const importErrorFacts = (error: V2['ImportErrorResponse']): ImportErrorFacts => ({
  file: fileIn(error.bundle_name, text(error.filename, 'filename')),
  error: lastLine(error.stack_trace),
});

/** `Asset`, `Asset or 0 0 * * *`, `Partitioned Asset`: the summaries of the asset timetables (3.0-3.3). */
const assetScheduled = (summary: string | null): boolean => summary !== null && /\bAsset\b/.test(summary);

/** 3.3 says it (`timetable_periodic`); before, it is read from the summary. */
const timeScheduled = (summary: string | null, periodic: boolean | undefined): boolean => {
  if (typeof periodic === 'boolean' && periodic) return true;
  if (summary === null || summary === 'None' || summary === '@once' || summary === '@continuous') return false;
  return assetScheduled(summary) ? / or /.test(summary) : periodic !== false;
};

export const dagDetails = (dag: V2['DAGDetailsResponse']): DagDetails => ({
  ...dagFacts(dag),
  catchup: flag(dag.catchup, 'catchup'),
  dagrunTimeoutSeconds: isoDurationSeconds(dag.dag_run_timeout),
  assetCondition: assetCondition(dag.asset_expression),
});

export const taskGraph = (dagId: string, tasks: V2['TaskCollectionResponse']): TaskGraph => ({
  dagId,
  downstream: Object.fromEntries(
    rows(tasks.tasks, 'tasks').map((task) => [text(task.task_id, 'task_id'), texts(task.downstream_task_ids)]),
  ),
});

export const runFacts = (run: V2['DAGRunResponse']): RunFacts => ({
  dagId: text(run.dag_id, 'dag_id'),
  runId: text(run.dag_run_id, 'dag_run_id'),
  state: runState(run.state),
  runType: text(run.run_type, 'run_type'),
  logicalDate: instantOrNull(run.logical_date, 'logical_date'),
  dataIntervalStart: instantOrNull(run.data_interval_start, 'data_interval_start'),
  dataIntervalEnd: instantOrNull(run.data_interval_end, 'data_interval_end'),
  startDate: instantOrNull(run.start_date, 'start_date'),
  endDate: instantOrNull(run.end_date, 'end_date'),
  queuedAt: instantOrNull(run.queued_at, 'queued_at'),
});

export const taskFacts = (task: V2['TaskInstanceResponse']): TaskFacts => ({
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

/** `runId`: the run that was asked for; a task that is new since then has none of its own (3.3). */
export const clearedTask =
  (runId: string) =>
  (task: V2['ClearedTask']): ClearedTask => ({
    runId: textOrNull(task.dag_run_id) ?? runId,
    taskId: text(task.task_id, 'task_id'),
    mapIndex: task.map_index ?? -1,
  });

/** 3.0 names the consumers `consuming_dags`, 3.1 renamed them `scheduled_dags` (seen on 3.0.6, 3.1.8). */
export const assetFacts = (asset: V2['AssetResponse']): AssetFacts => ({
  key: String(whole(asset.id, 'id')),
  uri: text(asset.uri, 'uri'),
  name: text(asset.name, 'name'),
  producers: rows(asset.producing_tasks, 'producing_tasks').map((task) => ({ dagId: task.dag_id, taskId: task.task_id })),
  consumers: rows(asset.scheduled_dags ?? asset.consuming_dags, 'scheduled_dags').map((dag) => dag.dag_id),
});

/** Also runs with `triggering: false` (3.3), which another event caused and which took this one along: 2.x and 3.0 to 3.2 do not tell them apart. */
export const assetEventFacts = (event: V2['AssetEventResponse']): AssetEventFacts => ({
  id: whole(event.id, 'id'),
  assetKey: String(whole(event.asset_id, 'asset_id')),
  uri: textOrNull(event.uri) ?? '',
  timestamp: instant(event.timestamp, 'timestamp'),
  sourceDagId: textOrNull(event.source_dag_id),
  sourceRunId: textOrNull(event.source_run_id),
  createdRuns: rows(event.created_dagruns, 'created_dagruns').map((run) => ({
    dagId: run.dag_id,
    runId: run.run_id,
    startDate: instantOrNull(run.start_date, 'start_date'),
  })),
  op: textOrNull(event.extra?.firedamper_op),
});

export const backfillFacts = (backfill: V2['BackfillResponse']): BackfillFacts => ({
  id: whole(backfill.id, 'id'),
  dagId: text(backfill.dag_id, 'dag_id'),
  from: instant(backfill.from_date, 'from_date'),
  to: instant(backfill.to_date, 'to_date'),
  reprocess: backfill.reprocess_behavior,
  createdAt: instant(backfill.created_at, 'created_at'),
  completedAt: instantOrNull(backfill.completed_at, 'completed_at'),
});
