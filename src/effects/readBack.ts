/**
 * Reading the pause state back. Many at once share one list: with 200 DAGs to hold, a GET for each would cost as much as the PATCH itself.
 */
import type { AirflowClient } from '../airflow/client.ts';
import { isGone } from './outcome.ts';

/** As long as more keep coming, up to MOST_WAIT_MS: a hold is in effect with the PATCH, and its read-back is in no hurry. */
const WAIT_MS = 120;
const MOST_WAIT_MS = 400;
/** One page of the list holds 100 DAGs on every version (2.9-3.3). */
const PAGE = 100;

export function createReadBack(client: AirflowClient, dagCount: () => number): (dagId: string) => Promise<boolean | 'gone'> {
  let waiting: { dagId: string; resolve(v: boolean | 'gone'): void; reject(e: unknown): void }[] = [];

  const one = async (dagId: string): Promise<boolean | 'gone'> => {
    try {
      return (await client.getDag(dagId)).paused;
    } catch (error) {
      if (isGone(error)) return 'gone';
      throw error;
    }
  };

  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    const pages = Math.max(1, Math.ceil(dagCount() / PAGE));
    if (batch.length <= pages) {
      for (const w of batch) one(w.dagId).then(w.resolve, w.reject);
      return;
    }
    try {
      const states = new Map((await client.listDags()).map((d) => [d.dagId, d.paused]));
      for (const w of batch) {
        const state = states.get(w.dagId);
        // A DAG that the list leaves out may be stale and still exist: ask for it by name.
        if (state === undefined) one(w.dagId).then(w.resolve, w.reject);
        else w.resolve(state);
      }
    } catch (error) {
      for (const w of batch) w.reject(error);
    }
  };

  let timer: NodeJS.Timeout | null = null;
  let firstAt = 0;
  return (dagId) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ dagId, resolve, reject }) === 1) firstAt = performance.now();
      if (timer) clearTimeout(timer);
      timer = setTimeout(flush, Math.max(0, Math.min(WAIT_MS, MOST_WAIT_MS - (performance.now() - firstAt))));
    });
}
