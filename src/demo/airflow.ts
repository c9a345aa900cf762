import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../errors.ts';
import { Crew } from './crew.ts';
import { provideDatabase } from './database.ts';
import { type AirflowVersion, type Installation, isThree } from './install.ts';
import { freePorts } from './ports.ts';
import { type OnProgress, type Progress, progressFrom } from './progress.ts';
import { airflowEnvironment, type LabUser, type SettingsInput } from './settings.ts';

export interface StartOptions {
  readonly installation: Installation;
  /** Becomes AIRFLOW_HOME and is emptied first: database, logs, passwords. */
  readonly home: string;
  readonly dagsFolder: string;
  /** Folders of the caller that are made, or emptied, once `home` is certainly not in use by anybody else. */
  readonly emptied?: readonly string[];
  /** 0 or absent: a free one. */
  readonly port?: number;
  /** Added to the environment of every process, and so of every task. */
  readonly env?: Readonly<Record<string, string>>;
  /** Beside `admin`: accounts with the Admin role; passwords are made up. */
  readonly serviceUsers?: readonly string[];
  /** Theirs cost the server nothing either, which no Airflow 2 is by itself: for many stories on one machine. */
  readonly cheapLogins?: boolean;
  readonly reparseSeconds?: number;
  readonly parallelism?: number;
  readonly triggerer?: boolean;
  readonly onProgress?: OnProgress;
}

/** One of the programs that make up an Airflow. `webserver` is the 2.x name of `api-server`; 2.x reads DAG files in its scheduler. */
export type Part = 'api-server' | 'webserver' | 'dag-processor' | 'triggerer' | 'scheduler';

export interface RunningAirflow {
  readonly version: AirflowVersion;
  readonly url: string;
  readonly port: number;
  readonly home: string;
  /** Where each part writes its own log; task logs are in `logs` of the home. */
  readonly logs: string;
  readonly databaseUrl: string;
  /** Username to password; `admin` is always there. */
  readonly users: Readonly<Record<string, string>>;
  stop(): Promise<void>;
  stopPart(part: Part): Promise<void>;
  /** Starts a stopped part again, or stops and starts it, with `env` besides what it had at first; resolves when Airflow is healthy. */
  restart(part: Part, env?: Readonly<Record<string, string>>): Promise<void>;
}

const READY_MS = 180_000;
const STOP_MS = 4_000;

/**
 * Starts a real Airflow on 127.0.0.1 and waits until it is healthy. What an earlier, killed run left in `home` is stopped first; a living
 * one is a conflict. On failure everything is stopped again.
 */
export async function startAirflow(options: StartOptions): Promise<RunningAirflow> {
  const progress = progressFrom(options.onProgress ?? (() => {}));
  const home = resolve(options.home);
  await mkdir(home, { recursive: true });
  const crew = await Crew.open(join(home, 'crew.json'));
  try {
    return await start({ ...options, home }, crew, progress);
  } catch (error) {
    await crew.stop('all', STOP_MS);
    throw error;
  }
}

/** Ends what a run in `home` left behind; answers the names of the programs that still ran. */
export function stopAirflowIn(home: string): Promise<readonly string[]> {
  return Crew.stopRecorded(join(resolve(home), 'crew.json'), STOP_MS);
}

