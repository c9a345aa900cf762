/** R17, short: minutes instead of a day. What grows with every run shows here as well; the slope itself is measured by `node tools/soak.ts`. */
import { expect, test } from 'vitest';
import { failsAsItMust, figure } from '../support/faults/crash/figure.ts';
import { type Soaked, slope, soak } from '../support/faults/soak/drive.ts';

let done: Soaked;

test('a piece of a day: nothing stays held, nothing is left open, and what is held in memory does not grow with the runs', async () => {
  done = await soak({ runs: 25_000, realMs: 45_000, speed: 48, failEvery: 251, samples: 15, tell: () => undefined });
  const late = done.samples.slice(5);
  const handles = late.map((s) => s.handles);
  const growth = Math.max(...late.map((s) => s.heapMb)) - Math.min(...late.map((s) => s.heapMb));
  figure('R17', {
    form: 'short',
    runs: done.runs,
    failures: done.failures,
    incidents: done.incidents,
    heap_growth_mb: growth.toFixed(1),
    wal_max_mb: Math.max(...done.samples.map((s) => s.walMb)).toFixed(1),
    handles: `${Math.min(...handles)}-${Math.max(...handles)}`,
    still_open: done.stillOpen,
    still_paused: done.stillPaused,
  });
  expect(done.errors).toEqual([]);
  expect(done.failures).toBeGreaterThan(30);
  expect(done.incidents).toBeGreaterThan(20);
  expect(done.stillOpen).toBe(0);
  expect(done.stillPaused).toBe(0);
  expect(done.effects.pause, 'each hold is one pause').toBe(done.effects.unpause);
  expect(Math.max(...done.samples.map((s) => s.walMb))).toBeLessThan(64);
  expect(growth).toBeLessThan(15);
  expect(Math.max(...handles) - Math.min(...handles)).toBeLessThanOrEqual(12);
});

test('control: the slope sees a leak of a kilobyte per run', () => {
  const leaking = done.samples.map((s) => ({ ...s, heapMb: s.heapMb + s.runs / 1024 }));
  const [clean, leak] = [slope(done.samples, 'heapMb'), slope(leaking, 'heapMb')];
  expect(leak - clean).toBeGreaterThan(90);
  failsAsItMust('R17', 'a kilobyte leaked per run', `slope ${leak.toFixed(0)} MB per 100,000 runs`);
});
