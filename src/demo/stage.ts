import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../errors.ts';
import { type RunningAirflow, startAirflow } from './airflow.ts';
import { killRunningCommands } from './command.ts';
import { Crew } from './crew.ts';
import { ensureAirflow } from './install.ts';
import { freePorts } from './ports.ts';
import type { OnProgress } from './progress.ts';

/** Everything that the demo plays on: a real Airflow, the service beside it, and the switch that breaks the source. */
export interface Stage {
  readonly airflow: RunningAirflow;
  /** Address of the service. */
  readonly url: string;
  /** Bearer tokens by person. */
  readonly tokens: Readonly<Record<Person, string>>;
  readonly log: string;
  breakSource(): Promise<void>;
  mendSource(): Promise<void>;
}

/** olga is a responder, anna and bert are approvers: nobody approves what she has marked as fixed herself. */
export type Person = 'olga' | 'anna' | 'bert';

const ROLES: Readonly<Record<Person, string>> = { olga: 'responder', anna: 'approver', bert: 'approver' };
const PROJECT = join(import.meta.dirname, '..', '..');
const READY_MS = 60_000;

/** Installs what is missing and starts all of it. `root` is the folder that holds everything (`.firedamper`). */
export async function setStage(root: string, onProgress: OnProgress): Promise<Stage> {
  const dir = join(root, 'demo');
  const installation = await ensureAirflow({ version: '3.3.2', root, callbacks: join(PROJECT, 'airflow-callbacks'), onProgress });
  await rm(join(dir, 'flags'), { recursive: true, force: true });
  await rm(join(dir, 'service'), { recursive: true, force: true });
  await Promise.all(['flags', 'service'].map((name) => mkdir(join(dir, name), { recursive: true })));
  const [port] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const airflow = await startAirflow({
    ...{ installation, onProgress, home: join(dir, 'airflow') },
    dagsFolder: join(import.meta.dirname, 'dags'),
    serviceUsers: ['firedamper'],
    env: { FIREDAMPER_URL: url, FIREDAMPER_SECRET: secret, FIREDAMPER_AIRFLOW: 'demo', FIREDAMPER_LAB_FLAGS: join(dir, 'flags') },
  });
  const tokens = { olga: newToken(), anna: newToken(), bert: newToken() };
  const log = join(dir, 'service', 'firedamper.log');
  await startService(join(dir, 'service'), log, url, configuration(port, airflow, secret, tokens));
  const flag = join(dir, 'flags', 'source_is_broken');
  return {
    ...{ airflow, url, tokens, log },
    breakSource: () => writeFile(flag, ''),
    mendSource: () => rm(flag, { force: true }),
  };
}

/** Stops whatever of it runs, also when it never got as far as a stage. */
export async function strikeStage(): Promise<void> {
  killRunningCommands();
  await Crew.stopMine(5_000);
}

async function startService(dir: string, log: string, url: string, config: unknown): Promise<void> {
  const file = join(dir, 'firedamper.yaml');
  await writeFile(file, JSON.stringify(config, null, 2), { mode: 0o600 }); // JSON is YAML
  const crew = await Crew.open(join(dir, 'crew.json'));
  const main = join(PROJECT, 'src', 'main.ts');
  crew.launch('firedamper', {
    command: process.execPath,
    args: [main, 'serve', '--config', file],
    env: process.env,
    log,
    cwd: dir,
  });
  const deadline = performance.now() + READY_MS;
  while (!(await ready(url))) {
    crew.assertRunning();
    if (performance.now() > deadline) throw unavailable(`Firedamper is not ready after ${READY_MS / 1000} s; log: ${log}`);
    await sleep(200);
  }
}

async function ready(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`).then(
    (response) => response.ok,
    () => false,
  );
}

const newToken = () => randomBytes(15).toString('base64url');

function configuration(port: number, airflow: RunningAirflow, secret: string, tokens: Stage['tokens']) {
  return {
    server: { listen: `127.0.0.1:${port}`, public_url: `http://127.0.0.1:${port}` },
    airflows: [
      {
        ...{ id: 'demo', url: airflow.url, callback_secrets: [secret], poll_interval: '5s', survey_interval: '10s' },
        auth: { username: 'firedamper', password: airflow.users.firedamper },
      },
    ],
    access: { tokens: Object.entries(tokens).map(([name, token]) => ({ name, role: ROLES[name as Person], secret: token })) },
  };
}
