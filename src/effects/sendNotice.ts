import type { Outcome } from '../core/events.ts';
import type { Intent, IntentAct } from '../core/intent.ts';
import { done } from './outcome.ts';

/** Sends one notice through one channel; the channel is found and the text composed by whoever wires this up. */
export type Announce = (act: IntentAct & { kind: 'send_notice' }, op: string) => Promise<void>;

export async function sendNotice(announce: Announce, intent: Intent, act: IntentAct & { kind: 'send_notice' }): Promise<Outcome> {
  try {
    await announce(act, intent.op);
    return done({ kind: 'send_notice' });
  } catch (error) {
    const retry = typeof error === 'object' && error !== null && 'retry' in error ? error.retry === true : true;
    return { result: 'failed', error: error instanceof Error ? error.message : String(error), retry };
  }
}
