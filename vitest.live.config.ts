import { defineConfig } from 'vitest/config';

/**
 * The stories against real Airflows, one project per version: `npx vitest run --config vitest.live.config.ts` runs both,
 * `FIREDAMPER_LIVE=2.11.2` one of them, `--project 3.3.2 test/live/01` one story on one of them. An Airflow that cannot be
 * installed or started fails the run; nothing is skipped. `FIREDAMPER_LIVE_DIR=mine` lets two runs on one checkout live beside each other.
 */
const versions = (process.env.FIREDAMPER_LIVE ?? '3.3.2,2.11.2').split(',');

export default defineConfig({
  test: {
    // Two cores are the limit: more at a time only makes every answer later, until something times out.
    maxWorkers: 4,
    projects: versions.map((version) => ({
      test: {
        name: version,
        include: ['test/live/**/*.live.test.ts'],
        globalSetup: ['test/support/live/setup.ts'],
        // A story waits for Airflow, step by step, and each step has its own patience: on a busy machine 2.11.2 took more than four minutes for all of them.
        testTimeout: 1_500_000,
        hookTimeout: 60_000,
        maxConcurrency: 2,
      },
    })),
  },
});
