/** When a failed intent is tried again. Pure; the spread comes from the evaluation's chance, so that many do not come back at once. */
import { addMs } from './draft.ts';
import type { Outcome } from './events.ts';
import type { Instant } from './facts.ts';
import { CHANGES_OUTSIDE, type Intent, type IntentKind } from './intent.ts';

const BASE_MS = 500;
const CAP_MS = 30_000;
/** After so many attempts the act is given up and people are told. Holding and releasing are never given up for an unreachable Airflow. */
const MAX_ATTEMPTS: Readonly<Record<IntentKind, number>> = {
  survey: Number.POSITIVE_INFINITY,
  survey_elsewhere: Number.POSITIVE_INFINITY,
  pause_dag: Number.POSITIVE_INFINITY,
  unpause_dag: Number.POSITIVE_INFINITY,
  plan_repair: 5,
  repair_step: 20,
  plan_release: Number.POSITIVE_INFINITY,
  plan_delivery: Number.POSITIVE_INFINITY,
  deliver: 20,
  send_notice: 8,
};

const NOT_YET_MS = 2_000;

/** What is waited for has not come: once more soon. Certainly not sent, so nothing has to be settled. */
export const notYet = (intent: Intent, why: string, now: Instant): Intent => ({
  ...intent,
  attempts: intent.attempts - (CHANGES_OUTSIDE[intent.act.kind] ? 1 : 0),
  state: 'planned',
  dueAt: addMs(now, NOT_YET_MS),
  lastError: why,
});

export function nextAttempt(
  intent: Intent,
  outcome: Outcome & { result: 'failed' | 'unknown' },
  now: Instant,
  chance: string,
): Intent {
  // An act that only reads is not recorded before it is made, so its attempt counts here.
  const attempts = intent.attempts + (CHANGES_OUTSIDE[intent.act.kind] ? 0 : 1);
  const hopeless = outcome.result === 'failed' && !outcome.retry;
  // Given up while nobody can look, an act that may well have worked would be told as refused.
  const unread = outcome.result === 'unknown' && outcome.unread === true;
  if (hopeless || (attempts >= MAX_ATTEMPTS[intent.act.kind] && !unread))
    return { ...intent, attempts, state: 'failed', lastError: outcome.error };
  const spread = 0.5 + (Number.parseInt(chance.slice(0, 2), 36) || 0) / (36 * 36) / 2;
  const delay = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempts, 10)) * spread;
  return {
    ...intent,
    attempts,
    state: outcome.result === 'unknown' ? 'unknown' : 'planned',
    dueAt: addMs(now, delay),
    lastError: outcome.error,
  };
}
