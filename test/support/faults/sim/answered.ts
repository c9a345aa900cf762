/**
 * The promise itself: what failed stands in an incident, and what reads it is held or spared with a reason. Judged at the end, over what stood failed long
 * enough to be heard in the worst weather; worked out from the definitions of the DAGs and the times of the simulator, never from the service's lineage.
 */
import type { Hold } from '../../../../src/core/hold.ts';
import type { Incident } from '../../../../src/core/incident.ts';
import { isOver } from '../../../../src/core/lifecycle.ts';
import type { SimAirflow } from './airflow.ts';
import type { Courtroom } from './laws.ts';
import { assetsOf } from './site.ts';
import type { Failure, Order, Truth } from './truth.ts';

const MINUTE = 60_000;
/** Longest bad weather with a crash in it, a poll and a survey. */
const HEARD_MS = 20 * MINUTE;
/** The same in fine weather, where nobody crashed: a poll, a survey, and a pause that was tried again. */
const HEARD_IN_CALM_MS = 5 * MINUTE;

/** Looks, at every beat, which failures still stand. */
export function watchStanding(truth: Truth, airflow: SimAirflow): void {
  const now = airflow.world.now();
  for (const f of truth.failures) if (f.until === null && !stands(airflow, f)) f.until = now;
}

const stands = (airflow: SimAirflow, f: Failure): boolean =>
  airflow.world
    .runsOf(f.dagId)
    .some((r) => r.runId === f.runId && r.start === f.start && (r.state === 'failed' || r.state === 'running'));

export function judgeAnswered(c: Courtroom): void {
  const { truth, airflow } = c;
  watchStanding(truth, airflow);
  for (const f of truth.failures.filter((x) => x.taskId === null && x.start !== null && stoodLong(c, x))) {
    const about = [...truth.incidents.values()].filter((i) => listsIt(i, f) && openSince(truth, i, f.start ?? 0));
    truth.figures.answered++;
    if (about.length === 0) truth.break('what failed stands in an incident', f.at, `${f.dagId} ${f.runId}`);
    else if (!isOfThePlatform(c, f, about)) for (const reader of readers(c, f)) judgeReader(c, f, reader, about);
  }
}

function stoodLong({ truth, airflow }: Courtroom, f: Failure): boolean {
  const lasted = (f.until ?? airflow.world.now()) - f.at;
  const troubled = truth.troubles.some((t) => Math.abs(t - f.at) < HEARD_IN_CALM_MS) || airflow.weather.down;
  return lasted >= HEARD_MS || (f.calm && !troubled && lasted >= HEARD_IN_CALM_MS);
}

const listsIt = (i: Incident, f: Failure): boolean => i.runs.some((r) => r.dagId === f.dagId && r.runId === f.runId);
const openSince = (truth: Truth, i: Incident, at: number): boolean => !isOver(i.status) || (truth.lastOpen.get(i.id) ?? 0) >= at;

/** DAGs that are scheduled on what the failed tasks of this attempt make. One that is new may not be known yet. */
function readers({ truth, airflow, site }: Courtroom, f: Failure): string[] {
  const { dags } = airflow.world;
  const spec = dags.get(f.dagId)?.spec;
  const tags = spec?.tags ?? [];
  if (tags.includes('firedamper:latest-heals') || site.policy.repair.latestHeals) return [];
  const tasks = truth.failures.filter(
    (x) => x.taskId !== null && x.runId === f.runId && x.dagId === f.dagId && x.start === f.start,
  );
  const made = new Set(tasks.flatMap((x) => spec?.tasks[x.taskId ?? '']?.outlets ?? []));
  return [...dags]
    .filter(([id, d]) => id !== f.dagId && site.dags.has(id) && assetsOf(d.spec).some((uri) => made.has(uri)))
    .map(([id]) => id);
}

/**
 * Nothing is held for what the platform did (law 11): if so many DAGs did fail within the time that counts, and the time in which failures are heard. The
 * service's word for it is not enough.
 */
function isOfThePlatform({ truth, site }: Courtroom, f: Failure, about: readonly Incident[]): boolean {
  const { massFailureDags, windowMs } = site.policy.platform;
  const atOnce = truth.failures.filter((x) => Math.abs(x.at - f.at) <= windowMs + HEARD_MS).map((x) => x.dagId);
  return about.some((i) => i.type === 'platform') && new Set([...atOnce, ...truth.declared]).size >= massFailureDags;
}

function judgeReader({ truth, site }: Courtroom, f: Failure, reader: string, about: readonly Incident[]): void {
  truth.figures.readers++;
  const spared = about.some((i) => truth.sparedBy.get(i.id)?.has(reader));
  const stood = site.policy.mode === 'shadow' || pausedSince(truth, reader, f.at);
  const held = [...truth.holds.values()].some((h) => {
    const i = h.dagId === reader ? about.find((x) => x.id === h.incidentId) : undefined;
    return i !== undefined && ((stood && heldSince(truth, h, f.at)) || taken(truth, h, i));
  });
  const ordered = truth.orders.some((o) => o.holdId === null && inTime(o, f) && about.some((i) => i.id === o.incidentId));
  if (spared || held || ordered) return;
  truth.break(
    'what reads it is held, or spared with a reason',
    f.at,
    `${reader}, which reads what ${f.dagId} ${f.runId} did not make`,
  );
}

/** The incident was let go by name while the failure was to be answered. */
const inTime = (o: Order, f: Failure): boolean => o.at >= (f.start ?? 0) && o.at <= f.at + HEARD_MS;

const heldSince = (truth: Truth, h: Hold, at: number): boolean => h.releasedAt === null || (truth.endedAt.get(h.id) ?? 0) >= at;

/** Whoever paused it: it stood still for a moment after that. */
function pausedSince(truth: Truth, dagId: string, at: number): boolean {
  const s = truth.switchOf(dagId);
  return (
    s.paused ||
    s.intervals.some((i) => i.to === null || i.to >= at) ||
    s.touches.some((t) => t.at >= at && t.changed && !t.paused)
  );
}

/** A person took it over in this episode, or let it go by name: not claimed again for the same cause. */
function taken(truth: Truth, h: Hold, i: Incident): boolean {
  if (h.since < (i.timestamps.reopenedAt ?? i.timestamps.openedAt) && !i.heldOver?.includes(h.id)) return false;
  // The service's word for it is not enough: somebody has moved the switch since it was held, or while that was decided.
  const moved = truth.switchOf(h.dagId).touches.some((t) => t.at >= (truth.seenAt.get(h.id) ?? 0) - MINUTE);
  return (h.state === 'ceded' && moved) || truth.orders.some((o) => o.holdId === h.id);
}
