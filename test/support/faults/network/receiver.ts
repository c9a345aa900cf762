/** Where notices go: a webhook endpoint that keeps what it was told, and answers as a test says. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Told {
  /** The header by which a receiver knows a repeat. */
  readonly id: string;
  readonly event: string;
  readonly incident: string;
  readonly dagId: string;
  readonly title: string;
  readonly text: string;
  readonly decidedAt: string;
}

/** null: nothing comes back, and the connection stays. */
export type Reply = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | null;

export interface Receiver {
  readonly url: string;
  /** Every request; one that hangs has the status 0. */
  readonly requests: readonly { readonly status: number | null; readonly told: Told; readonly at: number }[];
  /** What was answered with 200, in the order of coming. */
  readonly told: readonly Told[];
  /** At the same time, at most. */
  readonly most: number;
  reply: (told: Told) => Reply;
  /** No answer leaves before this. */
  hold: Promise<unknown> | null;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const requests: { status: number | null; readonly told: Told; readonly at: number }[] = [];
  const open = new Set<ServerResponse>();
  let most = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    open.add(response);
    most = Math.max(most, open.size);
    response.on('close', () => open.delete(response));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const heard = { status: null as number | null, at: Date.now(), told: read(String(request.headers['webhook-id']), chunks) };
      requests.push(heard);
      const reply = receiver.reply(heard.told);
      heard.status = reply?.status ?? 0;
      const send = () =>
        reply && response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers }).end('{}');
      if (receiver.hold) void receiver.hold.then(send);
      else send();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    requests,
    get told() {
      return requests.filter((r) => r.status === 200).map((r) => r.told);
    },
    get most() {
      return most;
    },
    reply: () => ({ status: 200 }),
    hold: null,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

function read(id: string, chunks: readonly Buffer[]): Told {
  const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  const { event, title, text, decided_at: decidedAt, incident } = body;
  return { id, event, title, text, decidedAt, incident: incident.id, dagId: incident.dag_id };
}

/** What went wrong in the telling, in words: something missing, told twice, or overtaken by what was said later about the same incident. */
export function toldWrong(told: readonly Told[], wanted: readonly string[]): string[] {
  const ids = new Set(told.map((t) => t.id));
  const missing = wanted.filter((id) => !ids.has(id)).map((id) => `${id} was never told`);
  const twice = [...ids].filter((id) => told.filter((t) => t.id === id).length > 1).map((id) => `${id} was told more than once`);
  const first = [...new Map(told.toReversed().map((t) => [t.id, t])).values()].toReversed();
  const overtaken = first.flatMap((t, i) => {
    const earlier = first.slice(i + 1).find((x) => x.incident === t.incident && numberOf(x.id) < numberOf(t.id));
    return earlier ? [`${t.id} of ${t.incident} came before ${earlier.id}`] : [];
  });
  return [...missing, ...twice, ...overtaken];
}

/** `fd-12-…`: counted in the order in which they were decided. */
const numberOf = (id: string): number => Number(id.split('-')[1]);
