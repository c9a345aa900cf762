import { setTimeout as sleep } from 'node:timers/promises';

/** Thrown by a question that can never be answered any more: ends the waiting at once. */
export class Hopeless extends Error {}

/** What a step takes on two quiet cores, so many times: on a machine twice as slow four of 2.11.2's stories were late, with everything right. */
const PATIENCE = 4;
const LONGEST_PAUSE_MS = 1_500;

/**
 * Asks until the answer is neither null, undefined nor false, and answers it. On time-out the error says what was waited for and the last
 * thing that was seen, so that a red story can be understood from its message alone.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null | undefined | false>,
  options: { seconds?: number; show?: () => Promise<unknown> } = {},
): Promise<T> {
  const seconds = (options.seconds ?? 60) * PATIENCE;
  const began = performance.now();
  const end = began + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== undefined && answer !== false) return answer;
      last = answer;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    if (performance.now() > end) break;
    // Up to eight stories wait at a time, and a request costs the web server of 2.11.2 some 150 ms of processor time: what takes long is asked for less.
    await sleep(Math.min(LONGEST_PAUSE_MS, 300 + (performance.now() - began) / 10));
  }
  const seen = options.show ? await options.show().catch(String) : last;
  throw new Error(
    `waited ${seconds} s in vain until ${what}; last seen: ${seen instanceof Error ? seen.stack : JSON.stringify(seen, null, 1)}`,
  );
}
