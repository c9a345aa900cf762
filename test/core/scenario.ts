/**
 * Given / when / then for the core, without fakes: the core is pure, so a scenario is a state, events in order, and what came of them. Decisions are
 * folded into the state as the store would.
 */
import { decide } from '../../src/core/decide.ts';
import { type Decision, dagKey, EMPTY_STATE, type State } from '../../src/core/draft.ts';
import type {
  DomainEvent,
  MissedFacts,
  MissedInputs,
  Observation,
  Outcome,
  OutcomeFacts,
  Person,
  PersonAct,
  PlanFacts,
  Survey,
  SwitchFacts,
  World,
} from '../../src/core/events.ts';
import type { DagFacts, DagRef, LineageEdge, LineageGap, RunFacts } from '../../src/core/facts.ts';
import type { Hold, Ownership } from '../../src/core/hold.ts';
import type { Incident } from '../../src/core/incident.ts';
import type { Intent, IntentKind } from '../../src/core/intent.ts';
import { settledOp } from '../../src/core/ownership.ts';
import type { Repair, Step } from '../../src/core/plan.ts';
import type { Policy } from '../../src/core/policy.ts';
import { NOTHING_SAID, type Signal } from '../../src/core/signal.ts';
import type { TimelineEntry } from '../../src/core/timeline.ts';
import { mustBeLawful } from './lawful.ts';

export const START = '2026-11-21T06:00:00.000Z';

export const POLICY: Policy = {
  mode: 'armed',
  watch: { dags: ['*'], ignoreDags: [], ignoreTags: [], ignoreRunTypes: [], importErrors: true },
  hold: {
    at: 'task_failure',
    maxDags: 50,
    maxDepth: 20,
    maxShare: 0.5,
    protectedDags: [],
    pauseFailingDag: false,
    reviewAfterMs: 86_400_000,
  },
  platform: { massFailureDags: 20, windowMs: 60_000 },
  release: { mode: 'automatic', withoutAuditLog: 'ask', missedIntervals: 'as_airflow' },
  repair: {
    approvalExpiresMs: 1_800_000,
    allowSelfApproval: false,
    maxActiveRuns: 3,
    latestHeals: false,
    stuckAfterMs: 21_600_000,
  },
  verify: { requirePerson: false },
  monitor: { reopenWithinMs: 86_400_000, settleWithinMs: 1_800_000 },
  notify: { giveUpAfterMs: 86_400_000 },
  channels: [{ id: 'chat', events: ['opened', 'held', 'approval', 'failed', 'resolved', 'attention'] }],
  severity: { p1Tags: ['tier:1'], defaultSeverity: 'P2', p1Severity: 'P1' },
};

export const rita: Person = { name: 'rita', role: 'responder' };
export const ann: Person = { name: 'ann', role: 'approver' };
export const vera: Person = { name: 'vera', role: 'viewer' };

type Section<K extends keyof Policy> = Policy[K] extends object ? Partial<Policy[K]> : Policy[K];
export type PolicyChange = { readonly [K in keyof Policy]?: Section<K> };

function policyWith(change: PolicyChange): Policy {
  const merged: Record<string, unknown> = { ...POLICY };
  for (const [key, value] of Object.entries(change)) {
    const plain = typeof value === 'object' && value !== null && !Array.isArray(value);
    merged[key] = plain ? { ...(POLICY[key as keyof Policy] as object), ...value } : value;
  }
  return merged as unknown as Policy;
}

/** `b` of `prod`, or `dev/b` of another Airflow. */
function dagRef(text: string): DagRef {
  const [dagId = '', airflow = 'prod'] = text.split('/').reverse();
  return { airflow, dagId };
}

/**
 * `a>b` an asset edge, `a>b@task` made by one task of a, `a~b` a sensor of b on a, `a!b` a trigger, `a!!b` a trigger that waits; `a>dev/b` leads into
 * another Airflow.
 */
