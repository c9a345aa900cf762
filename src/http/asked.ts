import type { Request } from 'express';
import { INCIDENT_STATUS } from '../core/lifecycle.ts';
import { invalid, notFound } from '../errors.ts';
import type { HttpDeps } from './deps.ts';

/** What a request asks for, as plain values. The shapes were checked against openapi/service.yaml before. */

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

export const param = (req: Request, name: string): string => String(req.params[name] ?? '');

export function text(req: Request, name: string): string | undefined {
  const value = req.query[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Leaves out what was not asked, as `exactOptionalPropertyTypes` wants it. */
export function only<T extends object>(query: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as T;
}

export function paging(req: Request): { limit: number; cursor?: string } {
  const limit = Number(req.query.limit ?? DEFAULT_LIMIT);
  return only<{ limit: number; cursor?: string }>({
    limit: Math.min(Math.max(Math.trunc(limit) || DEFAULT_LIMIT, 1), MAX_LIMIT),
    cursor: text(req, 'cursor'),
  });
}

/** `status` may be repeated and may be a comma separated list. An unknown one is refused: an empty answer would look like "none". */
export function statuses(req: Request): readonly string[] | undefined {
  const given = [req.query.status ?? []].flat().flatMap((part) => String(part).split(','));
  const wanted = given.map((part) => part.trim()).filter((part) => part !== '');
  const unknown = wanted.find((status) => !(status in INCIDENT_STATUS));
  if (unknown !== undefined) throw invalid(`no such status: ${unknown}; there are ${Object.keys(INCIDENT_STATUS).join(', ')}`);
  return wanted.length === 0 ? undefined : wanted;
}

interface Words {
  readonly reason?: string | null;
  readonly comment?: string | null;
}

/** A person's own words, or null. `comment` is another name for `reason`. */
export function words(req: Request): string | null {
  const body = (req.body ?? {}) as Words;
  return body.reason?.trim() || body.comment?.trim() || null;
}

export function neededWords(req: Request): string {
  const given = words(req);
  if (given === null) throw invalid('a reason is needed: it goes into the history');
  return given;
}

export function knownAirflow(deps: HttpDeps, id: string): string {
  if (!deps.config.airflows.some((airflow) => airflow.id === id))
    throw invalid(`no Airflow with the id ${JSON.stringify(id)} is configured`);
  return id;
}

export function orNotFound<T>(value: T | null, what: string): T {
  if (value === null) throw notFound(`there is no such ${what}`);
  return value;
}
