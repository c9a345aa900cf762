import { defineConfig } from 'vitest/config';

/** The pure core alone, for the mutation score: `npm run mutation`. */
export default defineConfig({ test: { include: ['test/core/**/*.test.ts'] } });
