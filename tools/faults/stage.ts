/** A real Airflow with the package, the real service behind a door that can misbehave, and what one wants to know of them afterwards. */
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AirflowVersion, Installation, RunningAirflow } from '../../src/demo/lab.ts';
import { Service } from '../../test/support/live/service.ts';
import { AirflowByHand, until } from '../matrix/airflow.ts';
import { labDir, newSecret, type PackageLab, startPackageLab } from '../matrix/lab.ts';
import { Door } from './door.ts';
import { keptIn, nameOf } from './store.ts';

export interface StageOptions {
  readonly version: AirflowVersion;
  readonly name: string;
  /** Mapped tasks of the DAG that fails in bulk. */
  readonly many: number;
  readonly parallelism: number;
  /** An installation that has the package in it, instead of the tool's own. */
  readonly installation?: Installation;
}

export interface Stage {
  readonly lab: PackageLab;
  readonly airflow: AirflowByHand;
  readonly door: Door;
  readonly spool: string;
  /** The scheduler, and with it every task, begins anew with this address; without one, with the door's. */
  pointAt(url?: string): Promise<void>;
  /** The scheduler begins anew with the package's listener switched on or off. */
  listener(state: 'on' | 'off'): Promise<void>;
  waiting(): number;
  /** Makes the disk of the spool one of some KiB, full. Answers how to undo that. Needs root. */
  fillDisk(): () => void;
  /** `firedamper-spool flush`, as an operator would; answers what it printed. */
  flush(): Promise<string>;
  /** Lines of Airflow's logs with which the package says that an event was lost, because neither Firedamper nor the disk took it. */
  lost(): readonly string[];
  /** Lines of Airflow's logs that show an exception of the package, or a listener that Airflow had to catch. */
  exceptions(): readonly string[];
  /** The store against all failures there were, but those of the given runs. */
  kept(but: RegExp): ReturnType<typeof keptIn> & { readonly wanted: number };
  close(): Promise<void>;
}

const DAGS = ['ff_fail', 'ff_beat', 'ff_many', 'ff_storm'];
const DAG_FILE = join(import.meta.dirname, 'dags', 'faults_dags.py');

