/** What the fake Airflow keeps. Names follow Airflow; times are milliseconds since 1970, null where Airflow has null. */

export type Outcome = 'success' | 'failed' | 'retry' | 'skipped' | 'wait';

export interface TaskSpec {
  /** Tasks directly behind this one. */
  readonly downstream?: readonly string[];
  /** Asset (dataset) URIs that a success of this task fills. */
  readonly outlets?: readonly string[];
  /** TriggerDagRunOperator: starts a run of this DAG. `templated`: the graph only knows a Jinja text. */
  readonly triggers?: { readonly dagId: string; readonly wait?: boolean; readonly templated?: boolean };
  /** ExternalTaskSensor: waits for this DAG, or tasks of it, at the same logical date. */
  readonly waitsFor?: { readonly dagId: string; readonly taskIds?: readonly string[] };
  /** Default `all_success`. */
  readonly rule?: 'all_success' | 'all_done' | 'one_success' | 'none_failed';
  readonly retries?: number;
  /** Milliseconds that the task runs with `autoRun`; default the world's `taskMs`. */
  readonly ms?: number;
  readonly operator?: string;
}

export type Condition = string | { readonly all: readonly Condition[] } | { readonly any: readonly Condition[] };

export interface DagSpec {
  readonly tasks: Readonly<Record<string, TaskSpec>>;
  /** null: none. `{ every: ms }`: a cron of that spacing from `start` on. `{ assets }`: started by assets. */
  readonly schedule?:
    | null
    | { readonly every: number; readonly cron?: string; readonly start: number; readonly next?: number }
    | { readonly assets: Condition };
  readonly catchup?: boolean;
  readonly paused?: boolean;
  readonly tags?: readonly string[];
  readonly owners?: readonly string[];
  readonly maxActiveRuns?: number;
  readonly timeoutSeconds?: number;
  readonly stale?: boolean;
}

export interface Dag {
  readonly id: string;
  readonly spec: DagSpec;
  paused: boolean;
  /** Start of the next interval that the scheduler would create; null without a time schedule. */
  nextLogical: number | null;
  /** Asset URIs that have an event queued. */
  readonly queued: Map<string, number>;
}

export interface TaskInstance {
  readonly taskId: string;
  state: string | null;
  tryNumber: number;
  maxTries: number;
  start: number | null;
  end: number | null;
  updated: number;
  rendered: Record<string, unknown>;
  /** Child run of a trigger task. */
  child: { dagId: string; runId: string } | null;
  /** When `autoRun` will end it. */
  endsAt: number | null;
}

export interface Run {
  readonly dagId: string;
  readonly runId: string;
  runType: string;
  readonly logical: number | null;
  readonly intervalStart: number | null;
  readonly intervalEnd: number | null;
  readonly runAfter: number;
  readonly triggeredBy: string;
  conf: Record<string, unknown>;
  note: string | null;
  state: 'queued' | 'running' | 'success' | 'failed';
  queuedAt: number;
  start: number | null;
  end: number | null;
  updated: number;
  clears: number;
  backfill: number | null;
  readonly order: number;
  readonly tasks: Map<string, TaskInstance>;
}

export interface Asset {
  readonly id: number;
  readonly uri: string;
  readonly name: string;
}

export interface AssetEvent {
  readonly id: number;
  readonly assetId: number;
  readonly uri: string;
  readonly at: number;
  readonly extra: Record<string, unknown>;
  readonly dagId: string | null;
  readonly runId: string | null;
  readonly taskId: string | null;
  readonly created: { dagId: string; runId: string; triggering: boolean; run: Pick<Run, 'start'> }[];
}

export interface Backfill {
  readonly id: number;
  readonly dagId: string;
  readonly from: number;
  readonly to: number;
  readonly reprocess: 'none' | 'failed' | 'completed';
  readonly maxActiveRuns: number;
  readonly conf: Record<string, unknown> | null;
  readonly createdAt: number;
  paused: boolean;
  completedAt: number | null;
  runs: string[];
}

export interface AuditEntry {
  readonly id: number;
  readonly when: number;
  readonly dagId: string | null;
  readonly runId: string | null;
  readonly event: string;
  readonly owner: string;
  readonly extra: string | null;
}

/** What really happened, in order: what tests judge by. */
export interface Effect {
  readonly at: number;
  readonly kind:
    | 'pause'
    | 'unpause'
    | 'clear'
    | 'trigger'
    | 'backfill'
    | 'cancel_backfill'
    | 'asset_event'
    | 'run_started'
    | 'run_ended';
  readonly dagId: string;
  readonly runId?: string;
  /** User name, `scheduler` or `operator`. */
  readonly by: string;
  readonly detail?: string;
}

export class FakeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
