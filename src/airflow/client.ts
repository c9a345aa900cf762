import type {
  AssetEventFacts,
  AssetFacts,
  AuditAnswer,
  BackfillFacts,
  ClearedTask,
  DagDetails,
  DagFacts,
  ImportErrorFacts,
  Instant,
  Lineage,
  RunFacts,
  RunState,
  TaskFacts,
  TaskGraph,
} from '../core/facts.ts';

/** What could be listed of an asset's events. */
export interface AssetEvents {
  readonly events: readonly AssetEventFacts[];
  /** Events that Airflow has and cannot list, because a run that they caused has not begun, or was cleared and has not begun again (3.0.6-3.3.2). */
  readonly unreadable: number;
}

/**
 * Everything that Firedamper asks of one Airflow, one method per thing we need, in our words. Airflow 2 (REST v1) and
 * Airflow 3 (REST v2) stand behind it; nobody outside this room knows which. Every method rejects with an `AirflowError`
 * and nothing else.
 */
export interface AirflowClient {
  readonly id: string;
  /** Version, generation and health; finds both out at the first call and again after an error that hints at an upgrade. */
  probe(): Promise<AirflowIdentity>;
  /** What this account may do: for `check`, and to degrade openly. Read-only: it changes nothing in Airflow. */
  capabilities(): Promise<readonly Capability[]>;

  /** All DAGs that are not stale, every page. */
  listDags(): Promise<readonly DagFacts[]>;
  /** DAG files that do not load now, every page. */
  listImportErrors(): Promise<readonly ImportErrorFacts[]>;
  getDag(dagId: string): Promise<DagFacts>;
  getDagDetails(dagId: string): Promise<DagDetails>;
  getTaskGraph(dagId: string): Promise<TaskGraph>;

  /**
   * The whole cross-DAG graph as far as this Airflow tells it. Never rejects for a source that is missing or forbidden:
   * that becomes a gap. Rejects only when nothing at all could be read. `known` are the ids of `listDags`, which a survey has already: a page of
   * 100 DAGs costs the web server 0.5 s of processor time (2.11.2).
   */
  getLineage(known: () => Promise<readonly string[]>): Promise<Lineage>;
  listAssets(): Promise<readonly AssetFacts[]>;
  /** Events of one asset at or after `since`, oldest first, every page. */
  listAssetEvents(assetKey: string, since: Instant): Promise<AssetEvents>;

  /** Runs of all DAGs that failed and ended at or after `since`, oldest first, every page. Rows that never started are left out. */
  listFailedRuns(since: Instant): Promise<readonly RunFacts[]>;
  /** The same by `updated_at`: the slower second pass that finds what the first cannot. */
  listFailedRunsUpdated(since: Instant): Promise<readonly RunFacts[]>;
  /** Task instances of all DAGs that failed for good (state `failed`, not `up_for_retry`) and ended at or after `since`, every page. */
  listFailedTasks(since: Instant): Promise<readonly TaskFacts[]>;
  /** Runs of one DAG, newest first; none of one that does not exist. */
  listRuns(dagId: string, filter: RunFilter): Promise<readonly RunFacts[]>;
  /** null where Airflow has no such run. */
  getRun(dagId: string, runId: string): Promise<RunFacts | null>;
  listTasks(dagId: string, runId: string): Promise<readonly TaskFacts[]>;
  /** `rendered_fields` of one task instance; `{}` where it never ran. Unmapped tasks only. */
  getRenderedFields(dagId: string, runId: string, taskId: string): Promise<Readonly<Record<string, unknown>>>;

  /** Newest id of the audit log over all DAGs; 0 when the log is empty; unreadable answers say so. */
  auditCursor(): Promise<{ readonly readable: true; readonly id: number } | { readonly readable: false; readonly why: string }>;
  /** Pause-type rows with an id above `afterId` that concern this DAG: by its id, or a bulk PATCH whose pattern could match it. Oldest first. */
  auditRows(dagId: string, afterId: number): Promise<AuditAnswer>;

  /** PATCH is_paused of one DAG by its exact id. `op` is our mark for the audit row (sent on 3.x only). Answers what Airflow echoes. */
  setPaused(dagId: string, paused: boolean, op: string): Promise<DagFacts>;

  /** What clearing would run again; changes nothing. Empty = nothing. */
  dryRunClear(request: ClearRequest): Promise<readonly ClearedTask[]>;
  /** Clears and re-queues the run. Never repeated blindly: rejects with `outcome: 'unknown'` where the answer was lost. */
  clear(request: ClearRequest): Promise<void>;

  /** True where `backfill` methods exist (3.x). */
  readonly canBackfill: boolean;
  /** Logical dates that the backfill would run, ascending; `[]` where it would run none. 3.x only. */
  dryRunBackfill(request: BackfillRequest): Promise<readonly Instant[]>;
  startBackfill(request: BackfillRequest): Promise<BackfillFacts>;
  /** Backfills of one DAG, newest first. */
  listBackfills(dagId: string): Promise<readonly BackfillFacts[]>;
  cancelBackfill(id: number): Promise<void>;

