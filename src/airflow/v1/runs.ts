/** Airflow 2: runs and task instances. */
import type { TaskFacts } from '../../core/facts.ts';
import type { Calls } from '../calls.ts';
import { everything } from '../ids.ts';
import { nullWhenMissing } from '../missing.ts';
import { allPages, PageSize } from '../pages.ts';
import { rows } from '../typedWire.ts';
import type { V1Setting, V1Wire } from './dags.ts';
import { runFacts, taskFacts } from './translate.ts';

type RunCalls = Pick<
  Calls,
  'listFailedRuns' | 'listFailedRunsUpdated' | 'listFailedTasks' | 'listRuns' | 'getRun' | 'listTasks' | 'getRenderedFields'
>;

/** Task instances have no order, so pages could lose rows (#48494); the cap does not apply to them (2.11.2): one large page instead. */
const oneLargePage = 10_000;

export const v1Runs = ({ wire }: V1Setting): RunCalls => {
  type RunQuery = NonNullable<Parameters<V1Wire['get']>[1]['query']> & object;

  const runs = (lane: 'poll' | 'reads', dagId: string | typeof everything, query: RunQuery, most?: number, size?: PageSize) =>
    allPages(
      (limit, offset) =>
        wire.get(
          '/dags/{dag_id}/dagRuns',
          { lane, ids: { dag_id: dagId }, query: { ...query, limit, offset }, lessWhenLate: size !== undefined },
          (body) => ({ rows: rows(body.dag_runs, 'dag_runs').map(runFacts), total: body.total_entries }),
        ),
      (run) => `${run.dagId}\n${run.runId}`,
      most,
      size,
    );
  const sizes = { ended: new PageSize(), updated: new PageSize() };
  const failed = (query: RunQuery, size: PageSize) =>
    started(runs('poll', everything, { ...query, state: ['failed'] }, undefined, size));
  const started = async (found: ReturnType<typeof runs>) => (await found).filter((run) => run.startDate !== null);

  return {
    listFailedRuns: (since) => failed({ end_date_gte: since, order_by: 'end_date' }, sizes.ended),
    listFailedRunsUpdated: (since) => failed({ updated_at_gte: since, order_by: 'updated_at' }, sizes.updated),
    listFailedTasks: async (since) => {
      const found = await wire.get(
        '/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
        {
          lane: 'poll',
          ids: { dag_id: everything, dag_run_id: everything },
          query: { state: ['failed'], end_date_gte: since, limit: oneLargePage },
        },
        (body) => rows(body.task_instances, 'task_instances').map(taskFacts),
      );
      return found.filter((task) => task.endDate !== null).sort(byEnd);
    },
    listRuns: (dagId, filter) =>
      runs(
        'reads',
        dagId,
        {
          order_by: '-execution_date',
          ...(filter.states === undefined ? {} : { state: [...filter.states] }),
          ...(filter.logicalDateFrom === undefined ? {} : { execution_date_gte: filter.logicalDateFrom }),
          ...(filter.logicalDateTo === undefined ? {} : { execution_date_lte: filter.logicalDateTo }),
        },
        filter.limit,
      ),
    getRun: (dagId, runId) =>
      nullWhenMissing(
        wire.get('/dags/{dag_id}/dagRuns/{dag_run_id}', { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId } }, runFacts),
      ),
    listTasks: (dagId, runId) =>
      wire.get(
        '/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
        { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId }, query: { limit: oneLargePage } },
        (body) => rows(body.task_instances, 'task_instances').map(taskFacts),
      ),
    getRenderedFields: (dagId, runId, taskId) =>
      wire.get(
        '/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}',
        { lane: 'reads', ids: { dag_id: dagId, dag_run_id: runId, task_id: taskId } },
        (body) => body.rendered_fields ?? {},
      ),
  };
};

const byEnd = (a: TaskFacts, b: TaskFacts): number => ((a.endDate ?? '') < (b.endDate ?? '') ? -1 : 1);
