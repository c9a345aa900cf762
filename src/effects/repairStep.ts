/**
 * Starts one step of an approved plan, at most once. None of these requests may be repeated blindly: after a lost answer Airflow is read first, and
 * each kind of request has its own way of being recognised there.
 */
import { type AirflowClient, AirflowError } from '../airflow/client.ts';
import type { Outcome } from '../core/events.ts';
import type { Intent } from '../core/intent.ts';
import type { Step } from '../core/plan.ts';
import { clockBehind } from './clock.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, mayStillCome } from './outcome.ts';

type Act = { readonly airflow: string; readonly repairId: string; readonly step: number };

export async function repairStep(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<Outcome> {
  try {
    const repair = (await deps.snapshot()).repairs.find((r) => r.id === act.repairId);
    const planned = repair?.steps.find((s) => s.n === act.step);
    // When it was ordered by the clock's own word: what people see is never earlier than the yes, which another clock may have dated.
    const step = planned && { ...planned, startedAt: intent.createdAt };
    if (!step || repair?.state !== 'running')
      return { result: 'failed', error: 'the repair is not running any more', retry: false };
    const client = deps.client(act.airflow);
    if (settle && (await foundDone(client, step, deps.now)))
      return done({ kind: 'repair_step', step: act.step, settled: 'found_done' });
    // A run of our own id is refused by Airflow itself when it is there already.
    const early = settle && step.request.kind !== 'create_run' ? mayStillCome(intent) : null;
    if (early) return early;
    return await start(client, step, act.step, deps.now);
  } catch (error) {
    return failure(error);
  }
}

async function start(client: AirflowClient, step: Step, n: number, now: () => number): Promise<Outcome> {
  const { request, dagId } = step;
  const sent = done({ kind: 'repair_step', step: n, settled: 'sent' });
  switch (request.kind) {
    case 'clear': {
      const run = await client.getRun(dagId, request.runId);
      if (!run) return { result: 'failed', error: `run ${request.runId} is gone`, retry: false };
      if (run.startDate !== request.runStart)
        return { result: 'failed', error: 'somebody has cleared or restarted the run meanwhile', retry: false };
      await client.clear({ dagId, runId: request.runId, tasks: request.tasks, onLatestVersion: true });
      return sent;
    }
    case 'backfill':
      return startBackfill(client, step, n, now);
    case 'create_run':
      try {
        const interval = { logicalDate: request.logicalDate, start: request.intervalStart, end: request.intervalEnd };
        await client.triggerRun({
          dagId,
          runId: request.runId,
          interval,
          conf: null,
          note: 'created by Firedamper: this interval had no run',
        });
        return sent;
      } catch (error) {
        // 409: our own id is there already, or the interval has a run meanwhile. On 2.x the scheduler itself makes the next missing interval when a
        // cleared older run ends (2.11.2, seen live): the interval then is made good by that run, and it is the one that is watched.
        if (isConflict(error) && (await foundDone(client, step, now)))
          return done({ kind: 'repair_step', step: n, settled: 'found_done' });
        throw error;
      }
    default:
      return request satisfies never;
  }
}

const isConflict = (error: unknown): boolean => error instanceof AirflowError && error.kind === 'conflict';

/** One unfinished backfill per DAG: Airflow marks one as completed up to 30 s after its last run (3.0.6-3.3.2), so the next one waits for that. */
async function startBackfill(client: AirflowClient, step: Step, n: number, now: () => number): Promise<Outcome> {
  if (step.request.kind !== 'backfill') return { result: 'failed', error: 'not a backfill', retry: false };
  const { from, to, reprocess, maxActiveRuns } = step.request;
  const unfinished = { result: 'not_yet', why: 'another backfill of this DAG is not finished yet' } as const;
  if ((await client.listBackfills(step.dagId)).some((b) => b.completedAt === null)) return unfinished;
  try {
    await client.startBackfill({ dagId: step.dagId, from, to, reprocess, maxActiveRuns });
    return done({ kind: 'repair_step', step: n, settled: 'sent' });
  } catch (error) {
    if (!isConflict(error)) throw error;
    if (await foundDone(client, step, now)) return done({ kind: 'repair_step', step: n, settled: 'found_done' });
    return unfinished;
  }
}

/** Airflow's clock and ours differ a little. */
const CLOCK_SLACK_MS = 60_000;

async function foundDone(client: AirflowClient, step: Step, now: () => number): Promise<boolean> {
  const { request, dagId } = step;
  if (request.kind === 'create_run') {
    const { logicalDate } = request;
    if ((await client.getRun(dagId, request.runId)) !== null) return true;
    return (await client.listRuns(dagId, { logicalDateFrom: logicalDate, logicalDateTo: logicalDate, limit: 1 })).length > 0;
  }
  if (request.kind === 'clear') {
    const run = await client.getRun(dagId, request.runId);
    if (run === null || run.startDate !== request.runStart) return run !== null;
    // A run that is to run again whole may have been a success before.
    if (run.state === 'success') return request.tasks !== null;
    // The same attempt still goes on: done only if the tasks that had failed are not failed any more.
    if (run.state !== 'running') return run.state !== 'failed';
    const tasks = await client.listTasks(dagId, request.runId);
    return !tasks.some((t) => t.state === 'failed' && (request.tasks?.includes(t.taskId) ?? true));
  }
  const since = Date.parse(step.startedAt ?? '') - CLOCK_SLACK_MS - (await clockBehind(client, now));
  const backfills = await client.listBackfills(dagId);
  return backfills.some(
    (b) =>
      b.from === request.from && b.to === request.to && b.reprocess === request.reprocess && Date.parse(b.createdAt) >= since,
  );
}
