/** What was seen of the service while it lived, and the limits of docs/reliability.md that it must keep. */
import type { Held } from './service.ts';

export interface Sample extends Held {
  readonly runs: number;
  readonly failures: number;
  /** Since which start of the service: memory begins anew with each. */
  readonly life: number;
  /** Incidents that are not over: each decision holds all of them. */
  readonly open: number;
}

export interface Soaked {
  readonly samples: readonly Sample[];
  readonly runs: number;
  readonly failures: number;
  readonly incidents: number;
  /** Deleted by retention. */
  readonly forgotten: number;
  readonly pages: number;
  readonly notices: number;
  readonly backups: number;
  readonly outages: number;
  readonly stillOpen: number;
  readonly stillPaused: number;
  readonly effects: Readonly<Record<string, number>>;
  /** Of the service's log, and pages that could not be read. */
  readonly errors: readonly string[];
}

type Limit = readonly [value: number, most: number];
type Memory = 'heapMb' | 'rssMb' | 'nativeMb';

function byLife(samples: readonly Sample[]): Sample[][] {
  const lives = [...new Set(samples.map((s) => s.life))].map((life) => samples.filter((s) => s.life === life));
  // The first third of each life is warming up.
  return lives.map((all) => all.slice(Math.floor(all.length / 3)));
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Megabytes per `per` runs or failures, by least squares over what comes after the warm-up; each life counts from its own level. */
export function slope(samples: readonly Sample[], of: Memory, by: 'runs' | 'failures' = 'runs', per = 100_000): number {
  const { xx, xy } = sums(samples, of, by);
  return (xy / xx) * per;
}

/**
 * The same growth apart from what the open incidents take, which each decision holds: least squares over failures and open incidents together. At 48 times the
 * speed of a day what released DAGs are given, looked at one by one, falls behind, and the open ones went from 40 to 317 within one half of a day (2026-11-30).
 */
export function besideOpen(samples: readonly Sample[], of: Memory, per = 1_000): { failuresMb: number; openKb: number } {
  const { xx, xy, oo, xo, oy } = sums(samples, of, 'failures');
  const both = xx * oo - xo * xo;
  return { failuresMb: ((xy * oo - oy * xo) / both) * per, openKb: ((oy * xx - xy * xo) / both) * 1_024 };
}

/** Of products of what differs from the mean of its life: x what is counted by, y memory, o open incidents. */
function sums(samples: readonly Sample[], of: Memory, by: 'runs' | 'failures') {
  const all = { xx: 0, xy: 0, oo: 0, xo: 0, oy: 0 };
  for (const life of byLife(samples)) {
    const [meanX, meanY, meanO] = [by, of, 'open' as const].map((name) => mean(life.map((s) => s[name]))) as [
      number,
      number,
      number,
    ];
    for (const s of life) {
      const [x, y, o] = [s[by] - meanX, s[of] - meanY, s.open - meanO];
      all.xx += x * x;
      all.xy += x * y;
      all.oo += o * o;
      all.xo += x * o;
      all.oy += o * y;
    }
  }
  return all;
}

export const handlesRange = (samples: readonly Sample[]): number =>
  Math.max(...byLife(samples).map((life) => Math.max(...life.map((s) => s.handles)) - Math.min(...life.map((s) => s.handles))));

const MEMORY = { heapMb: 'heap_mb_per_100k_runs', nativeMb: 'native_mb_per_100k_runs', rssMb: 'rss_mb_per_100k_runs' } as const;

/** Value and most, by name. `most`: of each kind of memory, in megabytes per 100,000 runs; what is not named is not judged. */
export function limitsOf(done: Soaked, most: Partial<Record<Memory, number>>): Readonly<Record<string, Limit>> {
  const { samples, effects } = done;
  const memory = (Object.entries(most) as [Memory, number][]).map(([of, mb]) => [MEMORY[of], [slope(samples, of), mb]] as const);
  return {
    ...Object.fromEntries(memory),
    wal_max_mb: [Math.max(...samples.map((s) => s.walMb)), 64],
    handles_range: [handlesRange(samples), 12],
    still_open: [done.stillOpen, 0],
    still_paused: [done.stillPaused, 0],
    pauses_without_unpause: [(effects.pause ?? 0) - (effects.unpause ?? 0), 0],
    errors: [done.errors.length, 0],
  };
}

export const brokenLimits = (limits: ReturnType<typeof limitsOf>): string[] =>
  Object.entries(limits)
    .filter(([, [value, most]]) => !(value <= most))
    .map(([name]) => name);
