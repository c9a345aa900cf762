/**
 * Which interval may follow which, from the schedule of a DAG as Airflow 2 prints it: 2.x has nothing that tells the intervals it never made a run for.
 *
 * It does not tell a DAG's time zone either: `timezone` in the details is that of the installation, for every DAG (2.11.2). So there is one answer for each
 * offset from UTC that a clock may have, and the runs that are there must show which of them it is.
 */
import { Cron } from 'croner';
import type { Instant, Reading } from '../../core/facts.ts';

/** The names that Airflow has for cron texts, as 2.11.2 reads them. */
const PRESETS: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@quarterly': '0 0 1 */3 *',
  '@yearly': '0 0 1 1 *',
};

/** Minutes, of all clocks of 2026: whole hours, and those that are off by a half or a quarter. */
const OFFSETS = [
  ...Array.from({ length: 27 }, (_, n) => (n - 12) * 60),
  ...[-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825],
];
/** A text without a word on hours and days means the same at each whole hour: an hourly DAG would be read 27 times to no other end. */
const OFFSETS_OF_MINUTES = [0, 30, 45];
const ONLY_MINUTES = /^\S+ \* \* \* \*$/;

/** `schedule`: cron text or `every N s`; none for anything else, a timetable of somebody's own say. */
export function possibleIntervals(schedule: string | null): readonly Reading[] {
  const every = /^every (\d+(?:\.\d+)?) s$/.exec(schedule ?? '');
  if (every)
    return [{ offsetMinutes: 0, endOf: (start) => new Date(Date.parse(start) + Number(every[1]) * 1_000).toISOString() }];
  const cron = PRESETS[schedule ?? ''] ?? schedule ?? '';
  // With a sixth field Airflow counts seconds at the end of the text, and others at its beginning.
  if (!/^\S+( \S+){4}$/.test(cron)) return [];
  try {
    return (ONLY_MINUTES.test(cron) ? OFFSETS_OF_MINUTES : OFFSETS).map((utcOffset) => {
      const rule = new Cron(cron, { utcOffset, paused: true });
      return { offsetMinutes: utcOffset, endOf: kept((start) => rule.nextRun(new Date(start))?.toISOString() ?? null) };
    });
  } catch {
    return [];
  }
}

/** Of the runs between two holes both ask. */
function kept(endOf: Reading['endOf']): Reading['endOf'] {
  const ends = new Map<Instant, Instant | null>();
  return (start) => {
    const known = ends.get(start);
    if (known !== undefined) return known;
    const end = endOf(start);
    ends.set(start, end);
    return end;
  };
}
