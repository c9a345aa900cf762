import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPace } from '../../src/notify/pace.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('one a second, in the order of asking; the first at once', async () => {
  const turn = createPace(1_000, Date.now);
  const start = Date.now();
  const went: [number, number][] = [];
  for (let n = 0; n < 3; n++) void turn().then(() => went.push([n, Date.now() - start]));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(went).toEqual([
    [0, 0],
    [1, 1_000],
    [2, 2_000],
  ]);
  await turn();
  expect(Date.now() - start).toBe(10_000);
});
