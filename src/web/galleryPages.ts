import type { Person } from '../core/events.ts';
import { reason } from '../core/reason.ts';
import type { IncidentView } from '../store/readModels.ts';
import {
  BACKFILL,
  DONE,
  dagModel,
  FAILED,
  FILES,
  HOSTILE,
  hostile,
  listed,
  NOW,
  RUNNING,
  TROUBLED,
  wide,
} from './galleryViews.ts';
import { incidentList } from './incidentList.ts';
import { incidentPage } from './incidentPage.ts';
import { layout, type Page, type Shell } from './layout.ts';
import { dagPage, errorPage, findDagPage, holdsPage, loginPage, previewPage, quarantinePage } from './otherPages.ts';
import * as sample from './samples.ts';

/** Every page in every state that looks different, with sample data: name -> HTML. Nothing has to run to look at them. */
const BOB: Person = { name: 'bob', role: 'approver' };
const ALICE: Person = { name: 'alice', role: 'responder' };

const shell = (at: Shell['at'], more: Partial<Shell> = {}): Shell => ({
  person: BOB,
  health: sample.HEALTHY,
  flash: null,
  now: NOW,
  quarantined: 0,
  at,
  ...more,
});

const incident = (view: IncidentView, person: Person = BOB): Page =>
  incidentPage({
    view,
    timeline: sample.TIMELINE,
    person,
    allowSelfApproval: false,
    airflowUrl: 'http://localhost:8080',
    now: NOW,
  });

export const GALLERY: Readonly<Record<string, () => string>> = {
  list: () =>
    layout(
      shell('incidents'),
      incidentList({ incidents: listed, filter: 'all', dagId: null, next: '/incidents?cursor=x', now: NOW }),
    ),
  'list-empty': () =>
    layout(shell('incidents'), incidentList({ incidents: [], filter: 'active', dagId: null, next: null, now: NOW })),
  'incident-proposed': () => layout(shell('incidents'), incident(sample.view())),
  'incident-responder': () => layout(shell('incidents', { person: ALICE }), incident(sample.view({ repairs: [] }), ALICE)),
  'incident-self': () =>
    layout(
      shell('incidents', { person: { name: 'alice', role: 'approver' } }),
      incident(sample.view(), { name: 'alice', role: 'approver' }),
    ),
  'incident-files': () => layout(shell('incidents'), incident(FILES)),
  'incident-open': () =>
    layout(
      shell('incidents'),
      incident(
        sample.view({
          incident: sample.incident(
            {
              status: 'open',
              statusReason: reason('failure_final', { task: 'load_orders', run: 'r1' }),
              acknowledgedBy: null,
              fixedBy: null,
              surveyPending: true,
            },
            { containedAt: null, fixedAt: null, acknowledgedAt: null },
          ),
          repairs: [],
          holds: sample.HOLDS.map((h) => ({ ...h, state: 'intended' as const })),
        }),
      ),
    ),
  'incident-running': () =>
    layout(
      shell('incidents'),
      incident(
        sample.view({ incident: sample.incident({ status: 'repairing', statusReason: reason('approved') }), repairs: [RUNNING] }),
      ),
    ),
  'incident-backfill': () => layout(shell('incidents'), incident(sample.view({ repairs: [BACKFILL] }))),
  'incident-failed': () =>
    layout(
      shell('incidents', {
        flash: {
          kind: 'refused',
          text: 'the approved digest is not the digest of the plan',
          list: ['now runs: orders_etl scheduled__2026-11-21T04:00:00+00:00 load_orders'],
        },
      }),
      incident(FAILED),
    ),
  'incident-verifying': () =>
    layout(
      shell('incidents'),
      incident(
        sample.view({
          incident: sample.incident({ status: 'verifying', statusReason: reason('waiting_for_person') }),
          repairs: DONE.repairs,
        }),
      ),
    ),
  'incident-monitoring': () =>
    layout(shell('incidents', { flash: { kind: 'done', text: 'The holds are being let go.' } }), incident(DONE)),
  'incident-wide': () => layout(shell('incidents'), incident(wide())),
  'incident-shadow': () =>
    layout(
      shell('incidents', { health: { ...sample.HEALTHY, mode: 'shadow' } }),
      incident(
        sample.view({
          incident: sample.incident({
            mode: 'shadow',
            gaps: [{ source: 'extra_links', why: '403, this account may not read it' }],
          }),
        }),
      ),
    ),
  'incident-hostile': () => layout(shell('incidents', { flash: { kind: 'refused', text: HOSTILE } }), incident(hostile())),
  'dag-held': () => layout(shell('dags'), dagPage(dagModel())),
  'dag-find': () =>
    layout(shell('dags'), findDagPage({ airflows: ['prod', 'legacy'], unknown: { airflow: 'prod', dagId: 'revenue_reprot' } })),
  holds: () =>
    layout(shell('holds', { health: TROUBLED, quarantined: 2 }), holdsPage({ holds: sample.HOLDS, now: NOW, next: null })),
  preview: () => layout(shell('incidents'), previewPage({ preview: sample.PREVIEW })),
  quarantine: () =>
    layout(
      shell('quarantine', { quarantined: 1 }),
      quarantinePage({
        callbacks: [
          {
            id: 'cb-9',
            airflow: 'prod',
            receivedAt: sample.at(10),
            why: 'version: must be equal to constant (1)',
            body: '{"version":2,"kind":"task_failed"}',
          },
        ],
        now: NOW,
      }),
    ),
  login: () => layout(shell(null, { person: null, health: null }), loginPage({ next: '/incidents', wrong: true })),
  error: () => layout(shell(null), errorPage({ status: 404, title: 'Not found', detail: 'there is no such incident', id: null })),
};
