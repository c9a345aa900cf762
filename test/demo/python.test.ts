import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findPython } from '../../src/demo/python.ts';

let dir = '';
const path = process.env.PATH;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'python-'));
  process.env.PATH = dir;
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(dir, { recursive: true, force: true });
});

function program(name: string, script: string): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, name), 0o755);
}
const answering = (version: string) => `echo '["/real/python${version}", "${version}"]'`;

test('a shim that refuses to run is passed over for the next one that works', async () => {
  program('python3.12', 'echo "pyenv: python3.12: command not found" >&2; exit 127');
  program('python3.11', answering('3.11'));
  expect(await findPython(['3.11', '3.12'], {})).toEqual({ executable: '/real/python3.11', version: '3.11' });
});

test('where none will do, the error names every one that was tried and why', async () => {
  program('python3.13', answering('3.13'));
  program('python3', answering('3.9'));
  program('python3.10', 'echo "No module named ensurepip" >&2; exit 1');
  const error: Error = await findPython(['3.10', '3.11', '3.12'], {}).then(
    () => new Error('found one'),
    (reason) => reason,
  );
  expect(error.message).toContain('need one of 3.10, 3.11, 3.12');
  expect(error.message).toContain('python3.12: not found');
  expect(error.message).toContain('python3.13: is 3.13');
  expect(error.message).toContain('python3: is 3.9');
  expect(error.message).toContain('python3.10: has no venv and pip');
});

test('a named interpreter is the only one that is asked', async () => {
  program('python3.12', answering('3.12'));
  await expect(findPython(['3.12'], { FIREDAMPER_PYTHON: '/nowhere/python' })).rejects.toThrow('/nowhere/python: not found');
});
