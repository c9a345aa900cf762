/**
 * Backfills of Airflow 3 for exactly the intervals that the incident is about, and those among them that never had a run. A backfill takes a range:
 * where the range would catch something else, it is split around it.
 */
import type { BackfillRequest } from '../airflow/client.ts';
import type { Instant, RunFacts } from '../core/facts.ts';
import type { PlannedRun } from '../core/plan.ts';
import type { Draft, Planning } from './planRepair.ts';

/** No backfill is planned over more dates than this at once: what cannot be read cannot be approved. */
const MAX_RUNS_IN_RANGE = 1_000;

/** `bad`: runs that succeeded are among them, because their data was reported as bad. */
export async function planBackfills(p: Planning, dagId: string, failed: readonly RunFacts[], bad: boolean): Promise<Draft[]> {
  const reprocess = bad ? 'completed' : 'failed';
  const wanted = new Set(failed.flatMap((r) => r.logicalDate ?? []));
  const dates = [...wanted].sort();
  const [from, to] = [dates[0], dates.at(-1)];
  if (!from || !to) return [];
  const existing = await p.client.listRuns(dagId, { logicalDateFrom: from, logicalDateTo: to, limit: MAX_RUNS_IN_RANGE });
  const byDate = new Map(existing.flatMap((r) => (r.logicalDate ? [[r.logicalDate, r] as const] : [])));
  const would = p.silent ? dates : await p.client.dryRunBackfill(requestFor(p, dagId, from, to, reprocess));
  for (const d of dates.filter((x) => !would.includes(x)))
    p.warn(`Airflow would not run ${dagId} of ${d} again: it is in flight or not failed any more`);
  const allowed = would.filter((d) => wanted.has(d) || !byDate.has(d));
  const [first, ...rest] = allowed;
  if (!first) return [];
  const ranges = [[first], ...split(rest, would)];
  const drafts: Draft[] = [];
  for (const range of ranges) {
    const [start, end] = [range[0], range.at(-1)];
    if (start && end) drafts.push(await oneBackfill(p, requestFor(p, dagId, start, end, reprocess), range, byDate));
  }
  return drafts;
}

const requestFor = (
  p: Planning,
  dagId: string,
  from: Instant,
  to: Instant,
  reprocess: BackfillRequest['reprocess'],
): BackfillRequest => ({
  dagId,
  from,
  to,
  reprocess,
  maxActiveRuns: p.maxActiveRuns,
});

/** Neighbours in what the backfill would run stay together; a date in between that is not ours begins a new range. */
function split(dates: readonly Instant[], would: readonly Instant[]): Instant[][] {
  const ranges: Instant[][] = [];
  let before = -2;
  for (const d of dates) {
    const at = would.indexOf(d);
    if (at === before + 1) ranges.at(-1)?.push(d);
    else ranges.push([d]);
    before = at;
  }
  return ranges;
}

async function oneBackfill(
  p: Planning,
  wanted: BackfillRequest,
  range: readonly Instant[],
  byDate: ReadonlyMap<Instant, RunFacts>,
): Promise<Draft> {
  const dates = p.silent ? range : await p.client.dryRunBackfill(wanted);
  const runs = dates.map((d): PlannedRun => {
    const run = byDate.get(d);
    return { runId: run?.runId ?? null, logicalDate: d, startBefore: run?.startDate ?? null, tasks: [] };
  });
  const { from, to, reprocess, maxActiveRuns } = wanted;
  return { request: { kind: 'backfill', from, to, reprocess, maxActiveRuns }, runs, dryRun: p.silent ? 'computed' : 'airflow' };
}
