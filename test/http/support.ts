import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { type Config, Secret } from '../../src/config.ts';
import type { Answer, Person, PersonAct } from '../../src/core/events.ts';
import type { AcceptedCallback, HttpDeps } from '../../src/http/deps.ts';
import { createHttpServer } from '../../src/http/server.ts';
import type { DagView, IncidentView, ReadModels } from '../../src/store/readModels.ts';
import * as sample from '../../src/web/samples.ts';

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const TOKENS = { viewer: 'vera-token', responder: 'rita-token', approver: 'anna-token', admin: 'adam-token' } as const;

export interface World {
  views: Map<string, IncidentView>;
  dags: Map<string, DagView>;
  acts: { person: Person; act: PersonAct }[];
  accepted: AcceptedCallback[];
  logged: { level: string; fields: object; message: string }[];
  now: number;
  deps: HttpDeps;
}

const EMPTY_DAG: DagView = { facts: null, ownership: null, holds: [], upstream: [], downstream: [] };

/** Plain values in place of store, core and Airflow. A test changes what it needs. */
export function world(
  more: { publicUrl?: string; deps?: Partial<HttpDeps>; intake?: Partial<Config['intake']>; answer?: Partial<Answer> } = {},
): World {
  const w: World = {
    views: new Map([['inc-2041', sample.view()]]),
    dags: new Map([['prod revenue_report', { ...EMPTY_DAG, holds: [sample.HOLDS[0]!], upstream: [sample.EDGES[0]!] }]]),
    acts: [],
    accepted: [],
    logged: [],
    now: Date.parse(sample.at(14)),
    deps: undefined as unknown as HttpDeps,
  };
  const answer: Answer = { incidentId: 'inc-2041', repairId: 'rep-88', holdId: null, note: null, ...more.answer };
  const log = (level: string) => (fields: object, message: string) => void w.logged.push({ level, fields, message });
  w.deps = {
    config: config(more.publicUrl ?? 'http://localhost:8470', more.intake),
    read: readModels(w),
    act: async (person, act) => {
      w.acts.push({ person, act });
      return answer;
    },
    accept: async (callback) => {
      const duplicate = w.accepted.some((known) => known.webhookId === callback.webhookId);
      w.accepted.push(callback);
      return { id: `cb-${callback.webhookId}`, duplicate };
    },
    releasePreview: async (id) => (w.views.has(id) ? sample.PREVIEW : null),
    gate: async () => ({ decision: 'pass', covering: [] }),
    restored: async () => null,
    health: async () => sample.HEALTHY,
    metrics: async () => 'firedamper_up 1\n',
    now: () => w.now,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    ...more.deps,
  };
  return w;
}

function readModels(w: World): ReadModels & { signals: unknown } {
  const views = () => [...w.views.values()];
  return {
    incidents: async (query) => {
      const all = views()
        .map((view) => view.incident)
        .filter(
          (i) =>
            (query.status?.includes(i.status) ?? true) &&
            (query.dagId ?? i.dagId) === i.dagId &&
            (query.airflow ?? i.airflow) === i.airflow,
        );
      const from = Number(query.cursor ?? 0);
      const next = from + query.limit;
      return { items: all.slice(from, next), nextCursor: next < all.length ? String(next) : null };
    },
    incident: async (id) => w.views.get(id) ?? null,
    timeline: async (id) => (w.views.has(id) ? sample.TIMELINE : []),
    holds: async (query) => {
      const all = views()
        .flatMap((view) => view.holds)
        .filter((h) => (query.dagId ?? h.dagId) === h.dagId && !(query.active === true && h.state === 'released'));
      return { items: all.slice(0, query.limit), nextCursor: null };
    },
    signals: async (query: { dagId?: string; limit: number }) => ({
      items: views()
        .flatMap((view) => view.signals)
        .filter((s) => (query.dagId ?? s.dagId) === s.dagId)
        .slice(0, query.limit),
      nextCursor: null,
    }),
    hold: async (id) =>
      views()
        .flatMap((view) => view.holds)
        .find((h) => h.id === id) ?? null,
    repair: async (id) =>
      views()
        .flatMap((view) => view.repairs)
        .find((r) => r.id === id) ?? null,
    dag: async (airflow, dagId) => w.dags.get(`${airflow} ${dagId}`) ?? null,
    quarantine: async () => [
      {
        id: 'q-1',
        airflow: 'prod',
        receivedAt: sample.at(1),
        why: 'version: must be equal to constant (1)',
        body: '{"version":9}',
      },
    ],
    untold: async () => [],
    counts: async () => ({
      incidentsByStatus: { contained: 1 },
      holdsByState: { held: 3 },
      intentsByState: {},
      inboxPending: 0,
      quarantined: 1,
    }),
  };
}

