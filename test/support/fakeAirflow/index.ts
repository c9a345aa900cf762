/**
 * A fake Airflow for fast tests: stateful, both generations, with faults on demand and the ground truth to judge by. It imitates what
 * the real ones did when they were watched (2.9.3, 2.11.2, 3.0.6-3.3.2); the contract suite runs against it and against real ones.
 */
import { FakeAuth, type FakeUser } from './auth.ts';
import { createHandler } from './handler.ts';
import { FakeServer, type Fault, type FaultRule, type LoggedRequest, pathMatches } from './http.ts';
import { type Person, personOf } from './person.ts';
import { routesV1 } from './routesV1.ts';
import { routesV2 } from './routesV2.ts';
import { Router } from './routing.ts';
import type { AssetEvent, AuditEntry, DagSpec, Effect, Outcome, Run } from './types.ts';
import { World, type WorldOptions } from './world.ts';

export type { FakeRole, FakeUser } from './auth.ts';
export type { Answer, Fault, FaultRule, LoggedRequest } from './http.ts';
export type { Person } from './person.ts';
export type {
  AssetEvent,
  AuditEntry,
  Backfill,
  Condition,
  DagSpec,
  Effect,
  Outcome,
  Run,
  TaskInstance,
  TaskSpec,
} from './types.ts';

export interface FakeOptions {
  readonly generation: 2 | 3;
  /** Default `3.3.2` or `2.11.2`. */
  readonly version?: string;
  /** Every answer takes so long, milliseconds. */
  readonly latencyMs?: number;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly users?: readonly FakeUser[];
  readonly tokenSeconds?: number;
  /** 2.x: the log-in form and its cookie on `/api/v1`. Default both true. */
  readonly loginForm?: boolean;
  readonly sessionBackend?: boolean;
  /** `[api] maximum_page_limit`, default 100. */
  readonly pageCap?: number;
  readonly now?: () => number;
  readonly autoRun?: boolean;
  readonly taskMs?: number;
  readonly outcome?: WorldOptions['outcome'];
  /** A real one takes 13-30 s; default 20 ms. */
  readonly backfillSweepMs?: number;
}

/** The account of the service, and one for people. Password = name. */
export const fakeUsers: readonly FakeUser[] = [
  { name: 'firedamper', password: 'firedamper', role: 'admin' },
  { name: 'person', password: 'person', role: 'admin' },
  { name: 'user', password: 'user', role: 'user' },
  { name: 'viewer', password: 'viewer', role: 'viewer' },
];

export interface StartRun {
  readonly runId?: string;
  readonly logicalDate?: string;
  readonly runType?: string;
  readonly conf?: Record<string, unknown>;
  readonly by?: string;
}

export class FakeAirflow {
  readonly url: string;
  readonly world: World;
  readonly auth: FakeAuth;
  readonly #server: FakeServer;
  readonly #state: { latencyMs: number; hideAuditLog: boolean };
  readonly health: { scheduler: string; database: string };

  constructor(
    url: string,
    world: World,
    auth: FakeAuth,
    server: FakeServer,
    state: { latencyMs: number; hideAuditLog: boolean },
    health: { scheduler: string; database: string },
  ) {
    this.url = url;
    this.world = world;
    this.auth = auth;
    this.#server = server;
    this.#state = state;
    this.health = health;
  }

  // --- define

  /** Adds a DAG, or replaces it as a new deployment would; its runs stay. */
  dag(id: string, spec: DagSpec): this {
    this.world.addDag(id, spec);
    return this;
  }

  // --- move

  /** Starts a run as somebody outside would; with `autoRun` it goes on by itself. */
  startRun(dagId: string, about: StartRun = {}): Run {
    const logical =
      about.logicalDate === undefined
        ? this.world.options.generation === 2
          ? this.world.now()
          : null
        : Date.parse(about.logicalDate);
    const schedule = this.world.dag(dagId).spec.schedule;
    const every =
      schedule !== null && schedule !== undefined && 'every' in schedule && this.world.options.generation === 2
        ? schedule.every
        : 0;
    return this.world.createRun(dagId, {
      runType: about.runType ?? 'manual',
      by: about.by ?? 'person',
      logical,
      intervalStart: logical,
      intervalEnd: logical === null ? null : logical + every,
      ...(about.runType === undefined ? {} : { prefix: about.runType }),
      ...(about.runId === undefined ? {} : { runId: about.runId }),
      ...(about.conf === undefined ? {} : { conf: about.conf }),
    });
  }

  finishTask(dagId: string, runId: string, taskId: string, state: 'success' | 'failed' | 'skipped'): void {
    this.world.finishTask(dagId, runId, taskId, state);
    this.world.scheduler.step();
  }

