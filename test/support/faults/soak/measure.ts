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
  let [over, under] = [0, 0];
  for (const life of byLife(samples)) {
    const [x, y] = [mean(life.map((s) => s[by])), mean(life.map((s) => s[of]))];
    for (const s of life) {
      over += (s[by] - x) * (s[of] - y);
      under += (s[by] - x) ** 2;
    }
  }
  return (over / under) * per;
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
