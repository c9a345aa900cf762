import { type Delivery, type Incident, type IncidentRun, isAboutFiles } from '../core/incident.ts';
import { type IncidentStatus, isOver } from '../core/lifecycle.ts';
import { sentence } from '../core/reason.ts';
import type { HeardSignal } from '../core/signal.ts';
import type { IncidentView, StoredEntry } from '../store/readModels.ts';
import { nextPart, otherActs, repairForms, type Who } from './actionsPart.ts';
import { blastPart } from './blastPart.ts';
import { Html, html, type Value } from './html.ts';
import type { Page } from './layout.ts';
import { planPart } from './planPart.ts';
import { timelinePart } from './timelinePart.ts';
import {
  ago,
  airflowDagUrl,
  badge,
  clock,
  dagLink,
  duration,
  moment,
  name,
  plural,
  STATUS_WORDS,
  severityBadge,
  statusBadge,
  TYPE_WORDS,
  webUrl,
} from './words.ts';

export interface IncidentPageModel extends Who {
  readonly view: IncidentView;
  readonly timeline: readonly StoredEntry[];
  /** Address of the Airflow for people; null where none is known. */
  readonly airflowUrl: string | null;
  readonly now: number;
}

/** Seconds between looks while something is under way; a story that waits for a person changes more slowly. */
const BUSY = 2;
const QUIET = 10;

export function incidentPage(model: IncidentPageModel): Page {
  const { view, now } = model;
  const main = html`${head(view.incident, now)}
<div class="columns"><div class="column">
${nextPart(view, model)}
${happened(model)}
${planPart(view.repairs, now, repairForms(view, model))}
</div><aside class="side">${figures(view.incident, now)}${otherActs(view, model)}</aside></div>
${!isAboutFiles(view.incident) && blastPart(view)}
${deliveries(view.incident)}
${timelinePart(model.timeline)}`;
  return { title: `${view.incident.severity} ${view.incident.title}`, main, refresh: refresh(view) };
}

function refresh(view: IncidentView): number | null {
  const { incident, repairs } = view;
  if (incident.status === 'resolved') return null;
  if (incident.status === 'dismissed') return view.holds.some((hold) => hold.state !== 'released') ? BUSY : null;
  const busy =
    incident.status !== 'contained' ||
    repairs[0]?.state === 'planning' ||
    repairs[0]?.state === 'approved' ||
    incident.surveyPending;
  return busy ? BUSY : QUIET;
}

const WAY: readonly IncidentStatus[] = ['open', 'contained', 'repairing', 'verifying', 'monitoring', 'resolved'];

function head(incident: Incident, now: number): Html {
  const at = WAY.indexOf(incident.status);
  const way = WAY.map((status, i) => {
    const state = i === at ? 'now' : i < at ? 'past' : 'ahead';
    return html`<li class="${state}"${i === at ? new Html(' aria-current="step"') : ''}>${STATUS_WORDS[status]}</li>`;
  });
  return html`<div data-live="head"><p class="crumbs"><a href="/incidents">Incidents</a> / ${incident.id}</p>
<h1>${incident.title}</h1>
<p class="badges">${severityBadge(incident.severity)} ${statusBadge(incident.status)} ${badge('type', TYPE_WORDS(incident.type))} ${incident.mode === 'shadow' && badge('shadow', 'shadow: nothing was changed')}
<span class="quiet">${sentence(incident.statusReason)} · opened ${ago(incident.timestamps.openedAt, now)}</span></p>
${incident.status !== 'dismissed' && html`<ol class="way-bar" aria-label="Where it stands">${way}</ol>`}</div>`;
}

function happened(model: IncidentPageModel): Html {
  const { incident, signals } = model.view;
  const url = airflowDagUrl(model.airflowUrl, incident.dagId);
  const told = signals.find((signal) => signal.text !== null);
  const log = webUrl(signals.find((signal) => signal.logUrl !== null)?.logUrl ?? null);
  return html`<section class="card" aria-labelledby="happened-h" data-live="happened"><h2 id="happened-h">What happened</h2>
${isAboutFiles(incident) ? filesPart(incident) : html`<p>${dagLink(incident)} in Airflow ${name(incident.airflow)} ${incident.runs.length === 0 ? 'was reported' : 'failed'} at ${moment(incident.timestamps.failedAt)}.${url !== null && html` <a href="${url}" rel="noreferrer">Open in Airflow</a>`}${log !== null && html` <a href="${log}" rel="noreferrer">Open the task log</a>`}</p>`}
${told !== undefined && error(told)}
${incident.runs.length > 0 && runs(incident.runs)}
</section>`;
}

