/** Clients for nock tests: everything that is not named here is refused, so no test reaches a network. */
import nock from 'nock';
import type { AirflowClient } from '../../src/airflow/client.ts';
import { type ClientOptions, createAirflowClient } from '../../src/airflow/connect.ts';
import { Secret } from '../../src/config.ts';

export const host = 'http://airflow.test';
export const canary = 'sEcReT-canary-1234567890';

export const clientOf = (more: Partial<ClientOptions> = {}): AirflowClient =>
  createAirflowClient({
    id: 'prod',
    url: host,
    auth: { kind: 'password', username: 'firedamper', password: new Secret(canary) },
    timeoutMs: 2_000,
    pauseConcurrency: 4,
    sessionLogin: false,
    retryBaseMs: 1,
    random: () => 0.5,
    ...more,
  });

export const tokenClient = (more: Partial<ClientOptions> = {}): AirflowClient =>
  clientOf({ auth: { kind: 'token', token: new Secret(canary) }, ...more });

export const jwt = (claims: object, mark = ''): string =>
  `${Buffer.from('{}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.mac${mark}`;

/** Answers the version for as long as the test runs. */
export const airflow3 = (version = '3.3.2', base = host, prefix = ''): nock.Scope => {
  const scope = nock(base).persist();
  scope.get(`${prefix}/api/v2/version`).reply(200, { version });
  return scope;
};

export const airflow2 = (version = '2.11.2'): nock.Scope => {
  const scope = nock(host).persist();
  scope.get('/api/v2/version').reply(404, '<h1>Airflow 404</h1>', { 'Content-Type': 'text/html' });
  scope.get('/api/v1/version').reply(200, { version });
  return scope;
};

export const dagV2 = (dagId: string, more: object = {}) => ({
  dag_id: dagId,
  is_paused: false,
  is_stale: false,
  tags: [],
  owners: ['airflow'],
  timetable_summary: null,
  max_active_runs: 16,
  next_dagrun_logical_date: null,
  next_dagrun_run_after: null,
  ...more,
});

export const runV2 = (runId: string, more: object = {}) => ({
  dag_run_id: runId,
  dag_id: 'A',
  logical_date: null,
  queued_at: '2026-11-20T10:00:00Z',
  start_date: '2026-11-20T10:00:01.5Z',
  end_date: '2026-11-20T10:00:02.123456Z',
  data_interval_start: null,
  data_interval_end: null,
  run_after: '2026-11-20T10:00:00Z',
  run_type: 'manual',
  state: 'failed',
  ...more,
});

/** The error of a promise that must reject. */
export const refusalOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('this should have been refused');
};

/** Everything that a logger could find in an error: its fields, inherited ones and causes included. */
export const everythingIn = (error: unknown): string => {
  const seen = new Set<unknown>();
  const walk = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value);
    if (seen.has(value)) return '';
    seen.add(value);
    return Reflect.ownKeys(value)
      .map((key) => `${String(key)}=${walk(Reflect.get(value, key))}`)
      .join('\n');
  };
  return walk(error);
};
