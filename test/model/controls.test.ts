/** R7, the negative controls: each service breaks one law on purpose, and the simulator must see it. */
import { expect, it } from 'vitest';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import { CONTROLS } from '../support/faults/sim/sabotages.ts';
import { memoryShelf } from '../support/faults/sim/shelves.ts';
import { castOf, Simulation } from '../support/faults/sim/simulation.ts';

const MOST_SEEDS = 500;

it.each(CONTROLS)('fails as it must: $name', async ({ name, sabotage, laws, change, from = 1 }) => {
  let caught: string | null = null;
  // It begins where it was found last, which saves half a minute; a program that has changed may break another story.
  for (let n = 0; n < MOST_SEEDS && caught === null; n++) {
    const seed = 1 + ((from - 1 + n) % MOST_SEEDS);
    const options = { seed, ...castOf(seed), shelf: memoryShelf(), sabotage, ...(change ? { change } : {}) };
    const { violations } = await new Simulation(options).run();
    const found = violations.find((v) => laws.includes(v.law));
    if (found) caught = `seed ${seed}: ${found.law}`;
  }
  if (caught !== null) failsAsItMust('R7', name, caught);
  expect(caught).not.toBeNull();
});
