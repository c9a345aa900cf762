/** When all is quiet: everything heard, everything ended or explained, every switch where it belongs. */
import type { Incident } from '../../../../src/core/incident.ts';
import type { Intent } from '../../../../src/core/intent.ts';
import { isOver } from '../../../../src/core/lifecycle.ts';
import type { SimAirflow } from './airflow.ts';
import { judgeAnswered } from './answered.ts';
import type { Courtroom } from './laws.ts';
import { coveredByOrder, type Truth } from './truth.ts';

export function judgeEnd(c: Courtroom, stored: ReadonlySet<string>): void {
  everythingHeard(c, stored);
  nothingStuck(c);
  switchesRight(c);
  missedOnce(c);
  judgeAnswered(c);
}

/** Law: every failure is found with all callbacks lost; what was acknowledged is never lost. */
function everythingHeard({ truth, airflow }: Courtroom, stored: ReadonlySet<string>): void {
  const heard = new Set([...truth.signals.values()].map((s) => `${s.dagId}\n${s.runId}`));
  for (const run of airflow.world.allRuns()) {
    const failure = truth.failures.find((f) => f.dagId === run.dagId && f.runId === run.runId);
    if (run.state === 'failed' && run.start !== null && failure && !heard.has(`${run.dagId}\n${run.runId}`))
      truth.break('every failure is heard', failure.at, `${run.dagId} ${run.runId}`);
  }
  for (const id of truth.acknowledged) if (!stored.has(id)) truth.break('202 means stored', 0, id);
}

/** Law: nothing is held for ever; every hold ends or says why. */
function nothingStuck({ truth, airflow }: Courtroom): void {
  const at = airflow.world.now();
  for (const i of truth.incidents.values())
    if (!isOver(i.status) && !waitsForRun(airflow, i))
      truth.break('every story ends', at, `${i.id} of ${i.dagId} is ${i.status}: ${i.statusReason.code}`);
  for (const h of truth.holds.values())
    if (h.releasedAt === null)
      truth.break('nothing is held for ever', at, `${h.id} ${h.dagId} of ${h.incidentId} is ${h.state}: ${h.reason.code}`);
  for (const i of truth.intents.values())
    if ((i.state === 'planned' || i.state === 'sending' || i.state === 'unknown') && !waitsForBackfill(airflow, i))
      truth.break('every intent ends', at, `${i.id} ${i.act.kind} is ${i.state}: ${i.lastError}`);
}

/** Nothing is held any more, and a released DAG has its run, which has not ended: a site may be jammed for hours. */
const waitsForRun = (airflow: SimAirflow, i: Incident): boolean =>
  i.status === 'monitoring' &&
  i.deliveries.some(
    (d) => d.state === 'sent' && airflow.world.runsOf(d.dagId).some((r) => r.state === 'queued' || r.state === 'running'),
  );

/** Airflow takes one backfill of a DAG at a time, and this one goes on: a run of it waits for another DAG (seed 7344). */
function waitsForBackfill(airflow: SimAirflow, { act }: Intent): boolean {
  if (act.kind !== 'deliver' || act.delivery.how !== 'intervals') return false;
  const { dagId } = act.delivery;
  return airflow.world.backfills.some((b) => b.dagId === dagId && b.completedAt === null);
}

