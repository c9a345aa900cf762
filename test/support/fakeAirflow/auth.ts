/** Log-in as the real ones do it: bearer tokens on 3.x, Basic and the session cookie of the login form on 2.x. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Answer, FakeRequest } from './http.ts';

export type FakeRole = 'viewer' | 'user' | 'op' | 'admin';

export interface FakeUser {
  readonly name: string;
  readonly password: string;
  readonly role: FakeRole;
}

export interface AuthOptions {
  readonly generation: 2 | 3;
  readonly users: readonly FakeUser[];
  readonly tokenSeconds: number;
  readonly now: () => number;
  /** 2.x: whether the login form is there, and whether `/api/v1` takes its cookie. */
  readonly loginForm: boolean;
  readonly sessionBackend: boolean;
}

export type Who = { readonly user: FakeUser } | { readonly refusal: Answer };

const roles: readonly FakeRole[] = ['viewer', 'user', 'op', 'admin'];
export const mayAtLeast = (user: FakeUser, role: FakeRole): boolean => roles.indexOf(user.role) >= roles.indexOf(role);

export class FakeAuth {
  readonly #options: AuthOptions;
  #secret = randomBytes(32);
  readonly #sessions = new Map<string, FakeUser>();
  readonly #expired = new Set<string>();
  readonly logins: { at: number; user: string; ok: boolean }[] = [];

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** After this every token is answered 403 `Invalid JWT token`, as after a change of jwt_secret. */
  rotateKey(): void {
    this.#secret = randomBytes(32);
  }

  /** Every token given out so far is answered 401 `Token Expired`; 2.x: every session ends. */
  expireTokens(): void {
    for (const token of this.#given) this.#expired.add(token);
    this.#sessions.clear();
  }
  readonly #given = new Set<string>();

  identify(request: FakeRequest): Who {
    return this.#options.generation === 3 ? this.#byToken(request) : this.#byBasicOrCookie(request);
  }

  sessionUser(request: FakeRequest): FakeUser | null {
    const id = /(?:^|;\s*)session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    return id === undefined ? null : (this.#sessions.get(id) ?? null);
  }

  createToken(body: unknown): Answer {
    const { username, password } = (body ?? {}) as { username?: unknown; password?: unknown };
    if (typeof username !== 'string' || typeof password !== 'string')
      return { status: 422, json: { detail: '1 validation error for LoginBody' } };
    const user = this.#check(username, password);
    this.logins.push({ at: this.#options.now(), user: username, ok: user !== null });
    if (user === null) return { status: 401, json: { detail: 'Invalid credentials' } };
    return { status: 201, json: { access_token: this.#sign(user) } };
  }

  loginPage(): Answer {
    return {
      status: 200,
      html: '<html><form method="post"><input id="csrf_token" name="csrf_token" type="hidden" value="fake-csrf"></form></html>',
      headers: { 'Set-Cookie': `session=${randomBytes(8).toString('hex')}.anonymous; HttpOnly; Path=/` },
    };
  }

  loginForm(form: URLSearchParams, request: FakeRequest): Answer {
    if (form.get('csrf_token') !== 'fake-csrf' || !/session=/.test(request.headers.cookie ?? ''))
      return { status: 400, html: '<h1>Bad Request</h1><p>The CSRF token is missing.</p>' };
    const user = this.#check(form.get('username') ?? '', form.get('password') ?? '');
    this.logins.push({ at: this.#options.now(), user: form.get('username') ?? '', ok: user !== null });
    if (user === null) return { status: 302, html: '', headers: { Location: '/login/' } };
    const id = `${randomBytes(12).toString('hex')}.sig`;
    this.#sessions.set(id, user);
    return {
      status: 302,
      html: '',
      headers: { Location: '/home', 'Set-Cookie': `session=${id}; HttpOnly; Path=/; SameSite=Lax` },
    };
  }

  #check(name: string, password: string): FakeUser | null {
    return this.#options.users.find((user) => user.name === name && user.password === password) ?? null;
  }

  #sign(user: FakeUser): string {
    const iat = Math.floor(this.#options.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = `${part({ alg: 'HS512', typ: 'JWT' })}.${part({ sub: user.name, role: user.role, jti: randomBytes(6).toString('hex'), aud: 'apache-airflow', iat, nbf: iat, exp: iat + this.#options.tokenSeconds })}`;
    const token = `${head}.${this.#mac(head)}`;
    this.#given.add(token);
    return token;
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#secret).update(text).digest('base64url');
  }

  #byToken(request: FakeRequest): Who {
    const refuse = (status: number, detail: string): Who => ({ refusal: { status, json: { detail } } });
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return refuse(401, 'Not authenticated');
    const [head, payload, mac] = token.split('.');
    if (payload === undefined || mac !== this.#mac(`${head}.${payload}`)) return refuse(403, 'Invalid JWT token');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string; exp: number };
    if (this.#expired.has(token) || claims.exp * 1000 <= this.#options.now()) return refuse(401, 'Token Expired');
    const user = this.#options.users.find((one) => one.name === claims.sub);
    return user === undefined ? refuse(401, 'Not authenticated') : { user };
  }

  /** Wrong or missing credentials are a 403: anonymous passes, and then has no right (2.9.3, 2.11.2, FAB defaults). */
  #byBasicOrCookie(request: FakeRequest): Who {
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (basic !== undefined) {
      const [name, ...rest] = Buffer.from(basic, 'base64').toString().split(':');
      const user = this.#check(name ?? '', rest.join(':'));
      if (user !== null) return { user };
    }
    const session = this.#options.sessionBackend ? this.sessionUser(request) : null;
    return session === null ? { refusal: forbiddenV1 } : { user: session };
  }
}

export const forbiddenV1: Answer = {
  status: 403,
  problem: true,
  json: {
    detail: null,
    status: 403,
    title: 'Forbidden',
    type: 'https://airflow.apache.org/docs/apache-airflow/2.11.2/stable-rest-api-ref.html#section/Errors/PermissionDenied',
  },
};
