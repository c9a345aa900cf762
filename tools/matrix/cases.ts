/** The ways a run can fail, how each is brought about, and what has to be true of it whatever the version. */
import type { AirflowByHand } from './airflow.ts';
import { until } from './airflow.ts';

export interface Case {
  readonly dagId: string;
  readonly words: string;
  /** What an Airflow that swallows nothing would call somebody for; a task that fails and its run, where nothing is said. */
  readonly due?: readonly string[];
  /** What a person does once the task runs; `now` notes the moment of the failure. */
  readonly act?: (airflow: AirflowByHand, runId: string, now: () => void) => Promise<void>;
  /** Where the run may take: two rounds of a heartbeat check, for instance. */
  readonly seconds?: number;
  /** Cases that mostly wait run side by side: the first group before the single ones, the last after them. */
  readonly group?: 'first' | 'last';
}

/** The file that cannot be read. It names no DAG, so it has no run. */
export const IMPORT_ERROR = {
  dagId: 'mx_import_error',
  words: 'a DAG file cannot be imported',
  file: 'mx_import_error.py',
  due: ['import_error'],
} as const;

export const DUE = ['task_failed', 'run_failed'];
const RETRIED = ['task_retry', ...DUE];

const running = (airflow: AirflowByHand, dagId: string, runId: string) =>
  until(`${dagId} runs`, 60, async () => (await airflow.tasks(dagId, runId)).some((task) => task.state === 'running'));

export const CASES: readonly Case[] = [
  { dagId: 'mx_run_timeout', words: '`dagrun_timeout` of the run', due: ['run_failed'], group: 'first', seconds: 60 },
  { dagId: 'mx_sigkill', words: 'SIGKILL of the task process, no retries', group: 'first', seconds: 90 },
  {
    dagId: 'mx_sigkill_retry',
    words: 'SIGKILL of the task process, one retry, killed again',
    due: RETRIED,
    group: 'first',
    seconds: 120,
  },
  {
    dagId: 'mx_sigkill_both',
    words: 'SIGKILL, one retry, killed again; listener and the callbacks together',
    due: RETRIED,
    group: 'first',
    seconds: 120,
  },
  { dagId: 'mx_exception', words: 'exception' },
  { dagId: 'mx_retries', words: 'exception, one retry, used up', due: RETRIED },
  { dagId: 'mx_fail_now', words: '`AirflowFailException`, two retries left' },
  { dagId: 'mx_execution_timeout', words: '`execution_timeout` of the task' },
  { dagId: 'mx_sensor', words: 'time-out of a sensor' },
  { dagId: 'mx_sql_check', words: 'SQL column check of common.sql fails' },
  { dagId: 'mx_upstream', words: 'exception, and a task after it that becomes `upstream_failed`' },
  { dagId: 'mx_both', words: 'exception, one retry; listener and the callbacks of task and DAG together', due: RETRIED },
  { dagId: 'mx_words', words: 'exception; listener and a callback that adds severity and note' },
  { dagId: 'mx_notifier', words: 'exception; listener and `FiredamperNotifier` with a note' },
  {
    dagId: 'mx_task_marked',
    words: 'running task set to failed by API',
    act: async (airflow, runId, now) => {
      await running(airflow, 'mx_task_marked', runId);
      now();
      await airflow.markTask('mx_task_marked', runId, 'work');
    },
  },
  {
    dagId: 'mx_run_marked',
    words: 'run set to failed by API',
    act: async (airflow, runId, now) => {
      await running(airflow, 'mx_run_marked', runId);
      now();
      await airflow.markRun('mx_run_marked', runId);
    },
  },
  { dagId: 'mx_worker_lost', words: 'the process above the task is killed too: heartbeat lost', group: 'last', seconds: 120 },
  {
    dagId: 'mx_worker_lost_both',
    words: 'heartbeat lost; listener and the callbacks of task and DAG together',
    group: 'last',
    seconds: 120,
  },
];
