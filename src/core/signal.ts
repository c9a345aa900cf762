import type { Instant } from './facts.ts';
import type { IncidentType } from './incident.ts';
import type { Severity } from './policy.ts';

/**
 * `task_failed` is final: retries used up or not allowed. A retry is heard and recorded, never acted on. `report`: code or a person says that what a
 * run made is bad, whatever the state of the run.
 */
export type SignalKind = 'task_failed' | 'task_retry' | 'run_failed' | 'run_succeeded' | 'report';
export type SignalOrigin = 'callback' | 'poll' | 'person' | 'api';

/** One thing heard about one run. `key` is semantic: the same failure heard twice, by whatever way, has the same key. */
export interface Signal {
  readonly key: string;
  readonly airflow: string;
  readonly kind: SignalKind;
  readonly origin: SignalOrigin;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string | null;
  readonly mapIndex: number;
  readonly tryNumber: number | null;
  readonly runType: string | null;
  readonly logicalDate: Instant | null;
  readonly runStart: Instant | null;
  readonly occurredAt: Instant;
  /** Exception or reason, for people; hostile text. */
  readonly text: string | null;
  readonly logUrl: string | null;
  readonly said: Said;
}

/** What the author of the DAG, or the check that failed, says beyond the failure itself. */
export interface Said {
  readonly severity: Severity | null;
  readonly incidentType: IncidentType | null;
  readonly note: string | null;
  /** For the incident's title; null: made from DAG and task. */
  readonly title: string | null;
  /** The run made bad data: that it succeeds proves nothing, all of it has to run again. */
  readonly badData: boolean;
}

export const NOTHING_SAID: Said = { severity: null, incidentType: null, note: null, title: null, badData: false };

/** A stored signal: what became of it is part of the record. */
export interface HeardSignal extends Signal {
  readonly id: string;
  readonly heardAt: Instant;
  readonly incidentId: string | null;
  readonly outcome: string;
}
