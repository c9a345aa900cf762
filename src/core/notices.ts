/**
 * What becomes of a notice: told, waiting for its channel, or given up. An act on Airflow is given up after so many tries; a notice after so much
 * time, because nobody is harmed by one more try, and a chat that was away for three minutes had lost everything that was said meanwhile.
 */
import { type Draft, msBetween } from './draft.ts';
import type { Outcome } from './events.ts';
import type { Intent, IntentAct } from './intent.ts';
import { LATE_NOTICE_MS } from './policy.ts';
import { reason } from './reason.ts';
import { nextAttempt } from './retry.ts';

type Telling = IntentAct & { readonly kind: 'send_notice' };

/** Told late is in the history: whoever looks back must see since when people knew. */
export function noticeSent(draft: Draft, { createdAt }: Intent, act: Telling): void {
  const lateMs = msBetween(createdAt, draft.now);
  if (lateMs < LATE_NOTICE_MS) return;
  const minutes = String(Math.round(lateMs / 60_000));
  draft.tell(act.incidentId, 'notice.late', act.event, reason('told_late', { channel: act.channel, minutes }));
}

export function noticeNotSent(
  draft: Draft,
  intent: Intent,
  act: Telling,
  outcome: Outcome & { result: 'failed' | 'unknown' },
): void {
  const next = nextAttempt(intent, outcome, draft.now, draft.context.chance);
  if (next.state === 'failed') return giveUp(draft, intent, act, outcome.error);
  // Whether a lost one arrived cannot be read anywhere: it is sent again.
  draft.putIntent({ ...next, state: 'planned' });
  const { giveUpAfterMs } = draft.policy.notify;
  const error = `given up after ${hours(giveUpAfterMs)}: ${outcome.error}`;
  // With it what waits behind it for the same channel and is as old: each would only have to fail once more for that, one after the other.
  for (const old of draft.intents()) {
    const over = (old.state === 'planned' || old.state === 'unknown') && msBetween(old.createdAt, draft.now) >= giveUpAfterMs;
    if (over && old.act.kind === 'send_notice' && old.act.channel === act.channel) giveUp(draft, old, old.act, error);
  }
}

const hours = (ms: number): string => (ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 360_000) / 10} h`);

function giveUp(draft: Draft, intent: Intent, act: Telling, error: string): void {
  draft.putIntent({ ...intent, state: 'failed', lastError: error });
  draft.tell(act.incidentId, 'notice.failed', act.event, reason('not_told', { channel: act.channel, error }));
}
