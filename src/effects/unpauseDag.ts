/**
 * Unpauses one DAG that is ours, if nobody has touched it since. Airflow has no compare-and-set: we look before, act, read back, and look once
 * more, so that a person's pause in the gap of one round trip is found and put back.
 */
import { addMs, sameDag } from '../core/draft.ts';
import type { Outcome, UnpauseFound } from '../core/events.ts';
import type { AuditRow, Instant } from '../core/facts.ts';
import type { Ownership } from '../core/hold.ts';
import type { Intent } from '../core/intent.ts';
import { isOurs, touchedBy } from './audit.ts';
import { clockBehind } from './clock.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isGone, mayStillCome } from './outcome.ts';

type Act = { readonly airflow: string; readonly dagId: string; readonly forced: boolean };

/** A person's order that is carried out within this time crosses with what others do at that moment. */
const AT_ONCE_MS = 10_000;

export async function unpauseDag(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<Outcome> {
  try {
    const found = await unpause(deps, intent, act, settle);
    return 'result' in found ? found : done({ kind: 'unpause_dag', found });
  } catch (error) {
    if (isGone(error)) return done({ kind: 'unpause_dag', found: { was: 'gone' } });
    return failure(error);
  }
}

async function unpause(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<UnpauseFound | Outcome> {
  const client = deps.client(act.airflow);
  const own = (await deps.snapshot()).ownerships.find((o) => sameDag(o, act));
  if (!own) return { was: 'uncertain', why: 'nothing is known about who paused it' };
  // Airflow writes the audit row before it acts (2.11.2): an earlier attempt of ours may stand in it although the DAG is still paused.
  const asked = settle || intent.attempts > 1;
  const before = await look(deps, intent.op, act, own, asked);
  const { paused } = await client.getDag(act.dagId);
  // Also a first attempt: killed before it could be made, or kept waiting by an Airflow that hangs. How late is not known where our clock was set back.
  const late = asked || Math.abs(deps.now() - Date.parse(intent.createdAt)) > AT_ONCE_MS;
  // By Airflow's clock, on the side of whoever touched it: by ours, ten minutes ahead, a pause of minutes after the order passed for one before it
  // and was undone (simulator, clock that jumps ahead, seed 382).
  const ordered = act.forced && late ? addMs(intent.createdAt, -(await clockBehind(client, deps.now))) : '';
  if (!paused) {
    // An earlier attempt of ours has crossed a person's pause and died before it could look: theirs is put back now.
    const overrun = asked ? before.overrun(ordered) : null;
    if (overrun !== null) return putBack(deps, intent, act, overrun);
    if (asked && (before.ours || before.unreadable !== null)) return { was: 'unpaused_by_us', cursor: before.newest };
    return { was: 'already_unpaused', who: before.who('') ?? 'somebody', cursor: before.newest };
  }
  // A person's order stands for the moment in which it was given. One that could not be carried out at once, by a service that cannot read who was there
  // since, is asked for again (simulator, seed 3233: a pause of all DAGs four minutes after the order, while Airflow was away, was undone).
  if ((!act.forced || late) && before.unreadable !== null && deps.policy.release.withoutAuditLog === 'ask')
    return { was: 'uncertain', why: before.unreadable };
  // The order to let go whoever touched it is about what was before the order. Airflow may have been away for an hour since.
  const since = act.forced && !late ? null : ordered;
  const who = since === null ? null : before.who(since);
  if (who !== null) {
    // Ours is not in the log, but may still be under way: carried out after the last look it would undo theirs, and nobody would know (an Airflow that
    // stood still and went on with everything at once: live story 24).
    const early = settle && !before.ours ? mayStillCome(intent) : null;
    return early ?? { was: 'touched', who };
  }
  await client.setPaused(act.dagId, false, intent.op);
  const after = await look(deps, intent.op, act, own, true, before.newest);
  if (after.pausedBy !== null) return putBack(deps, intent, act, after.pausedBy);
  if ((await client.getDag(act.dagId)).paused) throw new Error('Airflow answered, but the DAG reads back as paused');
  return { was: 'unpaused_by_us', cursor: after.newest };
}

const backMark = (op: string): string => `${op}-back`;

async function putBack(deps: EffectDeps, intent: Intent, act: Act, who: string): Promise<UnpauseFound> {
  await deps.client(act.airflow).setPaused(act.dagId, true, backMark(intent.op));
  return { was: 'repaused', who };
}

interface Look {
  /** Somebody who touched the pause state since our pause and since this instant of Airflow's. */
  who(since: Instant): string | null;
  /** Somebody who paused it, or may have: 3.0.x write no direction that can be trusted. */
  readonly pausedBy: string | null;
  /** Somebody who had paused it, since this instant, when our own unpause arrived, and whom nobody has answered since. */
  overrun(since: Instant): string | null;
  /** Our own unpause is in the log. */
  readonly ours: boolean;
  readonly unreadable: string | null;
  readonly newest: number | null;
}

async function look(
  deps: EffectDeps,
  op: string,
  act: Act,
  own: Ownership,
  asked: boolean,
  afterId: number | null = own.auditCursor,
): Promise<Look> {
  const client = deps.client(act.airflow);
  const blank: Look = { who: () => null, overrun: () => null, pausedBy: null, ours: false, unreadable: null, newest: afterId };
  if (afterId === null) return { ...blank, unreadable: 'the audit log could not be read when it was paused' };
  const audit = await client.auditRows(act.dagId, afterId);
  if (!audit.readable) return { ...blank, unreadable: audit.why };
  const ops = own.ops.flatMap((op) => [op, backMark(op)]);
  const ours = { ops, account: client.account, marked: client.canBackfill };
  // On 3.x the mark alone does not say which of our requests it was; 3.0.x write no direction that can be trusted.
  const unpause = (r: AuditRow) => isOurs(r, ours, false) && (r.paused === null ? r.op === op : r.paused === false);
  const foreign = (r: AuditRow) => !isOurs(r, ours, true) && !isOurs(r, ours, false);
  const foreignPause = audit.rows.find((r) => r.paused !== false && foreign(r));
  return {
    who: (since) =>
      touchedBy(
        audit.rows.filter((r) => r.when > since),
        ours,
        asked,
      ),
    overrun: (since) => {
      const arrived = audit.rows.findLastIndex(unpause);
      const last = audit.rows.findLast((r) => foreign(r) && r.when > since);
      if (!last || last.paused === false || audit.rows.indexOf(last) > arrived) return null;
      return last.owner ?? 'somebody';
    },
    pausedBy: foreignPause ? (foreignPause.owner ?? 'somebody') : null,
    ours: audit.rows.some(unpause),
    unreadable: null,
    newest: audit.rows.at(-1)?.id ?? afterId,
  };
}
