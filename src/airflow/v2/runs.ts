/** Airflow 3: runs and task instances. */
import type { RunFacts, TaskFacts } from '../../core/facts.ts';
import type { Calls } from '../calls.ts';
import { everything, type Ids } from '../ids.ts';
import { nullWhenMissing } from '../missing.ts';
import { allPages, PageSize } from '../pages.ts';
import { rows } from '../typedWire.ts';
import type { V2Setting } from './dags.ts';
import { runFacts, taskFacts } from './translate.ts';

type RunCalls = Pick<Calls, 'listFailedRuns' | 'listFailedRunsUpdated' | 'listRuns' | 'getRun'>;
type TaskCalls = Pick<Calls, 'listFailedTasks' | 'listTasks' | 'getRenderedFields'>;

const runKey = (run: RunFacts) => `${run.dagId}\n${run.runId}`;
const taskKey = (task: TaskFacts) => `${task.dagId}\n${task.runId}\n${task.taskId}\n${task.mapIndex}`;

/**
 * `end_date_gte` lets runs without an end through, for ever: those of a cancelled backfill (3.0.6-3.3.2), and after one of a year that is
 * four more pages at each poll. They have no duration either, and that filter is strict, from 3.2 on; before, it is not looked at. It must
 * not be 0, which Airflow takes for "no filter" (3.3.2).
 */
const hasEnded = { duration_gte: -86_400 };

export const v2Runs = ({ wire }: V2Setting): RunCalls => {
  type RunQuery = NonNullable<Parameters<typeof wire.get<'/api/v2/dags/{dag_id}/dagRuns', unknown>>[1]['query']>;

  const runs = (lane: 'poll' | 'reads', dagId: string | typeof everything, query: RunQuery, most?: number, size?: PageSize) =>
    allPages(
      (limit, offset) =>
        wire.get(
          '/api/v2/dags/{dag_id}/dagRuns',
          { lane, ids: { dag_id: dagId }, query: { ...query, limit, offset }, lessWhenLate: size !== undefined },
          (body) => ({
            rows: rows(body.dag_runs, 'dag_runs').map(runFacts),
            total: body.total_entries,
          }),
        ),
      runKey,
      most,
      size,
    );
  const sizes = { ended: new PageSize(), updated: new PageSize() };
  const failed = async (query: RunQuery, size: PageSize) => {
    const found = await runs('poll', everything, { ...query, ...hasEnded, state: ['failed'] }, undefined, size);
    return found.filter((run) => run.startDate !== null);
  };

  return {
    listFailedRuns: (since) => failed({ end_date_gte: since, order_by: ['end_date'] }, sizes.ended),
    listFailedRunsUpdated: (since) => failed({ updated_at_gte: since, order_by: ['updated_at'] }, sizes.updated),
    // 3.x: 404 for a DAG that was deleted, where 2.x has an empty list; thrown, it once kept all of an incident's DAGs held.
    listRuns: async (dagId, filter) =>
      (await nullWhenMissing(
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
      )) ?? [],
    getRun: (dagId, runId) =>
      nullWhenMissing(
        wire.get(
          '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}',
          { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId } },
          runFacts,
        ),
      ),
  };
};

export const v2Tasks = ({ wire }: V2Setting): TaskCalls => {
  type TaskPath = '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances';
  type TaskQuery = NonNullable<Parameters<typeof wire.get<TaskPath, unknown>>[1]['query']>;

  const tasks = (lane: 'poll' | 'reads', ids: Ids, query: TaskQuery, size?: PageSize) =>
    allPages(
      (limit, offset) =>
        wire.get(
          '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
          { lane, ids, query: { ...query, limit, offset }, lessWhenLate: size !== undefined },
          (body) => ({ rows: rows(body.task_instances, 'task_instances').map(taskFacts), total: body.total_entries }),
        ),
      taskKey,
      undefined,
      size,
    );
  const size = new PageSize();

  return {
    // The GET, never the POST batch: that one writes an audit row at each call (3.0-3.3).
    listFailedTasks: async (since) => {
      const found = await tasks(
        'poll',
        { dag_id: everything, dag_run_id: everything },
        { state: ['failed'], end_date_gte: since, order_by: ['end_date'] },
        size,
      );
      return found.filter((task) => task.endDate !== null);
    },
    listTasks: (dagId, runId) => tasks('reads', { dag_id: dagId, dag_run_id: runId }, { order_by: ['map_index'] }),
    // The single task instance: lists answer `{}` on 3.0-3.2 (seen live).
    getRenderedFields: (dagId, runId, taskId) =>
      wire.get(
        '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}',
        { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId, task_id: taskId } },
        (body) => body.rendered_fields ?? {},
      ),
  };
};
