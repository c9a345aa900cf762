/**
 * The working copy of one decision. A decision starts from the loaded state, stage files change the draft, and what has changed comes out
 * as plain data for the store to write in the same transaction. Pure: the state that came in is never touched.
 */
import { internal } from '../errors.ts';
import type { Answer, World } from './events.ts';
import type { DagRef, Instant } from './facts.ts';
import type { Hold, Ownership } from './hold.ts';
import type { Incident } from './incident.ts';
import { holdInOrder, incidentInOrder, repairInOrder } from './inOrder.ts';
import type { Intent, IntentAct } from './intent.ts';
import { isHolding, isUnderWay } from './lifecycle.ts';
import type { Repair } from './plan.ts';
import type { NotifyEvent, Policy } from './policy.ts';
import type { Reason } from './reason.ts';
import type { Restored } from './restore.ts';
import type { HeardSignal } from './signal.ts';
import { type Actor, type TimelineEntry, US } from './timeline.ts';

/** Everything that is not over, and what the event at hand names. Loaded and saved in one transaction. */
export interface State {
  readonly incidents: readonly Incident[];
  readonly holds: readonly Hold[];
  readonly ownerships: readonly Ownership[];
  readonly repairs: readonly Repair[];
  /** Intents that are not over. */
  readonly intents: readonly Intent[];
  /** By key: signals that were heard before, among those of the event at hand; true where one of them called the data bad. */
  readonly knownSignals: ReadonlyMap<string, boolean>;
  /** Last number given out per kind of id. */
  readonly counters: Readonly<Record<string, number>>;
  /** While the file is a restored one that nobody has confirmed. */
  readonly restored?: Restored | null;
}

export const EMPTY_STATE: State = {
  incidents: [],
  holds: [],
  ownerships: [],
  repairs: [],
  intents: [],
  knownSignals: new Map(),
  counters: {},
};

/** One evaluation has one time and one piece of chance; both are arguments. */
export interface Context {
  readonly now: Instant;
  /** Random letters and digits, new for every evaluation: makes marks unique even after a restore from a backup. */
  readonly chance: string;
  readonly policy: Policy;
  readonly world: World;
}

/** What a decision changes: rows to write whole, history to append, and the answer to whoever asked. */
export interface Decision {
  readonly incidents: readonly Incident[];
  readonly holds: readonly Hold[];
  readonly ownerships: readonly Ownership[];
  readonly repairs: readonly Repair[];
  readonly intents: readonly Intent[];
  readonly signals: readonly HeardSignal[];
  readonly timeline: readonly TimelineEntry[];
  readonly counters: Readonly<Record<string, number>>;
  /** Left out: unchanged. */
  readonly restored?: Restored | null;
  readonly answer: Answer;
}

export const dagKey = (d: DagRef): string => `${d.airflow}/${d.dagId}`;
export const sameDag = (a: DagRef, b: DagRef): boolean => a.dagId === b.dagId && a.airflow === b.airflow;
/** Whether a hold wants its DAG paused. One of shadow mode wants nothing: after a change of mode both stand side by side. */
const wantsPause = (h: Hold, incident: Incident | undefined): boolean => isHolding(h.state) && incident?.mode !== 'shadow';
/** Holds, of whatever incident, that want this DAG paused. */
export const holdsWanting = (state: Pick<State, 'holds' | 'incidents'>, dag: DagRef): Hold[] =>
  state.holds.filter((h) => {
    const incident = state.incidents.find((i) => i.id === h.incidentId);
    return sameDag(h, dag) && wantsPause(h, incident);
  });
export const addMs = (t: Instant, ms: number): Instant => new Date(Date.parse(t) + ms).toISOString();
export const latest = (a: Instant, b: Instant): Instant => (a < b ? b : a);
export const msBetween = (from: Instant, to: Instant): number => Date.parse(to) - Date.parse(from);

/** Rows by key, with a memory of which were changed. */
class Table<T> {
  readonly #rows = new Map<string, T>();
  readonly #changed = new Set<string>();
  readonly #key: (row: T) => string;
  readonly #groups = new Map<(row: T) => string, Map<string, string[]>>();

