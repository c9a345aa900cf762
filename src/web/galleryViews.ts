import type { Incident } from '../core/incident.ts';
import { reason } from '../core/reason.ts';
import type { Health } from '../http/deps.ts';
import type { IncidentView } from '../store/readModels.ts';
import type { DagPageModel } from './otherPages.ts';
import * as sample from './samples.ts';

/** The states of the sample story that the gallery shows. */
export const NOW = Date.parse(sample.at(14));

export const TROUBLED: Health = {
  ...sample.HEALTHY,
  ready: false,
  reasons: ['the disk is almost full: 40 MB left'],
  untold: ['nobody has been told anything by channel team-chat since 2026-11-21T05:40:00.000Z: it is tried again'],
  airflows: [
    {
      id: 'prod',
      version: '3.3.2',
      state: 'degraded',
      detail: 'answers in 4.1 s',
      lastPollAt: sample.at(13),
      gaps: ['audit_log: 403, this account may not read it', 'extra_links: 404'],
    },
    {
      id: 'legacy',
      version: null,
      state: 'unreachable',
      detail: 'connect ECONNREFUSED 10.1.2.3:8080',
      lastPollAt: sample.at(-40),
      gaps: [],
    },
  ],
};

export const RUNNING = sample.repair({
  state: 'running',
  stateReason: reason('approved'),
  approval: { by: 'bob', role: 'approver', at: sample.at(13), comment: 'checked with finance', digest: sample.DIGEST },
  warnings: ['Airflow runs the latest version of the DAG, not the one that failed.'],
  steps: [
    {
      ...sample.step(1, { stage: 'canary', state: 'succeeded' }),
      progress: [{ runId: 'scheduled__2026-11-21T03:00:00+00:00', logicalDate: null, state: 'success' }],
    },
    {
      ...sample.step(2, { stage: 'rest', wave: 2, state: 'running' }),
      progress: [{ runId: 'scheduled__2026-11-21T04:00:00+00:00', logicalDate: null, state: 'running' }],
    },
    sample.step(3, { stage: 'rest', wave: 2 }),
    {
      ...sample.step(4, { stage: 'rest', wave: 2, dryRun: 'computed' }),
      request: {
        kind: 'create_run',
        runId: 'firedamper__2026-11-21T06:00:00',
        logicalDate: sample.at(155),
        intervalStart: sample.at(155),
        intervalEnd: sample.at(215),
      },
      runs: [{ runId: 'firedamper__2026-11-21T06:00:00', logicalDate: sample.at(155), startBefore: null, tasks: [] }],
    },
  ],
});

export const BACKFILL = sample.repair({
  steps: [
    {
      ...sample.step(1),
      request: { kind: 'backfill', from: sample.at(-7200), to: sample.at(-25), reprocess: 'failed', maxActiveRuns: 3 },
      runs: Array.from({ length: 24 }, (_, i) => ({
        runId: `scheduled__${sample.at(-7200 + i * 60)}`,
        logicalDate: sample.at(-7200 + i * 60),
        startBefore: null,
        tasks: [],
      })),
    },
  ],
  warnings: ['24 runs are more than the DAG runs at once: this takes about 4 h.'],
});

export function wide(): IncidentView {
  const names = Array.from(
    { length: 56 },
    (_, i) =>
      `${['mart', 'report', 'feature', 'export'][i % 4]}_${['sales', 'stock', 'returns', 'prices', 'margins'][i % 5]}_${String(i).padStart(2, '0')}`,
  );
  const direct = names.slice(0, 38).map((to) => sample.edge('orders_etl', to, 'asset', 's3://lake/orders'));
  const behind = names
    .slice(38)
    .map((to, i) =>
      sample.edge(names[i % 6] ?? 'orders_etl', to, i % 3 === 0 ? 'trigger' : 'asset', i % 3 === 0 ? 'start' : 's3://lake/marts'),
    );
  const edges = [...direct, ...behind];
  const held = edges
    .slice(0, 50)
    .map((e) =>
      sample.hold(
        e.to.dagId,
        'held',
        e.from.dagId === 'orders_etl' ? [e] : [...direct.filter((d) => d.to.dagId === e.from.dagId), e],
      ),
    );
  const spared = edges.slice(50).map((e) => ({
    ...e.to,
    reason: reason('over_cap', { cap: '50' }),
    path: [`${e.from.dagId} -(${e.kind} ${e.via})-> ${e.to.dagId}`],
  }));
  return sample.view({ incident: sample.incident({ spared }), holds: held, edges, repairs: [] });
}

export const HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>';

export function hostile(): IncidentView {
  const more: Partial<Incident> = { dagId: HOSTILE, title: `${HOSTILE} failed`, rule: HOSTILE, acknowledgedBy: HOSTILE };
  const way = [
    sample.edge(HOSTILE, `../../${HOSTILE}`, 'asset', HOSTILE),
    sample.edge(HOSTILE, 'ünï-订单 ‮cod.exe a:b/c', 'sensor', 'a'.repeat(200)),
  ];
  return sample.view({
    incident: sample.incident({ ...more, spared: [], gaps: [{ source: 'assets', why: HOSTILE }] }),
    holds: way.map((e) => sample.hold(e.to.dagId, 'held', [e])),
    edges: way,
    signals: sample.SIGNALS.map((signal) => ({ ...signal, text: HOSTILE, logUrl: 'javascript:alert(3)' })),
    repairs: [sample.repair({ warnings: [HOSTILE], requestedBy: HOSTILE, steps: [sample.step(1, { dagId: HOSTILE })] })],
  });
}

