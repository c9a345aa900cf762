/** A receiver that believes nothing: it checks the signature, notes the moment, and asks the kernel who is calling. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { type Peer, peerOf } from './peer.ts';

export interface Arrival {
  /** Milliseconds since 1970, before anything was looked at. */
  readonly at: number;
  /** The `webhook-id`: a second request with it is the same event. */
  readonly id: string;
  readonly signed: boolean;
  readonly peer: Peer;
  readonly body: Readonly<Record<string, unknown>>;
}

const UNSEEN: Peer = { part: 'not seen', title: '' };

export interface MatrixReceiver {
  readonly url: string;
  readonly arrivals: readonly Arrival[];
  close(): Promise<void>;
}

export async function startMatrixReceiver(secret: string, crewFile: string): Promise<MatrixReceiver> {
  const arrivals: Arrival[] = [];
  const webhook = new Webhook(secret);
  const peers = new WeakMap<Socket, Peer>();
  const server = createServer(async (request, response) => {
    const at = Date.now();
    if (!request.url?.startsWith('/v1/callbacks/airflow/')) return void response.writeHead(404).end();
    const text = await textOf(request);
    const id = String(request.headers['webhook-id'] ?? '');
    arrivals.push({
      at,
      id,
      signed: signed(webhook, text, request),
      peer: peers.get(request.socket) ?? UNSEEN,
      body: JSON.parse(text),
    });
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"accepted"}');
  });
  // At once: a process that has ended cannot be asked any more.
  server.on('connection', (socket: Socket) => peers.set(socket, peerOf(socket.remotePort ?? 0, socket.localPort ?? 0, crewFile)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function signed(webhook: Webhook, text: string, request: IncomingMessage): boolean {
  try {
    webhook.verify(text, request.headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
