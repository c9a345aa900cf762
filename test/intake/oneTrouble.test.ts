/** What goes wrong once, or with one DAG, must not end the hearing of all the others. */
import { afterEach, expect, it, vi } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import type { Incident } from '../../src/core/incident.ts';
import { unavailable } from '../../src/errors.ts';
import { createPoller } from '../../src/intake/poller.ts';
import { createWorld } from '../../src/world.ts';
import { Scenario } from '../core/scenario.ts';
import { Disk, memoryStore } from '../support/faults/sim/memoryStore.ts';

afterEach(() => {
  vi.useRealTimers();
});

function site(change: Partial<AirflowClient>, disk = new Disk(), ofStore: object = {}) {
  const said: DomainEvent[] = [];
  const polls = { heard: 0 };
  const client = {
    id: 'prod',
    probe: async () => ({ serverTime: new Date().toISOString(), version: '3.3.2' }),
    listFailedRuns: async () => {
      polls.heard++;
      return [];
    },
    listFailedRunsUpdated: async () => [],
    listFailedTasks: async () => [],
    listRuns: async () => [],
    getRun: async () => null,
    listDags: async () => [],
    listImportErrors: async () => [],
    getLineage: async () => ({ airflow: 'prod', edges: [], gaps: [], seenAt: '' }),
    ...change,
  } as unknown as AirflowClient;
  const respond = async (e: DomainEvent) => {
    said.push(e);
    return {} as never;
  };
  const poller = createPoller({
    ...{ client, responder: { respond }, store: { ...memoryStore(disk), ...ofStore }, world: createWorld([]) },
    ...{ now: Date.now, onState: () => undefined, intervalMs: 10_000, surveyIntervalMs: 60_000, lookbackMs: 0 },
  });
  return { poller, said, polls };
}

const refused = (status: number, retryAfterMs?: number) =>
  new AirflowError('server_error', String(status), {
    ...{ outcome: 'none', status, operation: 'GET' },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });

it('one write that the disk refused at the first poll does not end all polls', async () => {
  const disk = new Disk();
  const real = memoryStore(disk);
  let refusals = 1;
  const setBaseline = async (airflow: string, at: string) => {
    if (refusals-- > 0) throw unavailable('somebody else holds its lock');
    return real.setBaseline(airflow, at);
  };
  const { poller } = site({}, disk, { setBaseline });
  await poller.poll();
  expect(poller.state().lastError).toMatch(/lock/);
  await poller.poll();
  expect(poller.state().lastError).toBeNull();
});

it('a watched run that wants to be left alone for five minutes keeps nobody else from being heard', async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-21T06:00:00.000Z') });
  const disk = new Disk();
  const s = new Scenario(['a>b']).contained('a');
  disk.incidents.set('inc-1', s.incident());
  const { poller, polls } = site({ getRun: () => Promise.reject(refused(503, 300_000)) }, disk);
  poller.start();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(poller.state().lastError, 'and it is told').toMatch(/503/);
  await poller.stop();
  expect(polls.heard).toBeGreaterThan(5);
});

it('a released DAG whose runs cannot be read is not told as one that never ran', async () => {
  const s = new Scenario(['a>b']).contained('a');
  const delivery = { airflow: 'prod', dagId: 'b', how: 'event', expectRun: true, since: '2026-11-21T01:00:00.000Z', runId: null };
  const reason = { code: 'delivered_event', detail: { asset: 's3://a' } };
  const deliveries = [{ ...delivery, reason, state: 'sent', orders: [] }] as unknown as Incident['deliveries'];
  const incident: Incident = { ...s.incident(), status: 'monitoring', releasing: true, deliveries };
  const disk = new Disk();
  disk.incidents.set('inc-1', incident);
  disk.ownerships.set('prod/b', { ...(s.ownership('b') as NonNullable<ReturnType<typeof s.ownership>>), state: 'ours' });
  const getDag = async (dagId: string) => ({ dagId, paused: true }) as never;
  const { poller, said } = site({ listRuns: () => Promise.reject(refused(500)), getDag }, disk);
  await poller.poll();
  const seen = said.find((e) => e.type === 'observed');
  expect(seen).toMatchObject({ seen: { unreadReleased: ['b'] } });
  s.state = { ...s.state, incidents: [incident] };
  s.when(seen as DomainEvent);
  expect(s.incident().deliveries[0]?.state).toBe('sent');
});
