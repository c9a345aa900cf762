/**
 * Notices are sent at least once: a channel is away for minutes or hours, hangs, or asks to be left alone, and everything that was said meanwhile arrives
 * when it is back, in order, with few requests until then; other channels and other incidents are not kept waiting. Virtual hours, real requests.
 */

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { tokenOf } from '../../support/faults/crash/program.ts';
import { type Change, makeVariant } from '../../support/faults/crash/variant.ts';
import { type Folder, lightFolder } from '../../support/faults/network/folder.ts';
import { finish, giveTheClockBack, pass, takeTheClock } from '../../support/faults/network/hours.ts';
import { type Receiver, startReceiver, toldWrong } from '../../support/faults/network/receiver.ts';
import { type Service, type ServiceOptions, startService } from '../../support/service.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Whose program is tried; default this checkout's. */
type Program = Pick<ServiceOptions, 'root'>;

interface Site {
  readonly fake: FakeAirflow;
  readonly chat: Receiver;
  readonly mail: Receiver;
  readonly folder: Folder;
  service: Service;
}

let open: Site[] = [];
beforeEach(takeTheClock);
afterEach(async () => {
  for (const site of open) {
    await finish(site.service.stop());
    await Promise.all([site.chat.close(), site.mail.close(), site.fake.close()]);
    site.folder.remove();
  }
  open = [];
  giveTheClockBack();
});

const start = ({ fake, chat, mail, folder }: Omit<Site, 'service'>, more: Partial<ServiceOptions> = {}): Promise<Service> =>
  startService(fake, {
    ...{ folder: folder.path, policy: { platform: { mass_failure_dags: 1_000 }, hold: { max_share: 1 } } },
    channels: [chat, mail].map(({ url }, n) => ({ id: n === 0 ? 'chat' : 'mail', kind: 'webhook', url })),
    ...more,
  });

/** `count` DAGs with a reader each: when one fails there are two things to say, `opened` and `held`. */
async function siteOf(count: number, more: Partial<ServiceOptions> = {}): Promise<Site> {
  const fake = await startFakeAirflow({ generation: 3 });
  for (let n = 0; n < count; n++) {
    fake.dag(`a_${n}`, { tasks: { make: { outlets: [`s3://${n}`] } } });
    fake.dag(`b_${n}`, { tasks: { read: {} }, schedule: { assets: `s3://${n}` } });
  }
  const parts = { fake, chat: await startReceiver(), mail: await startReceiver(), folder: lightFolder() };
  const site = { ...parts, service: await start(parts, more) };
  open.push(site);
  return site;
}

async function fail({ fake, service }: Site, dagIds: readonly string[]): Promise<void> {
  for (const dagId of dagIds) {
    fake.failRun(dagId, 'make', { runId: 'r1' });
    const said = {
      version: 1,
      kind: 'task_failed',
      airflow: 'prod',
      dag_id: dagId,
      run_id: 'r1',
      task_id: 'make',
      map_index: -1,
    };
    const told = await service.callback({ ...said, try_number: 1, occurred_at: new Date().toISOString() });
    expect(told.status).toBe(202);
  }
}
const all = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `a_${from + n}`);

/** Fails them all, and waits until `mail` was told everything; answers the ids of what the chat is to be told too. */
async function tellMailOf(site: Site, dagIds: readonly string[]): Promise<string[]> {
  const { fake, mail } = site;
  const before = mail.told.length;
  await fail(site, dagIds);
  await pass(fake, 5 * MINUTE, () => mail.told.length - before >= 2 * dagIds.length);
  expect(mail.told.length - before, 'told by the other channel').toBe(2 * dagIds.length);
  return noticesOf(site, 'chat').map((row) => row.op);
}

function noticesOf({ folder }: Site, channel: string): { op: string; state: string }[] {
  const db = new Database(join(folder.path, 'firedamper.db'), { readonly: true });
  try {
    return db
      .prepare("select op, state from intents where kind = 'send_notice' and json_extract(act, '$.channel') = ? order by n")
      .all(channel) as { op: string; state: string }[];
  } finally {
    db.close();
  }
}

