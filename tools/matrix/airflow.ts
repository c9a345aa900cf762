/** What a person does to an Airflow and sees in it, over its own REST API; nothing of the service is used. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isThree, type RunningAirflow } from '../../src/demo/lab.ts';

interface Row {
  readonly [key: string]: unknown;
}

export interface RunSeen {
  readonly state: string;
  readonly end: number | null;
}

export interface TaskSeen {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: string | null;
  readonly tryNumber: number;
  readonly start: number | null;
  readonly end: number | null;
  readonly seconds: number | null;
}

export class AirflowByHand {
  readonly #airflow: Pick<RunningAirflow, 'url' | 'users' | 'version' | 'home'>;
  readonly three: boolean;
  #token: string | null = null;

  constructor(airflow: Pick<RunningAirflow, 'url' | 'users' | 'version' | 'home'>) {
    this.#airflow = airflow;
    this.three = isThree(airflow.version);
  }

  async knownDags(): Promise<readonly string[]> {
    return rows(await this.call('GET', '/dags?limit=100'), 'dags').map((dag) => String(dag.dag_id));
  }

  async trigger(dagId: string, runId: string, conf: unknown = {}): Promise<void> {
    await this.call('POST', `/dags/${dagId}/dagRuns`, { dag_run_id: runId, conf, ...(this.three ? { logical_date: null } : {}) });
  }

  async run(dagId: string, runId: string): Promise<RunSeen> {
    const row = await this.call('GET', `/dags/${dagId}/dagRuns/${runId}`);
    return { state: String(row.state), end: moment(row.end_date) };
  }

  async tasks(dagId: string, runId: string): Promise<readonly TaskSeen[]> {
    const found: TaskSeen[] = [];
    for (let offset = 0; ; offset += 100) {
      const page = rows(
        await this.call('GET', `/dags/${dagId}/dagRuns/${runId}/taskInstances?limit=100&offset=${offset}`),
        'task_instances',
      );
      found.push(...page.map(taskOf));
      if (page.length < 100) return found;
    }
  }

  async markTask(dagId: string, runId: string, taskId: string): Promise<void> {
    const body = { new_state: 'failed', ...(this.three ? {} : { dry_run: false }) };
    await this.call('PATCH', `/dags/${dagId}/dagRuns/${runId}/taskInstances/${taskId}`, body);
  }

  async markRun(dagId: string, runId: string): Promise<void> {
    await this.call('PATCH', `/dags/${dagId}/dagRuns/${runId}`, { state: 'failed' });
  }

  async pause(dagId: string, paused: boolean): Promise<void> {
    await this.call('PATCH', `/dags/${dagId}?update_mask=is_paused`, { is_paused: paused });
  }

  /** How many runs of this DAG are in this state. */
  async count(dagId: string, state: string): Promise<number> {
    return Number((await this.call('GET', `/dags/${dagId}/dagRuns?state=${state}&limit=1`)).total_entries);
  }

  /** Files that Airflow could not read, with the moment when it found out. */
  async importErrors(): Promise<readonly { readonly file: string; readonly at: number }[]> {
    const found = rows(await this.call('GET', '/importErrors'), 'import_errors');
    return found.map((row) => ({ file: String(row.filename), at: moment(row.timestamp) ?? Number.NaN }));
  }

  /** The scheduler's last heartbeat, milliseconds since 1970. */
  async heartbeat(): Promise<number | null> {
    const path = this.three ? '/api/v2/monitor/health' : '/api/v1/health';
    const health = (await (await fetch(`${this.#airflow.url}${path}`)).json()) as Record<string, Row>;
    return moment(health.scheduler?.latest_scheduler_heartbeat);
  }

  /** Seconds of the processor that the scheduler's own process has used so far: what a busy machine does not change. Linux only. */
  schedulerSeconds(): number {
    const crew = JSON.parse(readFileSync(join(this.#airflow.home, 'crew.json'), 'utf8')) as {
      members: { name: string; pid: number }[];
    };
    const pid = crew.members.find(({ name }) => name === 'scheduler')?.pid;
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100; // utime and stime, in hundredths
  }

  async call(method: string, path: string, body?: unknown): Promise<Row> {
    const response = await fetch(`${this.#airflow.url}${this.three ? '/api/v2' : '/api/v1'}${path}`, {
      method,
      headers: { authorization: await this.#authorization(), 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
    return text ? (JSON.parse(text) as Row) : {};
  }

  async #authorization(): Promise<string> {
    const { url, users } = this.#airflow;
    if (!this.three) return `Basic ${Buffer.from(`admin:${users.admin}`).toString('base64')}`;
    if (this.#token === null) {
      const response = await fetch(`${url}/auth/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'admin', password: users.admin }),
      });
      this.#token = ((await response.json()) as { access_token: string }).access_token;
    }
    return `Bearer ${this.#token}`;
  }
}

/** Asks until the answer is neither null nor false; says in its error what was waited for. */
export async function until<T>(what: string, seconds: number, ask: () => Promise<T | null | false>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    await sleep(250);
  }
  throw new Error(`waited ${seconds} s in vain until ${what}${last ? ` (${String(last).slice(0, 300)})` : ''}`);
}

function rows(answer: Row, key: string): readonly Row[] {
  return Array.isArray(answer[key]) ? (answer[key] as Row[]) : [];
}

function moment(value: unknown): number | null {
  return typeof value === 'string' ? Date.parse(value) : null;
}

function taskOf(row: Row): TaskSeen {
  return {
    taskId: String(row.task_id),
    mapIndex: Number(row.map_index ?? -1),
    state: typeof row.state === 'string' ? row.state : null,
    tryNumber: Number(row.try_number),
    start: moment(row.start_date),
    end: moment(row.end_date),
    seconds: typeof row.duration === 'number' ? row.duration : null,
  };
}
