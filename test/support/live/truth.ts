import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabFacts } from './setup.ts';
import { Hopeless, until } from './until.ts';

/** One run as Airflow itself tells it. */
export interface TrueRun {
  readonly runId: string;
  readonly state: string;
  readonly runType: string;
  readonly logicalDate: string | null;
  readonly start: string | null;
  readonly end: string | null;
}

export interface TrueTask {
  readonly taskId: string;
  readonly state: string | null;
  readonly tryNumber: number;
  readonly start: string | null;
  readonly end: string | null;
}

export interface TrueAudit {
  readonly id: number;
  readonly when: string;
  readonly event: string;
  readonly owner: string | null;
  readonly dagId: string | null;
  readonly extra: string;
}

interface Row {
  readonly [key: string]: unknown;
}

/** Audit events that are somebody's act, not Airflow's own bookkeeping; names of 2.11.2 and 3.3.2. */
const ACT = /patch_dags?$|^paused$|dag_run|clear|backfill|dataset_event|asset_event|materialize|trigger/;
const PAUSE = /patch_dag$|^paused$/;

/**
 * What really is in Airflow, read and changed with an account of its own over Airflow's own REST API, and what the tasks themselves wrote down.
 * Nothing of Firedamper is used, so that no mistake of ours can hide itself.
 */
export class Truth {
  readonly #lab: LabFacts;
  readonly three: boolean;
  #token: string | null = null;

  constructor(lab: LabFacts) {
    this.#lab = lab;
    this.three = lab.version.startsWith('3');
  }

  // what is

  async isPaused(dagId: string): Promise<boolean> {
    return (await this.#get(`/dags/${enc(dagId)}`)).is_paused === true;
  }

  /** Waits until Airflow has read the file of this DAG. */
  async known(...dagIds: string[]): Promise<void> {
    for (const dagId of dagIds) await until(`Airflow knows ${dagId}`, () => this.#get(`/dags/${enc(dagId)}`), { seconds: 90 });
  }

  /** Waits until Airflow has read DAGs whose id begins so. */
  async knownByPrefix(prefix: string): Promise<void> {
    const look = async () => (await this.#get(`/dags?limit=100&dag_id_pattern=${enc(prefix)}`)).dags as Row[];
    await until(
      `Airflow knows DAGs ${prefix}_*`,
      async () => (await look()).some((row) => String(row.dag_id).startsWith(`${prefix}_`)),
      { seconds: 90 },
    );
  }

  /** All runs of the DAG, oldest first. */
  async runs(dagId: string): Promise<TrueRun[]> {
    const { dag_runs: rows } = await this.#get(
      `/dags/${enc(dagId)}/dagRuns?limit=100&order_by=${this.three ? 'run_after' : 'execution_date'}`,
    );
    return (rows as Row[]).map(asRun);
  }

  async run(dagId: string, runId: string): Promise<TrueRun> {
    return asRun(await this.#get(`/dags/${enc(dagId)}/dagRuns/${enc(runId)}`));
  }

  async tasks(dagId: string, runId: string): Promise<TrueTask[]> {
    const { task_instances: rows } = await this.#get(`/dags/${enc(dagId)}/dagRuns/${enc(runId)}/taskInstances?limit=100`);
    return (rows as Row[]).map((row) => ({
      taskId: String(row.task_id),
      state: text(row.state),
      tryNumber: Number(row.try_number),
      start: text(row.start_date),
      end: text(row.end_date),
    }));
  }

  async task(dagId: string, runId: string, taskId: string): Promise<TrueTask> {
    const found = (await this.tasks(dagId, runId)).find((task) => task.taskId === taskId);
    if (!found) throw new Error(`no task ${taskId} in ${dagId} ${runId}`);
    return found;
  }

  /** The audit log of these DAGs, oldest first. */
  async audit(...dagIds: string[]): Promise<TrueAudit[]> {
    const pages = await Promise.all(
      dagIds.map((dagId) => this.#get(`/eventLogs?dag_id=${enc(dagId)}&limit=100&order_by=-event_log_id`)),
    );
    const rows = pages.flatMap((page) => page.event_logs as Row[]);
    return rows.map(asAudit).sort((a, b) => a.id - b.id);
  }

  /** What the account did to these DAGs, reads and dry runs left out. */
  async acts(owner: string, ...dagIds: string[]): Promise<TrueAudit[]> {
    return (await this.audit(...dagIds)).filter(
      (row) => row.owner === owner && ACT.test(row.event) && !/"dry_run": true/.test(row.extra) && !/dry_run/.test(row.event),
    );
  }

  /** Pause and unpause requests of the account for this DAG: what each asked for, oldest first. */
  async pauses(owner: string, dagId: string): Promise<('pause' | 'unpause')[]> {
    const rows = (await this.audit(dagId)).filter((row) => row.owner === owner && PAUSE.test(row.event));
    return rows.map((row) => (/"is_paused": true/.test(row.extra) ? 'pause' : 'unpause'));
  }

  /** How many backfills of this DAG there ever were; 2.x has none. */
  async backfills(dagId: string): Promise<number> {
    return this.three ? Number((await this.#get(`/backfills?dag_id=${enc(dagId)}&limit=1`)).total_entries) : 0;
  }

  /** The marks of the events that Firedamper itself has made of this asset, one for each event. */
  async deliveries(uri: string): Promise<string[]> {
    const [list, events, id] = this.three ? ['assets', 'asset_events', 'asset_id'] : ['datasets', 'dataset_events', 'dataset_id'];
    const found = (await this.#get(`/${list}?limit=100&uri_pattern=${enc(uri)}`))[list] as Row[];
    const asset = found.find((row) => row.uri === uri);
    if (!asset) throw new Error(`no asset ${uri}`);
    const rows = (await this.#listed(`/${list}/events?limit=100&${id}=${asset.id}`))[events] as { extra?: Row }[];
    return rows.flatMap(({ extra }) => (extra?.firedamper_op === undefined ? [] : [String(extra.firedamper_op)]));
  }

  /** Successful executions by the tasks' own word, oldest first: `day` is the logical day, or "none". */
  records(dagId: string): { readonly task: string; readonly run: string; readonly day: string; readonly at: number }[] {
    const file = join(this.#lab.records, `${dagId}.jsonl`);
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line));
  }

  // what a person does

  pause(dagId: string): Promise<Row> {
    return this.#send('PATCH', `/dags/${enc(dagId)}?update_mask=is_paused`, { is_paused: true });
  }

  unpause(dagId: string): Promise<Row> {
    return this.#send('PATCH', `/dags/${enc(dagId)}?update_mask=is_paused`, { is_paused: false });
  }

  async trigger(dagId: string, runId: string): Promise<void> {
    await this.#send('POST', `/dags/${enc(dagId)}/dagRuns`, {
      dag_run_id: runId,
      conf: {},
      ...(this.three ? { logical_date: null } : {}),
    });
  }

  /** Clears what failed in the run, or all of it, as the button in Airflow does. */
  async clear(dagId: string, runId: string, onlyFailed = true): Promise<void> {
    await this.#send('POST', `/dags/${enc(dagId)}/clearTaskInstances`, {
      dry_run: false,
      reset_dag_runs: true,
      only_failed: onlyFailed,
      dag_run_id: runId,
    });
  }

  /** Its file stays, so it comes back with the next parse. */
  async deleteDag(dagId: string): Promise<void> {
    await this.#call('DELETE', `/dags/${enc(dagId)}`);
  }

  async deleteRun(dagId: string, runId: string): Promise<void> {
    await this.#call('DELETE', `/dags/${enc(dagId)}/dagRuns/${enc(runId)}`);
  }

  /** Waits until the run has ended so; answers it. */
  ended(dagId: string, runId: string, state: 'success' | 'failed', seconds = 60): Promise<TrueRun> {
    const look = () => this.run(dagId, runId);
    return until(`${dagId} ${runId} is ${state}`, async () => ((await look()).state === state ? look() : null), {
      seconds,
      show: look,
    });
  }

  // the wire

  /** A list of events. While a run that one of them caused has not begun, 3.0.6-3.3.2 answer 500 to the whole list (apache/airflow#71360): it begins soon. */
  #listed(path: string): Promise<Row> {
    return until(`${path} can be listed`, () =>
      this.#get(path).catch((error: unknown) => {
        if (/: 500 /.test(String(error))) return null;
        throw new Hopeless(String(error));
      }),
    );
  }

