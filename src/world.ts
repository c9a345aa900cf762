import type { World } from './core/events.ts';
import type { DagFacts, Lineage, LineageEdge, LineageGap } from './core/facts.ts';

/** What each Airflow looks like as last read. A cache: lost at a restart, read again before it matters, and stored so that it rarely has to be. */
export interface WorldCache extends World {
  /** DAGs that a file made when it was last read. */
  dagsIn(airflow: string, file: string): readonly string[];
  setDags(airflow: string, dags: readonly DagFacts[]): void;
  setLineage(lineage: Lineage): void;
}

export function createWorld(declared: readonly LineageEdge[]): WorldCache {
  const dags = new Map<string, Map<string, DagFacts>>();
  const lineages = new Map<string, Lineage>();
  let edges: readonly LineageEdge[] = declared;
  return {
    edges: () => edges,
    gaps: (airflow): readonly LineageGap[] =>
      lineages.get(airflow)?.gaps ?? [{ source: 'assets', why: 'the lineage has not been read yet' }],
    dag: (airflow, dagId) => dags.get(airflow)?.get(dagId) ?? null,
    dagCount: (airflow) => dags.get(airflow)?.size ?? 0,
    dagsIn: (airflow, file) => [...(dags.get(airflow)?.values() ?? [])].filter((d) => d.file === file).map((d) => d.dagId),
    hasRead: (airflow) => dags.has(airflow) && lineages.has(airflow),
    setDags: (airflow, list) => {
      dags.set(airflow, new Map(list.map((d) => [d.dagId, d])));
    },
    setLineage: (lineage) => {
      lineages.set(lineage.airflow, lineage);
      edges = [...declared, ...[...lineages.values()].flatMap((l) => l.edges)];
    },
  };
}
