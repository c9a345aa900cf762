/** The cross-DAG graph, as `/ui/dependencies` of 3.x and the page `/dag-dependencies` of 2.x show it. */
import type { Dag } from './types.ts';
import { leaves, type World } from './world.ts';

export interface GraphNode {
  readonly id: string;
  readonly label: string;
  readonly type: string;
}
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

export const graphOf = (world: World, assetNode: (uri: string) => string): Graph => {
  const nodes = new Map<string, GraphNode>();
  const edges: { from: string; to: string }[] = [];
  const node = (id: string, label: string, type: string): string => {
    nodes.set(id, { id, label, type });
    return id;
  };
  const dagNode = (id: string) => node(`dag:${id}`, id, 'dag');
  const link = (...path: string[]) => {
    path.slice(1).forEach((to, place) => {
      const from = path[place] ?? '';
      if (!edges.some((edge) => edge.from === from && edge.to === to)) edges.push({ from, to });
    });
  };
  for (const dag of world.dags.values()) {
    for (const uri of consumed(dag)) link(node(assetNode(uri), uri, 'asset'), dagNode(dag.id));
    for (const [taskId, task] of Object.entries(dag.spec.tasks)) {
      for (const uri of task.outlets ?? []) link(dagNode(dag.id), node(assetNode(uri), uri, 'asset'));
      if (task.triggers !== undefined) {
        const target = task.triggers.templated === true ? `{{ dag_run.conf['${taskId}'] }}` : task.triggers.dagId;
        // 3.x shows no link to a DAG that is not there, a template included; 2.x does (3.3.2, 2.11.2).
        if (world.options.generation === 3 && !world.dags.has(target)) continue;
        link(dagNode(dag.id), node(`trigger:${dag.id}:${target}:${taskId}`, taskId, 'trigger'), dagNode(target));
      }
      if (task.waitsFor !== undefined) {
        link(
          dagNode(task.waitsFor.dagId),
          node(`sensor:${task.waitsFor.dagId}:${dag.id}:${taskId}`, taskId, 'sensor'),
          dagNode(dag.id),
        );
      }
    }
  }
  return { nodes: [...nodes.values()], edges };
};

const consumed = (dag: Dag): readonly string[] => {
  const { schedule } = dag.spec;
  return schedule !== null && schedule !== undefined && 'assets' in schedule ? leaves(schedule.assets) : [];
};

/** The page of 2.x: two lines of JSON in a script, and a phantom node `dag:dataset` that is tied to every scheduled dataset (2.11.2). */
export const dependenciesPage = (world: World): string => {
  const { nodes, edges } = graphOf(world, (uri) => `dataset:${uri}`);
  // Every DAG is a node, whether it has edges or not; one that is only a template is not (2.11.2).
  const dags = [...world.dags.keys()].map((id) => ({ id: `dag:${id}`, label: id, type: 'dag' }));
  const shown = [...dags, ...nodes.filter((node) => node.type !== 'dag')].map(({ id, label, type }) => ({
    id,
    value: { class: type === 'asset' ? 'dataset' : type, label, labelStyle: 'fill:#000;', style: 'fill:#fff;' },
  }));
  const links = edges.map(({ from, to }) => ({ u: from, v: to }));
  const phantoms = [...world.dags.values()].flatMap(consumed).flatMap((uri) => [
    { u: 'dag:dataset', v: `dataset:${uri}` },
    { u: `dataset:${uri}`, v: 'dag:dataset' },
  ]);
  return `<html><script>\n    let dagNodes = ${JSON.stringify(shown)};\n    let edges = ${JSON.stringify([...links, ...phantoms])};\n</script></html>`;
};
