/** A person with an Airflow account and nothing of ours in hand: plain fetch, so that the client is not judged by itself. */

export interface Actor {
  readonly name: string;
  trigger(dagId: string, runId: string, conf?: Record<string, unknown>): Promise<void>;
  pause(dagId: string, paused: boolean): Promise<void>;
  bulkPause(pattern: string, paused: boolean): Promise<void>;
  /** Airflow's own JSON of a run; null where there is none. */
  run(dagId: string, runId: string): Promise<Record<string, unknown> | null>;
  runs(dagId: string): Promise<readonly Record<string, unknown>[]>;
  isPaused(dagId: string): Promise<boolean>;
}

export const createActor = (url: string, generation: 2 | 3, name: string, password: string): Actor => {
  let authorization: string | null = null;
  const logIn = async (): Promise<string> => {
    if (generation === 2) return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
    const answer = await fetch(`${url}/auth/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: name, password }),
    });
    return `Bearer ${((await answer.json()) as { access_token: string }).access_token}`;
  };
  const call = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: Record<string, unknown> }> => {
    authorization ??= await logIn();
    const headers = { Authorization: authorization, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) };
    const answer = await fetch(`${url}/api/v${generation - 1}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await answer.json()) as Record<string, unknown>;
    return { status: answer.status, json };
  };
  const must = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const { status, json } = await call(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(json)}`);
    return json;
  };
  const id = encodeURIComponent;
  return {
    name,
    trigger: async (dagId, runId, conf) => {
      await must('POST', `/dags/${id(dagId)}/dagRuns`, {
        dag_run_id: runId,
        conf: conf ?? {},
        ...(generation === 3 ? { logical_date: null } : {}),
      });
    },
    pause: async (dagId, paused) => {
      await must('PATCH', `/dags/${id(dagId)}`, { is_paused: paused });
    },
    bulkPause: async (pattern, paused) => {
      await must('PATCH', `/dags?dag_id_pattern=${id(pattern)}&limit=100`, { is_paused: paused });
    },
    run: async (dagId, runId) => {
      const { status, json } = await call('GET', `/dags/${id(dagId)}/dagRuns/${id(runId)}`);
      return status === 404 ? null : json;
    },
    runs: async (dagId) => (await must('GET', `/dags/${id(dagId)}/dagRuns?limit=100`)).dag_runs as Record<string, unknown>[],
    isPaused: async (dagId) => (await must('GET', `/dags/${id(dagId)}`)).is_paused as boolean,
  };
};