/** Law: what a person paused is paused; what we held and nobody touched runs again. */
function switchesRight({ truth, airflow, site }: Courtroom): void {
  // Without the audit log and told to go by what it saw, the service cannot know that somebody pressed `pause` on what was paused. README says so.
  const weaker = site.hidesAudit && site.policy.release.withoutAuditLog === 'observed';
  const at = airflow.world.now();
  for (const [dagId, dag] of airflow.world.dags) {
    const s = truth.switchOf(dagId);
    if (s.paused !== dag.paused) truth.break('the simulator knows the switches', at, dagId);
    const last = s.touches.at(-1);
    const ended = s.intervals.at(-1);
    if (last?.paused && !dag.paused && !coveredByOrder(s, last) && !weaker)
      truth.break('what a person paused stays paused', at, dagId);
    if (!last && dag.spec.paused && !dag.paused && s.forcedSeq === 0)
      truth.break('what was paused before us stays paused', at, dagId);
    if (!dag.paused || s.pausedBy !== 'us') continue;
    const ceded = [...truth.holds.values()].some((h) => h.dagId === dagId && h.state === 'ceded');
    const touched = s.touches.some((t) => t.at >= (ended?.from ?? 0) - 600_000);
    if (!ceded || !touched) truth.break('what we held runs again', at, `${dagId} is still paused by us`);
  }
}

/** Law: a DAG that missed events of its asset while we held it gets a run for them after the release, once; or the history says why not. */
function missedOnce({ truth, airflow }: Courtroom): void {
  const { world } = airflow;
  const starts = world.effects.filter((e) => e.kind === 'trigger');
  for (const [dagId, dag] of world.dags) {
    const { schedule } = dag.spec;
    // One asset: with several, what counts as "got it" is a matter of the condition.
    if (!schedule || !('assets' in schedule) || typeof schedule.assets !== 'string') continue;
    const s = truth.switchOf(dagId);
    s.intervals.forEach((held, i) => {
      const { to } = held;
      // Let go by name, by a person: they have their reasons, and what comes after the plan of the release is theirs.
      if (held.end !== 'us' || to === null || s.forcedAt >= held.from) return;
      const missed = world.events.filter(
        (e) => e.uri === schedule.assets && e.at > held.from && e.at < to && !e.created.some((c) => c.dagId === dagId),
      );
      const until = s.intervals[i + 1]?.from ?? Number.POSITIVE_INFINITY;
      // Airflow writes whole milliseconds.
      const after = starts.filter((e) => e.dagId === dagId && e.at >= to - 1 && e.at <= until);
      const given = world.events.filter(
        (e) =>
          e.extra.firedamper_op !== undefined &&
          e.at >= to &&
          e.at <= until &&
          e.created.some((c) => c.dagId === dagId && c.triggering),
      );
      const own = after.filter((e) => e.runId?.startsWith('firedamper__'));
      if (given.length + own.length > 1 + releases(truth, dagId))
        truth.break('what was missed is delivered once', to, `${dagId} was given ${given.length} events and ${own.length} runs`);
      const touched = s.touches.some((t) => t.at >= held.from && t.paused);
      // The whole of an older run began again after all that was missed: a person's clear (seed 746), or our repair of a run with bad data (2067).
      const reran = world
        .runsOf(dagId)
        .some((r) => missed.every((e) => [...r.tasks.values()].every((t) => t.start !== null && e.at < t.start)) && r.clears > 0);
      if (
        missed.length > 0 &&
        after.length === 0 &&
        !touched &&
        !reran &&
        !explained(truth, dagId) &&
        until === Number.POSITIVE_INFINITY
      )
        truth.break(
          'what was missed is made good',
          to,
          `${dagId} missed ${missed.length} events of ${schedule.assets} from ${held.from}`,
        );
    });
  }
}

/** Further incidents that let it go: each may have had its own missed events. */
const releases = (truth: Truth, dagId: string): number =>
  Math.max(
    0,
    [...truth.incidents.values()].filter((i) => i.deliveries.some((d) => d.dagId === dagId && d.orders.length > 0)).length - 1,
  );

const EXPLAINED = new Set(['not_delivered', 'release_ceded', 'not_seen_after_release', 'failed_after_release']);
const explained = (truth: Truth, dagId: string): boolean =>
  [...truth.incidents.values()].some((i) =>
    i.deliveries.some(
      (d) => d.dagId === dagId && (EXPLAINED.has(d.reason.code) || d.state === 'not_seen' || d.state === 'failed'),
    ),
  );
