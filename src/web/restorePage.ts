/** Shown while a restored database waits for a person: what differs, and the button. */
import type { RestoreView } from '../http/deps.ts';
import { html } from './html.ts';
import type { Page } from './layout.ts';
import { dagPath } from './words.ts';

export function restorePage(view: RestoreView | null, mayConfirm: boolean): Page {
  const title = 'Restored database';
  if (view === null)
    return {
      title,
      main: html`<h1>${title}</h1><p>There is nothing to confirm: the database is the one that ran here last.</p>`,
    };
  const main = html`<h1>${title}</h1>
<p>Noticed at ${view.at}: ${view.because}. It knows what happened until ${view.knowsUntil ?? 'nothing'}; Airflow went on. Callbacks are accepted and Airflow is polled; nothing is paused, unpaused, run or delivered until an admin has looked at what differs.</p>
<h2>What differs</h2>
${
  view.differences.length === 0
    ? html`<p>Nothing, as far as it can be read.</p>`
    : html`<table><thead><tr><th>Airflow</th><th>DAG</th><th>What</th></tr></thead><tbody>${view.differences.map(
        (d) =>
          html`<tr><td>${d.airflow}</td><td>${d.dagId === null ? '' : html`<a href="${dagPath(d.airflow, d.dagId)}">${d.dagId}</a>`}</td><td>${d.text}</td></tr>`,
      )}</tbody></table>`
}
${
  mayConfirm
    ? html`<form class="card act" method="post" action="/restore/confirm"><label for="restore-reason">Why it is right to go on</label><textarea id="restore-reason" name="reason" rows="3" required maxlength="4000"></textarea><button class="danger">I have looked: act again</button></form>`
    : html`<p>To confirm needs the role admin.</p>`
}`;
  return { title, main };
}
