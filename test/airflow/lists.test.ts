/** Lists: every page, whatever the cap; and the requests that they cost. */
import { afterEach, describe, expect, test } from 'vitest';
import { allPages } from '../../src/airflow/pages.ts';
import { Secret } from '../../src/config.ts';
import { type FakeOptions, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { clientOf } from './setup.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const start = async (options: FakeOptions, timeoutMs = 2_000) => {
  const fake = await startFakeAirflow(options);
  const client = clientOf({
    url: fake.url,
    auth: { kind: 'password', username: 'firedamper', password: new Secret('firedamper') },
    timeoutMs,
  });
  closing.push(
    () => fake.close(),
    () => client.close(),
  );
  return { fake, client };
};

/** A run that the event caused was cleared, and waits. */
const cleared = (event: { created: object[] } | undefined) =>
  event?.created.push({ dagId: 'B', runId: 'waits', triggering: true, run: { start: null } });

const since = new Date(0).toISOString();

test.each([
  [2, 100],
  [2, 30],
  [3, 100],
  [3, 30],
] as const)('generation %i with a page cap of %i: nothing is left out', async (generation, pageCap) => {
  const { fake, client } = await start({ generation, pageCap });
  for (let n = 0; n < 230; n++) fake.dag(`d${n}`, { tasks: { t: { outlets: [`x://${n}`] } } });
  for (let n = 0; n < 130; n++) fake.failRun(`d${n}`, 't', { runId: `r${n}` });
  expect(await client.listDags()).toHaveLength(230);
  expect(await client.listAssets()).toHaveLength(230);
  expect(await client.listFailedRuns(since)).toHaveLength(130);
  expect(await client.listFailedRunsUpdated(since)).toHaveLength(130);
  expect(await client.listFailedTasks(since)).toHaveLength(130);
});

test.each([2, 3] as const)(
  'generation %i: an idle poll is one request for runs and one for tasks, however many DAGs there are',
  async (generation) => {
    const { fake, client } = await start({ generation });
    for (let n = 0; n < 300; n++) fake.dag(`d${n}`, { tasks: { t: {} } });
    await client.getDag('d0');
    const before = fake.requests.length;
    await client.listFailedRuns(new Date().toISOString());
    await client.listFailedTasks(new Date().toISOString());
    expect(fake.requests.length - before).toBe(2);
  },
);

test.each([
  ['3.3.2', 1],
  ['3.1.8', 3],
])(
  '%s: the dead runs of a cancelled backfill are never among the failed ones; they cost %i requests a poll',
  async (version, requests) => {
    const day = 86_400_000;
    const { fake, client } = await start({ generation: 3, version });
    fake.dag('A', { paused: true, schedule: { every: day, start: Date.now() - 300 * day }, tasks: { t: {} } });
    const range = {
      dagId: 'A',
      from: new Date(Date.now() - 290 * day).toISOString(),
      to: new Date(Date.now() - 40 * day).toISOString(),
    };
    const backfill = await client.startBackfill({ ...range, reprocess: 'none', maxActiveRuns: 1 });
    await client.cancelBackfill(backfill.id);
    expect(fake.runs('A').filter((run) => run.state === 'failed').length).toBeGreaterThan(200);
    const before = fake.requests.length;
    expect(await client.listFailedRuns(since)).toEqual([]);
    expect(fake.requests.length - before).toBe(requests);
  },
);

test.each([2, 3] as const)('generation %i: many events of one asset, oldest first, from a moment on', async (generation) => {
  let now = Date.parse('2026-11-20T00:00:00Z');
  const { fake, client } = await start({ generation, now: () => now });
  fake.dag('A', { tasks: { t: { outlets: ['x://a', 'x://b'] } } });
  for (let n = 0; n < 250; n++) {
    now += 1_000;
    fake.world.createEvent(n % 2 === 0 ? 'x://a' : 'x://b', null, {}, 'person');
  }
  const asset = (await client.listAssets()).find((one) => one.uri === 'x://a');
  const { events: all } = await client.listAssetEvents(asset?.key ?? '', since);
  expect(all.map((event) => event.id)).toEqual(Array.from({ length: 125 }, (_, n) => n * 2 + 1));
  const { events: late } = await client.listAssetEvents(asset?.key ?? '', all[120]?.timestamp ?? '');
  expect(late.map((event) => event.id)).toEqual([241, 243, 245, 247, 249]);
});

