/**
 * One more API server (2.x: web server) on the database of a lab's Airflow, with an address of its own: it can be killed and started again as often as a
 * story wants, while the stories beside it and the ground truth go on through the lab's first one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { freePorts } from '../../../../src/demo/lab.ts';
import type { LabFacts } from '../../live/setup.ts';
import { Hopeless, until } from '../../live/until.ts';

export class ApiServer {
  readonly url: string;
  readonly #three: boolean;
  readonly #port: number;
  readonly #home: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;

  private constructor(lab: LabFacts, port: number) {
    this.#three = lab.version.startsWith('3');
    this.#port = port;
    this.#home = join(lab.work, '..', 'airflow');
    this.#env = environmentOf(this.#home);
    this.url = `http://127.0.0.1:${port}`;
    process.once('exit', () => this.#signal());
  }

  static async beside(lab: LabFacts): Promise<ApiServer> {
    const [port] = (await freePorts(1)) as [number];
    const server = new ApiServer(lab, port);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const log = join(this.#home, 'out', `api-server-${this.#port}.log`);
    const out = openSync(log, 'a');
    const port = String(this.#port);
    // 2.x keeps one web server per process file; 3.x takes everything from its environment.
    const args = this.#three ? ['api-server'] : ['webserver', '--pid', join(this.#home, `webserver-${port}-${Date.now()}.pid`)];
    const own = this.#three
      ? { AIRFLOW__API__PORT: port, AIRFLOW__API__BASE_URL: this.url }
      : { AIRFLOW__WEBSERVER__WEB_SERVER_PORT: port, AIRFLOW__WEBSERVER__BASE_URL: this.url, AIRFLOW__WEBSERVER__WORKERS: '1' };
    const program = join(this.#env.PATH?.split(delimiter)[0] ?? '', 'airflow');
    const child = spawn(program, args, {
      cwd: this.#home,
      env: { ...this.#env, ...own },
      detached: true,
      stdio: ['ignore', out, out],
    });
    this.#child = child;
    await until(
      `the second API server answers (log: ${log})`,
      async () => {
        if (child.exitCode !== null)
          throw new Hopeless(`it ended at once; log: ${log}\n${readFileSync(log, 'utf8').slice(-1500)}`);
        const health = this.#three ? '/api/v2/monitor/health' : '/health';
        return (await fetch(this.url + health, { signal: AbortSignal.timeout(3_000) })).ok;
      },
      { seconds: 120 },
    );
  }

  /** `kill -9` of the server and its workers: connections are cut, nothing is finished. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.#signal();
    await ended;
  }

  /** Stops the server and its workers where they stand: the machine still takes connections for them, and nobody answers. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  /** They go on with whatever has come meanwhile, also with what nobody waits for any more. */
  thaw(): void {
    this.#signal('SIGCONT');
  }

  #signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): void {
    const pid = this.#child?.pid;
    if (pid === undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended in this very moment.
    }
  }
}

interface CrewFile {
  readonly members: readonly { readonly name: string; readonly pid: number }[];
}

/** What the lab's own parts were started with. Some of them write their title over it (the scheduler on 2.11.2, the API server on 3.3.2). */
function environmentOf(home: string): NodeJS.ProcessEnv {
  const { members } = JSON.parse(readFileSync(join(home, 'crew.json'), 'utf8')) as CrewFile;
  for (const { pid } of members) {
    const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
    const env = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
    if (env.AIRFLOW_HOME !== undefined && env.AIRFLOW__DATABASE__SQL_ALCHEMY_CONN !== undefined) return env;
  }
  throw new Error(`the environment of no part of the Airflow in ${home} can be read`);
}
