import type { PlannedRun, Repair, Step, StepRequest } from '../core/plan.ts';
import { sentence } from '../core/reason.ts';
import { Html, html, type Value } from './html.ts';
import { ago, badge, clock, day, moment, name, plural, REPAIR_WORDS } from './words.ts';

const RUNS_SHOWN = 8;

/** The newest repair, exactly as it would run: this is what people say yes to. `forms` are the buttons that belong to it. */
export function planPart(repairs: readonly Repair[], now: number, forms: Value): Html {
  const [repair, ...older] = repairs;
  return html`<section id="plan" class="card" aria-labelledby="plan-h" data-live="plan"><h2 id="plan-h">Repair${repair !== undefined && html` ${badge(`repair-${repair.state}`, REPAIR_WORDS[repair.state])}`}</h2>
${repair === undefined ? html`<p>There is no plan yet. It is made when somebody says that the cause is fixed: Airflow is asked what exactly would run again, and nothing runs before it is approved.</p>` : body(repair, now, forms)}
${older.length > 0 && html`<details id="older-repairs"><summary>${plural(older.length, 'earlier plan')}</summary><ul class="plain-list">${older.map((one) => html`<li>${badge(`repair-${one.state}`, REPAIR_WORDS[one.state])} ${sentence(one.stateReason)} <span class="quiet">asked for by ${one.requestedBy}, ${ago(one.createdAt, now)}</span></li>`)}</ul></details>`}
</section>`;
}

function body(repair: Repair, now: number, forms: Value): Html {
  return html`${saysMore(repair) && html`<p class="because">${sentence(repair.stateReason)}</p>`}
${repair.steps.length > 0 && html`<p class="sum">${totals(repair)}</p>`}
${repair.state === 'running' && progressBar(repair)}
${repair.warnings.length > 0 && html`<div class="note warn"><ul>${repair.warnings.map((warning) => html`<li>${warning}</li>`)}</ul></div>`}
${repair.steps.length > 0 && html`<ol class="steps">${repair.steps.map((step) => stepItem(repair, step))}</ol>`}
${facts(repair, now)}
${forms}`;
}

/** `proposed` and `planning` say no more than the badge beside the heading. */
const saysMore = (repair: Repair): boolean => repair.stateReason.code !== 'proposed';
/** Before the start every step only waits. */
const hasStarted = (repair: Repair): boolean => repair.steps.some((step) => step.state !== 'waiting');

export function counts(repair: Repair): { runs: number; tasks: number; done: number; failed: number } {
  const runs = repair.steps.flatMap((step) => step.runs);
  const progress = repair.steps.flatMap((step) => step.progress);
  return {
    runs: runs.length,
    tasks: runs.reduce((sum, run) => sum + run.tasks.length, 0),
    done: progress.filter((run) => run.state === 'success').length,
    failed: progress.filter((run) => run.state === 'failed').length,
  };
}

function totals(repair: Repair): string {
  const { runs, tasks } = counts(repair);
  const dags = new Set(repair.steps.map((step) => step.dagId)).size;
  const canary = repair.steps.some((step) => step.stage === 'canary')
    ? '; a canary first, the rest only when it has succeeded'
    : '';
  return `${plural(runs, 'run')}${tasks > 0 ? `, ${plural(tasks, 'task')}` : ''} of ${plural(dags, 'DAG')}, in ${plural(repair.steps.length, 'step')}${canary}.`;
}

function progressBar(repair: Repair): Html {
  const { runs, done, failed } = counts(repair);
  return html`<div class="progress"><progress max="${Math.max(runs, 1)}" value="${done}" aria-label="Runs that have succeeded"></progress><span>${done} of ${plural(runs, 'run')} done${failed > 0 && html`, <strong class="bad">${failed} failed</strong>`}</span></div>`;
}

