/** The laws of the product, as checks on the truth: after every request that Airflow handled, after every decision, and when all is quiet. */
import { digestOf } from '../../../../src/core/approval.ts';
import type { Decision } from '../../../../src/core/draft.ts';
import { isActiveRepair } from '../../../../src/core/lifecycle.ts';
import type { Step } from '../../../../src/core/plan.ts';
import { allWhole } from '../../../../src/core/verification.ts';
import type { Effect } from '../../fakeAirflow/types.ts';
import { OUR_ACCOUNT, type Processed, type SimAirflow } from './airflow.ts';
import { judgeCaps, judgeSaved } from './lawsOfActing.ts';
import { behind, type Site } from './site.ts';
import { closeInterval, coveredByOrder, type GivenApproval, type Truth } from './truth.ts';

export interface Courtroom {
  readonly truth: Truth;
  readonly site: Site;
  readonly airflow: SimAirflow;
}

/** One request of ours, and what it did. */
export function judgeRequest(c: Courtroom, p: Processed): void {
  noteAuditRead(c, p);
  noteLinksRead(c, p);
  for (const e of p.effects) {
    if (e.by !== OUR_ACCOUNT) continue;
    if (c.site.policy.mode === 'shadow') c.truth.break('shadow touches nothing', p.at, `${e.kind} ${e.dagId}`);
    judgeSaved(c, p, e);
    if (e.kind === 'pause') judgePause(c, p, e);
    else if (e.kind === 'unpause') judgeUnpause(c, p, e);
    else if (e.kind === 'clear') judgeClear(c, p, e);
    else if (e.kind === 'backfill') judgeBackfill(c, p, e);
    else if (e.kind === 'trigger') judgeTrigger(c, p, e);
    else if (e.kind === 'asset_event') judgeEvent(c, p);
  }
}

/** On 2.x the list of datasets is read for other reasons as well: then the law is the stricter one. */
function noteLinksRead({ truth }: Courtroom, p: Processed): void {
  if (p.status === 200 && /\/(ui\/dependencies|datasets)$/.test(p.path)) truth.linksReadAt = p.at;
}

function noteAuditRead({ truth }: Courtroom, p: Processed): void {
  // The first page: what is written while the others are read may be missed.
  if (!p.path.endsWith('/eventLogs') || p.status !== 200 || !p.query.has('included_events') || p.query.get('offset') !== '0')
    return;
  const dagId = p.query.get('dag_id');
  if (dagId === null) truth.bulkAuditReadSeq = p.seq;
  else truth.switchOf(dagId).auditReadSeq = p.seq;
}

const LONGEST_OUTAGE_MS = 900_000;
/** From the first answer of a survey to the pause that it leads to. */
const SURVEY_MS = 60_000;

/** Law: only what is downstream of a failure, never what is protected; and no second pause against a person who has unpaused. */
function judgePause({ truth, site, airflow }: Courtroom, p: Processed, e: Effect): void {
  const s = truth.switchOf(e.dagId);
  truth.figures.pauses++;
  // More is held for as long as nobody can know that a link is gone: until the next survey, which an outage may put off (seeds 2114, 2842).
  const known = [...truth.deleted].filter(([, d]) => p.at - d.at <= site.surveyIntervalMs + LONGEST_OUTAGE_MS);
  const specs = new Map([...known, ...airflow.world.dags].map(([id, d]) => [id, d.spec]));
  // One that came back under its name with other links is reached by the old ones until a survey has read the new ones (seed 9079).
  const unread = known.filter(([, d]) => truth.linksReadAt <= d.at || p.at - truth.linksReadAt < SURVEY_MS);
  const before = new Map([...airflow.world.dags, ...unread].map(([id, d]) => [id, d.spec]));
  const reach = new Set([specs, before].flatMap((links) => [...behind(links, site.edges, truth.failedDags)]));
  const back = s.intervals.length > 0;
  if (!reach.has(e.dagId) && !(site.policy.hold.pauseFailingDag && truth.failedDags.has(e.dagId)))
    truth.break('only what is downstream is paused', p.at, `${e.dagId} is behind none of ${[...truth.failedDags].join(', ')}`);
  const tags = specs.get(e.dagId)?.tags ?? [];
  const spared =
    site.policy.hold.protectedDags.includes(e.dagId) || tags.includes('firedamper:never') || tags.includes('firedamper:ask');
  if (spared) truth.break('what is protected is never paused', p.at, e.dagId);
  // Not what a person did with a pause of their own after we had let go (seed 827).
  const open = [...truth.holds.values()].filter((h) => h.dagId === e.dagId && h.releasedAt === null).map((h) => h.id);
  const undone = s.touches.findLast((t) => t.undidOurs);
  // Where the audit log was hidden when it was held, nobody can tell a pause that did not work from one that was undone.
  if (!site.hidesAudit && back && undone && undone.seq > s.ourPauseSeq && undone.seq < s.attemptSeq) {
    // A hold that was decided since our last pause: nobody has undone anything for that one (seed 75).
    const asked = open.some((id) => !s.pausedFor.has(id));
    if (!asked)
      truth.break('no second pause against a person', p.at, `${e.dagId}: ${undone.who} had unpaused it at ${undone.at}`);
  }
  Object.assign(s, { paused: true, pausedBy: 'us', ourPauseSeq: p.seq, ourPauseAt: p.at, pausedFor: new Set(open) });
  s.intervals.push({ from: p.at, to: null, end: null });
  judgeCaps({ truth, site, airflow }, p, e);
}

