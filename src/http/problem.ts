import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Response } from 'express';
import { type ErrorKind, FiredamperError } from '../errors.ts';
import type { Log } from './deps.ts';

/** A refusal of the HTTP room itself, before anything of the product was asked. */
export class ProblemError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'ProblemError';
    this.status = status;
    this.headers = headers;
  }
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly [extension: string]: unknown;
}

/** The one map from our kinds of error to HTTP. */
const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  internal: 500,
  unavailable: 503,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Not well-formed',
  401: 'Who are you?',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not this method',
  409: 'Not possible now',
  413: 'Too large',
  415: 'Wrong content type',
  429: 'Too many requests',
  500: 'Something broke here',
  503: 'Not available right now',
};

/** Seconds after which a sender may ask again; the sender in Airflow spools until its next callback anyway. */
const RETRY_AFTER_SECONDS = '5';

export interface Failure {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
}

/** What people are told of an error. Whatever is not ours becomes "internal": its text stays in the log. */
export function toFailure(error: unknown, log: Log): Failure {
  if (error instanceof ProblemError) return fail(error.status, error.message, {}, error.headers);
  if (error instanceof FiredamperError && error.kind !== 'internal') {
    return fail(
      STATUS[error.kind],
      error.message,
      error.detail,
      error.kind === 'unavailable' ? { 'Retry-After': RETRY_AFTER_SECONDS } : {},
    );
  }
  return fromLibrary(error) ?? unexpected(error, log);
}

function fail(
  status: number,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Failure {
  const problem: Problem = {
    ...more,
    type: `urn:firedamper:problem:${status}`,
    title: TITLES[status] ?? 'Refused',
    status,
    detail,
  };
  const challenge = status === 401 ? { 'WWW-Authenticate': 'Bearer realm="firedamper"' } : {};
  return { problem, headers: { ...challenge, ...headers } };
}

/** Refusals of Express, of its body parsers and of the validator: objects with a 4xx status and a message about the request. */
function fromLibrary(error: unknown): Failure | null {
  if (typeof error !== 'object' || error === null) return null;
  const { status, message, type, errors, headers } = error as {
    status?: unknown;
    message?: unknown;
    type?: unknown;
    errors?: unknown;
    headers?: Record<string, string>;
  };
  if (typeof status !== 'number' || status < 400 || status > 499) return null;
  if (type === 'entity.parse.failed') return fail(400, 'the body is not JSON');
  if (type === 'entity.too.large') return fail(413, 'the body is too large', {}, { Connection: 'close' });
  if (type === 'encoding.unsupported') return fail(415, 'compressed bodies are not taken');
  const list = Array.isArray(errors)
    ? errors.map((e: { path?: unknown; message?: unknown }) => ({ path: String(e.path), message: String(e.message) }))
    : null;
  const detail = list?.length
    ? list.map((e) => `${e.path.slice(1).replaceAll('/', '.')}: ${e.message}`).join('; ')
    : String(message ?? '');
  return fail(status, detail, list === null ? {} : { errors: list }, allowOnly(headers));
}

const allowOnly = (headers: Record<string, string> | undefined): Record<string, string> =>
  headers?.Allow ? { Allow: headers.Allow } : {};

function unexpected(error: unknown, log: Log): Failure {
  const id = randomUUID();
  log.error({ err: error, errorId: id }, 'a request failed unexpectedly');
  return fail(500, 'this is a fault of Firedamper; its log has the details under the id of this answer', {
    instance: `urn:uuid:${id}`,
  });
}

export function sendProblem(res: Response, failure: Failure): void {
  res.status(failure.problem.status).set(failure.headers).type('application/problem+json').send(JSON.stringify(failure.problem));
}

/** Last in the chain. `page` answers in HTML and says whether it did. */
export function errorHandler(log: Log, page: (failure: Failure, res: Response) => Promise<boolean>): ErrorRequestHandler {
  return async (error, _req, res, next) => {
    if (res.headersSent) return next(error);
    const failure = toFailure(error, log);
    try {
      if (await page(failure, res)) return;
    } catch (pageError) {
      log.error({ err: pageError }, 'the error page failed');
    }
    sendProblem(res, failure);
  };
}
