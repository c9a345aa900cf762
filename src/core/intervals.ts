/** Finding schedule intervals that no run was ever made for, from the runs around them. Needed on 2.x, which has no backfill to ask. */
import type { Instant, RunFacts } from './facts.ts';

export interface Interval {
  readonly start: Instant;
  readonly end: Instant;
}

export interface Gaps {
  readonly missing: readonly Interval[];
  /** Holes whose intervals cannot be told from the spacing (a calendar schedule, say): shown, never guessed at. */
  readonly unclear: readonly Interval[];
}

/**
 * Between two runs that follow each other without touching lie missing intervals. Their length is taken from the run before the hole and must fill
 * it exactly; creating a run for a wrong interval would lose the real one for ever (2.11.2, seen live).
 */
export function missingIntervals(runs: readonly RunFacts[]): Gaps {
  const known = runs
    .flatMap((r) => (r.dataIntervalStart && r.dataIntervalEnd ? [{ start: r.dataIntervalStart, end: r.dataIntervalEnd }] : []))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const missing: Interval[] = [];
  const unclear: Interval[] = [];
  known.forEach((here, i) => {
    const next = known[i + 1];
    if (!next || here.end >= next.start) return;
    const length = Date.parse(here.end) - Date.parse(here.start);
    const hole = Date.parse(next.start) - Date.parse(here.end);
    if (length <= 0 || hole % length !== 0) {
      unclear.push({ start: here.end, end: next.start });
      return;
    }
    for (let t = Date.parse(here.end); t < Date.parse(next.start); t += length) {
      missing.push({ start: new Date(t).toISOString(), end: new Date(t + length).toISOString() });
    }
  });
  return { missing, unclear };
}
