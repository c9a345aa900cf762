/**
 * The one place that calls axios; Airflow's client and the notifiers use it, nobody else sends HTTP. Its defaults are the
 * opposite of axios' own, which follow 21 redirects with our headers, have no time limit and no size limit, and let an absolute
 * address beat the base address and carry the bearer token away (axios 1.21.1, measured). An AxiosError never leaves this file:
 * it holds the request with its Authorization header, and loggers print it.
 */
import http from 'node:http';
import https from 'node:https';
import axios, { type AxiosInstance, type AxiosRequestConfig, isAxiosError } from 'axios';

export interface HttpOptions {
  /** http or https, may carry a path prefix; credentials, query and fragment are refused. */
  readonly baseUrl: string;
  /** Milliseconds for one whole exchange: waiting for a socket, connecting (2 s at most), sending, reading to the last byte. */
  readonly timeoutMs: number;
  readonly maxSockets: number;
  /** Bytes of an answer, after decompression. Default 10 MB. */
  readonly maxAnswerBytes?: number;
}

export interface HttpCall {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'PUT';
  /** Below the base address, percent-encoded, beginning with `/`; a query may follow. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Instead of the client's. */
  readonly timeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower case, without parameters; '' where none was given. */
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly setCookie: readonly string[];
  readonly text: string;
}

/** No answer that can be used came back. Carries no header, no body and no address. */
export class HttpFailure extends Error {
  readonly reason: 'timeout' | 'unreachable' | 'too_large' | 'closed';
  /** False only where it is certain that no byte of the request left: the connection was never made. */
  readonly sent: boolean;

  constructor(reason: HttpFailure['reason'], message: string, sent: boolean) {
    super(message);
    this.name = 'HttpFailure';
    this.reason = reason;
    this.sent = sent;
  }
}

export interface Http {
  /** Resolves with any status, also 3xx to 5xx; rejects with `HttpFailure` only. Redirects are not followed. */
  send(call: HttpCall): Promise<HttpAnswer>;
  /** Ends the sockets; calls under way reject. */
  close(): void;
}

const maxRequestBytes = 1_000_000;
const longestConnectMs = 2_000;

/** Throws a `TypeError` without the address in it where `baseUrl` is not usable. */
export const createHttp = (options: HttpOptions): Http => {
  const base = checkedBase(options.baseUrl);
  const pooled = agents(base.secure, { keepAlive: true, maxSockets: options.maxSockets, maxFreeSockets: options.maxSockets });
  // A kept-alive socket that the server closes at this very moment loses the request without a trace. A GET is repeated, a POST
  // must not be: so POSTs pay for a connection of their own and are lost only when the network really fails.
  const single = agents(base.secure, { keepAlive: false, maxSockets: options.maxSockets });
  const instance = createInstance(base.href, options);
  const underWay = new Set<AbortController>();
  let closed = false;

  const send = async (call: HttpCall): Promise<HttpAnswer> => {
    if (closed) throw new HttpFailure('closed', 'the client is closed', false);
    const abort = new AbortController();
    const timeoutMs = call.timeoutMs ?? options.timeoutMs;
    const watch = watchOver(abort, Math.min(longestConnectMs, timeoutMs));
    const timer = setTimeout(() => watch.giveUp(`no answer within ${timeoutMs} ms`), timeoutMs);
    underWay.add(abort);
    try {
      return await exchange(
        instance,
        call,
        { ...(call.method === 'POST' ? single.config : pooled.config), signal: abort.signal },
        watch,
      );
    } catch (error) {
      throw failure(error, watch, closed);
    } finally {
      clearTimeout(timer);
      underWay.delete(abort);
    }
  };
  const close = () => {
    closed = true;
    for (const abort of underWay) abort.abort();
    pooled.destroy();
    single.destroy();
  };
  return { send, close };
};

interface Watch {
  connected: boolean;
  readonly connectMs: number;
  /** What took too long, once something has. */
  late: string | null;
  readonly giveUp: (late: string) => void;
}

const watchOver = (abort: AbortController, connectMs: number): Watch => {
  const watch: Watch = {
    connected: false,
    connectMs,
    late: null,
    giveUp: (late) => {
      watch.late ??= late;
      abort.abort();
    },
  };
  return watch;
};

