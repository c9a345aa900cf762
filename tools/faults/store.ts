/** What the real service has on disk of these failures: each once, and nothing else. */
import Database from 'better-sqlite3';

export interface Kept {
  /** Rows of the inbox: one for each webhook id. */
  readonly events: number;
  /** Events per failure (DAG, run, task, map index, kind), where that is not one. */
  readonly notOnce: readonly string[];
  /** Signals that callbacks left, and how many different ones. */
  readonly signals: number;
  readonly differentSignals: number;
  /** What senders said that they had to drop. */
  readonly dropped: number;
}

/** `wanted`: the failures that must be there, as `nameOf` writes them. */
export function keptIn(file: string, wanted: ReadonlySet<string>): Kept & { readonly missing: readonly string[] } {
  const db = new Database(file, { readonly: true });
  try {
    const rows = db.prepare('select body from inbox').all() as { body: string }[];
    const bodies = rows.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    const counts = new Map<string, number>();
    for (const body of bodies) counts.set(nameOf(body), (counts.get(nameOf(body)) ?? 0) + 1);
    const signals = db
      .prepare("select count(*) as all_of_them, count(distinct key) as keys from signals where origin = 'callback'")
      .get();
    const { all_of_them: all, keys } = signals as { all_of_them: number; keys: number };
    return {
      ...{ events: rows.length, signals: all, differentSignals: keys },
      notOnce: [...counts].filter(([, count]) => count !== 1).map(([name, count]) => `${name}: ${count}`),
      missing: [...wanted].filter((name) => !counts.has(name)),
      dropped: bodies.reduce((sum, body) => sum + Number(body.dropped_events ?? 0), 0),
    };
  } finally {
    db.close();
  }
}

export function nameOf(body: Readonly<Record<string, unknown>>): string {
  const { kind, dag_id, run_id, task_id, map_index } = body;
  return kind === 'run_failed' ? `run_failed ${dag_id} ${run_id}` : `${kind} ${dag_id} ${run_id} ${task_id} ${map_index ?? -1}`;
}