  /** POST dagRuns with our own run id, which makes it findable: 409 rejects with kind `conflict`. */
  triggerRun(request: TriggerRequest): Promise<RunFacts>;
  /** POST an asset (dataset) event: reaches every consumer that is not paused. */
  createAssetEvent(assetKey: string, extra: Readonly<Record<string, string>>): Promise<AssetEventFacts>;
  /** Assets queued for this DAG (an event arrived, the condition is not yet met), by asset key or URI. */
  queuedAssets(dagId: string): Promise<readonly string[]>;

  /** Account name that Airflow writes into its audit log for us; null with a static token whose name cannot be read. */
  readonly account: string | null;
  /** Address of a page in Airflow's own UI. */
  pageUrl(dagId: string, runId?: string, taskId?: string): string;
  /** Ends keep-alive sockets. */
  close(): void;
}

export interface AirflowIdentity {
  readonly version: string;
  readonly generation: 2 | 3;
  /** `unhealthy` when the scheduler's heartbeat is old although the API answers 200. */
  readonly scheduler: 'healthy' | 'unhealthy' | 'unknown';
  readonly database: 'healthy' | 'unhealthy' | 'unknown';
  /** The server's clock from its Date header, resolution 1 s; null when absent. */
  readonly serverTime: Instant | null;
}

export interface Capability {
  /** `read_dags`, `pause`, `read_runs`, `clear`, `backfill`, `trigger`, `read_audit_log`, `read_lineage`, `read_assets`, `read_import_errors`, `create_asset_events`. */
  readonly name: string;
  readonly allowed: 'yes' | 'no' | 'unknown' | 'absent';
  /** What it means for the user when it is not `yes`, one sentence. */
  readonly note: string;
}

export interface RunFilter {
  readonly states?: readonly RunState[];
  readonly logicalDateFrom?: Instant;
  readonly logicalDateTo?: Instant;
  readonly limit: number;
}

/** Whole run (`tasks: null`) or the named tasks and everything behind them. */
export interface ClearRequest {
  readonly dagId: string;
  readonly runId: string;
  readonly tasks: readonly string[] | null;
  /** 3.1+: run on the newest DAG version, so that a fix of the code counts. Ignored where the version lacks it. */
  readonly onLatestVersion: boolean;
}

export interface BackfillRequest {
  readonly dagId: string;
  /** Inclusive. */
  readonly from: Instant;
  /** Inclusive. */
  readonly to: Instant;
  readonly reprocess: 'none' | 'failed' | 'completed';
  readonly maxActiveRuns: number;
}

export interface TriggerRequest {
  readonly dagId: string;
  /** Letters, digits and `_.~:+-` only: 2.x answers anything else with a 500. */
  readonly runId: string;
  /** With a logical date both interval bounds must be given: 2.x otherwise takes the interval before it and loses the real one. */
  readonly interval: { readonly logicalDate: Instant; readonly start: Instant; readonly end: Instant } | null;
  readonly conf: Readonly<Record<string, unknown>> | null;
  readonly note: string | null;
}

export type AirflowErrorKind =
  | 'unreachable'
  | 'timeout'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rejected'
  | 'server_error'
  | 'not_airflow'
  | 'unsupported'
  | 'bad_id';

/**
 * The only error that leaves this room. It carries no header, no body and no address with credentials, so that logging it
 * cannot leak a secret.
 */
export class AirflowError extends Error {
  readonly kind: AirflowErrorKind;
  /**
   * `none`: Airflow certainly did nothing (never sent, or refused). `unknown`: the request left and no trustworthy answer
   * came back; read before doing anything else.
   */
  readonly outcome: 'none' | 'unknown';
  readonly status: number | null;
  /** Method and path template, such as `PATCH /dags/{dag_id}`. */
  readonly operation: string;
  /** For so long the server asked to be left alone (Retry-After), five minutes at most; null: it did not. */
  readonly retryAfterMs: number | null;

  constructor(
    kind: AirflowErrorKind,
    message: string,
    about: { outcome: 'none' | 'unknown'; status?: number | null; operation: string; retryAfterMs?: number | null },
  ) {
    super(message);
    this.name = 'AirflowError';
    this.kind = kind;
    this.outcome = about.outcome;
    this.status = about.status ?? null;
    this.operation = about.operation;
    this.retryAfterMs = about.retryAfterMs ?? null;
  }
}

/** Not in time: told by our own clock, or by a gateway that gave up waiting for Airflow. */
export const isLate = (error: unknown): boolean =>
  error instanceof AirflowError && (error.kind === 'timeout' || error.status === 504 || error.status === 408);
