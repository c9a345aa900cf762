/**
 * A network that fails on demand, between a service and its Airflow (or whoever it talks to): TCP in, TCP out, names as toxiproxy has them. A toxic
 * works on one direction of a connection, `upstream` (what is asked) or `downstream` (what is answered); so `reset_peer` upstream cuts before the effect,
 * downstream after it. Only for `when` is anything known of HTTP: requests are put together, so that a toxic can lie in wait for exactly one of them.
 */

import type { AddressInfo } from 'node:net';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { Chance } from '../sim/chance.ts';
import { Pipe } from './pipe.ts';

export type ToxicKind =
  /** Every piece comes `ms`, give or take `jitter`, later. Upstream it is still delivered when the asker has given up: an effect after the time-out. */
  | { readonly kind: 'latency'; readonly ms: number; readonly jitter?: number }
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** The end of the connection comes so much later than its last byte. */
  | { readonly kind: 'slow_close'; readonly ms: number }
  /** Nothing passes any more, and the connection ends after `ms`; 0: never, as when a firewall forgets it (half-open). */
  | { readonly kind: 'timeout'; readonly ms: number }
  /** RST instead of the data. */
  | { readonly kind: 'reset_peer' }
  /** Pieces of so many bytes. */
  | { readonly kind: 'slicer'; readonly bytes: number }
  /** The connection ends after so many bytes: a truncated body. */
  | { readonly kind: 'limit_data'; readonly bytes: number }
  /** Not of TCP but of the proxies between: an HTML page instead of what was asked (upstream) or instead of the answer (downstream). */
  | { readonly kind: 'page'; readonly status: number };

export type Toxic = ToxicKind & {
  readonly stream: 'upstream' | 'downstream';
  /** Only for connections on which a request like this comes by, from that request on. Default: all of them, from their first byte. */
  readonly when?: RegExp;
  /** For so many connections; default for ever. */
  readonly times?: number;
};

export interface PlacedToxic {
  /** On how many connections it has worked. */
  readonly hits: number;
  remove(): void;
}

export interface FaultProxy {
  readonly url: string;
  /** Connections that were made to it, refused ones not counted. */
  readonly connections: number;
  add(toxic: Toxic): PlacedToxic;
  /** Takes all toxics away; what hangs on a connection goes on hanging. */
  heal(): void;
  /** Nobody listens and every connection ends: refused. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Ends what hangs: as when the other side is restarted. */
  dropAll(): void;
  close(): Promise<void>;
}

interface Placed {
  readonly toxic: Toxic;
  left: number;
  hits: number;
}

/** `seed`: of the jitter, so that a red run can be told again. */
export async function startFaultProxy(target: string, seed: number | string = 'proxy'): Promise<FaultProxy> {
  const chance = new Chance(seed);
  const random = () => chance.next();
  const { hostname, port } = new URL(target);
  const placed: Placed[] = [];
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let connections = 0;
  let listenOn = 0;

  const take = (stream: Toxic['stream'], request: string | null): ToxicKind[] =>
    placed
      .filter((p) => p.toxic.stream === stream && p.left > 0)
      .filter((p) => (p.toxic.when === undefined ? request === null : request !== null && p.toxic.when.test(request)))
      .map((p) => {
        p.left -= 1;
        p.hits += 1;
        return p.toxic;
      });

  const accept = (client: Socket): void => {
    connections += 1;
    const server = createConnection({ host: hostname, port: Number(port), noDelay: true });
    client.setNoDelay(true);
    const pair = { client, server };
    pairs.add(pair);
    const up = new Pipe('upstream', client, server, random);
    const down = new Pipe('downstream', server, client, random);
    up.poison(...take('upstream', null));
    down.poison(...take('downstream', null));
    up.onRequest = (request) => {
      // Downstream first: what comes back must meet the toxic although the request is let through in this very moment.
      down.poison(...take('downstream', request));
      up.poison(...take('upstream', request));
    };
    for (const socket of [client, server]) socket.once('close', () => client.destroyed && server.destroyed && pairs.delete(pair));
  };

  let listener: Server | null = null;
  const up = async (): Promise<void> => {
    const next = createServer({ allowHalfOpen: true }, accept);
    await new Promise<void>((resolve, reject) => next.once('error', reject).listen(listenOn, '127.0.0.1', resolve));
    listenOn = (next.address() as AddressInfo).port;
    listener = next;
  };
  const dropAll = (): void => {
    for (const { client, server } of pairs) for (const socket of [client, server]) socket.destroy();
  };
  const down = async (): Promise<void> => {
    const old = listener;
    listener = null;
    const ended = old === null ? null : new Promise((resolve) => old.close(resolve));
    dropAll();
    await ended;
  };
  await up();
  return {
    url: `http://127.0.0.1:${listenOn}`,
    get connections() {
      return connections;
    },
    add: (toxic) => {
      const one: Placed = { toxic, left: toxic.times ?? Number.POSITIVE_INFINITY, hits: 0 };
      placed.push(one);
      return {
        get hits() {
          return one.hits;
        },
        remove: () => {
          one.left = 0;
        },
      };
    },
    heal: () => {
      for (const one of placed) one.left = 0;
    },
    ...{ down, up, dropAll, close: down },
  };
}
