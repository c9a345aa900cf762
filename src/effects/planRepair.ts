/**
 * Asks Airflow what exactly would run again, and puts it in order: the cause before its fallout, upstream first, a canary before the rest. The same
 * situation must give the same steps, because the approval is bound to their digest.
 */
import type { AirflowClient, ClearRequest } from '../airflow/client.ts';
import { onErrand } from '../airflow/lanes.ts';
import type { State } from '../core/draft.ts';
import type { Outcome } from '../core/events.ts';
import type { RunFacts, TaskFacts } from '../core/facts.ts';
import type { Incident } from '../core/incident.ts';
import { affectedTasks } from '../core/lineage.ts';
import type { PlannedRun, Step, StepRequest } from '../core/plan.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure } from './outcome.ts';
import { planBackfills } from './planBackfills.ts';
import { planMissingRuns } from './planMissing.ts';

/** A step before it is numbered and put into a wave. */
export type Draft = Pick<Step, 'request' | 'runs' | 'dryRun'>;

export interface Planning {
  readonly client: AirflowClient;
  readonly maxActiveRuns: number;
  /** Shadow mode sends no POST at all, not even a dry run: Airflow writes an audit row for each. */
  readonly silent: boolean;
  warn(text: string): void;
}

type Act = { readonly airflow: string; readonly repairId: string };

export const planRepair = (deps: EffectDeps, act: Act): Promise<Outcome> => onErrand('plan', () => planFor(deps, act));

async function planFor(deps: EffectDeps, act: Act): Promise<Outcome> {
  try {
    const state = await deps.snapshot();
    const repair = state.repairs.find((r) => r.id === act.repairId);
    const incident = state.incidents.find((i) => i.id === repair?.incidentId);
    if (!repair || !incident) return { result: 'failed', error: 'the incident is over', retry: false };
    const warnings: string[] = [];
    const planning: Planning = {
      client: deps.client(act.airflow),
      maxActiveRuns: deps.policy.repair.maxActiveRuns,
      silent: incident.mode === 'shadow' || deps.policy.mode === 'shadow',
      warn: (text) => warnings.push(text),
    };
    const age = deps.now() - Date.parse(repair.createdAt);
    // Younger than nothing: our clock was set back since, and would have the plan wait until it has caught up.
    const early = age >= 0 && age < WAIT_FOR_END_MS;
    const goesOn = repair.state === 'planning' ? await runThatGoesOn(planning, incident, early) : null;
    if (goesOn) return { result: 'not_yet', why: `run ${goesOn} still goes on` };
    return done({ kind: 'plan_repair', plan: { steps: await plan(planning, state, incident), warnings } });
  } catch (error) {
    return failure(error);
  }
}

/**
 * A callback comes before its run has ended, and "fixed" may follow within a second: a plan made then would be another one when the run has ended, and
 * its approval would lapse. A run that goes on for longer is not waited for: its failed tasks can be cleared meanwhile. One whose data was reported as
 * bad is, because all of it has to run again.
 */
const WAIT_FOR_END_MS = 60_000;

async function runThatGoesOn(p: Planning, incident: Incident, early: boolean): Promise<string | null> {
  for (const known of incident.runs.filter((r) => r.state === 'failing' && (early || r.badData))) {
    const run = await p.client.getRun(known.dagId, known.runId);
    if (run?.state === 'running') return `${known.runId} of ${known.dagId}`;
  }
  return null;
}

async function plan(p: Planning, state: State, incident: Incident): Promise<Step[]> {
  const steps: Step[] = [];
  let wave = 0;
  for (const dagId of inOrder(state, incident)) {
    const drafts = await planDag(p, incident, dagId);
    drafts.forEach((d, i) => {
      const canary = drafts.length > 1 && i === 0;
      const stage = drafts.length === 1 ? 'all' : canary ? 'canary' : 'rest';
      steps.push({
        n: steps.length + 1,
        dagId,
        wave: wave + (canary || drafts.length === 1 ? 0 : 1),
        stage,
        ...d,
        ...NOT_STARTED,
      });
    });
    wave += 2;
  }
  return steps;
}

const NOT_STARTED = { state: 'waiting', reason: null, progress: [], startedAt: null, endedAt: null } as const;

/** The failing DAG, then its fallout, the nearest first. */
function inOrder(state: State, incident: Incident): string[] {
  const depth = (dagId: string) => state.holds.find((h) => h.incidentId === incident.id && h.dagId === dagId)?.depth ?? 99;
  const dags = [...new Set(incident.runs.map((r) => r.dagId))];
  return dags.sort(
    (a, b) => Number(b === incident.dagId) - Number(a === incident.dagId) || depth(a) - depth(b) || (a < b ? -1 : 1),
  );
}

