import type { Outcome } from '../core/events.ts';
import type { Instant } from '../core/facts.ts';
import type { Intent, IntentAct } from '../core/intent.ts';
import { done } from './outcome.ts';

/** Sends one notice through one channel; the channel is found and the text composed by whoever wires this up. */
export type Announce = (act: IntentAct & { kind: 'send_notice' }, op: string, decidedAt: Instant) => Promise<void>;

export async function sendNotice(announce: Announce, intent: Intent, act: IntentAct & { kind: 'send_notice' }): Promise<Outcome> {
  try {
    await announce(act, intent.op, intent.createdAt);
    return done({ kind: 'send_notice' });
  } catch (error) {
    const told = typeof error === 'object' && error !== null ? (error as { retry?: unknown; retryAfterMs?: unknown }) : {};
    return {
      result: 'failed',
      error: error instanceof Error ? error.message : String(error),
      retry: told.retry === undefined || told.retry === true,
      ...(typeof told.retryAfterMs === 'number' ? { retryAfterMs: told.retryAfterMs } : {}),
    };
  }
}
