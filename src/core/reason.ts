/**
 * The closed list of reasons. Every yes and every no that Firedamper gives carries one of these; it is kept in the history,
 * shown to people and asserted by tests. The sentence is what people read; `{x}` is filled from the entry's detail.
 */
export const REASONS = {
  // hearing
  failure_final: 'task {task} of run {run} failed for good',
  run_failed: 'run {run} ended as failed',
  will_retry: 'task {task} failed and will be retried: nothing is opened or held',
  not_watched: 'the policy does not watch this: {what}',
  bad_data: 'bad data was reported: {what}',
  bad_data_ended: 'the run succeeded, but its data was reported as bad: it has to run again',
  author_says: "said by the DAG's author: {what}",
  repeated_signal: 'this failure is already known',
  joined_cause: 'another failure of the same cause',
  fallout: 'explained by this incident: {dag} reads what {cause} did not make',
  reopened: 'the same cause failed again within the monitoring time',
  declared: 'declared by a person',
  files_broken: 'Airflow cannot load {files}: its DAGs do not run, and nothing is held for that',
  file_loads: 'Airflow loads it again, or it is gone',
  files_load: 'Airflow loads every one of the files again',
  mass_failure: '{count} DAGs failed within {window}: this looks like the platform, not the data; nothing is held',
  // containment
  downstream: 'reads what the failing DAG did not make: {path}',
  already_paused: 'was paused before us: we count the hold and never unpause it',
  already_ours: 'already held by us for another incident',
  paused: 'paused, and read back as paused',
  not_affected: 'reads only what other tasks of the failing DAG make',
  protected: 'on the protected list of the policy',
  never_tag: 'tagged firedamper:never',
  ask_tag: 'tagged firedamper:ask: a person decides',
  over_cap: 'over the cap of {cap}: the nearest are held, a person is asked about the rest',
  over_depth: 'more than {depth} links away',
  repair_would_wait: 'a run of the failing DAG waits for it: holding it would block the repair',
  hold_at_run_end: 'the policy waits for the end of the run before it holds',
  shadow_mode: 'shadow mode: decided and told, not done',
  pause_failed: 'Airflow did not pause it: {error}',
  nothing_downstream: 'no DAG reads what failed',
  survey_failed: 'the facts for containment could not be read: {error}',
  lineage_gap: 'source {source} could not be read: {why}',
  contained: 'every affected DAG is held or spared with a reason',
  // ownership
  person_unpaused: 'unpaused by {who} while held: it is theirs now, no second pause',
  person_touched: 'pause state touched by {who} after ours: it is theirs now',
  settled_ours: 'after a restart: Airflow says paused and the audit log names our request',
  settled_foreign: 'after a restart: paused, and not by our request',
  settled_not_done: 'after a restart: the request had not reached Airflow',
  settled_uncertain: 'after a restart: paused, and the audit log cannot be read: a person must say whether to resume it',
  dag_gone: 'Airflow no longer has this DAG',
  // people
  acknowledged: 'acknowledged',
  marked_fixed: 'marked as fixed',
  edited: 'changed by a person: {what}',
  dismissed: 'dismissed by a person',
  person_release: 'released by a person before verification',
  person_verified: 'verified by a named person',
  // repair
  planning: 'asking Airflow what exactly would run again',
  proposed: 'the plan waits for approval',
  plan_waits: 'the plan waits: {why}',
  plan_failed: 'no plan could be made: {error}',
  nothing_to_repair: 'Airflow has nothing left to run again',
  approved: 'approved for exactly this plan',
  digest_mismatch: 'the approved digest is not the digest of the plan',
  self_approval: 'the person who marked it fixed may not approve it',
  self_approved: 'approved by the same person who marked it fixed: the policy allows it',
  approval_expired: 'the plan was not approved in time',
  plan_changed: 'what would run has changed since the plan was made: {what}',
  rejected: 'rejected',
  cancelled: 'cancelled',
  superseded: 'replaced by a newer plan',
  step_started: 'started',
  step_succeeded: 'all its runs succeeded',
  step_failed: 'run {run} failed again',
  step_refused: 'Airflow refused it: {error}',
  step_unknown: 'the answer was lost: reading Airflow before anything else',
  step_settled_done: 'read back: Airflow has done it',
  step_settled_not_done: 'read back: Airflow had not done it',
  canary_failed: 'the canary failed: the rest was not started',
  stopped_after_failure: 'not started because an earlier step failed',
  repair_succeeded: 'every planned run succeeded',
  repair_failed: 'the fix was none: {what}; the holds stay',
  repair_stuck: 'no end in sight after {minutes} min: {what}',
  dag_paused: 'its DAG is paused, so its runs stay queued',
  // verification, release
  verified_runs: 'the runs that had failed have succeeded, and no check is configured',
  waiting_for_person: "the policy wants a person's word before the release",
  healed_outside: 'run again in Airflow by somebody else, not by us, and succeeded',
  rerun_outside: 'cleared in Airflow by somebody else, not by us',
  later_run_heals: 'a later run succeeded, and this DAG rebuilds everything each time',
  run_succeeded_anyway: 'the task failed, but the run succeeded by its trigger rules',
  run_gone: 'Airflow no longer has the failed run',
  release_waits: 'the policy wants a person to confirm the release',
  still_held: 'still held by {incidents}',
  released: 'unpaused, and read back as unpaused',
  never_paused: 'let go before it was paused',
  release_not_ours: 'not unpaused: it was paused before us',
  release_ceded: 'not touched: a person took it over',
  release_uncertain: 'not unpaused: {why}; a person must decide',
  unpause_failed: 'Airflow did not unpause it: {error}',
  review_due: "held for longer than the policy's review time: does it still have to be?",
  // compensation
  delivered_event: 'the missed event of {asset} was delivered once more',
  delivered_run: 'started once, because other readers of {asset} already had the event',
  fed_by: 'gets its data from the run of {dag}',
  missed_unread: 'what was missed cannot be read: {error}; it is tried again',
  missed_nothing: 'missed nothing while it was held',
  intervals_backfilled: '{count} missed intervals are backfilled',
  intervals_as_airflow: "missed intervals: left to the DAG's own catch-up setting",
  not_delivered: 'the missed event of {asset} was not delivered: {why}',
  ran_after_release: 'ran on the repaired data: run {run}',
  failed_after_release: 'its run {run} after the release failed: that is an incident of its own',
  not_seen_after_release: 'no run was seen within the watch time after the release',
  resolved: 'every held DAG was released and has what it missed',
  // restore
  restored: 'the database is not the one that ran here last ({because}); it knows what happened until {until}: observing only',
  restore_confirmed: 'a person looked at what differs and confirmed: acting again after observing since {since}',
  // notices
  told: 'told by {channel}',
  told_late: 'told by {channel} {minutes} minutes late: it was away',
  not_told: 'could not be told by {channel}: {error}',
} as const;

export type ReasonCode = keyof typeof REASONS;

/** A reason with its values: a plain, JSON-able fact. */
export interface Reason {
  readonly code: ReasonCode;
  readonly detail: Readonly<Record<string, string>>;
}

export const reason = (code: ReasonCode, detail: Readonly<Record<string, string>> = {}): Reason => ({ code, detail });

/** The sentence of a reason. Values are inserted as they are: whoever prints it escapes for its medium. */
export function sentence(r: Reason): string {
  return REASONS[r.code].replace(/\{(\w+)\}/g, (_, name: string) => r.detail[name] ?? '?');
}
