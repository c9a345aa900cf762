/** The whole service in this process, on a port of its own, in front of a fake Airflow: the same wiring that `firedamper serve` starts. */
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type App, startApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import type { Log } from '../../src/http/deps.ts';
import type { FakeAirflow } from './fakeAirflow/index.ts';

export const SECRET = Buffer.from('a callback secret of thirty-two b');
export const PEOPLE = { vera: 'viewer', rita: 'responder', ann: 'approver', bob: 'approver', adam: 'admin' } as const;
export type Name = keyof typeof PEOPLE;
const tokenOf = (name: Name) => `token-of-${name}-0123456789`;

export interface ServiceOptions {
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly airflow?: Readonly<Record<string, unknown>>;
  readonly edges?: readonly unknown[];
  /** More Airflows, by id. */
  readonly others?: Readonly<Record<string, FakeAirflow>>;
  readonly channels?: readonly unknown[];
  readonly giveUpAfter?: string;
  /** Default false: the test says when a poll happens. */
  readonly polling?: boolean;
  /** A folder that outlives the service, for restarts. */
  readonly folder?: string;
  readonly log?: Log;
  /** Whose sources run; default the ones of this checkout. For controls: the program with one promise taken out. */
  readonly root?: string;
}

const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (fields, message) => console.error(message, fields),
};

/** What the tests read of the API's answers; everything else in them is checked against service.yaml elsewhere. */
// biome-ignore lint/suspicious/noExplicitAny: answers are JSON whose shape the API tests check; stories read single fields of it.
export type Json = any;

export interface Service {
  readonly url: string;
  readonly app: App;
  call(who: Name, method: string, path: string, body?: unknown): Promise<{ status: number; body: Json }>;
  get(path: string): Promise<Json>;
  /** Signed as the Airflow package signs. */
  callback(body: Readonly<Record<string, unknown>>, id?: string): Promise<{ status: number; body: Json }>;
  /** Polls until `check` says yes; rejects with what it last saw. */
  until<T>(what: string, check: () => Promise<T | false | undefined | null>, ms?: number): Promise<T>;
  incident(dagId: string): Promise<Json>;
  reaches(status: string, dagId: string): Promise<Json>;
  stop(): Promise<void>;
}

export async function startService(fake: FakeAirflow, options: ServiceOptions = {}): Promise<Service> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'fd-service-'));
  const text = JSON.stringify({
    server: { listen: '127.0.0.1:0' },
    database: './firedamper.db',
    airflows: [
      {
        id: 'prod',
        url: fake.url,
        auth: { username: 'firedamper', password: 'firedamper' },
        callback_secrets: [`whsec_${SECRET.toString('base64')}`],
        poll_interval: '1s',
        ...options.airflow,
      },
      ...Object.entries(options.others ?? {}).map(([id, other]) => ({
        ...{ id, url: other.url, auth: { username: 'firedamper', password: 'firedamper' }, poll_interval: '1s' },
      })),
    ],
    access: { tokens: Object.entries(PEOPLE).map(([name, role]) => ({ name, role, secret: tokenOf(name as Name) })) },
    // A machine of tests may well be short of room, and means nothing by it.
    intake: { min_free: 0 },
    policy: options.policy ?? {},
    lineage: { edges: options.edges ?? [] },
    notify: { channels: options.channels ?? [], give_up_after: options.giveUpAfter ?? '24h' },
  });
  const program = options.root === undefined ? { startApp, parseConfig } : await programOf(options.root);
  const config = program.parseConfig(text, { file: 'story.yaml', folder, env: {} });
  const app = await program.startApp({ config, version: 'test', log: options.log ?? quiet, polling: options.polling ?? false });
  if (!options.polling) await app.poll();
  return makeService(app, folder, options.folder === undefined);
}

async function programOf(root: string): Promise<{ startApp: typeof startApp; parseConfig: typeof parseConfig }> {
  const from = (file: string) => import(pathToFileURL(join(root, 'src', file)).href);
  return { ...(await from('app.ts')), ...(await from('config.ts')) };
}

function makeService(app: App, folder: string, temporary: boolean): Service {
  const call: Service['call'] = async (who, method, path, body) => {
    const response = await fetch(app.url + path, {
      method,
      headers: { authorization: `Bearer ${tokenOf(who)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json().catch(() => null) };
  };
  const get: Service['get'] = async (path) => (await call('vera', 'GET', path)).body;
  const until: Service['until'] = async (what, check, ms = 60_000) => {
    const end = performance.now() + ms;
    for (;;) {
      const found = await check();
      if (found !== false && found !== undefined && found !== null) return found;
      if (performance.now() > end)
        throw new Error(`not in time: ${what}\n${JSON.stringify((await get('/v1/incidents')).incidents, null, 1)}`);
      await app.poll();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const incident: Service['incident'] = async (dagId) => {
    const { incidents } = await get(`/v1/incidents?dag_id=${encodeURIComponent(dagId)}`);
    return incidents.length === 0 ? null : get(`/v1/incidents/${incidents[0].id}`);
  };
  return {
    url: app.url,
    app,
    call,
    get,
    until,
    incident,
    callback: async (body, id = randomBytes(8).toString('hex')) => {
      const text = JSON.stringify(body);
      const at = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', SECRET).update(`${id}.${at}.${text}`).digest('base64');
      const headers = {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': at,
        'webhook-signature': `v1,${signature}`,
      };
      const response = await fetch(`${app.url}/v1/callbacks/airflow/prod`, { method: 'POST', headers, body: text });
      return { status: response.status, body: await response.json().catch(() => null) };
    },
    reaches: (status, dagId) =>
      until(`${dagId} is ${status}`, async () => {
        const found = await incident(dagId);
        return found?.status === status ? found : false;
      }),
    stop: async () => {
      await app.close();
      if (temporary) rmSync(folder, { recursive: true, force: true });
    },
  };
}
