import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { rateLimit } from 'express-rate-limit';
import { parseCallback } from '../intake/callback.ts';
import type { HttpDeps } from './deps.ts';
import { ProblemError } from './problem.ts';
import { type SigningKey, verifySignature } from './signature.ts';

const WINDOW_MS = 60_000;
/** Unknown airflow ids share one bucket, so that inventing ids buys nothing. */
const UNKNOWN = '?';

/**
 * The door for machines. The order is fixed, and every step is cheaper than the next: size, rate, signature, content type, JSON,
 * shape, row on disk, answer. Nothing of the body is read as JSON before its sender is proven.
 */
export function callbackRoute(app: Express, deps: HttpDeps, keys: ReadonlyMap<string, readonly SigningKey[]>): void {
  const { maxBodyBytes, ratePerMinute } = deps.config.intake;
  app.post(
    '/v1/callbacks/airflow/:airflow',
    refuseTooLarge(maxBodyBytes),
    limitRate(ratePerMinute, keys),
    // The MAC is over the bytes as they were sent: nothing is inflated, whatever the content type says.
    express.raw({ type: () => true, limit: maxBodyBytes, inflate: false }),
    async (req: Request<{ airflow: string }>, res: Response) => receive(req, res, deps, keys),
  );
}

/** A declared length over the cap is refused before a byte of the body is read; an undeclared one is cut off by the parser. */
export function refuseTooLarge(maxBytes: number): RequestHandler {
  return (req, _res, next) => {
    if (Number(req.headers['content-length'] ?? 0) > maxBytes) {
      throw new ProblemError(413, `at most ${maxBytes} bytes are taken here`, { Connection: 'close' });
    }
    next();
  };
}

export function limitRate(perMinute: number, keys: ReadonlyMap<string, unknown>): RequestHandler<{ airflow: string }> {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: (req) =>
      `${req.socket.remoteAddress ?? '?'} ${keys.has(String(req.params.airflow)) ? String(req.params.airflow) : UNKNOWN}`,
    validate: { keyGeneratorIpFallback: false },
    handler: (_req, res) => {
      const seconds = String(res.getHeader('Retry-After') ?? WINDOW_MS / 1000);
      throw new ProblemError(429, `more than ${perMinute} requests a minute from this source`, { 'Retry-After': seconds });
    },
  }) as unknown as RequestHandler<{ airflow: string }>;
}

async function receive(
  req: Request<{ airflow: string }>,
  res: Response,
  deps: HttpDeps,
  keys: ReadonlyMap<string, readonly SigningKey[]>,
): Promise<void> {
  const { airflow } = req.params;
  const secrets = keys.get(airflow);
  if (secrets === undefined) throw new ProblemError(404, 'no Airflow with this id is configured');
  const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
  const webhookId = prove(req, body, secrets, deps, airflow);
  const parsed = parseCallback(airflow, webhookId, json(req, body));
  if (parsed.shape === 'test') {
    // 202 means stored, and a test is not stored.
    res.status(200).json({ id: webhookId, duplicate: false });
    return;
  }
  const answer = await deps.accept({
    airflow,
    webhookId,
    body: body.toString('utf8'),
    receivedAt: new Date(deps.now()).toISOString(),
    quarantine: parsed.shape === 'unknown' ? parsed.why : null,
    dedupeKey: parsed.shape === 'known' ? parsed.signal.dedupeKey : null,
  });
  if (parsed.shape === 'unknown')
    deps.log.warn({ airflow, id: answer.id, why: parsed.why }, 'a callback of unknown shape went into quarantine');
  res.status(202).json({ id: answer.id, duplicate: answer.duplicate });
}

/** One text for every failure, so that nobody learns how close a forgery was; a proven sender is told how wrong its clock is. */
export function prove(req: Request, body: Buffer, secrets: readonly SigningKey[], deps: HttpDeps, airflow: string): string {
  const now = deps.now();
  const verdict = verifySignature({ headers: req.headers, body, secrets, now, toleranceMs: deps.config.intake.toleranceMs });
  if (verdict.ok) return verdict.id;
  deps.log.warn(
    { airflow, reason: verdict.reason, skewSeconds: verdict.skewSeconds, from: req.socket.remoteAddress },
    'a signed request was refused',
  );
  if (verdict.skewSeconds === undefined) throw new ProblemError(401, 'the signature of this request is missing or wrong');
  const seconds = Math.abs(verdict.skewSeconds);
  const direction = verdict.skewSeconds > 0 ? 'behind' : 'ahead of';
  throw new ProblemError(401, `the signature is right, but its time is ${seconds} s ${direction} ours: check the clocks`);
}

export function json(req: Request, body: Buffer): unknown {
  if (!req.is('application/json')) throw new ProblemError(415, 'the body is to be application/json');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new ProblemError(400, 'the body is not JSON');
  }
}
