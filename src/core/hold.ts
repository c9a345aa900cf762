import type { DagRef, Instant, LineageEdge } from './facts.ts';
import type { HoldState, OwnershipState } from './lifecycle.ts';
import type { Reason } from './reason.ts';

/** One incident's claim that one DAG must stay paused. Ten incidents on one DAG are ten rows and one PATCH. */
export interface Hold extends DagRef {
  readonly id: string;
  readonly incidentId: string;
  readonly state: HoldState;
  /** What Airflow said before we touched anything; null until it was read. */
  readonly foundPaused: boolean | null;
  readonly reason: Reason;
  /** The links that justify it, from the failing DAG on: `orders_etl -(asset s3://orders)-> revenue_report`. */
  readonly path: readonly string[];
  /** Kind of the last link of the path: a sensor's DAG can fail because of us, an asset's reader cannot fail before it starts. */
  readonly link: LineageEdge['kind'];
  /** Distance from the failing DAG in links; orders a release (upstream first). */
  readonly depth: number;
  readonly since: Instant;
  readonly reviewBy: Instant;
  readonly reviewAsked: boolean;
  readonly releasedAt: Instant | null;
}

/** Who paused one DAG. One row per DAG, whatever the number of holds on it. */
export interface Ownership extends DagRef {
  readonly state: OwnershipState;
  /** The intent that is under way or was the last, also our mark in the audit log on 3.x; or when we learnt that somebody else has moved it. */
  readonly op: string | null;
  /** Newest audit-log id before our pause; null where the log cannot be read. */
  readonly auditCursor: number | null;
  /** When our pause was decided: whatever the DAG missed since then is to be made good. */
  readonly since: Instant | null;
  /** True where a restart found it paused and could not tell by whom: never resumed without a person. */
  readonly uncertain: boolean;
  /** Airflow's answer before our pause; null until read. */
  readonly foundPaused: boolean | null;
  /** All marks that we have sent for this DAG during this hold: they tell our audit rows from anybody's. */
  readonly ops: readonly string[];
}