export async function startStage(options: StageOptions): Promise<Stage> {
  const { version, name } = options;
  const dir = labDir(version, name);
  const secret = newSecret();
  const door = new Door();
  await door.open();
  const spool = join(dir, 'spool');
  unmount(spool); // an earlier run may have been killed
  const lab = await startPackageLab({
    ...{ version, name, secret, url: door.url, parallelism: options.parallelism, folders: ['services', 'spool'] },
    ...(options.installation ? { installation: options.installation } : {}),
    env: { FIREDAMPER_SPOOL_DIR: spool, FIREDAMPER_FAULTS_MANY: String(options.many) },
  });
  let service: Service | null = null;
  const close = async () => {
    await service?.close();
    unmount(spool);
    await lab.airflow.stop();
    await door.close();
  };
  try {
    service = await startService(lab);
    door.target = service.url;
    const airflow = await readyAirflow(lab.airflow, lab.dags);
    return { ...tools(lab, door, spool), lab, airflow, door, spool, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Copies the DAG file and waits until Airflow knows it. */
export async function readyAirflow(running: RunningAirflow, dags: string): Promise<AirflowByHand> {
  const airflow = new AirflowByHand(running);
  await airflow.call('POST', '/pools', { name: 'no_room', slots: 0 });
  copyFileSync(DAG_FILE, join(dags, 'faults_dags.py'));
  await until('Airflow knows the DAGs', 90, async () => {
    const known = await airflow.knownDags();
    return DAGS.every((dagId) => known.includes(dagId));
  });
  return airflow;
}

/** Its own poll is put off, so that whatever it knows came by callback. */
function startService(lab: PackageLab): Promise<Service> {
  const facts = {
    ...{
      version: lab.airflow.version,
      url: lab.airflow.url,
      users: lab.airflow.users,
      callbackSecret: lab.secret,
      relay: lab.airflow.url,
    },
    ...{ flags: '', records: '', start: '', work: join(lab.dir, 'services') },
  };
  return Service.start(facts, {
    ...{ name: 'store', prefixes: ['ff'], callbacks: false, airflow: { poll_interval: '1h', survey_interval: '1d' } },
    policy: { platform: { mass_failure_dags: 10_000 } },
  });
}

function tools(lab: PackageLab, door: Door, spool: string) {
  const packageEnv = {
    FIREDAMPER_URL: door.url,
    FIREDAMPER_SECRET: lab.secret,
    FIREDAMPER_AIRFLOW: 'lab',
    FIREDAMPER_SPOOL_DIR: spool,
  };
  return {
    pointAt: (url?: string) => lab.airflow.restart('scheduler', { FIREDAMPER_URL: url ?? door.url }),
    listener: (state: 'on' | 'off') => lab.airflow.restart('scheduler', { FIREDAMPER_LISTENER: state }),
    waiting: () => readdirSync(spool).filter((file) => file.endsWith('.json') && !file.startsWith('.')).length,
    fillDisk: () => fillDisk(spool),
    flush: async () => {
      const env = {
        PATH: process.env.PATH,
        AIRFLOW_HOME: lab.airflow.home,
        ...packageEnv,
        ...(lab.site ? { PYTHONPATH: lab.site } : {}),
      };
      const code = 'import sys; from firedamper_airflow.spool_cli import main; sys.exit(main(["flush"]))';
      // Not waited for in a blocking way: the door that it knocks at is in this process.
      const told = await promisify(execFile)(lab.installation.python, ['-c', code], { env }).catch((error: unknown) => error);
      return ['stdout', 'stderr']
        .map((stream) => (told as Record<string, unknown>)[stream] ?? '')
        .join('')
        .trim();
    },
    lost: () => linesIn(logsOf(lab), LOST),
    exceptions: () => linesIn(logsOf(lab), CAUGHT),
    kept: (but: RegExp) => {
      const wanted = new Set([...failuresOf(lab)].filter((name) => !but.test(name)));
      return { ...keptIn(join(lab.dir, 'services', 'store', 'firedamper.db'), wanted), wanted: wanted.size };
    },
  };
}

/** What failed, by Airflow's own database: read there, because a thousand tasks are ten pages of its API for each question. */
function failuresOf(lab: PackageLab): ReadonlySet<string> {
  const rows = execFileSync(lab.installation.python, ['-c', FAILURES, lab.databaseUrl], { encoding: 'utf8' });
  return new Set((JSON.parse(rows) as Record<string, unknown>[]).map(nameOf));
}

const FAILURES = `
import json, sys
from sqlalchemy import create_engine, text
found = []
with create_engine(sys.argv[1]).connect() as db:
    for row in db.execute(text("select dag_id, run_id, task_id, map_index from task_instance where state = 'failed'")):
        found.append({"kind": "task_failed", "dag_id": row[0], "run_id": row[1], "task_id": row[2], "map_index": row[3]})
    for row in db.execute(text("select dag_id, run_id from dag_run where state = 'failed'")):
        found.append({"kind": "run_failed", "dag_id": row[0], "run_id": row[1]})
print(json.dumps(found))
`;

function fillDisk(spool: string): () => void {
  if (process.getuid?.() !== 0)
    throw new Error('a full disk is made with mount, which needs root: run this as root, in a container for instance');
  mkdirSync(spool, { recursive: true });
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', spool]);
  try {
    writeFileSync(join(spool, 'filling'), Buffer.alloc(256 * 1024));
    throw new Error(`${spool} took more than it has`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
  return () => unmount(spool);
}

function unmount(spool: string): void {
  if (!existsSync(spool)) return;
  const real = realpathSync(spool); // the kernel knows no symbolic links in the list of its mounts
  if (readFileSync('/proc/mounts', 'utf8').includes(` ${real} tmpfs `)) execFileSync('/bin/umount', [real]);
}

/** A stack that goes through the package, or the words with which Airflow reports that it had to catch a listener's or a callback's exception. */
const CAUGHT =
  /firedamper_airflow\/\w+\.py"?, (?:line|"lineno)|error calling listener|PluginValidationError|Failed to (?:import|load) plugin|Error when executing .*callback/i;

const LOST = /firedamper: \w+ was lost: .*the spool takes nothing/;

const logsOf = (lab: PackageLab) => [join(lab.airflow.home, 'logs'), lab.airflow.logs];

function linesIn(folders: readonly string[], sought: RegExp): string[] {
  return folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap((entry) =>
        readFileSync(join(entry.parentPath, entry.name), 'utf8')
          .split('\n')
          .filter((line) => sought.test(line)),
      ),
  );
}
