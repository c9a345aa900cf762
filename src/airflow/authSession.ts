/**
 * Airflow 2 with a password: Basic, and the session cookie of the login form where it is allowed. Basic verifies the password with
 * scrypt at each request, 150-200 ms of the server's time; with the cookie the same calls cost a fourth to a ninth (2.11.2,
 * measured), and only the cookie opens the page /dag-dependencies.
 */
import { type Authenticator, basicHeaders, type PasswordAuth, refusedLoginPauseMs, sendLogin } from './auth.ts';
import type { Http, HttpAnswer } from './http.ts';

export interface SessionAuthenticator extends Authenticator {
  /** Headers for the web pages of 2.x, null where the form login is not possible. */
  pageHeaders(): Promise<Readonly<Record<string, string>> | null>;
  /** How API calls identify themselves at present. */
  readonly mode: 'basic' | 'session';
}

interface Session {
  readonly cookie: string;
  /** Whether `/api/v1` takes the cookie: needs the `session` backend in `[api] auth_backends`. */
  readonly forApi: boolean;
}

/** A 403 on 2.x means "no right" as well as "not logged in", so the session is looked at, but not more often than this. */
const sessionCheckPauseMs = 30_000;
const longestLoginPauseMs = 3_600_000;

export const sessionOrBasic = (http: Http, auth: PasswordAuth, now: () => number): SessionAuthenticator => {
  const withPassword = basicHeaders(auth);
  let session: Session | null = null;
  let loggingIn: Promise<Session | null> | null = null;
  let noSessionUntil = Number.NEGATIVE_INFINITY;
  let pauseMs = refusedLoginPauseMs;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let checking: Promise<boolean> | null = null;

  const open = async (): Promise<Session | null> => {
    // The form allows five tries in 40 s by default (2.11, [fab] auth_rate_limit): a failure is repeated later and later.
    if (now() < noSessionUntil) return null;
    session = await logInByForm(http, auth);
    if (session === null) noSessionUntil = now() + pauseMs;
    pauseMs = session === null ? Math.min(pauseMs * 2, longestLoginPauseMs) : refusedLoginPauseMs;
    return session;
  };
  const current = (): Promise<Session | null> => {
    if (session !== null) return Promise.resolve(session);
    loggingIn ??= open().finally(() => {
      loggingIn = null;
    });
    return loggingIn;
  };
  /** True: it had ended, and there is a new one. A check that cannot be made proves nothing: the refusal stands. */
  const renewed = async (cookie: string): Promise<boolean> => {
    if (await apiTakes(http, cookie).catch(() => true)) return false;
    session = null;
    await current();
    return true;
  };

  return {
    account: auth.username,
    get mode() {
      return session?.forApi === true ? 'session' : 'basic';
    },
    headers: async () => {
      const opened = await current();
      return opened?.forApi === true ? { Cookie: opened.cookie } : withPassword;
    },
    pageHeaders: async () => {
      const opened = await current();
      return opened === null ? null : { Cookie: opened.cookie };
    },
    renew: async (used) => {
      if (session === null || used.Cookie !== session.cookie) return used.Cookie !== undefined;
      if (checking === null) {
        if (now() - checkedAt < sessionCheckPauseMs) return false;
        checkedAt = now();
        checking = renewed(session.cookie).finally(() => {
          checking = null;
        });
      }
      // Fifty calls may come back refused at once: none is refused for good while one of them looks (49 of 50 pauses were, R11).
      return checking;
    },
  };
};

/** Basic from the start to the end: where the form login is not wanted. */
export const basicOnly = (auth: PasswordAuth): SessionAuthenticator => {
  const headers = basicHeaders(auth);
  return {
    account: auth.username,
    mode: 'basic',
    headers: async () => headers,
    pageHeaders: async () => null,
    renew: async () => false,
  };
};

/** Null where the form is not there (OAuth, LDAP with a proxy before it) or refuses us; the caller then stays with Basic. */
const logInByForm = async (http: Http, auth: PasswordAuth): Promise<Session | null> => {
  try {
    const page = await http.send({ method: 'GET', path: '/login/', headers: { Accept: 'text/html' } });
    const csrf = csrfToken(page.text);
    const before = cookieOf(page);
    if (page.status !== 200 || csrf === null || before === null) return null;
    const form = new URLSearchParams({ csrf_token: csrf, username: auth.username, password: auth.password.reveal() });
    const headers = {
      'Content-Type': 'application/x-www-form-urlencoded',
      Cookie: before,
      Accept: 'text/html',
      Referer: '/login/',
    };
    const answer = await sendLogin(http, 'POST /login/', headers, form.toString());
    const cookie = cookieOf(answer);
    // Success is a redirect to the home page with a new session; a wrong password redirects back to the form (2.11.2).
    if (answer.status !== 302 || cookie === null || /\/login\b/.test(answer.headers.location ?? '')) return null;
    return { cookie, forApi: await apiTakes(http, cookie) };
  } catch {
    return null;
  }
};

const apiTakes = async (http: Http, cookie: string): Promise<boolean> => {
  const answer = await http.send({ method: 'GET', path: '/api/v1/dags?limit=1&fields=dag_id', headers: { Cookie: cookie } });
  return answer.status === 200 && answer.contentType.includes('json');
};

/** The hidden input of the form; the attributes come in either order. */
const csrfToken = (html: string): string | null => {
  const input = /<input[^>]*\bname="csrf_token"[^>]*>/.exec(html)?.[0] ?? '';
  return /\bvalue="([^"]+)"/.exec(input)?.[1] ?? /\bcsrfToken\s*=\s*['"]([^'"]+)['"]/.exec(html)?.[1] ?? null;
};

const cookieOf = (answer: HttpAnswer): string | null => {
  const session = answer.setCookie.map((line) => line.split(';')[0] ?? '').findLast((pair) => pair.startsWith('session='));
  return session ?? null;
};
