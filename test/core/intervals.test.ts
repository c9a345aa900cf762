import { describe, expect, test } from 'vitest';
import { missingIntervals } from '../../src/core/intervals.ts';
import { run } from './scenario.ts';

const at = (day: number, hour = 0) => new Date(Date.UTC(2026, 10, day, hour)).toISOString();
const covers = (start: string | null, end: string | null) =>
  run('a', `r ${start}`, { dataIntervalStart: start, dataIntervalEnd: end });
const day = (n: number) => covers(at(n), at(n + 1));

describe('intervals that no run was ever made for', () => {
  test('each one in a hole that they fill exactly', () => {
    expect(missingIntervals([day(1), day(2), day(5), day(6)])).toEqual({
      missing: [
        { start: at(3), end: at(4) },
        { start: at(4), end: at(5) },
      ],
      unclear: [],
    });
  });

  test('none where runs touch or overlap, whatever order they come in', () => {
    expect(missingIntervals([day(3), day(1), covers(at(1, 12), at(2)), day(2)])).toEqual({ missing: [], unclear: [] });
  });

  test('the order of the answer does not matter for the holes either', () => {
    expect(missingIntervals([day(4), day(1), day(2)]).missing).toEqual([{ start: at(3), end: at(4) }]);
  });

  test('a hole that they do not fill is shown, never guessed at', () => {
    expect(missingIntervals([day(1), covers(at(3, 12), at(4, 12))])).toEqual({
      missing: [],
      unclear: [{ start: at(2), end: at(3, 12) }],
    });
  });

  test('a run without any length tells nothing about the hole behind it', () => {
    expect(missingIntervals([covers(at(1), at(1)), day(3)])).toEqual({ missing: [], unclear: [{ start: at(1), end: at(3) }] });
  });

  test('a run that covers backwards is not counted with', () => {
    expect(missingIntervals([covers(at(2), at(1)), day(3)])).toEqual({ missing: [], unclear: [{ start: at(1), end: at(3) }] });
  });

  test('a run by hand covers no interval', () => {
    expect(missingIntervals([day(1), covers(null, at(9)), covers(at(9), null), day(3)]).missing).toEqual([
      { start: at(2), end: at(3) },
    ]);
  });

  test('one run, or none, has no hole', () => {
    expect(missingIntervals([day(1)])).toEqual({ missing: [], unclear: [] });
    expect(missingIntervals([])).toEqual({ missing: [], unclear: [] });
  });
});
