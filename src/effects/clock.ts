/** Airflow's clock beside ours: instants of one side are compared with instants of the other only across this. */
import type { AirflowClient } from '../airflow/client.ts';

/** An answer may be on its way for a second, and the Date header has no fractions. */
const CLOCK_SLACK_MS = 2_000;

/** How much earlier than ours Airflow's clock may read, milliseconds, never less than the slack: what it dated then is looked for from there on. */
export async function clockBehind(client: AirflowClient, now: () => number): Promise<number> {
  const { serverTime } = await client.probe();
  return CLOCK_SLACK_MS + (serverTime === null ? 0 : Math.max(0, now() - Date.parse(serverTime)));
}
