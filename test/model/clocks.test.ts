/** R10: clocks that differ by ten minutes, jump back, change to winter time or pass a leap day: the same laws, nothing missed. What was found is in `found.test.ts`. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import type { Sabotage } from '../support/faults/sim/service.ts';
import { memoryShelf } from '../support/faults/sim/shelves.ts';
import { Simulation } from '../support/faults/sim/simulation.ts';
import type { Site } from '../support/faults/sim/site.ts';

const SEEDS = process.env.FIREDAMPER_LONG === '1' ? 500 : 25;
const MINUTE = 60_000;
const zone = process.env.TZ;

beforeEach(() => {
  process.env.TZ = 'Europe/Berlin';
});
afterEach(() => {
  if (zone === undefined) Reflect.deleteProperty(process.env, 'TZ');
  else process.env.TZ = zone;
});

const CASES = [
  ['ten minutes ahead of Airflow', '2026-11-21T06:00:00.000Z', 10 * MINUTE, 0],
  ['ten minutes behind Airflow', '2026-11-21T06:00:00.000Z', -10 * MINUTE, 0],
  ['ten minutes ahead of Airflow, then set right', '2026-11-21T06:00:00.000Z', 10 * MINUTE, -10 * MINUTE],
  ['ten minutes behind Airflow, then set right', '2026-11-21T06:00:00.000Z', -10 * MINUTE, 10 * MINUTE],
  ['jumps back ten minutes', '2026-11-21T06:00:00.000Z', 0, -10 * MINUTE],
  ['jumps ahead ten minutes', '2026-11-21T06:00:00.000Z', 0, 10 * MINUTE],
  ['to summer time', '2027-03-28T00:45:00.000Z', 0, 0],
  ['to winter time', '2026-10-25T00:45:00.000Z', 0, 0],
  ['a leap day', '2028-02-28T23:45:00.000Z', 0, 0],
  ['the year ends', '2026-12-31T23:45:00.000Z', 0, 0],
] as const;

/** Forgets what Airflow's clock says: the watermark of the poll is then kept in our own time. */
const ownClock: Sabotage = { client: (c) => ({ ...c, probe: async () => ({ ...(await c.probe()), serverTime: null }) }) };

it('fails as it must: the watermark is kept by our own clock, ten minutes ahead', async () => {
  let lost: string | null = null;
  for (let seed = 1; seed <= 100 && lost === null; seed++) {
    const change = (site: Site): Site => ({ ...site, skewMs: 10 * MINUTE, callbackLoss: 1 });
    const { violations } = await new Simulation({ seed, shelf: memoryShelf(), sabotage: ownClock, change }).run();
    const found = violations.find((v) => v.law === 'every failure is heard');
    if (found) lost = `seed ${seed}: nobody heard of ${found.text}`;
  }
  expect(lost).not.toBeNull();
  failsAsItMust('R10', 'the watermark is kept by our own clock, ten minutes ahead', lost ?? '');
});

it.each(CASES)('%s', async (name, start, skewMs, jump) => {
  const broken: string[] = [];
  let times = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const story = new Simulation({
      seed,
      shelf: memoryShelf(),
      start: Date.parse(start),
      change: (site) => ({ ...site, skewMs }),
    });
    if (jump !== 0)
      story.later(8 * MINUTE, 'people', () => {
        story.time.skew += jump;
      });
    const { violations, figures } = await story.run();
    times += figures.times ?? 0;
    for (const v of violations) broken.push(`seed ${seed}: ${v.law}: ${v.text}`);
  }
  process.stdout.write(
    `figure: R10 ${name.replaceAll(' ', '_')} stories=${SEEDS} broken=${broken.length} pairs_of_times=${times}\n`,
  );
  expect(broken).toEqual([]);
  expect(times).toBeGreaterThan(0);
});
