import express, { type Express, type Request, type Response } from 'express';
import { json, limitRate, prove, refuseTooLarge } from './callbacks.ts';
import type { HttpDeps } from './deps.ts';
import { incidentPage } from './json.ts';
import { ProblemError } from './problem.ts';
import type { Api } from './schema.ts';
import type { SigningKey } from './signature.ts';

const MAX_BODY_BYTES = 16 * 1024;
/** When a DAG that waits is to ask again; also the answer of a service that has not read its Airflow yet. */
const RETRY_AFTER_S = 30;

/**
 * `FiredamperGate` of the Airflow package asks here whether a DAG may read its inputs. It proves itself as a callback does, with the secret that this
 * Airflow has anyway: no second secret on every worker.
 */
export function gateRoute(app: Express, deps: HttpDeps, keys: ReadonlyMap<string, readonly SigningKey[]>): void {
  app.post(
    '/v1/gate/airflow/:airflow',
    refuseTooLarge(MAX_BODY_BYTES),
    limitRate(deps.config.intake.ratePerMinute, keys),
    express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false }),
    async (req: Request<{ airflow: string }>, res: Response) => {
      const { airflow } = req.params;
      const secrets = keys.get(airflow);
      if (secrets === undefined) throw new ProblemError(404, 'no Airflow with this id is configured');
      const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
      prove(req, body, secrets, deps, airflow);
      res.json(await answer(deps, airflow, dagIdOf(json(req, body))));
    },
  );
}

async function answer(deps: HttpDeps, airflow: string, dagId: string): Promise<Api['GateAnswer']> {
  const found = await deps.gate(airflow, dagId);
  if (found === null)
    throw new ProblemError(503, `Airflow ${airflow} has not been read yet: nobody can say what ${dagId} reads`, {
      'Retry-After': String(RETRY_AFTER_S),
    });
  const incidents = found.covering.map(({ incident, path }) => ({
    id: incident.id,
    url: incidentPage(deps.config.server.publicUrl, incident.id),
    title: incident.title,
    severity: incident.severity,
    status: incident.status,
    type: incident.type,
    airflow: incident.airflow,
    dag_id: incident.dagId,
    path: [...path],
  }));
  return { decision: found.decision, reason: reasonOf(found.decision, incidents), incidents, retry_after_s: RETRY_AFTER_S };
}

function reasonOf(decision: 'pass' | 'wait', incidents: readonly { id: string; dag_id: string }[]): string {
  const named = incidents.map((i) => `${i.id} (${i.dag_id})`).join(', ');
  if (decision === 'wait') return `what this DAG reads is covered by ${named}`;
  return named === '' ? 'no open incident covers what this DAG reads' : `covered by ${named}, in shadow mode: nobody has to wait`;
}

/** `dag_id` is all that is asked for today; a newer package may send more. */
function dagIdOf(body: unknown): string {
  const dagId = typeof body === 'object' && body !== null ? (body as { dag_id?: unknown }).dag_id : undefined;
  if (typeof dagId !== 'string' || dagId === '' || dagId.length > 1024) throw new ProblemError(400, 'dag_id is needed');
  return dagId;
}
