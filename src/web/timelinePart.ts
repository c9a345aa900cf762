import { sentence } from '../core/reason.ts';
import type { StoredEntry } from '../store/readModels.ts';
import { type Html, html, type Value } from './html.ts';
import { actorName, clock, day, plural } from './words.ts';

/** So many lines of the same event in a row are folded into one: fifty holds are one thing that happened. */
const FOLD_FROM = 4;

const EVENT_WORDS: Readonly<Record<string, string>> = {
  'incident.opened': 'Incident opened',
  'incident.contained': 'Contained',
  'incident.repairing': 'Repair started',
  'incident.verifying': 'Verifying',
  'incident.verified': 'Verified',
  'incident.monitoring': 'Releasing and watching',
  'incident.resolved': 'Resolved',
  'incident.dismissed': 'Dismissed',
  'incident.dismissed_because': 'Dismissed',
  'incident.acknowledged': 'Acknowledged',
  'incident.fixed': 'Marked as fixed',
  'incident.edited': 'Changed',
  'incident.release_ordered': 'Release ordered',
  'incident.person_verified': 'Vouched for the data',
  'incident.open': 'Open again',
  'incident.reopened': 'Opened again',
  'hold.intended': 'To be held',
  'hold.held': 'Held',
  'hold.foreign': 'Counted, not ours',
  'hold.ceded': 'Taken over by a person',
  'hold.released': 'Released',
  'hold.release_intended': 'To be released',
  'hold.release_ordered': 'Release ordered',
  'hold.review_due': 'Still to be held?',
  'dag.spared': 'Not held',
  'repair.planning': 'Planning the repair',
  'repair.proposed': 'Plan proposed',
  'repair.approved': 'Plan approved',
  'repair.running': 'Repair started',
  'repair.succeeded': 'Repair succeeded',
  'repair.failed': 'Repair failed',
  'repair.lapsed': 'Approval lapsed',
  'source.gap': 'A source could not be read',
  'signal.fallout': 'Fallout',
  'signal.joined': 'Same cause',
  'file.broken': 'A DAG file does not load',
  'file.loaded': 'A DAG file loads again',
};

const GOOD = /succeeded|resolved|released$|verified|healed|ran$|done$/;
const BAD = /failed|opened|refused|gap$|lapsed|stuck|not_seen/;

export function timelinePart(entries: readonly StoredEntry[]): Html {
  const days = groupBy(entries, (entry) => day(entry.at));
  return html`<section id="timeline" class="card" aria-labelledby="timeline-h" data-live="timeline"><h2 id="timeline-h">Timeline</h2>
${days.map(([date, ofDay]) => html`<h3 class="day">${date}</h3><ol class="timeline">${fold(ofDay).map(lineOrFold)}</ol>`)}
</section>`;
}

export function eventWords(event: string): string {
  const plain = event.replace('.', ' ').replaceAll('_', ' ');
  return EVENT_WORDS[event] ?? plain.charAt(0).toUpperCase() + plain.slice(1);
}

function fold(entries: readonly StoredEntry[]): readonly (readonly StoredEntry[])[] {
  const groups: StoredEntry[][] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const alike =
      before?.event === entry.event &&
      actorName(before.actor) === actorName(entry.actor) &&
      entry.comment === null &&
      before.comment === null;
    if (last !== undefined && alike) last.push(entry);
    else groups.push([entry]);
  }
  return groups.flatMap((group) => (group.length >= FOLD_FROM ? [group] : group.map((entry) => [entry])));
}

function lineOrFold(group: readonly StoredEntry[]): Value {
  const first = group[0];
  if (first === undefined) return null;
  if (group.length === 1) return line(first);
  const what = html`<span class="what">${eventWords(first.event)} <span class="count">${plural(group.length, 'time')}</span></span>`;
  return html`<li class="${tone(first.event)}">${stamp(first)}<div><details id="fold-${first.id}"><summary>${what} ${actorChip(first)}</summary>
<ol class="timeline inner">${group.map((entry) => html`<li>${stamp(entry)}<div>${subject(entry)} <span class="because">${sentence(entry.reason)}</span></div></li>`)}</ol></details></div></li>`;
}

const line = (entry: StoredEntry): Html =>
  html`<li class="${tone(entry.event)}">${stamp(entry)}<div><span class="what">${eventWords(entry.event)}</span> ${subject(entry)} ${actorChip(entry)}
${because(entry)}${entry.comment !== null && html`<blockquote>${entry.comment}</blockquote>`}</div></li>`;

/** "Acknowledged: acknowledged" tells nobody anything. */
function because(entry: StoredEntry): Value {
  const why = sentence(entry.reason);
  return why.toLowerCase() !== eventWords(entry.event).toLowerCase() && html`<div class="because">${why}</div>`;
}

const stamp = (entry: StoredEntry): Html => html`<time datetime="${entry.at}">${clock(entry.at)}</time>`;
const subject = (entry: StoredEntry): Value => entry.subject !== null && html`<code class="name">${entry.subject}</code>`;
const actorChip = (entry: StoredEntry): Html => html`<span class="actor ${entry.actor.kind}">${actorName(entry.actor)}</span>`;
const tone = (event: string): string => (BAD.test(event) ? 'bad' : GOOD.test(event) ? 'good' : '');

function groupBy<T>(items: readonly T[], key: (item: T) => string): [string, T[]][] {
  const groups: [string, T[]][] = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last !== undefined && last[0] === key(item)) last[1].push(item);
    else groups.push([key(item), [item]]);
  }
  return groups;
}
