/** R10: clocks that differ by ten minutes, jump back, change to winter time or pass a leap day: the same laws, nothing missed. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { memoryShelf } from '../support/faults/sim/shelves.ts';
import { Simulation } from '../support/faults/sim/simulation.ts';

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
  ['jumps back ten minutes', '2026-11-21T06:00:00.000Z', 0, -10 * MINUTE],
  ['jumps ahead ten minutes', '2026-11-21T06:00:00.000Z', 0, 10 * MINUTE],
  ['to summer time', '2027-03-28T00:45:00.000Z', 0, 0],
  ['to winter time', '2026-10-25T00:45:00.000Z', 0, 0],
  ['a leap day', '2028-02-28T23:45:00.000Z', 0, 0],
  ['the year ends', '2026-12-31T23:45:00.000Z', 0, 0],
] as const;

/**
 * Found by the long form: failures that the watermark jumped over (88); a look that began before a DAG was held anew, taken for a person's unpause (256);
 * a person's pause after an order, undone (382); a second pause on top of a person's own, after they had unpaused it again (75).
 */
const FOUND: Readonly<Partial<Record<(typeof CASES)[number][0], readonly number[]>>> = {
  'jumps back ten minutes': [75],
  'jumps ahead ten minutes': [88, 256, 382],
};

it.each(CASES)('%s', async (name, start, skewMs, jump) => {
  const broken: string[] = [];
  const seeds = new Set([...Array.from({ length: SEEDS }, (_, n) => n + 1), ...(FOUND[name] ?? [])]);
  for (const seed of seeds) {
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
    const { violations } = await story.run();
    for (const v of violations) broken.push(`seed ${seed}: ${v.law}: ${v.text}`);
  }
  process.stdout.write(`figure: R10 ${name.replaceAll(' ', '_')} stories=${seeds.size} broken=${broken.length}\n`);
  expect(broken).toEqual([]);
});