  #get(path: string): Promise<Row> {
    return this.#call('GET', path);
  }

  #send(method: string, path: string, body: unknown): Promise<Row> {
    return this.#call(method, path, body);
  }

  async #call(method: string, path: string, body?: unknown): Promise<Row> {
    const url = `${this.#lab.url}${this.three ? '/api/v2' : '/api/v1'}${path}`;
    const authorization = await this.#authorization();
    const sent =
      body === undefined
        ? { headers: { authorization } }
        : { headers: { authorization, 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(url, { method, ...sent });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.slice(0, 300)}`);
    return answer ? (JSON.parse(answer) as Row) : {};
  }

  async #authorization(): Promise<string> {
    const { url, users } = this.#lab;
    if (!this.three) return `Basic ${Buffer.from(`admin:${users.admin}`).toString('base64')}`;
    if (!this.#token) {
      const body = JSON.stringify({ username: 'admin', password: users.admin });
      const response = await fetch(`${url}/auth/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      this.#token = ((await response.json()) as { access_token: string }).access_token;
    }
    return `Bearer ${this.#token}`;
  }
}

const enc = encodeURIComponent;
const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value));

function asRun(row: Row): TrueRun {
  return {
    runId: String(row.dag_run_id),
    state: String(row.state),
    runType: String(row.run_type),
    logicalDate: text(row.logical_date),
    start: text(row.start_date),
    end: text(row.end_date),
  };
}

function asAudit(row: Row): TrueAudit {
  return {
    id: Number(row.event_log_id),
    when: String(row.when),
    event: String(row.event),
    owner: text(row.owner),
    dagId: text(row.dag_id),
    extra: String(row.extra ?? ''),
  };
}
