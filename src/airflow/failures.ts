/** From a bad answer to an `AirflowError`: pure, and careful never to quote headers or bodies beyond Airflow's own one-line detail. */
import { AirflowError, type AirflowErrorKind } from './client.ts';
import type { HttpAnswer, HttpFailure } from './http.ts';
import { CallFailure } from './lanes.ts';

/** `changes`: whether the call may have changed something, so that a lost answer is an unknown outcome. */
export interface CallAbout {
  readonly operation: string;
  readonly changes: boolean;
  /** Takes our own secrets out of a text: a proxy that echoes the request must not get them into a log through us. */
  readonly hide: (text: string) => string;
  /** As `CallSpec.rowsMayBreakIt`. */
  readonly ofRows?: boolean;
}

export const fromHttpFailure = (failed: HttpFailure, about: CallAbout): CallFailure => {
  const outcome = about.changes && failed.sent ? 'unknown' : 'none';
  const kind = failed.reason === 'timeout' ? 'timeout' : failed.reason === 'too_large' ? 'not_airflow' : 'unreachable';
  const error = new AirflowError(kind, `${about.operation}: ${failed.message}`, { outcome, operation: about.operation });
  return new CallFailure(error, failed.reason === 'timeout' || failed.reason === 'unreachable');
};

const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);

/** For every status but 2xx. */
export const fromStatus = (answer: HttpAnswer, about: CallAbout, now: number): CallFailure => {
  const kind = kindOf(answer);
  // From 500 on nobody says how far the server came (3.2 answers 500 to POST /backfills and leaves the backfill behind); a
  // gateway's 4xx and Airflow's own refusals come before the handler. 408 is a proxy that gave up waiting for Airflow.
  const lost = answer.status >= 500 || answer.status === 408;
  const retryAfterMs = retryAfter(answer.headers['retry-after'], now);
  const error = new AirflowError(kind, `${about.operation}: ${about.hide(sentence(kind, answer))}`, {
    outcome: about.changes && lost ? 'unknown' : 'none',
    status: answer.status,
    operation: about.operation,
    retryAfterMs,
  });
  const transient = transientStatus.has(answer.status) && !(about.ofRows === true && answer.status === 500);
  return new CallFailure(error, transient);
};

/** A 2xx whose body is not what Airflow would send. The request was answered, but nobody knows by whom. */
export const notAirflow = (what: string, answer: { readonly status: number }, about: CallAbout): CallFailure =>
  new CallFailure(
    new AirflowError('not_airflow', `${about.operation}: ${what}`, {
      outcome: about.changes ? 'unknown' : 'none',
      status: answer.status,
      operation: about.operation,
    }),
    false,
  );

const kindOf = (answer: HttpAnswer): AirflowErrorKind => {
  const { status } = answer;
  if (status >= 500) return 'server_error';
  if (status >= 300 && status < 400) return 'not_airflow';
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return missingRoute(answer) ? 'not_airflow' : 'not_found';
  if (status === 405) return 'unsupported';
  if (status === 409) return 'conflict';
  return status === 408 || status === 429 ? 'server_error' : 'rejected';
};

/**
 * A 404 for the route, not for the DAG: `{"error": ...}` on 3.x, problem+json of type about:blank on 2.x, HTML from anybody else
 * (seen on 2.11.2, 3.0.6-3.3.2). Taking it for "no such run" would make an upgraded Airflow look empty.
 */
export const missingRoute = (answer: HttpAnswer): boolean => {
  if (answer.status !== 404) return false;
  const body = parseObject(answer.text);
  return body === null || 'error' in body || body.type === 'about:blank';
};

const sentence = (kind: AirflowErrorKind, answer: HttpAnswer): string => {
  const said = detailOf(answer);
  if (answer.status >= 300 && answer.status < 400) {
    return `answered ${answer.status}, a redirect, which is not followed; the address in the configuration must be the final one`;
  }
  if (kind === 'not_airflow') return `answered ${answer.status} without Airflow's own body; is this the address of an Airflow?`;
  return said === null ? `answered ${answer.status}` : `answered ${answer.status}: ${said}`;
};

/**
 * Airflow's own words on one line, or null. 2.x: problem+json, the text in detail or, with detail null, in title. 3.x: detail as
 * text, as a list of validation errors, or as an object. Validation errors echo the input, which is left out.
 */
export const detailOf = (answer: HttpAnswer): string | null => {
  const body = parseObject(answer.text);
  if (body === null) return null;
  const { detail } = body;
  if (typeof detail === 'string' && detail !== '') return oneLine(detail);
  if (Array.isArray(detail)) return oneLine(detail.map(validationText).join('; '));
  if (typeof detail === 'object' && detail !== null) {
    const { reason, message } = detail as { reason?: unknown; message?: unknown };
    return oneLine([reason, message].filter((part) => typeof part === 'string').join(': '));
  }
  return typeof body.title === 'string' && body.title !== '' ? oneLine(body.title) : null;
};

const validationText = (item: unknown): string => {
  const { loc, msg } = (item ?? {}) as { loc?: unknown; msg?: unknown };
  return `${Array.isArray(loc) ? loc.join('.') : '?'}: ${typeof msg === 'string' ? msg : 'invalid'}`;
};

const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, 300);

/** The JSON object in a body, or null for anything else. */
export const parseObject = (text: string): Record<string, unknown> | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
};

/** A proxy's page that says "in an hour" must not end the hearing for an hour. */
const longestRetryAfterMs = 300_000;

const retryAfter = (header: string | undefined, now: number): number | null => {
  if (header === undefined) return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? null : Math.min(longestRetryAfterMs, Math.max(0, ms));
};
