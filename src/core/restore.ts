/**
 * After a restore the database is older than Airflow: what it takes for under way may be done, what it takes for held may be let go. So
 * everything that would change Airflow is taken back to a question, and a person looks at what differs before anything is done again.
 */
import { conflict, invalid } from '../errors.ts';
import { requireRole } from './approval.ts';
import { settled } from './deliveries.ts';
import { type Draft, dagKey, sameDag } from './draft.ts';
import type { Person, PersonAct } from './events.ts';
import type { DagRef, Instant } from './facts.ts';
import type { Hold, Ownership } from './hold.ts';
import { settleContainment, settleHold } from './holding.ts';
import type { Incident } from './incident.ts';
import { CHANGES_OUTSIDE, type Intent } from './intent.ts';
import { isActiveRepair, isOver, isUnderWay } from './lifecycle.ts';
import { end } from './ownership.ts';
import { reason } from './reason.ts';
import { settleRelease } from './release.ts';
import { setRepair, setStatus } from './status.ts';

export interface Restored {
  readonly at: Instant;
  /** How it was noticed, in words. */
  readonly because: string;
  /** The last moment of which the file knows anything; null where it knows nothing. */
  readonly knowsUntil: Instant | null;
  /** What the file said when it came back; null until everything in it that may have gone on meanwhile was taken back to a question. */
  readonly fileSaid: FileSaid | null;
}

/** Observing changes the rows themselves; what the file said is kept for the person who has to judge. */
export interface FileSaid {
  readonly paused: readonly DagRef[];
  readonly owned: readonly (DagRef & { readonly state: string })[];
  readonly runs: readonly (DagRef & { readonly runId: string; readonly state: string; readonly incidentId: string })[];
  /** What was under way, in words. */
  readonly underWay: readonly (DagRef & { readonly text: string })[];
  /** DAGs that were ours without a doubt, and are again once a person has confirmed. */
  readonly doubted: readonly string[];
}

/** Numbers that may have been given out after the backup are not given out again: people hold links and tickets with them. */
const NUMBERS_LEFT_OUT = 1_000;

const changesAirflow = (i: Intent): boolean => CHANGES_OUTSIDE[i.act.kind] && i.act.kind !== 'send_notice';

/** Once, at the first start on a restored file. */
export function takeBack(draft: Draft, paused: readonly DagRef[]): void {
  const restored = draft.restored;
  if (restored === null || restored.fileSaid !== null) return;
  const fileSaid = whatTheFileSays(draft, paused);
  draft.leaveOutNumbers(NUMBERS_LEFT_OUT);
  const why = reason('restored', { because: restored.because, until: restored.knowsUntil ?? '?' });
  draft.tell(null, 'restore.noticed', null, why);
  for (const i of draft.incidents().filter((x) => !isOver(x.status))) draft.tell(i.id, 'restore.noticed', i.dagId, why);
  // A yes was for what Airflow would have run then; what of it has run since is not in the file.
  for (const r of draft.repairs().filter((x) => isActiveRepair(x.state))) {
    const steps = r.steps.map((s) => (s.state === 'waiting' ? { ...s, state: 'skipped' as const, reason: why } : s));
    setRepair(draft, r, r.state === 'running' ? 'cancelled' : 'lapsed', why, { steps });
    if (draft.incident(r.incidentId).status === 'repairing') setStatus(draft, r.incidentId, 'contained', why);
  }
  for (const intent of draft.intents().filter((i) => isUnderWay(i.state))) takeBackIntent(draft, intent);
  for (const h of draft.holds().filter((x) => x.state === 'release_intended')) keepHeld(draft, h);
  for (const own of draft.ownerships()) {
    if (own.state === 'resume_intended') stillOurs(draft, own);
    else if (own.state === 'ours') draft.putOwnership({ ...own, uncertain: true });
  }
  for (const i of draft.incidents()) dropDeliveries(draft, i);
  draft.putRestored({ ...restored, fileSaid });
}

/** Its incident was opened again meanwhile, and has claimed the DAG anew: one hold is enough. */
function keepHeld(draft: Draft, h: Hold): void {
  const anew = draft.holdsOf(h.incidentId).some((x) => x.id !== h.id && sameDag(x, h) && x.releasedAt === null);
  if (anew) end(draft, h, reason('still_held', { incidents: h.incidentId }));
  else draft.putHold({ ...h, state: 'held' });
}

/** Let go of when the file was copied: what had claimed it for another incident meanwhile waits for no unpause any more. */
function stillOurs(draft: Draft, own: Ownership): void {
  draft.putOwnership({ ...own, state: 'ours', uncertain: true });
  for (const h of draft.holdingOn(own).filter((x) => x.state === 'intended')) {
    settleHold(draft, h, 'held', reason('already_ours'));
    settleContainment(draft, h.incidentId);
  }
}

/**
 * What was about to be ordered may have been delivered since, under a mark that the file does not know: given again, its readers would have it twice.
 */
