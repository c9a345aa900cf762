import type { Express, Request } from 'express';
import type { PersonAct } from '../core/events.ts';
import { internal, invalid } from '../errors.ts';
import { personOf } from './access.ts';
import { neededWords, orNotFound, param, words } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { repairJson } from './json.ts';

export function repairRoutes(app: Express, deps: HttpDeps): void {
  const current = async (id: string) => repairJson(orNotFound(await deps.read.repair(id), 'repair'));
  app.get('/v1/repairs/:id', async (req, res) => void res.json(await current(param(req, 'id'))));
  for (const act of ['approve', 'reject', 'cancel']) {
    app.post(`/v1/repairs/:id/${act}`, async (req, res) => {
      await deps.act(personOf(res), repairAct(req));
      res.json(await current(param(req, 'id')));
    });
  }
}

/** Approve names the digest that the person saw; used by the API and by the forms of the pages. */
export function repairAct(req: Request): PersonAct {
  const repairId = param(req, 'id');
  const kind = req.path.split('/').at(-1);
  switch (kind) {
    case 'approve': {
      const digest: unknown = (req.body as { digest?: unknown } | undefined)?.digest;
      if (typeof digest !== 'string' || digest === '') throw invalid('an approval names the digest of the plan');
      return { kind, repairId, digest, comment: words(req) };
    }
    case 'reject':
    case 'cancel':
      return { kind, repairId, comment: neededWords(req) };
    default:
      throw internal(`a rule without an act: ${kind}`);
  }
}
