/** `firedamper serve` as its users start it: a process of its own, that a test may kill, trace, and take the disk away from. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const SECRET = Buffer.from('a callback secret of thirty-two b');
export const PEOPLE = { vera: 'viewer', rita: 'responder', ann: 'approver', bob: 'approver', adam: 'admin' } as const;
export type Name = keyof typeof PEOPLE;
export const tokenOf = (name: Name) => `token-of-${name}-0123456789`;

export const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const START_MS = 60_000;

export interface ProgramOptions {
  /** Holds the configuration and the log; outlives the process, so that it can be started again. */
  readonly folder: string;
  /** Where the database is; default in the folder. */
  readonly database?: string;
  readonly airflowUrl: string;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly edges?: readonly unknown[];
  readonly channels?: readonly unknown[];
  readonly pollInterval?: string;
  readonly timeout?: string;
  /** `intake.min_free`; default 0, so that a machine that is short of room breaks no test that means something else. */
  readonly minFree?: string;
  /** Whose sources run; default the ones of this checkout. */
  readonly root?: string;
  /** A command that starts the program instead of the shell's own `node`: strace with its arguments. */
  readonly under?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the signal that asked for it, or from the start, milliseconds. */
  readonly afterMs: number;
}

export class Program {
  readonly folder: string;
  readonly database: string;
  /** Of the program itself, also where something else started it. */
  readonly pid: number;
  readonly url: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #logFrom: number;
  #asked: number;

  private constructor(options: ProgramOptions, child: ChildProcess, exited: Promise<Omit<Exit, 'afterMs'>>, start: Started) {
    this.folder = options.folder;
    this.database = databaseOf(options);
    this.pid = start.pid;
    this.url = start.url;
    this.#child = child;
    this.#logFrom = start.logFrom;
    this.#asked = performance.now();
    this.exited = exited.then((e) => ({ ...e, afterMs: performance.now() - this.#asked }));
  }

  /** Resolves when it listens; rejects with what it said where it ends instead. */
  static async start(options: ProgramOptions): Promise<Program> {
    const { child, exited, logFrom } = launch(options);
    let ended: Omit<Exit, 'afterMs'> | null = null;
    void exited.then((e) => {
      ended = e;
    });
    for (const end = performance.now() + START_MS; performance.now() < end; await pause(15)) {
      const said = logOf(options.folder).slice(logFrom);
      const url = /"url":"(http:[^"]+)"/.exec(said)?.[1];
      if (url !== undefined) return new Program(options, child, exited, { url, logFrom, pid: ownPid(child, options) });
      if (ended !== null) throw new Error(`it ended at once: ${JSON.stringify(ended)}\n${said.slice(-3000)}`);
    }
    child.kill('SIGKILL');
    throw new Error(`it did not listen in time:\n${logOf(options.folder).slice(logFrom).slice(-3000)}`);
  }

  /** For a start that is expected to be refused: what it said and how it ended. */
  static async refused(options: ProgramOptions): Promise<Exit & { readonly said: string }> {
    const began = performance.now();
    const { child, exited, logFrom } = launch(options);
    const hard = setTimeout(() => child.kill('SIGKILL'), START_MS);
    const end = await exited;
    clearTimeout(hard);
    return { ...end, afterMs: performance.now() - began, said: logOf(options.folder).slice(logFrom) };
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What this process has said so far. */
  get said(): string {
    return logOf(this.folder).slice(this.#logFrom);
  }

  /** `kill -9`: not one instruction of it runs after this. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#asked = performance.now();
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

interface Started {
  readonly url: string;
  readonly pid: number;
  readonly logFrom: number;
}

export const newFolder = (name: string): string => {
  const folder = join(tmpdir(), `fd-${name}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  mkdirSync(folder, { recursive: true });
  if (folders.push(folder) === 1) process.once('exit', removeFolders);
  return folder;
};

const folders: string[] = [];
/** `FIREDAMPER_KEEP=1` leaves databases, logs and traces to be looked at. */
function removeFolders(): void {
  if (process.env.FIREDAMPER_KEEP !== '1') for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

const databaseOf = (options: ProgramOptions) => options.database ?? join(options.folder, 'firedamper.db');

function launch(options: ProgramOptions) {
  const { folder, root = ROOT, under = [] } = options;
  const file = join(folder, 'firedamper.yaml');
  writeFileSync(file, JSON.stringify(configOf(options))); // JSON is YAML
  const logFile = join(folder, 'service.log');
  const out = openSync(logFile, 'a');
  const logFrom = logOf(folder).length;
  const [command = '', ...args] = [...under, process.execPath, join(root, 'src', 'main.ts'), 'serve', '--config', file];
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', out, out] });
  const exited = new Promise<Omit<Exit, 'afterMs'>>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return { child, exited, logFrom };
}

/** strace starts it as its only child. */
function ownPid(child: ChildProcess, { under = [] }: ProgramOptions): number {
  const pid = child.pid ?? 0;
  if (under.length === 0) return pid;
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

const logOf = (folder: string): string => {
  try {
    return readFileSync(join(folder, 'service.log'), 'utf8');
  } catch {
    return '';
  }
};

function configOf(options: ProgramOptions) {
  return {
    server: { listen: '127.0.0.1:0' },
    database: databaseOf(options),
    airflows: [
      {
        id: 'prod',
        url: options.airflowUrl,
        auth: { username: 'firedamper', password: 'firedamper' },
        callback_secrets: [`whsec_${SECRET.toString('base64')}`],
        poll_interval: options.pollInterval ?? '1s',
        survey_interval: '5s',
        timeout: options.timeout ?? '20s',
      },
    ],
    access: { tokens: Object.entries(PEOPLE).map(([name, role]) => ({ name, role, secret: tokenOf(name as Name) })) },
    intake: { rate_per_minute: 1_000_000, min_free: options.minFree ?? 0 },
    policy: { ...options.policy, hold: { max_share: 1, ...(options.policy?.hold as object) } },
    lineage: { edges: options.edges ?? [] },
    notify: { channels: options.channels ?? [] },
  };
}