/** Law: nothing that a person paused, or touched since our pause, is unpaused by us. One round trip is open in Airflow's API, and only that one. */
function judgeUnpause({ truth, site }: Courtroom, p: Processed, e: Effect): void {
  const s = truth.switchOf(e.dagId);
  truth.figures.unpauses++;
  const looked = Math.min(s.auditReadSeq, truth.bulkAuditReadSeq);
  const readable = looked > s.ourPauseSeq;
  const weaker = site.hidesAudit && site.policy.release.withoutAuditLog === 'observed';
  const forced = s.forcedSeq > s.ourPauseSeq;
  const since = s.touches.filter((t) => t.seq > s.ourPauseSeq && t.seq < (readable ? looked : p.seq) && !coveredByOrder(s, t));
  if (!weaker) {
    const touched = since.at(-1);
    if (touched)
      truth.break(
        'nothing that a person touched is unpaused by us',
        p.at,
        `${e.dagId}: ${touched.who} touched it (${touched.paused})`,
      );
    const paused = s.touches.findLast((t) => t.changed && t.paused);
    if (!forced && s.pausedBy !== 'us' && !(readable && paused && paused.seq > looked))
      truth.break(
        'nothing that a person paused is unpaused by us',
        p.at,
        `${e.dagId} was paused by ${paused?.who ?? 'somebody before us'}`,
      );
  }
  closeInterval(s, p.at, 'us');
  Object.assign(s, { paused: false, pausedBy: null });
}

const approvedStep = (a: GivenApproval, dagId: string, is: (s: Step) => boolean): Step | undefined =>
  a.steps.find((s) => s.dagId === dagId && is(s));

/** Spends one use of an approval; each step of each approval may be used once. */
function spend(truth: Truth, key: string, find: (a: GivenApproval) => boolean): 'ok' | 'again' | 'never' {
  const fitting = truth.approvals.filter(find);
  const fresh = fitting.find((a) => (a.used.get(key) ?? 0) === 0);
  if (fresh) fresh.used.set(key, 1);
  return fresh ? 'ok' : fitting.length > 0 ? 'again' : 'never';
}

/** Law: no repair without a yes to exactly it, and each yes runs once. */
function judgeClear({ truth }: Courtroom, p: Processed, e: Effect): void {
  // A backfill clears the runs that it takes over; it is judged as a backfill.
  if (p.path.endsWith('/backfills')) return;
  truth.figures.clears++;
  const tasks = (e.detail ?? '').split(',').sort().join(',');
  const fits = (a: GivenApproval) =>
    approvedStep(a, e.dagId, (s) => s.request.kind === 'clear' && s.request.runId === e.runId && plannedTasks(s) === tasks) !==
    undefined;
  const verdict = spend(truth, `clear ${e.dagId} ${e.runId}`, fits);
  if (verdict === 'never')
    truth.break('no repair without a yes to exactly this plan', p.at, `clear ${e.dagId} ${e.runId} (${tasks})`);
  if (verdict === 'again') truth.break('nothing is run again twice for one yes', p.at, `clear ${e.dagId} ${e.runId}`);
}

const plannedTasks = (s: Step): string =>
  s.runs
    .flatMap((r) => r.tasks.map((t) => t.taskId))
    .sort()
    .join(',');

