import type { Express } from 'express';
import { personOrNull } from './access.ts';
import type { Health, HttpDeps } from './deps.ts';
import type { Api } from './schema.ts';

export function healthRoutes(app: Express, deps: HttpDeps): void {
  app.get('/healthz', (_req, res) => void res.json({ status: 'alive' }));
  app.get('/readyz', async (_req, res) => {
    const health = await deps.health();
    res.status(health.ready ? 200 : 503).json(readiness(health, personOrNull(res) !== null));
  });
  app.get('/metrics', async (_req, res) => void res.type('text/plain; version=0.0.4').send(await deps.metrics()));
}

/** `detail` may repeat what an Airflow answered, host names included: not for everybody. */
function readiness(health: Health, trusted: boolean): Api['Readiness'] {
  const { ready, version, mode } = health;
  const reasons = [...health.reasons, ...(health.untold ?? [])];
  const airflows = health.airflows.map(({ id, state, version, lastPollAt, clockSkewSeconds, detail, gaps }) => ({
    id,
    state,
    version,
    last_poll_at: lastPollAt,
    clock_skew_seconds: clockSkewSeconds ?? null,
    ...(trusted ? { detail, gaps } : {}),
  }));
  return { ready, reasons, version, mode, airflows };
}
