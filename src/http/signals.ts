import type { Express } from 'express';
import type { HeardSignal } from '../core/signal.ts';
import type { Page } from '../store/readModels.ts';
import { personOf } from './access.ts';
import { knownAirflow, only, paging, text } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { signalJson } from './json.ts';
import type { Api } from './schema.ts';

/** What the read models must offer for the list of signals; without it the list is not served. */
interface ReadsSignals {
  /** Newest first, whatever became of them. */
  signals(query: { dagId?: string; airflow?: string; limit: number; cursor?: string }): Promise<Page<HeardSignal>>;
}

/** Whatever else says that data is bad. For now each report is a declared incident in the name of the token that sent it. */
export function signalRoutes(app: Express, deps: HttpDeps): void {
  const read: Partial<ReadsSignals> = deps.read as Partial<ReadsSignals>;
  const { signals } = read;
  if (signals !== undefined) {
    app.get('/v1/signals', async (req, res) => {
      const page = await signals.call(read, only({ ...paging(req), dagId: text(req, 'dag_id'), airflow: text(req, 'airflow') }));
      res.json({ signals: page.items.map(signalJson), next_cursor: page.nextCursor } satisfies Api['SignalList']);
    });
  }
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
