import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProxiedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly body: string;
}

/** Something that happens to one request, once. */
export interface Ambush {
  readonly when: (request: ProxiedRequest) => boolean;
  /** `before`: Airflow has not heard of it. `after`: Airflow has answered, the caller has not got the answer. */
  readonly phase: 'before' | 'after';
  readonly act: (request: ProxiedRequest) => Promise<void>;
  /** Cut the connection afterwards: a request `before` never reaches Airflow, an answer `after` never reaches the caller. */
  readonly lose: boolean;
}

export interface KillProxy {
  readonly url: string;
  /** Every request that came by, oldest first. */
  readonly seen: readonly ProxiedRequest[];
  /** Lies in wait; resolves when it has happened. */
  ambush(plan: Ambush): Promise<ProxiedRequest>;
  /** Answers requests itself where `rule` gives an answer. */
  answer(rule: (request: ProxiedRequest) => { readonly status: number; readonly body: unknown } | null): void;
  /** Nobody listens and every connection is cut, as on a server that was killed; `up` listens again, at the same address. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  readonly plan: Ambush;
  readonly done: (request: ProxiedRequest) => void;
}

/** Stands between a service and its Airflow, passes everything on unchanged, and lets a test act at exactly one moment of one request. */
export async function startKillProxy(target: string): Promise<KillProxy> {
  const seen: ProxiedRequest[] = [];
  const waiting: Waiting[] = [];
  let rule: Parameters<KillProxy['answer']>[0] = () => null;

  /** True when the connection is to be cut. */
  async function spring(phase: Ambush['phase'], request: ProxiedRequest): Promise<boolean> {
    const found = waiting.findIndex(({ plan }) => plan.phase === phase && plan.when(request));
    const [hit] = found < 0 ? [] : waiting.splice(found, 1);
    if (!hit) return false;
    await hit.plan.act(request);
    hit.done(request);
    return hit.plan.lose;
  }

  const serve: RequestListener = async (incoming, outgoing) => {
    const body = await bodyOf(incoming);
    const request = { method: incoming.method ?? 'GET', path: incoming.url ?? '/', body: body.toString() };
    seen.push(request);
    const own = rule(request);
    if (own) return void outgoing.writeHead(own.status, { 'content-type': 'application/json' }).end(JSON.stringify(own.body));
    if (await spring('before', request)) return void incoming.socket.destroy();
    const answer = await forward(target, request, incoming.headers, body).catch((error: unknown) => String(error));
    if (typeof answer === 'string') return void outgoing.writeHead(502).end(answer);
    if (await spring('after', request)) return void incoming.socket.destroy();
    pass(answer, outgoing);
  };
  let port = 0;
  let server: Server | null = null;
  const up = async () => {
    const next = createServer(serve);
    await new Promise<void>((resolve, reject) => next.once('error', reject).listen(port, '127.0.0.1', resolve));
    port = (next.address() as AddressInfo).port;
    server = next;
  };
  const down = async () => {
    const old = server;
    server = null;
    if (old === null) return;
    const ended = new Promise<void>((resolve) => old.close(() => resolve()));
    old.closeAllConnections();
    await ended;
  };
  await up();
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    ambush: (plan) => new Promise((done) => waiting.push({ plan, done })),
    answer(next) {
      rule = next;
    },
    ...{ down, up, close: down },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function forward(target: string, request: ProxiedRequest, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port, host } = new URL(target);
    const to = { hostname, port, path: request.path, method: request.method, headers: { ...headers, host, connection: 'close' } };
    const outgoing = httpRequest(to, async (response) => {
      const answer = await bodyOf(response).catch(reject);
      if (answer) resolve({ status: response.statusCode ?? 502, headers: response.headers, body: answer });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function pass(answer: Answer, outgoing: ServerResponse): void {
  const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
  outgoing.writeHead(answer.status, { ...headers, 'content-length': answer.body.length });
  outgoing.end(answer.body);
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
