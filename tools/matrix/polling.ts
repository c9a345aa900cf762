/** The real service, as its users start it, told nothing: what it knows it has found by polling. */

import { Service, tokenOf } from '../../test/support/live/service.ts';
import { AIRFLOW_ID, type PackageLab } from './lab.ts';

export interface Polled {
  readonly incidents: number;
  readonly type: string;
  readonly origins: readonly string[];
  readonly openedAt: number;
  /** Milliseconds after Airflow's own end of the failed run; null where there is none. */
  readonly status: string;
}

export interface PollingService {
  found(dagId: string): Promise<Polled | null>;
  /** The incident about a DAG file that does not load, by the end of the file's path. */
  foundFile(name: string): Promise<Polled | null>;
  link(): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

interface IncidentRow {
  readonly type: string;
  readonly status: string;
  readonly opened_at: string;
  readonly signals?: readonly { readonly origin: string }[];
  readonly broken_files?: readonly { readonly file: string }[];
  readonly id: string;
}

export async function startPolling(lab: PackageLab, relay: string): Promise<PollingService> {
  const facts = {
    ...{ version: lab.airflow.version, url: lab.airflow.url, users: lab.airflow.users, callbackSecret: lab.secret, relay },
    ...{ flags: '', records: '', start: '', work: `${lab.dir}/services` },
  };
  // So many different DAGs at once look like Airflow itself; here they are the subject.
  const policy = { platform: { mass_failure_dags: 10_000 }, watch: { dags: ['*'] } };
  const service = await Service.start(facts, { name: 'poll', prefixes: ['mx'], callbacks: false, policy });
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(service.url + path, { headers: { authorization: `Bearer ${tokenOf('vera')}` } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const foundBy = async (incidents: readonly IncidentRow[]): Promise<Polled | null> => {
    const [first] = incidents;
    if (first === undefined) return null;
    const whole = await get<IncidentRow>(`/v1/incidents/${first.id}`);
    const origins = [...new Set((whole.signals ?? []).map((signal) => signal.origin))];
    return {
      incidents: incidents.length,
      type: first.type,
      origins,
      openedAt: Date.parse(first.opened_at),
      status: first.status,
    };
  };
  const incidentsOf = async (query: string) => (await get<{ incidents: IncidentRow[] }>(`/v1/incidents?${query}`)).incidents;
  return {
    found: async (dagId) => foundBy(await incidentsOf(`dag_id=${encodeURIComponent(dagId)}`)),
    foundFile: async (name) => {
      const about = (one: IncidentRow) => one.broken_files?.some(({ file }) => file.endsWith(name)) === true;
      return foundBy((await incidentsOf('limit=200')).filter(about));
    },
    async link() {
      const { airflows } = await get<{ airflows: Record<string, unknown>[] }>('/readyz');
      return airflows.find((airflow) => airflow.id === AIRFLOW_ID) ?? airflows[0] ?? {};
    },
    close: () => service.close(),
  };
}
