/** Lets callers through one by one, `everyMs` apart, in the order in which they came. */
export function createPace(everyMs: number, now: () => number): () => Promise<void> {
  let tail: Promise<void> = Promise.resolve();
  let last = Number.NEGATIVE_INFINITY;
  const turn = async () => {
    // Never longer than that: a clock that was set back must not stop everybody.
    const wait = Math.min(everyMs, last + everyMs - now());
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    last = now();
  };
  return () => {
    tail = tail.then(turn);
    return tail;
  };
}
