import type { Hold } from '../../src/core/hold.ts';
import type { Delivery, Incident } from '../../src/core/incident.ts';
import type { Repair, Step } from '../../src/core/plan.ts';
import { reason } from '../../src/core/reason.ts';
import type { NoticeView } from '../../src/notify/notices.ts';

/** One incident as a person would meet it: orders_etl failed, two readers are held, one was paused before. */
export const incident = (change: Partial<Incident> = {}): Incident => ({
  id: 'inc_1',
  airflow: 'prod',
  dagId: 'orders_etl',
  status: 'contained',
  statusReason: reason('contained'),
  mode: 'armed',
  type: 'pipeline_failure',
  severity: 'P1',
  ruledBy: 'policy',
  rule: 'P1 because revenue_report is tagged tier:1',
  title: 'orders_etl: task load failed',
  runs: [
    {
      dagId: 'orders_etl',
      runId: 'scheduled__2026-11-21',
      role: 'cause',
      state: 'failed',
      runType: 'scheduled',
      logicalDate: null,
      runStart: null,
      failedTasks: ['load'],
      failedAt: '2026-11-21T06:00:00.000Z',
      badData: false,
    },
  ],
  spared: [],
  gaps: [],
  deliveries: [],
  timestamps: {
    failedAt: '2026-11-21T06:00:00.000Z',
    openedAt: '2026-11-21T06:00:02.000Z',
    reopenedAt: null,
    acknowledgedAt: null,
    containedAt: null,
    fixedAt: null,
    repairedAt: null,
    verifiedAt: null,
    releasedAt: null,
    resolvedAt: null,
    dismissedAt: null,
  },
  acknowledgedBy: null,
  fixedBy: null,
  surveyPending: false,
  releasing: false,
  ...change,
});

export const hold = (dagId: string, change: Partial<Hold> = {}): Hold => ({
  id: `hold_${dagId}`,
  incidentId: 'inc_1',
  airflow: 'prod',
  dagId,
  state: 'held',
  foundPaused: false,
  reason: reason('paused'),
  path: [`orders_etl -(asset s3://orders)-> ${dagId}`],
  link: 'asset',
  depth: 1,
  since: '2026-11-21T06:00:02.000Z',
  reviewBy: '2026-11-22T06:00:02.000Z',
  reviewAsked: false,
  releasedAt: null,
  ...change,
});

export const clearStep = (n: number, dagId: string, runId: string, change: Partial<Step> = {}): Step => ({
  n,
  dagId,
  wave: n,
  stage: 'all',
  request: { kind: 'clear', runId, logicalDate: null, tasks: ['load'], runStart: null },
  dryRun: 'airflow',
  runs: [{ runId, logicalDate: null, startBefore: null, tasks: [{ taskId: 'load', mapIndex: -1 }] }],
  state: 'waiting',
  reason: null,
  progress: [],
  startedAt: null,
  endedAt: null,
  ...change,
});

export const repair = (change: Partial<Repair> = {}): Repair => ({
  id: 'rep_1',
  incidentId: 'inc_1',
  airflow: 'prod',
  state: 'proposed',
  stateReason: reason('proposed'),
  steps: [clearStep(1, 'orders_etl', 'scheduled__2026-11-21')],
  digest: 'abc123',
  warnings: [],
  requestedBy: 'rita',
  createdAt: '2026-11-21T07:00:00.000Z',
  expiresAt: '2026-11-21T07:30:00.000Z',
  approval: null,
  endedAt: null,
  stuckTold: false,
  ...change,
});

export const delivery = (dagId: string, change: Partial<Delivery> = {}): Delivery => ({
  airflow: 'prod',
  dagId,
  how: 'event',
  reason: reason('delivered_event', { asset: 's3://orders' }),
  expectRun: true,
  since: '2026-11-21T08:00:00.000Z',
  runId: null,
  state: 'ran',
  orders: [],
  ...change,
});

export const view = (change: Partial<NoticeView> = {}): NoticeView => ({
  incident: incident(),
  holds: [hold('revenue_report'), hold('dashboard', { depth: 2 })],
  repairs: [],
  pageUrl: 'http://localhost:8470/incidents/inc_1',
  subject: 'orders_etl',
  timeline: [],
  decidedAt: '2026-11-21T06:00:02.000Z',
  now: '2026-11-21T06:00:03.000Z',
  ...change,
});
