/** Finding schedule intervals that no run was ever made for, from the runs around them. Needed on 2.x, which has no backfill to ask. */
import type { Instant, Reading, RunFacts } from './facts.ts';

export interface Interval {
  readonly start: Instant;
  readonly end: Instant;
}

export interface Gaps {
  readonly missing: readonly Interval[];
  /** Holes whose intervals cannot be told for certain: shown, never guessed at. */
  readonly unclear: readonly Interval[];
}

/** So many runs on each side of a hole tell how the schedule is to be read: a clock that is the same at night and at noon shows only over a day. */
const AROUND = 8;
/** Longer than this a clock may have been changed twice within a hole (five weeks in Morocco), and the runs around it would not show it. */
const LONGEST_HOLE_MS = 28 * 86_400_000;
/** More in one hole are nobody's plan; and asked of each reading, minutes of a month would keep everything else waiting for a minute. */
const MOST_IN_HOLE = 1_000;
/** A change of the clocks: half an hour on one island, an hour everywhere else. */
const CHANGE_MINUTES = 60;

/**
 * Between two runs that follow each other without touching lie missing intervals. Of the readings of the schedule those that explain the runs around the
 * hole must fill it exactly, and all alike; creating a run for a wrong interval would lose the real one for ever (2.11.2, seen live). The length of the
 * run before the hole does not do: on weekdays only, four days behind a run of one day are two intervals and not four, and everything can be divided by the one
 * hour that a change of the clocks left of two.
 */
export function missingIntervals(runs: readonly RunFacts[], readings: readonly Reading[]): Gaps {
  const known = runs
    .flatMap((r) => (r.dataIntervalStart && r.dataIntervalEnd ? [{ start: r.dataIntervalStart, end: r.dataIntervalEnd }] : []))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const missing: Interval[] = [];
  const unclear: Interval[] = [];
  known.forEach((here, i) => {
    const next = known[i + 1];
    if (!next || here.end >= next.start) return;
    // Runs for an instant each (`CronTriggerTimetable` of 2.x): the next one is where the interval that begins here would end.
    if (here.start === here.end && readings.some(({ endOf }) => endOf(here.start) === next.start)) return;
    const hole = { start: here.end, end: next.start };
    const before = known.slice(Math.max(0, i + 1 - AROUND), i + 1);
    const filling = fillingOf(hole, before, known.slice(i + 1, i + 1 + AROUND), readings);
    if (filling) missing.push(...filling);
    else unclear.push(hole);
  });
  return { missing, unclear };
}

/** null where there is none, or more than one. */
function fillingOf(
  hole: Interval,
  before: readonly Interval[],
  behind: readonly Interval[],
  readings: readonly Reading[],
): readonly Interval[] | null {
  if (Date.parse(hole.end) - Date.parse(hole.start) > LONGEST_HOLE_MS) return null;
  // Had the clocks been changed within the hole, one reading would explain what is before it and another, an hour away, what is behind it.
  const isNear = (one: Reading) => (other: Reading) => Math.abs(one.offsetMinutes - other.offsetMinutes) <= CHANGE_MINUTES;
  const explain = (runs: readonly Interval[]) => readings.filter((r) => runs.every(({ start, end }) => r.endOf(start) === end));
  const [sooner, later] = [explain(before), explain(behind)];
  const possible = [...sooner.filter((r) => later.some(isNear(r))), ...later.filter((r) => sooner.some(isNear(r)))];
  const [first = null, ...others] = possible.map((r) => fill(hole, r));
  return others.every((other) => JSON.stringify(other) === JSON.stringify(first)) ? first : null;
}

function fill(hole: Interval, { endOf }: Reading): Interval[] | null {
  const filling: Interval[] = [];
  for (let start = hole.start; start < hole.end; ) {
    const end = endOf(start);
    if (end === null || end <= start || filling.length === MOST_IN_HOLE) return null;
    filling.push({ start, end });
    start = end;
  }
  return filling.at(-1)?.end === hole.end ? filling : null;
}
