/** Airflow 3: runs and task instances. */
import type { Calls } from '../calls.ts';
import { everything } from '../ids.ts';
import { nullWhenMissing } from '../missing.ts';
import { allPages } from '../pages.ts';
import { rows } from '../typedWire.ts';
import type { V2Setting } from './dags.ts';
import { runFacts, taskFacts } from './translate.ts';

type RunCalls = Pick<
  Calls,
  'listFailedRuns' | 'listFailedRunsUpdated' | 'listFailedTasks' | 'listRuns' | 'getRun' | 'listTasks' | 'getRenderedFields'
>;

const runKey = (run: { dagId: string; runId: string }) => `${run.dagId}\n${run.runId}`;
const taskKey = (task: { dagId: string; runId: string; taskId: string; mapIndex: number }) =>
  `${task.dagId}\n${task.runId}\n${task.taskId}\n${task.mapIndex}`;

export const v2Runs = ({ wire }: V2Setting): RunCalls => {
  type RunQuery = NonNullable<Parameters<typeof wire.get<'/api/v2/dags/{dag_id}/dagRuns', unknown>>[1]['query']>;

  const runs = (lane: 'poll' | 'reads', dagId: string | typeof everything, query: RunQuery, most?: number) =>
    allPages(
      (limit, offset) =>
        wire.get(
          '/api/v2/dags/{dag_id}/dagRuns',
          { lane, ids: { dag_id: dagId }, query: { ...query, limit, offset } },
          (body) => ({
            rows: rows(body.dag_runs, 'dag_runs').map(runFacts),
            total: body.total_entries,
          }),
        ),
      runKey,
      most,
    );
  // `end_date_gte` lets runs without an end through, for ever (the runs of a cancelled backfill, 3.0.6-3.3.2): they never started.
  const started = async (found: ReturnType<typeof runs>) => (await found).filter((run) => run.startDate !== null);

  return {
    listFailedRuns: (since) =>
      started(runs('poll', everything, { state: ['failed'], end_date_gte: since, order_by: ['end_date'] })),
    listFailedRunsUpdated: (since) =>
      started(runs('poll', everything, { state: ['failed'], updated_at_gte: since, order_by: ['updated_at'] })),
    // The GET, never the POST batch: that one writes an audit row at each call (3.0-3.3).
    listFailedTasks: async (since) => {
      const found = await allPages(
        (limit, offset) =>
          wire.get(
            '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
            {
              lane: 'poll',
              ids: { dag_id: everything, dag_run_id: everything },
              query: { state: ['failed'], end_date_gte: since, order_by: ['end_date'], limit, offset },
            },
            (body) => ({ rows: rows(body.task_instances, 'task_instances').map(taskFacts), total: body.total_entries }),
          ),
        taskKey,
      );
      return found.filter((task) => task.endDate !== null);
    },
    listRuns: (dagId, filter) =>
      runs(
        'reads',
        dagId,
        {
          order_by: ['-run_after'],
          ...(filter.states === undefined ? {} : { state: [...filter.states] }),
          ...(filter.logicalDateFrom === undefined ? {} : { logical_date_gte: filter.logicalDateFrom }),
          ...(filter.logicalDateTo === undefined ? {} : { logical_date_lte: filter.logicalDateTo }),
        },
        filter.limit,
      ),
    getRun: (dagId, runId) =>
      nullWhenMissing(
        wire.get(
          '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}',
          { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId } },
          runFacts,
        ),
      ),
    listTasks: (dagId, runId) =>
      allPages(
        (limit, offset) =>
          wire.get(
            '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
            { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId }, query: { order_by: ['map_index'], limit, offset } },
            (body) => ({ rows: rows(body.task_instances, 'task_instances').map(taskFacts), total: body.total_entries }),
          ),
        taskKey,
      ),
    // The single task instance: lists answer `{}` on 3.0-3.2 (seen live).
    getRenderedFields: (dagId, runId, taskId) =>
      wire.get(
        '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}',
        { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId, task_id: taskId } },
        (body) => body.rendered_fields ?? {},
      ),
  };
};