test('an event whose run has not begun breaks its page (#71360): all others are read, and it is counted', async () => {
  let now = Date.parse('2026-11-20T00:00:00Z');
  const { fake, client } = await start({ generation: 3, now: () => now });
  fake.dag('A', { tasks: { t: { outlets: ['x://a'] } } });
  for (let n = 0; n < 150; n++) {
    now += 1_000;
    fake.world.createEvent('x://a', null, {}, 'person');
  }
  const [asset] = await client.listAssets();
  const whole = await client.listAssetEvents(asset?.key ?? '', since);
  const broken = [0, 70, 71, 149];
  for (const n of broken) cleared(fake.world.events[n]);
  const requests = fake.requests.length;
  const { events, unreadable } = await client.listAssetEvents(asset?.key ?? '', since);
  expect(unreadable).toBe(4);
  expect(events).toEqual(whole.events.filter((_, n) => !broken.includes(n)));
  expect(fake.requests.length - requests).toBeLessThan(60);
});

test('a list of more broken rows than are worth a request each is not read to its end', async () => {
  const { fake, client } = await start({ generation: 3 });
  fake.dag('A', { tasks: { t: { outlets: ['x://a'] } } });
  for (let n = 0; n < 250; n++) fake.world.createEvent('x://a', null, {}, 'person');
  for (const event of fake.world.events) cleared(event);
  const [asset] = await client.listAssets();
  const requests = fake.requests.length;
  await expect(client.listAssetEvents(asset?.key ?? '', since)).rejects.toMatchObject({ kind: 'server_error', status: 500 });
  expect(fake.requests.length - requests).toBeLessThan(230);
});

test('a wanted number is not exceeded, and pages of a smaller cap are put together', async () => {
  const rows = Array.from({ length: 500 }, (_, n) => n);
  const asked: number[] = [];
  const page = async (limit: number, offset: number) => {
    asked.push(offset);
    return { rows: rows.slice(offset, offset + Math.min(limit, 40)), total: null };
  };
  // Without a total a short page has to be taken for the last one.
  expect(await allPages(page, String, 30)).toHaveLength(30);
  expect(await allPages(async (limit, offset) => ({ ...(await page(limit, offset)), total: 500 }), String, 130)).toEqual(
    rows.slice(0, 130),
  );
});

test('a row that slides onto the next page is there once', async () => {
  const first = ['a', 'b', 'c'];
  const pages = [first, ['c', 'd'], []];
  const found = await allPages(async () => ({ rows: pages.shift() ?? [], total: 5 }), String);
  expect(found).toEqual(['a', 'b', 'c', 'd']);
});

describe.each([2, 3] as const)('generation %i: a list of the poll that is late', (generation) => {
  const late = { path: /dagRuns$/, fault: { kind: 'stall_before' }, times: 1 } as const;
  const slow = async () => {
    const { fake, client } = await start({ generation }, 1_000);
    for (let n = 0; n < 230; n++) fake.dag(`d${n}`, { tasks: { t: {} } }).failRun(`d${n}`, 't', { runId: `r${n}` });
    await client.getDag('d0');
    const asked = () =>
      fake.requestsTo('GET', /dagRuns$/).map(({ query }) => {
        const text = new URLSearchParams(query);
        return `${text.get('limit')}@${text.get('offset') ?? 0}`;
      });
    return { fake, client, asked };
  };

  test('it is asked for half of it next, down to a quarter, and for the whole again when that goes well', async () => {
    const { fake, client, asked } = await slow();
    for (let n = 0; n < 3; n++) {
      fake.inject({ ...late });
      await expect(client.listFailedRuns(since)).rejects.toMatchObject({ kind: 'timeout' });
    }
    expect(asked()).toEqual(['100@0', '50@0', '25@0']);
    const found = await client.listFailedRuns(since);
    expect(new Set(found.map((run) => run.runId)).size).toBe(230);
    expect(asked().slice(3)).toEqual(['25@0', '25@25', '25@50', '25@75', '25@100', '50@125', '50@175', '50@225']);
    for (let n = 0; n < 2; n++) expect(await client.listFailedRuns(since)).toHaveLength(230);
    expect(asked().slice(-3)).toEqual(['100@0', '100@100', '100@200']);
  });

  test('late in the middle: nothing is left out the next time, and another list is not asked for less', async () => {
    const { fake, client, asked } = await slow();
    fake.inject({ ...late, skip: 1 });
    await expect(client.listFailedRuns(since)).rejects.toMatchObject({ kind: 'timeout' });
    expect(await client.listFailedRuns(since)).toHaveLength(230);
    expect(asked().slice(0, 3)).toEqual(['100@0', '100@100', '50@0']);
    await client.listFailedRunsUpdated(since);
    expect(asked().at(-3)).toBe('100@0');
  });
});

test.each([2, 3] as const)('generation %i: a gateway that gave up waiting says the same as a time-out', async (generation) => {
  const { fake, client } = await start({ generation });
  fake.inject({ path: /dagRuns$/, fault: { kind: 'answer', answer: { status: 504, html: 'late' } }, times: 1 });
  await expect(client.listFailedRuns(since)).rejects.toMatchObject({ status: 504 });
  await client.listFailedRuns(since);
  expect(new URLSearchParams(fake.requestsTo('GET', /dagRuns$/).at(-1)?.query).get('limit')).toBe('50');
});
