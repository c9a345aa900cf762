/** When all is quiet: everything heard, everything ended or explained, every switch where it belongs. */
import { isOver } from '../../../../src/core/lifecycle.ts';
import type { Courtroom } from './laws.ts';

export function judgeEnd(c: Courtroom): void {
  everythingHeard(c);
  nothingStuck(c);
  switchesRight(c);
}

/** Law: every failure is found with all callbacks lost; what was acknowledged is never lost. */
function everythingHeard({ truth, airflow, site }: Courtroom): void {
  const heard = new Set([...truth.signals.values()].map((s) => `${s.dagId}\n${s.runId}`));
  for (const run of airflow.world.allRuns()) {
    const failure = truth.failures.find((f) => f.dagId === run.dagId && f.runId === run.runId);
    if (run.state === 'failed' && run.start !== null && failure && !heard.has(`${run.dagId}\n${run.runId}`))
      truth.break('every failure is heard', failure.at, `${run.dagId} ${run.runId}`);
  }
  const keys = new Set([...truth.signals.values()].map((s) => JSON.stringify([s.dagId, s.runId, s.taskId])));
  for (const key of truth.acknowledged) if (!keys.has(key)) truth.break('202 means stored', 0, `${key} on ${site.version}`);
}

/** Law: nothing is held for ever; every hold ends or says why. */
function nothingStuck({ truth, airflow }: Courtroom): void {
  const at = airflow.world.now();
  for (const i of truth.incidents.values())
    if (!isOver(i.status)) truth.break('every story ends', at, `${i.id} of ${i.dagId} is ${i.status}: ${i.statusReason.code}`);
  for (const h of truth.holds.values())
    if (h.releasedAt === null)
      truth.break('nothing is held for ever', at, `${h.id} ${h.dagId} of ${h.incidentId} is ${h.state}: ${h.reason.code}`);
  for (const i of truth.intents.values())
    if (i.state === 'planned' || i.state === 'sending' || i.state === 'unknown')
      truth.break('every intent ends', at, `${i.id} ${i.act.kind} is ${i.state}: ${i.lastError}`);
}

/** Law: what a person paused is paused; what we held and nobody touched runs again. */
function switchesRight({ truth, airflow }: Courtroom): void {
  const at = airflow.world.now();
  for (const [dagId, dag] of airflow.world.dags) {
    const s = truth.switchOf(dagId);
    if (s.paused !== dag.paused) truth.break('the simulator knows the switches', at, dagId);
    const last = s.touches.at(-1);
    const ended = s.intervals.at(-1);
    if (last?.paused && !dag.paused && s.forcedSeq < last.seq) truth.break('what a person paused stays paused', at, dagId);
    if (!last && dag.spec.paused && !dag.paused && s.forcedSeq === 0)
      truth.break('what was paused before us stays paused', at, dagId);
    if (!dag.paused || s.pausedBy !== 'us') continue;
    const ceded = [...truth.holds.values()].some((h) => h.dagId === dagId && h.state === 'ceded');
    const touched = s.touches.some((t) => t.at >= (ended?.from ?? 0) - 600_000);
    if (!ceded || !touched) truth.break('what we held runs again', at, `${dagId} is still paused by us`);
  }
}
