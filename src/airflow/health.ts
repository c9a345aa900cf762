/** Health as Airflow's own body says it: the status is 200 also with a dead scheduler (2.11.2, 3.3.2). */
import type { AirflowIdentity } from './client.ts';
import type { Answer } from './wire.ts';

interface HealthBody {
  readonly metadatabase?: { readonly status?: unknown };
  readonly scheduler?: { readonly status?: unknown };
}

export const healthFacts = (answer: Answer): Omit<AirflowIdentity, 'version' | 'generation'> => {
  const body = answer.body as HealthBody;
  const at = Date.parse(answer.headers.date ?? '');
  return {
    scheduler: healthWord(body.scheduler?.status),
    database: healthWord(body.metadatabase?.status),
    serverTime: Number.isNaN(at) ? null : new Date(at).toISOString(),
  };
};

const healthWord = (status: unknown): 'healthy' | 'unhealthy' | 'unknown' =>
  status === 'healthy' || status === 'unhealthy' ? status : 'unknown';
