/** Airflow 2: where the lineage comes from. */
import { type AirflowClient, AirflowError } from '../client.ts';
import { createLineage, fromLink } from '../lineage.ts';
import type { Graph, GraphNode } from '../lineageGraph.ts';
import type { Fields } from '../lineageTasks.ts';
import { linkingTasksOf } from '../linkingTasks.ts';
import { nullWhenMissing } from '../missing.ts';
import { text } from '../translate.ts';
import { rows } from '../typedWire.ts';
import { v1Assets } from './assets.ts';
import type { V1Setting } from './dags.ts';
import type { WebPages } from './webPages.ts';

export const v1Lineage = (setting: V1Setting, pages: WebPages | null): AirflowClient['getLineage'] => {
  const { wire } = setting;
  return createLineage({
    airflow: setting.airflow,
    now: setting.now,
    sources: { assets: 'datasets', graph: 'dag_dependencies_page' },
    assets: v1Assets(setting, 'survey').listAssets,
    graph: async () => {
      const html = pages === null ? null : await pages.read('/dag-dependencies');
      return html === null ? null : graphOfPage(html);
    },
    graphShowsTemplates: true,
    linkingTasks: (dagId) =>
      wire.get('/dags/{dag_id}/tasks', { lane: 'survey', ids: { dag_id: dagId } }, (body) =>
        linkingTasksOf(dagId, rows(body.tasks, 'tasks')),
      ),
    fields: (dagId, taskId) => newestFields(setting, dagId, taskId),
  });
};

/**
 * The page holds two lines of JSON in a script. Its phantom node `dag:dataset`, tied to and from every scheduled dataset, would make
 * everything downstream of everything (2.11.2), so it is dropped, also where a DAG should really be called `dataset`.
 */
export const graphOfPage = (html: string): Graph => {
  const nodes = jsonLine(html, /^\s*let dagNodes = (\[.*\]);?\s*$/m) as readonly {
    id: string;
    value?: { class?: string; label?: string };
  }[];
  const edges = jsonLine(html, /^\s*let edges = (\[.*\]);?\s*$/m) as readonly { u: string; v: string }[];
  const phantom = 'dag:dataset';
  const links = edges.filter((one) => one.u !== phantom && one.v !== phantom).map((one) => ({ from: one.u, to: one.v }));
  const listed = nodes
    .filter((node) => node.id !== phantom)
    .map((node): GraphNode => ({ id: node.id, label: node.value?.label ?? '', type: node.value?.class ?? '' }));
  return { nodes: [...listed, ...unlistedDags(links, new Set(listed.map((node) => node.id)))], edges: links };
};

/** A DAG that is only a template stands at the end of an edge but is no node (2.11.2). */
const unlistedDags = (links: Graph['edges'], listed: ReadonlySet<string>): readonly GraphNode[] => {
  const ends = new Set(links.flatMap((link) => [link.from, link.to]));
  return [...ends]
    .filter((id) => id.startsWith('dag:') && !listed.has(id))
    .map((id) => ({ id, label: id.slice('dag:'.length), type: 'dag' }));
};

const jsonLine = (html: string, pattern: RegExp): unknown => {
  try {
    const value: unknown = JSON.parse(pattern.exec(html)?.[1] ?? '');
    if (Array.isArray(value)) return value;
  } catch {
    // said below
  }
  throw new AirflowError('not_airflow', 'the page /dag-dependencies has another form than the one we know (2.9-2.11)', {
    outcome: 'none',
    operation: 'GET /dag-dependencies',
  });
};

const runsToLookAt = 3;

/**
 * 2.x cannot list the instances of one task in order, so the newest runs are looked at one by one. Where none has run the task yet, the
 * link of a trigger shows the target as it is written, which is right unless it is a template (2.11.2).
 */
const newestFields = async (setting: V1Setting, dagId: string, taskId: string): Promise<Fields | null> => {
  const runIds = await setting.wire.get(
    '/dags/{dag_id}/dagRuns',
    { lane: 'survey', ids: { dag_id: dagId }, query: { order_by: '-execution_date', limit: runsToLookAt } },
    (body) => rows(body.dag_runs, 'dag_runs').map((run) => text(run.dag_run_id, 'dag_run_id')),
  );
  for (const runId of runIds) {
    const fields = await nullWhenMissing(
      setting.wire.get(
        '/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}',
        { lane: 'survey', ids: { dag_id: dagId, dag_run_id: runId, task_id: taskId } },
        (body) => body.rendered_fields ?? {},
      ),
    );
    if (fields !== null && Object.keys(fields).length > 0) return fields;
  }
  const [newest] = runIds;
  return newest === undefined ? null : linkTarget(setting, dagId, newest, taskId);
};

const linkTarget = async ({ wire }: V1Setting, dagId: string, runId: string, taskId: string): Promise<Fields | null> => {
  const links = await wire.get(
    '/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/links',
    { lane: 'survey', ids: { dag_id: dagId, dag_run_id: runId, task_id: taskId } },
    (body) => Object.values(body),
  );
  const written = links
    .map((link) => (typeof link === 'string' ? /\/dags\/([^/?]+)\/grid/.exec(link)?.[1] : undefined))
    .find((id) => id !== undefined);
  const target = written === undefined ? null : decoded(written);
  return target === null || target.includes('{') ? null : { trigger_dag_id: target, [fromLink]: true };
};

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
};