function filesPart(incident: Incident): Html {
  const rows = (incident.files ?? []).map(
    (f) => html`<tr><th scope="row"><code class="name">${f.file}</code><div class="quiet">${f.error}</div></th>
<td>${f.dags.map((dagId) => html`${dagLink({ airflow: incident.airflow, dagId })} `)}</td><td>${moment(f.since)}</td><td>${f.loadedAt === null ? badge('incident-run-failed', 'does not load') : badge('incident-run-healed', 'loads again')}</td></tr>`,
  );
  return html`<p>Airflow ${name(incident.airflow)} cannot load these files. While it cannot, their DAGs do not run.</p>
<div class="scroll"><table class="rows roomy"><thead><tr><th scope="col">File</th><th scope="col">DAGs</th><th scope="col">Since</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

const error = (signal: HeardSignal): Html => html`<pre class="error"><code>${signal.text}</code></pre>`;

function runs(all: readonly IncidentRun[]): Html {
  const rows = all.map(
    (
      run,
    ) => html`<tr><th scope="row">${name(run.runId)}${run.role === 'fallout' && html` ${badge('quiet', 'fallout')} ${name(run.dagId)}`}</th>
<td>${run.logicalDate === null ? '' : moment(run.logicalDate)}</td><td>${run.failedTasks.map((task) => html`<code class="name">${task}</code> `)}</td><td>${badge(`incident-run-${run.state}`, run.state)}</td></tr>`,
  );
  return html`<div class="scroll"><table class="rows roomy"><thead><tr><th scope="col">Run</th><th scope="col">For</th><th scope="col">Failed tasks</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

const DELIVERY_STATE: Readonly<Record<Delivery['state'], string>> = {
  waiting: 'waiting',
  sent: 'sent',
  ran: 'has run',
  failed: 'failed',
  not_seen: 'no run seen',
  done: 'done',
};

function deliveries(incident: Incident): Value {
  if (incident.deliveries.length === 0) return null;
  const rows = incident.deliveries.map(
    (
      delivery,
    ) => html`<tr><th scope="row">${dagLink(delivery)}</th><td>${sentence(delivery.reason)}${delivery.runId !== null && html`<div class="quiet">${name(delivery.runId)}</div>`}</td>
<td>${badge(`delivery-${delivery.state}`, DELIVERY_STATE[delivery.state])}</td></tr>`,
  );
  return html`<section class="card" aria-labelledby="given-h" data-live="given"><h2 id="given-h">What the released DAGs get</h2>
<div class="scroll"><table class="rows"><thead><tr><th scope="col">DAG</th><th scope="col">What it missed, and gets</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table></div></section>`;
}

function figures(incident: Incident, now: number): Html {
  const t = incident.timestamps;
  const from = Date.parse(t.failedAt);
  const after = (label: string, iso: string | null): Value =>
    iso !== null &&
    html`<div><dt>${label}</dt><dd><strong>${duration(Date.parse(iso) - from)}</strong> <span class="quiet">at <time datetime="${iso}">${clock(iso)}</time></span></dd></div>`;
  const lasting =
    !isOver(incident.status) &&
    html`<div><dt>Lasts</dt><dd><strong>${duration(Math.floor((now - from) / 60_000) * 60_000)}</strong></dd></div>`;
  return html`<section class="card" aria-labelledby="figures-h" data-live="figures"><h2 id="figures-h">At a glance</h2><dl class="facts">
<div><dt>Severity</dt><dd>${severityBadge(incident.severity)} <span class="quiet">${incident.rule}</span></dd></div>
<div><dt>Looked at by</dt><dd>${incident.acknowledgedBy ?? html`<span class="attention">nobody yet</span>`}</dd></div>
${incident.fixedBy !== null && html`<div><dt>Fixed by</dt><dd>${incident.fixedBy}</dd></div>`}
<div><dt>Failing DAG</dt><dd>${dagLink(incident)}</dd></div>
<div><dt>Runs</dt><dd>${plural(incident.runs.length, 'run')}</dd></div>
</dl><h3>After the failure</h3><dl class="facts">
${after('Opened', t.openedAt)}${after('Contained', t.containedAt)}${after('Acknowledged', t.acknowledgedAt)}${after('Fixed', t.fixedAt)}${after('Repaired', t.repairedAt)}${after('Verified', t.verifiedAt)}${after('Released', t.releasedAt)}${after('Resolved', t.resolvedAt)}${after('Dismissed', t.dismissedAt)}${lasting}</dl></section>`;
}