function judgeBackfill({ truth, site }: Courtroom, p: Processed, e: Effect): void {
  truth.figures.backfills++;
  const dates = (e.detail ?? '').split(',').filter(Boolean);
  const { from_date: from, to_date: to, reprocess_behavior: how } = p.body;
  if (how === 'none' && site.policy.release.missedIntervals === 'backfill') return;
  const fits = (a: GivenApproval) =>
    approvedStep(a, e.dagId, (s) => {
      if (s.request.kind !== 'backfill' || s.request.from !== from || s.request.to !== to) return false;
      const planned = new Set(s.runs.map((r) => r.logicalDate));
      return dates.every((d) => planned.has(d));
    }) !== undefined;
  const verdict = spend(truth, `backfill ${e.dagId} ${from} ${to}`, fits);
  if (verdict === 'never')
    truth.break('no repair without a yes to exactly this plan', p.at, `backfill ${e.dagId} ${dates.join(' ')}`);
  if (verdict === 'again') truth.break('nothing is run again twice for one yes', p.at, `backfill ${e.dagId} ${from}`);
}

function judgeTrigger({ truth }: Courtroom, p: Processed, e: Effect): void {
  if (p.path.endsWith('/backfills')) return;
  truth.figures.triggers++;
  if (e.runId?.startsWith('firedamper__inc-')) return;
  const fits = (a: GivenApproval) =>
    approvedStep(a, e.dagId, (s) => s.request.kind === 'create_run' && s.request.runId === e.runId) !== undefined;
  if (spend(truth, `create ${e.dagId} ${e.runId}`, fits) !== 'ok')
    truth.break('no repair without a yes to exactly this plan', p.at, `create ${e.dagId} ${e.runId}`);
}

/** Law: what was missed is delivered once. Each order to deliver has its own mark. */
function judgeEvent({ truth }: Courtroom, p: Processed): void {
  truth.figures.events++;
  const op = String((p.body.extra as Record<string, unknown> | undefined)?.firedamper_op ?? '');
  const times = (truth.eventOps.get(op) ?? 0) + 1;
  truth.eventOps.set(op, times);
  if (op === '' || times > 1) truth.break('a missed event is delivered once', p.at, `${op} was posted ${times} times`);
}

/** The service's own books must agree with themselves after every decision. */
export function judgeBooks({ truth, site }: Courtroom, d: Decision, at: number): void {
  const pending = (kind: string, dagId: string) =>
    [...truth.intents.values()].some(
      (i) =>
        (i.state === 'planned' || i.state === 'sending' || i.state === 'unknown') &&
        i.act.kind === kind &&
        'dagId' in i.act &&
        i.act.dagId === dagId,
    );
  for (const o of new Set([...d.ownerships, ...d.holds].map((x) => truth.ownerships.get(x.dagId)))) {
    if (!o) continue;
    const holds = [...truth.holds.values()].filter((h) => h.dagId === o.dagId && h.releasedAt === null);
    const is = (state: string) => holds.some((h) => h.state === state);
    const wrong = (text: string) => truth.break('the books agree', at, `${o.dagId} ${o.state}: ${text}`);
    if (o.state === 'pause_intended' && !pending('pause_dag', o.dagId)) wrong('no pause is under way');
    if (o.state === 'resume_intended' && !pending('unpause_dag', o.dagId)) wrong('no unpause is under way');
    if ((o.state === 'none' || o.state === 'ceded') && is('held')) wrong('a hold counts as held');
    if (o.state !== 'resume_intended' && o.state !== 'pause_intended' && is('release_intended'))
      wrong('a hold waits for an unpause that nobody does');
    if (o.state === 'ours' && holds.length === 0) wrong('ours, and no hold is on it');
    if (o.state === 'none' && is('intended') && site.policy.mode === 'armed') wrong('a hold waits for a pause that nobody does');
  }
  for (const i of d.incidents) {
    const active = [...truth.repairs.values()].filter((r) => r.incidentId === i.id && isActiveRepair(r.state));
    if (active.length > 1) truth.break('the books agree', at, `${i.id} has ${active.length} repairs at once`);
    if (i.status === 'verifying' && !i.releasing && !allWhole(i))
      truth.break('the books agree', at, `${i.id} is being verified with failed runs`);
    if (i.status === 'verifying' && active.length > 0)
      truth.break('the books agree', at, `${i.id} is being verified and repaired`);
  }
  for (const r of d.repairs) {
    if (r.state !== 'running' && r.state !== 'approved') continue;
    if (r.approval?.digest !== r.digest || r.digest !== digestOf(r.incidentId, r.airflow, r.steps))
      truth.break(
        'no repair without a yes to exactly this plan',
        at,
        `${r.id} is ${r.state} on another digest than was approved`,
      );
  }
}
