import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { PersonAct } from '../core/events.ts';
import { INCIDENT_STATUS, type IncidentStatus, isOver } from '../core/lifecycle.ts';
import { incidentList } from '../web/incidentList.ts';
import { incidentPage } from '../web/incidentPage.ts';
import { layout, type Page, type Shell } from '../web/layout.ts';
import {
  dagPage,
  errorPage as errorView,
  findDagPage,
  holdsPage,
  loginPage,
  previewPage,
  quarantinePage,
} from '../web/otherPages.ts';
import { dagPath, incidentPath } from '../web/words.ts';
import { personOf, personOrNull, type Tokens } from './access.ts';
import { only, orNotFound, paging, param, text } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { releaseHold } from './holds.ts';
import { incidentAct } from './incidents.ts';
import { type Failure, ProblemError, toFailure } from './problem.ts';
import { repairAct } from './repairs.ts';
import { reportPages } from './report.ts';
import { restorePages } from './restore.ts';
import type { Flash, Sessions } from './sessions.ts';

/** Named limits of the pages. A token has 256 random bits; the limit is against noise, not the only thing against guessing. */
const LOGINS_PER_MINUTE = 20;
const QUARANTINE_SHOWN = 100;
const FORM_LIMIT = '32kb';
const ASSETS: Readonly<Record<string, string>> = {
  'style.css': 'text/css',
  'app.js': 'text/javascript',
  'icon.svg': 'image/svg+xml',
};

/** The pages: HTML for people, forms that work without a script. Every act goes the same way as over the API. */
export function pageRoutes(app: Express, deps: HttpDeps, sessions: Sessions, tokens: Tokens): void {
  const show = (req: Request, res: Response, at: Shell['at'], page: Page, flash: Shell['flash'] = sessions.takeFlash(req)) =>
    send(res, deps, at, page, flash);
  app.get('/assets/:file', asset);
  loginRoutes(app, sessions, tokens, show);
  app.get('/', (_req, res) => res.redirect(303, '/incidents'));
  incidentPages(app, deps, show);
  otherPages(app, deps, show);
  actForms(app, deps, sessions, show);
  reportPages(app, { deps, sessions, form, show });
  restorePages(app, { deps, sessions, form, show });
}

export type Show = (req: Request, res: Response, at: Shell['at'], page: Page, flash?: Shell['flash']) => Promise<void>;

async function send(res: Response, deps: HttpDeps, at: Shell['at'], page: Page, flash: Shell['flash']): Promise<void> {
  const person = personOrNull(res);
  // A page is worth showing even when our own state cannot be read; the strip then says so.
  const [health, quarantined] =
    person === null
      ? [null, 0]
      : await Promise.all([
          deps.health().catch(() => null),
          deps.read.counts().then(
            (c) => c.quarantined,
            () => 0,
          ),
        ]);
  res.type('html').send(layout({ person, health, flash, now: deps.now(), quarantined, at }, page));
}

const asset: RequestHandler = async (req, res) => {
  const file = param(req, 'file');
  const type = ASSETS[file];
  if (type === undefined || !Object.hasOwn(ASSETS, file)) throw new ProblemError(404, 'there is nothing at this address');
  const path = fileURLToPath(new URL(`../web/assets/${file}`, import.meta.url));
  const { mtimeMs } = await stat(path);
  // Asked again every time, answered with 304 when nothing changed: a new version is never mixed with an old sheet.
  res.set({ 'Cache-Control': 'no-cache', 'Last-Modified': new Date(mtimeMs).toUTCString() }).type(type);
  if (req.fresh) res.status(304).end();
  else createReadStream(path).pipe(res);
};

function loginRoutes(app: Express, sessions: Sessions, tokens: Tokens, show: Show): void {
  const limit = rateLimit({
    windowMs: 60_000,
    limit: LOGINS_PER_MINUTE,
    standardHeaders: false,
    legacyHeaders: false,
    skipSuccessfulRequests: true,
    handler: () => {
      throw new ProblemError(429, 'too many wrong tokens: wait a minute', { 'Retry-After': '60' });
    },
  });
  app.get('/login', (req, res) => show(req, res, null, loginPage({ next: ownPath(text(req, 'next')), wrong: false })));
  app.post('/login', limit, form, async (req, res) => {
    const body = (req.body ?? {}) as { token?: unknown; next?: unknown };
    const person = tokens.person(typeof body.token === 'string' ? body.token.trim() : '');
    const next = ownPath(body.next);
    if (person === null) return show(req, res.status(401), null, loginPage({ next, wrong: true }));
    sessions.start(req, res, person);
    res.redirect(303, next);
  });
  app.post('/logout', (req, res) => {
    sessions.end(req, res);
    res.redirect(303, '/login');
  });
}