const checkedBase = (text: string): { href: string; secure: boolean } => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new TypeError('the address must begin with http:// or https://');
  if (url.username !== '' || url.password !== '') throw new TypeError('the address must not hold a user name or a password');
  if (url.search !== '' || url.hash !== '') throw new TypeError('the address must not hold a query or a fragment');
  return { href: `${url.origin}${url.pathname.replace(/\/+$/, '')}`, secure: url.protocol === 'https:' };
};

const agents = (secure: boolean, settings: http.AgentOptions) => {
  const agent = secure ? new https.Agent(settings) : new http.Agent(settings);
  return { config: { httpAgent: agent, httpsAgent: agent }, destroy: () => agent.destroy() };
};

const createInstance = (baseURL: string, options: HttpOptions): AxiosInstance =>
  axios.create({
    baseURL,
    adapter: 'http',
    allowAbsoluteUrls: false,
    maxRedirects: 0,
    proxy: false,
    timeout: 0, // one timer of our own for the whole exchange, which each call sets
    maxContentLength: options.maxAnswerBytes ?? 10_000_000,
    maxBodyLength: maxRequestBytes,
    responseType: 'text',
    transformRequest: [(data) => data],
    transformResponse: [(data) => data],
    validateStatus: () => true,
  });

const exchange = async (
  instance: AxiosInstance,
  call: HttpCall,
  config: AxiosRequestConfig,
  watch: Watch,
): Promise<HttpAnswer> => {
  const answer = await instance.request({
    ...config,
    method: call.method,
    url: call.path,
    headers: { Accept: 'application/json', 'User-Agent': 'firedamper', ...call.headers },
    ...(call.body === undefined ? {} : { data: call.body }),
    transport: watchedTransport(watch),
  });
  const headers = textHeaders(answer.headers);
  return {
    status: answer.status,
    contentType: (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    headers,
    setCookie: setCookies(answer.headers['set-cookie']),
    text: typeof answer.data === 'string' ? answer.data : '',
  };
};

/** Sends with Node's own module and notes whether a connection ever stood: the only proof that nothing was sent. */
const watchedTransport = (watch: Watch) => ({
  request: (options: https.RequestOptions, done: (answer: http.IncomingMessage) => void): http.ClientRequest => {
    const request = options.protocol === 'https:' ? https.request(options, done) : http.request(options, done);
    request.once('socket', (socket) => {
      if (!socket.connecting) watch.connected = true;
      else {
        // A firewall that drops packets leaves a connect hanging for minutes; who waits for it here holds a place of its lane.
        // A turn later, because a loop that was busy for that long hears of the time before it hears of the connection.
        const late = () => setImmediate(() => watch.connected || watch.giveUp(`no connection within ${watch.connectMs} ms`));
        const timer = setTimeout(late, watch.connectMs);
        socket.once('connect', () => {
          watch.connected = true;
        });
        for (const over of ['connect', 'close'] as const) socket.once(over, () => clearTimeout(timer));
      }
    });
    // Airflow 3's server closes the connection behind a 500 without saying so (uvicorn, 3.3.2): the next request on it would be lost.
    request.once('response', (answer) => {
      const { socket } = answer; // it is gone from the answer once that has ended
      if ((answer.statusCode ?? 0) >= 500) answer.once('end', () => socket.destroy());
    });
    return request;
  },
});

const textHeaders = (raw: object): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) if (typeof value === 'string') headers[name.toLowerCase()] = value;
  return headers;
};

const setCookies = (raw: unknown): readonly string[] =>
  Array.isArray(raw) ? raw.filter((line) => typeof line === 'string') : [];

const failure = (error: unknown, watch: Watch, closed: boolean): HttpFailure => {
  const code = isAxiosError(error) ? (error.code ?? '') : '';
  if (closed) return new HttpFailure('closed', 'the client was closed', watch.connected);
  if (watch.late !== null || code === 'ECONNABORTED' || code === 'ETIMEDOUT') {
    return new HttpFailure('timeout', watch.late ?? 'no answer in time', watch.connected);
  }
  if (isAxiosError(error) && /maxContentLength|maxBodyLength/.test(error.message)) {
    return new HttpFailure('too_large', 'the answer is larger than allowed', true);
  }
  // Only the code is passed on: the message of an unexpected error may quote the request.
  return new HttpFailure('unreachable', `the connection failed${/^[A-Z_0-9]+$/.test(code) ? ` (${code})` : ''}`, watch.connected);
};
