import { expect } from 'vitest';
import type { components } from '../../../src/http/schema-service.d.ts';
import { type PersonName, type Service, tokenOf } from './service.ts';
import { until } from './until.ts';

type Schemas = components['schemas'];
export type Incident = Schemas['Incident'];
export type Repair = Schemas['Repair'];
export type Hold = Schemas['Hold'];
export type TimelineEntry = Schemas['TimelineEntry'];

export interface Reply<T> {
  readonly status: number;
  readonly body: T;
}

/** Firedamper as its users meet it: HTTP with a token, nothing else. */
export class Firedamper {
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  // what it says

  async incidents(dagId: string): Promise<Incident[]> {
    return (await this.get<{ incidents: Incident[] }>(`/v1/incidents?dag_id=${encodeURIComponent(dagId)}`)).incidents;
  }

  /** Every incident there is, whatever the DAG. */
  async allIncidents(): Promise<Incident[]> {
    return (await this.get<{ incidents: Incident[] }>('/v1/incidents?limit=200')).incidents;
  }

  incident(id: string): Promise<Incident> {
    return this.get(`/v1/incidents/${id}`);
  }

  async timeline(id: string): Promise<TimelineEntry[]> {
    return (await this.get<{ timeline: TimelineEntry[] }>(`/v1/incidents/${id}/timeline`)).timeline;
  }

  repair(id: string): Promise<Repair> {
    return this.get(`/v1/repairs/${id}`);
  }

  async holds(dagId: string): Promise<Hold[]> {
    return (await this.get<{ holds: Hold[] }>(`/v1/holds?dag_id=${encodeURIComponent(dagId)}`)).holds;
  }

  /** The DAGs that read what this one makes, as far as it knows. */
  async downstream(dagId: string): Promise<unknown[]> {
    const answer = await this.get<{ downstream?: unknown[] }>(`/v1/dags/lab/${encodeURIComponent(dagId)}`).catch(() => null);
    return answer?.downstream ?? [];
  }

  /** The time of the last poll that reached Airflow. */
  async lastPoll(): Promise<string | null> {
    const ready = await this.get<Schemas['Readiness']>('/readyz');
    return ready.airflows[0]?.last_poll_at ?? null;
  }

  /** Waits for a whole poll that began after now: what was to be found by polling has then been found. */
  async polledAfter(when: string): Promise<void> {
    for (const round of [1, 2]) {
      const after = round === 1 ? when : ((await this.lastPoll()) ?? when);
      await until('another poll is over', async () => ((await this.lastPoll()) ?? '') > after, { seconds: 40 });
    }
  }

  // what people do

  async fixed(incidentId: string, as: PersonName = 'rita'): Promise<Repair> {
    const { repair } = await this.done<{ repair: Repair | null }>(as, `/v1/incidents/${incidentId}/fixed`, {
      reason: 'the source is back',
    });
    if (!repair) throw new Error('nothing to repair');
    return this.reached(repair.id, 'proposed');
  }

  approve(repair: Repair, as: PersonName = 'ann'): Promise<Reply<Repair & Record<string, unknown>>> {
    return this.post(as, `/v1/repairs/${repair.id}/approve`, { digest: repair.digest, comment: 'read it, go' });
  }

  /** A POST that must succeed. */
  async done<T>(as: PersonName, path: string, body: unknown): Promise<T> {
    const reply = await this.post<T>(as, path, body);
    expect(reply.status, `POST ${path}: ${JSON.stringify(reply.body)}`).toBeLessThan(300);
    return reply.body;
  }

  async post<T>(as: PersonName, path: string, body: unknown): Promise<Reply<T>> {
    return this.#call('POST', path, as, body);
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.#call<T>('GET', path, 'vera');
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  // waiting

  /** The one incident of this failing DAG; more than one is wrong at any time. */
  async opened(dagId: string, seconds = 30): Promise<Incident> {
    const [found] = await until(`an incident of ${dagId} is open`, async () => nonEmpty(await this.incidents(dagId)), {
      seconds,
    });
    expect(await this.incidents(dagId)).toHaveLength(1);
    return found as Incident;
  }

  /** Waits for a status, and fails at once when the incident ends otherwise. */
  async status(id: string, wanted: Incident['status'], seconds = 90): Promise<Incident> {
    const show = async () => ({ incident: await this.incident(id), timeline: (await this.timeline(id)).map(line) });
    return until(
      `incident ${id} is ${wanted}`,
      async () => {
        const now = await this.incident(id);
        return now.status === wanted ? now : null;
      },
      { seconds, show },
    );
  }

  async reached(repairId: string, wanted: Repair['state'], seconds = 90): Promise<Repair> {
    const look = () => this.repair(repairId);
    return until(`repair ${repairId} is ${wanted}`, async () => ((await look()).state === wanted ? look() : null), {
      seconds,
      show: look,
    });
  }

  async #call<T>(method: string, path: string, as: PersonName, body?: unknown): Promise<Reply<T>> {
    const headers = { authorization: `Bearer ${tokenOf(as)}`, 'content-type': 'application/json' };
    const response = await fetch(this.#service.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text ? JSON.parse(text) : null) as T };
  }
}

const nonEmpty = <T>(list: T[]): T[] | null => (list.length > 0 ? list : null);

/** One line of a timeline, for reading. */
export const line = (entry: TimelineEntry): string =>
  `${entry.at} ${entry.actor}: ${entry.event} ${entry.subject ?? ''} [${entry.reason_code}] ${entry.reason}${entry.comment ? ` "${entry.comment}"` : ''}`;
