import type { Express, RequestHandler } from 'express';
import type { PersonAct } from '../core/events.ts';
import { INCIDENT_TYPES } from '../core/incident.ts';
import { invalid } from '../errors.ts';
import { reportPage } from '../web/reportPage.ts';
import { incidentPath } from '../web/words.ts';
import { personOf } from './access.ts';
import { knownAirflow } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import type { Show } from './pages.ts';
import { toFailure } from './problem.ts';
import type { Sessions } from './sessions.ts';

interface Parts {
  readonly deps: HttpDeps;
  readonly sessions: Sessions;
  readonly form: RequestHandler;
  readonly show: Show;
}

/** What a link in Airflow's own pages fills in; a refused report comes back with what was typed. */
export function reportPages(app: Express, { deps, sessions, form, show }: Parts): void {
  const page = (from: Record<string, unknown>) => {
    const said = (key: string) => (typeof from[key] === 'string' ? from[key].trim() : '');
    const given = {
      airflow: said('airflow'),
      dagId: said('dag_id'),
      runId: said('run_id'),
      title: said('title'),
      note: said('reason'),
    };
    return reportPage({
      airflows: deps.config.airflows.map((airflow) => airflow.id),
      given,
      type: said('type') || 'quality_degradation',
    });
  };
  app.get('/report', async (req, res) => {
    // Airflow 3.1.8 puts a run id into the link as it is (3.2.2 and later encode it): its `+` arrives as a blank, which no run id has.
    const run_id = String(req.query.run_id ?? '').replaceAll(' ', '+');
    await show(req, res, 'dags', page({ ...req.query, run_id }));
  });
  app.post('/report', form, async (req, res) => {
    const body = (req.body ?? {}) as Record<string, unknown>;
    try {
      const { incidentId } = await deps.act(personOf(res), declared(deps, body));
      sessions.setFlash(req, { kind: 'done', text: 'Reported. Who reads this data is being looked for and paused.' });
      res.redirect(303, incidentId === null ? '/incidents' : incidentPath(incidentId));
    } catch (error) {
      const { problem, headers } = toFailure(error, deps.log);
      if (problem.status >= 500) throw error;
      await show(req, res.status(problem.status).set(headers), 'dags', page(body), {
        kind: 'refused',
        text: problem.detail,
        list: [],
      });
    }
  });
}

function declared(deps: HttpDeps, body: Readonly<Record<string, unknown>>): PersonAct {
  const said = (key: string, most: number): string => {
    const value = typeof body[key] === 'string' ? body[key].trim() : '';
    if (value.length > most) throw invalid(`${key}: at most ${most} characters`);
    return value;
  };
  const [dagId, title] = [said('dag_id', 250), said('title', 300)];
  if (dagId === '' || title === '') throw invalid('a DAG and one line about what is wrong are needed');
  return {
    kind: 'declare',
    airflow: knownAirflow(deps, said('airflow', 200)),
    dagId,
    runId: said('run_id', 250) || null,
    title,
    severity: null,
    incidentType: INCIDENT_TYPES.find((t) => t === body.type) ?? null,
    comment: said('reason', 4000) || null,
  };
}
