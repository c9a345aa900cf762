/** From a request to an answer: who asks, which route, and the ways in which each generation says no. */
import { type FakeAuth, forbiddenV1 } from './auth.ts';
import { dependenciesPage } from './graph.ts';
import type { Answer, FakeRequest, LoggedRequest } from './http.ts';
import { allowed, type Router } from './routing.ts';
import { FakeError } from './types.ts';
import type { World } from './world.ts';

export interface HandlerParts {
  readonly world: World;
  readonly router: Router;
  readonly auth: FakeAuth;
  readonly health: { scheduler: string; database: string };
  /** 403 for the audit log, whoever asks. */
  readonly hideAuditLog: () => boolean;
  /** 2.x: whether the log-in form is there. */
  readonly loginForm: boolean;
}

export const createHandler = (parts: HandlerParts): ((request: FakeRequest, logged: LoggedRequest) => Answer) =>
  parts.world.options.generation === 3
    ? (request, logged) => handleV2(parts, request, logged)
    : (request, logged) => handleV1(parts, request, logged);

const healthBody = ({ health, world }: HandlerParts): Answer => ({
  status: 200,
  json: {
    metadatabase: { status: health.database },
    scheduler: { status: health.scheduler, latest_scheduler_heartbeat: new Date(world.now()).toISOString() },
    triggerer: { status: null },
    dag_processor: { status: null },
  },
});

const handleV2 = (parts: HandlerParts, request: FakeRequest, logged: LoggedRequest): Answer => {
  const { world, auth, router } = parts;
  const { method, path } = request;
  if (method === 'GET' && path === '/api/v2/version')
    return { status: 200, json: { version: world.options.version, git_version: null } };
  if (method === 'GET' && path === '/api/v2/monitor/health') return healthBody(parts);
  if (method === 'POST' && path === '/auth/token') return auth.createToken(request.json);
  if (path.startsWith('/api/v1'))
    return {
      status: 404,
      json: { error: '/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.' },
    };
  const matched = router.match(method, path);
  if (matched === 'wrong_method') return { status: 405, json: { detail: 'Method Not Allowed' } };
  if (matched === null) {
    if (path.startsWith('/api/')) return { status: 404, json: { error: 'API route not found' } };
    // Any other address is the web page (3.0.6-3.3.2).
    return method === 'GET'
      ? { status: 200, html: '<!doctype html><title>Airflow</title>' }
      : { status: 405, json: { detail: 'Method Not Allowed' } };
  }
  const who = auth.identify(request);
  if ('refusal' in who) return who.refusal;
  logged.user = who.user.name;
  if (!allowed(who.user, matched.route.role) || (path.startsWith('/api/v2/eventLogs') && parts.hideAuditLog()))
    return { status: 403, json: { detail: 'Forbidden' } };
  try {
    return matched.route.run({
      request,
      ids: matched.ids,
      query: request.query,
      body: (request.json ?? {}) as Record<string, unknown>,
      user: who.user,
    });
  } catch (error) {
    if (!(error instanceof FakeError)) throw error;
    return { status: error.status, json: { detail: error.message } };
  }
};

const problem = (status: number, title: string | null, detail: string | null): Answer => ({
  status,
  problem: true,
  json: {
    detail,
    status,
    title,
    type: 'https://airflow.apache.org/docs/apache-airflow/2.11.2/stable-rest-api-ref.html#section/Errors/Problem',
  },
});

const handleV1 = (parts: HandlerParts, request: FakeRequest, logged: LoggedRequest): Answer => {
  const { world, auth, router } = parts;
  const { method, path } = request;
  if (method === 'GET' && path === '/api/v1/version')
    return { status: 200, json: { version: world.options.version, git_version: '' } };
  if (method === 'GET' && (path === '/api/v1/health' || path === '/health')) return healthBody(parts);
  const page = webPage(parts, request);
  if (page !== null) return page;
  if (!path.startsWith('/api/v1/')) return { status: 404, html: '<h1>Airflow 404 = lots of circles</h1>' };
  const matched = router.match(method, path);
  if (matched === null)
    return {
      status: 404,
      problem: true,
      json: { detail: 'The requested URL was not found on the server.', status: 404, title: 'Not Found', type: 'about:blank' },
    };
  if (matched === 'wrong_method')
    return { status: 405, problem: true, json: { detail: null, status: 405, title: 'Method Not Allowed', type: 'about:blank' } };
  const unknown = [...request.query.keys()].filter((key) => matched.route.params?.includes(key) !== true);
  if (unknown.length > 0) return problem(400, null, `Extra query parameter(s) ${unknown.join(', ')} not in spec`);
  const who = auth.identify(request);
  if ('refusal' in who) return who.refusal;
  logged.user = who.user.name;
  if (!allowed(who.user, matched.route.role) || (path.startsWith('/api/v1/eventLogs') && parts.hideAuditLog()))
    return forbiddenV1;
  try {
    return matched.route.run({
      request,
      ids: matched.ids,
      query: request.query,
      body: (request.json ?? {}) as Record<string, unknown>,
      user: who.user,
    });
  } catch (error) {
    if (!(error instanceof FakeError)) throw error;
    return error.status === 404
      ? problem(404, error.message, null)
      : problem(error.status, error.status === 409 ? 'Conflict' : null, error.message);
  }
};

/** The log-in form, and pages that only a session opens: anybody else is sent to the form (2.11.2). */
const webPage = ({ auth, world, loginForm }: HandlerParts, request: FakeRequest): Answer | null => {
  const { method, path } = request;
  if (path === '/login/' && loginForm)
    return method === 'POST' ? auth.loginForm(new URLSearchParams(request.text), request) : auth.loginPage();
  if (path !== '/dag-dependencies') return null;
  if (auth.sessionUser(request) === null)
    return { status: 302, html: '', headers: { Location: '/login/?next=%2Fdag-dependencies' } };
  return { status: 200, html: dependenciesPage(world) };
};