export function edge(text: string): LineageEdge {
  const m = /^([\w/]+)(>|~|!!|!)([\w/]+)(?:@([\w,]+))?$/.exec(text);
  if (!m) throw new Error(`no edge: ${text}`);
  const [, from = '', sign = '', to = '', tasks] = m;
  return {
    from: dagRef(from),
    to: dagRef(to),
    kind: sign === '>' ? 'asset' : sign === '~' ? 'sensor' : 'trigger',
    via: sign === '>' ? `s3://${from}` : 'task',
    fromTasks: tasks ? tasks.split(',') : null,
    waits: sign === '!!' ? true : sign === '!' ? false : null,
    source: 'assets',
  };
}

export const dag = (dagId: string, change: Partial<DagFacts> = {}): DagFacts => ({
  dagId,
  paused: false,
  tags: [],
  owners: ['data'],
  timeScheduled: false,
  assetScheduled: true,
  schedule: null,
  maxActiveRuns: 16,
  nextRunAfter: null,
  nextLogicalDate: null,
  ...change,
});

export const run = (dagId: string, runId: string, change: Partial<RunFacts> = {}): RunFacts => ({
  dagId,
  runId,
  state: 'failed',
  runType: 'manual',
  logicalDate: null,
  dataIntervalStart: null,
  dataIntervalEnd: null,
  startDate: '2026-11-21T05:59:00.000Z',
  endDate: '2026-11-21T05:59:30.000Z',
  queuedAt: null,
  ...change,
});

export const taskFailed = (dagId: string, runId = 'r1', change: Partial<Signal> = {}): Signal => ({
  key: `${dagId}/${runId}/${change.taskId ?? 'make'}/${change.tryNumber ?? 1}`,
  airflow: 'prod',
  kind: 'task_failed',
  origin: 'callback',
  dagId,
  runId,
  taskId: 'make',
  mapIndex: -1,
  tryNumber: 1,
  runType: 'scheduled',
  logicalDate: null,
  runStart: '2026-11-21T05:59:00.000Z',
  occurredAt: '2026-11-21T05:59:30.000Z',
  text: 'ValueError: no',
  logUrl: null,
  said: NOTHING_SAID,
  ...change,
});

export const clearStep = (dagId: string, runId: string, n = 1, change: Partial<Step> = {}): Step => ({
  n,
  dagId,
  wave: 0,
  stage: 'all',
  request: { kind: 'clear', runId, logicalDate: null, tasks: ['make'], runStart: '2026-11-21T05:59:00.000Z' },
  dryRun: 'airflow',
  runs: [{ runId, logicalDate: null, startBefore: '2026-11-21T05:59:00.000Z', tasks: [{ taskId: 'make', mapIndex: -1 }] }],
  state: 'waiting',
  reason: null,
  progress: [],
  startedAt: null,
  endedAt: null,
  ...change,
});

type SeenPause = Omit<Observation['paused'][number], 'op'> & { readonly op?: string | null };

export class Scenario {
  state: State = EMPTY_STATE;
  readonly timeline: TimelineEntry[] = [];
  #policy: Policy;
  readonly #edges: LineageEdge[];
  /** By `airflow/dag`. */
  readonly #dags = new Map<string, DagFacts>();
  /** What the world says of its own; a test may change it on the way. */
  gaps: readonly LineageGap[] = [];
  dagCount: number | null = null;
  #now = Date.parse(START);
  #turn = 0;
  last: Decision | null = null;
  readonly world: World = {
    edges: () => this.#edges,
    gaps: () => this.gaps,
    dag: (airflow, dagId) => this.#dags.get(`${airflow}/${dagId}`) ?? null,
    dagCount: () => this.dagCount ?? this.#dags.size,
    hasRead: () => true,
  };

