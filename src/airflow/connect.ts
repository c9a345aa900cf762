/**
 * One Airflow, whichever generation it is. Version and log-in are found by asking, at the first call, and asked again after an error
 * that looks like an upgrade; nobody outside this room has to know.
 */
import type { AirflowConfig } from '../config.ts';
import { type Authenticator, staticToken, tokenLogin } from './auth.ts';
import { basicOnly, type SessionAuthenticator, sessionOrBasic } from './authSession.ts';
import type { Calls } from './calls.ts';
import type { AirflowClient, AirflowError } from './client.ts';
import { createHttp, type Http } from './http.ts';
import { allPlaces, createLanes } from './laneTable.ts';
import { findGeneration } from './probe.ts';
import { typed } from './typedWire.ts';
import { createV1 } from './v1/calls.ts';
import { webPages } from './v1/webPages.ts';
import { createV2 } from './v2/calls.ts';
import type { Version } from './version.ts';
import { createWire, type WireParts } from './wire.ts';

export interface ClientOptions
  extends Pick<AirflowConfig, 'id' | 'url' | 'auth' | 'timeoutMs' | 'pauseConcurrency' | 'sessionLogin'> {
  /** Told when the client learns something that people may want in the log. Never with secrets. */
  readonly log?: (message: string, about: Readonly<Record<string, unknown>>) => void;
  /** Milliseconds since 1970; for token lives and pauses between tries. */
  readonly now?: () => number;
  /** 0 <= x < 1; spreads retries. */
  readonly random?: () => number;
  /** First pause between two tries, milliseconds. Default 200. */
  readonly retryBaseMs?: number;
}

interface Connection {
  readonly version: Version;
  readonly generation: 2 | 3;
  readonly auth: Authenticator;
  readonly calls: Calls;
}

/** Throws a `TypeError` for an address that cannot be used; connects to nothing before the first call. */
export const createAirflowClient = (options: ClientOptions): AirflowClient => {
  const connector = createConnector(options);
  const { on } = connector;
  return {
    id: options.id,
    account: accountOf(options),
    get canBackfill() {
      return connector.known()?.generation === 3;
    },
    probe: () => connector.probe(),
    capabilities: on((calls) => calls.capabilities),
    listDags: on((calls) => calls.listDags),
    listImportErrors: on((calls) => calls.listImportErrors),
    getDag: on((calls) => calls.getDag),
    getDagDetails: on((calls) => calls.getDagDetails),
    getTaskGraph: on((calls) => calls.getTaskGraph),
    getLineage: on((calls) => calls.getLineage),
    listAssets: on((calls) => calls.listAssets),
    listAssetEvents: on((calls) => calls.listAssetEvents),
    listFailedRuns: on((calls) => calls.listFailedRuns),
    listFailedRunsUpdated: on((calls) => calls.listFailedRunsUpdated),
    listFailedTasks: on((calls) => calls.listFailedTasks),
    listRuns: on((calls) => calls.listRuns),
    getRun: on((calls) => calls.getRun),
    listTasks: on((calls) => calls.listTasks),
    getRenderedFields: on((calls) => calls.getRenderedFields),
    auditCursor: on((calls) => calls.auditCursor),
    auditRows: on((calls) => calls.auditRows),
    setPaused: on((calls) => calls.setPaused),
    dryRunClear: on((calls) => calls.dryRunClear),
    clear: on((calls) => calls.clear),
    dryRunBackfill: on((calls) => calls.dryRunBackfill),
    startBackfill: on((calls) => calls.startBackfill),
    listBackfills: on((calls) => calls.listBackfills),
    cancelBackfill: on((calls) => calls.cancelBackfill),
    triggerRun: on((calls) => calls.triggerRun),
    createAssetEvent: on((calls) => calls.createAssetEvent),
    queuedAssets: on((calls) => calls.queuedAssets),
    pageUrl: (dagId, runId, taskId) => pageUrl(options.url, connector.known()?.generation ?? 3, dagId, runId, taskId),
    close: () => connector.close(),
  };
};

const accountOf = (options: ClientOptions): string | null =>
  options.auth.kind === 'password' ? options.auth.username : staticToken(options.auth.token.reveal()).account;

/** Asking for the version again costs a call, so not more often than this, however many calls fail. */
const reprobePauseMs = 5_000;

