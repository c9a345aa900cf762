/** What is asked one by one for the lineage - fields of single task instances, tasks of single DAGs - is kept for a while and asked in portions. */

import { AirflowError } from './client.ts';

export interface Portions<T> {
  /** The kept answers, after asking for at most `most` of the missing or old ones. */
  read(keys: readonly string[], ask: (key: string) => Promise<T | null>): Promise<Read<T>>;
}

export interface Read<T> {
  readonly found: ReadonlyMap<string, T>;
  /** How many are still to be asked, so that an incomplete picture can be shown as one. */
  readonly open: number;
  /** Why the last of those could not be asked, if that is the reason. */
  readonly failure: AirflowError | null;
}

export interface PortionOptions {
  readonly most: number;
  readonly keepMs: number;
  /** How long "there is nothing" is believed. */
  readonly keepNothingMs: number;
  readonly now: () => number;
}

interface Kept<T> {
  readonly value: T | null;
  readonly until: number;
}

export const createPortions = <T>(options: PortionOptions): Portions<T> => {
  const kept = new Map<string, Kept<T>>();
  return {
    read: async (keys, ask) => {
      const wanted = new Set(keys);
      for (const key of kept.keys()) if (!wanted.has(key)) kept.delete(key);
      const now = options.now();
      // What was never asked comes first; an old answer is better than none.
      const due = [...wanted]
        .filter((key) => (kept.get(key)?.until ?? 0) <= now)
        .sort((a, b) => (kept.get(a)?.until ?? 0) - (kept.get(b)?.until ?? 0));
      let failure: AirflowError | null = null;
      await Promise.all(
        due.slice(0, options.most).map(async (key) => {
          try {
            const value = await ask(key);
            kept.set(key, { value, until: now + (value === null ? options.keepNothingMs : options.keepMs) });
          } catch (error) {
            if (!(error instanceof AirflowError)) throw error;
            failure = error;
          }
        }),
      );
      const found = new Map<string, T>();
      for (const [key, { value }] of kept) if (value !== null) found.set(key, value);
      return { found, open: [...wanted].filter((key) => !kept.has(key)).length, failure };
    },
  };
};