const form = express.urlencoded({ extended: false, limit: FORM_LIMIT, inflate: false });

/** Where to go after the login: only within ourselves, whatever the address says. */
function ownPath(next: unknown): string {
  const url = typeof next === 'string' && next.startsWith('/') ? URL.parse(next, 'http://here.invalid') : null;
  return url?.host === 'here.invalid' && !url.pathname.startsWith('//') ? `${url.pathname}${url.search}` : '/incidents';
}

const STATUSES = Object.keys(INCIDENT_STATUS) as IncidentStatus[];
const OVER = STATUSES.filter(isOver);
const ACTIVE = STATUSES.filter((status) => !isOver(status));

function incidentPages(app: Express, deps: HttpDeps, show: Show): void {
  app.get('/incidents', async (req, res) => {
    const asked = text(req, 'show');
    const filter = asked === 'over' || asked === 'all' ? asked : 'active';
    const dagId = text(req, 'dag_id') ?? null;
    const status = filter === 'all' ? undefined : filter === 'over' ? OVER : ACTIVE;
    const page = await deps.read.incidents(only({ ...paging(req), status, dagId: dagId ?? undefined }));
    const next =
      page.nextCursor === null
        ? null
        : `/incidents?${new URLSearchParams({ show: filter, ...(dagId === null ? {} : { dag_id: dagId }), cursor: page.nextCursor })}`;
    await show(req, res, 'incidents', incidentList({ incidents: page.items, filter, dagId, next, now: deps.now() }));
  });
  app.get('/incidents/:id', async (req, res) => show(req, res, 'incidents', await incidentView(deps, param(req, 'id'), res)));
  app.get('/incidents/:id/release-preview', async (req, res) => {
    const preview = orNotFound(await deps.releasePreview(param(req, 'id')), 'incident');
    await show(req, res, 'incidents', previewPage({ preview }));
  });
}

async function incidentView(deps: HttpDeps, id: string, res: Response): Promise<Page> {
  const [view, timeline] = await Promise.all([deps.read.incident(id), deps.read.timeline(id)]);
  const found = orNotFound(view, 'incident');
  return incidentPage({
    view: found,
    timeline,
    person: personOf(res),
    allowSelfApproval: deps.config.policy.repair.allowSelfApproval,
    airflowUrl: airflowUrl(deps, found.incident.airflow),
    now: deps.now(),
  });
}

const airflowUrl = (deps: HttpDeps, id: string): string | null =>
  deps.config.airflows.find((airflow) => airflow.id === id)?.publicUrl ?? null;

function otherPages(app: Express, deps: HttpDeps, show: Show): void {
  app.get('/holds', async (req, res) => {
    const page = await deps.read.holds({ ...paging(req), active: true });
    const next = page.nextCursor === null ? null : `/holds?cursor=${encodeURIComponent(page.nextCursor)}`;
    await show(req, res, 'holds', holdsPage({ holds: page.items, now: deps.now(), next }));
  });
  const dag = async (req: Request, res: Response, airflow: string, dagId: string) => {
    const view = await deps.read.dag(airflow, dagId);
    if (view === null)
      return show(req, res.status(404), 'dags', findDagPage({ airflows: airflowIds(deps), unknown: { airflow, dagId } }));
    await show(
      req,
      res,
      'dags',
      dagPage({ airflow, dagId, view, airflowUrl: airflowUrl(deps, airflow), role: personOf(res).role, now: deps.now() }),
    );
  };
  app.get('/dags', async (req, res) => {
    const [airflow, dagId] = [text(req, 'airflow'), text(req, 'dag_id')];
    if (airflow !== undefined && dagId !== undefined) return dag(req, res, airflow, dagId.trim());
    await show(req, res, 'dags', findDagPage({ airflows: airflowIds(deps), unknown: null }));
  });
  app.get('/dags/:airflow/:dag_id', (req, res) => dag(req, res, param(req, 'airflow'), param(req, 'dag_id')));
  app.get('/quarantine', async (req, res) => {
    await show(
      req,
      res,
      'quarantine',
      quarantinePage({ callbacks: await deps.read.quarantine(QUARANTINE_SHOWN), now: deps.now() }),
    );
  });
}

