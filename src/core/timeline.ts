import type { Instant } from './facts.ts';
import type { Reason } from './reason.ts';

/** Who did it: Firedamper itself, Airflow (what was seen there), or a named person. */
export type Actor =
  | { readonly kind: 'firedamper' }
  | { readonly kind: 'airflow' }
  | { readonly kind: 'person'; readonly name: string };

export const US: Actor = { kind: 'firedamper' };
export const AIRFLOW: Actor = { kind: 'airflow' };

/** One line of an incident's history. `event` is `noun.verb`; `subject` what it is about (a DAG, a run, a repair). */
export interface TimelineEntry {
  readonly incidentId: string | null;
  readonly at: Instant;
  readonly actor: Actor;
  readonly event: string;
  readonly subject: string | null;
  readonly reason: Reason;
  /** A person's own words. */
  readonly comment: string | null;
}
