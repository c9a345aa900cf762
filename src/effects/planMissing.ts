/** Airflow 2 has no backfill endpoint: an interval that never had a run is made good by creating the run, with both interval bounds. */
import { possibleIntervals } from '../airflow/v1/schedule.ts';
import type { DagFacts, RunFacts } from '../core/facts.ts';
import { missingIntervals } from '../core/intervals.ts';
import type { Draft, Planning } from './planRepair.ts';

const MAX_RUNS_IN_RANGE = 1_000;

export async function planMissingRuns(p: Planning, { dagId, schedule }: DagFacts, failed: readonly RunFacts[]): Promise<Draft[]> {
  const dates = failed.flatMap((r) => r.logicalDate ?? []).sort();
  const [from, to] = [dates[0], dates.at(-1)];
  if (!from || !to) return [];
  const existing = await p.client.listRuns(dagId, { logicalDateFrom: from, logicalDateTo: to, limit: MAX_RUNS_IN_RANGE });
  const { missing, unclear } = missingIntervals(existing, possibleIntervals(schedule));
  for (const hole of unclear)
    p.warn(
      `between ${hole.start} and ${hole.end} ${dagId} has no run, and its intervals cannot be told for certain from its schedule`,
    );
  return missing.map(({ start, end }): Draft => {
    // 2.x refuses ids that begin with `scheduled__` or `backfill__` (2.11.2, 400).
    const runId = `firedamper__${start}`;
    return {
      request: { kind: 'create_run', runId, logicalDate: start, intervalStart: start, intervalEnd: end },
      runs: [{ runId, logicalDate: start, startBefore: null, tasks: [] }],
      dryRun: 'computed',
    };
  });
}
