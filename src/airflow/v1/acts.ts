/** Airflow 2: clearing and triggering; what 2.x does not have is refused by name. */
import type { ClearedTask } from '../../core/facts.ts';
import type { Calls } from '../calls.ts';
import { AirflowError, type ClearRequest, type TriggerRequest } from '../client.ts';
import { rows } from '../typedWire.ts';
import { checkRunId, sortedTasks } from '../writing.ts';
import type { V1Setting } from './dags.ts';
import { v1Runs } from './runs.ts';
import { clearedTask, runFacts, type V1 } from './translate.ts';

type ActCalls = Pick<
  Calls,
  'dryRunClear' | 'clear' | 'triggerRun' | 'dryRunBackfill' | 'startBackfill' | 'listBackfills' | 'cancelBackfill'
>;

export const v1Acts = (setting: V1Setting): ActCalls => ({
  dryRunClear: async (request) => {
    await refuseCommandLineBackfill(setting, request);
    return sortedTasks(
      await (request.tasks === null ? clearRun(setting, request, true) : clearTasks(setting, request, request.tasks, true)),
    );
  },
  clear: async (request) => {
    await refuseCommandLineBackfill(setting, request);
    await (request.tasks === null ? clearRun(setting, request, false) : clearTasks(setting, request, request.tasks, false));
  },
  triggerRun: async (request) => {
    checkRunId(request.runId);
    return setting.wire.post(
      '/dags/{dag_id}/dagRuns',
      { lane: 'acts', ids: { dag_id: request.dagId }, body: triggerBody(request) },
      runFacts,
    );
  },
  dryRunBackfill: () => noBackfill('POST /backfills/dry_run'),
  startBackfill: () => noBackfill('POST /backfills'),
  listBackfills: async () => [],
  cancelBackfill: () => noBackfill('PUT /backfills/{backfill_id}/cancel'),
});

const noBackfill = (operation: string): Promise<never> =>
  Promise.reject(new AirflowError('unsupported', 'Airflow 2 has no backfills over its API', { outcome: 'none', operation }));

/** The dry run answers tasks, the real one the run: only the dry run is read (seen on 2.11.2). */
const clearRun = (setting: V1Setting, request: ClearRequest, dryRun: boolean): Promise<readonly ClearedTask[]> =>
  setting.wire.post(
    '/dags/{dag_id}/dagRuns/{dag_run_id}/clear',
    {
      lane: dryRun ? 'plan' : 'acts',
      ids: { dag_id: request.dagId, dag_run_id: request.runId },
      body: { dry_run: dryRun },
      changesNothing: dryRun,
    },
    (body) =>
      dryRun ? rows((body as V1['TaskInstanceReferenceCollection']).task_instances, 'task_instances').map(clearedTask) : [],
  );

/**
 * `reset_dag_runs` always goes along: without it the tasks are emptied, the run stays failed, and a second clear with the defaults
 * finds nothing any more (2.11.2). Followers too, or they stay `upstream_failed`.
 */
const clearTasks = (
  setting: V1Setting,
  request: ClearRequest,
  tasks: readonly string[],
  dryRun: boolean,
): Promise<readonly ClearedTask[]> =>
  setting.wire.post(
    '/dags/{dag_id}/clearTaskInstances',
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
      },
      changesNothing: dryRun,
    },
    (body) => (dryRun ? rows(body.task_instances, 'task_instances').map(clearedTask) : []),
  );

/** The scheduler of 2.x does not look at runs of type `backfill`: cleared, such a run stays queued for ever (2.11.2). */
const refuseCommandLineBackfill = async (setting: V1Setting, request: ClearRequest): Promise<void> => {
  const run = await v1Runs(setting).getRun(request.dagId, request.runId);
  if (run?.runType !== 'backfill') return;
  throw new AirflowError(
    'unsupported',
    `${request.runId} was made by "airflow dags backfill": cleared, it would stay queued for ever on Airflow 2`,
    {
      outcome: 'none',
      operation: 'POST /dags/{dag_id}/clearTaskInstances',
    },
  );
};

/** Both bounds or neither: with a logical date alone 2.x takes the interval before it and the real one is lost (2.11.2). */
const triggerBody = (request: TriggerRequest): V1['DAGRunTrigger'] => ({
  dag_run_id: request.runId,
  ...(request.interval === null
    ? {}
    : {
        logical_date: request.interval.logicalDate,
        data_interval_start: request.interval.start,
        data_interval_end: request.interval.end,
      }),
  ...(request.conf === null ? {} : { conf: { ...request.conf } }),
  ...(request.note === null ? {} : { note: request.note }),
});
