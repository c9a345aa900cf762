/** The intervals are those that Airflow 2.11.2's own timetables gave for the text and the time zone. */
import { describe, expect, test } from 'vitest';
import { possibleIntervals } from '../../src/airflow/v1/schedule.ts';
import { missingIntervals } from '../../src/core/intervals.ts';
import { run } from '../core/scenario.ts';

const z = (text: string) => new Date(`${text}Z`).toISOString();

/** Intervals that touch; all but the first and the last are without a run. */
const gapsOf = (schedule: string | null, ...ends: readonly string[]) => {
  const intervals = ends.slice(1).map((end, i) => ({ start: z(ends[i] ?? ''), end: z(end) }));
  const runs = [intervals[0], intervals.at(-1)].map((at) =>
    run('a', `r ${at?.start}`, { dataIntervalStart: at?.start ?? null, dataIntervalEnd: at?.end ?? null }),
  );
  return { ...missingIntervals(runs, possibleIntervals(schedule)), hidden: intervals.slice(1, -1) };
};

const HOURLY = ['2026-12-31T22:00', '2026-12-31T23:00', '2027-01-01T00:00', '2027-01-01T01:00'];
const BERLIN_DAYS = ['2026-11-03T23:00', '2026-11-04T23:00', '2026-11-05T23:00', '2026-11-06T23:00'];
const KATHMANDU_DAYS = ['2026-11-03T18:15', '2026-11-04T18:15', '2026-11-05T18:15', '2026-11-06T18:15'];

describe('what a schedule of 2.x makes between two runs', () => {
  test.each([
    ['@daily', 'UTC', ['2026-11-05T00:00', '2026-11-06T00:00', '2026-11-07T00:00', '2026-11-08T00:00', '2026-11-09T00:00']],
    ['@hourly', 'any zone', HOURLY],
    [
      '0 * * * *',
      'any zone, over a change of the clocks',
      ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00', '2026-10-25T03:00'],
    ],
    ['@weekly', 'UTC', ['2026-11-01T00:00', '2026-11-08T00:00', '2026-11-15T00:00', '2026-11-22T00:00']],
    ['0 0 * * *', 'Europe/Berlin', BERLIN_DAYS],
    ['0 0 * * *', 'Asia/Kathmandu', KATHMANDU_DAYS],
    ['0 0 * * 1-5', 'UTC', ['2026-11-05T00:00', '2026-11-06T00:00', '2026-11-09T00:00', '2026-11-10T00:00', '2026-11-11T00:00']],
    [
      '0 0 * * 1-5',
      'Europe/Berlin',
      ['2026-11-04T23:00', '2026-11-05T23:00', '2026-11-08T23:00', '2026-11-09T23:00', '2026-11-10T23:00'],
    ],
    [
      '0 */2 * * *',
      'Europe/Berlin, behind an hour that a change of the clocks left of two',
      ['2026-03-29T01:00', '2026-03-29T02:00', '2026-03-29T04:00', '2026-03-29T06:00'],
    ],
    ['every 5400 s', 'Europe/Berlin', ['2026-03-28T23:30', '2026-03-29T01:00', '2026-03-29T02:30', '2026-03-29T04:00']],
    [
      'every 0.5 s',
      'any zone',
      ['2026-11-05T00:00:01.000', '2026-11-05T00:00:01.500', '2026-11-05T00:00:02.000', '2026-11-05T00:00:02.500'],
    ],
  ])('%s, %s', (schedule, _, ends) => {
    const { missing, unclear, hidden } = gapsOf(schedule, ...ends);
    expect(missing).toEqual(hidden);
    expect(unclear).toEqual([]);
  });

  test.each([
    [
      'a day of 25 hours in the hole',
      '0 0 * * *',
      ['2026-10-23T22:00', '2026-10-24T22:00', '2026-10-25T23:00', '2026-10-26T23:00'],
    ],
    // 17 h, 22 h, 4 h, 9 h in UTC; without the change it would be 18:17, 23:17, 04:17.
    [
      'a change of the clocks that fits',
      '17 */5 * * *',
      ['2026-10-24T13:17', '2026-10-24T18:17', '2026-10-24T22:17', '2026-10-25T04:17', '2026-10-25T09:17'],
    ],
    [
      'a clock that the runs around do not show',
      '0 2,3 * * *',
      ['2026-11-05T02:00', '2026-11-05T03:00', '2026-11-06T02:00', '2026-11-06T03:00'],
    ],
    ['no schedule', null, HOURLY],
    ['a timetable of somebody’s own', 'AfterWorkdayTimetable', HOURLY],
    ['a text of six fields', '0 0 * * * *', HOURLY],
    ['five words', 'to be or not to', HOURLY],
    ['a day that never comes', '0 0 30 2 *', HOURLY],
  ])('nobody knows: %s', (_, schedule, ends) => {
    const { missing, unclear } = gapsOf(schedule, ...ends);
    expect(missing).toEqual([]);
    expect(unclear).toEqual([{ start: z(ends[1] ?? ''), end: z(ends.at(-2) ?? '') }]);
  });
});
