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
 * Between two runs that follow each other without touching lie missing intervals. `endOf` tells the end of the interval that starts at an instant, as the
 * schedule has it, or null where nobody can tell. It must explain both runs and fill the hole exactly; creating a run for a wrong interval would lose the
 * real one for ever (2.11.2, seen live). The length of the run before the hole does not do: on weekdays only, four days behind a run of one day are two
 * intervals and not four, and behind the hour that a change of the clocks left of two, everything can be divided by one hour.
 */
export function missingIntervals(runs: readonly RunFacts[], endOf: (start: Instant) => Instant | null): Gaps {
  const known = runs
    .flatMap((r) => (r.dataIntervalStart && r.dataIntervalEnd ? [{ start: r.dataIntervalStart, end: r.dataIntervalEnd }] : []))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const missing: Interval[] = [];
  const unclear: Interval[] = [];
  known.forEach((here, i) => {
    const next = known[i + 1];
    if (!next || here.end >= next.start) return;
    // Of intervals without length each run is for the instant itself; the next one is the end of what begins there.
    if (here.start === here.end && endOf(here.start) === next.start) return;
    const filling = [here, next].every(({ start, end }) => endOf(start) === end) ? fill(here.end, next.start, endOf) : null;
    if (filling) missing.push(...filling);
    else unclear.push({ start: here.end, end: next.start });
  });
  return { missing, unclear };
}

function fill(from: Instant, to: Instant, endOf: (start: Instant) => Instant | null): Interval[] | null {
  const filling: Interval[] = [];
  for (let start = from; start < to; ) {
    const end = endOf(start);
    if (end === null || end <= start) return null;
    filling.push({ start, end });
    start = end;
  }
  return filling.at(-1)?.end === to ? filling : null;
}
