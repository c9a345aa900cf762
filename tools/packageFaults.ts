/**
 * What a broken Firedamper does to a real Airflow: to its tasks, to its scheduler, and to the events that could not be sent.
 *
 *   node tools/packageFaults.ts [version ...]      default: 2.11.2 and 3.3.2, one after the other; needs root for the full disk
 *     --runs 6          failing runs per row
 *     --many 40         failing tasks of one run
 *     --storm 1000      runs that fail at once
 *     --turns 3         instead of all rows only the storm, so many times with the listener and as many times without it, in turns
 *   node tools/packageFaults.ts --table            only the table again, from the last results
 *
 * Prints the table, and writes it into airflow-callbacks/README.md between the marks `faults`. Ends with 1 where a task did not end as it should, an
 * exception was seen, or an event is missing in the store or there twice.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type AirflowVersion, isAirflowVersion } from '../src/demo/lab.ts';
import { startUntrusted } from './faults/door.ts';
import { failBeside, manyBeside, type Round, stormBeside } from './faults/rounds.ts';
import { readyAirflow, type Stage, startStage } from './faults/stage.ts';
import { type FaultResult, lastFaults, type Measured, problemsOf, tableOfFaults } from './faults/table.ts';
import { type Turns, takeTurns, turnsFile } from './faults/turns.ts';
import { until } from './matrix/airflow.ts';
import { newSecret, startPackageLab } from './matrix/lab.ts';
import { putBetweenMarks, RESULTS } from './matrix/marks.ts';

const DEFAULT = ['2.11.2', '3.3.2'] as const;
const PARALLELISM = 8;
/** Somebody's host name that no name server knows, by the words of RFC 6761. */
const NOBODY = 'http://firedamper.invalid:8470';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '6' },
    many: { type: 'string', default: '40' },
    storm: { type: 'string', default: '1000' },
    turns: { type: 'string', default: '0' },
    table: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const many = Number(values.many);
const storm = Number(values.storm);
const turns = Number(values.turns);

async function measure(version: AirflowVersion): Promise<FaultResult> {
  const rows: Measured[] = [...(await without(version))];
  const stage = await startStage({ version, name: 'faults', many, parallelism: PARALLELISM });
  try {
    await withPackage(stage, rows);
    const exceptions = stage.exceptions();
    // What failed on the full disk is nowhere, and Airflow's own poll is how the service hears of it.
    const { wanted, ...kept } = stage.kept(/ diskfull_/);
    const date = new Date().toISOString().slice(0, 10);
    return { version, date, rows, exceptions, wanted, ...kept, left: stage.waiting() };
  } finally {
    await stage.close();
  }
}

async function measureTurns(version: AirflowVersion): Promise<Turns> {
  const stage = await startStage({ version, name: 'turns', many, parallelism: PARALLELISM });
  try {
    await failBeside(stage.airflow, 'warm', 2);
    await stage.door.turn('down');
    return await takeTurns(stage, turns, storm);
  } finally {
    await stage.close();
  }
}

async function without(version: AirflowVersion): Promise<Measured[]> {
  const lab = await startPackageLab({
    ...{ version, name: 'faults', secret: newSecret(), url: null, parallelism: PARALLELISM, folders: ['services', 'spool'] },
    env: { FIREDAMPER_FAULTS_MANY: String(many) },
  });
  try {
    const airflow = await readyAirflow(lab.airflow, lab.dags);
    await failBeside(airflow, 'warm', 2);
    const row = (words: string, round: Round) => ({ ...round, words: `without the package${words}`, waiting: null });
    const said = (words: string) => {
      console.error(`[${version}] without the package${words}`);
      return words;
    };
    return [
      row(said(''), await failBeside(airflow, 'without', runs)),
      row(said(`, ${many} tasks of one run`), await manyBeside(airflow, 'without_many', many)),
      row(said(`, ${storm} runs at once`), await stormBeside(airflow, 'without_storm', storm)),
    ];
  } finally {
    await lab.airflow.stop();
  }
}

async function withPackage(stage: Stage, rows: Measured[]): Promise<void> {
  const note = async (words: string, work: () => Promise<Round>) => {
    console.error(`[${stage.lab.airflow.version}] ${words}`);
    rows.push({ ...(await work()), words, waiting: stage.waiting() });
  };
  const fail = (name: string) => () => failBeside(stage.airflow, name, runs);
  await failBeside(stage.airflow, 'warm', 2);
  await note('healthy', fail('healthy'));
  for (const [mood, words] of [
    ['down', 'nobody listens'],
    ['hang', 'never answers'],
    ['slow', 'answers after 10 s'],
    ['error', 'answers 500'],
    ['garbage', 'answers garbage'],
  ] as const) {
    await stage.door.turn(mood);
    await note(words, fail(mood));
  }
  await elsewhere(stage, note, fail);
  await stage.door.turn('down');
  const free = stage.fillDisk();
  await note('nobody listens, and the disk of the spool is full', fail('diskfull'));
  free();
  await stage.door.turn('pass');
  await note('healthy again', fail('again'));
  await flushAll(stage);
  await stage.door.turn('down');
  await note(`nobody listens, ${many} tasks of one run`, () => manyBeside(stage.airflow, 'many', many));
  // The spool takes a thousand: what is measured next shall have room.
  await stage.door.turn('pass');
  await flushAll(stage);
  await stage.door.turn('down');
  await note(`nobody listens, ${storm} runs at once`, () => stormBeside(stage.airflow, 'storm', storm));
  await stage.door.turn('pass');
  await note('healthy again', fail('last'));
  await flushAll(stage);
}

type Note = (words: string, work: () => Promise<Round>) => Promise<void>;

/** Addresses that only a new scheduler, and so every new task, can be given. */
async function elsewhere(stage: Stage, note: Note, fail: (name: string) => () => Promise<Round>): Promise<void> {
  const untrusted = await startUntrusted(stage.lab.installation.python, stage.lab.dir);
  await stage.pointAt(untrusted.url);
  await note('certificate of nobody', fail('certificate'));
  if (untrusted.met() > 0) throw new Error('an event was sent to somebody with a wrong certificate');
  untrusted.close();
  await stage.pointAt(NOBODY);
  await note('its name is not known', fail('dns'));
  await stage.pointAt();
}

/** What nobody's next event has taken along, an operator sends. */
async function flushAll(stage: Stage): Promise<void> {
  await until('the spool is empty', 180, async () => {
    console.error(await stage.flush());
    return stage.waiting() === 0;
  });
}

const chosen = values.table ? [] : positionals.length > 0 ? positionals : DEFAULT;
const broken: string[] = [];
mkdirSync(RESULTS, { recursive: true });
for (const version of chosen) {
  if (!isAirflowVersion(version)) throw new Error(`unknown version ${version}`);
  try {
    if (turns > 0) writeFileSync(turnsFile(version), JSON.stringify(await measureTurns(version), null, 2));
    else writeFileSync(join(RESULTS, `faults-${version}.json`), JSON.stringify(await measure(version), null, 2));
  } catch (error) {
    console.error(error);
    broken.push(`${version}: could not be measured: ${error instanceof Error ? error.message : String(error)}`);
  }
}
const results = lastFaults();
const table = tableOfFaults(results);
console.log(table);
putBetweenMarks('faults', table);
const problems = [...broken, ...results.flatMap(problemsOf)];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
