import { defineConfig } from 'vitest/config';
import { longestFirst } from './test/support/longestFirst.ts';

/**
 * Reliability by fault: crashes, disks, networks, the model, the soak. `npx vitest run --config vitest.faults.config.ts` is the short form,
 * `FIREDAMPER_LONG=1` before it the long one; `--project crash` one part. A tool that the machine lacks (strace, a mount) fails its tests; nothing is skipped.
 */
const LONG = process.env.FIREDAMPER_LONG === '1';
const MINUTE = 60_000;

const parts = [
  ['crash', 'test/faults/crash'],
  ['disk', 'test/faults/disk'],
  ['faults', 'test/faults'],
  ['model', 'test/model'],
  ['soak', 'test/soak'],
] as const;
const named = parts.map(([, folder]) => folder).filter((folder) => folder.split('/').length > 2);

export default defineConfig({
  test: {
    // Two cores are the limit. Each test starts programs of its own; more at a time only makes every answer later.
    maxWorkers: 2,
    sequence: {
      sequencer: longestFirst(['crash/acts', 'model/simulator', 'migrations/killed', 'network/effects', 'network/down']),
    },
    projects: parts.map(([name, folder]) => ({
      test: {
        name,
        include: [`${folder}/**/*.test.ts`],
        exclude: name === 'faults' ? named.map((one) => `${one}/**`) : [],
        globalSetup: ['test/support/ownTmp.ts'],
        // A machine that does something else as well makes everything later, and nothing wrong.
        testTimeout: (LONG ? 90 : 30) * MINUTE,
        hookTimeout: MINUTE,
        // The figures of each test are read from its output, line by line.
        disableConsoleIntercept: true,
      },
    })),
  },
});