async function planDag(p: Planning, incident: Incident, dagId: string): Promise<Draft[]> {
  const dag = await p.client.getDag(dagId);
  if (dag.paused) p.warn(`${dagId} is paused: what is started there stays queued until it is unpaused`);
  const runs = await brokenRuns(p, incident, dagId);
  const bad = new Set(incident.runs.filter((r) => r.dagId === dagId && r.badData).map((r) => r.runId));
  const scheduled = runs.filter((r) => r.logicalDate !== null && (r.runType === 'scheduled' || r.runType === 'backfill'));
  if (p.client.canBackfill && dag.timeScheduled && scheduled.length > 1) {
    const rest = runs.filter((r) => !scheduled.includes(r));
    return [...(await planBackfills(p, dagId, scheduled, bad.size > 0)), ...(await clears(p, dagId, rest, bad))];
  }
  const missing = !p.client.canBackfill && scheduled.length > 1 ? await planMissingRuns(p, dag, scheduled) : [];
  return [...(await clears(p, dagId, runs, bad)), ...missing];
}

/** Runs of this DAG that the incident is about and that are still broken, oldest first, as Airflow shows them now. */
async function brokenRuns(p: Planning, incident: Incident, dagId: string): Promise<RunFacts[]> {
  const broken: RunFacts[] = [];
  for (const known of incident.runs.filter(
    (r) => r.dagId === dagId && r.state !== 'healed' && r.state !== 'succeeded' && r.state !== 'gone',
  )) {
    const run = await p.client.getRun(dagId, known.runId);
    if (!run) p.warn(`run ${known.runId} of ${dagId} is gone`);
    else if (run.state === 'failed' || (run.state === 'running' && known.state === 'failing')) broken.push(run);
    else if (run.state === 'success' && known.badData) broken.push(run);
    else p.warn(`run ${known.runId} of ${dagId} is ${run.state} and is left alone`);
  }
  return broken.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
}

const orderOf = (r: RunFacts): string => `${r.logicalDate ?? r.startDate ?? ''} ${r.runId}`;

async function clears(p: Planning, dagId: string, runs: readonly RunFacts[], bad: ReadonlySet<string>): Promise<Draft[]> {
  const drafts: Draft[] = [];
  for (const run of runs) {
    const draft = await planClear(p, dagId, run, bad.has(run.runId));
    if (draft) drafts.push(draft);
  }
  return drafts;
}

/**
 * The failed tasks and everything behind them, also what was skipped or succeeded on bad data. A run that failed without a failed task (time-out,
 * marked by hand) is run again whole, and so is one whose data was reported as bad: a check alone would only fail again on the same data.
 */
async function planClear(p: Planning, dagId: string, run: RunFacts, bad: boolean): Promise<Draft | null> {
  const all = await p.client.listTasks(dagId, run.runId);
  const failed = [...new Set(all.filter((t) => t.state === 'failed').map((t) => t.taskId))].sort();
  // A run that still goes on is never cleared whole: the callback comes before Airflow shows the failed task, and a clear would restart it (3.3.2).
  const whole = run.state === 'running' ? [] : [null];
  for (const tasks of failed.length > 0 && !bad ? [failed, ...whole] : whole) {
    const cleared = await dryRun(p, { dagId, runId: run.runId, tasks, onLatestVersion: true }, all);
    if (cleared.length === 0) continue;
    // The dry run does not say which attempt it saw: somebody may have cleared the run while we asked.
    const now = await p.client.getRun(dagId, run.runId);
    if (now?.startDate !== run.startDate || now.state !== run.state) {
      p.warn(`run ${run.runId} of ${dagId} was cleared or restarted by somebody while the plan was made`);
      return null;
    }
    const request: StepRequest = {
      kind: 'clear',
      runId: run.runId,
      logicalDate: run.logicalDate,
      tasks,
      runStart: run.startDate,
    };
    const planned: PlannedRun = {
      runId: run.runId,
      logicalDate: run.logicalDate,
      startBefore: run.state === 'running' ? null : run.startDate,
      tasks: cleared,
    };
    if (run.state === 'running') p.warn(`run ${run.runId} of ${dagId} still goes on: what else fails in it is not in this plan`);
    return { request, runs: [planned], dryRun: p.silent ? 'computed' : 'airflow' };
  }
  p.warn(`Airflow finds nothing to run again in run ${run.runId} of ${dagId}`);
  return null;
}

async function dryRun(p: Planning, request: ClearRequest, all: readonly TaskFacts[]): Promise<PlannedRun['tasks']> {
  const cleared = p.silent ? await computed(p, request, all) : await p.client.dryRunClear(request);
  return cleared
    .map((t) => ({ taskId: t.taskId, mapIndex: t.mapIndex }))
    .sort((a, b) => (a.taskId === b.taskId ? a.mapIndex - b.mapIndex : a.taskId < b.taskId ? -1 : 1));
}

async function computed(p: Planning, request: ClearRequest, all: readonly TaskFacts[]): Promise<readonly TaskFacts[]> {
  if (request.tasks === null) return all;
  const behind = affectedTasks(await p.client.getTaskGraph(request.dagId), request.tasks);
  return all.filter((t) => behind === null || behind.has(t.taskId));
}
