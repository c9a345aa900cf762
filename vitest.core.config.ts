import { defineConfig } from 'vitest/config';

/**
 * The pure core alone, for the mutation score: `npm run mutation`. Its tests share nothing, so they need no worker of their own for each file: with
 * thousands of mutants that is most of the time (the same score with and without).
 */
export default defineConfig({ test: { include: ['test/core/**/*.test.ts'], isolate: false } });
