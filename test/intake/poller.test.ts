/** The poll of one Airflow, on a store in memory and an Airflow that answers when told to. */
import { expect, it } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import { laneOf } from '../../src/airflow/lanes.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import type { TaskFacts } from '../../src/core/facts.ts';
import { createPoller } from '../../src/intake/poller.ts';
import { createWorld } from '../../src/world.ts';
import { Disk, memoryStore } from '../support/faults/sim/memoryStore.ts';

const at = (minutes: number): number => Date.parse('2026-11-21T06:00:00.000Z') + minutes * 60_000;

/** Its clock is `ahead` minutes of ours. */
function site(ahead: number, surveyMinutes = 1) {
  const disk = new Disk();
  const failed: TaskFacts[] = [];
  const heard: string[] = [];
  const lists: string[] = [];
  let now = at(0);
  let up = false;
  let whilePolled: () => void = () => undefined;
  const away = () => Promise.reject(new AirflowError('unreachable', 'away', { outcome: 'none', operation: 'GET' }));
  const client = {
    id: 'prod',
    probe: async () => (up ? { serverTime: new Date(now + ahead * 60_000).toISOString(), version: '3.3.2' } : away()),
    listFailedRuns: async () => {
      whilePolled();
      return [];
    },
    listFailedRunsUpdated: async () => [],
    listFailedTasks: async (since: string) => failed.filter((t) => (t.endDate ?? '') >= since),
    getRun: async () => null,
    listDags: async () => {
      lists.push(laneOf('reads'));
      return [];
    },
    getLineage: async () => ({ airflow: 'prod', edges: [], gaps: [], seenAt: '' }),
  } as unknown as AirflowClient;
  const responder = {
    respond: async (e: DomainEvent) => {
      if (e.type === 'signal') heard.push(e.signal.runId);
      return {} as never;
    },
  };
  const boot = () =>
    createPoller({
      ...{ client, responder, store: memoryStore(disk), world: createWorld([]), now: () => now, onState: () => undefined },
      ...{ intervalMs: 60_000, surveyIntervalMs: surveyMinutes * 60_000, lookbackMs: 0 },
    });
  return {
    heard,
    /** In whose places the list of DAGs was asked for. */
    lists,
    boot,
    wait: (minutes: number) => {
      now = at(minutes);
    },
    /** Ours is set while the next poll goes on; Airflow's is not. */
    clockIsSet: (minutes: number) => {
      whilePolled = () => {
        whilePolled = () => undefined;
        now += minutes * 60_000;
        ahead -= minutes;
      };
    },
    comeUp: () => {
      up = true;
    },
    fail: (runId: string, minutes: number) =>
      failed.push({
        ...{ dagId: 'd', runId, taskId: 'make', mapIndex: -1, tryNumber: 1, maxTries: 0, state: 'failed', operator: null },
        ...{ startDate: null, endDate: new Date(at(minutes + ahead)).toISOString() },
      }),
  };
}

it.each([0, 10, -10])(
  'what fails between the first start and a restart before the first answer is heard; clocks %i min apart',
  async (ahead) => {
    const s = site(ahead);
    s.fail('before', -2);
    await s.boot().poll();
    s.fail('meanwhile', 1);
    s.wait(3);
    s.comeUp();
    const again = s.boot();
    await again.poll();
    expect(s.heard).toEqual(['meanwhile']);
    s.wait(4);
    s.fail('later', 4);
    await again.poll();
    expect(s.heard).toEqual(['meanwhile', 'later']);
  },
);

it('a clock that is set ahead while we poll makes the next poll skip nothing', async () => {
  const s = site(0, 60);
  s.comeUp();
  const poller = s.boot();
  await poller.poll();
  s.wait(1);
  s.clockIsSet(10);
  await poller.poll();
  s.wait(12);
  await poller.poll();
  s.fail('late', 13);
  s.wait(13);
  await poller.poll();
  expect(s.heard).toEqual(['late']);
});

it('a survey asks for the list of DAGs in its own places, not in those that holds wait for', async () => {
  const s = site(0);
  s.comeUp();
  await s.boot().poll();
  expect(s.lists).toEqual(['survey']);
});
