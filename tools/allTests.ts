/**
 * Every part of the tests, one after the other, also after one has failed: what is broken is wanted whole. The exit code is 0 only where every part's was. What
 * failed is said again at the end: of a log of many thousand lines people see the end, and a landing was once refused by tests whose names nobody could see.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';

const PARTS = ['check', 'test:fast', 'test:callbacks', 'test:ops', 'test:faults', 'test:live'] as const;

/** How vitest, pytest and the table of faults begin a line that names what failed; the lines after it say why. */
const FAILURE = /^\s*(FAIL\s|FAILED\s|ERROR\s|R\d+ has told no figure|R\d+: no control)/;
const LINES_OF_ONE = 3;
const FAILURES_SHOWN = 40;

interface Ended {
  readonly part: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly failures: readonly string[];
}

async function run(part: string): Promise<Ended> {
  const started = performance.now();
  const child = spawn('npm', ['run', part], { stdio: ['inherit', 'pipe', 'pipe'] });
  const exited = new Promise<boolean>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
  const failures: string[] = [];
  await Promise.all([passedOn(child.stdout, process.stdout, failures), passedOn(child.stderr, process.stderr, failures)]);
  return { part, ok: await exited, seconds: Math.round((performance.now() - started) / 1000), failures };
}

async function passedOn(from: Readable, to: NodeJS.WriteStream, failures: string[]): Promise<void> {
  let more = 0;
  for await (const line of createInterface({ input: from })) {
    to.write(`${line}\n`);
    const plain = stripVTControlCharacters(line);
    if (FAILURE.test(plain)) more = LINES_OF_ONE;
    if (more > 0 && plain.trim() !== '') {
      failures.push(plain.trimEnd());
      more -= 1;
    }
  }
}

const ended: Ended[] = [];
for (const part of PARTS) ended.push(await run(part));
for (const { part, ok, failures } of ended) {
  if (ok || failures.length === 0) continue;
  console.log(`\nwhat failed in ${part}:`);
  for (const line of failures.slice(0, FAILURES_SHOWN * LINES_OF_ONE)) console.log(line);
}
console.log('');
for (const { part, ok, seconds } of ended) console.log(`${ok ? 'ok    ' : 'BROKEN'} ${part} (${seconds} s)`);
process.exitCode = ended.every(({ ok }) => ok) ? 0 : 1;
