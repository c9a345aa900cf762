import { describe, expect, test } from 'vitest';
import type { Reading } from '../../src/core/facts.ts';
import { missingIntervals } from '../../src/core/intervals.ts';
import { run } from './scenario.ts';

const HOUR = 3_600_000;
/** November 2026 begins on a Sunday. */
const at = (day: number, hour = 0) => new Date(Date.UTC(2026, 10, day, hour)).toISOString();
const covers = (start: string | null, end: string | null) =>
  run('a', `r ${start}`, { dataIntervalStart: start, dataIntervalEnd: end });
const day = (n: number) => covers(at(n), at(n + 1));

const every = (hours: number) => (start: string) => new Date(Date.parse(start) + hours * HOUR).toISOString();
const read = (endOf: Reading['endOf'], offsetMinutes = 0): Reading => ({ offsetMinutes, endOf });
const daily = [read(every(24))];
/** `0 0 * * 1-5`: Friday's interval ends on Monday. */
const weekdays = [read((start) => every(new Date(start).getUTCDay() === 5 ? 72 : 24)(start))];

describe('intervals that no run was ever made for', () => {
  test('each one in a hole that they fill exactly', () => {
    expect(missingIntervals([day(1), day(2), day(5), day(6)], daily)).toEqual({
      missing: [
        { start: at(3), end: at(4) },
        { start: at(4), end: at(5) },
      ],
      unclear: [],
    });
  });

  test('none where runs touch or overlap, whatever order they come in', () => {
    expect(missingIntervals([day(3), day(1), covers(at(1, 12), at(2)), day(2)], daily)).toEqual({ missing: [], unclear: [] });
  });

  test('the order of the answer does not matter for the holes either', () => {
    expect(missingIntervals([day(4), day(1), day(2)], daily).missing).toEqual([{ start: at(3), end: at(4) }]);
  });

  test('on weekdays: four days behind a run of one day are two intervals', () => {
    expect(missingIntervals([day(5), day(10)], weekdays)).toEqual({
      missing: [
        { start: at(6), end: at(9) },
        { start: at(9), end: at(10) },
      ],
      unclear: [],
    });
  });

  test('on weekdays: three days behind the run of a weekend are three intervals', () => {
    expect(missingIntervals([covers(at(6), at(9)), day(12)], weekdays).missing).toEqual([
      { start: at(9), end: at(10) },
      { start: at(10), end: at(11) },
      { start: at(11), end: at(12) },
    ]);
  });

  test('a hole that they do not fill is shown, never guessed at', () => {
    expect(missingIntervals([day(1), covers(at(3, 12), at(4, 12))], daily)).toEqual({
      missing: [],
      unclear: [{ start: at(2), end: at(3, 12) }],
    });
  });

  test.each([
    ['before', [covers(at(1, 23), at(2)), day(5)]],
    ['behind', [day(1), covers(at(5), at(5, 12))]],
  ])('a schedule that does not explain the run %s a hole does not fill it either, though it could', (_, runs) => {
    expect(missingIntervals(runs, daily)).toEqual({ missing: [], unclear: [{ start: at(2), end: at(5) }] });
  });

  test('a reading that ends within the hole, or does not get on in it, fills nothing', () => {
    const hole = { missing: [], unclear: [{ start: at(2), end: at(5) }] };
    const from3 = (end: string | null) => [read((start) => (start === at(3) ? end : every(24)(start)))];
    expect(missingIntervals([day(1), day(5)], from3(null))).toEqual(hole);
    expect(missingIntervals([day(1), day(5)], from3(at(3)))).toEqual(hole);
    expect(missingIntervals([day(1), day(5)], from3(at(6)))).toEqual(hole);
  });

  test('a schedule that nobody can read fills nothing', () => {
    expect(missingIntervals([day(1), day(3)], [])).toEqual({ missing: [], unclear: [{ start: at(2), end: at(3) }] });
  });

  test('two readings that fill a hole in two ways fill nothing; a run on either side that only one explains decides', () => {
    const atNoonToo = read((start) => (start === at(3) ? at(3, 12) : start === at(3, 12) ? at(4) : every(24)(start)), 600);
    const both = [...daily, atNoonToo];
    expect(missingIntervals([day(2), day(5)], both).missing).toEqual([]);
    const half = covers(at(6), at(6, 12));
    const halves = read((start) => (start === at(6) ? at(6, 12) : atNoonToo.endOf(start)), 600);
    expect(missingIntervals([day(2), day(5), half], [...daily, halves]).missing).toHaveLength(3);
    expect(missingIntervals([half, day(7), day(9)], [...daily, halves]).missing).toEqual([{ start: at(8), end: at(9) }]);
  });

  test('what explains one side only, an hour away, is what a change of the clocks within the hole would leave: nobody knows', () => {
    const other = (offset: number) =>
      read((start) => (start === at(1) ? at(2) : start === at(2) ? at(3, 1) : start === at(3, 1) ? at(4) : null), offset);
    expect(missingIntervals([day(1), day(4)], [...daily, other(60)]).missing).toEqual([]);
    expect(missingIntervals([day(1), day(4)], [...daily, other(-60)]).missing).toEqual([]);
    expect(missingIntervals([day(1), day(4)], [...daily, other(75)]).missing).toHaveLength(2);
  });

  test('more than a thousand in one hole are shown, not planned', () => {
    const minutes = [read(every(1 / 60))];
    const minute = (n: number) =>
      covers(...([n, n + 1].map((m) => new Date(Date.parse(at(1)) + m * 60_000).toISOString()) as [string, string]));
    expect(missingIntervals([minute(0), minute(1_001)], minutes).missing).toHaveLength(1_000);
    expect(missingIntervals([minute(0), minute(1_002)], minutes).missing).toEqual([]);
  });

  test('a hole of more than four weeks may hide two changes of the clocks', () => {
    expect(missingIntervals([day(1), day(30)], daily).missing).toHaveLength(28);
    expect(missingIntervals([day(1), day(31)], daily)).toEqual({ missing: [], unclear: [{ start: at(2), end: at(31) }] });
  });

  test('runs for an instant each follow each other without a hole, and what is missing between them is shown', () => {
    const instants = [1, 2, 4].map((n) => covers(at(n), at(n)));
    expect(missingIntervals(instants, daily)).toEqual({ missing: [], unclear: [{ start: at(2), end: at(4) }] });
  });

  test('a run that covers backwards is not counted with', () => {
    expect(missingIntervals([covers(at(2), at(1)), day(3)], daily)).toEqual({
      missing: [],
      unclear: [{ start: at(1), end: at(3) }],
    });
  });

  test('a run by hand covers no interval', () => {
    expect(missingIntervals([day(1), covers(null, at(9)), covers(at(9), null), day(3)], daily).missing).toEqual([
      { start: at(2), end: at(3) },
    ]);
  });

  test('one run, or none, has no hole', () => {
    expect(missingIntervals([day(1)], daily)).toEqual({ missing: [], unclear: [] });
    expect(missingIntervals([], daily)).toEqual({ missing: [], unclear: [] });
  });
});
