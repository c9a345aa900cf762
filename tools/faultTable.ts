/**
 * `npm run faults`: the long form of everything under test/faults, test/model and test/soak, and what it showed, as one table: what is promised, how its tests
 * ended, their figures, and the controls that failed as they must. `--short` is what CI runs; what else is given (a file, `--project crash`) goes to vitest.
 * Exit code 1 where a test failed, and in a whole run also where a promise has no figure or no control: a test that cannot fail proves nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..');
const short = process.argv.includes('--short');
const rest = process.argv.slice(2).filter((a) => a !== '--short');
const whole = rest.length === 0;

/** R14 is the package's (`npm run test:callbacks`), R5-live the live stories' (`npm run test:live`). */
const PROMISES: Readonly<Record<string, { readonly files: RegExp; readonly promise: string }>> = {
  R1: { files: /crash\/intake/, promise: 'killed at any write or fsync: no acknowledged callback is lost or doubled' },
  R2: { files: /crash\/powerCut/, promise: 'the power goes: nothing acknowledged is lost, and a file is taken for what it is' },
  R3: {
    files: /faults\/disk/,
    promise: 'full, failing, read-only or lost disk, a foreign lock: no 202 without a row; on again, or a clear end',
  },
  R4: { files: /crash\/acts/, promise: 'killed at any step of an act: nothing twice, nothing of a person undone, all settled' },
  R5: {
    files: /network\/(effects|notices)/,
    promise: 'a lost or broken answer: each effect once, settled by reading; what people are told arrives, in order',
  },
  R6: {
    files: /model\/(holds|hasty)/,
    promise: 'holds, people and crashes in any order: the switches are where a small model says',
  },
  R7: {
    files: /model\/(simulator|controls|found|outage)/,
    promise: 'whole sites in bad weather break no law; a seed replays identically',
  },
  R8: { files: /model\/order/, promise: 'repeated and shuffled callbacks: one row each, one incident, one page' },
  R9: { files: /model\/paging/, promise: 'runs that change while they are paged: none missed' },
  R10: { files: /model\/clocks/, promise: 'clocks that are wrong or jump: nothing missed, no negative duration' },
  R11: { files: /network\/(client|down)/, promise: 'one log-in for any number of calls; a wrong password is one alarm' },
  R12: { files: /network\/lanes/, promise: 'no lane keeps another waiting' },
  R13: {
    files: /network\/(client|down)/,
    promise: 'Airflow away for hours: few requests, heard within two cycles, held within 40 s',
  },
  R15: { files: /faults\/backup/, promise: 'backup, restore, standby: whole, and nothing is done before an admin confirms' },
  R16: { files: /faults\/migrations/, promise: 'a migration killed at any write leaves the old file or a new one' },
  R17: { files: /test\/soak/, promise: 'memory, log and open files do not grow with the runs' },
  R18: { files: /crash\/shutdown/, promise: 'SIGTERM under load: stored, and gone within ten seconds' },
};

/** `figure: R4 points=64 double_effects=0`, `figure: R4 control="..." result="fails as it must" seen="..."` */
const FIGURE = /^\s*figure: (\S+)\s+(.*)$/;
const CONTROL = /^control="([^"]*)" result="fails as it must"/;

interface Report {
  readonly testResults: readonly { readonly name: string; readonly assertionResults: readonly { readonly status: string }[] }[];
}

const folder = await mkdtemp(join(tmpdir(), 'firedamper-faults-'));
try {
  process.exitCode = await main(join(folder, 'report.json'));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function main(reportFile: string): Promise<number> {
  const began = performance.now();
  const args = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const child = spawn(
    join(root, 'node_modules', '.bin', 'vitest'),
    ['run', '--config', 'vitest.faults.config.ts', ...args, ...rest],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...(short ? {} : { FIREDAMPER_LONG: '1' }) },
    },
  );
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  const said: (readonly [id: string, values: string])[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    const [, id, values] = FIGURE.exec(line) ?? [];
    if (id !== undefined && values !== undefined) said.push([id, values.trim()]);
  }
  const code = await exited;
  const report: Report = JSON.parse(await readFile(reportFile, 'utf8'));
  const missing = print(report, said);
  const seconds = Math.round((performance.now() - began) / 1000);
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).trim();
  console.log(`\n${short ? 'short' : 'long'} form, commit ${commit}, ${new Date().toISOString().slice(0, 10)}, ${seconds} s`);
  if (!whole) return code;
  for (const line of missing) console.error(line);
  return code === 0 && missing.length === 0 ? 0 : 1;
}

/** Answers what has no figure or no control. */
function print(report: Report, said: readonly (readonly [string, string])[]): string[] {
  const missing: string[] = [];
  console.log('\n| test | promise | passed | figures | controls that failed as they must |\n| --- | --- | --- | --- | --- |');
  for (const [id, { files, promise }] of Object.entries(PROMISES)) {
    const ends = report.testResults
      .filter((file) => files.test(relative(root, file.name)))
      .flatMap((file) => file.assertionResults.map((t) => t.status));
    const mine = said.filter(([of]) => of === id).map(([, values]) => values);
    const controls = mine.flatMap((values) => CONTROL.exec(values)?.[1] ?? []);
    const figures = mine.filter((values) => !CONTROL.test(values));
    if (figures.length === 0) missing.push(`${id} has told no figure`);
    if (controls.length === 0) missing.push(`${id}: no control was seen to fail`);
    if (ends.length === 0) continue;
    const passed = ends.filter((end) => end === 'passed').length;
    console.log(`| ${[id, promise, `${passed} of ${ends.length}`, figures.join('<br>'), controls.join('<br>')].join(' | ')} |`);
  }
  return missing;
}
