import type { Express } from 'express';
import { personOf } from './access.ts';
import { knownAirflow } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import type { components } from './schema-service.d.ts';

type Api = components['schemas'];

/** Whatever else says that data is bad. For now each report is a declared incident in the name of the token that sent it. */
export function signalRoutes(app: Express, deps: HttpDeps): void {
  app.post('/v1/signals', async (req, res) => {
    const body = req.body as Api['SignalReport'];
    const answer = await deps.act(personOf(res), {
      kind: 'declare',
      airflow: knownAirflow(deps, body.airflow),
      dagId: body.dag_id,
      title: body.title.trim(),
      severity: body.severity ?? null,
      incidentType: body.type ?? null,
      comment: [`reported as ${body.kind}`, body.run_id && `run ${body.run_id}`, body.note?.trim()].filter(Boolean).join('; '),
    });
    res.status(202).json({ incident_id: answer.incidentId } satisfies Api['SignalAnswer']);
  });
}
