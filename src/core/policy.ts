/**
 * The policy as the core reads it: the `policy` part of the configuration, with every default filled in and every duration
 * in milliseconds. `config.ts` makes it; nothing in here is optional, so that a rule never has to guess.
 */
export interface Policy {
  /** `shadow`: decide and tell everything, change nothing in Airflow. */
  readonly mode: 'armed' | 'shadow';
  readonly watch: {
    /** Globs (`*`, `?`) over dag ids; a DAG must match one of `dags` and none of `ignoreDags`. */
    readonly dags: readonly string[];
    readonly ignoreDags: readonly string[];
    readonly ignoreTags: readonly string[];
    readonly ignoreRunTypes: readonly string[];
    /** Whether DAG files that Airflow cannot load open an incident. */
    readonly importErrors: boolean;
  };
  readonly hold: {
    readonly at: 'task_failure' | 'run_end';
    /** At most so many DAGs held by one incident; the nearest first. */
    readonly maxDags: number;
    /** At most so many links away from the failing DAG. */
    readonly maxDepth: number;
    /** At most this share (0..1) of all DAGs of the Airflow, never less than one DAG. */
    readonly maxShare: number;
    readonly protectedDags: readonly string[];
    readonly pauseFailingDag: boolean;
    readonly reviewAfterMs: number;
  };
  readonly platform: {
    /** So many different failing DAGs within `windowMs` are the platform, not the data: one incident, no new holds. */
    readonly massFailureDags: number;
    readonly windowMs: number;
  };
  readonly release: {
    readonly mode: 'automatic' | 'confirm';
    readonly withoutAuditLog: 'ask' | 'observed';
    /** What a time-scheduled DAG gets for intervals missed while held: Airflow's own catch-up setting decides, or a backfill of all. */
    readonly missedIntervals: 'as_airflow' | 'backfill';
  };
  readonly repair: {
    readonly approvalExpiresMs: number;
    readonly allowSelfApproval: boolean;
    readonly maxActiveRuns: number;
    /** Any later successful run heals (DAGs that rebuild everything each time); the tag `firedamper:latest-heals` does the same for one DAG. */
    readonly latestHeals: boolean;
    /** A repair whose runs have not ended after so long is shown as stuck and people are told. */
    readonly stuckAfterMs: number;
  };
  readonly verify: {
    /** True: the runs' success is not enough, a person's word (`/verify`) is needed too. */
    readonly requirePerson: boolean;
  };
  readonly monitor: {
    /** How long after the release a new failure of the same cause reopens the incident. */
    readonly reopenWithinMs: number;
    /** How long a released DAG is watched for the run it should have; yaml `settle_within`, default 30m. */
    readonly settleWithinMs: number;
  };
  readonly notify: {
    /** How long a notice waits for a channel that is away before it is given up. */
    readonly giveUpAfterMs: number;
  };
  /** Who is told of what; the channel itself is configured elsewhere. */
  readonly channels: readonly { readonly id: string; readonly events: readonly NotifyEvent[] }[];
  readonly severity: {
    /** A DAG with one of these tags, or with one of them downstream, makes P1. */
    readonly p1Tags: readonly string[];
    readonly defaultSeverity: Severity;
    readonly p1Severity: Severity;
  };
}

export type Severity = 'P0' | 'P1' | 'P2' | 'P3';

/** Roles in rising order; a higher one may do everything that a lower one may. */
export const ROLES = ['viewer', 'responder', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What people can be told of. `attention` = something waits for a person (ceded hold, review due, stuck repair, a gap). */
export const NOTIFY_EVENTS = ['opened', 'held', 'approval', 'failed', 'resolved', 'attention'] as const;
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number];

/** From then on a notice says for when it was meant. */
export const LATE_NOTICE_MS = 5 * 60_000;
