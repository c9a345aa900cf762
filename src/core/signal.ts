import type { Instant } from './facts.ts';

/** `task_failed` is final: retries used up or not allowed. A retry is heard and recorded, never acted on. */
export type SignalKind = 'task_failed' | 'task_retry' | 'run_failed' | 'run_succeeded';
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
}

/** A stored signal: what became of it is part of the record. */
export interface HeardSignal extends Signal {
  readonly id: string;
  readonly heardAt: Instant;
  readonly incidentId: string | null;
  readonly outcome: string;
}
