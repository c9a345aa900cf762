/**
 * strace as the tool that faults come from: it kills, or answers an error, at exactly the N-th system call of a kind. Counted per kind of call and per
 * thread; SQLite is called on the main thread only, so that N is the N-th write or fsync of the store. better-sqlite3 calls fsync, not
 * fdatasync: an injection on fdatasync alone would silently test nothing.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';

/** A missing tool is a failure with a name, never a skip. */
export function needTool(tool: string, args: readonly string[] = ['-V']): void {
  const { error, status, stderr } = spawnSync(tool, args, { encoding: 'utf8' });
  if (error) throw new Error(`${tool} is missing here (Debian: apt-get install ${tool}); without it nothing is proved`);
  if (status !== 0) throw new Error(`${tool} does not work here: ${stderr}`);
}

export interface Fault {
  /** Names of system calls, for instance `fsync,pwrite64`. */
  readonly calls: string;
  /** `signal=SIGKILL`, `error=ENOSPC`. */
  readonly what: string;
  /** strace's own form: `3` the third, `1+` all. */
  readonly when: string;
}

export interface Attached {
  /** Takes the fault away; the program goes on. */
  detach(): Promise<void>;
}

/** Ends when the program does. Resolves when every thread is under it: from then on calls are counted. */
export function attach(pid: number, fault: Fault): Promise<Attached> {
  const { calls, what, when } = fault;
  const args = ['-f', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:${what}:when=${when}`, '-p', String(pid)];
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return new Promise((resolve, reject) => {
    let said = '';
    child.once('error', () => reject(new Error('strace is missing here (Debian: apt-get install strace)')));
    // Once it is attached the promise is settled, and its end is nobody's error any more.
    child.once('exit', (code) => reject(new Error(`strace ended before it was attached (${code}): ${said}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (/attached/.test(said)) resolve({ detach: () => end(child) });
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  const hard = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(hard);
}
