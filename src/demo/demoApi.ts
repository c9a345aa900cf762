import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../errors.ts';
import type { Person, Stage } from './stage.ts';

/** The parts of Firedamper's answers that the demo shows; their whole shape is in openapi/service.yaml. */
export interface DemoIncident {
  readonly id: string;
  readonly status: string;
  readonly title: string;
  readonly severity: string;
  readonly page: string;
  readonly holds: readonly { readonly dag_id: string; readonly state: string; readonly path: readonly string[] }[];
  readonly repairs: readonly DemoRepair[];
  readonly timestamps: Readonly<Record<string, string | null>>;
}

export interface DemoRepair {
  readonly id: string;
  readonly state: string;
  readonly state_reason: { readonly text: string };
  readonly digest: string | null;
  readonly requested_by: string;
  readonly steps: readonly DemoStep[];
}

export interface DemoStep {
  readonly n: number;
  readonly dag_id: string;
  readonly kind: string;
  readonly runs: readonly { readonly run_id: string | null; readonly tasks: readonly { readonly task_id: string }[] }[];
}

export interface DemoEntry {
  readonly at: string;
  readonly actor: string;
  readonly event: string;
  readonly subject: string | null;
  readonly reason: string;
}

/** Firedamper over its HTTP API, in the name of one person. */
export function askFiredamper(stage: Stage, person: Person) {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const headers = { authorization: `Bearer ${stage.tokens[person]}`, 'content-type': 'application/json' };
    return json<T>(
      `Firedamper ${method} ${path}`,
      await fetch(stage.url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }),
    );
  };
  return {
    incidents: async () => (await call<{ incidents: DemoIncident[] }>('GET', '/v1/incidents?dag_id=orders_raw')).incidents,
    incident: (id: string) => call<DemoIncident>('GET', `/v1/incidents/${id}`),
    timeline: async (id: string) => (await call<{ timeline: DemoEntry[] }>('GET', `/v1/incidents/${id}/timeline`)).timeline,
    fixed: (id: string) => call<unknown>('POST', `/v1/incidents/${id}/fixed`, { reason: 'the source delivers again' }),
    approve: (repair: DemoRepair) =>
      call<unknown>('POST', `/v1/repairs/${repair.id}/approve`, { digest: repair.digest, comment: 'exactly this run' }),
  };
}

/** Airflow's own word, over its REST API, with an account that is not Firedamper's. */
export async function askAirflow(stage: Stage) {
  const { url, users } = stage.airflow;
  const login = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: users.admin }),
  };
  const { access_token: token } = await json<{ access_token: string }>('Airflow login', await fetch(`${url}/auth/token`, login));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const get = async <T>(path: string) => json<T>(`Airflow GET ${path}`, await fetch(`${url}/api/v2${path}`, { headers }));
  return {
    knows: async (dagId: string) => (await fetch(`${url}/api/v2/dags/${dagId}`, { headers })).ok,
    paused: async (dagId: string) => (await get<{ is_paused: boolean }>(`/dags/${dagId}`)).is_paused,
    runs: async (dagId: string) =>
      (await get<{ dag_runs: { state: string; end_date: string | null }[] }>(`/dags/${dagId}/dagRuns`)).dag_runs,
    async trigger(dagId: string) {
      const body = JSON.stringify({ logical_date: null });
      await json('Airflow trigger', await fetch(`${url}/api/v2/dags/${dagId}/dagRuns`, { method: 'POST', headers, body }));
    },
  };
}

async function json<T>(what: string, response: Response): Promise<T> {
  const text = await response.text();
  if (!response.ok) throw unavailable(`${what} answered ${response.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as T;
}

const POLL_MS = 150;

/** Asks until there is an answer; rejects with `what` when none comes in time, and at once when the demo is stopped. */
export async function waitFor<T>(
  what: string,
  signal: AbortSignal,
  ask: () => Promise<T | null | undefined | false>,
  seconds = 90,
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw unavailable(`waited ${seconds} s in vain: ${what}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
