import type { Instant } from './facts.ts';
import type { NotifyEvent } from './policy.ts';

/**
 * A recorded decision to touch (or to read for a decision) the outside, not yet done. Intents are written in the same transaction as the
 * incident; only `effects/worker.ts` runs them. A new outside act is one entry here, one rule in its stage file, one file in `effects/`:
 * the exhaustive switch in the worker does not compile until that file exists.
 */
export type IntentAct =
  | { readonly kind: 'survey'; readonly airflow: string; readonly incidentId: string; readonly again?: true }
  /** The same for DAGs of other Airflows: no hold in the incident's own waits for them. `again`: they did not answer, and are given time. */
  | { readonly kind: 'survey_elsewhere'; readonly airflow: string; readonly incidentId: string; readonly again?: true }
  | { readonly kind: 'pause_dag'; readonly airflow: string; readonly dagId: string }
  | { readonly kind: 'unpause_dag'; readonly airflow: string; readonly dagId: string; readonly forced: boolean }
  | { readonly kind: 'plan_repair'; readonly airflow: string; readonly repairId: string }
  | { readonly kind: 'repair_step'; readonly airflow: string; readonly repairId: string; readonly step: number }
  /** `again`: Airflow refused it, which has been told. */
  | { readonly kind: 'plan_release'; readonly airflow: string; readonly incidentId: string; readonly again?: true }
  | {
      readonly kind: 'plan_delivery';
      readonly airflow: string;
      readonly incidentId: string;
      readonly dags: readonly DagLook[];
    }
  | { readonly kind: 'deliver'; readonly airflow: string; readonly incidentId: string; readonly delivery: DeliveryOrder }
  | {
      readonly kind: 'send_notice';
      readonly channel: string;
      readonly incidentId: string;
      readonly event: NotifyEvent;
      readonly subject: string;
    };

export type IntentKind = IntentAct['kind'];

export interface DagLook {
  readonly dagId: string;
  readonly since: Instant;
  /** Where another incident than the act's own owes it what it missed: one look serves all who wait. */
  readonly incidentId?: string;
}

/** What to give to released DAGs that missed it: one asset event for all of them, one run each, or missed intervals. */
export type DeliveryOrder =
  | { readonly how: 'event'; readonly assetKey: string; readonly uri: string; readonly dagIds: readonly string[] }
  | { readonly how: 'run'; readonly dagId: string; readonly uri: string; readonly runId: string }
  | {
      readonly how: 'intervals';
      readonly dagId: string;
      readonly intervals: readonly { readonly start: Instant; readonly end: Instant }[];
    };

/** `sending` is committed before the socket opens; found at boot it means: outcome unknown, read back first. */
export type IntentState = 'planned' | 'sending' | 'done' | 'failed' | 'unknown';

export interface Intent {
  readonly id: string;
  readonly act: IntentAct;
  readonly state: IntentState;
  /** Unique mark for Airflow's audit log, own run ids and posted events. */
  readonly op: string;
  readonly attempts: number;
  readonly createdAt: Instant;
  /** Not before this. */
  readonly dueAt: Instant;
  readonly lastError: string | null;
}

/** Acts that change something outside: each attempt is on disk before it is made, and settled by reading after a crash. The others only read. */
export const CHANGES_OUTSIDE: Readonly<Record<IntentKind, boolean>> = {
  survey: false,
  survey_elsewhere: false,
  pause_dag: true,
  unpause_dag: true,
  plan_repair: false,
  repair_step: true,
  plan_release: false,
  plan_delivery: false,
  deliver: true,
  send_notice: true,
};

/** A right that is missing now may be granted in a minute. */
export const REFUSED_AGAIN_MS = 60_000;

/** Nothing that is to be done waits longer than this for its next attempt: five minutes where the other side wants so, and some of our own. */
export const LONGEST_WAIT_MS = 6 * 60_000;

/**
 * What is due later than we ever wait was dated by a clock that has been set back since: a hold would have waited ten minutes for the clock to catch up
 * (model, acts that cross each other).
 */
export function isDue(dueAt: Instant, now: Instant, createdAt?: Instant): boolean {
  // To be done at once, and not put off since: whatever our clock says by now.
  if (dueAt === createdAt) return true;
  const wait = Date.parse(dueAt) - Date.parse(now);
  return wait <= 0 || wait > LONGEST_WAIT_MS;
}