  constructor(rows: readonly T[], key: (row: T) => string) {
    this.#key = key;
    for (const row of rows) this.#rows.set(key(row), row);
  }
  get(key: string): T | undefined {
    return this.#rows.get(key);
  }
  all(): T[] {
    return [...this.#rows.values()];
  }
  /** In the order of `all`. What `by` answers must never change for a row. */
  of(by: (row: T) => string, value: string): T[] {
    return (this.#group(by).get(value) ?? []).map((key) => this.#rows.get(key) as T);
  }
  #group(by: (row: T) => string): Map<string, string[]> {
    const known = this.#groups.get(by);
    if (known) return known;
    const group = Map.groupBy(this.#rows.keys(), (key) => by(this.#rows.get(key) as T));
    this.#groups.set(by, group);
    return group;
  }
  put(row: T): T {
    const key = this.#key(row);
    if (!this.#rows.has(key)) for (const [by, group] of this.#groups) group.set(by(row), [...(group.get(by(row)) ?? []), key]);
    this.#rows.set(key, row);
    this.#changed.add(key);
    return row;
  }
  changed(): T[] {
    return [...this.#changed].map((key) => this.#rows.get(key)).filter((row): row is T => row !== undefined);
  }
}

/** Asked for each incident of each decision: by looking through all holds, 700 incidents that waited left the service time for nothing else (soak). */
const incidentOf = (h: Hold): string => h.incidentId;

export class Draft {
  readonly context: Context;
  readonly knownSignals: ReadonlyMap<string, boolean>;
  readonly #incidents: Table<Incident>;
  readonly #holds: Table<Hold>;
  readonly #ownerships: Table<Ownership>;
  readonly #repairs: Table<Repair>;
  readonly #intents: Table<Intent>;
  readonly #signals: HeardSignal[] = [];
  readonly #timeline: TimelineEntry[] = [];
  readonly #counters: Record<string, number>;
  #restored: Restored | null;
  #restoredChanged = false;
  #answer: Answer = { incidentId: null, repairId: null, holdId: null, note: null };

  constructor(state: State, context: Context) {
    this.context = context;
    this.knownSignals = state.knownSignals;
    this.#incidents = new Table(state.incidents, (i) => i.id);
    this.#holds = new Table(state.holds, (h) => h.id);
    this.#ownerships = new Table(state.ownerships, dagKey);
    this.#repairs = new Table(state.repairs, (r) => r.id);
    this.#intents = new Table(state.intents, (i) => i.id);
    this.#counters = { ...state.counters };
    this.#restored = state.restored ?? null;
  }

  get now(): Instant {
    return this.context.now;
  }
  get policy(): Policy {
    return this.context.policy;
  }

  get restored(): Restored | null {
    return this.#restored;
  }
  putRestored(restored: Restored | null): void {
    this.#restored = restored;
    this.#restoredChanged = true;
  }

  leaveOutNumbers(count: number): void {
    for (const kind of Object.keys(this.#counters)) this.#counters[kind] = (this.#counters[kind] ?? 0) + count;
  }
  nextId(kind: 'inc' | 'hold' | 'rep' | 'int' | 'sig'): string {
    const n = (this.#counters[kind] ?? 0) + 1;
    this.#counters[kind] = n;
    return `${kind}-${n}`;
  }

  incidents(): Incident[] {
    return this.#incidents.all();
  }
  incident(id: string): Incident {
    const found = this.#incidents.get(id);
    if (!found) throw internal(`incident ${id} is not loaded`);
    return found;
  }
  findIncident(id: string): Incident | undefined {
    return this.#incidents.get(id);
  }
  putIncident(incident: Incident): Incident {
    return this.#incidents.put(incidentInOrder(this.#incidents.get(incident.id), incident));
  }
  patchIncident(id: string, change: Partial<Incident>): Incident {
    return this.putIncident({ ...this.incident(id), ...change });
  }

  holds(): Hold[] {
    return this.#holds.all();
  }
  holdsOf(incidentId: string): Hold[] {
    return this.#holds.of(incidentOf, incidentId);
  }
  holdingOn(dag: DagRef): Hold[] {
    return this.#holds.of(dagKey, dagKey(dag)).filter((h) => sameDag(h, dag) && wantsPause(h, this.#incidents.get(h.incidentId)));
  }
  putHold(hold: Hold): Hold {
    return this.#holds.put(holdInOrder(hold));
  }

  ownership(dag: DagRef): Ownership {
    return (
      this.#ownerships.get(dagKey(dag)) ?? {
        airflow: dag.airflow,
        dagId: dag.dagId,
        state: 'none',
        op: null,
        auditCursor: null,
        since: null,
        uncertain: false,
        foundPaused: null,
        ops: [],
      }
    );
  }
  ownerships(): Ownership[] {
    return this.#ownerships.all();
  }
  putOwnership(ownership: Ownership): Ownership {
    return this.#ownerships.put(ownership);
  }

  repairs(): Repair[] {
    return this.#repairs.all();
  }
  repair(id: string): Repair | undefined {
    return this.#repairs.get(id);
  }
  putRepair(repair: Repair): Repair {
    return this.#repairs.put(repairInOrder(repair));
  }

  intents(): Intent[] {
    return this.#intents.all();
  }
  intent(id: string): Intent | undefined {
    return this.#intents.get(id);
  }
  putIntent(intent: Intent): Intent {
    return this.#intents.put(intent);
  }
  /** Records the decision to act; the worker does it after this transaction is on disk. */
  intend(act: IntentAct, delayMs = 0): Intent {
    const id = this.nextId('int');
    return this.#intents.put({
      id,
      act,
      state: 'planned',
      op: `fd-${id.slice(4)}-${this.context.chance}`,
      attempts: 0,
      createdAt: this.now,
      dueAt: addMs(this.now, delayMs),
      lastError: null,
    });
  }
  /** True while an intent of this kind for this subject is not over. */
  pending(match: (act: IntentAct) => boolean): boolean {
    return this.#intents.all().some((i) => isUnderWay(i.state) && match(i.act));
  }

  hear(signal: HeardSignal): void {
    this.#signals.push(signal);
  }

  /** One line of history. */
  tell(
    incidentId: string | null,
    event: string,
    subject: string | null,
    why: Reason,
    actor: Actor = US,
    comment: string | null = null,
  ): void {
    this.#timeline.push({ incidentId, at: this.now, actor, event, subject, reason: why, comment });
  }

  /** One notice per channel that wants this event; the structured log gets every one. */
  notice(incidentId: string, event: NotifyEvent, subject: string): void {
    for (const channel of this.policy.channels) {
      if (channel.events.includes(event)) this.intend({ kind: 'send_notice', channel: channel.id, incidentId, event, subject });
    }
  }

  answerWith(answer: Partial<Answer>): void {
    this.#answer = { ...this.#answer, ...answer };
  }

  decision(): Decision {
    return {
      incidents: this.#incidents.changed(),
      holds: this.#holds.changed(),
      ownerships: this.#ownerships.changed(),
      repairs: this.#repairs.changed(),
      intents: this.#intents.changed(),
      signals: this.#signals,
      timeline: this.#timeline,
      counters: this.#counters,
      ...(this.#restoredChanged ? { restored: this.#restored } : {}),
      answer: this.#answer,
    };
  }
}
