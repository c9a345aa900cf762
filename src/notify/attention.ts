import { type Reason, type ReasonCode, reason } from '../core/reason.ts';
import type { NoticeView } from './notices.ts';

/** Why a person is needed, read from the state of what the notice is about, and from the history where the state does not say it. */
export function attentionReason({ incident, holds, repairs, subject, timeline }: NoticeView): Reason {
  const told = (event: string, about: string | null) =>
    timeline.findLast((entry) => entry.event === event && entry.subject === about)?.reason;
  const repair = repairs.find((r) => r.id === subject);
  if (repair) return (repair.state === 'running' ? told('repair.stuck', repair.id) : undefined) ?? repair.stateReason;
  const named = subject.split(', ');
  const hold = holds.find((h) => named.includes(h.dagId) && (ASKING.has(h.reason.code) || h.reviewAsked));
  if (hold) return ASKING.has(hold.reason.code) ? hold.reason : reason('review_due');
  const delivery = incident.deliveries.find(
    (d) => named.includes(d.dagId) && (d.state === 'not_seen' || d.how === 'not_delivered'),
  );
  if (delivery) return delivery.state === 'not_seen' ? reason('not_seen_after_release') : delivery.reason;
  const spared = incident.spared.find((d) => named.includes(d.dagId) && ASKING.has(d.reason.code));
  if (spared) return spared.reason;
  const unread = subject === incident.airflow ? (told('release.failed', null) ?? told('survey.failed', null)) : undefined;
  return unread ?? incident.statusReason;
}

const ADVICE: Readonly<Partial<Record<ReasonCode, string>>> = {
  person_unpaused: 'nothing has to be done: it is not paused again and not touched by the release',
  person_touched: 'nothing has to be done: it is not touched by the release',
  over_cap: 'pause it in Airflow yourself if it must not run on this data',
  ask_tag: 'pause it in Airflow yourself if it must not run on this data',
  pause_failed: 'pause it in Airflow yourself; firedamper check shows whether the account lacks a right',
  unpause_failed: 'unpause it in Airflow yourself, or release the hold again',
  release_uncertain: 'look at the DAG in Airflow, then release the hold or unpause it there',
  settled_uncertain: 'say whether it was paused by a person; if not, release the hold',
  review_due: 'release the hold, or leave it if it is still needed',
  approval_expired: 'mark it fixed again: a new plan is made',
  plan_changed: 'mark it fixed again: a new plan is made from what Airflow says now',
  repair_stuck: 'look at the run in Airflow; cancel the repair if it cannot end',
  waiting_for_person: 'check the data, then confirm it on the page',
  release_waits: 'look at the release preview, then release',
  survey_failed: 'check the affected DAGs by hand until Airflow can be read again',
  not_delivered: 'trigger the DAG in Airflow if it needs the data',
  not_seen_after_release: 'look whether the DAG should have run, and trigger it if so',
  failed_after_release: 'look at the failed run: an incident of its own follows',
  repair_failed: 'mend the cause, then mark it fixed again',
};

/** Reasons of a hold or a spared DAG that ask for a person. */
const ASKING: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'person_unpaused',
  'person_touched',
  'over_cap',
  'ask_tag',
  'pause_failed',
  'unpause_failed',
  'release_uncertain',
  'settled_uncertain',
]);

export const advice = (why: Reason): string => ADVICE[why.code] ?? 'look at the incident';
