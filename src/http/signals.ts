import type { Express } from 'express';
import { personOf } from './access.ts';
import { knownAirflow, only, paging, text } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { signalJson } from './json.ts';
import type { Api } from './schema.ts';

/** Whatever else says that data is bad. For now each report is a declared incident in the name of the token that sent it. */
export function signalRoutes(app: Express, deps: HttpDeps): void {
  app.get('/v1/signals', async (req, res) => {
    const query = only({ ...paging(req), dagId: text(req, 'dag_id'), airflow: text(req, 'airflow') });
    const page = await deps.read.signals(query);
    res.json({ signals: page.items.map(signalJson), next_cursor: page.nextCursor } satisfies Api['SignalList']);
  });
  app.post('/v1/signals', async (req, res) => {
    const body = req.body as Api['SignalReport'];
    const answer = await deps.act(personOf(res), {
      kind: 'declare',
      airflow: knownAirflow(deps, body.airflow),
      dagId: body.dag_id,
      runId: body.run_id ?? null,
      title: body.title.trim(),
      severity: body.severity ?? null,
      incidentType: body.type ?? null,
      comment: [`reported as ${body.kind}`, body.note?.trim()].filter(Boolean).join('; '),
    });
    res.status(202).json({ incident_id: answer.incidentId } satisfies Api['SignalAnswer']);
  });
}
