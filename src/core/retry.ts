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
  // Given up by its age, see notices.ts.
  send_notice: Number.POSITIVE_INFINITY,
};

export const NOT_YET_MS = 2_000;

const NOTICE_BASE_MS = 1_000;
const NOTICE_CAP_MS = 60_000;
/** A channel that wants to be left alone for longer is asked all the same: people wait for what it is to be told. */
const LONGEST_WISH_MS = 5 * 60_000;

/** Full jitter: anything up to twice as much as before. `share`: 0 to 1. Never nothing, so that a fault is no loop. */
export const noticePause = (failures: number, share: number, retryAfterMs = 0): number =>
  Math.max(
    NOTICE_BASE_MS / 2,
    share * Math.min(NOTICE_CAP_MS, NOTICE_BASE_MS * 2 ** Math.min(failures, 10)),
    Math.min(retryAfterMs, LONGEST_WISH_MS),
  );

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
  const share = (Number.parseInt(chance.slice(0, 2), 36) || 0) / (36 * 36);
  const delay =
    intent.act.kind === 'send_notice'
      ? noticePause(attempts, share, outcome.result === 'failed' ? outcome.retryAfterMs : 0)
      : Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempts, 10)) * (0.5 + share / 2) + (outcome.retryAfterMs ?? 0);
  return {
    ...intent,
    attempts,
    state: outcome.result === 'unknown' ? 'unknown' : 'planned',
    dueAt: addMs(now, delay),
    lastError: outcome.error,
  };
}
