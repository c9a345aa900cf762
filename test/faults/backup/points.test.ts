/**
 * R15: whatever instant of a story a backup is of, the service that is started on it does nothing before a person has confirmed, and nothing
 * twice afterwards. Airflow has gone on to the end of the story meanwhile, which is the worst case.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import { restoreDatabase } from '../../../src/store/backup.ts';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { retry } from '../../support/faults/backup/program.ts';
import { atTheOrder, copyAll, describeWorld, tell } from '../../support/faults/backup/story.ts';
import { type Allowed, breaches, CLEAN, check, type Verdict } from '../../support/faults/checker/check.ts';
import { History } from '../../support/faults/checker/history.ts';
import { inFake } from '../../support/faults/checker/truth.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { type Service, startService } from '../../support/service.ts';

/** Points of the story that are restored in the short form, spread evenly. */
const POINTS = 12;
const folder = mkdtempSync(join(tmpdir(), 'fd-points-'));
const fakes: FakeAirflow[] = [];
afterAll(async () => {
  for (const fake of fakes) await fake.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The story itself: each act once. The event reaches b, and b's own run reaches c. */
const STORY: Allowed = {
  acts: { a: { clear: 2 }, b: { pause: 1, unpause: 1 }, c: { pause: 1, unpause: 1 }, '': { asset_event: 1 } },
  paused: { a: false, b: false, c: false, f: true },
  over: true,
};
/** Not one act: Airflow has gone on to the end of the story, there is nothing left to do. */
const NOT_ONE: Allowed = { acts: {} };

interface Story {
  readonly fake: FakeAirflow;
  readonly copies: readonly string[];
  readonly verdict: Verdict;
}

async function storyWithCopies(generation: 2 | 3): Promise<Story> {
  const home = join(folder, `story-${generation}`);
  const to = join(folder, `copies-${generation}`);
  for (const dir of [home, to]) mkdirSync(dir);
  // So slow that the states between two calls are there long enough to be copied.
  const fake = await startFakeAirflow({ generation, autoRun: true, latencyMs: 30 });
  fakes.push(fake);
  describeWorld(fake);
  const service = await startService(fake, { folder: home });
  const stop = copyAll(home, to);
  await tell(fake, service);
  const copied = stop().map((name) => join(to, name));
  const copies = [...copied, atTheOrder(copied.at(-1) ?? '')];
  await service.stop();
  fake.latencyMs = 0;
  return { fake, copies, verdict: check([], inFake(fake, { database: join(home, 'firedamper.db') }), STORY) };
}

function spread<T>(all: readonly T[], count: number): T[] {
  if (LONG || all.length <= count) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * (all.length - 1)) / (count - 1))] as T);
}

async function settle(service: Service): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await service.app.poll();
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** Starts on the copy; answers what the checker says of it before the confirmation and after. */
async function restoreAndWatch(fake: FakeAirflow, copy: string, name: string): Promise<{ early: Verdict; late: Verdict }> {
  const home = join(folder, name);
  mkdirSync(home);
  const database = join(home, 'firedamper.db');
  restoreDatabase(database, copy, new Date());
  const history = new History();
  const judged = (from: number) => check(history.calls, inFake(fake, { database, from }), { ...NOT_ONE, alive: true });
  const from = fake.effects.length;
  const service = await startService(fake, { folder: home });
  try {
    expect((await history.callback(service.url, 'while-observing', retry('z', 'r1'))).status, 'callbacks are taken').toBe(202);
    await settle(service);
    const state = await service.get('/v1/restore');
    expect(state.observing).toBe(true);
    expect(state.differences.filter((d: { text: string }) => d.text.includes('could not be read'))).toEqual([]);
    const early = judged(from);
    const then = fake.effects.length;
    const confirmed = await history.person(service.url, 'adam', '/v1/restore/confirm', { reason: 'looked' });
    expect(confirmed.status, JSON.stringify(confirmed.body)).toBe(200);
    await settle(service);
    await settle(service);
    return { early, late: judged(then) };
  } finally {
    await service.stop();
    history.close();
  }
}

describe.each([3, 2] as const)('Airflow %i', (generation) => {
  let story: Story;

  test('no instant of the story makes a restored service do anything before, or anything twice after', async () => {
    story = await storyWithCopies(generation);
    expect(story.verdict, 'the story itself').toEqual(CLEAN);
    expect(story.copies.length).toBeGreaterThan(POINTS);
    const some = spread(story.copies, POINTS);
    const wrong: string[] = [];
    const sum = { early: 0, late: 0 };
    for (const [i, copy] of some.entries()) {
      const { early, late } = await restoreAndWatch(story.fake, copy, `restored-${generation}-${i}`);
      sum.early += early.doubled.length;
      sum.late += late.doubled.length;
      wrong.push(...breaches(early).map((what) => `${copy}: before the confirmation: ${what}`));
      wrong.push(...breaches(late).map((what) => `${copy}: once more: ${what}`));
    }
    figure('R15', {
      generation,
      states_copied: story.copies.length,
      restored: some.length,
      effects_before_confirmation: sum.early,
      effects_twice: sum.late,
    });
    expect(wrong).toEqual([]);
  });

  test('control: the same copies without their mark do things at once', async () => {
    let harm = 0;
    for (const [i, copy] of story.copies.entries()) {
      const home = join(folder, `unmarked-${generation}-${i}`);
      mkdirSync(home);
      cpSync(copy, join(home, 'firedamper.db'));
      const hand = new Database(join(home, 'firedamper.db'));
      hand.prepare('update service set copied_at = null, epoch = 0').run();
      hand.close();
      const from = story.fake.effects.length;
      const service = await startService(story.fake, { folder: home });
      await settle(service);
      await service.stop();
      harm += check([], inFake(story.fake, { from }), NOT_ONE).doubled.length;
      if (harm > 0 && !LONG) break;
    }
    expect(harm, 'a harness that sees nothing here is blind').toBeGreaterThan(0);
    failsAsItMust('R15', `a backup without its mark, Airflow ${generation}`, `${harm} effects before anybody confirmed`);
  });
});