const createConnector = (options: ClientOptions) => {
  const now = options.now ?? Date.now;
  const http = createHttp({ baseUrl: options.url, timeoutMs: options.timeoutMs, maxSockets: allPlaces(options) });
  const parts: WireParts = { http, lanes: createLanes(options), now, hide: hider(options), onError: (error) => doubt(error) };
  let connection: Connection | null = null;
  let connecting: Promise<Connection> | null = null;
  let doubtful = false;
  let askedAt = Number.NEGATIVE_INFINITY;

  /** After an upgrade from 2 to 3, or a rollback, the old paths are missing and answer with something that is not Airflow's. */
  const doubt = (error: AirflowError): void => {
    if (error.kind === 'not_airflow' || error.kind === 'unsupported') doubtful = true;
  };
  const connect = async (): Promise<Connection> => {
    askedAt = now();
    const found = await findGeneration(createWire(parts, null, ''));
    doubtful = false;
    if (connection?.version.text === found.version.text && connection.generation === found.generation) return connection;
    options.log?.('airflow version found', { airflow: options.id, version: found.version.text });
    const auth = connection?.generation === found.generation ? connection.auth : authFor(options, http, found.generation, now);
    connection = { ...found, auth, calls: callsFor(options, parts, auth, found, now) };
    return connection;
  };
  const connected = (fresh: boolean): Promise<Connection> => {
    const asOld = connection !== null && !fresh && !(doubtful && now() - askedAt >= reprobePauseMs);
    if (connection !== null && asOld) return Promise.resolve(connection);
    connecting ??= connect().finally(() => {
      connecting = null;
    });
    return connecting;
  };
  const on =
    <A extends readonly unknown[], R>(pick: (calls: Calls) => (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> =>
      pick((await connected(false)).calls)(...args);
  const probe = async () => {
    const { version, generation, calls } = await connected(true);
    return { version: version.text, generation, ...(await calls.health()) };
  };
  return { on, probe, known: () => connection, close: () => http.close() };
};

const authFor = (options: ClientOptions, http: Http, generation: 2 | 3, now: () => number): Authenticator => {
  const { auth } = options;
  if (auth.kind === 'token') return staticToken(auth.token.reveal());
  if (generation === 3) return tokenLogin(http, auth, now);
  return options.sessionLogin ? sessionOrBasic(http, auth, now) : basicOnly(auth);
};

const callsFor = (
  options: ClientOptions,
  parts: WireParts,
  auth: Authenticator,
  found: { readonly version: Version; readonly generation: 2 | 3 },
  now: () => number,
): Calls => {
  const setting = { airflow: options.id, version: found.version, now };
  const plain = createWire(parts, auth, found.generation === 3 ? '' : '/api/v1');
  const open = createWire(parts, null, found.generation === 3 ? '' : '/api/v1');
  return found.generation === 3
    ? createV2({ ...setting, wire: typed(plain) }, open)
    : createV1({ ...setting, wire: typed(plain) }, open, opensPages(auth) ? webPages(parts, auth) : null);
};

const opensPages = (auth: Authenticator): auth is SessionAuthenticator => 'pageHeaders' in auth;

const hider = (options: ClientOptions): ((text: string) => string) => {
  const { auth } = options;
  const secret = auth.kind === 'password' ? auth.password.reveal() : auth.token.reveal();
  const forms = [secret, auth.kind === 'password' ? Buffer.from(`${auth.username}:${secret}`).toString('base64') : ''];
  return (text) =>
    forms.reduce(
      (shown, form) => (form.length < 4 ? shown : shown.replaceAll(form, '***')),
      text.replace(/\bBearer\s+\S+/g, 'Bearer ***'),
    );
};

/** Pages of Airflow's own web interface, whose addresses differ between the generations (2.11.2, 3.3.2). */
const part = (id: string): string => encodeURIComponent(id.toWellFormed());

const pageUrl = (base: string, generation: 2 | 3, dagId: string, runId?: string, taskId?: string): string => {
  const root = `${base.replace(/\/+$/, '')}/dags/${part(dagId)}`;
  if (generation === 3) {
    const run = runId === undefined ? '' : `/runs/${part(runId)}`;
    return `${root}${run}${runId !== undefined && taskId !== undefined ? `/tasks/${part(taskId)}` : ''}`;
  }
  const query = [
    runId === undefined ? null : `dag_run_id=${part(runId)}`,
    taskId === undefined ? null : `task_id=${part(taskId)}`,
  ];
  const given = query.filter((one) => one !== null);
  return `${root}/grid${given.length === 0 ? '' : `?${given.join('&')}`}`;
};
