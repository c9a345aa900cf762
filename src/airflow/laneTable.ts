/** Places, tries and times of each lane of one Airflow. What differs from the plan, and why: docs/decisions/0010-client-settings.md. */
import { createLane, type Lane, type LaneName, RetryBudget } from './lanes.ts';

export interface LaneTableOptions {
  readonly pauseConcurrency: number;
  /** `airflows[].timeout`: what one read may take. */
  readonly timeoutMs: number;
  readonly random?: () => number;
  readonly now?: () => number;
  readonly retryBaseMs?: number;
}

interface LaneSetting {
  readonly places: number;
  readonly tries: number;
  readonly timeoutMs: number;
}

/** A pause that takes longer than this is better asked about than waited for. */
const longestPauseMs = 15_000;
/** Large sites answer their lists after 15-51 s (Airflow #49800, #55071, #56635), and nobody waits for a list of a poll. */
const longListMs = 45_000;

/** A list of a poll or of the lineage gets 45 s where a read gets the usual 20; no less than a read, and no 45 s where somebody allows a read only one. */
const listMs = (timeoutMs: number): number => Math.max(timeoutMs, Math.min(longListMs, timeoutMs * 2.25));

export const laneTable = ({ pauseConcurrency, timeoutMs }: LaneTableOptions): Readonly<Record<LaneName, LaneSetting>> => ({
  pause: { places: pauseConcurrency, tries: 3, timeoutMs: Math.min(longestPauseMs, timeoutMs) },
  reads: { places: 4, tries: 3, timeoutMs },
  poll: { places: 2, tries: 2, timeoutMs: listMs(timeoutMs) },
  watch: { places: 4, tries: 2, timeoutMs },
  survey: { places: 2, tries: 2, timeoutMs: listMs(timeoutMs) },
  plan: { places: 2, tries: 2, timeoutMs },
  acts: { places: 2, tries: 1, timeoutMs },
});

/** Of all lanes together: whoever has a place must not wait for a connection. */
export const allPlaces = (options: LaneTableOptions): number =>
  Object.values(laneTable(options)).reduce((sum, { places }) => sum + places, 0);

export const createLanes = (options: LaneTableOptions): Readonly<Record<LaneName, Lane>> => {
  const { random = Math.random, now = Date.now, retryBaseMs: baseMs = 200 } = options;
  const shared = { baseMs, random, now, budget: new RetryBudget() };
  const table = laneTable(options);
  const lane = (name: LaneName): Lane => createLane({ ...shared, ...table[name], concurrency: table[name].places });
  return {
    pause: lane('pause'),
    reads: lane('reads'),
    poll: lane('poll'),
    watch: lane('watch'),
    survey: lane('survey'),
    plan: lane('plan'),
    acts: lane('acts'),
  };
};
