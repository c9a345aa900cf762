import type { ClearedTask, Instant } from './facts.ts';
import type { RepairState } from './lifecycle.ts';
import type { Role } from './policy.ts';
import type { Reason } from './reason.ts';

/** What one step asks Airflow to do. */
export type StepRequest =
  | {
      readonly kind: 'clear';
      readonly runId: string;
      readonly logicalDate: Instant | null;
      /** null = the whole run: it failed without a failed task (time-out, marked by hand). */
      readonly tasks: readonly string[] | null;
      /** Start of the attempt that failed: another start means that somebody was faster. */
      readonly runStart: Instant | null;
    }
  | {
      readonly kind: 'backfill';
      readonly from: Instant;
      readonly to: Instant;
      readonly reprocess: 'none' | 'failed' | 'completed';
      readonly maxActiveRuns: number;
    }
  | {
      readonly kind: 'create_run';
      readonly runId: string;
      readonly logicalDate: Instant;
      readonly intervalStart: Instant;
      readonly intervalEnd: Instant;
    };

/** Airflow's dry-run answer: exactly what would run. */
export interface PlannedRun {
  readonly runId: string | null;
  readonly logicalDate: Instant | null;
  /** Start of the attempt that failed; null where no run exists yet. A run counts as done again only with another start. */
  readonly startBefore: Instant | null;
  readonly tasks: readonly Pick<ClearedTask, 'taskId' | 'mapIndex'>[];
}

/** One run of a step as last seen. */
export interface StepRun {
  readonly runId: string | null;
  readonly logicalDate: Instant | null;
  readonly state: 'waiting' | 'queued' | 'running' | 'success' | 'failed';
}

export interface Step {
  readonly n: number;
  readonly dagId: string;
  /** Steps of one wave may run side by side (capped); a wave starts when the one before it has succeeded whole. */
  readonly wave: number;
  readonly stage: 'canary' | 'rest' | 'all';
  readonly request: StepRequest;
  /** Who answered the dry run: Airflow, or ourselves (shadow mode sends nothing; 2.x cannot dry-run a new run). */
  readonly dryRun: 'airflow' | 'computed';
  readonly runs: readonly PlannedRun[];
  readonly state: 'waiting' | 'sending' | 'running' | 'succeeded' | 'failed' | 'skipped';
  readonly reason: Reason | null;
  readonly progress: readonly StepRun[];
  readonly startedAt: Instant | null;
  readonly endedAt: Instant | null;
}

export interface Approval {
  readonly by: string;
  readonly role: Role;
  readonly at: Instant;
  readonly comment: string | null;
  readonly digest: string;
}

/** A plan of re-runs and backfills that makes the data whole. */
export interface Repair {
  readonly id: string;
  readonly incidentId: string;
  readonly airflow: string;
  readonly state: RepairState;
  readonly stateReason: Reason;
  readonly steps: readonly Step[];
  /** SHA-256 of the canonical plan, hex; null until it is proposed. */
  readonly digest: string | null;
  readonly warnings: readonly string[];
  readonly requestedBy: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly approval: Approval | null;
  readonly endedAt: Instant | null;
  readonly stuckTold: boolean;
}
