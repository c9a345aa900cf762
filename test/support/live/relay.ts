import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Relay {
  readonly url: string;
  close(): Promise<void>;
}

/** One callback that came by. */
export interface Passed {
  readonly dagId: string;
  readonly kind: string;
  readonly runId: string;
  /** What the service answered; null where no service wanted it. */
  readonly status: number | null;
}

/**
 * Stands where the sender in Airflow thinks that Firedamper is. Passes a callback on, byte for byte with its headers, to the service that has
 * registered for the beginning of its DAG id; where none has, the callback is swallowed with a 202: to that service the sender is switched off.
 * `PUT /relay/<prefix>` with a URL registers, `DELETE` ends it, `GET` lists what came by for the prefix.
 */
export async function startRelay(): Promise<Relay> {
  const routes = new Map<string, string>();
  const passed: Passed[] = [];
  const server = createServer(async (request, response) => {
    try {
      const body = await bodyOf(request);
      if (request.url?.startsWith('/relay/')) control(request, response, body, routes, passed);
      else await pass(request, response, body, routes, passed);
    } catch (error) {
      response.writeHead(502).end(String(error)); // the service is down: the sender keeps the callback and tries again
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function control(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  routes: Map<string, string>,
  passed: readonly Passed[],
): void {
  const prefix = decodeURIComponent((request.url ?? '').slice('/relay/'.length));
  if (request.method === 'PUT') routes.set(prefix, body.toString());
  if (request.method === 'DELETE') routes.delete(prefix);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(passed.filter(({ dagId }) => dagId.startsWith(prefix))));
}

async function pass(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  routes: Map<string, string>,
  passed: Passed[],
): Promise<void> {
  const { dag_id: dagId = '', kind = '', run_id: runId = '' } = JSON.parse(body.toString()) as Record<string, string>;
  const target = [...routes].find(([prefix]) => dagId.startsWith(prefix))?.[1];
  if (!target) {
    passed.push({ dagId, kind, runId, status: null });
    response.writeHead(202, { 'content-type': 'application/json' }).end('{}');
    return;
  }
  const headers = Object.entries(request.headers).filter(
    ([name]) => !['host', 'connection', 'content-length', 'transfer-encoding'].includes(name),
  );
  const answer = await fetch(`${target}${request.url}`, {
    method: request.method ?? 'POST',
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: new Uint8Array(body),
  });
  passed.push({ dagId, kind, runId, status: answer.status });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
  response.end(Buffer.from(await answer.arrayBuffer()));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
