import type { DagFacts, Instant, LineageEdge } from '../core/facts.ts';
import type { Hold, Ownership } from '../core/hold.ts';
import type { Incident } from '../core/incident.ts';
import type { Repair } from '../core/plan.ts';
import type { HeardSignal } from '../core/signal.ts';
import type { TimelineEntry } from '../core/timeline.ts';

/** What pages and the HTTP API ask. Read-only, on a connection of its own. */
export interface ReadModels {
  incidents(query: {
    status?: readonly string[];
    dagId?: string;
    airflow?: string;
    limit: number;
    cursor?: string;
  }): Promise<Page<Incident>>;
  incident(id: string): Promise<IncidentView | null>;
  /** Oldest first. */
  timeline(incidentId: string): Promise<readonly StoredEntry[]>;
  /** Newest first; `active` leaves out released ones. */
  holds(query: {
    dagId?: string;
    airflow?: string;
    incidentId?: string;
    active?: boolean;
    limit: number;
    cursor?: string;
  }): Promise<Page<Hold>>;
  hold(id: string): Promise<Hold | null>;
  repair(id: string): Promise<Repair | null>;
  dag(airflow: string, dagId: string): Promise<DagView | null>;
  /** Everything heard, newest first, whatever became of it. */
  signals(query: { dagId?: string; airflow?: string; limit: number; cursor?: string }): Promise<Page<HeardSignal>>;
  /** Callbacks that were signed and well-formed but of unknown shape, newest first. */
  quarantine(limit: number): Promise<readonly QuarantinedCallback[]>;
  counts(): Promise<StoreCounts>;
  /** By channel; one that nothing waits for and that nothing was given up for is not there. */
  untold(): Promise<readonly Untold[]>;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

export interface IncidentView {
  readonly incident: Incident;
  readonly signals: readonly HeardSignal[];
  readonly holds: readonly Hold[];
  /** Newest first. */
  readonly repairs: readonly Repair[];
  /** Links that lead from the failing DAG to everything held or spared, for the picture of the blast radius. */
  readonly edges: readonly LineageEdge[];
}

export interface StoredEntry extends TimelineEntry {
  readonly id: number;
}

export interface DagView {
  readonly facts: DagFacts | null;
  readonly ownership: Ownership | null;
  /** Active ones. */
  readonly holds: readonly Hold[];
  readonly upstream: readonly LineageEdge[];
  readonly downstream: readonly LineageEdge[];
}

export interface QuarantinedCallback {
  readonly id: string;
  readonly airflow: string;
  readonly receivedAt: Instant;
  readonly why: string;
  readonly body: string;
}

export interface StoreCounts {
  readonly incidentsByStatus: Readonly<Record<string, number>>;
  readonly holdsByState: Readonly<Record<string, number>>;
  readonly intentsByState: Readonly<Record<string, number>>;
  readonly inboxPending: number;
  readonly quarantined: number;
}

export interface Untold {
  readonly channel: string;
  /** Notices that are still to be sent, and when the oldest of them was decided. */
  readonly waiting: number;
  readonly oldest: Instant | null;
  /** Never told: given up, or refused. They are counted for as long as their rows are kept. */
  readonly failed: number;
}
