/** One round: some runs fail while Firedamper is in a certain mood, others go on beside them, and Airflow's own figures say how both fared. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AirflowByHand, until } from '../matrix/airflow.ts';

export interface Round {
  readonly name: string;
  /** Tasks (or runs) that ended as `failed` at their first try, of those that were started. */
  readonly failed: number;
  readonly started: number;
  /** Seconds of the failing tasks, by Airflow's own clock. */
  readonly taskSeconds: readonly number[];
  /** Seconds from the trigger of a failing run to its end. */
  readonly runSeconds: readonly number[];
  /** Seconds from the trigger of a run that has nothing to do to its end: the scheduler's loop, seen from outside. */
  readonly beatSeconds: readonly number[];
  /** The oldest heartbeat of the scheduler that was seen, in seconds. */
  readonly oldestHeartbeat: number;
  /** Seconds of the processor that the scheduler's process took for all this. */
  readonly schedulerSeconds: number;
}

interface Started {
  readonly runId: string;
  readonly at: number;
}

export async function failBeside(airflow: AirflowByHand, name: string, count: number): Promise<Round> {
  return beside(airflow, name, async () => {
    const started: Started[] = [];
    for (let index = 0; index < count; index++) {
      started.push(await start(airflow, 'ff_fail', `${name}_${index}`));
      await sleep(700);
    }
    const seconds = [];
    for (const run of started) seconds.push(await ended(airflow, 'ff_fail', run, 90));
    const tasks = await Promise.all(started.map(({ runId }) => airflow.tasks('ff_fail', runId)));
    return { started: count, runSeconds: seconds, tasks: tasks.flat() };
  });
}

/** `count` mapped tasks of one run, all of which fail, as many at a time as the executor takes. */
export async function manyBeside(airflow: AirflowByHand, name: string, count: number): Promise<Round> {
  return beside(airflow, name, async () => {
    const run = await start(airflow, 'ff_many', name);
    const seconds = await ended(airflow, 'ff_many', run, 120 + count * 5);
    return { started: count, runSeconds: [seconds], tasks: await airflow.tasks('ff_many', name) };
  });
}

/** `count` runs that the scheduler finds to be over their time, one after the other in the same loops. */
export async function stormBeside(airflow: AirflowByHand, name: string, count: number): Promise<Round> {
  const before = await airflow.count('ff_storm', 'failed');
  await airflow.pause('ff_storm', true);
  const names = Array.from({ length: count }, (_, index) => `${name}_${index}`);
  while (names.length > 0) await Promise.all(names.splice(0, AT_ONCE).map((runId) => airflow.trigger('ff_storm', runId)));
  return beside(airflow, name, async () => {
    const from = Date.now();
    await airflow.pause('ff_storm', false);
    const failed = async () => (await airflow.count('ff_storm', 'failed')) - before;
    await until(`${count} runs are over their time`, 300 + count, async () => (await failed()) >= count);
    return { started: count, runSeconds: [(Date.now() - from) / 1000], tasks: [], failed: await failed() };
  });
}

const AT_ONCE = 8;
/** Seldom enough that what is measured is not the measuring: each is a task of its own. */
const BEAT_MS = 4_000;

interface Failed {
  readonly started: number;
  readonly runSeconds: readonly number[];
  readonly tasks: Awaited<ReturnType<AirflowByHand['tasks']>>;
  /** Where it is runs that fail, not tasks. */
  readonly failed?: number;
}

async function beside(airflow: AirflowByHand, name: string, fail: () => Promise<Failed>): Promise<Round> {
  const done = new AbortController();
  const before = airflow.schedulerSeconds();
  const watching = Promise.all([beat(airflow, name, done.signal), watchPulse(airflow, done.signal)]);
  watching.catch(() => undefined); // a round that failed is told by its own error
  const { started, runSeconds, tasks, ...counted } = await fail().finally(() => done.abort());
  const [beatSeconds, oldestHeartbeat] = await watching;
  const failed = counted.failed ?? tasks.filter((task) => task.state === 'failed' && task.tryNumber === 1).length;
  const taskSeconds = tasks.flatMap(({ seconds }) => (seconds === null ? [] : [seconds]));
  return {
    name,
    failed,
    started,
    taskSeconds,
    runSeconds,
    beatSeconds,
    oldestHeartbeat,
    schedulerSeconds: airflow.schedulerSeconds() - before,
  };
}

async function beat(airflow: AirflowByHand, name: string, over: AbortSignal): Promise<number[]> {
  const started: Started[] = [];
  while (!over.aborted) {
    started.push(await start(airflow, 'ff_beat', `${name}_beat${started.length}`));
    await sleep(BEAT_MS, undefined, { signal: over }).catch(() => undefined);
  }
  const seconds: number[] = [];
  for (const run of started) seconds.push(await ended(airflow, 'ff_beat', run, 120, 'success'));
  return seconds;
}

async function watchPulse(airflow: AirflowByHand, over: AbortSignal): Promise<number> {
  let oldest = 0;
  while (!over.aborted) {
    const last = await airflow.heartbeat().catch(() => null);
    if (last !== null) oldest = Math.max(oldest, (Date.now() - last) / 1000);
    await sleep(500);
  }
  return oldest;
}

async function start(airflow: AirflowByHand, dagId: string, runId: string): Promise<Started> {
  const at = Date.now();
  await airflow.trigger(dagId, runId);
  return { runId, at };
}

async function ended(airflow: AirflowByHand, dagId: string, run: Started, seconds: number, state = 'failed'): Promise<number> {
  const seen = await until(`${dagId} ${run.runId} is ${state}`, seconds, async () => {
    const now = await airflow.run(dagId, run.runId);
    return now.state === state && now.end !== null ? now : null;
  });
  return ((seen.end ?? Number.NaN) - run.at) / 1000;
}