async function metricsOf({ service }: Site): Promise<string> {
  const answer = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${tokenOf('vera')}` } });
  return answer.text();
}

const gone = () => ({ status: 503 });
const back = () => ({ status: 200 });

/** As of an Airflow that is away (R13): once in five seconds, and what it takes to find out. */
const mostRequests = (awayMs: number): number => awayMs / (5 * SECOND) + 20;

/** A chat is away for so long, with two notices of each incident that wait for it. */
async function longAway(incidents: number, awayMs: number, of: Program = {}) {
  const site = await siteOf(incidents, of);
  site.chat.reply = gone;
  const wanted = await tellMailOf(site, all(incidents));
  const before = site.chat.requests.length;
  await pass(site.chat, awayMs, undefined, SECOND);
  return { site, wanted, requests: site.chat.requests.length - before };
}

describe('a chat that is away for two hours', () => {
  test('few requests, and then everything, in order, once', async () => {
    const awayMs = 2 * HOUR;
    const { site, wanted, requests } = await longAway(100, awayMs);
    const readyz = (await (await fetch(`${site.service.url}/readyz`)).json()) as { ready: boolean; reasons: string[] };
    const metrics = await metricsOf(site);
    site.chat.reply = back;
    const lag = await pass(site.chat, 10 * MINUTE, () => site.chat.told.length >= wanted.length, SECOND);
    const wrong = toldWrong(site.chat.told, wanted);
    const late = site.chat.told.filter((t) => t.text.includes('late; the incident is')).length;
    figure('R5', {
      effect: 'notice',
      what: 'two_hours_away',
      waiting: wanted.length,
      requests_while_away: requests,
      one_in_s: (awayMs / SECOND / requests).toFixed(1),
      told: site.chat.told.length,
      lost_twice_or_overtaken: wrong.length,
      all_told_after_s: lag / SECOND,
      most_connections: site.chat.most,
    });
    expect(wanted).toHaveLength(200);
    expect(requests).toBeLessThanOrEqual(mostRequests(awayMs));
    expect(requests).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
    expect(late, 'each says that it is late').toBe(wanted.length);
    expect(site.chat.most).toBeLessThanOrEqual(2);
    expect(readyz).toMatchObject({ ready: true, reasons: [expect.stringContaining('channel chat since')] });
    expect(metrics).toContain(`firedamper_notices_waiting{channel="chat"} ${wanted.length}`);
  });

  test('control: a program in which every waiting notice has a clock of its own asks too often', async () => {
    const awayMs = 3 * MINUTE;
    const { requests } = await variant('own-clocks', OWN_CLOCKS, (of) => longAway(30, awayMs, of));
    expect(requests).toBeGreaterThan(mostRequests(awayMs));
    failsAsItMust('R5', 'every waiting notice on its own clock', `${requests} requests in ${awayMs / SECOND} s`);
  });
});

const OWN_CLOCKS: Change = {
  file: 'effects/channelGate.ts',
  from: 'if (shutFor(clock) > 0) return 0;',
  to: 'if (clock.underWay >= 0) return WIDTH - clock.underWay;',
};
const EIGHT_TRIES: Change = {
  file: 'core/retry.ts',
  from: 'send_notice: Number.POSITIVE_INFINITY',
  to: 'send_notice: 8',
};
const NO_QUEUE: Change = { file: 'store/claiming.ts', from: 'if (begun.has(key)) return false;', to: '' };

async function variant<T>(name: string, change: Change, run: (of: Program) => Promise<T>): Promise<T> {
  const made = makeVariant(name, [change]);
  try {
    return await run({ root: made.root });
  } finally {
    made.remove();
  }
}

/** The everyday case: one incident, and the chat is restarted. `awayMs` without an answer. */
async function shortlyAway(awayMs: number, of: Program = {}) {
  const site = await siteOf(1, of);
  site.chat.reply = gone;
  const wanted = await tellMailOf(site, all(1));
  await pass(site.chat, awayMs, undefined, SECOND);
  site.chat.reply = back;
  await pass(site.chat, 10 * MINUTE, () => site.chat.told.length >= wanted.length, SECOND);
  return { site, wrong: toldWrong(site.chat.told, wanted), told: site.chat.told.length };
}

describe('a chat that is away for a while', () => {
  test.each([3, 60])('%d minutes: nothing is lost', async (minutes) => {
    const { wrong, told } = await shortlyAway(minutes * MINUTE);
    figure('R5', { effect: 'notice', what: 'away', minutes, told, lost_twice_or_overtaken: wrong.length });
    expect(wrong).toEqual([]);
    expect(told).toBe(2);
  });

  test('control: a program that gives up after eight tries loses', async () => {
    const { wrong, told } = await variant('eight-tries', EIGHT_TRIES, (of) => shortlyAway(HOUR, of));
    expect(told).toBe(0);
    expect(wrong).not.toEqual([]);
    failsAsItMust('R5', 'given up after eight tries', wrong.join('; '));
  });

  test('for longer than the configuration says: given up, and the history says so', async () => {
    const site = await siteOf(1, { giveUpAfter: '30m' });
    site.chat.reply = gone;
    const wanted = await tellMailOf(site, all(1));
    const states = () => noticesOf(site, 'chat').map((n) => n.state);
    await pass(site.chat, 29 * MINUTE, undefined, SECOND);
    expect(states()).toEqual(['planned', 'planned']);
    await pass(site.chat, 5 * MINUTE, () => states().every((state) => state === 'failed'), 10 * SECOND);
    const { id } = await site.service.incident('a_0');
    const { timeline } = await site.service.get(`/v1/incidents/${id}/timeline`);
    const failures = timeline.filter((e: { event: string }) => e.event === 'notice.failed');
    const metrics = await metricsOf(site);
    figure('R5', { effect: 'notice', what: 'away_for_too_long', requests: site.chat.requests.length, given_up: failures.length });
    expect(failures).toHaveLength(wanted.length);
    expect(JSON.stringify(failures[0])).toContain('given up after 30 min: channel chat: answered 503');
    expect(metrics).toContain(`firedamper_notices_failed{channel="chat"} ${wanted.length}`);
  });
});

describe('a chat that asks to be left alone', () => {
  test.each([
    [429, 120, 120],
    [503, 3_600, 300],
  ])('%i with Retry-After: %i, and it is left alone for %i s, by everything that waits for it', async (status, wish, kept) => {
    const site = await siteOf(5);
    const { chat } = site;
    chat.reply = () => ({ status, headers: { 'retry-after': String(wish) } });
    const wanted = await tellMailOf(site, all(5));
    const [first = 0] = chat.requests.map((r) => r.at);
    // Two may have been on their way together, before either knew.
    const next = () => chat.requests.map((r) => r.at - first).find((ms) => ms > 10 * SECOND);
    await pass(chat, HOUR, () => next() !== undefined, SECOND);
    figure('R5', { effect: 'notice', what: 'retry_after', status, wish_s: wish, asked_again_after_s: (next() ?? 0) / SECOND });
    expect(next()).toBeGreaterThanOrEqual(kept * SECOND);
    expect(next()).toBeLessThan((kept + 20) * SECOND);
    chat.reply = back;
    await pass(chat, 10 * MINUTE, () => chat.told.length >= wanted.length, SECOND);
    expect(toldWrong(chat.told, wanted)).toEqual([]);
  });
});

describe('nobody else waits', () => {
  test('a chat that takes the connection and never answers: two connections at most, and the other channel is told everything', async () => {
    const site = await siteOf(30);
    site.chat.reply = () => null;
    const wanted = await tellMailOf(site, all(30));
    await pass(site.chat, 10 * MINUTE, undefined, SECOND);
    figure('R5', {
      effect: 'notice',
      what: 'hanging',
      waiting: wanted.length,
      most_connections: site.chat.most,
      other_told: site.mail.told.length,
    });
    expect(site.chat.most).toBeLessThanOrEqual(2);
    expect(site.chat.requests.length).toBeLessThanOrEqual((10 * 60) / 5);
    site.chat.reply = back;
    await pass(site.chat, 10 * MINUTE, () => site.chat.told.length >= wanted.length, SECOND);
    expect(toldWrong(site.chat.told, wanted)).toEqual([]);
  });

  test('a notice that its receiver cannot take keeps back its own incident, in that channel, and no other one', async () => {
    const site = await siteOf(20);
    site.chat.reply = ({ dagId }) => ({ status: dagId === 'a_0' ? 500 : 200 });
    await tellMailOf(site, all(20));
    await pass(site.chat, 5 * MINUTE, () => site.chat.told.length >= 38, SECOND);
    expect(site.chat.told).toHaveLength(38);
    expect(site.chat.told.filter((t) => t.dagId === 'a_0')).toEqual([]);
    expect(new Set(site.chat.requests.filter((r) => r.told.dagId === 'a_0').map((r) => r.told.event))).toEqual(
      new Set(['opened']),
    );
  });
});

/** The chat loses every third message; of an incident nothing may come before what was said earlier. */
async function flaky(of: Program = {}) {
  const site = await siteOf(20, of);
  let n = 0;
  site.chat.reply = () => ({ status: n++ % 3 === 0 ? 502 : 200 });
  const wanted = await tellMailOf(site, all(20));
  await pass(site.chat, 30 * MINUTE, () => site.chat.told.length >= wanted.length, SECOND);
  return { wrong: toldWrong(site.chat.told, wanted), told: site.chat.told.length };
}

describe('a chat that loses every third message', () => {
  test('everything arrives, and nothing is overtaken', async () => {
    const { wrong, told } = await flaky();
    figure('R5', { effect: 'notice', what: 'every_third_lost', told, lost_twice_or_overtaken: wrong.length });
    expect(wrong).toEqual([]);
  });

  test('control: without a queue what was said later arrives first', async () => {
    const { wrong } = await variant('no-queue', NO_QUEUE, flaky);
    expect(wrong.filter((w) => w.includes('came before'))).not.toEqual([]);
    failsAsItMust('R5', 'no queue per incident', `${wrong.length} overtaken, such as ${wrong[0]}`);
  });
});

describe('a stop while notices wait', () => {
  test('a chat that hangs does not keep the program: its notices are on disk, and arrive after the next start under the same ids', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    const site = await siteOf(5);
    site.chat.reply = () => null;
    const wanted = await tellMailOf(site, all(5));
    const hanging = site.chat.requests.length;
    // Just begun: it would hang for longer than a stop may take.
    await pass(site.chat, 10 * MINUTE, () => site.chat.requests.length > hanging);
    // Faster than real time, of which a busy machine needs more: a socket's own time-out is real, and would end it first.
    await finish(site.service.stop(), 50);
    expect(exit, 'ended by itself, before the limit').not.toHaveBeenCalled();
    exit.mockRestore();
    expect(noticesOf(site, 'chat').every((n) => n.state === 'planned')).toBe(true);
    site.chat.reply = back;
    site.service = await start(site);
    await pass(site.chat, 10 * MINUTE, () => site.chat.told.length >= wanted.length, SECOND);
    expect(toldWrong(site.chat.told, wanted)).toEqual([]);
    const hung = site.chat.requests.filter((r) => r.status === 0).map((r) => r.told.id);
    expect(wanted).toEqual(expect.arrayContaining(hung));
  });

  test('one that is about to answer is waited for: not told twice', async () => {
    const site = await siteOf(1);
    let answer = () => undefined as unknown;
    const mail = site.mail;
    site.chat.hold = new Promise((resolve) => {
      answer = () => resolve(undefined);
    });
    await fail(site, all(1));
    await pass(site.fake, 30 * SECOND, () => site.chat.requests.length > 0 && mail.told.length === 2);
    const stopping = site.service.stop();
    setTimeout(answer, SECOND);
    await finish(stopping);
    expect(noticesOf(site, 'chat')[0]?.state).toBe('done');
    site.service = await start(site);
    await pass(site.chat, MINUTE, () => site.chat.told.length >= 2, SECOND);
    expect(
      toldWrong(
        site.chat.told,
        noticesOf(site, 'chat').map((n) => n.op),
      ),
    ).toEqual([]);
  });
});