function stepItem(repair: Repair, step: Step): Html {
  const many = step.runs.length > RUNS_SHOWN;
  const list = html`<ul class="runs">${step.runs.map((run) => runItem(step, run))}</ul>`;
  return html`<li class="step state-${step.state}"><div class="step-head"><span class="n">${step.n}</span>
<div><strong>${what(step.request)}</strong> ${name(step.dagId)} ${step.stage !== 'all' && badge(`stage-${step.stage}`, step.stage === 'canary' ? 'canary' : 'the rest')} ${hasStarted(repair) && badge(`step-${step.state}`, step.state)}
<div class="quiet">${how(step.request)}${step.dryRun === 'computed' && ' Computed by us: Airflow was not asked.'}</div></div></div>
${many ? html`<details id="runs-${repair.id}-${step.n}"><summary>${plural(step.runs.length, 'run')}</summary>${list}</details>` : list}
${step.reason !== null && html`<p class="because">${sentence(step.reason)}</p>`}</li>`;
}

function what(request: StepRequest): string {
  if (request.kind === 'clear') return request.tasks === null ? 'Run the whole run again:' : 'Run failed tasks again:';
  return request.kind === 'backfill' ? 'Backfill:' : 'Create the missing run:';
}

function how(request: StepRequest): Value {
  switch (request.kind) {
    case 'clear':
      return html`${request.tasks === null ? 'The run failed without a failed task, so all of it runs again.' : html`Clears ${request.tasks.map((task, i) => html`${i > 0 && ', '}${name(task)}`)} and what comes behind.`}`;
    case 'backfill':
      return html`From ${moment(request.from)} to ${moment(request.to)}, ${request.reprocess === 'failed' ? 'failed runs again and missing ones' : 'missing runs only'}, at most ${request.maxActiveRuns} at once.`;
    case 'create_run':
      return html`For the interval ${moment(request.intervalStart)} to ${moment(request.intervalEnd)}.`;
  }
}

function runItem(step: Step, run: PlannedRun): Html {
  const seen = step.progress.find(
    (one) => (one.runId !== null && one.runId === run.runId) || (one.logicalDate !== null && one.logicalDate === run.logicalDate),
  );
  const state = seen?.state;
  const tasks = run.tasks.map((task) => `${task.taskId}${task.mapIndex >= 0 ? `[${task.mapIndex}]` : ''}`);
  return html`<li><div class="run">${run.runId !== null ? name(run.runId) : 'a new run'}${run.logicalDate !== null && html` <span class="quiet">${day(run.logicalDate)} ${clock(run.logicalDate)}</span>`} ${state !== undefined && badge(`run-${state}`, state)}</div>
${tasks.length > 0 && html`<div class="tasks">${tasks.map((task) => html`<code class="name">${task}</code> `)}</div>`}</li>`;
}

function facts(repair: Repair, now: number): Html {
  const { approval, digest } = repair;
  const open = repair.state === 'proposed' && repair.expiresAt !== null;
  return html`<dl class="facts">
<div><dt>Asked for by</dt><dd>${repair.requestedBy}, ${ago(repair.createdAt, now)}</dd></div>
${open && repair.expiresAt !== null && html`<div><dt>Expires</dt><dd>${countdown(repair.expiresAt, now)}</dd></div>`}
${approval !== null && html`<div><dt>Approved by</dt><dd>${approval.by} <span class="quiet">(${approval.role})</span>, ${ago(approval.at, now)}${approval.comment !== null && html`<blockquote>${approval.comment}</blockquote>`}</dd></div>`}
${repair.endedAt !== null && html`<div><dt>Ended</dt><dd>${moment(repair.endedAt)}</dd></div>`}
${digest !== null && html`<div class="digest"><dt>Digest of this plan</dt><dd><code>${digest}</code></dd></div>`}
</dl>`;
}

/** The script counts on; without it the time of the page stands there, and the moment itself. */
function countdown(until: string, now: number): Html {
  const ms = Date.parse(until) - now;
  const text = ms <= 0 ? 'now' : `in ${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')} min`;
  return html`<span class="countdown" data-until="${until}">${new Html(text)}</span> <span class="quiet">(${clock(until)} UTC)</span>`;
}
