import { defineConfig } from 'vitest/config';

/** The fast part: no Python, no network but loopback. The live stories have a configuration of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/live/**'],
    testTimeout: 30_000,
  },
});
