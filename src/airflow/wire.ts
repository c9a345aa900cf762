/** One call to Airflow: lane, log-in, sending, judging the answer, reading it. Everything that leaves here is an `AirflowError`. */
import type { Authenticator } from './auth.ts';
import { AirflowError, isLate } from './client.ts';
import { type CallAbout, fromHttpFailure, fromStatus, notAirflow, parseObject } from './failures.ts';
import { type Http, type HttpAnswer, HttpFailure } from './http.ts';
import { fillPath, type Ids, type Query, queryText } from './ids.ts';
import { CallFailure, type Lane, type LaneName, laneOf } from './lanes.ts';

export type Method = 'get' | 'patch' | 'post' | 'put';

export interface CallSpec {
  readonly lane: LaneName;
  readonly ids?: Ids;
  readonly query?: Query;
  readonly body?: unknown;
  /** A POST that changes nothing: a dry run. A lost answer is then no unknown outcome; it is still not repeated. */
  readonly changesNothing?: boolean;
  /** Not even this PATCH is sent again by itself: between two tries a person may have been there, and that is looked for first. */
  readonly lookFirst?: boolean;
  /** A 500 is about the rows that were asked for and says nothing of the server: it is not tried again and does not count for the breaker. */
  readonly rowsMayBreakIt?: boolean;
  /** Where it is late it is asked for less by whoever asks next, instead of the same again now. */
  readonly lessWhenLate?: boolean;
}

export interface Answer {
  /** A JSON object; its fields are still to be checked. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface WireParts {
  readonly http: Http;
  readonly lanes: Readonly<Record<LaneName, Lane>>;
  readonly now: () => number;
  readonly hide: (text: string) => string;
  /** Told of every error, so that the client can look for an upgraded Airflow. */
  readonly onError: (error: AirflowError) => void;
}

/** Thrown by translators for a body that is not what Airflow sends. */
export class ShapeError extends Error {}

export interface Wire {
  /** `read` turns the body into our words; a `ShapeError` from it becomes `not_airflow`. */
  call<T>(method: Method, template: string, spec: CallSpec, read: (answer: Answer) => T): Promise<T>;
}

/** `prefix` goes before every template. Operations are named without it, the same for both generations. */
export const createWire = (parts: WireParts, auth: Authenticator | null, prefix: string): Wire => ({
  call: async (method, template, spec, read) => {
    const operation = `${method.toUpperCase()} ${template.replace(/^\/api\/v\d/, '')}`;
    const about = {
      operation,
      changes: method !== 'get' && spec.changesNothing !== true,
      hide: parts.hide,
      ofRows: spec.rowsMayBreakIt === true,
    };
    const path = prefix + fillPath(operation, template, spec.ids ?? {}) + queryText(spec.query ?? {});
    const repeatable = method === 'get' || (method === 'patch' && spec.lookFirst !== true);
    const lane = parts.lanes[laneOf(spec.lane)];
    let lost = false;
    try {
      return await lane.run(operation, repeatable, async () => {
        try {
          const answer = await sendWithLogin(parts, auth, { method, path, body: spec.body, timeoutMs: lane.timeoutMs }, about);
          return readAnswer(answer, about, parts.now(), read);
        } catch (caught) {
          const error = spec.lessWhenLate === true ? notAsItIs(caught) : caught;
          lost ||= error instanceof CallFailure && error.error.outcome === 'unknown';
          throw error;
        }
      });
    } catch (error) {
      const last = error instanceof AirflowError ? error : surprise(error, about);
      const known = lost ? unsure(last) : last;
      parts.onError(known);
      throw known;
    }
  },
});

const notAsItIs = (error: unknown): unknown =>
  error instanceof CallFailure && isLate(error.error) ? new CallFailure(error.error, error.transient, false) : error;

interface Request {
  readonly method: Method;
  readonly path: string;
  readonly body: unknown;
  readonly timeoutMs: number;
}

const sendWithLogin = async (
  parts: WireParts,
  auth: Authenticator | null,
  request: Request,
  about: CallAbout,
): Promise<HttpAnswer> => {
  const headers = auth === null ? {} : await asCallFailure(auth.headers());
  const answer = await send(parts.http, request, headers, about);
  // A refused call did nothing, so also a POST may be sent again after the log-in was renewed.
  if (auth !== null && (answer.status === 401 || answer.status === 403) && (await asCallFailure(auth.renew(headers, answer)))) {
    return send(parts.http, request, await asCallFailure(auth.headers()), about);
  }
  return answer;
};

const send = async (
  http: Http,
  request: Request,
  headers: Readonly<Record<string, string>>,
  about: CallAbout,
): Promise<HttpAnswer> => {
  const method = request.method.toUpperCase() as 'GET' | 'PATCH' | 'POST' | 'PUT';
  const json = request.body === undefined ? {} : { body: JSON.stringify(request.body) };
  const sent = { ...headers, ...(request.body === undefined ? {} : { 'Content-Type': 'application/json' }) };
  try {
    return await http.send({ method, path: request.path, headers: sent, timeoutMs: request.timeoutMs, ...json });
  } catch (error) {
    if (error instanceof HttpFailure) throw fromHttpFailure(error, about);
    throw error;
  }
};

/** A log-in that fails is a failure of this call: before it was sent, so nothing happened. */
const asCallFailure = async <T>(promise: Promise<T>): Promise<T> => {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof AirflowError)) throw error;
    throw new CallFailure(error, error.kind === 'timeout' || error.kind === 'unreachable' || error.kind === 'server_error');
  }
};

const readAnswer = <T>(answer: HttpAnswer, about: CallAbout, now: number, read: (answer: Answer) => T): T => {
  if (answer.status < 200 || answer.status >= 300) throw fromStatus(answer, about, now);
  // 3.x answers an unknown path with 200 and the HTML of its web page (seen on 3.0.6-3.3.2).
  if (!answer.contentType.includes('json')) {
    throw notAirflow(`answered ${answer.status} with ${answer.contentType || 'no content type'} instead of JSON`, answer, about);
  }
  const body = parseObject(answer.text);
  if (body === null) throw notAirflow(`answered ${answer.status} with a body that is no JSON object`, answer, about);
  try {
    return read({ body, status: answer.status, headers: answer.headers });
  } catch (error) {
    if (error instanceof ShapeError) throw notAirflow(error.message, answer, about);
    throw error;
  }
};

/** A later try that certainly did nothing says nothing about an earlier one whose answer was lost. */
const unsure = (error: AirflowError): AirflowError =>
  error.outcome === 'unknown'
    ? error
    : new AirflowError(error.kind, error.message, { outcome: 'unknown', status: error.status, operation: error.operation });

/** A bug of ours; what it says may quote the request, so only its kind is passed on. */
const surprise = (error: unknown, about: CallAbout): AirflowError =>
  new AirflowError(
    'not_airflow',
    `${about.operation}: the answer could not be read (${error instanceof Error ? error.name : 'error'})`,
    {
      outcome: about.changes ? 'unknown' : 'none',
      operation: about.operation,
    },
  );
