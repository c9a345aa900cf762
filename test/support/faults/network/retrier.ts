/**
 * The negative control: a box in between that means well and sends a POST again when its answer was lost, as proxies do that are told to
 * (`proxy_next_upstream non_idempotent`). Whoever stands behind it gets double effects; a checker that does not see them is blind.
 */
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Retrier {
  readonly url: string;
  /** How many requests it has sent more than once. */
  readonly repeated: number;
  close(): Promise<void>;
}

const TRIES = 5;

export async function startRetrier(target: string, patienceMs: number): Promise<Retrier> {
  let repeated = 0;
  const server: Server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    for (let n = 1; n <= TRIES; n++) {
      const answer = await once(target, incoming.method ?? 'GET', incoming.url ?? '/', incoming.headers, body, patienceMs).catch(
        () => null,
      );
      if (answer !== null && answer.status < 500) {
        if (n > 1) repeated += 1;
        const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
        return void outgoing.writeHead(answer.status, { ...headers, 'content-length': answer.body.length }).end(answer.body);
      }
    }
    incoming.socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get repeated() {
      return repeated;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function once(
  target: string,
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
  patienceMs: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = { ...headers, host: new URL(target).host, connection: 'close' };
    const call = httpRequest(
      `${target}${path}`,
      { method, headers: sent, signal: AbortSignal.timeout(patienceMs) },
      async (response) => {
        try {
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk as Buffer);
          resolve({ status: response.statusCode ?? 502, headers: response.headers, body: Buffer.concat(chunks) });
        } catch (error) {
          reject(error);
        }
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
