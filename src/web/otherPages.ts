import type { LineageEdge } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import { ROLES, type Role } from '../core/policy.ts';
import { sentence } from '../core/reason.ts';
import type { ReleasePreview } from '../http/deps.ts';
import type { DagView, QuarantinedCallback } from '../store/readModels.ts';
import { whyHeld } from './blast.ts';
import { type Html, html, type Value } from './html.ts';
import type { Page } from './layout.ts';
import { whyPaused } from './why.ts';
import { ago, airflowDagUrl, badge, dagLink, HOLD_WORDS, incidentPath, moment, name, plural } from './words.ts';

export function loginPage(model: { readonly next: string; readonly wrong: boolean }): Page {
  const main = html`<div class="login card"><h1>Log in</h1>
${model.wrong && html`<div class="flash refused" role="alert"><p>This token is not known.</p></div>`}
<form method="post" action="/login"><input type="hidden" name="next" value="${model.next}"><label for="token">Your token</label>
<input id="token" name="token" type="password" required autocomplete="current-password" autofocus><button class="primary">Log in</button></form>
<p class="quiet">It stands in the configuration of Firedamper under <code>access.tokens</code>.</p></div>`;
  return { title: 'Log in', main };
}

export function errorPage(model: {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly id: string | null;
}): Page {
  const main = html`<div class="empty"><p class="quiet">${model.status}</p><h1>${model.title}</h1><p>${model.detail}</p>${model.id !== null && html`<p class="quiet">Id for the log: <code>${model.id}</code></p>`}<p><a href="/incidents">To the incidents</a></p></div>`;
  return { title: model.title, main };
}

export function holdsPage(model: { readonly holds: readonly Hold[]; readonly now: number; readonly next: string | null }): Page {
  const rows = model.holds.map(
    (
      hold,
    ) => html`<tr><th scope="row">${dagLink(hold)}<div class="quiet">in ${hold.airflow}</div></th><td>${badge(`mark-${hold.state}`, HOLD_WORDS[hold.state])}</td>
<td><a href="${incidentPath(hold.incidentId)}">${hold.incidentId}</a><div class="quiet">${sentence(hold.reason)}</div></td><td data-label="Since">${ago(hold.since, model.now)}</td><td data-label="Review by">${moment(hold.reviewBy)}</td></tr>`,
  );
  const table = html`<table class="rows stack"><thead><tr><th scope="col">DAG</th><th scope="col">State</th><th scope="col">Because of</th><th scope="col">Since</th><th scope="col">Review by</th></tr></thead><tbody>${rows}</tbody></table>`;
  const main = html`<h1>Held DAGs</h1><div data-live="holds">${rows.length === 0 ? html`<div class="empty"><p class="big">No DAG is held.</p></div>` : table}</div>
${model.next !== null && html`<p class="pager"><a href="${model.next}">Older holds</a></p>`}`;
  return { title: 'Held DAGs', main, refresh: 5 };
}

export function findDagPage(model: {
  readonly airflows: readonly string[];
  readonly unknown: { readonly airflow: string; readonly dagId: string } | null;
}): Page {
  const main = html`<h1>Why is my DAG paused?</h1>
${model.unknown !== null && html`<div class="flash refused" role="alert"><p>Nothing is known of a DAG ${name(model.unknown.dagId)} in ${name(model.unknown.airflow)}.</p></div>`}
<form class="card find" method="get" action="/dags"><label for="find-airflow">Airflow</label><select id="find-airflow" name="airflow">${model.airflows.map((id) => html`<option>${id}</option>`)}</select>
<label for="find-dag">DAG id</label><input id="find-dag" name="dag_id" required maxlength="250" autocomplete="off" spellcheck="false" value="${model.unknown?.dagId}"><button class="primary">Show</button></form>`;
  return { title: 'Why is my DAG paused?', main };
}

export interface DagPageModel {
  readonly airflow: string;
  readonly dagId: string;
  readonly view: DagView;
  readonly airflowUrl: string | null;
  readonly role: Role;
  readonly now: number;
}

export function dagPage(model: DagPageModel): Page {
  const { view } = model;
  const paused = view.facts?.paused ?? null;
  const url = airflowDagUrl(model.airflowUrl, model.dagId);
  const main = html`<p class="crumbs"><a href="/dags">DAGs</a> / ${model.airflow}</p><h1><code class="name">${model.dagId}</code></h1>
<div data-live="dag"><section class="next" aria-labelledby="why-h"><h2 id="why-h">${paused === true ? 'Why is it paused?' : paused === false ? 'It is not paused' : 'Is it paused?'}</h2><p class="lead">${whyPaused(view)}</p>
<p>${url !== null && html`<a href="${url}" rel="noreferrer">Open in Airflow</a> · `}<a href="/report?${new URLSearchParams({ airflow: model.airflow, dag_id: model.dagId }).toString()}">Report an issue with its data</a></p></section>
${view.holds.length > 0 && html`<section class="card" aria-labelledby="holds-h"><h2 id="holds-h">Held by</h2><ul class="plain-list">${view.holds.map((hold) => holdItem(hold, model))}</ul></section>`}
<div class="two">${neighbours(
    'Reads from',
    'up',
    view.upstream.map((e) => [e.from, e] as const),
  )}${neighbours(
    'Read by',
    'down',
    view.downstream.map((e) => [e.to, e] as const),
  )}</div>
${view.facts !== null && facts(view.facts)}</div>`;
  return { title: model.dagId, main, refresh: view.holds.length > 0 ? 5 : null };
}

