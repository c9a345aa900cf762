import type {
  DagDetails,
  DagFacts,
  DagRef,
  ImportErrorFacts,
  Instant,
  LineageEdge,
  LineageGap,
  RunFacts,
  TaskFacts,
  TaskGraph,
} from './facts.ts';
import type { IncidentType } from './incident.ts';
import type { DeliveryOrder } from './intent.ts';
import type { Step } from './plan.ts';
import type { Role, Severity } from './policy.ts';
import type { Reason } from './reason.ts';
import type { Signal } from './signal.ts';

/** Everything that can make Firedamper decide something. All of it enters through `respond.ts`. */
export type DomainEvent =
  | { readonly type: 'signal'; readonly signal: Signal }
  | { readonly type: 'outcome'; readonly intentId: string; readonly outcome: Outcome }
  | { readonly type: 'observed'; readonly airflow: string; readonly seen: Observation }
  | { readonly type: 'person'; readonly actor: Person; readonly act: PersonAct }
  /** DAG files that do not load now. `before`: those that did not at the look before this one, null at the very first. */
  | {
      readonly type: 'broken_files';
      readonly airflow: string;
      readonly now: readonly SeenBroken[];
      readonly before: readonly string[] | null;
    }
  /** Links were learnt or lost: whom an open incident reaches is looked at again. */
  | { readonly type: 'lineage_changed'; readonly airflow: string }
  /** The file was found to be a restored one; `paused`: what it had last read as paused. */
  | { readonly type: 'restored'; readonly paused: readonly DagRef[] }
  /** Time has passed: expiries, reviews, ends of monitoring. */
  | { readonly type: 'tick' };

export interface SeenBroken extends ImportErrorFacts {
  readonly dags: readonly string[];
}

/** How one run of one intent ended. `retryAfterMs`: not before that, because Airflow asked for it. `unknown` is a state of its own: the next attempt reads before it does anything. */
export type Outcome =
  | { readonly result: 'done'; readonly facts: OutcomeFacts }
  /** Certainly not done; `retry` says whether trying again makes sense. */
  | {
      readonly result: 'failed';
      readonly error: string;
      readonly retry: boolean;
      /** When the other side wants to be asked again. */
      readonly retryAfterMs?: number;
    }
  /** `unread`: a look for an earlier attempt's effect failed too, or is not enough, so nothing new is known and nothing was sent. */
  | { readonly result: 'unknown'; readonly error: string; readonly unread?: true; readonly retryAfterMs?: number }
  /** Certainly not done and nothing is wrong: Airflow is not there yet. Asked again soon, without an end and without counting as an attempt. */
  | { readonly result: 'not_yet'; readonly why: string };

export type OutcomeFacts =
  | { readonly kind: 'survey'; readonly survey: Survey }
  | { readonly kind: 'pause_dag'; readonly found: PauseFound }
  | { readonly kind: 'unpause_dag'; readonly found: UnpauseFound }
  | { readonly kind: 'plan_repair'; readonly plan: PlanFacts }
  | { readonly kind: 'repair_step'; readonly step: number; readonly settled: 'sent' | 'found_done' }
  | { readonly kind: 'plan_release'; readonly missed: readonly MissedFacts[] }
  | { readonly kind: 'plan_delivery'; readonly missed: readonly MissedInputs[] }
  | { readonly kind: 'deliver'; readonly delivery: DeliveryOrder; readonly runIds: Readonly<Record<string, string>> }
  | { readonly kind: 'send_notice' };

/** Facts for containment, read at the failure. */
export interface Survey {
  /** null: could not be read, so the whole DAG counts as failed (the safe side: hold more). */
  readonly taskGraph: TaskGraph | null;
  /** Failed and upstream_failed tasks of the run as REST shows them now; may lag behind the callback. */
  readonly tasks: readonly TaskFacts[];
  readonly run: RunFacts | null;
  /** State of every DAG that may be held, by Airflow. One that did not answer is not there. */
  readonly switches: readonly SwitchFacts[];
  /** The failed runs that were known when the look began, as `dag run`. Default: all. */
  readonly of?: readonly string[];
  /** Who was asked: the incident's own Airflow, or all others. Default: everybody. */
  readonly scope?: 'home' | 'elsewhere';
}

/** What one Airflow showed of the DAGs that may be held. */
export interface SwitchFacts {
  readonly airflow: string;
  readonly dags: readonly DagFacts[];
  /** DAGs that were asked for, and that it does not have. */
  readonly unknown: readonly string[];
  /** A row of this Airflow's own log: what came before it was there when we looked. */
  readonly auditCursor: number | null;
  /** Why the audit log cannot be read; null when it can. */
  readonly auditGap: string | null;
  /** By DAG of which we knew something when the look began: `settledOp` of it. */
  readonly ops: Readonly<Record<string, string | null>>;
}

export type PauseFound =
  /** Read back as paused after our PATCH (or, settled after a crash, with our mark in the audit log). */
  | { readonly was: 'paused_by_us'; readonly settled: boolean }
  | { readonly was: 'already_paused'; readonly settled: boolean }
  /** Our pause arrived, and a person undid it before we could read it back. */
  | { readonly was: 'taken_over'; readonly who: string }
  /** Paused after a crash, and the audit log cannot tell by whom. */
  | { readonly was: 'paused_by_unknown' }
  /** Nothing was sent: every hold had ended before another attempt. */
  | { readonly was: 'not_wanted' }
  | { readonly was: 'gone' };

