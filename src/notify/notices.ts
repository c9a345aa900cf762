/**
 * Every sentence that Firedamper may send to people, and nothing that sends it. Names, titles and error texts come from outside and are
 * hostile: they are cut and cleaned here, and escaped by each channel for its medium.
 */
import type { Instant } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import { type Incident, isAboutFiles } from '../core/incident.ts';
import type { Repair } from '../core/plan.ts';
import { LATE_NOTICE_MS, type NotifyEvent } from '../core/policy.ts';
import { sentence } from '../core/reason.ts';
import type { TimelineEntry } from '../core/timeline.ts';
import { advice, attentionReason } from './attention.ts';
import { repairLines, runsOf } from './planWords.ts';
import { clean, dags, few, moment, span } from './words.ts';

/** What is known when a notice is composed: the incident as it is now, not as it was when the notice was decided. */
export interface NoticeView {
  readonly incident: Incident;
  readonly holds: readonly Hold[];
  /** Newest first. */
  readonly repairs: readonly Repair[];
  /** Page of the incident. */
  readonly pageUrl: string;
  /** What the notice is about: a DAG (or several, with commas), a repair, an Airflow. */
  readonly subject: string;
  /** History of the incident, oldest first: some reasons stand nowhere else. */
  readonly timeline: readonly TimelineEntry[];
  /** When it was decided that people are told, and when they are: a channel may have been away in between. */
  readonly decidedAt: Instant;
  readonly now: Instant;
}

export interface NoticeLine {
  readonly label: string;
  readonly value: string;
}

/** One notice, the same for every channel. Plain text throughout: no markup of any medium. */
export interface Notice {
  readonly event: NotifyEvent;
  /** At most 150 characters. */
  readonly title: string;
  /** One or two sentences. */
  readonly text: string;
  readonly lines: readonly NoticeLine[];
  readonly link: string;
  /** `#rrggbb` */
  readonly color: string;
  /** When there was something to tell; later than this by what the channel was away. */
  readonly decidedAt: Instant;
  readonly incident: Pick<Incident, 'id' | 'airflow' | 'dagId' | 'status' | 'severity' | 'type' | 'title' | 'mode'> & {
    readonly openedAt: Instant;
  };
}

type Body = Pick<Notice, 'text' | 'lines'> & { readonly head: string };

const COLORS: Readonly<Record<NotifyEvent, string>> = {
  opened: '#c62828',
  held: '#ef6c00',
  approval: '#1565c0',
  failed: '#c62828',
  resolved: '#2e7d32',
  attention: '#f9a825',
};

const COMPOSERS: Readonly<Record<NotifyEvent, (view: NoticeView) => Body>> = {
  opened,
  held,
  approval,
  failed,
  resolved,
  attention,
};

export function compose(event: NotifyEvent, view: NoticeView): Notice {
  const { incident } = view;
  const body = COMPOSERS[event](view);
  const shadow = incident.mode === 'shadow';
  const title = clean(incident.title, 200);
  const late = lateness(view);
  return {
    event,
    title: clean(`${shadow ? '[shadow] ' : ''}${late === '' ? '' : '[late] '}${incident.severity} ${body.head}: ${title}`, 150),
    text: `${late}${body.text}${shadow ? ' Shadow mode: decided and told only, nothing is changed in Airflow.' : ''}`,
    lines: body.lines,
    link: view.pageUrl,
    color: COLORS[event],
    decidedAt: view.decidedAt,
    incident: {
      id: incident.id,
      airflow: incident.airflow,
      dagId: incident.dagId,
      status: incident.status,
      severity: incident.severity,
      type: incident.type,
      title,
      mode: incident.mode,
      openedAt: incident.timestamps.openedAt,
    },
  };
}

/** What comes hours late must not read as if it were so now: it begins with its time, and says what has become of the incident. */
function lateness({ incident, decidedAt, now }: NoticeView): string {
  if (Date.parse(now) - Date.parse(decidedAt) < LATE_NOTICE_MS) return '';
  return `${moment(decidedAt)} (told ${span(decidedAt, now)} late; the incident is ${incident.status} now): `;
}

const line = (label: string, value: string | null): NoticeLine[] =>
  value === null || value === '' ? [] : [{ label, value: clean(value, 900) }];
const full = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);
const where = (incident: Incident): string => `${clean(incident.dagId)} in ${clean(incident.airflow)}`;

function opened(view: NoticeView): Body {
  const { incident } = view;
  const platform = incident.type === 'platform';
  const again = incident.timestamps.reopenedAt !== null;
  const causes = incident.runs.filter((run) => run.role === 'cause');
  const failedRuns = causes.map((run) =>
    run.failedTasks.length > 0 ? `${run.runId} (task ${run.failedTasks.join(', ')})` : run.runId,
  );
  const text = platform
    ? `${clean(incident.airflow)}: ${clean(sentence(incident.statusReason), 300)}.`
    : again
      ? `The same cause failed again: ${where(incident)}. What reads its data is being looked for and held.`
      : `${where(incident)} failed. What reads its data is being looked for and held.`;
  return {
    head: again ? 'Reopened' : 'Opened',
    text,
    lines: [
      ...line(causes.length > 1 ? 'Failed runs' : 'Failed run', few(failedRuns)),
      ...line('DAGs that do not run', few((incident.files ?? []).flatMap((f) => f.dags))),
      ...line('Since', moment(incident.timestamps.failedAt)),
      ...line('Why this severity', incident.rule),
    ],
  };
}

