/** What a look at Airflow has to cover, derived from what is under way. Pure, so that nothing watched can be forgotten in a place of its own. */
import type { State } from './draft.ts';
import type { Instant } from './facts.ts';
import { endedGone, isClaimed } from './holding.ts';
import { holdsMore, isAboutFiles } from './incident.ts';
import { isOver } from './lifecycle.ts';
import { isSick } from './verification.ts';

export interface WatchList {
  /** Runs to read by id. */
  readonly runs: readonly { readonly dagId: string; readonly runId: string }[];
  /** Ranges whose runs have no id yet: intervals that a backfill fills. */
  readonly ranges: readonly { readonly dagId: string; readonly from: Instant; readonly to: Instant }[];
  /** DAGs whose newest runs matter: released ones that are to run, and those that heal by any later run. */
  readonly released: readonly string[];
  readonly latest: readonly string[];
  /** DAGs whose pause state matters. `op`: our last request about it, which the look is to name again. */
  readonly paused: readonly { readonly dagId: string; readonly op: string | null; readonly auditCursor: number | null }[];
  /** Something is expected to change soon: look more often than the idle poll does. */
  readonly busy: boolean;
}

export function watchList(state: State, airflow: string): WatchList {
  const incidents = state.incidents.filter((i) => i.airflow === airflow && !isOver(i.status));
  const waiting = incidents.filter((i) => !i.releasing);
  const runs = new Map<string, { dagId: string; runId: string }>();
  const add = (dagId: string, runId: string) => runs.set(`${dagId}\n${runId}`, { dagId, runId });
  for (const r of waiting.flatMap((i) => i.runs))
    if (r.state === 'failing' || r.state === 'failed' || r.state === 'rerunning') add(r.dagId, r.runId);
  const ranges: { dagId: string; from: Instant; to: Instant }[] = [];
  const steps = state.repairs
    .filter((r) => r.airflow === airflow && r.state === 'running')
    .flatMap((r) => r.steps.filter((s) => s.state === 'running'));
  for (const s of steps) {
    if (s.request.kind === 'create_run') ranges.push({ dagId: s.dagId, from: s.request.logicalDate, to: s.request.logicalDate });
    else if (s.request.kind === 'backfill') ranges.push({ dagId: s.dagId, from: s.request.from, to: s.request.to });
    else add(s.dagId, s.request.runId);
  }
  // A DAG of this Airflow may be held for an incident of another one.
  const released = state.incidents
    .filter((i) => !isOver(i.status))
    .flatMap((i) => i.deliveries.filter((d) => d.airflow === airflow && d.expectRun && d.state === 'sent').map((d) => d.dagId));
  // What was deleted while it was held may be deployed again, and read the bad data.
  const away = state.holds
    .filter((h) => h.airflow === airflow && endedGone(h))
    .filter((h) => state.incidents.some((i) => i.id === h.incidentId && holdsMore(i) && !isClaimed(state.holds, i, h)));
  const gone = new Set(away.map((h) => h.dagId));
  const owned = state.ownerships
    .filter((o) => o.airflow === airflow && (o.state === 'ours' || o.state === 'foreign' || gone.has(o.dagId)))
    .map((o) => ({ dagId: o.dagId, op: o.op, auditCursor: o.auditCursor }));
  for (const { dagId } of owned) gone.delete(dagId);
  return {
    runs: [...runs.values()],
    ranges,
    released: [...new Set(released)],
    latest: [
      ...new Set(waiting.filter((i) => !isAboutFiles(i)).flatMap((i) => [i.dagId, ...i.runs.filter(isSick).map((r) => r.dagId)])),
    ],
    paused: [...owned, ...[...gone].map((dagId) => ({ dagId, op: null, auditCursor: null }))],
    busy:
      steps.length > 0 ||
      released.length > 0 ||
      waiting.some((i) => i.runs.some((r) => r.state === 'failing' || r.state === 'rerunning')),
  };
}
