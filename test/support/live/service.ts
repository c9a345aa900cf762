import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../src/demo/lab.ts';
import type { LabFacts } from './setup.ts';
import { Hopeless, until } from './until.ts';

export interface ServiceOptions {
  /** Folder name, unique among the stories of one Airflow. */
  readonly name: string;
  /** Beginnings of the DAG ids that this service watches. */
  readonly prefixes: readonly string[];
  /** False: the sender in Airflow is switched off for these DAGs. */
  readonly callbacks?: boolean;
  /** Keys of `policy`, as in the configuration file; sections are merged. */
  readonly policy?: Readonly<Record<string, Readonly<Record<string, unknown>> | string>>;
  /** Keys of the entry in `airflows`. */
  readonly airflow?: Readonly<Record<string, unknown>>;
  readonly edges?: readonly Readonly<Record<string, string>>[];
  readonly channels?: readonly Readonly<Record<string, unknown>>[];
}

const POLL_SECONDS = 3;
export const PEOPLE = { vera: 'viewer', rita: 'responder', ann: 'approver', bob: 'approver', adam: 'admin' } as const;
export type PersonName = keyof typeof PEOPLE;
export const tokenOf = (name: PersonName) => `token-of-${name}-0123456789`;

const MAIN = join(import.meta.dirname, '..', '..', '..', 'src', 'main.ts');

/** The program as its users start it: `firedamper serve` as a process of its own, on its own database, with its own configuration file. */
export class Service {
  readonly #lab: LabFacts;
  readonly #options: ServiceOptions;
  readonly #dir: string;
  readonly url: string;
  #child: ChildProcess | null = null;

  private constructor(lab: LabFacts, options: ServiceOptions, port: number) {
    this.#lab = lab;
    this.#options = options;
    this.#dir = join(lab.work, options.name);
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(lab: LabFacts, options: ServiceOptions): Promise<Service> {
    const [port] = (await freePorts(1)) as [number];
    const service = new Service(lab, options, port);
    mkdirSync(service.#dir, { recursive: true });
    writeFileSync(service.configFile, JSON.stringify(configOf(lab, options, port), null, 2)); // JSON is YAML
    await service.start();
    if (options.callbacks !== false) await service.#route('PUT');
    return service;
  }

  get configFile(): string {
    return join(this.#dir, 'firedamper.yaml');
  }

  get log(): string {
    return join(this.#dir, 'service.log');
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it says that it is ready. */
  async start(): Promise<void> {
    const out = openSync(this.log, 'a');
    this.#child = spawn(process.execPath, [MAIN, 'serve', '--config', this.configFile], {
      cwd: this.#dir,
      stdio: ['ignore', out, out],
    });
    await until(
      `the service is ready (log: ${this.log})`,
      async () => {
        if (!this.running)
          throw new Hopeless(`the service ended at once; log: ${this.log}\n${readFileSync(this.log, 'utf8').slice(-1500)}`);
        return (await fetch(`${this.url}/readyz`)).ok;
      },
      { seconds: 45 },
    );
  }

  /** `kill -9`: nothing of the program runs after this, as in a power cut. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Stops it for good and switches the sender off for its DAGs. */
  async close(): Promise<void> {
    await this.#route('DELETE');
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || !this.running) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(hard);
  }

  async #route(method: 'PUT' | 'DELETE'): Promise<void> {
    for (const prefix of this.#options.prefixes) {
      await fetch(`${this.#lab.relay}/relay/${prefix}`, { method, ...(method === 'PUT' ? { body: this.url } : {}) });
    }
  }
}

function configOf(lab: LabFacts, options: ServiceOptions, port: number) {
  const policy: Record<string, unknown> = { ...options.policy };
  return {
    server: { listen: `127.0.0.1:${port}` },
    database: './firedamper.db',
    log_level: 'debug',
    airflows: [
      {
        id: 'lab',
        url: lab.url,
        auth: { username: 'firedamper', password: lab.users.firedamper },
        callback_secrets: [lab.callbackSecret],
        poll_interval: `${POLL_SECONDS}s`,
        // Of eight services at a time: what a survey asks takes the web server of 2.11.2 two seconds of processor time with the 150 DAGs of these stories.
        survey_interval: '30s',
        ...options.airflow,
      },
    ],
    access: { tokens: Object.entries(PEOPLE).map(([name, role]) => ({ name, role, secret: tokenOf(name as PersonName) })) },
    policy: {
      ...policy,
      watch: { dags: options.prefixes.map((prefix) => `${prefix}_*`), ...(policy.watch as object) },
      hold: { max_share: 1, ...(policy.hold as object) },
    },
    lineage: { edges: options.edges ?? [] },
    notify: { channels: options.channels ?? [] },
  };
}
