import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type AirflowVersion, ensureAirflow, startAirflow } from '../../../src/demo/lab.ts';
import { quickStarts } from '../quickStarts.ts';
import { startRelay } from './relay.ts';

/** What a story is told about the Airflow it runs against. */
export interface LabFacts {
  readonly version: AirflowVersion;
  readonly url: string;
  /** `admin` is a person, `firedamper` the service's own account: the audit log tells them apart. */
  readonly users: Readonly<Record<string, string>>;
  readonly flags: string;
  readonly records: string;
  /** Where the services of the stories keep their files. */
  readonly work: string;
  /** First logical day of the time-scheduled DAGs, `YYYY-MM-DD`. */
  readonly start: string;
  readonly relay: string;
  readonly callbackSecret: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    lab: LabFacts;
  }
}

const PROJECT = join(import.meta.dirname, '..', '..', '..');
const DAYS_BACK = 12;

/** No story of these kills a task, and one whose heartbeats do not get through on a busy machine must not be taken for dead after the lab's 30 s. */
export const PATIENT = {
  AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: '120',
  AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD: '120',
};

/** Starts this project's Airflow; an error in here fails the run, which is meant: a story that was not told is not a story that passed. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const version = project.name as AirflowVersion;
  const root = join(PROJECT, '.firedamper');
  const work = join(root, process.env.FIREDAMPER_LIVE_DIR ?? 'live', version);
  const onProgress = (line: string) => console.error(`[Airflow ${version}] ${line}`);
  const installation = await ensureAirflow({ version, root, callbacks: join(PROJECT, 'airflow-callbacks'), onProgress });
  const [flags, records, services] = ['flags', 'records', 'services'].map((name) => join(work, name)) as [string, string, string];
  quickStarts(join(work, 'compiled'));
  const relay = await startRelay();
  const callbackSecret = `whsec_${randomBytes(32).toString('base64')}`;
  const start = new Date(Date.now() - DAYS_BACK * 86_400_000).toISOString().slice(0, 10);
  const airflow = await startAirflow({
    ...{ installation, onProgress, home: join(work, 'airflow') },
    dagsFolder: join(PROJECT, 'test', 'live', 'dags'),
    emptied: [flags, records, services],
    serviceUsers: ['firedamper'],
    // A dozen services ask at once, and 2.11.2 hashes the password at each request (150-200 ms). Not proved to be much: its web server took 0.8 of a core before
    // and after, and story 22 took 557 s instead of 686. The labs of the demo and of the matrix have the real hash.
    cheapLogins: true,
    reparseSeconds: 60,
    parallelism: 8,
    env: {
      ...PATIENT,
      FIREDAMPER_URL: relay.url,
      FIREDAMPER_SECRET: callbackSecret,
      FIREDAMPER_AIRFLOW: 'lab',
      FIREDAMPER_LAB_FLAGS: flags,
      FIREDAMPER_LAB_RECORDS: records,
      FIREDAMPER_LAB_START: start,
    },
  });
  project.provide('lab', {
    ...{ version, start, callbackSecret, flags, records, work: services },
    ...{ url: airflow.url, users: airflow.users, relay: relay.url },
  });
  return async () => {
    await airflow.stop();
    await relay.close();
  };
}
