import type { Person } from '../core/events.ts';
import { type Incident, isAboutFiles } from '../core/incident.ts';
import { isActiveRepair, isOver } from '../core/lifecycle.ts';
import type { Repair } from '../core/plan.ts';
import { ROLES, type Role } from '../core/policy.ts';
import type { IncidentView } from '../store/readModels.ts';
import { type Html, html, type Value } from './html.ts';
import { counts } from './planPart.ts';
import { incidentPath, plural } from './words.ts';

/**
 * The buttons that a person of this role has in this state, and in one sentence what is to be done next. Only a convenience: the
 * door and the core decide again, so a button that stood too long does no harm.
 */
export interface Who {
  readonly person: Person;
  readonly allowSelfApproval: boolean;
}

const may = (who: Who, role: Role): boolean => ROLES.indexOf(who.person.role) >= ROLES.indexOf(role);
const needs = (role: Role, who: Who, toDo: string): Html =>
  html`<p class="quiet">${toDo} needs the role ${role}; you are ${who.person.role}.</p>`;

interface Form {
  readonly id: string;
  readonly action: string;
  readonly button: string;
  readonly label: string;
  readonly required: boolean;
  readonly tone?: 'primary' | 'danger';
  readonly before?: Value;
}

/** One act: a form that works without any script. */
function form(f: Form): Html {
  const reason = f.required
    ? html`<textarea id="${f.id}-reason" name="reason" rows="2" maxlength="4000" required></textarea>`
    : html`<textarea id="${f.id}-reason" name="reason" rows="2" maxlength="4000"></textarea>`;
  return html`<form id="${f.id}" class="act" method="post" action="${f.action}">${f.before}<label for="${f.id}-reason">${f.label}</label>${reason}<button id="${f.id}-go" class="${f.tone ?? 'plain'}">${f.button}</button></form>`;
}

const folded = (id: string, summary: string, content: Value): Html =>
  html`<details class="fold" id="${id}-fold"><summary>${summary}</summary>${content}</details>`;

/** What the repair waits for, beside the plan that it is about. */
export function repairForms(view: IncidentView, who: Who): Value {
  const [repair] = view.repairs;
  if (repair === undefined || !isActiveRepair(repair.state)) return null;
  if (!may(who, 'approver')) return repair.state === 'proposed' && needs('approver', who, 'Approving');
  const path = `/repairs/${encodeURIComponent(repair.id)}`;
  const cancel = form({
    id: 'cancel',
    action: `${path}/cancel`,
    button: 'Cancel the repair',
    label: 'Why? (needed)',
    required: true,
    tone: 'danger',
  });
  const cancelText = repair.state === 'running' ? 'Cancel: start nothing more of it' : 'Cancel';
  if (repair.state !== 'proposed' || repair.digest === null)
    return html`<div class="acts">${folded('cancel', cancelText, cancel)}</div>`;
  const reject = form({
    id: 'reject',
    action: `${path}/reject`,
    button: 'Reject this plan',
    label: 'What is wrong with it? (needed)',
    required: true,
    tone: 'danger',
  });
  return html`<div class="acts approve">${approveForm(view.incident, repair, repair.digest, who, path)}${folded('reject', 'Reject', reject)}${folded('cancel', cancelText, cancel)}</div>`;
}

function approveForm(incident: Incident, repair: Repair, digest: string, who: Who, path: string): Html {
  const self = incident.fixedBy === who.person.name || repair.requestedBy === who.person.name;
  if (self && !who.allowSelfApproval)
    return html`<p class="note">You marked it as fixed, so somebody else has to approve the repair.</p>`;
  const { runs } = counts(repair);
  return form({
    id: 'approve',
    action: `${path}/approve`,
    button: `Approve exactly this plan (${plural(runs, 'run')})`,
    label: 'Comment (goes into the history)',
    required: false,
    tone: 'primary',
    before: html`<input type="hidden" name="digest" value="${digest}">${self && html`<p class="note warn">You marked it as fixed yourself. The policy lets you approve it, and the history will say so.</p>`}`,
  });
}

/** The panel at the top: where it stands, what comes next, and the button for it. */
export function nextPart(view: IncidentView, who: Who): Html {
  const { incident } = view;
  const { text, act } = next(view, who);
  const acknowledge =
    incident.acknowledgedBy === null && !isOver(incident.status) && may(who, 'responder')
      ? html`<form class="inline" method="post" action="${incidentPath(incident.id)}/acknowledge"><button id="ack-go" class="plain">I am on it</button></form>`
      : '';
  return html`<section class="next" aria-labelledby="next-h" data-live="next"><h2 id="next-h">Next</h2><p class="lead">${text}</p>${act}${acknowledge}</section>`;
}