export const DONE = sample.view({
  incident: sample.incident(
    {
      status: 'monitoring',
      statusReason: reason('verified_runs'),
      releasing: true,
      deliveries: [
        {
          airflow: 'prod',
          dagId: 'revenue_report',
          how: 'event',
          reason: reason('delivered_event', { asset: 's3://lake/orders' }),
          expectRun: true,
          since: sample.at(18),
          runId: 'asset_triggered__2026-11-21T03:43:10+00:00',
          orders: [],
          state: 'ran',
        },
        {
          airflow: 'prod',
          dagId: 'churn_scores',
          how: 'fed_by',
          reason: reason('fed_by', { dag: 'customer_360' }),
          expectRun: true,
          since: sample.at(18),
          runId: null,
          orders: [],
          state: 'waiting',
        },
      ],
    },
    { repairedAt: sample.at(17), verifiedAt: sample.at(17.1), releasedAt: sample.at(18) },
  ),
  holds: sample.HOLDS.map((hold) => ({
    ...hold,
    state: 'released' as const,
    reason: reason('released'),
    releasedAt: sample.at(18),
  })),
  repairs: [
    {
      ...RUNNING,
      steps: RUNNING.steps.map((s) => ({ ...s, state: 'succeeded' as const, progress: [] })),
      state: 'succeeded',
      stateReason: reason('repair_succeeded'),
      endedAt: sample.at(17),
    },
  ],
});

export const FAILED = sample.view({
  incident: sample.incident({
    statusReason: reason('repair_failed', { what: 'run scheduled__2026-11-21T03:00:00+00:00 failed again' }),
  }),
  repairs: [
    {
      ...RUNNING,
      state: 'failed',
      stateReason: reason('canary_failed'),
      endedAt: sample.at(13.6),
      steps: RUNNING.steps.slice(0, 2).map((s, i) => ({
        ...s,
        state: i === 0 ? ('failed' as const) : ('skipped' as const),
        reason: reason(i === 0 ? 'step_failed' : 'stopped_after_failure', { run: 'scheduled__2026-11-21T03:00:00+00:00' }),
        progress: i === 0 ? [{ runId: 'scheduled__2026-11-21T03:00:00+00:00', logicalDate: null, state: 'failed' as const }] : [],
      })),
    },
    sample.repair({ id: 'rep-87', state: 'lapsed', stateReason: reason('approval_expired') }),
  ],
});

export const FILES = sample.view({
  incident: sample.incident({
    id: 'inc-2042',
    type: 'platform',
    dagId: 'dags-folder/finance/revenue.py',
    title: '2 DAG files of prod do not load',
    status: 'contained',
    statusReason: reason('files_broken', {
      files: "dags-folder/finance/revenue.py (ModuleNotFoundError: No module named 'panda')",
    }),
    runs: [],
    spared: [],
    gaps: [],
    acknowledgedBy: null,
    fixedBy: null,
    files: [
      {
        file: 'dags-folder/finance/revenue.py',
        error: "ModuleNotFoundError: No module named 'panda'",
        dags: ['revenue_report', 'revenue_daily'],
        since: sample.at(0),
        loadedAt: null,
      },
      {
        file: 'dags-folder/stock.py',
        error: 'SyntaxError: invalid syntax',
        dags: [],
        since: sample.at(0),
        loadedAt: sample.at(9),
      },
    ],
  }),
  holds: [],
  repairs: [],
  signals: [],
});

export const listed: readonly Incident[] = [
  sample.incident(),
  sample.incident({
    id: 'inc-2040',
    severity: 'P0',
    dagId: 'payments_ingest',
    title: 'payments_ingest failed in load',
    status: 'open',
    statusReason: reason('failure_final', { task: 'load', run: 'manual__1' }),
    acknowledgedBy: null,
    rule: 'P0',
  }),
  sample.incident({
    id: 'inc-2039',
    severity: 'P2',
    dagId: 'stock_levels',
    title: 'stock_levels failed in merge',
    status: 'repairing',
    statusReason: reason('approved'),
    acknowledgedBy: 'chen',
  }),
  sample.incident(
    {
      id: 'inc-2035',
      severity: 'P2',
      type: 'platform',
      title: 'many DAGs failed at once',
      status: 'resolved',
      statusReason: reason('resolved'),
    },
    { openedAt: sample.at(-1500), resolvedAt: sample.at(-1440) },
  ),
  sample.incident(
    {
      id: 'inc-2030',
      severity: 'P3',
      title: 'weekly_newsletter failed in send',
      dagId: 'weekly_newsletter',
      status: 'dismissed',
      statusReason: reason('dismissed'),
    },
    { openedAt: sample.at(-4000), dismissedAt: sample.at(-3990) },
  ),
];

export function dagModel(): DagPageModel {
  const facts = {
    dagId: 'revenue_report',
    paused: true,
    tags: ['tier:1', 'finance'],
    owners: ['finance-data'],
    timeScheduled: false,
    assetScheduled: true,
    schedule: null,
    maxActiveRuns: 16,
    nextRunAfter: null,
    nextLogicalDate: null,
  };
  const ownership = {
    airflow: 'prod',
    dagId: 'revenue_report',
    state: 'ours' as const,
    op: 'int-1',
    auditCursor: 9,
    since: sample.at(0.1),
    uncertain: false,
    ops: ['int-1'],
    foundPaused: false,
  };
  const holds = sample.HOLDS.slice(0, 1);
  const view = {
    facts,
    ownership,
    holds,
    upstream: sample.EDGES.slice(0, 1),
    downstream: sample.EDGES.filter((e) => e.from.dagId === 'revenue_report'),
  };
  return {
    airflow: 'prod',
    dagId: 'revenue_report',
    view,
    airflowUrl: 'http://localhost:8080',
    role: 'approver' as const,
    now: NOW,
  };
}
