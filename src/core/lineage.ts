/**
 * Walking the lineage forward from a failing DAG: whom the missing or bad data would reach, by which links, and how far away.
 */
import type { DagRef, LineageEdge, TaskGraph } from './facts.ts';

export interface Reached extends DagRef {
  readonly depth: number;
  /** Links from the failing DAG to this one, nearest way. */
  readonly edges: readonly LineageEdge[];
}

export interface Walk {
  readonly reached: readonly Reached[];
  /** DAGs that read only what unaffected tasks of the failing DAG make. */
  readonly unaffected: readonly Reached[];
}

const keyOf = (d: DagRef): string => `${d.airflow}/${d.dagId}`;

/** The failed tasks and every task behind them; null (= the whole DAG) where the graph or the failed tasks are not known. */
export function affectedTasks(graph: TaskGraph | null, failed: readonly string[]): ReadonlySet<string> | null {
  if (!graph || failed.length === 0) return null;
  const affected = new Set<string>();
  const queue = [...failed];
  for (let task = queue.pop(); task !== undefined; task = queue.pop()) {
    if (affected.has(task)) continue;
    affected.add(task);
    queue.push(...(graph.downstream[task] ?? []));
  }
  return affected;
}

/**
 * Breadth first, so the path of each DAG is the shortest one. Only the first link looks at tasks: what a DAG further away would read
 * is missing as a whole. Cycles end at the visited set (asset aliases make them, seen on 3.0.6-3.3.2).
 */
export function walk(edges: readonly LineageEdge[], start: DagRef, tasks: ReadonlySet<string> | null): Walk {
  const byFrom = new Map<string, LineageEdge[]>();
  for (const edge of edges) byFrom.set(keyOf(edge.from), [...(byFrom.get(keyOf(edge.from)) ?? []), edge]);
  const reached = new Map<string, Reached>();
  const unaffected = new Map<string, Reached>();
  let frontier: Reached[] = [{ ...start, depth: 0, edges: [] }];
  const startKey = keyOf(start);
  while (frontier.length > 0) {
    const next: Reached[] = [];
    for (const here of frontier) {
      for (const edge of byFrom.get(keyOf(here)) ?? []) {
        const key = keyOf(edge.to);
        if (key === startKey || reached.has(key)) continue;
        const there: Reached = {
          airflow: edge.to.airflow,
          dagId: edge.to.dagId,
          depth: here.depth + 1,
          edges: [...here.edges, edge],
        };
        if (here.depth === 0 && tasks && edge.fromTasks && !edge.fromTasks.some((t) => tasks.has(t))) {
          unaffected.set(key, there);
          continue;
        }
        reached.set(key, there);
        next.push(there);
      }
    }
    frontier = next;
  }
  for (const key of reached.keys()) unaffected.delete(key);
  return { reached: [...reached.values()], unaffected: [...unaffected.values()] };
}

/** `orders -(asset s3://orders)-> report`, one text per link. */
export function describePath(edges: readonly LineageEdge[]): string[] {
  return edges.map((e) => `${e.from.dagId} -(${e.kind} ${e.via})-> ${e.to.dagId}`);
}

/**
 * True where holding `dag` would block the repair of `start`: a run of `start` triggers it and waits for its end, or `start` itself
 * waits for it with a sensor.
 */
export function blocksRepair(edges: readonly LineageEdge[], start: DagRef, dag: DagRef): boolean {
  return edges.some(
    (e) =>
      (e.kind === 'trigger' && e.waits === true && keyOf(e.from) === keyOf(start) && keyOf(e.to) === keyOf(dag)) ||
      (e.kind === 'sensor' && keyOf(e.from) === keyOf(dag) && keyOf(e.to) === keyOf(start)),
  );
}
