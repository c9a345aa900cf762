/** R7 where much fails at once: two DAGs within ten minutes are taken for an outage of the platform, and no law is broken by it. */
import { expect, it } from 'vitest';
import { figure, LONG } from '../support/faults/crash/figure.ts';
import { memoryShelf } from '../support/faults/sim/shelves.ts';
import { castOf, Simulation } from '../support/faults/sim/simulation.ts';
import type { Site } from '../support/faults/sim/site.ts';

const SEEDS = LONG ? 500 : 25;
const change = (site: Site): Site => ({
  ...site,
  policy: { ...site.policy, platform: { massFailureDags: 2, windowMs: 600_000 } },
});

it('an outage holds nothing', async () => {
  const broken: string[] = [];
  let platform = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const story = new Simulation({ seed, ...castOf(seed), shelf: memoryShelf(), change });
    const { violations } = await story.run();
    platform += [...story.truth.incidents.values()].filter((i) => i.type === 'platform').length;
    for (const v of violations.slice(0, 1)) broken.push(`seed ${seed}: ${v.law}: ${v.text}`);
  }
  figure('R7', { outages: platform, stories: SEEDS, broken: broken.length });
  expect(broken).toEqual([]);
  expect(platform).toBeGreaterThan(SEEDS / 5);
});
