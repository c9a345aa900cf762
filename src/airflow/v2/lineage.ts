/** Airflow 3: where the lineage comes from. */
import type { AirflowClient } from '../client.ts';
import { everything } from '../ids.ts';
import { createLineage } from '../lineage.ts';
import type { Graph } from '../lineageGraph.ts';
import type { Fields } from '../lineageTasks.ts';
import { linkingTasksOf } from '../linkingTasks.ts';
import { rows } from '../typedWire.ts';
import { v2Assets } from './assets.ts';
import type { V2Setting } from './dags.ts';
import { v2Tasks } from './runs.ts';

export const v2Lineage = (setting: V2Setting): AirflowClient['getLineage'] => {
  const { wire } = setting;
  return createLineage({
    airflow: setting.airflow,
    now: setting.now,
    sources: { assets: 'assets', graph: 'ui_dependencies' },
    assets: v2Assets(setting, 'survey').listAssets,
    graph: () =>
      wire.get(
        '/ui/dependencies',
        { lane: 'survey' },
        (body): Graph => ({
          nodes: rows(body.nodes, 'nodes'),
          edges: rows(body.edges, 'edges').map((edge) => ({ from: edge.source_id, to: edge.target_id })),
        }),
      ),
    graphShowsTemplates: false,
    linkingTasks: (dagId) =>
      wire.get('/api/v2/dags/{dag_id}/tasks', { lane: 'survey', ids: { dag_id: dagId } }, (body) =>
        linkingTasksOf(dagId, rows(body.tasks, 'tasks')),
      ),
    fields: (dagId, taskId) => newestFields(setting, dagId, taskId),
  });
};

/** States in which a task instance may have been rendered. A sensor with `soft_fail` that waited in vain ends as skipped (3.3.2). */
const rendered = ['success', 'failed', 'running', 'deferred', 'up_for_reschedule', 'up_for_retry', 'skipped'];
/** Instances that were skipped without a start sort first where null does (PostgreSQL): a few are read to get past them. */
const few = 10;

/** The list carries the fields on 3.3 and `{}` before (3.0.6-3.2.2), then the single instance is asked. */
const newestFields = async (setting: V2Setting, dagId: string, taskId: string): Promise<Fields | null> => {
  const newest = await setting.wire.get(
    '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
    {
      lane: 'survey',
      ids: { dag_id: dagId, dag_run_id: everything },
      query: { task_id: taskId, state: rendered, order_by: ['-start_date'], limit: few },
    },
    (body) =>
      rows(body.task_instances, 'task_instances')
        .filter((one) => one.start_date !== null)
        .map((one) => ({ runId: one.dag_run_id, fields: one.rendered_fields ?? {} })),
  );
  const [found] = newest;
  if (found === undefined) return null;
  if (Object.keys(found.fields).length > 0) return found.fields;
  return v2Tasks(setting).getRenderedFields(dagId, found.runId, taskId);
};
