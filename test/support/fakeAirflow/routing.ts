/** Routes as data: method, path template, least role, what it does. */
import { type FakeRole, type FakeUser, mayAtLeast } from './auth.ts';
import type { Answer, FakeRequest } from './http.ts';
import { FakeError } from './types.ts';

export interface Call {
  readonly request: FakeRequest;
  readonly ids: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
  readonly user: FakeUser;
}

export interface Route {
  readonly method: string;
  readonly path: string;
  readonly role: FakeRole;
  readonly run: (call: Call) => Answer;
  /** 2.x: the query parameters it knows; any other is a 400 before everything else (2.9.3, 2.11.2). */
  readonly params?: readonly string[];
}

export interface Matched {
  readonly route: Route;
  readonly ids: Readonly<Record<string, string>>;
}

export class Router {
  readonly #routes: { route: Route; pattern: RegExp; names: string[] }[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? '');
      const pattern = new RegExp(`^${route.path.replace(/[.*+?^$()|[\]\\~]/g, '\\$&').replace(/\{\w+\}/g, '([^/]+)')}$`);
      this.#routes.push({ route, pattern, names });
    }
  }

  match(method: string, path: string): Matched | 'wrong_method' | null {
    let seen = false;
    for (const { route, pattern, names } of this.#routes) {
      const found = pattern.exec(path);
      if (found === null) continue;
      seen = true;
      if (route.method !== method) continue;
      return { route, ids: Object.fromEntries(names.map((name, place) => [name, decodeURIComponent(found[place + 1] ?? '')])) };
    }
    return seen ? 'wrong_method' : null;
  }
}

export const allowed = (user: FakeUser, role: FakeRole): boolean => mayAtLeast(user, role);

/** Sorts by `order_by` texts (`-x` = descending; nulls last, as on PostgreSQL) and then by `id`. */
export const ordered = <T>(
  rows: readonly T[],
  orders: readonly string[],
  value: (row: T, field: string) => string | number | null,
  tie: (row: T) => string | number,
): T[] =>
  [...rows].sort((a, b) => {
    for (const order of orders) {
      const field = order.replace(/^-/, '');
      const compared = compare(value(a, field), value(b, field));
      if (compared !== 0) return order.startsWith('-') ? -compared : compared;
    }
    return compare(tie(a), tie(b));
  });

const compare = (a: string | number | null, b: string | number | null): number => {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
};

export interface PageRules {
  /** What a request without `limit` gets: 50 on 3.x, 100 on 2.x. */
  readonly fallback: number;
  readonly cap: number;
  /** `limit=0`: no rows on 3.x, the fallback on 2.x. */
  readonly zeroIsNone: boolean;
}

export const page = <T>(rows: readonly T[], query: URLSearchParams, rules: PageRules): T[] => {
  const asked = query.get('limit');
  const limit = asked === null ? rules.fallback : Number(asked);
  if (!Number.isInteger(limit) || limit < 0)
    throw new FakeError(rules.zeroIsNone ? 422 : 400, 'Page limit must be a positive integer');
  const size = limit === 0 && !rules.zeroIsNone ? rules.fallback : Math.min(limit, rules.cap);
  const offset = Number(query.get('offset') ?? 0);
  return rows.slice(offset, offset + size);
};

/** A time in a query; a raw `+` arrives as a blank and is refused, as 2.x does. */
export const timeParam = (query: URLSearchParams, name: string): number | null => {
  const text = query.get(name);
  if (text === null) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at) || / \d\d:\d\d$/.test(text) || !/(Z|[+-]\d\d:?\d\d)$/.test(text))
    throw new FakeError(400, `'${text}' is not a 'date-time'`);
  return at;
};

/** `end_date_gte` lets rows without an end through on every 3.x (seen on 3.0.6-3.3.2); 2.x does not. */
export const atOrAfter = (value: number | null, bound: number | null, nullPasses: boolean): boolean =>
  bound === null || (value === null ? nullPasses : value >= bound);

export const iso = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString().replace(/\.(\d{3})Z$/, '.$1000Z');
/** As 2.x writes times. */
export const isoV1 = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString().replace('Z', '+00:00');

/** Case-insensitive substring; `%` and `_` are wildcards, `~` is everything. */
export const likes = (pattern: string, id: string): boolean => {
  if (pattern === '~') return true;
  const text = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '.*')
    .replaceAll('_', '.');
  return new RegExp(text, 'i').test(id);
};
