/**
 * Which interval follows which, from the schedule of a DAG as Airflow 2 prints it: 2.x has nothing that tells the intervals it never made a run for.
 * Who asks must still see whether it explains the runs that are there, because a timetable may print a cron text and mean something else by it
 * (`CronTriggerTimetable` has a time zone of its own and intervals without length: 2.11.2).
 */
import { Cron } from 'croner';
import type { Instant } from '../../core/facts.ts';

/** The end of the interval that starts there; null where nobody can tell. */
export type IntervalEnd = (start: Instant) => Instant | null;

/** The names that Airflow has for cron texts, as 2.11.2 reads them. */
const PRESETS: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@quarterly': '0 0 1 */3 *',
  '@yearly': '0 0 1 1 *',
};
/**
 * In the hours around a change of the clocks Airflow has rules of its own: of 5,315 intervals of 36 cron texts in three time zones around both changes of 2026
 * five were others than the library's, all there (2.11.2).
 */
const NEAR_MS = 3 * 3_600_000;
const NOBODY_KNOWS: IntervalEnd = () => null;

/** `schedule`: cron text or `every N s`. `timezone`: that of the DAG, an IANA name. */
export function intervalEnds(schedule: string | null, timezone: string | null): IntervalEnd {
  const every = /^every (\d+(?:\.\d+)?) s$/.exec(schedule ?? '');
  if (every) return (start) => new Date(Date.parse(start) + Number(every[1]) * 1_000).toISOString();
  const cron = PRESETS[schedule ?? ''] ?? schedule ?? '';
  // With a sixth field Airflow counts seconds at the end of the text, and others at its beginning.
  if (timezone === null || !/^\S+( \S+){4}$/.test(cron)) return NOBODY_KNOWS;
  try {
    const rule = new Cron(cron, { timezone, paused: true });
    const clock = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
    const offset = (at: number) => clock.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value;
    return (start) => {
      const end = rule.nextRun(new Date(start));
      return end && offset(Date.parse(start) - NEAR_MS) === offset(end.getTime() + NEAR_MS) ? end.toISOString() : null;
    };
  } catch {
    return NOBODY_KNOWS;
  }
}
