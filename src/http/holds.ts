import type { Express, Request } from 'express';
import type { PersonAct } from '../core/events.ts';
import { personOf } from './access.ts';
import { neededWords, only, orNotFound, paging, param, text } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { holdJson } from './json.ts';
import type { Api } from './schema.ts';

export function holdRoutes(app: Express, deps: HttpDeps): void {
  app.get('/v1/holds', async (req, res) => {
    const active = String(req.query.active) === 'true';
    const page = await deps.read.holds(
      only({
        ...paging(req),
        dagId: text(req, 'dag_id'),
        airflow: text(req, 'airflow'),
        incidentId: text(req, 'incident_id'),
        active: active || undefined,
      }),
    );
    res.json({ holds: page.items.map(holdJson), next_cursor: page.nextCursor } satisfies Api['HoldList']);
  });
  app.post('/v1/holds/:id/release', async (req, res) => {
    await deps.act(personOf(res), releaseHold(req));
    res.json(holdJson(orNotFound(await deps.read.hold(param(req, 'id')), 'hold')));
  });
}

export const releaseHold = (req: Request): PersonAct => ({
  kind: 'release_hold',
  holdId: param(req, 'id'),
  comment: neededWords(req),
});
