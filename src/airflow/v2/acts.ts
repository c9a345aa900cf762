/** Airflow 3: clearing and triggering. */
import type { ClearedTask } from '../../core/facts.ts';
import type { Calls } from '../calls.ts';
import { AirflowError, type ClearRequest, type TriggerRequest } from '../client.ts';
import { rows } from '../typedWire.ts';
import { atLeast } from '../version.ts';
import { checkRunId, sortedTasks } from '../writing.ts';
import { rawBackfills } from './backfills.ts';
import type { V2Setting } from './dags.ts';
import { v2Runs } from './runs.ts';
import { clearedTask, runFacts, type V2 } from './translate.ts';

type ActCalls = Pick<Calls, 'dryRunClear' | 'clear' | 'triggerRun'>;

export const v2Acts = (setting: V2Setting): ActCalls => ({
  dryRunClear: async (request) => {
    await refuseDeadBackfill(setting, request);
    return sortedTasks(
      await (request.tasks === null ? clearRun(setting, request, true) : clearTasks(setting, request, request.tasks, true)),
    );
  },
  clear: async (request) => {
    await refuseDeadBackfill(setting, request);
    await (request.tasks === null ? clearRun(setting, request, false) : clearTasks(setting, request, request.tasks, false));
  },
  triggerRun: async (request) => {
    checkRunId(request.runId);
    return setting.wire.post(
      '/api/v2/dags/{dag_id}/dagRuns',
      { lane: 'acts', ids: { dag_id: request.dagId }, body: triggerBody(request) },
      runFacts,
    );
  },
});

/** The dry run answers tasks, the real one the run: only the dry run is read (seen on 3.0.6-3.3.2). */
const clearRun = (setting: V2Setting, request: ClearRequest, dryRun: boolean): Promise<readonly ClearedTask[]> =>
  setting.wire.post(
    '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/clear',
    {
      lane: dryRun ? 'plan' : 'acts',
      ids: { dag_id: request.dagId, dag_run_id: request.runId },
      body: { dry_run: dryRun, only_failed: false, ...newestVersion(setting, request) },
      changesNothing: dryRun,
    },
    (body) =>
      dryRun ? rows((body as V2['ClearedTaskCollection']).task_instances, 'task_instances').map(clearedTask(request.runId)) : [],
  );

/** Followers are always included: one task alone leaves them `upstream_failed` and the run fails again (3.3.2). */
const clearTasks = (
  setting: V2Setting,
  request: ClearRequest,
  tasks: readonly string[],
  dryRun: boolean,
): Promise<readonly ClearedTask[]> =>
  setting.wire.post(
    '/api/v2/dags/{dag_id}/clearTaskInstances',
    {
      lane: dryRun ? 'plan' : 'acts',
      ids: { dag_id: request.dagId },
      body: {
        dry_run: dryRun,
        dag_run_id: request.runId,
        task_ids: [...tasks],
        only_failed: false,
        include_downstream: true,
        reset_dag_runs: true,
        ...newestVersion(setting, request),
      },
      changesNothing: dryRun,
    },
    (body) => (dryRun ? rows(body.task_instances, 'task_instances').map(clearedTask(request.runId)) : []),
  );

/** 3.0 answers 422 to the key (seen on 3.0.6). */
const newestVersion = ({ version }: V2Setting, request: ClearRequest) =>
  request.onLatestVersion && atLeast(version, 3, 1) ? { run_on_latest_version: true } : {};

/**
 * A run of a cancelled backfill that is cleared stays queued for ever: the dead backfill stays paused and cannot be unpaused
 * (#72337, seen on 3.3.2). The newest backfill over the run's date decides; a cancelled one is paused and completed.
 */
const refuseDeadBackfill = async (setting: V2Setting, request: ClearRequest): Promise<void> => {
  const run = await v2Runs(setting).getRun(request.dagId, request.runId);
  if (run?.runType !== 'backfill' || run.logicalDate === null) return;
  const date = Date.parse(run.logicalDate);
  const backfills = await rawBackfills(setting, request.dagId);
  const newest = backfills.find((one) => Date.parse(one.from_date) <= date && date <= Date.parse(one.to_date));
  if (newest?.is_paused !== true || newest.completed_at === null) return;
  throw new AirflowError(
    'unsupported',
    `${request.runId} belongs to the cancelled backfill ${newest.id}: cleared, it would stay queued for ever (Airflow #72337)`,
    {
      outcome: 'none',
      operation: 'POST /dags/{dag_id}/clearTaskInstances',
    },
  );
};

const triggerBody = (request: TriggerRequest): V2['TriggerDAGRunPostBody'] => ({
  dag_run_id: request.runId,
  logical_date: request.interval?.logicalDate ?? null,
  ...(request.interval === null ? {} : { data_interval_start: request.interval.start, data_interval_end: request.interval.end }),
  ...(request.conf === null ? {} : { conf: { ...request.conf } }),
  ...(request.note === null ? {} : { note: request.note }),
});
