/**
 * The life of an incident, a repair, a hold and an ownership, as tables. Nothing else decides which step is allowed; an illegal step
 * throws and changes nothing. The diagram in the README is drawn from these tables.
 */
import { internal } from '../errors.ts';
import type { IntentState } from './intent.ts';

export const INCIDENT_STATUS = {
  // Holds that cannot be made yet (Airflow is away, say) do not keep an approved repair from starting.
  open: ['contained', 'repairing', 'verifying', 'monitoring', 'dismissed', 'resolved'],
  contained: ['repairing', 'verifying', 'monitoring', 'dismissed', 'resolved', 'open'],
  repairing: ['contained', 'verifying', 'monitoring', 'dismissed', 'open'],
  verifying: ['contained', 'monitoring', 'resolved', 'dismissed', 'open'],
  monitoring: ['resolved', 'dismissed', 'open'],
  resolved: ['open'],
  dismissed: [],
} as const satisfies Record<string, readonly string[]>;
export type IncidentStatus = keyof typeof INCIDENT_STATUS;

export const REPAIR_STATE = {
  planning: ['proposed', 'failed', 'cancelled', 'lapsed'],
  proposed: ['approved', 'rejected', 'cancelled', 'lapsed'],
  approved: ['running', 'lapsed', 'cancelled', 'failed'],
  running: ['succeeded', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  lapsed: [],
  rejected: [],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>;
export type RepairState = keyof typeof REPAIR_STATE;

export const HOLD_STATE = {
  intended: ['held', 'foreign', 'ceded', 'release_intended', 'released'],
  held: ['ceded', 'foreign', 'release_intended', 'released'],
  foreign: ['held', 'ceded', 'released'],
  ceded: ['released'],
  release_intended: ['released', 'ceded', 'foreign', 'held'],
  released: [],
} as const satisfies Record<string, readonly string[]>;
export type HoldState = keyof typeof HOLD_STATE;

export const OWNERSHIP_STATE = {
  none: ['pause_intended', 'foreign'],
  pause_intended: ['ours', 'foreign', 'none', 'ceded'],
  ours: ['resume_intended', 'ceded', 'foreign', 'none'],
  resume_intended: ['none', 'ours', 'ceded', 'foreign'],
  foreign: ['none', 'pause_intended'],
  ceded: ['none', 'pause_intended', 'foreign'],
} as const satisfies Record<string, readonly string[]>;
export type OwnershipState = keyof typeof OWNERSHIP_STATE;

/** True for a status that nothing leads out of, or that is over: such an incident takes part in no decision but a reopening. */
export const isOver = (status: IncidentStatus): boolean => status === 'resolved' || status === 'dismissed';
export const isActiveRepair = (state: RepairState): boolean =>
  state === 'planning' || state === 'proposed' || state === 'approved' || state === 'running';
/** A hold that still asks for its DAG to stay paused. */
export const isHolding = (state: HoldState): boolean => state === 'intended' || state === 'held' || state === 'foreign';

/** An intent whose outcome is still to come. */
export const isUnderWay = (state: IntentState): boolean => state === 'planned' || state === 'sending' || state === 'unknown';

/** Checks one step against its table. Staying where one is, is always allowed. */
export function step<S extends string>(table: Record<S, readonly string[]>, what: string, from: S, to: S): S {
  if (from !== to && !table[from].includes(to)) throw internal(`illegal step of ${what}: ${from} -> ${to}`);
  return to;
}
