import type { Express, RequestHandler, Response } from 'express';
import type { PersonAct } from '../core/events.ts';
import { restorePage } from '../web/restorePage.ts';
import { mayDo, personOf } from './access.ts';
import { neededWords } from './asked.ts';
import type { HttpDeps, RestoreView } from './deps.ts';
import type { Show } from './pages.ts';
import { toFailure } from './problem.ts';
import type { Api } from './schema.ts';
import type { Sessions } from './sessions.ts';

/** After a restore the service only observes; here people see what differs and an admin says that it may act again. */
export function restoreRoutes(app: Express, deps: HttpDeps): void {
  app.get('/v1/restore', async (_req, res) => void res.json(restoreJson(await deps.restored())));
  app.post('/v1/restore/confirm', async (req, res) => {
    const act: PersonAct = { kind: 'confirm_restore', comment: neededWords(req) };
    await deps.act(personOf(res), act);
    res.json(restoreJson(await deps.restored()));
  });
}

interface Parts {
  readonly deps: HttpDeps;
  readonly sessions: Sessions;
  readonly form: RequestHandler;
  readonly show: Show;
}

export function restorePages(app: Express, { deps, sessions, form, show }: Parts): void {
  const page = async (res: Response) => restorePage(await deps.restored(), mayDo(personOf(res).role, 'admin'));
  app.get('/restore', async (req, res) => show(req, res, null, await page(res)));
  app.post('/restore/confirm', form, async (req, res) => {
    try {
      await deps.act(personOf(res), { kind: 'confirm_restore', comment: neededWords(req) });
      sessions.setFlash(req, { kind: 'done', text: 'Confirmed. Firedamper acts again.' });
      res.redirect(303, '/restore');
    } catch (error) {
      const { problem, headers } = toFailure(error, deps.log);
      if (problem.status >= 500) throw error;
      await show(req, res.status(problem.status).set(headers), null, await page(res), { kind: 'refused', text: problem.detail });
    }
  });
}

export const restoreJson = (view: RestoreView | null): Api['RestoreState'] => ({
  observing: view !== null,
  restored_at: view?.at ?? null,
  because: view?.because ?? null,
  knows_until: view?.knowsUntil ?? null,
  differences: (view?.differences ?? []).map(({ airflow, dagId, text }) => ({ airflow, dag_id: dagId, text })),
});
