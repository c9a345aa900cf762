/** Between rows and the core's values. The only place that knows which columns are JSON. */
import type { Insertable, Selectable } from 'kysely';
import type { Hold, Ownership } from '../core/hold.ts';
import type { Incident } from '../core/incident.ts';
import type { Intent } from '../core/intent.ts';
import { isOver } from '../core/lifecycle.ts';
import type { Repair } from '../core/plan.ts';
import type { Restored } from '../core/restore.ts';
import type { HeardSignal } from '../core/signal.ts';
import type { TimelineEntry } from '../core/timeline.ts';
import type { Tables } from './tables.ts';

/** `inc-42` -> 42: ids are numbered per kind, and lists are ordered by that number. */
export const numberOf = (id: string): number => Number(id.slice(id.lastIndexOf('-') + 1));
const bool = (n: number | null): boolean | null => (n === null ? null : n === 1);
const int = (b: boolean | null): number | null => (b === null ? null : b ? 1 : 0);

/**
 * Every decision loads every live document, and most have not changed since the last one. The core never changes a value in place, so the parsed one may
 * be shared. Kept is what the last load has used: with a bound instead, old versions of documents filled the heap with 25 MB of what nobody asks for
 * again, in a saw that hid whether anything else grew (soak, heap snapshots).
 */
let ofThisLoad = new Map<string, unknown>();
let ofTheLast = ofThisLoad;

/** To be called as a load begins. */
export function beginLoad(): void {
  ofTheLast = ofThisLoad;
  ofThisLoad = new Map();
}

function parsed(doc: string): unknown {
  const value: unknown = ofThisLoad.get(doc) ?? ofTheLast.get(doc) ?? JSON.parse(doc);
  ofThisLoad.set(doc, value);
  return value;
}

/** A dismissed incident still takes part until its last hold is let go. */
const isLive = (i: Incident): boolean => !isOver(i.status) || (i.status === 'dismissed' && i.timestamps.releasedAt === null);

export const incidentToRow = (i: Incident): Insertable<Tables['incidents']> => ({
  id: i.id,
  airflow: i.airflow,
  dag_id: i.dagId,
  status: i.status,
  live: isLive(i) ? 1 : 0,
  opened_at: i.timestamps.openedAt,
  released_at: i.timestamps.releasedAt,
  n: numberOf(i.id),
  doc: JSON.stringify(i),
});
export const incidentFromRow = (r: Pick<Selectable<Tables['incidents']>, 'doc'>): Incident => parsed(r.doc) as Incident;

export const repairToRow = (r: Repair): Insertable<Tables['repairs']> => ({
  id: r.id,
  n: numberOf(r.id),
  incident_id: r.incidentId,
  airflow: r.airflow,
  state: r.state,
  doc: JSON.stringify(r),
});
export const repairFromRow = (r: Pick<Selectable<Tables['repairs']>, 'doc'>): Repair => parsed(r.doc) as Repair;

export const holdToRow = (h: Hold): Insertable<Tables['holds']> => ({
  id: h.id,
  n: numberOf(h.id),
  incident_id: h.incidentId,
  airflow: h.airflow,
  dag_id: h.dagId,
  state: h.state,
  found_paused: int(h.foundPaused),
  reason: JSON.stringify(h.reason),
  path: JSON.stringify(h.path),
  link: h.link,
  depth: h.depth,
  since: h.since,
  review_by: h.reviewBy,
  review_asked: h.reviewAsked ? 1 : 0,
  released_at: h.releasedAt,
});
export const holdFromRow = (r: Selectable<Tables['holds']>): Hold => ({
  id: r.id,
  incidentId: r.incident_id,
  airflow: r.airflow,
  dagId: r.dag_id,
  state: r.state as Hold['state'],
  foundPaused: bool(r.found_paused),
  reason: JSON.parse(r.reason),
  path: JSON.parse(r.path),
  link: r.link as Hold['link'],
  depth: r.depth,
  since: r.since,
  reviewBy: r.review_by,
  reviewAsked: r.review_asked === 1,
  releasedAt: r.released_at,
});

export const ownershipToRow = (o: Ownership): Insertable<Tables['ownerships']> => ({
  airflow: o.airflow,
  dag_id: o.dagId,
  state: o.state,
  op: o.op,
  audit_cursor: o.auditCursor,
  since: o.since,
  uncertain: o.uncertain ? 1 : 0,
  found_paused: int(o.foundPaused),
  ops: JSON.stringify(o.ops),
});
export const ownershipFromRow = (r: Selectable<Tables['ownerships']>): Ownership => ({
  airflow: r.airflow,
  dagId: r.dag_id,
  state: r.state as Ownership['state'],
  op: r.op,
  auditCursor: r.audit_cursor,
  since: r.since,
  uncertain: r.uncertain === 1,
  foundPaused: bool(r.found_paused),
  ops: JSON.parse(r.ops),
});

export const intentToRow = (i: Intent): Insertable<Tables['intents']> => ({
  id: i.id,
  n: numberOf(i.id),
  kind: i.act.kind,
  state: i.state,
  act: JSON.stringify(i.act),
  op: i.op,
  attempts: i.attempts,
  created_at: i.createdAt,
  due_at: i.dueAt,
  last_error: i.lastError,
});
export const intentFromRow = (r: Selectable<Tables['intents']>): Intent => ({
  id: r.id,
  act: parsed(r.act) as Intent['act'],
  state: r.state as Intent['state'],
  op: r.op,
  attempts: r.attempts,
  createdAt: r.created_at,
  dueAt: r.due_at,
  lastError: r.last_error,
});

export const restoredFromRow = (r: Pick<Selectable<Tables['service']>, 'restored'> | undefined): Restored | null =>
  r?.restored ? (JSON.parse(r.restored) as Restored) : null;

export const signalToRow = (s: HeardSignal): Insertable<Tables['signals']> => ({
  id: s.id,
  n: numberOf(s.id),
  key: s.key,
  airflow: s.airflow,
  dag_id: s.dagId,
  origin: s.origin,
  incident_id: s.incidentId,
  heard_at: s.heardAt,
  doc: JSON.stringify(s),
});
export const signalFromRow = (r: Pick<Selectable<Tables['signals']>, 'doc'>): HeardSignal => JSON.parse(r.doc) as HeardSignal;

export const entryToRow = (t: TimelineEntry): Insertable<Tables['timeline']> => ({
  incident_id: t.incidentId,
  at: t.at,
  actor: JSON.stringify(t.actor),
  event: t.event,
  subject: t.subject,
  reason: JSON.stringify(t.reason),
  comment: t.comment,
});
export const entryFromRow = (r: Selectable<Tables['timeline']>): TimelineEntry & { id: number } => ({
  id: r.id,
  incidentId: r.incident_id,
  at: r.at,
  actor: JSON.parse(r.actor),
  event: r.event,
  subject: r.subject,
  reason: JSON.parse(r.reason),
  comment: r.comment,
});
