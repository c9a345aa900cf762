/** One version: a real Airflow with the package, a receiver that believes nothing, and the real service beside them, which only polls. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AirflowVersion } from '../../src/demo/lab.ts';
import { AirflowByHand, type RunSeen, until } from './airflow.ts';
import { CASES, type Case, IMPORT_ERROR } from './cases.ts';
import { labDir, newSecret, type PackageLab, startPackageLab } from './lab.ts';
import { type Polled, startPolling } from './polling.ts';
import { type Arrival, type MatrixReceiver, startMatrixReceiver } from './receiver.ts';

/** One event, however often it was sent. */
export interface Heard {
  readonly kind: string;
  readonly requests: number;
  readonly part: string;
  readonly titles: readonly string[];
  /** Milliseconds from the failure to the first request: for `task_*` from the moment in the task, for runs from Airflow's own end of the run. */
  readonly late: number | null;
  readonly taskId: string | null;
  readonly tryNumber: number | null;
  readonly said: Readonly<Record<string, unknown>>;
}

export interface CaseResult {
  readonly dagId: string;
  readonly words: string;
  readonly events: readonly Heard[];
  readonly run: RunSeen | null;
  readonly tasks: readonly string[];
  readonly poll: Polled | null;
}

export interface VersionResult {
  readonly version: AirflowVersion;
  readonly date: string;
  readonly packageVersion: string;
  readonly cases: readonly CaseResult[];
  readonly unsigned: number;
  /** What the service says about its link to this Airflow. */
  readonly service: Readonly<Record<string, unknown>>;
}

const RUN = 'matrix__1';
/** What comes late comes within this: the DAG processor's callbacks, and the second of two heartbeat checks. */
const SETTLE_MS = 12_000;

export async function runVersion(version: AirflowVersion): Promise<VersionResult> {
  const secret = newSecret();
  const dir = labDir(version, 'ways');
  const receiver = await startMatrixReceiver(secret, join(dir, 'airflow', 'crew.json'));
  const stops: (() => Promise<void>)[] = [() => receiver.close()];
  try {
    const lab = await startPackageLab({
      ...{ version, name: 'ways', secret, url: receiver.url, parallelism: 6, folders: ['moments', 'services'] },
      env: { FIREDAMPER_MATRIX_MOMENTS: join(dir, 'moments'), AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME: '5' },
    });
    stops.unshift(() => lab.airflow.stop());
    return await measure(lab, receiver, stops);
  } finally {
    for (const stop of stops) await stop();
  }
}

async function measure(lab: PackageLab, receiver: MatrixReceiver, stops: (() => Promise<void>)[]): Promise<VersionResult> {
  const airflow = new AirflowByHand(lab.airflow);
  await copyFile(join(import.meta.dirname, 'dags', 'matrix_dags.py'), join(lab.dags, 'matrix_dags.py'));
  const wanted = CASES.map((each) => each.dagId);
  await until('Airflow knows the DAGs', 120, async () => {
    const errors = await airflow.importErrors();
    if (errors.length > 0) throw new Error(JSON.stringify(await airflow.call('GET', '/importErrors')));
    const known = await airflow.knownDags();
    return wanted.every((dagId) => known.includes(dagId));
  });
  const service = await startPolling(lab, receiver.url);
  stops.unshift(() => service.close());
  const seen = await provokeAll(airflow, lab.airflow.version);
  const broken = await breakFile(airflow, lab);
  await sleep(SETTLE_MS);
  const cases = [];
  for (const each of CASES) {
    const { act, end } = seen.get(each.dagId) ?? {};
    const causes = [...(await momentsOf(lab, each.dagId)), ...(act === undefined ? [] : [act])];
    cases.push(await resultOf(each, airflow, { causes, end: end ?? null }, receiver, await service.found(each.dagId)));
  }
  // The list of files that do not load is read with the list of DAGs, less often than failures.
  const file = await until('the service has found the file', 30, () => service.foundFile(IMPORT_ERROR.file)).catch(() => null);
  cases.push(await importErrorResult(receiver, broken, file));
  return {
    ...{ version: lab.airflow.version, date: new Date().toISOString().slice(0, 10), cases },
    packageVersion: String(receiver.arrivals.at(-1)?.body.package_version ?? ''),
    unsigned: receiver.arrivals.filter((arrival) => !arrival.signed).length,
    service: await service.link(),
  };
}

/** Seen while it happened. */
interface Seen {
  /** When a person did what made the run fail. */
  act?: number;
  /** The run's end as Airflow first told it: 2.11.2 writes another one some seconds later where a task was still to be ended. */
  end?: number | null;
}

