/** From measured rounds to the table of the README. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AIRFLOW_VERSIONS } from '../../src/demo/lab.ts';
import { RESULTS } from '../matrix/marks.ts';
import type { Round } from './rounds.ts';
import { lastTurns, wordsOfTurns } from './turns.ts';

export interface Measured extends Round {
  readonly words: string;
  /** Events in the spool at the end of the round; null where there is no package. */
  readonly waiting: number | null;
}

export interface FaultResult {
  readonly version: string;
  readonly date: string;
  readonly rows: readonly Measured[];
  readonly exceptions: readonly string[];
  /** Failures that have to be in the store. */
  readonly wanted: number;
  readonly events: number;
  readonly missing: readonly string[];
  readonly notOnce: readonly string[];
  readonly signals: number;
  readonly differentSignals: number;
  readonly dropped: number;
  readonly left: number;
}

export function lastFaults(): FaultResult[] {
  return AIRFLOW_VERSIONS.map((version) => join(RESULTS, `faults-${version}.json`))
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as FaultResult);
}

export function tableOfFaults(results: readonly FaultResult[]): string {
  return [...results.flatMap((result) => [...oneTable(result), '']), ...NOTES].join('\n');
}

const NOTES = [
  'Two cores with much other work on them, so that only rows of one table compare, and those with care. A Firedamper that does not answer costs a failing task',
  'three seconds, once. On 3.3.2 about half of all failing tasks end five seconds later than the rest, with the package and without. The runs that fail at once',
  'are over their `dagrun_timeout`, so the scheduler itself reports each; a thousand of them on 2.11.2 with SQLite held up its scheduler for minutes without the',
  'package already. A disk that is full keeps nothing: the poll finds those. Printed by `node tools/packageFaults.ts`.',
];

function oneTable(result: FaultResult): string[] {
  const { version, date, rows, wanted, missing, exceptions, dropped, notOnce, left } = result;
  const turns = lastTurns(version);
  const arrived = wanted - missing.length;
  return [
    `**Airflow ${version}**, measured ${date}; seconds, median and longest:`,
    '',
    '| Firedamper | failed as they should | failing task | trigger to end of its run | a healthy run beside it | oldest heartbeat of the scheduler | its processor time | in the spool |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(rowOf),
    '',
    ...(turns === null ? [] : [wordsOfTurns(turns), '']),
    `${arrived} of ${wanted} failures were in the store afterwards (all but those of the full disk), ${notOnce.length} more than once; ${dropped} told as dropped, ${left} left in the spool. Exceptions in Airflow's logs: ${exceptions.length}.`,
  ];
}

function rowOf(row: Measured): string {
  const cells = [
    row.words,
    `${row.failed} of ${row.started}`,
    spread(row.taskSeconds),
    row.runSeconds.length > 1 ? spread(row.runSeconds) : `all: ${row.runSeconds[0]?.toFixed(0)}`,
    spread(row.beatSeconds),
    row.oldestHeartbeat.toFixed(1),
    row.schedulerSeconds?.toFixed(1) ?? '',
    row.waiting === null ? '' : String(row.waiting),
  ];
  return `| ${cells.join(' | ')} |`;
}

function spread(seconds: readonly number[]): string {
  if (seconds.length === 0) return '';
  const sorted = seconds.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return `${median.toFixed(2)}, ${(sorted.at(-1) ?? Number.NaN).toFixed(2)}`;
}

/** The spool keeps a thousand events: of more than that the oldest make room, are counted, and told. */
export function problemsOf(result: FaultResult): string[] {
  const { version, rows, exceptions, missing, notOnce, dropped, signals, differentSignals, left } = result;
  const found = [
    ...rows
      .filter((row) => row.failed !== row.started)
      .map((row) => `${row.words}: ${row.failed} of ${row.started} tasks failed as they should`),
    ...exceptions.map((line) => `exception: ${line.slice(0, 300)}`),
    ...(missing.length > dropped
      ? [`${missing.length} failures are not in the store, ${dropped} were told as dropped: ${missing.slice(0, 5).join('; ')}`]
      : []),
    ...notOnce.map((name) => `in the store more than once: ${name}`),
    ...(signals === differentSignals ? [] : [`${signals} signals of ${differentSignals} keys`]),
    ...(left > 0 ? [`${left} events are left in the spool`] : []),
  ];
  return found.map((problem) => `${version}: ${problem}`);
}
