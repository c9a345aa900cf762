import type { LineageEdge } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import type { Incident, IncidentTimestamps, Spared } from '../core/incident.ts';
import type { Repair, Step } from '../core/plan.ts';
import { type Reason, type ReasonCode, reason } from '../core/reason.ts';
import { type HeardSignal, NOTHING_SAID } from '../core/signal.ts';
import { type Actor, AIRFLOW, US } from '../core/timeline.ts';
import type { Health, ReleasePreview } from '../http/deps.ts';
import type { IncidentView, StoredEntry } from '../store/readModels.ts';

/**
 * Sample data for the gallery and for the tests of pages and API: one story in a shop's warehouse. Builders take what differs;
 * time starts at 03:25 UTC of one day, and `at(minutes)` counts from there.
 */
const START = Date.parse('2026-11-21T03:25:00.000Z');
export const at = (minutes: number): string => new Date(START + minutes * 60_000).toISOString();

export const DIGEST = '9f2c41d7a0be53186c7de1f5b0a94e2233cf6a8b17d4905e6fb2a1c07d38e954';
const AIRFLOW_ID = 'prod';
const CAUSE = 'orders_etl';
const ref = (dagId: string) => ({ airflow: AIRFLOW_ID, dagId });

export function edge(from: string, to: string, kind: LineageEdge['kind'], via: string): LineageEdge {
  const source = { asset: 'ui_dependencies', trigger: 'ui_dependencies', sensor: 'ui_dependencies', config: 'config' } as const;
  return {
    from: ref(from),
    to: ref(to),
    kind,
    via,
    fromTasks: kind === 'asset' ? ['load_orders'] : null,
    waits: null,
    source: source[kind],
  };
}

const link = (e: LineageEdge): string => `${e.from.dagId} -(${e.kind} ${e.via})-> ${e.to.dagId}`;

export const EDGES: readonly LineageEdge[] = [
  edge(CAUSE, 'revenue_report', 'asset', 's3://lake/orders'),
  edge(CAUSE, 'customer_360', 'asset', 's3://lake/orders'),
  edge('customer_360', 'churn_scores', 'asset', 's3://lake/customers'),
  edge('revenue_report', 'exec_dashboard', 'trigger', 'publish'),
  edge(CAUSE, 'fraud_features', 'sensor', 'wait_for_orders'),
  edge('revenue_report', 'billing_export', 'asset', 's3://lake/revenue'),
  edge(CAUSE, 'stock_sync', 'config', 'reads the orders table'),
  edge('churn_scores', 'crm_sync', 'asset', 's3://lake/churn'),
];

export function hold(dagId: string, state: Hold['state'], path: readonly LineageEdge[], more: Partial<Hold> = {}): Hold {
  const code: Partial<Record<Hold['state'], ReasonCode>> = {
    foreign: 'already_paused',
    ceded: 'person_unpaused',
    released: 'released',
  };
  const way = path.map(link);
  return {
    id: `hold-${dagId}`,
    incidentId: 'inc-2041',
    ...ref(dagId),
    state,
    foundPaused: state === 'foreign',
    reason: reason(code[state] ?? 'downstream', { path: way.join(', '), who: 'dana' }),
    path: way,
    depth: path.length,
    link: path.at(-1)?.kind ?? 'asset',
    since: at(0.1),
    reviewBy: at(24 * 60),
    reviewAsked: false,
    releasedAt: state === 'released' ? at(18) : null,
    ...more,
  };
}

const path = (...dags: string[]): LineageEdge[] =>
  dags.flatMap((to, i) => EDGES.filter((e) => e.from.dagId === (dags[i - 1] ?? CAUSE) && e.to.dagId === to));

export const HOLDS: readonly Hold[] = [
  hold('revenue_report', 'held', path('revenue_report')),
  hold('customer_360', 'held', path('customer_360')),
  hold('churn_scores', 'held', path('customer_360', 'churn_scores')),
  hold('exec_dashboard', 'foreign', path('revenue_report', 'exec_dashboard')),
  hold('fraud_features', 'ceded', path('fraud_features')),
  hold('stock_sync', 'intended', path('stock_sync'), { foundPaused: null }),
];

