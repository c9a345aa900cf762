/**
 * Unpauses one DAG that is ours, if nobody has touched it since. Airflow has no compare-and-set: we look before, act, read back, and look once
 * more, so that a person's pause in the gap of one round trip is found and put back.
 */
import type { Outcome, UnpauseFound } from '../core/events.ts';
import type { Ownership } from '../core/hold.ts';
import type { Intent } from '../core/intent.ts';
import { isOurs, touchedBy } from './audit.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isGone } from './outcome.ts';

type Act = { readonly airflow: string; readonly dagId: string; readonly forced: boolean };

export async function unpauseDag(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<Outcome> {
  try {
    return done({ kind: 'unpause_dag', found: await unpause(deps, intent, act, settle) });
  } catch (error) {
    if (isGone(error)) return done({ kind: 'unpause_dag', found: { was: 'gone' } });
    return failure(error);
  }
}

async function unpause(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<UnpauseFound> {
  const client = deps.client(act.airflow);
  const own = (await deps.snapshot()).ownerships.find((o) => o.airflow === act.airflow && o.dagId === act.dagId);
  if (!own) return { was: 'uncertain', why: 'nothing is known about who paused it' };
  // Airflow writes the audit row before it acts (2.11.2): an earlier attempt of ours may stand in it although the DAG is still paused.
  const asked = settle || intent.attempts > 1;
  const before = await look(deps, act, own, asked);
  if (!(await client.getDag(act.dagId)).paused) {
    if (settle && (before.ours || before.unreadable !== null)) return { was: 'unpaused_by_us' };
    return { was: 'already_unpaused', who: before.who ?? 'somebody' };
  }
  if (!act.forced) {
    if (before.unreadable !== null && deps.policy.release.withoutAuditLog === 'ask')
      return { was: 'uncertain', why: before.unreadable };
    if (before.who !== null) return { was: 'touched', who: before.who };
  }
  await client.setPaused(act.dagId, false, intent.op);
  const after = await look(deps, act, own, true, before.newest);
  if (after.pausedBy !== null) {
    await client.setPaused(act.dagId, true, `${intent.op}-back`);
    return { was: 'repaused', who: after.pausedBy };
  }
  if ((await client.getDag(act.dagId)).paused) throw new Error('Airflow answered, but the DAG reads back as paused');
  return { was: 'unpaused_by_us' };
}

interface Look {
  /** Somebody who touched the pause state since our pause. */
  readonly who: string | null;
  /** Somebody who paused it. */
  readonly pausedBy: string | null;
  /** Our own unpause is in the log. */
  readonly ours: boolean;
  readonly unreadable: string | null;
  readonly newest: number | null;
}

async function look(
  deps: EffectDeps,
  act: Act,
  own: Ownership,
  asked: boolean,
  afterId: number | null = own.auditCursor,
): Promise<Look> {
  const client = deps.client(act.airflow);
  const blank: Look = { who: null, pausedBy: null, ours: false, unreadable: null, newest: afterId };
  if (afterId === null) return { ...blank, unreadable: 'the audit log could not be read when it was paused' };
  const audit = await client.auditRows(act.dagId, afterId);
  if (!audit.readable) return { ...blank, unreadable: audit.why };
  const ours = { ops: own.ops, account: client.account, marked: client.canBackfill };
  const foreignPause = audit.rows.find((r) => r.paused === true && !isOurs(r, ours, true));
  return {
    who: touchedBy(audit.rows, ours, asked),
    pausedBy: foreignPause ? (foreignPause.owner ?? 'somebody') : null,
    ours: audit.rows.some((r) => isOurs(r, ours, false)),
    unreadable: null,
    newest: audit.rows.at(-1)?.id ?? afterId,
  };
}
