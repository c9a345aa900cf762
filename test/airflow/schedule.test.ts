/** Against what Airflow 2.11.2's own timetables answered for the same text, time zone and instant. */
import { describe, expect, test } from 'vitest';
import { intervalEnds } from '../../src/airflow/v1/schedule.ts';

const z = (text: string) => new Date(`${text}Z`).toISOString();

describe('the interval that a schedule begins at an instant ends', () => {
  test.each([
    ['@daily', 'UTC', '2026-11-05T00:00', '2026-11-06T00:00'],
    ['@hourly', 'UTC', '2026-12-31T23:00', '2027-01-01T00:00'],
    ['@quarterly', 'UTC', '2026-10-01T00:00', '2027-01-01T00:00'],
    ['0 0 * * 1-5', 'UTC', '2026-11-06T00:00', '2026-11-09T00:00'],
    ['0 8,10,12 * * *', 'UTC', '2026-11-06T12:00', '2026-11-07T08:00'],
    ['0 0 13 * 5', 'UTC', '2026-11-13T00:00', '2026-11-20T00:00'],
    ['0 0 L * *', 'UTC', '2026-10-31T00:00', '2026-11-30T00:00'],
    ['0 0 * * *', 'Europe/Berlin', '2026-11-04T23:00', '2026-11-05T23:00'],
    ['0 0 * * *', 'America/New_York', '2026-07-05T04:00', '2026-07-06T04:00'],
    ['every 5400 s', 'Europe/Berlin', '2026-03-28T23:30', '2026-03-29T01:00'],
    ['every 0.5 s', null, '2026-11-05T00:00:01.500', '2026-11-05T00:00:02.000'],
  ])('%s, %s, from %s', (schedule, timezone, start, end) => {
    expect(intervalEnds(schedule, timezone)(z(start))).toBe(z(end));
  });

  test.each([
    // Airflow: 01:00; the next instant by the clock on the wall: 02:00.
    ['0 */2 * * *', 'Europe/Berlin', '2026-03-28T23:00'],
    // Airflow: 01:00; the hour that comes twice comes at 00:00 first.
    ['0 1-5 * * *', 'Europe/Berlin', '2026-10-24T23:00'],
    ['0 */2 * * *', 'America/New_York', '2026-03-08T05:00'],
  ])('beside a change of the clocks nobody can tell: %s, %s, from %s', (schedule, timezone, start) => {
    expect(intervalEnds(schedule, timezone)(z(start))).toBeNull();
  });

  test.each([
    ['no schedule', null, 'UTC'],
    ['a timetable of somebody’s own', 'AfterWorkdayTimetable', 'UTC'],
    ['a text of six fields', '0 0 0 * * *', 'UTC'],
    ['no time zone', '0 0 * * *', null],
    ['a time zone that is none', '0 0 * * *', 'FixedTimezone(7200, name="+02:00")'],
    ['five words', 'to be or not to', 'UTC'],
    ['a day that never comes', '0 0 30 2 *', 'UTC'],
  ])('nor with %s', (_, schedule, timezone) => {
    expect(intervalEnds(schedule, timezone)('2026-11-05T00:00:00.000Z')).toBeNull();
  });
});
