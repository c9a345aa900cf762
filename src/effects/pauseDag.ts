/** Pauses one DAG by its exact id; ours only on read-back. */
import { holdsWanting, sameDag } from '../core/draft.ts';
import type { Outcome, PauseFound } from '../core/events.ts';
import type { AuditRow } from '../core/facts.ts';
import type { Intent } from '../core/intent.ts';
import { isOurs } from './audit.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isGone, mayStillCome } from './outcome.ts';

type Act = { readonly airflow: string; readonly dagId: string };

export async function pauseDag(deps: EffectDeps, intent: Intent, act: Act, settle: boolean): Promise<Outcome> {
  const client = deps.client(act.airflow);
  try {
    // An earlier attempt may have reached Airflow, also where its own last word was a refused connection.
    if (settle || intent.attempts > 1) {
      const found = await settlePause(deps, act);
      if (found) return done({ kind: 'pause_dag', found });
    }
    const late = intent.attempts > 1 || intent.dueAt > intent.createdAt;
    if (deps.policy.mode === 'shadow' || (late && !(await stillWanted(deps, act)))) {
      // Nor sent again, but it may still be under way: carried out after the last look it would pass for somebody's pause, held for ever.
      const early = settle ? mayStillCome(intent) : null;
      return early ?? done({ kind: 'pause_dag', found: { was: 'not_wanted' } });
    }
    await client.setPaused(act.dagId, true, intent.op);
    const paused = await deps.readBack(act.airflow, act.dagId);
    if (paused === 'gone') return done({ kind: 'pause_dag', found: { was: 'gone' } });
    if (!paused) {
      const who = await undoneBy(deps, act);
      if (who !== null) return done({ kind: 'pause_dag', found: { was: 'taken_over', who } });
      return { result: 'failed', error: 'Airflow answered, but the DAG reads back as not paused', retry: true };
    }
    return done({ kind: 'pause_dag', found: { was: 'paused_by_us', settled: false } });
  } catch (error) {
    if (isGone(error)) return done({ kind: 'pause_dag', found: { was: 'gone' } });
    return failure(error);
  }
}

/** Time may have passed between two attempts: a DAG whose holds have all ended must not be paused, not even for a moment. */
async function stillWanted(deps: EffectDeps, act: Act): Promise<boolean> {
  return holdsWanting(await deps.snapshot(), act).length > 0;
}

/**
 * The outcome of an earlier attempt is unknown. Not paused: it did not work, or a person undid it at once; our audit row tells which.
 * Paused: the audit log tells by whom. null = do it.
 */
async function settlePause(deps: EffectDeps, act: Act): Promise<PauseFound | null> {
  const client = deps.client(act.airflow);
  const state = await deps.snapshot();
  const own = state.ownerships.find((o) => sameDag(o, act));
  const dag = await client.getDag(act.dagId);
  if (!dag.paused) {
    const who = await undoneBy(deps, act);
    return who === null ? null : { was: 'taken_over', who };
  }
  if (!own || own.auditCursor === null) return { was: 'paused_by_unknown' };
  const audit = await client.auditRows(act.dagId, own.auditCursor);
  if (!audit.readable) return { was: 'paused_by_unknown' };
  const ours = { ops: own.ops, account: client.account, marked: client.canBackfill };
  if (audit.rows.some((r) => isOurs(r, ours, true))) return { was: 'paused_by_us', settled: true };
  return audit.rows.length > 0 ? { was: 'already_paused', settled: true } : { was: 'paused_by_unknown' };
}

/** Who touched the switch after our own request stood in the audit log; null: nobody, or it cannot be told, and then the hold comes first. */
async function undoneBy(deps: EffectDeps, act: Act): Promise<string | null> {
  const client = deps.client(act.airflow);
  const own = (await deps.snapshot()).ownerships.find((o) => sameDag(o, act));
  if (!own || own.auditCursor === null) return null;
  const audit = await client.auditRows(act.dagId, own.auditCursor);
  if (!audit.readable) return null;
  const ours = { ops: own.ops, account: client.account, marked: client.canBackfill };
  const arrived = audit.rows.findIndex((r) => isOurs(r, ours, true));
  if (arrived < 0) return null;
  // 3.0.x write no direction that can be trusted: somebody was there, and it is not paused.
  // 2.x has no marks: an unpause of ours from an earlier hold may stand behind a cursor that did not move.
  const others = (r: AuditRow) => !isOurs(r, ours, true) && !isOurs(r, ours, false);
  const after = audit.rows.slice(arrived).findLast((r) => others(r) && r.paused !== true);
  return after ? (after.owner ?? 'somebody') : null;
}
