import type { DagRef, LineageEdge } from '../core/facts.ts';
import { type Reason, sentence } from '../core/reason.ts';
import type { IncidentView } from '../store/readModels.ts';

/**
 * What the picture and the table of the blast radius say, before anything is laid out: the failing DAG, every DAG that is held or
 * spared with its state and reason, and the links between them.
 */
export type Mark = 'failing' | 'intended' | 'held' | 'foreign' | 'ceded' | 'release_intended' | 'released' | 'spared' | 'passed';

export interface BlastDag extends DagRef {
  readonly key: string;
  readonly mark: Mark;
  readonly why: string;
  /** The links from the failing DAG, in words. */
  readonly path: readonly string[];
  readonly depth: number;
}

export interface BlastLink {
  readonly from: string;
  readonly to: string;
  readonly kinds: readonly LineageEdge['kind'][];
  readonly via: readonly string[];
}

export interface Blast {
  readonly dags: readonly BlastDag[];
  readonly links: readonly BlastLink[];
}

export const keyOf = (dag: DagRef): string => JSON.stringify([dag.airflow, dag.dagId]);

export function blastOf(view: IncidentView): Blast {
  const { incident } = view;
  const dags = new Map<string, BlastDag>();
  const put = (ref: DagRef, rest: Omit<BlastDag, 'key' | 'airflow' | 'dagId'>) => {
    const key = keyOf(ref);
    if (!dags.has(key)) dags.set(key, { key, airflow: ref.airflow, dagId: ref.dagId, ...rest });
  };
  put(incident, { mark: 'failing', why: sentence(incident.statusReason), path: [], depth: 0 });
  for (const hold of view.holds) put(hold, { mark: hold.state, why: whyHeld(hold.reason), path: hold.path, depth: hold.depth });
  for (const spared of incident.spared)
    put(spared, { mark: 'spared', why: sentence(spared.reason), path: spared.path, depth: spared.path.length });
  for (const ref of view.edges.flatMap((edge) => [edge.from, edge.to]))
    put(ref, { mark: 'passed', why: 'lies between', path: [], depth: 99 });
  return {
    dags: [...dags.values()].sort((a, b) => a.depth - b.depth || (a.dagId < b.dagId ? -1 : 1)),
    links: linksOf(view.edges),
  };
}

/** The way stands beside it already. */
export const whyHeld = (reason: Reason): string =>
  reason.code === 'downstream' ? 'reads what the failing DAG did not make' : sentence(reason);

/** Two DAGs are joined by one line, whatever the number of assets between them. */
function linksOf(edges: readonly LineageEdge[]): readonly BlastLink[] {
  const links = new Map<string, { from: string; to: string; kinds: LineageEdge['kind'][]; via: string[] }>();
  for (const edge of edges) {
    const [from, to] = [keyOf(edge.from), keyOf(edge.to)];
    const link = links.get(`${from}${to}`) ?? { from, to, kinds: [], via: [] };
    if (!link.kinds.includes(edge.kind)) link.kinds.push(edge.kind);
    if (!link.via.includes(edge.via)) link.via.push(edge.via);
    links.set(`${from}${to}`, link);
  }
  return [...links.values()].filter((link) => link.from !== link.to);
}
