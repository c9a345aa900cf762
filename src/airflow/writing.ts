/** Small rules of the calls that change something; the same for both generations. */
import type { ClearedTask } from '../core/facts.ts';
import { AirflowError } from './client.ts';

/** 2.x answers an id outside this set with a 500 page (2.11.2), so it is never sent. `[scheduler] allowed_run_id_pattern`, default. */
export const checkRunId = (runId: string): void => {
  if (/^[A-Za-z0-9_.~:+-]{1,250}$/.test(runId) && !/^[.~]+$/.test(runId)) return;
  throw new AirflowError('bad_id', `${JSON.stringify(runId.slice(0, 60).toWellFormed())} cannot be used as a run id`, {
    outcome: 'none',
    operation: 'POST /dags/{dag_id}/dagRuns',
  });
};

/** In one order, and each only once, so that two dry runs of the same thing compare equal. */
export const sortedTasks = (tasks: readonly ClearedTask[]): readonly ClearedTask[] => {
  const key = (task: ClearedTask) => `${task.runId}\n${task.taskId}\n${String(task.mapIndex + 1).padStart(8, '0')}`;
  const byKey = new Map(tasks.map((task) => [key(task), task]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, task]) => task);
};
