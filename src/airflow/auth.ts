/**
 * Who we are towards one Airflow. Three ways: a bearer token from `POST /auth/token` (3.x), Basic with or without the session
 * cookie of the login form (2.x, see authSession.ts), and a static bearer token that somebody else renews.
 */
import type { AirflowConfig } from '../config.ts';
import { AirflowError } from './client.ts';
import { fromHttpFailure, parseObject } from './failures.ts';
import { type Http, type HttpAnswer, HttpFailure } from './http.ts';

export type AuthConfig = AirflowConfig['auth'];
export type PasswordAuth = Extract<AuthConfig, { kind: 'password' }>;

export interface Authenticator {
  /** The name that Airflow writes into its audit log for us; null where it cannot be known. */
  readonly account: string | null;
  /** Logs in first where that is needed. Rejects with `AirflowError`. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Airflow refused a call that carried `used`. True: the log-in was renewed, the call is worth one more try. */
  renew(used: Readonly<Record<string, string>>, answer: HttpAnswer): Promise<boolean>;
}

export const staticToken = (token: string): Authenticator => ({
  account: accountOfToken(token),
  headers: async () => ({ Authorization: `Bearer ${token}` }),
  renew: async () => false,
});

export const basicHeaders = (auth: PasswordAuth): Readonly<Record<string, string>> => ({
  Authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password.reveal()}`).toString('base64')}`,
});

interface Token {
  readonly text: string;
  readonly renewAt: number;
  readonly expiresAt: number;
}

/** After a refused log-in nobody tries again for so long: one alarm, not a loop that locks the account. */
export const refusedLoginPauseMs = 30_000;
const renewAfterShare = 0.8;
const lifetimeWithoutExpMs = 3_600_000;

/** 3.x. One log-in at a time, whoever asks; renewed at 80 % of the token's life. There is no refresh call for bearer clients (3.0-3.3). */
export const tokenLogin = (http: Http, auth: PasswordAuth, now: () => number): Authenticator => {
  let token: Token | null = null;
  let loggingIn: Promise<Token> | null = null;
  let refusal: { readonly error: AirflowError; readonly until: number } | null = null;

  const logIn = async (): Promise<Token> => {
    if (refusal !== null && now() < refusal.until) throw refusal.error;
    try {
      token = await fetchToken(http, auth, now);
      refusal = null;
      return token;
    } catch (error) {
      if (error instanceof AirflowError && error.kind === 'unauthorized') refusal = { error, until: now() + refusedLoginPauseMs };
      throw error;
    }
  };
  const single = (): Promise<Token> => {
    loggingIn ??= logIn().finally(() => {
      loggingIn = null;
    });
    return loggingIn;
  };
  const current = async (): Promise<Token> => {
    if (token !== null && now() < token.renewAt) return token;
    const old = token;
    // While the old token is still good, a log-in page that does not answer must not stop us.
    if (old !== null && now() < old.expiresAt) return single().catch(() => old);
    return single();
  };
  return {
    account: auth.username,
    headers: async () => ({ Authorization: `Bearer ${(await current()).text}` }),
    renew: async (used, answer) => {
      if (!tokenRefused(answer)) return false;
      // Fifty calls may come back refused with one and the same token: only the first of them drops it.
      if (token !== null && used.Authorization === `Bearer ${token.text}`) token = null;
      await current();
      return true;
    },
  };
};

/** 401 `Token Expired`, and 403 with exactly `Invalid JWT token` after the signing key changed (3.0.6-3.3.2); any other 403 is a missing right. */
const tokenRefused = (answer: HttpAnswer): boolean =>
  answer.status === 401 || (answer.status === 403 && parseObject(answer.text)?.detail === 'Invalid JWT token');

const fetchToken = async (http: Http, auth: PasswordAuth, now: () => number): Promise<Token> => {
  const operation = 'POST /auth/token';
  const body = JSON.stringify({ username: auth.username, password: auth.password.reveal() });
  const answer = await sendLogin(http, operation, { 'Content-Type': 'application/json' }, body);
  if (answer.status === 400 || answer.status === 401 || answer.status === 403 || answer.status === 422) {
    throw new AirflowError('unauthorized', `${operation}: Airflow refused the user name or password (${answer.status})`, {
      outcome: 'none',
      status: answer.status,
      operation,
    });
  }
  const text = parseObject(answer.text)?.access_token;
  if (answer.status >= 300 || typeof text !== 'string' || text === '') {
    const kind = answer.status >= 500 || answer.status === 429 ? 'server_error' : 'not_airflow';
    throw new AirflowError(kind, `${operation}: answered ${answer.status} without a token`, {
      outcome: 'none',
      status: answer.status,
      operation,
    });
  }
  return tokenTimes(text, now());
};

/** Sends one log-in request. Its failures are those of a reading call: a log-in changes nothing. */
export const sendLogin = async (
  http: Http,
  operation: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<HttpAnswer> => {
  try {
    return await http.send({ method: 'POST', path: operation.split(' ')[1] ?? '/', headers, body });
  } catch (error) {
    if (error instanceof HttpFailure) throw fromHttpFailure(error, { operation, changes: false, hide: (text) => text }).error;
    throw error;
  }
};

/** The life of a token is measured by its own `iat` and `exp`, so that a skewed clock here does not matter. */
const tokenTimes = (text: string, now: number): Token => {
  const { iat, exp } = claimsOf(text);
  const life = typeof exp === 'number' ? (exp - (typeof iat === 'number' ? iat : now / 1000)) * 1000 : lifetimeWithoutExpMs;
  const lifetime = life > 0 ? life : lifetimeWithoutExpMs;
  return { text, renewAt: now + lifetime * renewAfterShare, expiresAt: now + lifetime };
};

const claimsOf = (token: string): Record<string, unknown> => {
  const payload = token.split('.')[1];
  return payload === undefined ? {} : (parseObject(Buffer.from(payload, 'base64url').toString('utf8')) ?? {});
};

/** SimpleAuthManager writes the user name into `sub`; FAB writes a number, which is not what stands in the audit log. */
const accountOfToken = (token: string): string | null => {
  const { sub } = claimsOf(token);
  return typeof sub === 'string' && sub !== '' && !/^\d+$/.test(sub) ? sub : null;
};
