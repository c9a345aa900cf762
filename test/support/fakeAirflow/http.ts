/** The fake's small HTTP server: one handler, a log of every request, and faults on demand. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
  readonly json: unknown;
}

export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly html?: string;
  /** application/problem+json instead of application/json. */
  readonly problem?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request as it was seen: the ground truth of "what did the service ask". */
export interface LoggedRequest {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: unknown;
  user: string | null;
  /** null where no answer was sent. */
  status: number | null;
  ms: number;
}

export type Fault =
  /** The connection ends before anything was done. */
  | { readonly kind: 'cut_before' }
  /** Everything is done, and then the connection ends without an answer. */
  | { readonly kind: 'cut_after' }
  /** Everything is done, no answer ever comes. */
  | { readonly kind: 'stall_after' }
  /** Nothing is done and no answer ever comes. */
  | { readonly kind: 'stall_before' }
  /** Half of the body, then the connection ends. */
  | { readonly kind: 'truncate' }
  /** Well-framed, but only half of the JSON. */
  | { readonly kind: 'half_json' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** An answer of somebody else's, nothing is done: HTML of a proxy, a 403, a redirect. */
  | { readonly kind: 'answer'; readonly answer: Answer };

export interface FaultRule {
  readonly method?: string;
  /** A path template such as `/dags/{dag_id}`, without `/api/vN`; or a regular expression over the whole path. */
  readonly path?: string | RegExp;
  readonly fault: Fault;
  /** How often; default for ever. */
  times?: number;
  /** So many matching requests go through unharmed first. */
  skip?: number;
}

export interface ServerOptions {
  readonly handle: (request: FakeRequest, logged: LoggedRequest) => Answer;
  readonly latencyMs: () => number;
  readonly now: () => number;
  readonly port: number;
}

export class FakeServer {
  readonly requests: LoggedRequest[] = [];
  readonly faults: FaultRule[] = [];
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#receive(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, '127.0.0.1', () =>
        resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`),
      );
    });
  }

  close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #receive(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const [path = '/', query = ''] = (incoming.url ?? '/').split('?');
    const text = Buffer.concat(chunks).toString('utf8');
    const request: FakeRequest = {
      method: incoming.method ?? 'GET',
      path,
      query: new URLSearchParams(query),
      headers: incoming.headers as Record<string, string | undefined>,
      text,
      json: parsed(text),
    };
    const logged: LoggedRequest = {
      at: this.#options.now(),
      method: request.method,
      path,
      query,
      body: request.json ?? null,
      user: null,
      status: null,
      ms: 0,
    };
    this.requests.push(logged);
    const fault = this.#faultFor(request);
    const waited = this.#options.latencyMs() + (fault?.kind === 'delay' ? fault.ms : 0);
    if (waited > 0) await this.#sleep(waited);
    this.#answer(request, logged, fault, response);
  }

  #answer(request: FakeRequest, logged: LoggedRequest, fault: Fault | null, response: ServerResponse): void {
    if (fault?.kind === 'cut_before') return void response.destroy();
    if (fault?.kind === 'stall_before') return;
    const answer = fault?.kind === 'answer' ? fault.answer : this.#options.handle(request, logged);
    if (fault?.kind === 'cut_after') return void response.destroy();
    if (fault?.kind === 'stall_after') return;
    logged.status = answer.status;
    logged.ms = this.#options.now() - logged.at;
    const body = answer.html ?? (answer.json === undefined ? '' : JSON.stringify(answer.json));
    const type =
      answer.html === undefined
        ? answer.problem === true
          ? 'application/problem+json'
          : 'application/json'
        : 'text/html; charset=utf-8';
    const half = body.slice(0, Math.max(1, body.length >> 1));
    const zip = fault === null && body.length >= 1024 && /gzip/.test(request.headers['accept-encoding'] ?? '');
    const sent = zip ? gzipSync(body, { level: 1 }) : Buffer.from(fault?.kind === 'half_json' ? half : body);
    response.writeHead(answer.status, {
      'Content-Type': type,
      'Content-Length': sent.length,
      ...(zip ? { 'Content-Encoding': 'gzip' } : {}),
      ...answer.headers,
    });
    if (fault?.kind !== 'truncate') return void response.end(sent);
    response.write(half);
    setImmediate(() => response.destroy());
  }

  #faultFor(request: FakeRequest): Fault | null {
    for (const rule of this.faults) {
      if (
        rule.times === 0 ||
        (rule.method !== undefined && rule.method !== request.method) ||
        !pathMatches(rule.path, request.path)
      )
        continue;
      if (rule.skip !== undefined && rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      if (rule.times !== undefined) rule.times -= 1;
      return rule.fault;
    }
    return null;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.add(timer);
    });
  }
}

export const pathMatches = (wanted: string | RegExp | undefined, path: string): boolean => {
  if (wanted === undefined) return true;
  if (wanted instanceof RegExp) return wanted.test(path);
  const pattern = wanted.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^(/api/v\\d)?${pattern}$`).test(path);
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
