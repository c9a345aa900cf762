/** R7, the negative controls: each service breaks a law on purpose, and the simulator must see that very law broken. No law is without one. */
import { expect, it } from 'vitest';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import { CONTROLS } from '../support/faults/sim/sabotages.ts';
import { memoryShelf } from '../support/faults/sim/shelves.ts';
import { castOf, Simulation } from '../support/faults/sim/simulation.ts';
import { LAWS, type Law } from '../support/faults/sim/truth.ts';

const MOST_SEEDS = 500;

it.each(CONTROLS)('fails as it must: $name', async ({ name, sabotage, laws, change, meddle, from = 1 }) => {
  const seen = new Map<Law, number>();
  const unseen = () => laws.filter((law) => !seen.has(law));
  // It begins where it was found last, which saves half a minute; a program that has changed may break another story.
  for (let n = 0; n < MOST_SEEDS && unseen().length > 0; n++) {
    const seed = from + n;
    const options = { seed, ...castOf(seed), shelf: memoryShelf(), sabotage, ...(change ? { change } : {}) };
    const story = new Simulation(options);
    meddle?.(story);
    for (const { law } of (await story.run()).violations) if (!seen.has(law)) seen.set(law, seed);
  }
  expect(unseen()).toEqual([]);
  failsAsItMust('R7', name, laws.map((law) => `seed ${seen.get(law)}: ${law}`).join('; '));
});

it('each law has a control that must show it', () => {
  const shown = new Set<Law>(CONTROLS.flatMap((c) => c.laws));
  expect(LAWS.filter((law) => !shown.has(law))).toEqual([]);
});
