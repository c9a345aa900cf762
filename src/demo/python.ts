import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { unavailable } from '../errors.ts';

const run = promisify(execFile);

export interface Python {
  /** The interpreter itself, behind any shim. */
  readonly executable: string;
  /** `3.12` */
  readonly version: string;
}

/** Preferred first: 3.12 and 3.11 have wheels for every pinned package of both Airflows. */
const CANDIDATES = ['python3.12', 'python3.11', 'python3.10', 'python3.13', 'python3', 'python'];
const ASK = 'import json, sys, ensurepip, venv; print(json.dumps([sys.executable, "%d.%d" % sys.version_info[:2]]))';

/**
 * The first interpreter on the PATH with one of these versions that really runs (a pyenv shim may exist and refuse) and
 * can make a virtual environment. `FIREDAMPER_PYTHON` goes before all. Rejects naming everything that was tried and why it would not do.
 */
export async function findPython(versions: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Python> {
  const named = env.FIREDAMPER_PYTHON;
  const tried: string[] = [];
  for (const command of named ? [named] : CANDIDATES) {
    const answer = await ask(command);
    if ('problem' in answer) tried.push(`${command}: ${answer.problem}`);
    else if (!versions.includes(answer.version)) tried.push(`${command}: is ${answer.version}`);
    else return answer;
  }
  throw unavailable(
    `no suitable Python: need one of ${versions.join(', ')} with venv and pip. Tried ${tried.join('; ')}. ` +
      'Install one of them (on Debian and Ubuntu: python3 and python3-venv) or name one with FIREDAMPER_PYTHON=/path/to/python.',
  );
}

async function ask(command: string): Promise<Python | { readonly problem: string }> {
  try {
    const { stdout } = await run(command, ['-c', ASK], { timeout: 20_000 });
    const [executable, version] = JSON.parse(stdout) as [string, string];
    return { executable, version };
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'not found';
  const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  if (said.includes('ensurepip') || said.includes('venv')) return 'has no venv and pip (package python3-venv is missing)';
  return `does not run (${said.split('\n')[0] || error.message.split('\n')[0]})`;
}
