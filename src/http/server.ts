import http from 'node:http';
import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { Config } from '../config.ts';
import { denyWithoutRule, findRule, identify, refuseCrossSite, requireRole, Tokens } from './access.ts';
import { callbackRoute } from './callbacks.ts';
import { dagRoutes } from './dags.ts';
import type { HttpDeps } from './deps.ts';
import { gateRoute } from './gate.ts';
import { healthRoutes } from './health.ts';
import { holdRoutes } from './holds.ts';
import { incidentRoutes } from './incidents.ts';
import { errorPage, pageRoutes } from './pages.ts';
import { errorHandler, ProblemError } from './problem.ts';
import { repairRoutes } from './repairs.ts';
import { restoreRoutes } from './restore.ts';
import { Sessions } from './sessions.ts';
import { signalRoutes } from './signals.ts';
import { signingKeys } from './signature.ts';
import { validateRequests } from './validate.ts';

/**
 * Node 24 by itself waits 60 s for headers and 300 s for a request, looks only every 30 s, and takes any number of connections.
 * Keep-alive is longer than what proxies in front use (60 s), so that the proxy is the one who closes.
 */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1_000,
} as const;
const MAX_CONNECTIONS = 1_000;
/** Bodies of everything but callbacks: reasons and comments. */
const BODY_LIMIT = '100kb';
/** How long open requests may take to end once the server is closed. */
const CLOSE_GRACE_MS = 5_000;

export interface HttpServer {
  readonly app: Express;
  /** Not yet listening. */
  readonly server: http.Server;
  /** Takes no more connections, lets what is under way end, and cuts what does not end in time. */
  close(): Promise<void>;
}

/** The HTTP side of Firedamper. Throws `invalid` for a callback secret in the wrong form. */
export function createHttpServer(deps: HttpDeps): HttpServer {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  const sessions = new Sessions(deps.config.server.publicUrl, deps.now);
  const keys = new Map(deps.config.airflows.map(({ id, callbackSecrets }) => [id, signingKeys(callbackSecrets)]));

  app.use(logRequests(deps), securityHeaders(deps.config), refuseOddMethods, findRule(), denyWithoutRule);
  callbackRoute(app, deps, keys);
  gateRoute(app, deps, keys);
  const tokens = new Tokens(deps.config.tokens);
  app.use(identify(tokens, sessions), refuseCrossSite(deps.config.server.publicUrl), requireRole);
  app.use('/v1', express.json({ limit: BODY_LIMIT, inflate: false }));
  app.use(validateRequests());
  signalRoutes(app, deps);
  incidentRoutes(app, deps);
  holdRoutes(app, deps);
  repairRoutes(app, deps);
  dagRoutes(app, deps);
  restoreRoutes(app, deps);
  healthRoutes(app, deps);
  pageRoutes(app, deps, sessions, tokens);
  app.use(() => {
    throw new ProblemError(404, 'there is nothing at this address');
  });
  app.use(errorHandler(deps.log, errorPage(deps)));

  const server = http.createServer(LIMITS, app);
  server.maxConnections = MAX_CONNECTIONS;
  return { app, server, close: () => close(server) };
}

async function close(server: http.Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  // A kept-alive connection is not idle while its last answer is being written: looked at until all are gone.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
}

/**
 * Everything comes from ourselves, nothing is inline; answers are not kept by anybody. Only the configured Airflows may frame us: from 3.1 on they
 * show links of plugins as tabs, which are frames (3.1.8, 3.3.2).
 */
function securityHeaders({ server: { publicUrl }, airflows }: Config): RequestHandler[] {
  const framers = [...new Set(airflows.flatMap((airflow) => URL.parse(airflow.publicUrl)?.origin ?? []))];
  const self = ["'self'"];
  const https = publicUrl.startsWith('https:');
  const headers = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: self,
        scriptSrc: self,
        imgSrc: self,
        connectSrc: self,
        fontSrc: self,
        formAction: self,
        baseUri: ["'none'"],
        frameAncestors: framers.length > 0 ? framers : ["'none'"],
      },
    },
    // Knows only "nobody" and "ourselves"; browsers heed the policy above it.
    xFrameOptions: false,
    strictTransportSecurity: https ? { maxAge: 31_536_000 } : false,
    // `no-referrer` would make browsers send `Origin: null` with our own forms, and the cross-site check falls back on Origin.
    referrerPolicy: { policy: 'same-origin' },
  });
  const noStore: RequestHandler = (_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  };
  return [headers, noStore];
}

const refuseOddMethods: RequestHandler = (req, _res, next) => {
  if (!['GET', 'HEAD', 'POST', 'PATCH'].includes(req.method))
    throw new ProblemError(405, `${req.method} is not used here`, { Allow: 'GET, HEAD, POST, PATCH' });
  next();
};

/** The path without its query: what people search for stays out of the log. */
function logRequests(deps: HttpDeps): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    res.on('finish', () => {
      const ms = Math.round(performance.now() - startedAt);
      deps.log.debug({ method: req.method, path: req.originalUrl.split('?')[0], status: res.statusCode, ms }, 'answered');
    });
    next();
  };
}
