/** The real program in a process of its own, with a configuration in a folder of its own, and its commands. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../../../src/main.ts');
const SECRET = Buffer.from('a callback secret of thirty-two b');
const TOKEN = 'token-of-adam-0123456789';

export interface Program {
  readonly folder: string;
  readonly database: string;
  readonly url: string;
  start(): Promise<void>;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
  /** SIGTERM; answers the exit code. */
  stop(): Promise<number | null>;
  /** One of the program's commands; this process goes on meanwhile, because the fake Airflow lives in it. */
  command(...args: string[]): Promise<Said>;
  callback(body: object, id?: string): Promise<number>;
  get(path: string): Promise<unknown>;
  output(): string;
}

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export async function makeProgram(airflowUrl: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-program-'));
  const port = await freePort();
  const config = join(folder, 'firedamper.yaml');
  const settings = {
    server: { listen: `127.0.0.1:${port}` },
    database: './firedamper.db',
    airflows: [
      {
        id: 'prod',
        url: airflowUrl,
        auth: { username: 'firedamper', password: 'firedamper' },
        callback_secrets: [`whsec_${SECRET.toString('base64')}`],
        poll_interval: '1s',
      },
    ],
    access: { tokens: [{ name: 'adam', role: 'admin', secret: TOKEN }] },
    intake: { rate_per_minute: 1_000_000 },
  };
  writeFileSync(config, JSON.stringify(settings));
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | null = null;
  let said = '';
  const ended = async (signal: NodeJS.Signals): Promise<number | null> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null) return running?.exitCode ?? null;
    const code = new Promise<number | null>((resolve) => running.once('exit', resolve));
    running.kill(signal);
    return code;
  };
  return {
    folder,
    url,
    database: join(folder, 'firedamper.db'),
    start: async () => {
      child = spawn(process.execPath, [MAIN, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      for (let i = 0; i < 400; i++) {
        if (
          await fetch(`${url}/healthz`).then(
            (r) => r.ok,
            () => false,
          )
        )
          return;
        if (child.exitCode !== null) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`the service did not start:\n${said}`);
    },
    kill: async () => void (await ended('SIGKILL')),
    stop: () => ended('SIGTERM'),
    command: async (...args) => {
      const run = spawn(process.execPath, [MAIN, ...args, '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
      let [out, err] = ['', ''];
      run.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      run.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      const code = await new Promise<number | null>((resolve) => run.once('close', resolve));
      return { code, out, err };
    },
    callback: async (body, id = randomBytes(8).toString('hex')) => {
      const text = JSON.stringify(body);
      const at = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', SECRET).update(`${id}.${at}.${text}`).digest('base64');
      const headers = {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': at,
        'webhook-signature': `v1,${signature}`,
      };
      const answer = await fetch(`${url}/v1/callbacks/airflow/prod`, { method: 'POST', headers, body: text });
      await answer.arrayBuffer();
      return answer.status;
    },
    get: async (path) => (await fetch(url + path, { headers: { authorization: `Bearer ${TOKEN}` } })).json(),
    output: () => said,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const failure = (dag_id: string, run_id: string, task_id = 'make') => ({
  ...{ version: 1, kind: 'task_failed', dag_id, run_id, task_id, try_number: 1, occurred_at: new Date().toISOString() },
  exception: { type: 'ValueError', message: 'broken' },
});

/** Heard, stored, and nothing comes of it. */
export const retry = (dag_id: string, run_id: string) => ({ ...failure(dag_id, run_id), kind: 'task_retry' });