const airflowIds = (deps: HttpDeps): string[] => deps.config.airflows.map((airflow) => airflow.id);

const DONE: Readonly<Record<PersonAct['kind'], string>> = {
  acknowledge: 'It is yours now.',
  fixed: 'Noted as fixed. The repair is being planned.',
  verify: 'Noted: the data is right.',
  release: 'The holds are being let go.',
  release_hold: 'The hold is being let go.',
  dismiss: 'Dismissed.',
  approve: 'Approved. What would run is asked once more, then it starts.',
  reject: 'The plan is rejected.',
  cancel: 'The repair is cancelled.',
  edit: 'Changed.',
  declare: 'Declared.',
  confirm_restore: 'Confirmed. Firedamper acts again.',
};

function actForms(app: Express, deps: HttpDeps, sessions: Sessions, show: Show): void {
  const post = (path: string, actOf: (req: Request) => PersonAct, home: (req: Request) => Promise<string>) =>
    app.post(path, form, async (req, res) => {
      const back = await home(req);
      let flash: Flash;
      try {
        const act = actOf(req);
        await deps.act(personOf(res), act);
        flash = { kind: 'done', text: DONE[act.kind] };
      } catch (error) {
        return refused(req, res, deps, show, error);
      }
      sessions.setFlash(req, flash);
      res.redirect(303, back);
    });
  const incidentHome = async (req: Request) => incidentPath(param(req, 'id'));
  for (const act of ['acknowledge', 'fixed', 'verify', 'release', 'dismiss'])
    post(`/incidents/:id/${act}`, incidentAct, incidentHome);
  const repairHome = async (req: Request) =>
    incidentPath(orNotFound(await deps.read.repair(param(req, 'id')), 'repair').incidentId);
  for (const act of ['approve', 'reject', 'cancel']) post(`/repairs/:id/${act}`, repairAct, repairHome);
  const holdHome = async (req: Request) => {
    const hold = orNotFound(await deps.read.hold(param(req, 'id')), 'hold');
    return dagPath(hold.airflow, hold.dagId);
  };
  post('/holds/:id/release', releaseHold, holdHome);
}

/** A refused act shows the incident as it is now, with what was refused and why above it; the status code says the same to machines. */
async function refused(req: Request, res: Response, deps: HttpDeps, show: Show, error: unknown): Promise<void> {
  const { problem, headers } = toFailure(error, deps.log);
  const list = Array.isArray(problem.difference) ? problem.difference.map(String) : [];
  const flash = { kind: 'refused' as const, text: problem.detail, list };
  const incidentId = await incidentOf(req, deps);
  if (incidentId === null || problem.status >= 500) throw error;
  await show(req, res.status(problem.status).set(headers), 'incidents', await incidentView(deps, incidentId, res), flash);
}

async function incidentOf(req: Request, deps: HttpDeps): Promise<string | null> {
  const id = param(req, 'id');
  if (req.path.startsWith('/repairs/')) return (await deps.read.repair(id))?.incidentId ?? null;
  if (req.path.startsWith('/holds/')) return (await deps.read.hold(id))?.incidentId ?? null;
  return (await deps.read.incident(id)) === null ? null : id;
}

const isPage = (path: string): boolean => !/^\/(v1(\/|$)|healthz|readyz|metrics)/.test(path);

/** People get a page: the login for who is nobody yet, otherwise words. Machines are told by `sendProblem`. */
export const errorPage =
  (deps: HttpDeps) =>
  async (failure: Failure, res: Response): Promise<boolean> => {
    const { req } = res;
    const { problem, headers } = failure;
    if (!isPage(req.path)) return false;
    if (problem.status === 401 && req.headers.authorization === undefined) {
      res.redirect(303, req.method === 'GET' ? `/login?next=${encodeURIComponent(req.originalUrl)}` : '/login');
      return true;
    }
    const id = typeof problem.instance === 'string' ? problem.instance.replace('urn:uuid:', '') : null;
    const page = errorView({ status: problem.status, title: problem.title, detail: problem.detail, id });
    await send(res.status(problem.status).set(headers), deps, null, page, null);
    return true;
  };
