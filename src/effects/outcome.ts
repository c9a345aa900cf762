import { AirflowError } from '../airflow/client.ts';
import type { Outcome, OutcomeFacts } from '../core/events.ts';
import type { Intent } from '../core/intent.ts';

export const done = (facts: OutcomeFacts): Outcome => ({ result: 'done', facts });

const WORTH_RETRYING: ReadonlySet<AirflowError['kind']> = new Set([
  'unreachable',
  'timeout',
  'server_error',
  'not_airflow',
  'unauthorized',
]);

/** What an error of Airflow means for an act: nothing happened and it may be tried again, it never will work, or nobody knows. */
export function failure(error: unknown): Outcome {
  if (!(error instanceof AirflowError))
    return { result: 'failed', error: error instanceof Error ? error.message : String(error), retry: true };
  const later = error.retryAfterMs === null ? {} : { retryAfterMs: error.retryAfterMs };
  if (error.outcome === 'unknown') return { result: 'unknown', error: error.message, ...later };
  return { result: 'failed', error: error.message, retry: WORTH_RETRYING.has(error.kind), ...later };
}

export const isGone = (error: unknown): boolean => error instanceof AirflowError && error.kind === 'not_found';

export const isForbidden = (error: unknown): boolean => error instanceof AirflowError && error.kind === 'forbidden';

/** Looks at about 1, 3 and 6 s after the answer was lost. */
const LOOKS_BEFORE_REPEAT = 3;
const NOT_SHOWN = 'the answer was lost, and Airflow does not show the effect yet';

/**
 * Not seen in Airflow does not mean that it will not come: a request that timed out, or that a gateway gave up on, may still be under way (Airflow
 * answering after 49 s: #49800). What Airflow would do a second time without a word is looked for several times before it is sent again. Looks that
 * nobody answered count for nothing: a server or database that stands still for a minute goes on with everything at once, and the first look that is
 * answered may overtake the request itself. So the look before it must have been answered as well.
 */
export function mayStillCome(intent: Intent): Outcome | null {
  if (intent.attempts > LOOKS_BEFORE_REPEAT && intent.lastError === NOT_SHOWN) return null;
  // Nothing was sent: never the attempt at which it is given up, however many looks nobody answered.
  return { result: 'unknown', error: NOT_SHOWN, unread: true };
}
