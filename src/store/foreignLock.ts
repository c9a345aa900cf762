/**
 * Somebody else's lock (another program, a tool on the file). SQLite's own wait stops the event loop, and each transaction waited in its turn: with a
 * poll a second and the lock held for 12 s, callbacks were refused after 9 s, and 3 of the looks at a page were answered. So the waiting is done here:
 * between two tries the program goes on, and all that wait for one lock share one patience. When that is used up, each is refused after one try.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** How long a write waits for a lock that has just appeared. */
const PATIENCE_MS = 1_000;
const TRY_AGAIN_MS = 20;
/** A lock that nobody ran into for so long is a new one. */
const FORGET_MS = 5_000;

interface Clock {
  now(): number;
  pause(ms: number): Promise<unknown>;
}

const realClock: Clock = { now: () => performance.now(), pause };

/** Answers what stands around the beginning of every write transaction. */
export function createLockWait(clock: Clock = realClock): (begin: () => Promise<unknown>) => Promise<void> {
  let met: { readonly first: number; readonly last: number } | null = null;
  return async (begin) => {
    for (;;) {
      try {
        await begin();
        met = null;
        return;
      } catch (error) {
        if (!isBusy(error)) throw error;
        const now = clock.now();
        const first = met !== null && now - met.last < FORGET_MS ? met.first : now;
        met = { first, last: now };
        if (now - first >= PATIENCE_MS) throw error;
        await clock.pause(TRY_AGAIN_MS);
      }
    }
  };
}

const isBusy = (error: unknown): boolean => String((error as { code?: unknown } | null)?.code ?? '').startsWith('SQLITE_BUSY');