function next(view: IncidentView, who: Who): { text: Value; act: Value } {
  const { incident } = view;
  const [repair] = view.repairs;
  const plan = html`<a class="button" href="#plan">See the plan</a>`;
  switch (incident.status) {
    case 'resolved':
      return { text: 'Nothing. It is over.', act: null };
    case 'dismissed':
      return {
        text: incident.releasing ? 'Nothing. It was dismissed, and what was held is let go.' : 'Nothing. It was dismissed.',
        act: null,
      };
    case 'monitoring':
      return {
        text: 'Nothing. What was held is let go, and Firedamper watches that every held DAG gets what it missed.',
        act: null,
      };
    case 'repairing':
      return { text: repair?.state === 'approved' ? 'The repair is about to start.' : 'The repair is running.', act: plan };
    case 'verifying':
      return verifying(incident, who);
    default:
      return contained(incident, repair, who, plan);
  }
}

function contained(incident: Incident, repair: Repair | undefined, who: Who, plan: Html): { text: Value; act: Value } {
  if (isAboutFiles(incident))
    return { text: 'Mend the files. It ends by itself as soon as Airflow loads every one of them.', act: null };
  if (repair?.state === 'planning') return { text: 'Airflow is being asked what exactly would run again.', act: plan };
  if (repair?.state === 'proposed') return { text: 'The repair plan waits for a yes.', act: plan };
  if (repair?.state === 'approved') return { text: 'Approved. What would run is asked again, then it starts.', act: plan };
  const fixed = may(who, 'responder')
    ? form({
        id: 'fixed',
        action: `${incidentPath(incident.id)}/fixed`,
        button: 'It is fixed: plan the repair',
        label: 'What was done? (optional, for the others)',
        required: false,
        tone: 'primary',
      })
    : needs('responder', who, 'Marking it as fixed');
  const again = repair !== undefined && repair.state !== 'succeeded';
  const holding = incident.status === 'open' ? 'Firedamper is holding what reads it. ' : '';
  const text = again
    ? 'The last repair did not end well. Mend the cause, then ask for a new plan.'
    : `${holding}Mend the cause, then say so here. The repair is planned at once and runs only after a yes.`;
  return { text, act: fixed };
}

function verifying(incident: Incident, who: Who): { text: Value; act: Value } {
  if (incident.timestamps.verifiedAt !== null)
    return { text: 'The data is verified. The policy wants a person to confirm the release.', act: null };
  const verify = may(who, 'responder')
    ? form({
        id: 'verify',
        action: `${incidentPath(incident.id)}/verify`,
        button: 'The data is right',
        label: 'How do you know? (needed)',
        required: true,
        tone: 'primary',
      })
    : needs('responder', who, 'Verifying');
  return {
    text: 'Every run has succeeded. The policy wants a person to look at the data and say that it is right.',
    act: verify,
  };
}

/** What goes around the usual way: rare, so folded away, and always with a reason. */
export function otherActs(view: IncidentView, who: Who): Value {
  const { incident } = view;
  if (isOver(incident.status) || incident.releasing || view.repairs[0]?.state === 'running' || !may(who, 'approver')) return null;
  const path = incidentPath(incident.id);
  const confirms = incident.status === 'verifying' && incident.timestamps.verifiedAt !== null;
  const before = html`<p>${confirms ? 'Every hold of this incident is let go.' : html`<strong>Nothing has been verified yet.</strong> Readers may run on wrong or missing data.`} <a href="${path}/release-preview">See what a release would start</a></p>`;
  const release = form({
    id: 'release',
    action: `${path}/release`,
    button: 'Release all holds',
    label: 'Why? (needed)',
    required: true,
    tone: confirms ? 'primary' : 'danger',
    before,
  });
  const dismiss = form({
    id: 'dismiss',
    action: `${path}/dismiss`,
    button: 'Dismiss the incident',
    label: 'Why is it none? (needed)',
    required: true,
    tone: 'danger',
    before: html`<p>Its holds are let go, and nothing is repaired.</p>`,
  });
  return html`<section class="card" aria-labelledby="other-h" data-live="other"><h2 id="other-h">Other ways</h2>${!isAboutFiles(incident) && folded('release', confirms ? 'Confirm the release' : 'Release before verification', release)}${folded('dismiss', 'Dismiss: this is no incident', dismiss)}</section>`;
}