async function start(options: StartOptions, crew: Crew, progress: Progress): Promise<RunningAirflow> {
  const { installation, home } = options;
  const { version } = installation;
  const logs = join(home, 'out');
  await Promise.all(
    ['out', 'logs', 'airflow.cfg', 'passwords.json'].map((name) => rm(join(home, name), { recursive: true, force: true })),
  );
  await Promise.all(['out', 'logs', 'plugins'].map((name) => mkdir(join(home, name), { recursive: true })));
  for (const folder of options.emptied ?? []) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }
  const users = [
    newUser('admin', true),
    ...(options.serviceUsers ?? []).map((username) => newUser(username, options.cheapLogins === true)),
  ];
  const databaseUrl = await provideDatabase(installation, home, users, crew, progress);
  const [free, ...logPorts] = (await freePorts(3)) as [number, number, number];
  const port = options.port || free;
  const env = await environment(options, { port, logPorts, databaseUrl, users });
  const url = `http://127.0.0.1:${port}`;
  const launch = (part: Part, extra: Readonly<Record<string, string>> = {}) =>
    crew.launch(part, {
      command: join(installation.venv, 'bin', 'airflow'),
      args: argumentsOf(part, version),
      env: { ...env, ...extra },
      log: join(logs, `${part}.log`),
      cwd: home,
    });
  const parts = partsOf(version, options.triggerer ?? false);
  await progress.step(`starting Airflow ${version} (${parts.join(', ')})`, async () => {
    for (const part of parts) {
      // On 3.x a task that starts before the API answers is failed with "Connection refused" (seen on 3.3.2).
      if (part === 'scheduler' && isThree(version)) await until(crew, () => answers(url));
      launch(part);
    }
    await until(crew, () => healthy(url, version));
  });
  return {
    ...{ version, url, port, home, logs, databaseUrl },
    users: Object.fromEntries(users.map(({ username, password }) => [username, password])),
    stop: () => crew.stop('all', STOP_MS),
    stopPart: (part) => crew.stop([part], STOP_MS),
    async restart(part, extra) {
      await crew.stop([part], STOP_MS);
      launch(part, extra);
      await until(crew, () => healthy(url, version));
    },
  };
}

function newUser(username: string, cheapLogin: boolean): LabUser {
  return { username, password: randomBytes(12).toString('hex'), cheapLogin };
}

type Found = Pick<SettingsInput, 'port' | 'logPorts' | 'databaseUrl' | 'users'>;

async function environment(options: StartOptions, found: Found): Promise<NodeJS.ProcessEnv> {
  const { installation, home, dagsFolder } = options;
  const { version, venv } = installation;
  if (isThree(version)) {
    const passwords = Object.fromEntries(found.users.map(({ username, password }) => [username, password]));
    await writeFile(join(home, 'passwords.json'), JSON.stringify(passwords), { mode: 0o600 });
  }
  return airflowEnvironment({
    ...{ version, venv, home, ...found },
    dagsFolder: resolve(dagsFolder),
    reparseSeconds: options.reparseSeconds ?? 5,
    parallelism: options.parallelism ?? 4,
    extra: options.env ?? {},
  });
}

function partsOf(version: AirflowVersion, triggerer: boolean): readonly Part[] {
  const waits: Part[] = triggerer ? ['triggerer'] : [];
  return isThree(version) ? ['api-server', 'dag-processor', ...waits, 'scheduler'] : ['webserver', ...waits, 'scheduler'];
}

function argumentsOf(part: Part, version: AirflowVersion): string[] {
  const quiet = !isThree(version) && (part === 'scheduler' || part === 'triggerer');
  return quiet ? [part, '--skip-serve-logs'] : [part]; // 2.x would serve logs on ports 8793 and 8794
}

async function until(crew: Crew, ready: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await ready())) {
    crew.assertRunning();
    if (performance.now() > deadline) throw unavailable(`Airflow is not healthy after ${READY_MS / 1000} s`);
    await sleep(250);
  }
}

interface HealthAnswer {
  readonly [part: string]: { readonly status?: string | null } | undefined;
}

async function healthy(url: string, version: AirflowVersion): Promise<boolean> {
  const three = isThree(version);
  const health = (await get(`${url}${three ? '/api/v2/monitor/health' : '/health'}`)) as HealthAnswer | null;
  const needed = three ? ['metadatabase', 'scheduler', 'dag_processor'] : ['metadatabase', 'scheduler'];
  return health !== null && needed.every((part) => health[part]?.status === 'healthy');
}

async function answers(url: string): Promise<boolean> {
  return (await get(`${url}/api/v2/version`)) !== null;
}

async function get(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // not up yet
  }
}