  constructor(edges: readonly string[], options: { policy?: PolicyChange; dags?: readonly DagFacts[] } = {}) {
    this.#edges = edges.map(edge);
    this.#policy = policyWith(options.policy ?? {});
    for (const e of this.#edges) for (const d of [e.from, e.to]) this.#dags.set(dagKey(d), dag(d.dagId));
    for (const d of options.dags ?? []) this.#dags.set(`prod/${d.dagId}`, d);
  }

  learns(text: string): void {
    const e = edge(text);
    this.#edges.push(e);
    for (const d of [e.from, e.to]) if (!this.#dags.has(dagKey(d))) this.#dags.set(dagKey(d), dag(d.dagId));
  }
  forgets(text: string): void {
    const e = edge(text);
    const at = this.#edges.findIndex((one) => one.from.dagId === e.from.dagId && one.to.dagId === e.to.dagId);
    if (at < 0) throw new Error(`no link ${text}`);
    this.#edges.splice(at, 1);
  }
  /** Stopped, and started again with this `policy.mode`. */
  restarts(mode: Policy['mode']): this {
    this.#policy = { ...this.#policy, mode };
    return this;
  }
  get now(): string {
    return new Date(this.#now).toISOString();
  }
  later(ms: number): this {
    this.#now += ms;
    return this;
  }

  when(...events: readonly DomainEvent[]): Decision {
    const chance = `c${String(++this.#turn).padStart(7, '0')}`;
    // As the store loads it.
    const loaded = { ...this.state, ownerships: this.state.ownerships.filter((o) => o.state !== 'none') };
    const decision = decide(loaded, events, { now: this.now, chance, policy: this.#policy, world: this.world });
    mustBeLawful(decision, this.now);
    this.#fold(decision, events);
    this.last = decision;
    return decision;
  }

  #fold(d: Decision, events: readonly DomainEvent[]): void {
    const merge = <T>(before: readonly T[], changed: readonly T[], key: (t: T) => string): T[] => [
      ...new Map([...before, ...changed].map((t) => [key(t), t])).values(),
    ];
    const known = new Map(this.state.knownSignals);
    for (const e of events)
      if (e.type === 'signal') known.set(e.signal.key, known.get(e.signal.key) === true || e.signal.said.badData);
    this.state = {
      incidents: merge(this.state.incidents, d.incidents, (i) => i.id),
      holds: merge(this.state.holds, d.holds, (h) => h.id),
      ownerships: merge(this.state.ownerships, d.ownerships, dagKey),
      repairs: merge(this.state.repairs, d.repairs, (r) => r.id),
      intents: merge(this.state.intents, d.intents, (i) => i.id),
      knownSignals: known,
      counters: d.counters,
      restored: d.restored === undefined ? (this.state.restored ?? null) : d.restored,
    };
    this.timeline.push(...d.timeline);
  }

  fails(dagId: string, runId = 'r1', change: Partial<Signal> = {}): Decision {
    return this.when({ type: 'signal', signal: taskFailed(dagId, runId, change) });
  }
  person(actor: Person, act: PersonAct): Decision {
    return this.when({ type: 'person', actor, act });
  }
  /** A look that began just now; one that began earlier names the `op` of then. */
  sees(look: Partial<Omit<Observation, 'paused'>> & { paused?: readonly SeenPause[] }, airflow = 'prod'): Decision {
    const paused = (look.paused ?? []).map((p) => ({ op: this.opOf(p.dagId, airflow), ...p }));
    const seen = { runs: [], goneRuns: [], releasedRuns: [], ...look, paused };
    return this.when({ type: 'observed', airflow, seen });
  }

  opOf(dagId: string, airflow = 'prod'): string | null {
    return this.state.ownerships.find((o) => o.airflow === airflow && o.dagId === dagId)?.op ?? null;
  }

  open(kind?: IntentKind): Intent[] {
    return this.state.intents.filter(
      (i) => (i.state === 'planned' || i.state === 'unknown') && (kind === undefined || i.act.kind === kind),
    );
  }
  /** Airflow does what the open intents of this kind ask for. */
  answer(kind: IntentKind, facts: OutcomeFacts | ((i: Intent) => OutcomeFacts)): void {
    for (const i of this.open(kind)) {
      this.when({
        type: 'outcome',
        intentId: i.id,
        outcome: { result: 'done', facts: typeof facts === 'function' ? facts(i) : facts },
      });
    }
  }

  /** What is said of DAGs and of the audit log is said of `prod`; a look that began earlier names the `ops` of then. */
  surveyed(change: Partial<Survey & SwitchFacts> = {}): this {
    const { taskGraph = null, tasks = [], run = null, switches, scope, ...ofProd } = change;
    const airflows = [...new Set(['prod', ...[...this.#dags.keys()].map((key) => key.split('/')[0] ?? '')])];
    const all = switches ?? airflows.map((a) => ({ ...this.switches(a), ...(a === 'prod' ? ofProd : {}) }));
    this.answer('survey', { kind: 'survey', survey: { taskGraph, tasks, run, switches: all, ...(scope ? { scope } : {}) } });
    return this;
  }

  /** Of other Airflows only these have answered. */
  surveyedElsewhere(...answered: readonly string[]): this {
    const switches = answered.map((a) => this.switches(a));
    this.answer('survey_elsewhere', {
      kind: 'survey',
      survey: { taskGraph: null, tasks: [], run: null, switches, scope: 'elsewhere' },
    });
    return this;
  }

  switches(airflow: string): SwitchFacts {
    const dags = [...this.#dags].flatMap(([key, d]) => (key.startsWith(`${airflow}/`) ? [d] : []));
    const ops = Object.fromEntries(
      this.state.ownerships.filter((o) => o.airflow === airflow && o.state !== 'none').map((o) => [o.dagId, settledOp(o)]),
    );
    return { airflow, dags: dags.map((d) => this.#asItStands(airflow, d)), unknown: [], auditCursor: 7, auditGap: null, ops };
  }

  /** A DAG that we hold is paused, unless a test says otherwise. */
  #asItStands(airflow: string, d: DagFacts): DagFacts {
    const own = this.state.ownerships.find((o) => o.airflow === airflow && o.dagId === d.dagId);
    return own?.state === 'ours' ? { ...d, paused: true } : d;
  }
  /** The open intents of this kind end so, once. */
  ends(kind: IntentKind, outcome: Outcome): this {
    for (const i of this.open(kind)) this.when({ type: 'outcome', intentId: i.id, outcome });
    return this;
  }
  refused(kind: IntentKind, error = 'Forbidden'): this {
    return this.ends(kind, { result: 'failed', error, retry: false });
  }
  tick(): Decision {
    return this.when({ type: 'tick' });
  }
  paused(): this {
    this.answer('pause_dag', { kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } });
    return this;
  }
  /** Fails, is surveyed, and everything to be held is held. */
  contained(dagId: string, runId = 'r1', change: Partial<Signal> = {}): this {
    this.fails(dagId, runId, change);
    return this.surveyed().paused();
  }
  planned(plan: Partial<PlanFacts>): this {
    this.answer('plan_repair', { kind: 'plan_repair', plan: { steps: [], warnings: [], ...plan } });
    return this;
  }
  releasePlanned(missed: readonly MissedFacts[] = []): this {
    this.answer('plan_release', { kind: 'plan_release', missed });
    return this;
  }
  /** The look at the DAGs that run by now. Nothing: what was planned before the unpause counts. */
  lookedAgain(missed: readonly MissedInputs[] = []): this {
    this.answer('plan_delivery', { kind: 'plan_delivery', missed });
    return this;
  }
  unpaused(): this {
    this.answer('unpause_dag', { kind: 'unpause_dag', found: { was: 'unpaused_by_us' } });
    return this;
  }
  delivered(): this {
    this.answer('deliver', (i) => {
      if (i.act.kind !== 'deliver') throw new Error('not a delivery');
      return { kind: 'deliver', delivery: i.act.delivery, runIds: {} };
    });
    return this;
  }
  sent(): this {
    this.answer('repair_step', (i) => {
      if (i.act.kind !== 'repair_step') throw new Error('not a step');
      return { kind: 'repair_step', step: i.act.step, settled: 'sent' };
    });
    return this;
  }

  incident(n = 0): Incident {
    const found = this.state.incidents[n];
    if (!found) throw new Error(`no incident number ${n}`);
    return found;
  }
  repair(n = -1): Repair {
    const found = this.state.repairs.at(n);
    if (!found) throw new Error(`no repair number ${n}`);
    return found;
  }
  hold(dagId: string, incident = 0): Hold | undefined {
    return this.state.holds.find((h) => h.dagId === dagId && h.incidentId === this.incident(incident).id);
  }
  /** `{ b: 'held', c: 'foreign' }` of one incident. */
  holds(incident = 0): Record<string, string> {
    return Object.fromEntries(
      this.state.holds.filter((h) => h.incidentId === this.incident(incident).id).map((h) => [h.dagId, h.state]),
    );
  }
  spared(incident = 0): Record<string, string> {
    return Object.fromEntries(this.incident(incident).spared.map((d) => [d.dagId, d.reason.code]));
  }
  /** What is to be done in Airflow, as text: `pause b`. */
  acts(): string[] {
    return this.open().flatMap(({ act }) => {
      if (act.kind === 'pause_dag') return [`pause ${act.dagId}`];
      if (act.kind === 'unpause_dag') return [`unpause ${act.dagId}`];
      if (act.kind === 'repair_step') return [`step ${act.step}`];
      if (act.kind === 'deliver') return [`deliver ${act.delivery.how}`];
      return [];
    });
  }
  told(): string[] {
    return this.state.intents.flatMap(({ act }) => (act.kind === 'send_notice' ? [act.event] : []));
  }
  /** `attention b`: what people are told of, and about what. */
  notices(): string[] {
    return this.state.intents.flatMap(({ act }) => (act.kind === 'send_notice' ? [`${act.event} ${act.subject}`] : []));
  }
  reasons(event: string): string[] {
    return this.timeline.filter((t) => t.event === event).map((t) => t.reason.code);
  }
  /** `b person_unpaused who=paula (airflow): words`, one line for each entry of this event (of this noun: `hold.`). */
  history(event: string): string[] {
    const of = this.timeline.filter((t) => (event.endsWith('.') ? t.event.startsWith(event) : t.event === event));
    return of.map((t) => {
      const detail = Object.entries(t.reason.detail).map(([k, v]) => ` ${k}=${v}`);
      const by = t.actor.kind === 'person' ? t.actor.name : t.actor.kind;
      const what = event.endsWith('.') ? `${t.event} ` : '';
      return `${what}${t.subject} ${t.reason.code}${detail.join('')} (${by})${t.comment === null ? '' : `: ${t.comment}`}`;
    });
  }
  ownership(dagId: string): Ownership | undefined {
    return this.state.ownerships.find((o) => o.airflow === 'prod' && o.dagId === dagId);
  }
  /** What was thrown, for `toMatchObject`; a refused act changes nothing. */
  refusal(act: () => unknown): unknown {
    const before = this.state;
    try {
      act();
    } catch (error) {
      if (this.state !== before) throw new Error('refused, and changed all the same');
      return error;
    }
    throw new Error('was not refused');
  }
}

export const missed = (dagId: string, change: Partial<MissedFacts> = {}): MissedFacts => ({
  airflow: 'prod',
  dagId,
  since: '2026-11-21T06:00:00.000Z',
  details: { ...dag(dagId), catchup: false, dagrunTimeoutSeconds: null, assetCondition: null },
  missedAssets: [],
  frozenRuns: [],
  queuedRuns: [],
  startsByItself: 0,
  missedIntervals: [],
  wouldTimeOut: [],
  ...change,
});

export const missedAsset = (uri: string, change: { events?: number; otherReaders?: string[]; queued?: boolean } = {}) => ({
  assetKey: uri,
  uri,
  events: 1,
  otherReaders: [],
  queued: false,
  ...change,
});
