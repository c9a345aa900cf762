import type { Express, Request, Response } from 'express';
import type { PersonAct } from '../core/events.ts';
import { sentence } from '../core/reason.ts';
import { internal, invalid } from '../errors.ts';
import { personOf } from './access.ts';
import { knownAirflow, neededWords, only, orNotFound, paging, param, statuses, text, words } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { entryJson, incidentJson, previewJson, repairJson } from './json.ts';
import type { Api } from './schema.ts';

export function incidentRoutes(app: Express, deps: HttpDeps): void {
  app.get('/v1/incidents', (req, res) => list(req, res, deps));
  app.post('/v1/incidents', (req, res) => declare(req, res, deps));
  app.get('/v1/incidents/:id', async (req, res) => void res.json(await current(param(req, 'id'), deps)));
  app.patch('/v1/incidents/:id', (req, res) => actOn(req, res, deps, edit(req)));
  app.get('/v1/incidents/:id/timeline', (req, res) => timeline(req, res, deps));
  app.get('/v1/incidents/:id/release-preview', async (req, res) => {
    res.json(previewJson(orNotFound(await deps.releasePreview(param(req, 'id')), 'incident')));
  });
  app.post('/v1/incidents/:id/fixed', (req, res) => fixed(req, res, deps));
  for (const act of ['acknowledge', 'verify', 'release', 'dismiss']) {
    app.post(`/v1/incidents/:id/${act}`, (req, res) => actOn(req, res, deps, incidentAct(req)));
  }
}

/** The acts on one incident that need nothing but a reason; used by the API and by the forms of the pages. */
export function incidentAct(req: Request): PersonAct {
  const incidentId = param(req, 'id');
  const kind = req.path.split('/').at(-1);
  switch (kind) {
    case 'acknowledge':
    case 'fixed':
      return { kind, incidentId, comment: words(req) };
    case 'verify':
    case 'release':
    case 'dismiss':
      return { kind, incidentId, comment: neededWords(req) };
    default:
      throw internal(`a rule without an act: ${kind}`);
  }
}

async function current(id: string, deps: HttpDeps): Promise<Api['Incident']> {
  return incidentJson(orNotFound(await deps.read.incident(id), 'incident'), deps.config.server.publicUrl);
}

async function actOn(req: Request, res: Response, deps: HttpDeps, act: PersonAct): Promise<void> {
  await deps.act(personOf(res), act);
  res.json(await current(param(req, 'id'), deps));
}

async function list(req: Request, res: Response, deps: HttpDeps): Promise<void> {
  const query = only({ ...paging(req), status: statuses(req), dagId: text(req, 'dag_id'), airflow: text(req, 'airflow') });
  const page = await deps.read.incidents(query);
  // One view each: the list answers whole incidents, so that who asks for one DAG sees its holds and repairs at once.
  const views = await Promise.all(page.items.map((incident) => deps.read.incident(incident.id)));
  const incidents = views.filter((view) => view !== null).map((view) => incidentJson(view, deps.config.server.publicUrl));
  res.json({ incidents, next_cursor: page.nextCursor } satisfies Api['IncidentList']);
}

async function timeline(req: Request, res: Response, deps: HttpDeps): Promise<void> {
  const id = param(req, 'id');
  orNotFound(await deps.read.incident(id), 'incident');
  const after = Number(text(req, 'cursor') ?? 0);
  if (!Number.isSafeInteger(after)) throw invalid('cursor: not one of ours');
  const left = (await deps.read.timeline(id)).filter((entry) => entry.id > after);
  const shown = req.query.limit === undefined ? left : left.slice(0, paging(req).limit);
  const more = shown.length < left.length ? String(shown.at(-1)?.id) : null;
  res.json({ timeline: shown.map(entryJson), next_cursor: more } satisfies Api['Timeline']);
}

async function declare(req: Request, res: Response, deps: HttpDeps): Promise<void> {
  const body = req.body as Api['Declaration'];
  const answer = await deps.act(personOf(res), {
    kind: 'declare',
    airflow: knownAirflow(deps, body.airflow),
    dagId: body.dag_id,
    runId: body.run_id ?? null,
    title: body.title.trim(),
    severity: body.severity ?? null,
    incidentType: body.type ?? null,
    comment: words(req),
  });
  if (answer.incidentId === null) throw internal('a declaration opened nothing');
  const incident = await current(answer.incidentId, deps);
  res
    .status(201)
    .location(`/v1/incidents/${encodeURIComponent(incident.id)}`)
    .json(incident);
}

function edit(req: Request): PersonAct {
  const body = req.body as Api['IncidentEdit'];
  const changes = only<{ severity?: Api['Severity']; incidentType?: Api['IncidentType']; title?: string }>({
    severity: body.severity,
    incidentType: body.type,
    title: body.title?.trim(),
  });
  return { kind: 'edit', incidentId: param(req, 'id'), comment: neededWords(req), ...changes };
}

async function fixed(req: Request, res: Response, deps: HttpDeps): Promise<void> {
  const answer = await deps.act(personOf(res), incidentAct(req));
  const repair = answer.repairId === null ? null : await deps.read.repair(answer.repairId);
  const body: Api['FixedAnswer'] = {
    repair: repair === null ? null : repairJson(repair),
    note: answer.note === null ? null : { code: answer.note.code, text: sentence(answer.note) },
  };
  res.status(repair?.state === 'planning' ? 202 : 200).json(body);
}
