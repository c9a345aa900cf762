/**
 * `npm run faults`: the long form of everything under test/faults, test/model and test/soak, and the figures that the tests print, as one table.
 * `--short` is what CI runs. The exit code is that of the tests.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const short = process.argv.includes('--short');
const rest = process.argv.slice(2).filter((a) => a !== '--short');
const vitest = join(import.meta.dirname, '..', 'node_modules', '.bin', 'vitest');

/** `figure: R4 points=64 double_effects=0` */
const FIGURE = /^\s*figure: (\S+)\s+(.*)$/;

const child = spawn(vitest, ['run', '--config', 'vitest.faults.config.ts', ...rest], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, ...(short ? {} : { FIREDAMPER_LONG: '1' }) },
});
const figures: [string, string][] = [];
for await (const line of createInterface({ input: child.stdout })) {
  console.log(line);
  const [, id = '', values = ''] = FIGURE.exec(line) ?? [];
  if (id !== '') figures.push([id, values]);
}
const code = child.exitCode ?? (await new Promise<number>((resolve) => child.once('exit', (c) => resolve(c ?? 1))));

figures.sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
console.log('\n| test | figures |\n| --- | --- |');
for (const [id, values] of figures) console.log(`| ${id} | ${values.trim()} |`);
process.exitCode = code;