function holdItem(hold: Hold, model: DagPageModel): Html {
  const may =
    ROLES.indexOf(model.role) >= ROLES.indexOf('approver') && hold.releasedAt === null && hold.state !== 'release_intended';
  const id = `release-${hold.id}`;
  return html`<li class="hold"><div>${badge(`mark-${hold.state}`, HOLD_WORDS[hold.state])} <a href="${incidentPath(hold.incidentId)}">incident ${hold.incidentId}</a> <span class="quiet">since ${ago(hold.since, model.now)}, review by ${moment(hold.reviewBy)}</span></div>
<div class="because">${whyHeld(hold.reason)}</div>${hold.path.map((link) => html`<div class="way">${link}</div>`)}
${may && html`<details class="fold" id="${id}-fold"><summary>Release this hold</summary><form id="${id}" class="act" method="post" action="/holds/${encodeURIComponent(hold.id)}/release"><label for="${id}-reason">Why? (needed)</label><textarea id="${id}-reason" name="reason" rows="2" maxlength="4000" required></textarea><button class="danger">Release this hold</button></form></details>`}</li>`;
}

function neighbours(title: string, key: string, links: readonly (readonly [LineageEdge['to'], LineageEdge])[]): Value {
  const items = links.map(
    ([dag, edge]) => html`<li>${dagLink(dag)} <span class="quiet">${edge.kind}${edge.via !== '' && `: ${edge.via}`}</span></li>`,
  );
  return html`<section class="card" aria-labelledby="${key}-h"><h2 id="${key}-h">${title}</h2>${items.length > 0 ? html`<ul class="plain-list">${items}</ul>` : html`<p class="quiet">nothing that we know of</p>`}</section>`;
}

const facts = (
  dag: NonNullable<DagView['facts']>,
): Html => html`<section class="card" aria-labelledby="facts-h"><h2 id="facts-h">In Airflow</h2><dl class="facts">
<div><dt>Schedule</dt><dd>${dag.schedule ?? (dag.assetScheduled ? 'started by assets' : 'none')}</dd></div><div><dt>Owners</dt><dd>${dag.owners.join(', ')}</dd></div>
<div><dt>Tags</dt><dd>${dag.tags.map((tag) => html`${badge('type', tag)} `)}</dd></div></dl></section>`;

export function previewPage(model: { readonly preview: ReleasePreview }): Page {
  const { incidentId, dags } = model.preview;
  const list = (label: string, runs: readonly string[], kind = ''): Value =>
    runs.length > 0 && html`<div class="${kind}">${label}: ${runs.map((run) => html`<code class="name">${run}</code> `)}</div>`;
  const rows = dags.map(
    (
      dag,
    ) => html`<tr><th scope="row">${name(dag.dagId)}</th><td>${dag.willUnpause ? badge('good', 'would be resumed') : badge('quiet', 'stays as it is')}<div class="quiet">${dag.why}</div></td>
<td data-label="Runs at once">${list('goes on', dag.frozenRuns)}${list('starts from the queue', dag.queuedRuns)}${list('would time out', dag.wouldTimeOut, 'attention')}${dag.startsByItself > 0 && html`<div>${plural(dag.startsByItself, 'run')} by its own schedule</div>`}
${dag.frozenRuns.length + dag.queuedRuns.length + dag.wouldTimeOut.length + dag.startsByItself === 0 && html`<span class="quiet">nothing by itself</span>`}</td><td data-label="Gets">${dag.compensation}</td></tr>`,
  );
  const main = html`<p class="crumbs"><a href="/incidents">Incidents</a> / <a href="${incidentPath(incidentId)}">${incidentId}</a></p><h1>What a release would start</h1>
<p>Read from Airflow just now. Nothing is changed by looking.</p><table class="rows stack"><thead><tr><th scope="col">DAG</th><th scope="col">Release</th><th scope="col">Runs at once</th><th scope="col">What it missed, and gets</th></tr></thead><tbody>${rows}</tbody></table>`;
  return { title: 'Release preview', main };
}

export function quarantinePage(model: { readonly callbacks: readonly QuarantinedCallback[]; readonly now: number }): Page {
  const items = model.callbacks.map(
    (callback) =>
      html`<li class="card"><p><strong>${callback.why}</strong></p><p class="quiet">from Airflow ${name(callback.airflow)}, ${ago(callback.receivedAt, model.now)}, kept as <code>${callback.id}</code></p><details id="body-${callback.id}"><summary>What was sent</summary><pre class="error"><code>${callback.body}</code></pre></details></li>`,
  );
  const main = html`<h1>Quarantine</h1><p>Callbacks that were signed and are JSON, but of a shape that this version does not know. They are kept and nothing follows from them; usually the package in Airflow is newer than this service.</p>
<div data-live="quarantine">${items.length === 0 ? html`<div class="empty"><p class="big">Empty.</p></div>` : html`<ul class="cards">${items}</ul>`}</div>`;
  return { title: 'Quarantine', main };
}
