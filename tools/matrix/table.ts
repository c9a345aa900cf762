/** From the results of the versions to one table: versions that behave alike share a row. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AIRFLOW_VERSIONS } from '../../src/demo/lab.ts';
import { CASES, DUE, IMPORT_ERROR } from './cases.ts';
import { RESULTS } from './marks.ts';
import type { CaseResult, Heard, VersionResult } from './run.ts';

export function lastResults(): VersionResult[] {
  return AIRFLOW_VERSIONS.map((version) => join(RESULTS, `${version}.json`))
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as VersionResult);
}

interface Cell {
  readonly version: string;
  readonly result: CaseResult;
}

export function tableOf(results: readonly VersionResult[]): string {
  const dates = [...new Set(results.map(({ date }) => date))].sort().join(' and ');
  const packages = [...new Set(results.map(({ packageVersion }) => packageVersion))].join(' and ');
  const rows = [...CASES, IMPORT_ERROR].flatMap(({ dagId, words, due = DUE }) => {
    const cells = results.flatMap(({ version, cases }) => {
      const result = cases.find((each) => each.dagId === dagId);
      return result ? [{ version, result }] : [];
    });
    const groups = Map.groupBy(cells, ({ result }) => shapeOf(result));
    return [...groups.values()].map((group, index) => rowOf(index === 0 ? words : '', group, due));
  });
  return [
    `Measured ${dates}, package ${packages}, on ${results.map(({ version }) => version).join(', ')}; printed by \`npm run matrix\`.`,
    '',
    '| the run fails by | Airflow | what arrives: requests -> after deduplication | from | late | the poll alone |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...NOTES,
  ].join('\n');
}

const NOTES = [
  '"From" is the process that held the other end of the connection. "Late" is counted for tasks from the moment in the task (or of the request to the API),',
  'for runs from the end that Airflow gives them, so that 0.01 s says that Airflow had decided and called at once. The last column is the real service with',
  'callbacks switched off and a poll each 3 s: the incident that it opened, and when, after the end of the run (negative: the task was seen first).',
  'Missing kinds are those for which Airflow calls nobody (for a run set to failed 2.10.5 called somebody in one of two measurements, a second late).',
  'A callback that says more than the listener has an id of its own. An import error has no run: what is found is the file. Shorter than by default: loss of a heartbeat after 30 s (300 s), looked for each 5 to 10 s.',
];

/** What has to be equal for two versions to share a row: everything but the times. */
function shapeOf(result: CaseResult): string {
  const events = kindsOf(result).map(({ kind, part, events: same, requests }) => `${kind} ${same.length} ${requests} ${part}`);
  return JSON.stringify([events, result.poll !== null, result.poll?.type ?? null, result.poll?.incidents ?? null]);
}

interface Kind {
  readonly kind: string;
  readonly part: string;
  readonly events: readonly Heard[];
  readonly requests: number;
}

const ORDER = ['task_retry', 'task_failed', 'report', 'run_failed', 'import_error'];

function kindsOf(result: CaseResult): Kind[] {
  const groups = Map.groupBy(result.events, (event) => `${event.kind} ${event.part}`);
  return [...groups.values()]
    .map((events) => {
      const [{ kind, part }] = events as [Heard, ...Heard[]];
      return { kind, part, events, requests: events.reduce((sum, event) => sum + event.requests, 0) };
    })
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || a.part.localeCompare(b.part));
}

function rowOf(said: string, group: readonly Cell[], due: readonly string[]): string {
  const [first] = group as [Cell];
  const kinds = kindsOf(first.result);
  const swallowed = due.filter((kind) => !kinds.some((each) => each.kind === kind));
  const arrives = [
    ...(kinds.length === 0
      ? ['**nothing**']
      : kinds.map(({ kind, requests, events }) => `${code(kind)} ${requests} -> ${events.length}`)),
    ...(swallowed.length > 0 && kinds.length > 0 ? [`**no** ${swallowed.map(code).join(', ')}`] : []),
  ].join('<br>');
  const from = kinds.map(({ part }) => part).join('<br>');
  const late = kinds.map((kind) => range(group.flatMap((cell) => matching(cell, kind)))).join('<br>');
  return `| ${[said, group.map(({ version }) => version).join(', '), arrives, from, late, pollOf(group)].join(' | ')} |`;
}

function matching(cell: Cell, kind: Kind): number[] {
  const same = kindsOf(cell.result).find((other) => other.kind === kind.kind && other.part === kind.part);
  return (same?.events ?? []).flatMap(({ late }) => (late === null ? [] : [late]));
}

function pollOf(group: readonly Cell[]): string {
  const [first] = group as [Cell];
  const { poll } = first.result;
  if (poll === null) return 'not found';
  const times = group.flatMap(({ result }) =>
    result.poll !== null && result.run?.end ? [result.poll.openedAt - result.run.end] : [],
  );
  return `${code(poll.type)}${poll.incidents > 1 ? ` x ${poll.incidents}` : ''}${times.length > 0 ? `, ${range(times)}` : ''}`;
}

function range(times: readonly number[]): string {
  if (times.length === 0) return '';
  const [low, high] = [seconds(Math.min(...times)), seconds(Math.max(...times))];
  return low === high ? `${low} s` : `${low} to ${high} s`;
}

const seconds = (ms: number) =>
  (Math.abs(ms) < 10_000 ? (ms / 1000).toFixed(2) : (ms / 1000).toFixed(0)).replace('-0.00', '0.00');
const code = (text: string) => `\`${text}\``;

/** What must hold whatever the version: nothing unsigned, nothing unheard, nothing said of a task that never ran. */
export function problemsIn({ version, cases, unsigned }: VersionResult): string[] {
  const heardOf = (each: CaseResult) => each.events.length > 0 || each.poll !== null;
  const unheard = cases.filter((each) => !heardOf(each)).map((each) => `${each.dagId} was heard by nobody`);
  const notFailed = cases
    .filter((each) => each.run !== null && each.run.state !== 'failed')
    .map((each) => `${each.dagId} is ${each.run?.state}`);
  const unpolled = cases
    .filter((each) => (each.run?.state === 'failed' || each.dagId === IMPORT_ERROR.dagId) && each.poll === null)
    .map((each) => `${each.dagId} was not found by the poll`);
  const invented = cases
    .filter((each) => each.events.some(({ taskId }) => taskId === 'after'))
    .map((each) => `${each.dagId}: an event of a task that never ran`);
  const found = [
    ...unheard,
    ...notFailed,
    ...unpolled,
    ...invented,
    ...(unsigned > 0 ? [`${unsigned} requests were not signed`] : []),
  ];
  return found.map((problem) => `${version}: ${problem}`);
}
