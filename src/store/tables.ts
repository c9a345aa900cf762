/** The tables as the query builder sees them: columns as SQLite returns them (text, integers, null). */
import type { Generated } from 'kysely';

export interface Tables {
  tallies: { kind: 'incidents' | 'holds' | 'intents'; value: string; n: number };
  incidents: {
    id: string;
    airflow: string;
    dag_id: string;
    status: string;
    live: number;
    opened_at: string;
    released_at: string | null;
    n: number;
    doc: string;
  };
  holds: {
    id: string;
    n: number;
    incident_id: string;
    airflow: string;
    dag_id: string;
    state: string;
    found_paused: number | null;
    reason: string;
    path: string;
    link: string;
    depth: number;
    since: string;
    review_by: string;
    review_asked: number;
    released_at: string | null;
  };
  ownerships: {
    airflow: string;
    dag_id: string;
    state: string;
    op: string | null;
    audit_cursor: number | null;
    since: string | null;
    uncertain: number;
    found_paused: number | null;
    ops: string;
  };
  repairs: { id: string; n: number; incident_id: string; airflow: string; state: string; doc: string };
  intents: {
    id: string;
    n: number;
    kind: string;
    state: string;
    act: string;
    op: string;
    attempts: number;
    created_at: string;
    due_at: string;
    last_error: string | null;
  };
  signals: {
    id: string;
    n: number;
    key: string;
    airflow: string;
    dag_id: string;
    origin: string;
    incident_id: string | null;
    heard_at: string;
    doc: string;
  };
  timeline: {
    id: Generated<number>;
    incident_id: string | null;
    at: string;
    actor: string;
    event: string;
    subject: string | null;
    reason: string;
    comment: string | null;
  };
  inbox: {
    n: Generated<number>;
    airflow: string;
    webhook_id: string;
    dedupe_key: string | null;
    body: string;
    received_at: string;
    quarantine: string | null;
    done: number;
  };
  watermarks: { airflow: string; since: string | null; baseline: string };
  seen: { airflow: string; key: string; seen_at: string };
  counters: { kind: string; n: number };
  timeline_chain: { id: number; hash: string };
  service: { only_row: number; database_id: string; epoch: number; copied_at: string | null; restored: string | null };
  facts: { airflow: string; kind: 'dags' | 'lineage' | 'broken_files'; read_at: string; doc: string };
}
