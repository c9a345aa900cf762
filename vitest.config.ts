import { defineConfig } from 'vitest/config';

/** The fast part: no Python, no network but loopback. The live stories have a configuration of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Faults, model and soak take minutes and tools of the system: `vitest.faults.config.ts`.
    exclude: ['test/live/**', 'test/faults/**', 'test/model/**', 'test/soak/**'],
    globalSetup: ['test/support/ownTmp.ts'],
    // Vitest leaves one core to itself: of two that is one worker, and half of the time is waiting.
    maxWorkers: 3,
    // What is waited for ends the wait when it is there: a busy machine makes it late, and nothing wrong (a story that takes 5 s needed 25 beside a soak).
    testTimeout: 180_000,
    // With --coverage (`npm run test:fast` has it): no branch of the rules of hold, approval and verification is without a test.
    coverage: {
      include: ['containment', 'holding', 'ownership', 'approval', 'verification'].map((rules) => `src/core/${rules}.ts`),
      reporter: ['text'],
      thresholds: { branches: 100 },
    },
  },
});
