/**
 * What Airflow told us, in our own words. Plain values, the same for Airflow 2 (REST v1) and Airflow 3 (REST v2); the rooms
 * that talk to Airflow translate into these, the core reads nothing else. Times are ISO 8601 strings in UTC, exactly as
 * `new Date(x).toISOString()` writes them, so that they compare as strings.
 */

/** ISO 8601, UTC, milliseconds: `2026-11-21T03:25:43.120Z`. */
export type Instant = string;

/** One DAG in one Airflow. */
export interface DagRef {
  readonly airflow: string;
  readonly dagId: string;
}

/** One thing in which a restored database and Airflow do not agree, in words. */
export interface Difference {
  readonly airflow: string;
  /** null where it concerns the whole Airflow. */
  readonly dagId: string | null;
  readonly text: string;
}

/** What `GET /dags` says of one DAG. Airflow 2.9-3.3. */
export interface DagFacts {
  readonly dagId: string;
  readonly paused: boolean;
  readonly tags: readonly string[];
  readonly owners: readonly string[];
  /** False for a DAG without a schedule, with an asset schedule, or `@once`: no intervals to fill. */
  readonly timeScheduled: boolean;
  /** True where the DAG is started by assets (datasets). */
  readonly assetScheduled: boolean;
  /** Cron text or timetable summary as Airflow prints it, for people and for computing intervals on 2.x; null without one. */
  readonly schedule: string | null;
  readonly maxActiveRuns: number | null;
  readonly nextRunAfter: Instant | null;
  readonly nextLogicalDate: Instant | null;
  /** The file that makes it, named as in `ImportErrorFacts`; null or missing where it was not told. */
  readonly file?: string | null;
}

/** What the schedule of a DAG may mean, at one offset from UTC. */
export interface Reading {
  readonly offsetMinutes: number;
  /** The end of the interval that starts there; null where this reading knows none. */
  readonly endOf: (start: Instant) => Instant | null;
}

/** A DAG file that Airflow cannot load. While it cannot, none of its DAGs runs. */
export interface ImportErrorFacts {
  /** An absolute path on 2.x; within its bundle, the bundle's name before it, on 3.x. */
  readonly file: string;
  /** Last line of the trace. */
  readonly error: string;
}

/** Asset condition of an asset-scheduled DAG: a tree of all/any over assets, by URI (2.x) or URI/name (3.x). */
export type AssetCondition =
  | { readonly all: readonly AssetCondition[] }
  | { readonly any: readonly AssetCondition[] }
  | { readonly uri: string }
  | { readonly other: string };

/** What `GET /dags/{id}/details` adds. */
export interface DagDetails extends DagFacts {
  readonly catchup: boolean;
  /** Seconds, null where none is set. */
  readonly dagrunTimeoutSeconds: number | null;
  readonly assetCondition: AssetCondition | null;
}

export type RunState = 'queued' | 'running' | 'success' | 'failed';

/** One DAG run. `startDate` tells one attempt of a run from the next: a clear resets it (seen live 2.11.2, 3.3.2). */
export interface RunFacts {
  readonly dagId: string;
  readonly runId: string;
  readonly state: RunState;
  /** As Airflow names it; the set grows (3.3 has `operator_triggered`), so it is text. */
  readonly runType: string;
  readonly logicalDate: Instant | null;
  readonly dataIntervalStart: Instant | null;
  readonly dataIntervalEnd: Instant | null;
  readonly startDate: Instant | null;
  readonly endDate: Instant | null;
  readonly queuedAt: Instant | null;
}

/** One task instance. */
export interface TaskFacts {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly tryNumber: number;
  readonly maxTries: number;
  /** null = not yet scheduled. */
  readonly state: string | null;
  readonly operator: string | null;
  readonly startDate: Instant | null;
  readonly endDate: Instant | null;
}

/** The shape of a DAG: task -> the tasks directly behind it. */
export interface TaskGraph {
  readonly dagId: string;
  readonly downstream: Readonly<Record<string, readonly string[]>>;
}

/** A pause-type row of Airflow's audit log. It proves that a request arrived, not that it worked. */
export interface AuditRow {
  readonly id: number;
  readonly when: Instant;
  /** null for a bulk PATCH: `pattern` then holds what it matched. */
  readonly dagId: string | null;
  readonly event: string;
  readonly owner: string | null;
  /** The direction that the row claims; wrong on 3.0.0-3.0.6, which write false for both (#55074). */
  readonly paused: boolean | null;
  /** Our own mark, `fd_op`: the intent's id. Only on 3.x. */
  readonly op: string | null;
  readonly pattern: string | null;
}

/** Answer to "may we read the audit log, and what does it say": `unreadable` must never be taken for "nobody touched it". */
export type AuditAnswer =
  | { readonly readable: true; readonly rows: readonly AuditRow[] }
  | { readonly readable: false; readonly why: string };

/** Where an edge of the lineage was learnt. */
export type LineageSource =
  | 'ui_dependencies'
  | 'assets'
  | 'datasets'
  | 'rendered_fields'
  | 'extra_links'
  | 'dag_dependencies_page'
  | 'config'
  | 'audit_log'
  | 'other_airflow';

/** `to` consumes what `from` makes. */
export interface LineageEdge {
  readonly from: DagRef;
  readonly to: DagRef;
  readonly kind: 'asset' | 'trigger' | 'sensor' | 'config';
  /** What lies between: asset URI or name, trigger task, sensor task, or the note of the configuration. For people. */
  readonly via: string;
  /** Tasks of `from` that make it; null = not known, take the whole DAG. */
  readonly fromTasks: readonly string[] | null;
  /** True where a run of `from` waits for the run of `to` it started (`wait_for_completion`); null = not known. */
  readonly waits: boolean | null;
  readonly source: LineageSource;
}

/** A lineage source that could not be read, and why: shown on incidents and by `firedamper check`. */
export interface LineageGap {
  readonly source: LineageSource;
  readonly why: string;
}

export interface Lineage {
  readonly airflow: string;
  readonly edges: readonly LineageEdge[];
  readonly gaps: readonly LineageGap[];
  readonly seenAt: Instant;
}

/** An asset (3.x) or dataset (2.x). `key` is what `deliver` wants back: the numeric id on 3.x, the URI on 2.x. */
export interface AssetFacts {
  readonly key: string;
  readonly uri: string;
  readonly name: string;
  readonly producers: readonly { readonly dagId: string; readonly taskId: string }[];
  /** DAGs that are scheduled on it. */
  readonly consumers: readonly string[];
}

/** One asset event and the runs that it started. */
export interface AssetEventFacts {
  readonly id: number;
  readonly assetKey: string;
  readonly uri: string;
  readonly timestamp: Instant;
  readonly sourceDagId: string | null;
  readonly sourceRunId: string | null;
  /** Runs that have read it: the one that it caused, or a later one that took along what its DAG missed (2.11.2, 3.3.2). */
  readonly createdRuns: readonly { readonly dagId: string; readonly runId: string; readonly startDate: Instant | null }[];
  /** `extra.firedamper_op`: our own mark on an event that we posted; null on everybody else's. */
  readonly op: string | null;
}

/** One task instance that a clear would run again. */
export interface ClearedTask {
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

/** A backfill of Airflow 3. `completedAt` comes up to 30 s late and says nothing about success. */
export interface BackfillFacts {
  readonly id: number;
  readonly dagId: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly reprocess: 'none' | 'failed' | 'completed';
  readonly createdAt: Instant;
  readonly completedAt: Instant | null;
}
