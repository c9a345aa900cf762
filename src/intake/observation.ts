/** A polled thing -> a signal. Pure. The keys are those of the callbacks, so that the same failure heard both ways is one. */
import type { RunFacts, TaskFacts } from '../core/facts.ts';
import { NOTHING_SAID, type Signal } from '../core/signal.ts';
import { dedupeKey } from './callback.ts';

export function signalOfTask(airflow: string, t: TaskFacts, now: string): Signal {
  return {
    key: dedupeKey({
      airflow,
      dagId: t.dagId,
      runId: t.runId,
      taskId: t.taskId,
      mapIndex: t.mapIndex,
      tryNumber: t.tryNumber,
      runStart: null,
      kind: 'task_failed',
    }),
    airflow,
    kind: 'task_failed',
    origin: 'poll',
    dagId: t.dagId,
    runId: t.runId,
    taskId: t.taskId,
    mapIndex: t.mapIndex,
    tryNumber: t.tryNumber,
    runType: null,
    logicalDate: null,
    runStart: null,
    occurredAt: t.endDate ?? now,
    text: null,
    logUrl: null,
    said: NOTHING_SAID,
  };
}

/** One attempt of a run is known by its start: a clear begins another (2.11.2, 3.3.2), `end_date` may change afterwards (2.11.2). */
export function signalOfRun(airflow: string, r: RunFacts, now: string): Signal {
  return {
    key: dedupeKey({
      airflow,
      dagId: r.dagId,
      runId: r.runId,
      taskId: null,
      mapIndex: -1,
      tryNumber: null,
      runStart: r.startDate,
      kind: 'run_failed',
    }),
    airflow,
    kind: 'run_failed',
    origin: 'poll',
    dagId: r.dagId,
    runId: r.runId,
    taskId: null,
    mapIndex: -1,
    tryNumber: null,
    runType: r.runType,
    logicalDate: r.logicalDate,
    runStart: r.startDate,
    occurredAt: r.endDate ?? now,
    text: null,
    logUrl: null,
    said: NOTHING_SAID,
  };
}
