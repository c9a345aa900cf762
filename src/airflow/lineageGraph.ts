/**
 * From Airflow's cross-DAG graph to edges between DAGs. Pure. Both generations draw the same graph: `/ui/dependencies` on 3.x, the page
 * `/dag-dependencies` on 2.x. DAG nodes are joined by nodes of other kinds, of which a chain may stand between two DAGs.
 */
import type { LineageEdge } from '../core/facts.ts';

export interface GraphNode {
  readonly id: string;
  readonly label: string;
  /** `dag`, `trigger`, `sensor`, `asset`, `asset-alias`, `dataset`, ...; the set grows. */
  readonly type: string;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

/** A link between two DAGs, with the nodes that stand between them. */
export interface Link {
  readonly from: string;
  readonly to: string;
  readonly kind: 'asset' | 'trigger' | 'sensor';
  readonly via: string;
  /** Ids of the nodes between, in order. */
  readonly between: readonly string[];
}

/**
 * Every pair of DAGs with nothing but other nodes between them. Ids are followed, never split: a DAG id that a template makes may hold
 * a colon. Once an alias was resolved, alias and asset point at each other (3.0.6-3.3.2), hence the visited set.
 */
export const linksOf = (graph: Graph): readonly Link[] => {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const next = new Map<string, string[]>();
  for (const edge of graph.edges) next.set(edge.from, [...(next.get(edge.from) ?? []), edge.to]);

  const links: Link[] = [];
  for (const start of graph.nodes.filter((node) => node.type === 'dag')) {
    const visited = new Set<string>();
    const walk = (id: string, between: readonly GraphNode[]): void => {
      const node = nodes.get(id);
      if (node === undefined) return;
      const last = between.at(-1);
      if (node.type === 'dag') {
        if (last !== undefined)
          links.push({
            from: start.label,
            to: node.label,
            kind: kindOf(between),
            via: last.label,
            between: between.map((one) => one.id),
          });
        return;
      }
      if (visited.has(id)) return;
      visited.add(id);
      for (const following of next.get(id) ?? []) walk(following, [...between, node]);
    };
    for (const following of next.get(start.id) ?? []) walk(following, []);
  }
  return links;
};

/** The newest node types are assets of some sort, so that is what an unknown one is taken for. */
const kindOf = (between: readonly GraphNode[]): Link['kind'] => {
  const types = new Set(between.map((node) => node.type));
  return types.has('trigger') ? 'trigger' : types.has('sensor') ? 'sensor' : 'asset';
};

/** A DAG id that Airflow shows as it is written in the code, Jinja and all. */
export const isTemplated = (dagId: string): boolean => dagId.includes('{{') || dagId.includes('{%');

/** One edge for each pair, kind and thing between; tasks of equal edges are put together, and "not known" wins over a list. */
export const mergeEdges = (edges: readonly LineageEdge[]): readonly LineageEdge[] => {
  const merged = new Map<string, LineageEdge>();
  for (const edge of edges) {
    const key = JSON.stringify([edge.from.dagId, edge.to.dagId, edge.kind, edge.via]);
    const other = merged.get(key);
    merged.set(
      key,
      other === undefined
        ? edge
        : { ...other, fromTasks: bothTasks(other.fromTasks, edge.fromTasks), waits: other.waits ?? edge.waits },
    );
  }
  return [...merged.values()];
};

const bothTasks = (a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null =>
  a === null || b === null ? null : [...new Set([...a, ...b])];
