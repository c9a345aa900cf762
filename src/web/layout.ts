import type { Person } from '../core/events.ts';
import type { Health } from '../http/deps.ts';
import { Html, html, type Value } from './html.ts';
import { ago, badge } from './words.ts';

/** What is around every page. */
export interface Shell {
  readonly person: Person | null;
  /** null where it could not be asked. */
  readonly health: Health | null;
  readonly flash: { readonly kind: 'done' | 'refused'; readonly text: string; readonly list?: readonly string[] } | null;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly quarantined: number;
  readonly at: 'incidents' | 'holds' | 'dags' | 'quarantine' | null;
}

export interface Page {
  readonly title: string;
  readonly main: Html;
  /** Seconds after which the page's parts are fetched again; null: it will not change by itself. */
  readonly refresh?: number | null;
}

export function layout(shell: Shell, page: Page): string {
  const body = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} - Firedamper</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
<script src="/assets/app.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<div class="wide">
<a class="brand" href="/incidents"><img src="/assets/icon.svg" alt="" width="26" height="26"><span>Firedamper</span></a>
${shell.person && navigation(shell)}
</div>
</header>
<div data-live="strip">${strip(shell)}</div>
<main id="main" class="wide" tabindex="-1"${page.refresh ? new Html(` data-refresh="${page.refresh}"`) : ''}>
${flash(shell.flash)}
${page.main}
</main>
<footer class="wide"><span>Firedamper ${shell.person && shell.health?.version}</span><span>All times are UTC.</span><span id="live-state" role="status"></span></footer>
</body>
</html>
`;
  return body.text;
}

function navigation(shell: Shell): Html {
  const item = (key: Shell['at'], href: string, text: string, more: Value = '') =>
    html`<a href="${href}"${key === shell.at ? new Html(' aria-current="page"') : ''}>${text}${more}</a>`;
  return html`<nav aria-label="Main">
${item('incidents', '/incidents', 'Incidents')}
${item('holds', '/holds', 'Held DAGs')}
${item('dags', '/dags', 'Why is my DAG paused?')}
${(shell.quarantined > 0 || shell.at === 'quarantine') && item('quarantine', '/quarantine', 'Quarantine', html` <span class="count">${shell.quarantined}</span>`)}
</nav>
<form class="who" method="post" action="/logout"><span><strong>${shell.person?.name}</strong> <span class="quiet">${shell.person?.role}</span></span><button class="plain">Log out</button></form>`;
}

/** Whatever is wrong with us or with an Airflow stands on every page: what is not heard must not look like silence. */
function strip(shell: Shell): Html {
  if (shell.person === null) return html``;
  if (shell.health === null)
    return html`<div class="strip bad" role="status"><div class="wide">The state of Firedamper could not be read.</div></div>`;
  const { health } = shell;
  const troubled = health.airflows.filter((airflow) => airflow.state !== 'ok' || airflow.gaps.length > 0);
  return html`${
    health.mode === 'shadow' &&
    html`<div class="strip shadow"><div class="wide"><strong>Shadow mode.</strong> Firedamper decides and tells everything and changes nothing in Airflow.</div></div>`
  }${
    !health.ready &&
    html`<div class="strip bad" role="status"><div class="wide"><strong>Not ready.</strong> ${health.reasons.join('; ')}</div></div>`
  }${
    // Reasons while it is ready: it accepts, but does not act.
    health.ready &&
    health.reasons.length > 0 &&
    html`<div class="strip warn" role="status"><div class="wide"><strong>Observing only.</strong> ${health.reasons.join('; ')} <a href="/restore">What differs</a></div></div>`
  }${(health.untold ?? []).map((what) => html`<div class="strip warn" role="status"><div class="wide"><strong>Not told.</strong> ${what}</div></div>`)}${troubled.map((airflow) => airflowStrip(airflow, shell.now))}`;
}

function airflowStrip(airflow: Health['airflows'][number], now: number): Html {
  const bad = airflow.state === 'unreachable';
  return html`<div class="strip ${bad ? 'bad' : 'warn'}" role="status"><div class="wide">
<strong>Airflow ${airflow.id}</strong> ${airflow.state !== 'ok' && badge(bad ? 'bad' : 'warn', airflow.state)}
${airflow.state !== 'ok' && html`<span>${airflow.detail}</span>`}
${airflow.state !== 'ok' && html`<span class="quiet">last heard ${airflow.lastPollAt === null ? 'never' : ago(airflow.lastPollAt, now)}</span>`}
${airflow.gaps.length > 0 && html`<details id="gaps-${airflow.id}"><summary>${airflow.gaps.length} of its sources cannot be read</summary><ul>${airflow.gaps.map((gap) => html`<li>${gap}</li>`)}</ul></details>`}
</div></div>`;
}

const flash = (message: Shell['flash']): Value =>
  message !== null &&
  html`<div class="flash ${message.kind}" role="${message.kind === 'refused' ? 'alert' : 'status'}"><p>${message.text}</p>${
    message.list?.length ? html`<ul>${message.list.map((line) => html`<li>${line}</li>`)}</ul>` : ''
  }</div>`;