export function config(publicUrl: string, intake: Partial<Config['intake']> = {}): Config {
  const token = (name: string, role: keyof typeof TOKENS) => ({ name, role, secret: new Secret(TOKENS[role]) });
  return {
    server: { host: '127.0.0.1', port: 0, publicUrl },
    database: ':memory:',
    logLevel: 'error',
    airflows: [
      {
        id: 'prod',
        url: 'http://airflow-web.internal:8080',
        publicUrl: 'https://airflow.example.org/prod',
        auth: { kind: 'password', username: 'firedamper', password: new Secret('pw') },
        callbackSecrets: [new Secret(SECRET)],
        pollIntervalMs: 10_000,
        pollLookbackMs: 0,
        surveyIntervalMs: 60_000,
        timeoutMs: 10_000,
        pauseConcurrency: 4,
        sessionLogin: false,
      },
    ],
    tokens: [token('vera', 'viewer'), token('rita', 'responder'), token('anna', 'approver'), token('adam', 'admin')],
    // Nothing else of the policy is read in src/http.
    policy: { repair: { allowSelfApproval: false } } as Config['policy'],
    edges: [],
    channels: [],
    retention: { callbacksMs: 1, incidentsMs: 1 },
    intake: { maxBodyBytes: 4096, ratePerMinute: 1000, toleranceMs: 300_000, minFreeBytes: 0, ...intake },
  };
}

export interface Running {
  url: string;
  port: number;
  app: ReturnType<typeof createHttpServer>['app'];
  server: ReturnType<typeof createHttpServer>['server'];
  close(): Promise<void>;
  stop(): Promise<void>;
}

export async function start(w: World): Promise<Running> {
  const { app, server, close } = createHttpServer(w.deps);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    app,
    server,
    close,
    stop: async () => {
      server.closeAllConnections();
      await close();
    },
  };
}

export const bearer = (role: keyof typeof TOKENS) => ({ authorization: `Bearer ${TOKENS[role]}` });

export async function call(
  running: Running,
  method: string,
  path: string,
  options: { as?: keyof typeof TOKENS; json?: unknown; body?: string; headers?: Record<string, string> } = {},
) {
  const response = await fetch(`${running.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(options.as ? bearer(options.as) : {}),
      ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return {
    status: response.status,
    headers: response.headers,
    type,
    text,
    body: type.includes('json') ? JSON.parse(text) : null,
  };
}

interface Operation {
  responses: Record<string, { $ref?: string; content?: Record<string, { schema: object }> }>;
}
type Spec = {
  paths: Record<string, Record<string, Operation>>;
  components: { responses: Record<string, Operation['responses'][string]>; schemas: Record<string, object> };
};

export const spec = (): Spec => parse(readFileSync(new URL('../../openapi/service.yaml', import.meta.url), 'utf8')) as Spec;

/** An answer that says more than service.yaml is as wrong as one that says less: objects are shut unless they say otherwise. */
function shut(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  const object = schema as Record<string, unknown>;
  if (object.type === 'object' && object.properties !== undefined) object.additionalProperties ??= false;
  for (const value of Object.values(object)) shut(value);
}

const document = spec();
shut(document.components.schemas);
shut(document.paths);
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: 'service', ...document });

/** What is wrong with an answer, measured against service.yaml; an empty list is good. */
export function againstSpec(
  method: string,
  path: string,
  answer: { status: number; type: string; body: unknown },
): readonly string[] {
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) return [`service.yaml has no ${method} ${path}`];
  const declared = operation.responses[String(answer.status)];
  if (declared === undefined) return [`${method} ${path}: ${answer.status} is not in service.yaml`];
  const response = declared.$ref ? document.components.responses[declared.$ref.split('/').at(-1)!]! : declared;
  const media = answer.type.split(';')[0]!;
  const content = response.content?.[media];
  if (content === undefined) return [`${method} ${path}: ${answer.status} is ${media}`];
  const pointer = declared.$ref
    ? `${declared.$ref}/content/${media.replaceAll('/', '~1')}/schema`
    : `#/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1')}/${method.toLowerCase()}/responses/${answer.status}/content/${media.replaceAll('/', '~1')}/schema`;
  const validate = ajv.getSchema(`service${encodeURI(pointer)}`);
  if (validate === undefined) return [`no schema at ${pointer}`];
  return validate(answer.body)
    ? []
    : (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
}