async function provokeAll(airflow: AirflowByHand, version: string): Promise<ReadonlyMap<string, Seen>> {
  const all = new Map<string, Seen>();
  const provoke = (each: Case) => {
    const seen: Seen = {};
    all.set(each.dagId, seen);
    return provokeOne(each, airflow, version, seen);
  };
  await Promise.all(CASES.filter((each) => each.group === 'first').map(provoke));
  for (const each of CASES.filter((one) => one.group === undefined)) await provoke(each);
  await Promise.all(CASES.filter((each) => each.group === 'last').map(provoke));
  return all;
}

/** A case that does not end as it should is a finding, not the end of the table. */
async function provokeOne(each: Case, airflow: AirflowByHand, version: string, seen: Seen): Promise<void> {
  const { dagId } = each;
  try {
    await airflow.trigger(dagId, RUN);
    await each.act?.(airflow, RUN, () => {
      seen.act = Date.now();
    });
    const failed = await until(`${dagId} has failed`, each.seconds ?? 60, async () => {
      const run = await airflow.run(dagId, RUN);
      return run.state === 'failed' ? run : null;
    });
    seen.end = failed.end;
    console.error(`[${version}] ${dagId} has failed`);
  } catch (error) {
    console.error(`[${version}] ${dagId}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function breakFile(airflow: AirflowByHand, lab: PackageLab): Promise<number | null> {
  await mkdir(lab.dags, { recursive: true });
  await writeFile(join(lab.dags, IMPORT_ERROR.file), 'from airflow import DAG\nimport a_module_that_nobody_has\n');
  try {
    return await until('Airflow knows the import error', 60, async () => {
      const found = (await airflow.importErrors()).find((error) => error.file.endsWith(IMPORT_ERROR.file));
      return found?.at ?? null;
    });
  } catch (error) {
    console.error(String(error));
    return null;
  }
}

/** What the tasks themselves noted down just before they failed. */
async function momentsOf(lab: PackageLab, dagId: string): Promise<number[]> {
  const text = await readFile(join(lab.dir, 'moments', dagId), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => Number(line) * 1000);
}

/** The moments of the failure: in the tasks or of the act, and of the run's end. */
interface When {
  readonly causes: readonly number[];
  readonly end: number | null;
}

async function resultOf(
  each: Case,
  airflow: AirflowByHand,
  when: When,
  receiver: MatrixReceiver,
  poll: Polled | null,
): Promise<CaseResult> {
  const { dagId, words } = each;
  const run = await airflow.run(dagId, RUN).catch(() => null);
  const tasks = (await airflow.tasks(dagId, RUN).catch(() => [])).map((task) => `${task.taskId}: ${task.state}`);
  const arrivals = receiver.arrivals.filter((arrival) => arrival.body.dag_id === dagId);
  const events = heard(arrivals, (arrival) => causeOf(arrival, when));
  return { dagId, words, run: run && { ...run, end: when.end ?? run.end }, tasks, poll, events };
}

/** The last moment before the arrival: a task that is tried again fails more than once. */
function causeOf(arrival: Arrival, { causes, end }: When): number | null {
  if (String(arrival.body.kind).startsWith('run_')) return end;
  return causes.findLast((cause) => cause <= arrival.at) ?? null;
}

async function importErrorResult(receiver: MatrixReceiver, found: number | null, poll: Polled | null): Promise<CaseResult> {
  const arrivals = receiver.arrivals.filter(
    (arrival) => arrival.body.kind === 'import_error' && String(arrival.body.file).endsWith(IMPORT_ERROR.file),
  );
  return { ...IMPORT_ERROR, run: null, tasks: [], poll, events: heard(arrivals, () => found) };
}

function heard(arrivals: readonly Arrival[], cause: (arrival: Arrival) => number | null): Heard[] {
  const byId = Map.groupBy(arrivals, (arrival) => arrival.id);
  return [...byId.values()].map((requests) => {
    const [first] = requests as [Arrival];
    const from = cause(first);
    const { kind, task_id: taskId, try_number: tryNumber, ...said } = first.body;
    return {
      ...{ kind: String(kind), requests: requests.length, said },
      part: [...new Set(requests.map((request) => request.peer.part))].sort().join(' and '),
      titles: [...new Set(requests.map((request) => request.peer.title))],
      late: from === null ? null : first.at - from,
      taskId: typeof taskId === 'string' ? taskId : null,
      tryNumber: typeof tryNumber === 'number' ? tryNumber : null,
    };
  });
}
