/** Laws 3, 7 and 11 of the design, as checks on the truth: saved before it is sent, verified before it is let go, and never more than the caps allow. */
import type { Decision } from '../../../../src/core/draft.ts';
import type { Hold } from '../../../../src/core/hold.ts';
import type { Incident, IncidentRun } from '../../../../src/core/incident.ts';
import { isOver } from '../../../../src/core/lifecycle.ts';
import type { Effect } from '../../fakeAirflow/types.ts';
import type { Processed } from './airflow.ts';
import type { Courtroom } from './laws.ts';
import type { Truth } from './truth.ts';

/** Law 3: what changes something in Airflow belongs to an intent that was on disk, and claimed, before the request was sent. */
export function judgeSaved({ truth }: Courtroom, p: Processed, e: Effect): void {
  truth.figures.saved++;
  const claimed = [...truth.claims].some(([id, seq]) => {
    const intent = truth.intents.get(id);
    if (intent === undefined || seq >= p.sentSeq) return false;
    const ended = truth.concluded.get(id);
    // Its answer was recorded before this was sent: then this belongs to nothing.
    return (ended === undefined || ended > p.sentSeq) && aboutDags(truth, intent.act).includes(e.dagId);
  });
  // An asset has no DAG; its mark names the intent.
  const mark = String((p.body.extra as Record<string, unknown> | undefined)?.firedamper_op ?? p.query.get('fd_op') ?? '');
  const byMark = [...truth.claims].some(
    ([id, seq]) => seq < p.sentSeq && mark !== '' && mark.startsWith(truth.intents.get(id)?.op ?? '?'),
  );
  if (e.kind === 'asset_event' || e.dagId === '' ? !byMark : !claimed)
    truth.break('saved first, sent second', p.at, `${e.kind} ${e.dagId} was sent before it was on disk`);
}

function aboutDags(truth: Truth, act: Parameters<typeof truth.intents.set>[1]['act']): readonly string[] {
  if (act.kind === 'pause_dag' || act.kind === 'unpause_dag') return [act.dagId];
  if (act.kind === 'repair_step')
    return (truth.repairs.get(act.repairId)?.steps ?? []).flatMap((s) => (s.n === act.step ? [s.dagId] : []));
  if (act.kind !== 'deliver') return [];
  return act.delivery.how === 'event' ? act.delivery.dagIds : [act.delivery.dagId];
}

/** Law 7: an unpause is decided only for holds whose incident is whole by the simulator's own books, was dismissed, or was let go by name. */
export function judgeVerified(c: Courtroom, d: Decision, at: number): void {
  for (const h of d.holds) {
    // When it is let go: its unpause may be ordered later, when a pause that was on its way has come (seed 484).
    const first = h.state === 'release_intended' && !c.truth.judged.has(h.id);
    if (h.state === 'release_intended') c.truth.judged.add(h.id);
    else c.truth.judged.delete(h.id);
    const incident = c.truth.incidents.get(h.incidentId);
    if (!first || !incident || ordered(c.truth, incident, h) || c.truth.switchOf(h.dagId).forcedAt > 0) continue;
    c.truth.figures.verified++;
    const sick = incident.runs.find((r) => !isWholeInTruth(c, r));
    if (sick)
      c.truth.break(
        'nothing is released before it is verified',
        at,
        `${h.dagId}, although ${sick.dagId} ${sick.runId} is not whole`,
      );
  }
}

const ordered = (truth: Truth, i: Incident, h: Hold): boolean =>
  i.status === 'dismissed' ||
  truth.wanted.has(i.id) ||
  truth.orders.some((o) => o.incidentId === i.id && (o.holdId === null || o.holdId === h.id));

/** It has succeeded since the attempt failed that the service knows of: that one all the same, or a later one. Bad data wants a later one. */
function isWholeInTruth({ truth, airflow, site }: Courtroom, r: IncidentRun): boolean {
  const world = airflow.world;
  if (!world.dags.has(r.dagId) || !world.runsOf(r.dagId).some((x) => x.runId === r.runId)) return true;
  const start = r.runStart === null ? null : Date.parse(r.runStart);
  const of = truth.successes.filter((s) => s.dagId === r.dagId);
  const heals = site.policy.repair.latestHeals || world.dag(r.dagId).spec.tags?.includes('firedamper:latest-heals');
  if (heals && of.some((s) => s.at >= Date.parse(r.failedAt) - 120_000)) return true;
  return of.some((s) => s.runId === r.runId && (start === null || (r.badData ? s.start > start : s.start >= start)));
}

/** Law 11: one incident pauses no more DAGs than the policy allows, and for what is the platform's nothing is held. */
export function judgeCaps({ truth, site }: Courtroom, p: Processed, e: Effect): void {
  const mine = [...truth.holds.values()].filter((h) => h.releasedAt === null);
  for (const id of new Set(mine.filter((h) => h.dagId === e.dagId).map((h) => h.incidentId))) {
    const paused = new Set(
      mine.filter((h) => h.incidentId === id && truth.switchOf(h.dagId).pausedBy === 'us').map((h) => h.dagId),
    );
    if (paused.size > site.policy.hold.maxDags)
      truth.break('no more is held than the cap allows', p.at, `${id} has paused ${[...paused].join(', ')}`);
  }
}

export function judgeOutage({ truth, site }: Courtroom, d: Decision, at: number, skew: number): void {
  const { massFailureDags, windowMs } = site.policy.platform;
  for (const h of d.holds)
    if (truth.incidents.get(h.incidentId)?.type === 'platform')
      truth.break('too many at once is the platform, not the data', at, `${h.dagId} is held for ${h.incidentId}`);
  for (const i of d.incidents) {
    if (truth.opened.has(i.id)) continue;
    truth.opened.set(i.id, { at, skew });
    if (i.type === 'platform' || i.timestamps.openedAt !== (i.timestamps.reopenedAt ?? i.timestamps.openedAt)) continue;
    if (truth.declared.has(i.dagId)) continue;
    // Of those that were opened by the same clock.
    const near = [...truth.opened].filter(([, o]) => o.skew === skew && at - o.at < windowMs - 1_000);
    const dags = new Set([i.dagId]);
    for (const [id] of near) {
      const other = truth.incidents.get(id);
      // One that the same decision opened again was over when this one was opened (seed 321).
      const again = other?.timestamps.reopenedAt ?? null;
      if (other && !isOver(other.status) && (again === null || again < i.timestamps.openedAt))
        for (const x of other.type === 'platform' ? other.runs.map((r) => r.dagId) : [other.dagId]) dags.add(x);
    }
    if (dags.size >= massFailureDags)
      truth.break('too many at once is the platform, not the data', at, `${i.id} is the ${dags.size}th DAG that fails at once`);
  }
}
