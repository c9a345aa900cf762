import type { HoldState, IncidentStatus, RepairState } from '../core/lifecycle.ts';
import type { Actor } from '../core/timeline.ts';
import { type Html, html } from './html.ts';

/** How our words look on a page. The colour of a word is its class; no meaning is in the colour alone. */
export const STATUS_WORDS: Readonly<Record<IncidentStatus, string>> = {
  open: 'Open',
  contained: 'Contained',
  repairing: 'Repairing',
  verifying: 'Verifying',
  monitoring: 'Monitoring',
  resolved: 'Resolved',
  dismissed: 'Dismissed',
};

export const HOLD_WORDS: Readonly<Record<HoldState, string>> = {
  intended: 'being paused',
  held: 'held',
  foreign: 'was paused before',
  ceded: 'taken over by a person',
  release_intended: 'being resumed',
  released: 'released',
};

export const REPAIR_WORDS: Readonly<Record<RepairState, string>> = {
  planning: 'being planned',
  proposed: 'waits for approval',
  approved: 'approved',
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  lapsed: 'lapsed',
  rejected: 'rejected',
  cancelled: 'cancelled',
};

export const TYPE_WORDS = (type: string): string => type.replaceAll('_', ' ');

export const badge = (kind: string, text: string): Html => html`<span class="badge ${kind}">${text}</span>`;
export const statusBadge = (status: IncidentStatus): Html => badge(`status-${status}`, STATUS_WORDS[status]);
export const severityBadge = (severity: string): Html => badge(`severity-${severity.toLowerCase()}`, severity);

/** A name that somebody else chose. */
export const name = (text: string): Html => html`<code class="name">${text}</code>`;

/** A browser resolves `.` and `..` in a path, even percent-encoded, before it asks: such a name goes into the query. */
export function dagPath(airflow: string, dagId: string): string {
  const [a, d] = [encodeURIComponent(airflow), encodeURIComponent(dagId)];
  return [airflow, dagId].some((part) => part === '.' || part === '..') ? `/dags?airflow=${a}&dag_id=${d}` : `/dags/${a}/${d}`;
}
export const dagLink = (dag: { readonly airflow: string; readonly dagId: string }): Html =>
  html`<a class="name" href="${dagPath(dag.airflow, dag.dagId)}">${dag.dagId}</a>`;

export const incidentPath = (id: string): string => `/incidents/${encodeURIComponent(id)}`;

/** Only http and https ever get behind a click: `javascript:` would run with the rights of who clicks. */
export function webUrl(raw: string | null): string | null {
  const url = raw === null ? null : URL.parse(raw);
  return raw !== null && (url?.protocol === 'http:' || url?.protocol === 'https:') ? raw : null;
}

/** The page of a DAG in Airflow itself; 2.x redirects it to its grid (2.11.2), 3.x shows it (3.3.2). */
export function airflowDagUrl(base: string | null, dagId: string): string | null {
  const url = webUrl(base);
  return url === null || dagId === '.' || dagId === '..' ? null : `${url.replace(/\/+$/, '')}/dags/${encodeURIComponent(dagId)}`;
}

export const actorName = (actor: Actor): string =>
  actor.kind === 'person' ? actor.name : actor.kind === 'airflow' ? 'Airflow' : 'Firedamper';

/** Two units at most: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes < 5 && seconds % 60 > 0 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 > 0 ? `${days} d ${hours % 24} h` : `${days} d`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
export const day = (iso: string): string =>
  `${Number(iso.slice(8, 10))} ${MONTHS[Number(iso.slice(5, 7)) - 1] ?? '?'} ${iso.slice(0, 4)}`;
export const clock = (iso: string): string => iso.slice(11, 19);

/** A moment as people read it, with the whole of it behind. All times on our pages are UTC and say so. */
export const moment = (iso: string): Html => html`<time datetime="${iso}">${day(iso)} ${clock(iso)} UTC</time>`;

/** How long ago, in steps coarse enough that a page does not change all the time. */
export function ago(iso: string, now: number): Html {
  const ms = now - Date.parse(iso);
  const text =
    ms < 60_000 ? 'less than a minute ago' : ms < 3_600_000 ? `${Math.floor(ms / 60_000)} min ago` : `${duration(ms)} ago`;
  return html`<time datetime="${iso}" title="${day(iso)} ${clock(iso)} UTC">${text}</time>`;
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
