import type { Incident } from '../core/incident.ts';
import { isOver } from '../core/lifecycle.ts';
import { sentence } from '../core/reason.ts';
import { Html, html } from './html.ts';
import type { Page } from './layout.ts';
import { ago, badge, duration, incidentPath, name, plural, severityBadge, statusBadge, TYPE_WORDS } from './words.ts';

export interface IncidentListModel {
  readonly incidents: readonly Incident[];
  readonly filter: 'active' | 'over' | 'all';
  readonly dagId: string | null;
  /** Address of the next page; null on the last. */
  readonly next: string | null;
  readonly now: number;
}

const FILTERS = [
  ['active', 'Under way'],
  ['over', 'Over'],
  ['all', 'All'],
] as const;

export function incidentList(model: IncidentListModel): Page {
  const tab = ([key, text]: (typeof FILTERS)[number]) =>
    html`<a href="/incidents?show=${key}"${key === model.filter ? new Html(' aria-current="page"') : ''}>${text}</a>`;
  const main = html`<div class="head-row"><h1>Incidents</h1><div class="tabs" role="group" aria-label="Which incidents">${FILTERS.map(tab)}</div></div>
<form class="search" method="get" action="/incidents" role="search"><input type="hidden" name="show" value="${model.filter}">
<label for="dag-filter">Failing DAG</label><input id="dag-filter" name="dag_id" value="${model.dagId}" maxlength="250" autocomplete="off" spellcheck="false" placeholder="exact id"><button class="plain">Find</button></form>
<div data-live="list">${model.incidents.length === 0 ? nothing(model) : table(model)}</div>
${model.next && html`<p class="pager"><a href="${model.next}">Older incidents</a></p>`}`;
  return { title: 'Incidents', main, refresh: 5 };
}

const nothing = (model: IncidentListModel): Html =>
  html`<div class="empty"><p class="big">${model.dagId !== null ? 'No incident of this DAG.' : model.filter === 'active' ? 'Nothing is burning.' : 'No incident yet.'}</p>
<p>${model.filter === 'active' ? 'An incident appears here within seconds of a failed task. Until then no DAG is held.' : 'Incidents stay here after they are over.'}</p></div>`;

const table = (model: IncidentListModel): Html => html`<table class="rows incidents">
<thead><tr><th scope="col">Severity</th><th scope="col">Incident</th><th scope="col">Status</th><th scope="col">Who</th><th scope="col">Since</th></tr></thead>
<tbody>${model.incidents.map((incident) => row(incident, model.now))}</tbody></table>`;

function row(incident: Incident, now: number): Html {
  const { openedAt, resolvedAt, dismissedAt } = incident.timestamps;
  const end = resolvedAt ?? dismissedAt;
  const over = isOver(incident.status);
  return html`<tr class="${over ? 'over' : ''}">
<td>${severityBadge(incident.severity)}</td>
<th scope="row"><a class="title" href="${incidentPath(incident.id)}">${incident.title}</a>
<div class="quiet">${name(incident.dagId)} in ${incident.airflow} · ${TYPE_WORDS(incident.type)} ${incident.runs.length > 0 && ` · ${plural(incident.runs.length, 'run')}`}</div></th>
<td>${statusBadge(incident.status)} ${incident.mode === 'shadow' && badge('shadow', 'shadow')}<div class="quiet">${sentence(incident.statusReason)}</div></td>
<td data-label="${over ? '' : 'Looked at by'}">${over ? '' : incident.acknowledgedBy === null ? html`<span class="attention">nobody yet</span>` : incident.acknowledgedBy}</td>
<td data-label="Opened">${ago(openedAt, now)}${over && end !== null && html`<div class="quiet">took ${duration(Date.parse(end) - Date.parse(openedAt))}</div>`}</td>
</tr>`;
}
