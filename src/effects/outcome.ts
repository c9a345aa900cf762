import { AirflowError } from '../airflow/client.ts';
import type { Outcome, OutcomeFacts } from '../core/events.ts';

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
  if (error.outcome === 'unknown') return { result: 'unknown', error: error.message };
  return { result: 'failed', error: error.message, retry: WORTH_RETRYING.has(error.kind) };
}

export const isGone = (error: unknown): boolean => error instanceof AirflowError && error.kind === 'not_found';
