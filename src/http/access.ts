import { createHash, timingSafeEqual } from 'node:crypto';
import express, { type NextFunction, type Request, type RequestHandler, type Response, type Router } from 'express';
import type { TokenConfig } from '../config.ts';
import type { Person } from '../core/events.ts';
import { ROLES, type Role } from '../core/policy.ts';
import { forbidden, internal } from '../errors.ts';
import { crossSite } from './csrf.ts';
import { ProblemError } from './problem.ts';
import type { Sessions } from './sessions.ts';

/**
 * Who may do what: one table, and nothing else decides. A request whose route has no line here never reaches a handler, so a
 * route that somebody forgets to add is shut, not open.
 *
 * `anyone`: no token. `sender`: the callback route proves its sender by the signature itself.
 */
export type Need = Role | 'anyone' | 'sender';
type Method = 'get' | 'post' | 'patch';

export const RULES: readonly (readonly [Method, string, Need])[] = [
  ['post', '/v1/callbacks/airflow/:airflow', 'sender'],
  ['post', '/v1/gate/airflow/:airflow', 'sender'],
  ['get', '/v1/signals', 'viewer'],
  ['post', '/v1/signals', 'responder'],

  ['get', '/v1/incidents', 'viewer'],
  ['post', '/v1/incidents', 'responder'],
  ['get', '/v1/incidents/:id', 'viewer'],
  ['patch', '/v1/incidents/:id', 'responder'],
  ['get', '/v1/incidents/:id/timeline', 'viewer'],
  ['get', '/v1/incidents/:id/release-preview', 'viewer'],
  ['post', '/v1/incidents/:id/acknowledge', 'responder'],
  ['post', '/v1/incidents/:id/fixed', 'responder'],
  ['post', '/v1/incidents/:id/verify', 'responder'],
  ['post', '/v1/incidents/:id/release', 'approver'],
  ['post', '/v1/incidents/:id/dismiss', 'approver'],

  ['get', '/v1/holds', 'viewer'],
  ['post', '/v1/holds/:id/release', 'approver'],

  ['get', '/v1/repairs/:id', 'viewer'],
  ['post', '/v1/repairs/:id/approve', 'approver'],
  ['post', '/v1/repairs/:id/reject', 'approver'],
  ['post', '/v1/repairs/:id/cancel', 'approver'],

  ['get', '/v1/dags/:airflow/:dag_id', 'viewer'],

  ['get', '/v1/restore', 'viewer'],
  ['post', '/v1/restore/confirm', 'admin'],

  ['get', '/healthz', 'anyone'],
  ['get', '/readyz', 'anyone'],
  ['get', '/metrics', 'viewer'],

  ['get', '/assets/:file', 'anyone'],
  ['get', '/login', 'anyone'],
  ['post', '/login', 'anyone'],
  ['post', '/logout', 'anyone'],
  ['get', '/', 'viewer'],
  ['get', '/incidents', 'viewer'],
  ['get', '/incidents/:id', 'viewer'],
  ['get', '/incidents/:id/release-preview', 'viewer'],
  ['post', '/incidents/:id/acknowledge', 'responder'],
  ['post', '/incidents/:id/fixed', 'responder'],
  ['post', '/incidents/:id/verify', 'responder'],
  ['post', '/incidents/:id/release', 'approver'],
  ['post', '/incidents/:id/dismiss', 'approver'],
  ['post', '/repairs/:id/approve', 'approver'],
  ['post', '/repairs/:id/reject', 'approver'],
  ['post', '/repairs/:id/cancel', 'approver'],
  ['post', '/holds/:id/release', 'approver'],
  ['get', '/holds', 'viewer'],
  ['get', '/dags', 'viewer'],
  ['get', '/dags/:airflow/:dag_id', 'viewer'],
  ['get', '/quarantine', 'viewer'],
  ['get', '/restore', 'viewer'],
  ['post', '/restore/confirm', 'admin'],
  ['get', '/report', 'viewer'],
  ['post', '/report', 'responder'],
];

export const mayDo = (role: Role, need: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(need);

/** What the steps before a handler have found out. */
interface Found {
  need?: Need;
  person?: Person;
  via?: 'bearer' | 'session';
}
const found = (res: Response): Found => res.locals as Found;

/** The person who asks. Only to be called behind `requireRole`. */
export function personOf(res: Response): Person {
  const { person } = found(res);
  if (person === undefined) throw internal('a handler asked for a person on a route that needs none');
  return person;
}
export const personOrNull = (res: Response): Person | null => found(res).person ?? null;

/** Finds the rule with Express's own matcher, so that rule and route can never disagree about a path. First line wins. */
export function findRule(rules: typeof RULES = RULES): Router {
  const router = express.Router();
  for (const [method, path, need] of rules) {
    router[method](path, (_req, res, next) => {
      found(res).need = need;
      next('router');
    });
  }
  return router;
}

/** No rule, no way in: the same answer as for a path that does not exist. */
export const denyWithoutRule: RequestHandler = (_req, res, next) => {
  if (found(res).need === undefined) throw new ProblemError(404, 'there is nothing at this address');
  next();
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Knows people by their bearer token. Compares digests, all of them, so that neither length nor position shows in the time. */
export class Tokens {
  readonly #known: readonly { readonly digest: Buffer; readonly person: Person }[];

  constructor(tokens: readonly TokenConfig[]) {
    this.#known = tokens.map(({ name, role, secret }) => ({ digest: digest(secret.reveal()), person: { name, role } }));
  }

  person(token: string): Person | null {
    const given = digest(token);
    let person: Person | null = null;
    for (const known of this.#known) if (timingSafeEqual(known.digest, given)) person ??= known.person;
    return person;
  }
}

/** Finds out who asks. A token that is not known is refused even where no token is needed: it is a mistake that should show. */
export function identify(tokens: Tokens, sessions: Sessions): RequestHandler {
  return (req: Request, res: Response, next: NextFunction) => {
    const header = req.headers.authorization;
    if (header !== undefined) {
      const person = tokens.person(/^Bearer +(\S+) *$/i.exec(header)?.[1] ?? '');
      if (person === null) throw new ProblemError(401, 'this token is not known');
      Object.assign(found(res), { person, via: 'bearer' });
    } else {
      const person = sessions.person(req);
      if (person !== null) Object.assign(found(res), { person, via: 'session' });
    }
    next();
  };
}

/**
 * A browser sends its cookie with whatever another site makes it send. So an act that is not proven by a bearer token must come
 * from a page of ours; on the page routes that holds for everybody, the login included.
 */
export function refuseCrossSite(publicUrl: string): RequestHandler {
  return (req, res, next) => {
    const safe = req.method === 'GET' || req.method === 'HEAD';
    const needsProof = found(res).via === 'session' || !req.path.startsWith('/v1/');
    if (!safe && found(res).via !== 'bearer' && needsProof && crossSite(req, publicUrl)) {
      throw new ProblemError(403, 'this request does not come from a page of Firedamper');
    }
    next();
  };
}

export const requireRole: RequestHandler = (_req, res, next) => {
  const { need, person } = found(res);
  if (need === undefined || need === 'sender') throw internal('a route without a role got past the rules');
  if (need !== 'anyone') {
    if (person === undefined) throw new ProblemError(401, 'a token is needed: Authorization: Bearer <token>');
    if (!mayDo(person.role, need)) throw forbidden(`this needs the role ${need}; ${person.name} is ${person.role}`);
  }
  next();
};
