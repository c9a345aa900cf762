/** Those who look at the service and those whom it tells: somebody who reads its pages every few seconds, and the receiver of its notices. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const LOOK_MS = 2_500;
export const TOKEN = 'token-of-adam-0123456789';

export interface Receiver {
  readonly url: string;
  /** Different notices that came. */
  readonly notices: () => number;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const ids = new Set<string>();
  const server = createServer((request, response) => {
    ids.add(String(request.headers['webhook-id']));
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notices`,
    notices: () => ids.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(url: string, path: string): Promise<string> {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${TOKEN}` } });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`GET ${path} was answered ${answer.status}: ${body.slice(0, 200)}`);
  return body;
}

/** The number in the id of the newest incident: how many there ever were. */
export async function incidentsEver(url: string): Promise<number> {
  const list = JSON.parse(await read(url, '/v1/incidents?limit=1')) as { incidents: { id: string }[] };
  return Number(list.incidents[0]?.id.split('-').at(-1) ?? 0);
}

/** Those that the store still has: all, and those that are not over. */
export async function incidentCounts(url: string): Promise<{ all: number; open: number }> {
  const lines = (await read(url, '/metrics')).split('\n').filter((l) => l.startsWith('firedamper_incidents{'));
  const values = lines.map((l) => [/status="(\w+)"/.exec(l)?.[1] ?? '', Number(l.split(' ').at(-1))] as const);
  const sum = (of: readonly (readonly [string, number])[]) => of.reduce((n, [, v]) => n + v, 0);
  return { all: sum(values), open: sum(values.filter(([status]) => status !== 'resolved' && status !== 'dismissed')) };
}

export interface Reader {
  readonly pages: () => number;
  readonly failed: readonly string[];
  stop(): Promise<void>;
}

/** `url`: where the service is now; null while it is being started anew, when nobody can read. */
export function startReader(url: () => string | null): Reader {
  const failed: string[] = [];
  let [pages, stopped] = [0, false];
  const look = async (at: string): Promise<void> => {
    const ever = await incidentsEver(at);
    for (const path of [
      '/',
      '/incidents',
      '/holds',
      '/metrics',
      '/v1/incidents',
      ...(ever > 0 ? [`/incidents/inc-${ever}`] : []),
    ]) {
      await read(at, path);
      pages++;
    }
  };
  const reading = (async () => {
    while (!stopped) {
      const at = url();
      // What was cut off because the service was stopped meanwhile is no failure of a page.
      if (at !== null) await look(at).catch((error: unknown) => void (at === url() && failed.push(String(error))));
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  })();
  return {
    ...{ failed, pages: () => pages },
    stop: () => {
      stopped = true;
      return reading;
    },
  };
}
