/**
 * R6: the holds against a model of ten lines. Failures, people, bulk pauses, crashes, lost answers, clock jumps and releases in any order; after each
 * command the switches are exactly where the model says.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { failsAsItMust } from '../support/faults/crash/figure.ts';
import { HOLDS_CONTROLS } from '../support/faults/sim/holdsControls.ts';
import {
  bulk,
  clockJumps,
  crashes,
  diesAtEffect,
  ends,
  fails,
  HoldsModel,
  loses,
  overlap,
  READERS,
  RealHolds,
  SOURCES,
  touches,
} from '../support/faults/sim/holdsModel.ts';
import type { Sabotage } from '../support/faults/sim/service.ts';

const LONG = process.env.FIREDAMPER_LONG === '1';
const source = fc.constantFrom(...SOURCES);
const reader = fc.constantFrom(...READERS);
const anEnd = fc.constantFrom('release' as const, 'dismiss' as const);
const cuts = fc.array(fc.constantFrom('before' as const, 'after' as const, null), { minLength: 1, maxLength: 12 });

const COMMANDS = [
  source.map(fails),
  source.map(fails),
  fc.tuple(reader, fc.boolean()).map(([d, p]) => touches(d, p)),
  fc.boolean().map(bulk),
  fc.tuple(source, fc.constantFrom('release' as const, 'dismiss' as const, 'heal' as const)).map(([s, how]) => ends(s, how)),
  fc.tuple(source, anEnd).map(([s, how]) => ends(s, how)),
  fc.constant(null).map(crashes),
  fc.integer({ min: -10, max: 10 }).map(clockJumps),
  cuts.map(loses),
  cuts.map(loses),
  fc.constant(null).map(diesAtEffect),
  fc.tuple(source, source, anEnd).map(([a, b, how]) => overlap(a, b, how)),
];

interface Compared {
  readonly failed: boolean;
  readonly numRuns: number;
  readonly numShrinks: number;
  readonly seed: number;
  readonly report: string;
  readonly error: string;
}

/** A difference is made small for whoever reads it; of a control only that it is seen counts. */
async function compare(sabotage: () => Sabotage, numRuns: number, shrink = true): Promise<Compared> {
  const commands = fc.commands(COMMANDS, { maxCommands: 100, size: 'max' });
  const property = fc.asyncProperty(fc.boolean(), commands, async (marked, list) => {
    const real = new RealHolds(marked, sabotage());
    real.time.install();
    try {
      await real.boot();
      await real.settle();
      await fc.asyncModelRun(() => ({ model: new HoldsModel(), real }), list);
    } finally {
      real.time.kill();
      real.time.uninstall();
    }
  });
  const fixed = LONG && shrink ? {} : { seed: 20261121 };
  const result = await fc.check(property, { numRuns, endOnFailure: !shrink, ...fixed });
  const error = result.errorInstance instanceof Error ? result.errorInstance.message : '';
  return { ...result, error, report: fc.defaultReportMessage(result) ?? '' };
}

it('the switches are where the model says, after every command', async () => {
  const runs = Number(process.env.FIREDAMPER_MODEL_RUNS ?? (LONG ? 10_000 : 2_000));
  const result = await compare(() => ({}), runs);
  process.stdout.write(
    `figure: R6 runs=${result.numRuns} differences=${result.failed ? 1 : 0} shrinks=${result.numShrinks} seed=${result.seed}\n`,
  );
  expect(result.failed, result.report).toBe(false);
});

it.each(HOLDS_CONTROLS)('fails as it must: $name', async ({ name, sabotage }) => {
  const result = await compare(sabotage, 100, false);
  // A difference, not a service that falls over.
  expect(result.error).toMatch(/the model says|it never settles/);
  failsAsItMust('R6', name, `run ${result.numRuns}: ${result.error}`);
});
