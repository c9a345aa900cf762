/**
 * Every way a run can fail, on real Airflows, against what arrives.
 *
 *   node tools/matrix/matrix.ts [version ...]      default: all seven, one after the other
 *   node tools/matrix/matrix.ts --table            only the table again, from the last results
 *
 * Prints the table, and writes it into airflow-callbacks/README.md between the marks `matrix`. The raw results stay in
 * .firedamper/matrix/results, so one version can be repeated alone. Ends with 1 where a case was heard neither from the package nor by the poll.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AIRFLOW_VERSIONS, isAirflowVersion } from '../../src/demo/lab.ts';
import { putBetweenMarks, RESULTS } from './marks.ts';
import { runVersion } from './run.ts';
import { lastResults, problemsIn, tableOf } from './table.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { table: { type: 'boolean', default: false } } });
const unknown = positionals.filter((version) => !isAirflowVersion(version));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; known: ${AIRFLOW_VERSIONS.join(', ')}`);
  process.exit(2);
}
const chosen = values.table
  ? []
  : AIRFLOW_VERSIONS.filter((version) => positionals.length === 0 || positionals.includes(version));
const broken: string[] = [];
mkdirSync(RESULTS, { recursive: true });
for (const version of chosen) {
  try {
    writeFileSync(join(RESULTS, `${version}.json`), JSON.stringify(await runVersion(version), null, 2));
  } catch (error) {
    console.error(error);
    broken.push(`${version}: could not be measured: ${error instanceof Error ? error.message : String(error)}`);
  }
}
const results = lastResults();
const table = tableOf(results);
console.log(table);
putBetweenMarks('matrix', table);
const problems = [...broken, ...results.filter(({ version }) => values.table || chosen.includes(version)).flatMap(problemsIn)];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
