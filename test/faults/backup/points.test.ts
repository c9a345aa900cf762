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

const acts = (fake: FakeAirflow) =>
  fake.effects.filter((e) => e.by === 'firedamper').map((e) => `${e.kind} ${e.dagId} ${e.runId ?? ''}`);

async function storyWithCopies(generation: 2 | 3): Promise<{ fake: FakeAirflow; copies: string[] }> {
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
  return { fake, copies };
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

/** Starts on the copy; answers what it did before and after the confirmation. */
async function restoreAndWatch(fake: FakeAirflow, copy: string, name: string): Promise<{ early: string[]; late: string[] }> {
  const home = join(folder, name);
  mkdirSync(home);
  restoreDatabase(join(home, 'firedamper.db'), copy, new Date());
  const from = acts(fake).length;
  const service = await startService(fake, { folder: home });
  try {
    expect((await service.callback(retry('z', 'r1'))).status, 'callbacks are taken').toBe(202);
    await settle(service);
    const state = await service.get('/v1/restore');
    expect(state.observing).toBe(true);
    expect(state.differences.filter((d: { text: string }) => d.text.includes('could not be read'))).toEqual([]);
    const early = acts(fake).slice(from);
    const confirmed = await service.call('adam', 'POST', '/v1/restore/confirm', { reason: 'looked' });
    expect(confirmed.status, JSON.stringify(confirmed.body)).toBe(200);
    await settle(service);
    await settle(service);
    return { early, late: acts(fake).slice(from + early.length) };
  } finally {
    await service.stop();
  }
}

describe.each([3, 2] as const)('Airflow %i', (generation) => {
  let story: Awaited<ReturnType<typeof storyWithCopies>>;

  test('no instant of the story makes a restored service do anything before, or anything twice after', async () => {
    story = await storyWithCopies(generation);
    expect(acts(story.fake), 'the story itself').toEqual(
      expect.arrayContaining(['pause b ', 'clear a r1', 'clear a r2', 'unpause b ']),
    );
    expect(story.copies.length).toBeGreaterThan(POINTS);
    const some = spread(story.copies, POINTS);
    const wrong: string[] = [];
    for (const [i, copy] of some.entries()) {
      const { early, late } = await restoreAndWatch(story.fake, copy, `restored-${generation}-${i}`);
      for (const e of early) wrong.push(`${copy}: before the confirmation: ${e}`);
      for (const e of late) wrong.push(`${copy}: once more: ${e}`);
    }
    figure('R15', {
      generation,
      states_copied: story.copies.length,
      restored: some.length,
      effects_before_confirmation: wrong.filter((w) => w.includes('before the')).length,
      effects_twice: wrong.filter((w) => w.includes('once more')).length,
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
      const from = acts(story.fake).length;
      const service = await startService(story.fake, { folder: home });
      await settle(service);
      await service.stop();
      harm += acts(story.fake).length - from;
      if (harm > 0 && !LONG) break;
    }
    expect(harm, 'a harness that sees nothing here is blind').toBeGreaterThan(0);
    failsAsItMust('R15', `a backup without its mark, Airflow ${generation}`, `${harm} effects before anybody confirmed`);
  });
});
