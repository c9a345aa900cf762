/** Telling our own requests from anybody's in Airflow's audit log. Pure. */
import type { AuditRow } from '../core/facts.ts';

export interface Ours {
  /** Marks that we have sent for this DAG during this hold. */
  readonly ops: readonly string[];
  /** Our account's name; null where it is not known. */
  readonly account: string | null;
  /** True on 3.x, where unknown query parameters are copied into the audit row (seen on 3.0.6-3.3.2); 2.x refuses them. */
  readonly marked: boolean;
}

/**
 * On 3.x a row is ours only by its mark: people may share the account. On 2.x there is no mark: a row is ours when it carries our account and asks
 * for what we asked for. Somebody who uses our account on 2.x for the same request cannot be told apart; that is why it should be ours alone.
 */
export function isOurs(row: AuditRow, ours: Ours, wanted: boolean): boolean {
  if (ours.marked) return row.op !== null && ours.ops.includes(row.op);
  return ours.account !== null && row.owner === ours.account && row.dagId !== null && row.paused === wanted;
}

/** The first row that is not ours: somebody touched the pause state. A row proves a request, not a change; the safe side is to take it for one. */
export function touchedBy(rows: readonly AuditRow[], ours: Ours, askedToUnpause: boolean): string | null {
  const mine = rows.findLastIndex((r) => isOurs(r, ours, true) && r.paused !== false);
  // Whoever made it run before our (last) pause arrived wants it to run: letting it go is no quarrel with them.
  const foreign = rows.find((r, i) => !isOurs(r, ours, true) && !isOurs(r, ours, false) && !(i < mine && r.paused === false));
  if (foreign) return foreign.owner ?? 'somebody';
  if (ours.marked || askedToUnpause) return null;
  // 2.x: a request to unpause that we have not sent yet cannot be ours.
  const unpause = rows.find((r, i) => r.paused === false && i > mine);
  return unpause ? (unpause.owner ?? 'somebody') : null;
}
