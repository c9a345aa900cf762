import type { Express } from 'express';
import { orNotFound, param } from './asked.ts';
import type { HttpDeps } from './deps.ts';
import { dagJson } from './json.ts';

export function dagRoutes(app: Express, deps: HttpDeps): void {
  app.get('/v1/dags/:airflow/:dag_id', async (req, res) => {
    const [airflow, dagId] = [param(req, 'airflow'), param(req, 'dag_id')];
    res.json(dagJson(airflow, dagId, orNotFound(await deps.read.dag(airflow, dagId), 'DAG')));
  });
}
