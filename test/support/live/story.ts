import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, inject } from 'vitest';
import { Firedamper, type Incident, type Repair } from './firedamper.ts';
import { Service, type ServiceOptions } from './service.ts';
import type { LabFacts } from './setup.ts';
import { type TrueRun, Truth } from './truth.ts';
import { until } from './until.ts';

/** Everything that one story needs; services are stopped when the file's tests are over. */
export interface Story {
  readonly lab: LabFacts;
  readonly truth: Truth;
  /** Starts a service of its own, which knows only these DAGs. */
  serve(options: ServiceOptions): Promise<{ readonly firedamper: Firedamper; readonly service: Service }>;
  /** Makes a task fail from now on; `how`: "once" for a single time. */
  breakTask(dagId: string, taskId: string, how?: string): void;
  mendTask(dagId: string, taskId: string): void;
  /** Makes the task wait at its beginning; answers what lets it go. */
  stopTaskAtStart(dagId: string, taskId: string): () => void;
  /** Breaks the task, starts a run and waits until it has failed. */
  failedRun(dagId: string, taskId: string): Promise<TrueRun>;
}

export function story(): Story {
  const lab = inject('lab');
  const truth = new Truth(lab);
  const services: Service[] = [];
  const flag = (name: string) => join(lab.flags, name);
  const breakTask = (dagId: string, taskId: string, how = '') => writeFileSync(flag(`${dagId}.${taskId}`), how);
  afterAll(async () => {
    await Promise.all(services.map((service) => service.close()));
  });
  return {
    lab,
    truth,
    async serve(options) {
      for (const prefix of options.prefixes) await truth.knownByPrefix(prefix); // so that the service's first look at Airflow shows them
      const service = await Service.start(lab, options);
      services.push(service);
      return { service, firedamper: new Firedamper(service) };
    },
    breakTask,
    mendTask: (dagId, taskId) => rmSync(flag(`${dagId}.${taskId}`), { force: true }),
    stopTaskAtStart(dagId, taskId) {
      const file = flag(`${dagId}.${taskId}.wait`);
      writeFileSync(file, '');
      return () => {
        if (existsSync(file)) rmSync(file);
      };
    },
    async failedRun(dagId, taskId) {
      await truth.known(dagId);
      breakTask(dagId, taskId);
      const runId = `live__${dagId}__1`;
      await truth.trigger(dagId, runId);
      return truth.ended(dagId, runId, 'failed');
    },
  };
}

/** The incident of the failing DAG once everything behind it is held, and Airflow itself says that these DAGs, and no others, are paused. */
export async function heldExactly(
  truth: Truth,
  firedamper: Firedamper,
  failing: string,
  held: readonly string[],
  free: readonly string[],
): Promise<Incident> {
  const { id } = await firedamper.opened(failing);
  const incident = await firedamper.status(id, 'contained', 45);
  expect(incident.holds.map((hold) => hold.dag_id).sort()).toEqual([...held].sort());
  for (const dagId of held) expect(await truth.isPaused(dagId), `${dagId} is paused in Airflow`).toBe(true);
  for (const dagId of free) expect(await truth.isPaused(dagId), `${dagId} is not paused in Airflow`).toBe(false);
  return incident;
}

/** Says "fixed", approves the plan by its digest and waits until the incident is over. */
export async function repaired(
  firedamper: Firedamper,
  incidentId: string,
): Promise<{ readonly repair: Repair; readonly incident: Incident }> {
  const proposed = await firedamper.fixed(incidentId);
  const answer = await firedamper.approve(proposed);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  await firedamper.reached(proposed.id, 'succeeded');
  const incident = await firedamper.status(incidentId, 'resolved');
  return { repair: await firedamper.repair(proposed.id), incident };
}

/** The DAG's only run since the story began, succeeded; waits for it. */
export async function ranOnce(truth: Truth, dagId: string): Promise<TrueRun> {
  await until(`${dagId} has run`, async () => (await truth.runs(dagId)).some((run) => run.state === 'success'), {
    seconds: 60,
    show: () => truth.runs(dagId),
  });
  const runs = await truth.runs(dagId);
  expect(runs, `${dagId} has exactly one run`).toHaveLength(1);
  expect(truth.records(dagId), `${dagId} has worked exactly once`).toHaveLength(1);
  return runs[0] as TrueRun;
}
