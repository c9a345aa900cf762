/** "Report an issue with this data": where a link in Airflow's own pages leads. Becomes a declared incident. */
import { INCIDENT_TYPES } from '../core/incident.ts';
import { html } from './html.ts';
import type { Page } from './layout.ts';
import { TYPE_WORDS } from './words.ts';

export interface ReportPageModel {
  readonly airflows: readonly string[];
  /** What the link, or the form that was refused, already said. */
  readonly given: {
    readonly airflow: string;
    readonly dagId: string;
    readonly runId: string;
    readonly title: string;
    readonly note: string;
  };
  /** What the link chose, or the default. */
  readonly type: string;
}

export function reportPage({ airflows, given, type }: ReportPageModel): Page {
  const option = (value: string, text: string, chosen: boolean) =>
    chosen ? html`<option value="${value}" selected>${text}</option>` : html`<option value="${value}">${text}</option>`;
  const main = html`<h1>Report an issue with this data</h1>
<p>The DAGs that read what this DAG makes are paused at once, and the people on duty are told. A run that you name is planned to run again once somebody has marked the cause as fixed.</p>
<form class="card act" method="post" action="/report">
<label for="report-airflow">Airflow</label><select id="report-airflow" name="airflow">${airflows.map((id) => option(id, id, id === given.airflow))}</select>
<label for="report-dag">The DAG that makes the data</label><input id="report-dag" name="dag_id" required maxlength="250" autocomplete="off" spellcheck="false" value="${given.dagId}">
<label for="report-run">Its run, if you know it</label><input id="report-run" name="run_id" maxlength="250" autocomplete="off" spellcheck="false" value="${given.runId}">
<label for="report-type">What is wrong</label><select id="report-type" name="type">${INCIDENT_TYPES.filter((t) => t !== 'platform').map((t) => option(t, TYPE_WORDS(t), t === type))}</select>
<label for="report-title">In one line</label><input id="report-title" name="title" required maxlength="300" autocomplete="off" value="${given.title}">
<label for="report-note">What you have seen</label><textarea id="report-note" name="reason" rows="4" maxlength="4000">${given.note}</textarea>
<button class="danger">Report it</button></form>`;
  return { title: 'Report an issue', main };
}
