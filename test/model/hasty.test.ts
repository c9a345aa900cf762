/** R6 without waiting: the same acts land while others are under way, a few milliseconds apart. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { failsAsItMust, figure, LONG } from '../support/faults/crash/figure.ts';
import {
  clockJumpsNow,
  crashesNow,
  diesNow,
  endsNow,
  failsNow,
  HastyModel,
  judgeHasty,
  looksNow,
  losesNow,
  touchesNow,
} from '../support/faults/sim/hasty.ts';
import { HOLDS_CONTROLS } from '../support/faults/sim/holdsControls.ts';
import { READERS, RealHolds, SOURCES } from '../support/faults/sim/holdsModel.ts';
import type { Sabotage } from '../support/faults/sim/service.ts';

const source = fc.constantFrom(...SOURCES);
const anEnd = fc.constantFrom('release' as const, 'dismiss' as const);
// A call takes 10 ms, a restart a second.
const gap = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) }, { weight: 1, arbitrary: fc.constant(1_500) });
const cuts = fc.array(fc.constantFrom('before' as const, 'after' as const, null), { minLength: 1, maxLength: 8 });
const fail = fc.tuple(source, gap).map(([s, g]) => failsNow(s, g));
const end = fc.tuple(source, anEnd, gap).map(([s, how, g]) => endsNow(s, how, g));

const MACHINE = [
  fail,
  fail,
  end,
  end,
  gap.map(looksNow),
  gap.map(crashesNow),
  gap.map(diesNow),
  fc.tuple(cuts, gap).map(([c, g]) => losesNow(c, g)),
  fc.tuple(fc.integer({ min: -10, max: 10 }), gap).map(([m, g]) => clockJumpsNow(m, g)),
];
const WITH_PEOPLE = [
  ...MACHINE,
  fc.tuple(fc.constantFrom(...READERS), fc.boolean(), gap).map(([d, p, g]) => touchesNow(d, p, g)),
  fc.tuple(fc.constantFrom(...READERS, null), fc.boolean(), gap).map(([d, p, g]) => touchesNow(d, p, g)),
];

async function compare(sabotage: () => Sabotage, numRuns: number, shrink = true) {
  const counted = { sure: 0, unsure: 0, commands: 0 };
  const lists = fc.oneof(
    fc.commands(MACHINE, { maxCommands: 40, size: 'max' }),
    fc.commands(WITH_PEOPLE, { maxCommands: 40, size: 'max' }),
  );
  const property = fc.asyncProperty(fc.boolean(), lists, async (marked, list) => {
    const real = new RealHolds(marked, sabotage());
    const model = new HastyModel();
    real.time.install();
    try {
      await real.boot();
      await real.settle();
      await fc.asyncModelRun(() => ({ model, real }), list);
      const { sure, unsure } = await judgeHasty(model, real);
      counted.sure += sure;
      counted.unsure += unsure;
      counted.commands += model.acts;
    } finally {
      real.time.kill();
      real.time.uninstall();
    }
  });
  const result = await fc.check(property, { numRuns, endOnFailure: !shrink, ...(LONG && shrink ? {} : { seed: 20261130 }) });
  const error = result.errorInstance instanceof Error ? result.errorInstance.message : '';
  return { ...result, counted, error, report: fc.defaultReportMessage(result) ?? '' };
}

it('acts that cross each other end where the model says', async () => {
  const runs = Number(process.env.FIREDAMPER_MODEL_RUNS ?? (LONG ? 10_000 : 1_000));
  const { failed, numRuns, counted, seed, report, error } = await compare(() => ({}), runs);
  figure('R6', { crossing_runs: numRuns, differences: failed ? 1 : 0, ...counted, seed });
  expect(failed, `${error}\n${report}`).toBe(false);
  // A model that is never sure says nothing.
  expect(counted.sure).toBeGreaterThan(counted.unsure);
});

it.each(HOLDS_CONTROLS)('fails as it must, in a hurry: $name', async ({ name, sabotage }) => {
  const result = await compare(sabotage, 300, false);
  expect(result.error).toMatch(/the model says|it never settles|and it runs|nobody is told/);
  failsAsItMust('R6', `${name}, in a hurry`, `run ${result.numRuns}: ${result.error}`);
});
