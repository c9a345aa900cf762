/** The Python package's own checks in an environment of their own, with pinned tools: lint, format, types, tests. No root, nothing outside the project. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findPython } from '../src/demo/python.ts';

const root = resolve(import.meta.dirname, '..');
const venv = join(root, '.firedamper', 'airflow-callbacks-tools');
const requirements = join(root, 'airflow-callbacks', 'requirements-dev.txt');
const stamp = join(venv, 'stamp');

function run(command: string, args: readonly string[], cwd = root): void {
  console.log(`> ${[command.split('/').at(-1), ...args].join(' ')}`);
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const wanted = readFileSync(requirements, 'utf8');
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  run((await findPython(['3.13', '3.12', '3.11', '3.10'])).executable, ['-m', 'venv', '--clear', venv]);
  run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  writeFileSync(stamp, wanted);
}
const tool = (name: string, ...args: string[]) => run(join(venv, 'bin', name), args, join(root, 'airflow-callbacks'));
tool('ruff', 'check', '.');
tool('ruff', 'format', '--check', '.');
tool('mypy');
tool('pytest');