const spare = (dagId: string, code: ReasonCode, way: readonly LineageEdge[]): Spared => ({
  ...ref(dagId),
  reason: reason(code),
  path: way.map(link),
});

export const SPARED: readonly Spared[] = [
  spare('billing_export', 'protected', path('revenue_report', 'billing_export')),
  spare('crm_sync', 'ask_tag', path('customer_360', 'churn_scores', 'crm_sync')),
];

const NEVER: IncidentTimestamps = {
  failedAt: at(0),
  openedAt: at(0.02),
  acknowledgedAt: null,
  containedAt: null,
  fixedAt: null,
  repairedAt: null,
  verifiedAt: null,
  releasedAt: null,
  reopenedAt: null,
  resolvedAt: null,
  dismissedAt: null,
};

export function incident(more: Partial<Incident> = {}, times: Partial<IncidentTimestamps> = {}): Incident {
  return {
    id: 'inc-2041',
    airflow: AIRFLOW_ID,
    dagId: CAUSE,
    status: 'contained',
    statusReason: reason('contained'),
    mode: 'armed',
    type: 'pipeline_failure',
    severity: 'P1',
    ruledBy: 'policy',
    rule: 'a failed DAG is a pipeline_failure; P1 because exec_dashboard downstream is tagged tier:1',
    title: 'orders_etl failed in load_orders',
    runs: [
      {
        dagId: CAUSE,
        runId: 'scheduled__2026-11-21T03:00:00+00:00',
        role: 'cause',
        state: 'failed',
        runType: 'scheduled',
        logicalDate: at(-25),
        runStart: at(-4),
        failedTasks: ['load_orders'],
        failedAt: at(0),
        badData: false,
      },
    ],
    spared: SPARED,
    gaps: [],
    deliveries: [],
    timestamps: { ...NEVER, acknowledgedAt: at(3), containedAt: at(0.2), fixedAt: at(12), ...times },
    acknowledgedBy: 'alice',
    fixedBy: 'alice',
    surveyPending: false,
    releasing: false,
    ...more,
  };
}

export const SIGNALS: readonly HeardSignal[] = [
  {
    id: 'sig-1',
    key: 'k1',
    airflow: AIRFLOW_ID,
    kind: 'task_failed',
    origin: 'callback',
    dagId: CAUSE,
    runId: 'scheduled__2026-11-21T03:00:00+00:00',
    taskId: 'load_orders',
    mapIndex: -1,
    tryNumber: 3,
    runType: 'scheduled',
    logicalDate: at(-25),
    runStart: at(-4),
    occurredAt: at(0),
    text: 'psycopg.errors.UndefinedColumn: column "discount_pct" of relation "orders" does not exist',
    logUrl: 'http://localhost:8080/dags/orders_etl/runs/scheduled__2026-11-21T03:00:00+00:00/tasks/load_orders?try_number=3',
    said: NOTHING_SAID,
    heardAt: at(0.01),
    incidentId: 'inc-2041',
    outcome: 'failure_final',
  },
];

/** One step that clears the failed tasks of one run. */
export function step(n: number, more: Partial<Step> = {}): Step {
  const runId = `scheduled__2026-11-21T0${n + 2}:00:00+00:00`;
  const logicalDate = at(-25 + (n - 1) * 60);
  return {
    n,
    dagId: CAUSE,
    wave: 1,
    stage: 'all',
    request: { kind: 'clear', runId, logicalDate, tasks: ['load_orders'], runStart: at(-4) },
    dryRun: 'airflow',
    runs: [
      {
        runId,
        logicalDate,
        startBefore: at(-4),
        tasks: [
          { taskId: 'load_orders', mapIndex: -1 },
          { taskId: 'check_orders', mapIndex: -1 },
          { taskId: 'publish', mapIndex: -1 },
        ],
      },
    ],
    state: 'waiting',
    reason: null,
    progress: [],
    startedAt: null,
    endedAt: null,
    ...more,
  };
}

