import type { Express, Response } from 'express';
import type { HttpDeps } from './deps.ts';
import type { Failure } from './problem.ts';
import type { Sessions } from './sessions.ts';

export function pageRoutes(_app: Express, _deps: HttpDeps, _sessions: Sessions): void {}

export const errorPage =
  (_deps: HttpDeps) =>
  async (_failure: Failure, _res: Response): Promise<boolean> =>
    false;