function dropDeliveries(draft: Draft, incident: Incident): void {
  const waiting = incident.deliveries.filter((d) => d.state === 'waiting');
  if (waiting.length === 0) return;
  const why = reason('not_delivered', {
    asset: 'what it missed',
    why: 'the database was restored, and it may have been delivered meanwhile',
  });
  const deliveries = incident.deliveries.map((d) =>
    d.state === 'waiting' ? settled({ ...d, how: 'not_delivered', reason: why, expectRun: false, state: 'done', orders: [] }) : d,
  );
  draft.patchIncident(incident.id, { deliveries });
  for (const d of waiting) draft.tell(incident.id, 'delivery.refused', d.dagId, why);
  draft.notice(incident.id, 'attention', waiting.map((d) => d.dagId).join(', '));
}

function whatTheFileSays(draft: Draft, paused: readonly DagRef[]): FileSaid {
  const owned = draft.ownerships().filter((o) => o.state !== 'none');
  const live = draft.incidents().filter((i) => !isOver(i.status));
  const open = draft.intents().filter((i) => isUnderWay(i.state) && changesAirflow(i));
  return {
    paused,
    owned: owned.map(({ airflow, dagId, state }) => ({ airflow, dagId, state })),
    runs: live.flatMap((i) =>
      i.runs.map((r) => ({ airflow: i.airflow, dagId: r.dagId, runId: r.runId, state: r.state, incidentId: i.id })),
    ),
    underWay: open.flatMap((i) => underWay(draft, i)),
    doubted: owned.filter((o) => (o.state === 'ours' || o.state === 'resume_intended') && !o.uncertain).map(dagKey),
  };
}

function underWay(draft: Draft, { act }: Intent): FileSaid['underWay'][number][] {
  switch (act.kind) {
    case 'pause_dag':
      return [{ ...act, text: 'a pause was being sent' }];
    case 'unpause_dag':
      return [{ ...act, text: 'an unpause was being sent' }];
    case 'repair_step': {
      const step = draft.repair(act.repairId)?.steps.find((s) => s.n === act.step);
      return step
        ? [{ airflow: act.airflow, dagId: step.dagId, text: `step ${act.step} of ${act.repairId} was being started` }]
        : [];
    }
    case 'deliver': {
      const dagIds = act.delivery.how === 'event' ? act.delivery.dagIds : [act.delivery.dagId];
      return dagIds.map((dagId) => ({
        airflow: act.airflow,
        dagId,
        text: `what it missed was being delivered for ${act.incidentId}`,
      }));
    }
    default:
      return [];
  }
}

/** A pause and a delivery can be recognised in Airflow, so they are settled by reading; the rest is dropped, and decided anew if it is still wanted. */
function takeBackIntent(draft: Draft, intent: Intent): void {
  const { kind } = intent.act;
  if (kind === 'survey' || kind === 'survey_elsewhere' || kind === 'plan_release') return;
  if (kind === 'pause_dag' || kind === 'deliver') draft.putIntent({ ...intent, state: 'unknown' });
  else draft.putIntent({ ...intent, state: 'failed', lastError: 'dropped: the database was restored from an earlier time' });
}

/** What only makes sense for somebody who may act. */
const WANTS_HANDS: ReadonlySet<PersonAct['kind']> = new Set(['approve', 'release', 'release_hold']);

export function refuseWhileObserving(draft: Draft, act: PersonAct): void {
  if (draft.restored !== null && WANTS_HANDS.has(act.kind))
    throw conflict(
      'the database was restored from an earlier time and nothing is changed in Airflow: an admin looks at what differs and confirms first',
      {
        restored_at: draft.restored.at,
      },
    );
}

/** From here on the service acts again. What was decided while it observed is looked at in Airflow before it is done. */
export function confirmRestore(draft: Draft, person: Person, comment: string): void {
  requireRole(person, 'admin');
  const restored = draft.restored;
  if (restored === null) throw conflict('there is nothing to confirm: the database is not a restored one, or it was confirmed');
  if (comment.trim() === '') throw invalid('a reason is needed');
  const who = { kind: 'person', name: person.name } as const;
  draft.putRestored(null);
  const why = reason('restore_confirmed', { since: restored.at });
  draft.tell(null, 'restore.confirmed', null, why, who, comment);
  for (const intent of draft.intents()) {
    if (changesAirflow(intent) && intent.state === 'planned') draft.putIntent({ ...intent, state: 'unknown', dueAt: draft.now });
  }
  const doubted = new Set(restored.fileSaid?.doubted ?? []);
  for (const own of draft.ownerships())
    if (own.state === 'ours' && doubted.has(dagKey(own))) draft.putOwnership({ ...own, uncertain: false });
  for (const i of draft.incidents()) {
    if (!isOver(i.status)) draft.tell(i.id, 'restore.confirmed', i.dagId, why, who, comment);
    if (!i.releasing) continue;
    // What the held DAGs missed is read anew: the facts of the file are old.
    if (draft.holdsOf(i.id).some((h) => h.state === 'held'))
      draft.intend({ kind: 'plan_release', airflow: i.airflow, incidentId: i.id });
    else settleRelease(draft, i.id);
  }
}
