/** Airflow's clock beside ours: instants of one side are compared with instants of the other only across this. */
import type { AirflowClient } from '../airflow/client.ts';
import { addMs } from '../core/draft.ts';
import type { Instant } from '../core/facts.ts';

/** An answer may be on its way for a second, and the Date header has no fractions. */
const CLOCK_SLACK_MS = 2_000;

/** How much earlier than ours Airflow's clock may read, milliseconds, never less than the slack: what it dated then is looked for from there on. */
export async function clockBehind(client: AirflowClient, now: () => number): Promise<number> {
  const { serverTime } = await client.probe();
  return CLOCK_SLACK_MS + (serverTime === null ? 0 : Math.max(0, now() - Date.parse(serverTime)));
}

/**
 * An instant of ours by Airflow's clock, and rather too late: what Airflow dated from there on was certainly after it. Not before the instant as it reads,
 * because our clock may have jumped ahead since. null: Airflow does not say what time it is.
 */
export async function certainlyAfter(client: AirflowClient, now: () => number, instant: Instant): Promise<Instant | null> {
  const { serverTime } = await client.probe();
  return serverTime === null ? null : addMs(instant, CLOCK_SLACK_MS + Math.max(0, Date.parse(serverTime) - now()));
}
