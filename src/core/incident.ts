import type { DagRef, Instant, LineageGap } from './facts.ts';
import type { DeliveryOrder } from './intent.ts';
import type { IncidentStatus } from './lifecycle.ts';
import type { Severity } from './policy.ts';
import type { Reason } from './reason.ts';

export const INCIDENT_TYPES = [
  'data_loss',
  'data_corruption',
  'data_breach',
  'pipeline_failure',
  'schema_change',
  'quality_degradation',
  'freshness_violation',
  'platform',
] as const;
export type IncidentType = (typeof INCIDENT_TYPES)[number];

/**
 * One run that the incident is about. `failing`: a task failed, the run goes on. `failed`: ended. `rerunning`: cleared, by us or
 * by somebody else. `healed`: succeeded after it had failed. `succeeded`: succeeded although a task had failed.
 * A failure is known by (airflow, dagId, runId, runStart): `end_date` may change afterwards, a clear begins a new start.
 */
export interface IncidentRun {
  readonly dagId: string;
  readonly runId: string;
  readonly role: 'cause' | 'fallout';
  readonly state: 'failing' | 'failed' | 'rerunning' | 'healed' | 'succeeded' | 'gone';
  readonly runType: string | null;
  readonly logicalDate: Instant | null;
  /** Start of the attempt that failed; null until Airflow told us. */
  readonly runStart: Instant | null;
  readonly failedTasks: readonly string[];
  readonly failedAt: Instant;
  /** Its data was reported as bad: it is `failed` for us although Airflow may call it a success, until it ran again as a whole. */
  readonly badData: boolean;
}

/** A DAG file that Airflow cannot load. */
export interface BrokenFile {
  readonly file: string;
  /** Last line of the trace. */
  readonly error: string;
  /** The DAGs that it made when it was last read; none where it never loaded. */
  readonly dags: readonly string[];
  readonly since: Instant;
  /** When Airflow had read it again, or it was gone; null until then. */
  readonly loadedAt: Instant | null;
}

/** A DAG downstream that is not held, and why not. */
export interface Spared extends DagRef {
  readonly reason: Reason;
  readonly path: readonly string[];
}

/** What a released DAG was given because it missed it, and whether it has run since. */
export interface Delivery extends DagRef {
  readonly how: 'event' | 'run' | 'fed_by' | 'backfill' | 'nothing' | 'not_delivered';
  readonly reason: Reason;
  /** True where a run is to be expected after the release: the incident is watched until it ended. */
  readonly expectRun: boolean;
  readonly since: Instant;
  readonly runId: string | null;
  readonly state: 'waiting' | 'sent' | 'ran' | 'failed' | 'not_seen' | 'done';
  /** What is to be asked of Airflow for it once it is unpaused. */
  readonly orders: readonly DeliveryOrder[];
  /** While it waits: since when no event reached it. Its assets are looked at again once it runs, because more may have come before it did. */
  readonly missedSince?: Instant;
  /** The intent that looks. Without it, or where the DAG is held again before it was given anything, another look is due. */
  readonly look?: string;
  /** The look has said what the orders are. */
  readonly looked?: true;
}

export interface IncidentTimestamps {
  readonly failedAt: Instant;
  readonly openedAt: Instant;
  /** When the same cause failed again after the release: what happened before belongs to the first episode. */
  readonly reopenedAt: Instant | null;
  readonly acknowledgedAt: Instant | null;
  readonly containedAt: Instant | null;
  readonly fixedAt: Instant | null;
  readonly repairedAt: Instant | null;
  readonly verifiedAt: Instant | null;
  readonly releasedAt: Instant | null;
  readonly resolvedAt: Instant | null;
  readonly dismissedAt: Instant | null;
}

/** The story of one failing cause. */
export interface Incident {
  readonly id: string;
  readonly airflow: string;
  /** The failing DAG. */
  readonly dagId: string;
  readonly status: IncidentStatus;
  readonly statusReason: Reason;
  readonly mode: 'armed' | 'shadow';
  readonly type: IncidentType;
  readonly severity: Severity;
  /** The rule that gave type and severity, one sentence. */
  readonly rule: string;
  /** Who gave the severity: a later word of the DAG's author counts above the policy's rule, and nothing counts above a person's. */
  readonly ruledBy: 'policy' | 'author' | 'person';
  readonly title: string;
  readonly runs: readonly IncidentRun[];
  /** What this incident is about where it is about DAG files that do not load: then it has no runs, holds nothing, and `dagId` is the first file. */
  readonly files?: readonly BrokenFile[];
  /** Opened because many DAGs failed at once: `dagId` is the one with which they were too many. */
  readonly outage?: true;
  readonly spared: readonly Spared[];
  readonly gaps: readonly LineageGap[];
  readonly deliveries: readonly Delivery[];
  readonly timestamps: IncidentTimestamps;
  readonly acknowledgedBy: string | null;
  readonly fixedBy: string | null;
  /** True while the facts for containment are still to be read. */
  readonly surveyPending: boolean;
  /** True once a release was asked for by a person or by verification; holds are then let go and no new ones made. */
  readonly releasing: boolean;
  /** Holds that nothing had let go yet when it was opened again: they go on, and what people do with them counts for the new episode. */
  readonly heldOver?: readonly string[];
}

/** About DAG files that do not load: no DAG's failure joins it, and it ends by itself. */
export const isAboutFiles = (incident: Incident): boolean => incident.files !== undefined;

/** About the DAG that it is named after: neither about files, nor about an outage, unless a person has said since that this is about data. */
export const isOfItsDag = (i: Incident): boolean => !isAboutFiles(i) && !(i.outage === true && i.type === 'platform');

/** While its cause stands, a DAG of which we learn late that it reads the bad data is held for it as well. */
export const holdsMore = (i: Incident): boolean =>
  (i.status === 'open' || i.status === 'contained' || i.status === 'repairing') && !i.releasing && i.type !== 'platform';