export function repair(more: Partial<Repair> = {}): Repair {
  return {
    id: 'rep-88',
    incidentId: 'inc-2041',
    airflow: AIRFLOW_ID,
    state: 'proposed',
    stateReason: reason('proposed'),
    steps: [step(1)],
    digest: DIGEST,
    warnings: [],
    requestedBy: 'alice',
    createdAt: at(12),
    expiresAt: at(42),
    approval: null,
    endedAt: null,
    stuckTold: false,
    ...more,
  };
}

type Line = [minutes: number, actor: Actor, event: string, subject: string | null, why: Reason, comment?: string];
export const person = (name: string): Actor => ({ kind: 'person', name });

export const timeline = (lines: readonly Line[]): StoredEntry[] =>
  lines.map(([minutes, actor, event, subject, why, comment], i) => ({
    id: i + 1,
    incidentId: 'inc-2041',
    at: at(minutes),
    actor,
    event,
    subject,
    reason: why,
    comment: comment ?? null,
  }));

export const TIMELINE: readonly StoredEntry[] = timeline([
  [
    0,
    AIRFLOW,
    'signal.heard',
    CAUSE,
    reason('failure_final', { task: 'load_orders', run: 'scheduled__2026-11-21T03:00:00+00:00' }),
  ],
  [
    0.02,
    US,
    'incident.opened',
    CAUSE,
    reason('failure_final', { task: 'load_orders', run: 'scheduled__2026-11-21T03:00:00+00:00' }),
  ],
  [
    0.05,
    US,
    'hold.intended',
    'revenue_report',
    reason('downstream', { path: 'orders_etl -(asset s3://lake/orders)-> revenue_report' }),
  ],
  [0.06, US, 'dag.spared', 'billing_export', reason('protected')],
  [0.1, US, 'hold.held', 'revenue_report', reason('paused')],
  [0.12, US, 'hold.foreign', 'exec_dashboard', reason('already_paused')],
  [0.2, US, 'incident.contained', null, reason('contained')],
  [
    3,
    person('alice'),
    'incident.acknowledged',
    null,
    reason('acknowledged'),
    'looking at it, the schema of the shop database changed',
  ],
  [7, AIRFLOW, 'hold.ceded', 'fraud_features', reason('person_unpaused', { who: 'dana' })],
  [12, person('alice'), 'incident.fixed', null, reason('marked_fixed'), 'added the column, deployed 41b7c0d'],
  [12.1, US, 'repair.proposed', 'rep-88', reason('proposed')],
]);

export const view = (more: Partial<IncidentView> = {}): IncidentView => ({
  incident: incident(),
  signals: SIGNALS,
  holds: HOLDS,
  repairs: [repair()],
  edges: EDGES,
  ...more,
});

export const HEALTHY: Health = {
  ready: true,
  reasons: [],
  version: '0.1.0',
  mode: 'armed',
  airflows: [{ id: AIRFLOW_ID, version: '3.3.2', state: 'ok', detail: 'answers in 21 ms', lastPollAt: at(13.9), gaps: [] }],
};

export const PREVIEW: ReleasePreview = {
  incidentId: 'inc-2041',
  dags: [
    {
      dagId: 'revenue_report',
      holdState: 'held',
      willUnpause: true,
      why: 'held by this incident alone, and nobody touched it since',
      frozenRuns: ['asset_triggered__2026-11-21T02:00:04+00:00'],
      queuedRuns: [],
      wouldTimeOut: [],
      startsByItself: 0,
      compensation: 'the missed event of s3://lake/orders is delivered once more',
    },
    {
      dagId: 'exec_dashboard',
      holdState: 'foreign',
      willUnpause: false,
      why: 'was paused before us',
      frozenRuns: [],
      queuedRuns: [],
      wouldTimeOut: [],
      startsByItself: 0,
      compensation: 'nothing',
    },
  ],
};
