/** The poll of one Airflow, on a store in memory and an Airflow that answers when told to. */
import { expect, it } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import { laneOf } from '../../src/airflow/lanes.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import type { RunFacts, TaskFacts } from '../../src/core/facts.ts';
import { createPoller } from '../../src/intake/poller.ts';
import { createWorld } from '../../src/world.ts';
import { Disk, memoryStore } from '../support/faults/sim/memoryStore.ts';

const at = (minutes: number): number => Date.parse('2026-11-21T06:00:00.000Z') + minutes * 60_000;
const iso = (minutes: number): string => new Date(at(minutes)).toISOString();

/** Its clock is `ahead` minutes of ours. */
function site(ahead: number, surveyMinutes = 1) {
  const disk = new Disk();
  const failed: TaskFacts[] = [];
  const heard: string[] = [];
  const lists: string[] = [];
  /** What was asked of Airflow, in order; and what of it is not answered now. */
  const asked: string[] = [];
  const refused = new Set<string>();
  const asks = (what: string, since = '') => {
    asked.push(`${what} ${since.slice(11, 16)}`.trim());
    if (refused.has(what))
      throw new AirflowError('server_error', `${what}: 504`, { outcome: 'none', status: 504, operation: what });
  };
  const updated: RunFacts[] = [];
  let now = at(0);
  let up = false;
  let whilePolled: () => void = () => undefined;
  const away = () => Promise.reject(new AirflowError('unreachable', 'away', { outcome: 'none', operation: 'GET' }));
  const client = {
    id: 'prod',
    probe: async () => {
      asked.push('probe');
      return up ? { serverTime: new Date(now + ahead * 60_000).toISOString(), version: '3.3.2' } : away();
    },
    listFailedRuns: async (since: string) => {
      asks('runs', since);
      whilePolled();
      return [];
    },
    listFailedRunsUpdated: async (since: string) => {
      asks('updated', since);
      return updated.filter((r) => (r.endDate ?? '') >= since);
    },
    listFailedTasks: async (since: string) => {
      asks('tasks', since);
      return failed.filter((t) => (t.endDate ?? '') >= since);
    },
    getRun: async () => null,
    listDags: async () => {
      asks('dags');
      lists.push(laneOf('reads'));
      return [];
    },
    listImportErrors: async () => [],
    getLineage: async () => ({ airflow: 'prod', edges: [], gaps: [], seenAt: '' }),
  } as unknown as AirflowClient;
  const ticks = { count: 0 };
  const responder = {
    respond: async (e: DomainEvent) => {
      if (e.type === 'tick') ticks.count++;
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
    ticks,
    /** What was asked since the last question. */
    asked: () => asked.splice(0),
    refuse: (...what: string[]) => {
      refused.clear();
      for (const one of what) refused.add(one);
    },
    watermark: () => memoryStore(disk).watermark('prod'),
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
    goDown: () => {
      up = false;
      for (const what of ['runs', 'tasks', 'updated', 'dags']) refused.add(what);
    },
    /** A failed run that only `updated_at` shows by now. */
    failLate: (runId: string, minutes: number) =>
      updated.push({
        ...{
          dagId: 'd',
          runId,
          state: 'failed',
          runType: 'manual',
          logicalDate: null,
          startDate: iso(minutes),
          endDate: iso(minutes),
        },
      } as unknown as RunFacts),
    fail: (runId: string, minutes: number) =>
      failed.push({
        ...{ dagId: 'd', runId, taskId: 'make', mapIndex: -1, tryNumber: 1, maxTries: 0, state: 'failed', operator: null },
        ...{ startDate: null, endDate: new Date(at(minutes + ahead)).toISOString() },
      }),
  };
}

/** It goes on beside the poll. */
const surveyed = () => new Promise((resolve) => setImmediate(resolve));

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

it('a list that does not answer keeps nothing else from being seen, and nothing moves on', async () => {
  const s = site(0, 5);
  s.comeUp();
  const poller = s.boot();
  await poller.poll();
  const [mark, before] = [await s.watermark(), s.ticks.count];
  s.asked();
  s.refuse('runs');
  s.fail('other list', 1);
  for (const minute of [1, 6, 7]) {
    s.wait(minute);
    await poller.poll();
    await surveyed();
  }
  expect(s.heard).toEqual(['other list']);
  expect(s.ticks.count - before).toBe(3);
  expect(s.asked().filter((what) => what === 'dags' || what.startsWith('updated'))).toEqual([...['updated 05:55', 'dags']]);
  expect(poller.state()).toMatchObject({ lastPollAt: iso(0), lastError: 'runs: 504' });
  expect(await s.watermark()).toBe(mark);
  s.refuse();
  await poller.poll();
  expect(s.asked()).toEqual(['runs 05:55', 'tasks 05:55']);
  expect(poller.state()).toMatchObject({ lastPollAt: iso(7), lastError: null });
});

it('where none of them answers, Airflow is asked whether it is there before anything else is', async () => {
  const s = site(0, 60);
  s.comeUp();
  const poller = s.boot();
  await poller.poll();
  s.asked();
  s.refuse('runs', 'tasks');
  for (const minute of [1, 2]) {
    s.wait(minute);
    await poller.poll();
    await surveyed();
  }
  expect(s.asked()).toEqual(['runs 05:55', 'tasks 05:55', 'probe', 'runs 05:55', 'tasks 05:55']);
  expect(s.ticks.count).toBe(2);
  s.goDown();
  for (const minute of [3, 4, 70]) {
    s.wait(minute);
    await poller.poll();
    await surveyed();
  }
  expect(s.asked()).toEqual(['probe', 'probe', 'probe']);
  expect(s.ticks.count).toBe(2);
});

it('the second pass does not answer for half an hour: the lists are heard, each from where it stands, also after a restart', async () => {
  const s = site(0, 10);
  s.comeUp();
  let poller = s.boot();
  await poller.poll();
  const mark = await s.watermark();
  s.refuse('updated');
  s.asked();
  s.fail('first', 10);
  s.failLate('late', 11);
  for (const minute of [10, 15, 20, 30]) {
    s.wait(minute);
    await poller.poll();
    await surveyed();
  }
  expect(s.heard).toEqual(['first']);
  expect(s.asked().filter((what) => /^(tasks|updated)/.test(what))).toEqual([
    ...['tasks 05:55', 'updated 05:55', 'tasks 06:05'],
    ...['tasks 06:10', 'updated 05:55', 'tasks 06:15', 'updated 05:55'],
  ]);
  expect(await s.watermark()).toBe(mark);
  poller = s.boot();
  s.refuse();
  await poller.poll();
  expect(s.heard).toEqual(['first', 'late']);
  expect(await s.watermark()).toBe(iso(30));
});
