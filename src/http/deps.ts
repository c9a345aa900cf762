import type { Config } from '../config.ts';
import type { Answer, Person, PersonAct } from '../core/events.ts';
import type { Difference, Instant } from '../core/facts.ts';
import type { GateAnswer } from '../core/gate.ts';
import type { ReadModels } from '../store/readModels.ts';

/** What the HTTP room is given by `app.ts`; tests give the same. */
export interface HttpDeps {
  readonly config: Config;
  readonly read: ReadModels;
  /** A person's act enters through `respond.ts` like everything else. Rejects with a FiredamperError. */
  act(person: Person, act: PersonAct): Promise<Answer>;
  /** Resolves when the row is on disk (one commit per event-loop turn); rejects with `unavailable` when it cannot be. */
  accept(callback: AcceptedCallback): Promise<{ readonly id: string; readonly duplicate: boolean }>;
  /** What a release of this incident would start, read from Airflow now. null: no such incident. */
  releasePreview(incidentId: string): Promise<ReleasePreview | null>;
  /** Whether an open incident covers what this DAG reads. null: this Airflow has not been read yet. */
  gate(airflow: string, dagId: string): Promise<GateAnswer | null>;
  /** What differs between a restored database and Airflow, read now; null while there is nothing to confirm. */
  restored(): Promise<RestoreView | null>;
  health(): Promise<Health>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  now(): number;
  readonly log: Log;
}

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface AcceptedCallback {
  readonly airflow: string;
  readonly webhookId: string;
  /** Raw body as text, kept as it came. */
  readonly body: string;
  readonly receivedAt: Instant;
  /** null for a known shape; otherwise why it goes into quarantine. */
  readonly quarantine: string | null;
  readonly dedupeKey: string | null;
}

export interface ReleasePreview {
  readonly incidentId: string;
  readonly dags: readonly {
    readonly dagId: string;
    readonly holdState: string;
    /** False where a release will not unpause it; `why` says why. */
    readonly willUnpause: boolean;
    readonly why: string;
    readonly frozenRuns: readonly string[];
    readonly queuedRuns: readonly string[];
    readonly wouldTimeOut: readonly string[];
    readonly startsByItself: number;
    readonly compensation: string;
  }[];
}

export interface RestoreView {
  readonly at: Instant;
  readonly because: string;
  readonly knowsUntil: Instant | null;
  readonly differences: readonly Difference[];
}

export interface Health {
  /** Able to accept callbacks and to act. */
  readonly ready: boolean;
  readonly reasons: readonly string[];
  /** Channels that nothing reaches, in words: what people are not told must not look like silence. */
  readonly untold?: readonly string[];
  readonly version: string;
  readonly mode: 'armed' | 'shadow';
  readonly airflows: readonly {
    readonly id: string;
    readonly version: string | null;
    readonly state: 'ok' | 'degraded' | 'unreachable' | 'unknown';
    readonly detail: string;
    readonly lastPollAt: Instant | null;
    /** Its clock minus ours; null: not known. */
    readonly clockSkewSeconds?: number | null;
    readonly gaps: readonly string[];
  }[];
}
