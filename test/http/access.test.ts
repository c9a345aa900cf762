import { afterEach, expect, test } from 'vitest';
import type { Role } from '../../src/core/policy.ts';
import { mayDo, RULES } from '../../src/http/access.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { call, type Running, start, type World, world } from './support.ts';

let running: Running;
let w: World;
const up = async () => {
  w = world();
  running = await start(w);
};
afterEach(() => running?.stop());

/** Every route that is really there, read from Express. */
const routesOf = (app: Running['app']): [string, string][] => {
  const all = app.router.stack.flatMap((layer) =>
    layer.route ? layer.route.stack.map((handler) => `${handler.method.toUpperCase()} ${layer.route!.path}`) : [],
  );
  return [...new Set(all)].map((route) => route.split(' ') as [string, string]);
};
const ROUTES = routesOf(createHttpServer(world().deps).app);
const IDS: Record<string, string> = { airflow: 'prod', dag_id: 'revenue_report', file: 'style.css' };
const concrete = (path: string): string =>
  path.replaceAll(
    /:(\w+)/g,
    (_, name: string) =>
      IDS[name] ?? (path.includes('/repairs/') ? 'rep-88' : path.includes('/holds/') ? 'hold-revenue_report' : 'inc-2041'),
  );
const needOf = (method: string, path: string) => RULES.find(([m, p]) => m === method.toLowerCase() && p === path)?.[2];

/** A body that every act takes; what is not used is refused by the shape, which comes after the access. */
const ask = (method: string, path: string, as: Role | null) => {
  const form = !path.startsWith('/v1/');
  return call(running, method, concrete(path), {
    ...(as === null ? {} : { as }),
    ...(method === 'GET'
      ? {}
      : form
        ? { headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' } }
        : { json: {} }),
  });
};

test('every route has a rule, and every rule a route', () => {
  const ruled = RULES.map(([method, path]) => `${method.toUpperCase()} ${path}`);
  expect(ROUTES.map((route) => route.join(' ')).sort()).toEqual([...ruled].sort());
  expect(new Set(ruled).size).toBe(ruled.length);
});

test('looking needs a viewer, answering an incident a responder, deciding an approver; the pages are as strict as the API', () => {
  const EXPECTED: Record<string, Role> = {
    acknowledge: 'responder',
    fixed: 'responder',
    verify: 'responder',
    incidents: 'responder',
    signals: 'responder',
    report: 'responder',
    approve: 'approver',
    reject: 'approver',
    cancel: 'approver',
    release: 'approver',
    dismiss: 'approver',
    confirm: 'admin',
  };
  for (const [method, path, need] of RULES) {
    if (need === 'anyone' || need === 'sender') continue;
    if (method === 'get') expect(need, path).toBe('viewer');
    else if (method === 'patch') expect(need, path).toBe('responder');
    else expect(need, path).toBe(EXPECTED[path.split('/').at(-1)!]);
  }
  expect(
    RULES.filter(([, , need]) => need === 'anyone' || need === 'sender').map(([method, path]) => `${method} ${path}`),
  ).toEqual([
    'post /v1/callbacks/airflow/:airflow',
    'post /v1/gate/airflow/:airflow',
    'get /healthz',
    'get /readyz',
    'get /assets/:file',
    'get /login',
    'post /login',
    'post /logout',
  ]);
});

test('a route that has no rule is shut for everybody', async () => {
  await up();
  running.app.get('/v1/forgotten', (_req, res) => void res.send('open'));
  running.app.post('/forgotten', (_req, res) => void res.send('open'));
  for (const as of [null, 'viewer', 'admin'] as const) {
    expect((await ask('GET', '/v1/forgotten', as)).status).toBe(404);
    expect((await ask('POST', '/forgotten', as)).status).toBe(404);
  }
});

const ROLE_OR_NONE = [null, 'viewer', 'responder', 'approver', 'admin'] as const;
const matrix = ROUTES.flatMap(([method, path]) => ROLE_OR_NONE.map((as) => [method, path, as] as const));

test('the matrix is not empty', () => {
  expect(matrix.length).toBeGreaterThan(200);
});

test('every route asks for exactly its role', async () => {
  await up();
  for (const [method, path, as] of matrix) {
    const need = needOf(method, path);
    const answer = await ask(method, path, as);
    const told = `${method} ${path} as ${as ?? 'nobody'} (needs ${need}): ${answer.status}`;
    const page = !/^\/(v1|metrics|healthz|readyz)/.test(path);
    if (need === 'sender') {
      // A bearer token of a person is no signature.
      expect(answer.status, told).toBe(401);
    } else if (need === 'anyone') {
      expect([403], told).not.toContain(answer.status);
    } else if (as === null) {
      expect(answer.status, told).toBe(page ? 303 : 401);
      if (page) expect(answer.headers.get('location'), told).toMatch(/^\/login/);
      else expect(answer.headers.get('www-authenticate'), told).toContain('Bearer');
    } else if (!mayDo(as, need as Role)) {
      expect(answer.status, told).toBe(403);
    } else {
      expect([200, 202, 303, 400], told).toContain(answer.status);
      expect(answer.headers.get('location') ?? '', told).not.toMatch(/^\/login/);
    }
  }
});

test('who may not act, does not act', async () => {
  await up();
  for (const [method, path] of ROUTES) {
    const need = needOf(method, path);
    if (method === 'GET' || need === 'anyone' || need === 'sender') continue;
    const below = (['viewer', 'responder', 'approver', 'admin'] as const).filter((role) => !mayDo(role, need as Role));
    for (const as of [null, ...below]) {
      const full = { reason: 'r', digest: 'd', airflow: 'prod', dag_id: 'd', title: 't', kind: 'k', severity: 'P1' };
      await call(running, method, concrete(path), {
        ...(as ? { as } : {}),
        json: full,
        headers: { 'sec-fetch-site': 'same-origin' },
      });
    }
  }
  expect(w.acts).toEqual([]);
});

test('a viewer approving: 403, and it says which role is needed', async () => {
  await up();
  const answer = await call(running, 'POST', '/v1/repairs/rep-88/approve', { as: 'viewer', json: { digest: 'x' } });
  expect(answer.status).toBe(403);
  expect(answer.body.detail).toBe('this needs the role approver; vera is viewer');
});

test.each(['Bearer nope', 'Bearer ', 'Basic dmVyYTp4', 'vera-token', 'Bearer vera-token extra', 'bearer  '])(
  'the header %j is nobody',
  async (authorization) => {
    await up();
    expect((await call(running, 'GET', '/v1/incidents', { headers: { authorization } })).status).toBe(401);
    // Not even where no token is needed: a wrong one is a mistake that should show.
    expect((await call(running, 'GET', '/readyz', { headers: { authorization } })).status).toBe(401);
  },
);

test.each(['PUT', 'DELETE', 'OPTIONS'])('%s is used nowhere', async (method) => {
  await up();
  const answer = await call(running, method, '/v1/incidents', { as: 'admin' });
  expect(answer.status).toBe(405);
  expect(answer.headers.get('allow')).toBe('GET, HEAD, POST, PATCH');
});
