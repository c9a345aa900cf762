/** Where printed tables go: into the README of the package, between marks, so that what it says was measured. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PROJECT = join(import.meta.dirname, '..', '..');
const README = join(PROJECT, 'airflow-callbacks', 'README.md');
export const RESULTS = join(PROJECT, '.firedamper', 'matrix', 'results');

export function putBetweenMarks(name: string, text: string): void {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const readme = existsSync(README) ? readFileSync(README, 'utf8') : '';
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) {
    console.error(`${README} has no marks ${begin} and ${end}: the table stands nowhere but here`);
    return;
  }
  writeFileSync(README, `${readme.slice(0, from + begin.length)}\n${text.trim()}\n${readme.slice(to)}`);
}
