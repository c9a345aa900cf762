import type { Instant } from './facts.ts';

/** The database is older than Airflow: nothing is changed outside from it until a person has looked at what differs. */
export interface Restored {
  readonly at: Instant;
  /** How it was noticed, in words. */
  readonly because: string;
  /** The last moment of which the file knows anything; null where it knows nothing. */
  readonly knowsUntil: Instant | null;
  /** True once everything in it that may have gone on meanwhile was taken back to a question. */
  readonly settled: boolean;
}