function held(view: NoticeView): Body {
  const { incident } = view;
  const active = view.holds.filter((hold) => hold.releasedAt === null);
  const ours = active.filter((hold) => hold.state !== 'foreign');
  const foreign = active.filter((hold) => hold.state === 'foreign');
  if (active.length === 0)
    return { head: 'Held', text: `What would read the data of ${where(incident)} was held, and is let go by now.`, lines: [] };
  const one = active.length === 1;
  const verb = incident.mode === 'shadow' ? 'would be paused' : one ? 'is held' : 'are held';
  return {
    head: 'Held',
    text: `${dags(active.length)} ${verb}, because ${one ? 'it' : 'they'} would read what ${where(incident)} did not make or made wrongly.`,
    lines: [
      ...line('Held', few(ours.map((hold) => hold.dagId))),
      ...line('Paused before us, stays so', few(foreign.map((hold) => hold.dagId))),
      ...line('Not held', few(incident.spared.map((dag) => `${dag.dagId} (${sentence(dag.reason)})`))),
      ...line('Could not be read', few(incident.gaps.map((gap) => `${gap.source}: ${gap.why}`))),
      ...line('Ends', 'when the repair is verified, or when a person releases them'),
    ],
  };
}

function approval(view: NoticeView): Body {
  const repair = view.repairs.find((r) => r.id === view.subject);
  const runs = repair ? runsOf(repair) : 0;
  const asks = repair === undefined || repair.state === 'proposed';
  const over = asks ? '' : ` It is ${repair.state} by now. Nothing is asked of you.`;
  return {
    head: asks ? 'Waits for approval' : 'Waited for approval',
    text: repair
      ? `A repair of ${where(view.incident)} ${asks ? 'waits' : 'waited'} for your yes: ${runs} ${runs === 1 ? 'run' : 'runs'} of ${dags(new Set(repair.steps.map((s) => s.dagId)).size)}.${over}`
      : `A repair of ${where(view.incident)} waits for your yes.`,
    lines: repair ? repairLines(repair).flatMap(([label, value]) => line(label, value)) : [],
  };
}

function failed(view: NoticeView): Body {
  const repair = view.repairs.find((r) => r.id === view.subject);
  const why = repair?.stateReason ?? view.incident.statusReason;
  const planned = why.code === 'plan_failed';
  const holding = view.holds.filter((hold) => hold.releasedAt === null);
  return {
    head: planned ? 'No repair plan' : 'Repair failed',
    text: `${planned ? 'No repair could be planned for' : 'The repair did not cure'} ${where(view.incident)}. What is held stays held.`,
    lines: [
      ...line('Why', sentence(why)),
      ...line('Still held', few(holding.map((hold) => hold.dagId))),
      ...line('What you can do', 'mend the cause, then mark it fixed again: a new plan is made'),
    ],
  };
}

function resolved(view: NoticeView): Body {
  const { incident, holds } = view;
  if (isAboutFiles(incident)) {
    return {
      head: 'Resolved',
      text: `${clean(incident.airflow)}: ${clean(sentence(incident.statusReason))}. Their DAGs run again.`,
      lines: line('Files', few((incident.files ?? []).map((f) => f.file))),
    };
  }
  const of = (state: Hold['state'], codes: readonly string[] = []) =>
    holds
      .filter((hold) => hold.state === state && (codes.length === 0 || codes.includes(hold.reason.code)))
      .map((hold) => hold.dagId);
  const untouched = new Set(holds.filter((hold) => hold.foundPaused === true).map((hold) => hold.dagId));
  const released = of('released').filter((dagId) => !untouched.has(dagId));
  const { failedAt, resolvedAt } = incident.timestamps;
  return {
    head: 'Resolved',
    text: `${where(incident)} is whole again${resolvedAt === null ? '' : ` after ${span(failedAt, resolvedAt)}`}. Its data can be trusted again.`,
    lines: [
      ...line('Released', few(released)),
      ...line('Still paused: was so before us', few([...untouched])),
      ...line('Left to the person who took it over', few(of('ceded'))),
      ...line('Ran on the repaired data', few(incident.deliveries.filter((d) => d.state === 'ran').map((d) => d.dagId))),
      ...line(
        'Look at these',
        few(
          incident.deliveries
            .filter((d) => d.state === 'failed' || d.state === 'not_seen' || d.how === 'not_delivered')
            .map((d) => `${d.dagId} (${sentence(d.reason)})`),
        ),
      ),
    ],
  };
}

function attention(view: NoticeView): Body {
  const why = attentionReason(view);
  const repair = view.repairs.find((r) => r.id === view.subject);
  const about = repair ? `the repair of ${where(view.incident)}` : clean(view.subject, 300);
  return {
    head: 'Needs a person',
    text: full(`${about}: ${clean(sentence(why), 600)}`),
    lines: [...line('What you can do', advice(why)), ...line('Incident of', where(view.incident))],
  };
}
