import { defineConfig } from 'vitest/config';

/** The fast part: no Python, no network but loopback. The live stories have a configuration of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Faults, model and soak take minutes and tools of the system: `vitest.faults.config.ts`.
    exclude: ['test/live/**', 'test/faults/**', 'test/model/**', 'test/soak/**'],
    testTimeout: 30_000,
  },
});