  /** A run with one failed task and everything behind it `upstream_failed`; the other tasks succeed. */
  failRun(dagId: string, taskId: string, about: StartRun = {}): Run {
    const before = this.world.outcomes.get(`${dagId}/${taskId}`);
    this.setOutcome(dagId, taskId, 'failed');
    const run = this.startRun(dagId, about);
    this.world.scheduler.startRun(run);
    for (let pass = 0; run.state === 'running' && pass <= run.tasks.size; pass++) {
      this.world.scheduler.step();
      for (const task of run.tasks.values())
        if (task.state === 'running') this.world.scheduler.endTask(run, task, task.taskId === taskId ? 'failed' : 'success');
      this.world.scheduler.step();
    }
    if (before === undefined) this.world.outcomes.delete(`${dagId}/${taskId}`);
    else this.world.outcomes.set(`${dagId}/${taskId}`, before);
    return run;
  }

  /** What this task does from now on with `autoRun`: breaks it or mends it. */
  setOutcome(dagId: string, taskId: string, outcome: Outcome): void {
    this.world.outcomes.set(`${dagId}/${taskId}`, outcome);
    this.world.scheduler.poke();
  }

  /** One pass of the scheduler, with the runs that time has made due. */
  tick(): void {
    for (const dag of this.world.dags.values()) this.world.scheduler.createDueRuns(dag);
    this.world.scheduler.step();
  }

  /** Somebody who clicks and types in Airflow itself. */
  person(name = 'person'): Person {
    return personOf(this.world, name);
  }

  // --- break

  /** The file of the DAG (or of none) does not load any more: `x.py`, with the last line of its trace. */
  breakFile(file: string, error: string): void {
    this.world.brokenFiles.set(
      file,
      `Traceback (most recent call last):\n  File "/dags/${file}", line 1, in <module>\n${error}\n`,
    );
  }
  mendFile(file: string): void {
    this.world.brokenFiles.delete(file);
  }
  inject(rule: FaultRule | Fault): FaultRule {
    const added = 'kind' in rule ? { fault: rule } : rule;
    this.#server.faults.push(added);
    return added;
  }
  heal(): void {
    this.#server.faults.length = 0;
  }
  set latencyMs(ms: number) {
    this.#state.latencyMs = ms;
  }
  set hideAuditLog(hidden: boolean) {
    this.#state.hideAuditLog = hidden;
  }

  // --- look

  get requests(): readonly LoggedRequest[] {
    return this.#server.requests;
  }
  /** Requests by method and path template (`/dags/{dag_id}`, without `/api/vN`). */
  requestsTo(method: string, path: string | RegExp): readonly LoggedRequest[] {
    return this.#server.requests.filter((one) => one.method === method && pathMatches(path, one.path));
  }
  get effects(): readonly Effect[] {
    return this.world.effects;
  }
  get audit(): readonly AuditEntry[] {
    return this.world.audit;
  }
  get events(): readonly AssetEvent[] {
    return this.world.events;
  }
  isPaused(dagId: string): boolean {
    return this.world.dag(dagId).paused;
  }
  runs(dagId: string): readonly Run[] {
    return this.world.runsOf(dagId);
  }

  /** Resolves when `check` holds; rejects after `ms`. */
  async until(check: (fake: this) => boolean, ms = 30_000): Promise<void> {
    const end = performance.now() + ms;
    while (!check(this)) {
      if (performance.now() > end) throw new Error('the fake Airflow did not come to that state in time');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async close(): Promise<void> {
    this.world.scheduler.close();
    await this.#server.close();
  }
}

export const startFakeAirflow = async (options: FakeOptions): Promise<FakeAirflow> => {
  const now = options.now ?? Date.now;
  const { generation } = options;
  const world = new World({
    generation,
    now,
    version: options.version ?? (generation === 3 ? '3.3.2' : '2.11.2'),
    autoRun: options.autoRun ?? false,
    taskMs: options.taskMs ?? 0,
    outcome: options.outcome ?? (() => undefined),
    backfillSweepMs: options.backfillSweepMs ?? 20,
  });
  const auth = new FakeAuth({
    generation,
    users: options.users ?? fakeUsers,
    tokenSeconds: options.tokenSeconds ?? 86_400,
    now,
    loginForm: options.loginForm ?? true,
    sessionBackend: options.sessionBackend ?? true,
  });
  const cap = options.pageCap ?? 100;
  const state = { latencyMs: options.latencyMs ?? 0, hideAuditLog: false };
  const health = { scheduler: 'healthy', database: 'healthy' };
  const router = new Router(generation === 3 ? routesV2(world, cap) : routesV1(world, cap));
  const handle = createHandler({
    world,
    router,
    auth,
    health,
    hideAuditLog: () => state.hideAuditLog,
    loginForm: options.loginForm ?? true,
  });
  const server = new FakeServer({ handle, latencyMs: () => state.latencyMs, now, port: options.port ?? 0 });
  return new FakeAirflow(await server.listen(), world, auth, server, state, health);
};
