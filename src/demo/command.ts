import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { unavailable } from '../errors.ts';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Everything the command prints is appended here. */
  readonly log?: string;
  readonly onLine?: (line: string) => void;
  readonly as?: Account | null;
  /** Given to the command on its standard input. */
  readonly input?: string;
}

/** A user of the machine that a process is to run as; only root may use it. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const LINES_IN_ERROR = 12;
const running = new Set<ChildProcess>();

/** Ends every command that `runCommand` has not yet seen the end of: for a caller who gives up. */
export function killRunningCommands(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Runs a command to its end and answers what it printed. Rejects with its last lines when it fails or cannot be started. */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const child = spawn(command, args, {
    env: options.env ?? process.env,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.as ?? {}),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
    if (options.onLine) createInterface({ input: stream }).on('line', options.onLine);
  }
  child.stdin.on('error', () => {}); // a command that ends without reading its input is judged by its exit code
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', (error) => reject(unavailable(`cannot start ${command}: ${error.message}`)));
    child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'unknown'));
  }).finally(() => running.delete(child));
  if (options.log) await appendFile(options.log, printed);
  if (code === 0) return printed;
  const tail = printed.trimEnd().split('\n').slice(-LINES_IN_ERROR).join('\n');
  throw unavailable(`${[command, ...args].join(' ')} ended with ${code}${options.log ? ` (log: ${options.log})` : ''}\n${tail}`);
}