export type UnpauseFound =
  /** `cursor`: newest audit-log id behind which nobody has touched it; what is claimed next begins there. */
  | { readonly was: 'unpaused_by_us'; readonly cursor?: number | null }
  | { readonly was: 'already_unpaused'; readonly who: string; readonly cursor?: number | null }
  | { readonly was: 'touched'; readonly who: string }
  /** Somebody paused it in the gap between our reading and our PATCH: we paused it again. */
  | { readonly was: 'repaused'; readonly who: string }
  | { readonly was: 'uncertain'; readonly why: string }
  | { readonly was: 'gone' };

/** What the dry runs said; `steps` have no progress yet. */
export interface PlanFacts {
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
}

/** What one DAG missed of its assets while it was held. */
export interface MissedInputs extends DagRef {
  readonly details: DagDetails | null;
  readonly missedAssets: readonly MissedAsset[];
}

/** What one held DAG missed, read just before its release. */
export interface MissedFacts extends MissedInputs {
  /** From when on no event reached it. */
  readonly since: Instant;
  readonly frozenRuns: readonly RunFacts[];
  readonly queuedRuns: readonly RunFacts[];
  /** Runs that the unpause starts by itself (catch-up, latest interval). */
  readonly startsByItself: number;
  /** Intervals that passed while it was held and that have no run; only read where the policy wants them backfilled. */
  readonly missedIntervals: readonly { readonly start: Instant; readonly end: Instant }[];
  /** Frozen runs older than the DAG's own time-out: Airflow fails them within two seconds of the unpause. */
  readonly wouldTimeOut: readonly string[];
}

export interface MissedAsset {
  readonly assetKey: string;
  readonly uri: string;
  /** Events that no run of the DAG had. */
  readonly events: number;
  /** DAGs that run, are scheduled on this asset too, and have had all its events: one more would start them again. */
  readonly otherReaders: readonly string[];
  /** Already queued for the DAG: fires by itself at the unpause. */
  readonly queued: boolean;
}

/** What one look at Airflow showed about the things that active incidents are about. Only what was really read is in it. */
export interface Observation {
  readonly runs: readonly RunFacts[];
  /** Runs asked for by id that Airflow does not have. */
  readonly goneRuns: readonly { readonly dagId: string; readonly runId: string }[];
  /** Pause state of DAGs that we hold, with who touched it last where the audit log says, and our last request about it when the look began. */
  readonly paused: readonly {
    readonly dagId: string;
    readonly op: string | null;
    readonly paused: boolean;
    readonly who: string | null;
  }[];
  /** DAGs that we hold and that Airflow does not have any more, with our last request about it when the look began. */
  readonly goneDags?: readonly { readonly dagId: string; readonly op: string | null }[];
  /** Runs of DAGs that were released, newest first. */
  readonly releasedRuns: readonly RunFacts[];
  /** Released DAGs whose runs could not be read: nothing is known of them. */
  readonly unreadReleased?: readonly string[];
}

export interface Person {
  readonly name: string;
  readonly role: Role;
}

export type PersonAct =
  | { readonly kind: 'acknowledge'; readonly incidentId: string; readonly comment: string | null }
  | { readonly kind: 'fixed'; readonly incidentId: string; readonly comment: string | null }
  | { readonly kind: 'dismiss'; readonly incidentId: string; readonly comment: string }
  /** Lets go of every hold now, verified or not. Approver and above. */
  | { readonly kind: 'release'; readonly incidentId: string; readonly comment: string }
  | { readonly kind: 'release_hold'; readonly holdId: string; readonly comment: string }
  | { readonly kind: 'verify'; readonly incidentId: string; readonly comment: string }
  | {
      readonly kind: 'edit';
      readonly incidentId: string;
      readonly comment: string;
      readonly severity?: Severity;
      readonly incidentType?: IncidentType;
      readonly title?: string;
    }
  | {
      readonly kind: 'declare';
      readonly airflow: string;
      readonly dagId: string;
      /** The run whose data is bad, where the person knows it. */
      readonly runId: string | null;
      readonly title: string;
      readonly severity: Severity | null;
      readonly incidentType: IncidentType | null;
      readonly comment: string | null;
    }
  | { readonly kind: 'approve'; readonly repairId: string; readonly digest: string; readonly comment: string | null }
  | { readonly kind: 'reject'; readonly repairId: string; readonly comment: string }
  | { readonly kind: 'cancel'; readonly repairId: string; readonly comment: string }
  /** After a restore: somebody has looked at what differs, and the service may act again. Admin. */
  | { readonly kind: 'confirm_restore'; readonly comment: string };

/** What the caller of `respond` is told; a refused act throws a FiredamperError instead and changes nothing. */
export interface Answer {
  readonly incidentId: string | null;
  readonly repairId: string | null;
  readonly holdId: string | null;
  readonly note: Reason | null;
}

/** What Airflow looks like, as last read: cached facts that a restart may lose without changing any decision for the worse. */
export interface World {
  /** Links of every Airflow and of the configuration. */
  edges(): readonly LineageEdge[];
  gaps(airflow: string): readonly LineageGap[];
  dag(airflow: string, dagId: string): DagFacts | null;
  dagCount(airflow: string): number;
  /** False until DAGs and lineage were read at least once: an empty graph must not be taken for "nothing downstream". */
  hasRead(airflow: string): boolean;
}
