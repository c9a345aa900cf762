/**
 * The fast suite again and again: which tests do not end as they did in the first run? `node tools/flaky.ts --runs 20`; what else is given (a folder, a
 * file) goes to vitest. Exit 1 on a difference, and where the first run is not green: a suite that always fails differs in nothing and proves nothing.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({ options: { runs: { type: 'string', default: '20' } }, allowPositionals: true });
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 2) throw new Error(`--runs takes a whole number from 2 on, not ${values.runs}`);

/** What vitest's JSON reporter writes, as far as it is read here (5.1.1). */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}
/** Test -> how it ended. */
type Ends = ReadonlyMap<string, string>;

function endsOf(report: Report): Ends {
  const ends = new Map<string, string>();
  for (const file of report.testResults) {
    const name = relative(root, file.name);
    // A file that could not even be loaded has no tests; it must not look like one that was never there.
    if (file.assertionResults.length === 0) ends.set(name, `no test: ${file.message}`);
    for (const t of file.assertionResults) {
      let key = `${name} > ${t.fullName}`;
      while (ends.has(key)) key += ' (again)';
      ends.set(key, t.status);
    }
  }
  return ends;
}

async function once(folder: string, n: number): Promise<Ends> {
  const out = join(folder, `${n}.json`);
  const args = ['run', '--reporter=json', `--outputFile=${out}`, ...positionals];
  const child = spawn(join(root, 'node_modules', '.bin', 'vitest'), args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('exit', () => resolve()));
  const report: Report = JSON.parse(await readFile(out, 'utf8'));
  return endsOf(report);
}

/** Names made from hostile input are long. */
const short = (test: string): string => (test.length > 200 ? `${test.slice(0, 200)}…` : test);

const differing = new Map<string, Set<string>>();
function compare(first: Ends, now: Ends, n: number): void {
  for (const test of new Set([...first.keys(), ...now.keys()])) {
    const [before, after] = [first.get(test) ?? 'not run', now.get(test) ?? 'not run'];
    if (before === after) continue;
    console.log(`run ${n}: ${short(test)}: ${after} (in run 1: ${before})`);
    differing.set(test, (differing.get(test) ?? new Set([before])).add(after));
  }
}

const folder = await mkdtemp(join(tmpdir(), 'firedamper-flaky-'));
try {
  const first = await once(folder, 1);
  const red = [...first].filter(([, end]) => end !== 'passed');
  for (const [test, end] of red) console.log(`run 1: ${short(test)}: ${end}`);
  console.log(`run 1: ${first.size} tests, ${red.length} of them not passed`);
  for (let n = 2; n <= runs; n++) {
    compare(first, await once(folder, n), n);
    console.log(`run ${n}: ${differing.size} tests differ so far`);
  }
  console.log(`figure: Q4 runs=${runs} tests=${first.size} differing=${differing.size}`);
  process.exitCode = differing.size > 0 || red.length > 0 || first.size === 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}
