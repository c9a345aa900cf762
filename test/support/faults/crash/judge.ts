/** The one checker: what the outside was promised, against what really happened in Airflow. Nothing here reads what the program believes. */
import type { Effect } from '../../fakeAirflow/index.ts';
import { rowsOf } from './rows.ts';
import type { Site } from './site.ts';

const US = 'firedamper';

export interface Verdict {
  /** The same thing done twice. */
  readonly doubles: readonly string[];
  /** Something unpaused that was not ours to unpause. */
  readonly foreignResumes: readonly string[];
  /** Promised and not there, or done on nobody's word. */
  readonly broken: readonly string[];
  /** Not as the story must end. */
  readonly unsettled: readonly string[];
}

export const CLEAN: Verdict = { doubles: [], foreignResumes: [], broken: [], unsettled: [] };

/** `theirs`: DAGs that a person took over on the way, with the pause state that the person left. */
export function judge(site: Site, theirs: Readonly<Record<string, boolean>> = {}): Verdict {
  const ours = site.fake.effects.filter((e) => e.by === US);
  return {
    doubles: [...repeated(ours), ...repeatedIntervals(ours), ...repeatedNotices(site)],
    foreignResumes: foreignResumes(site, theirs),
    broken: promises(site),
    unsettled: unsettled(site, theirs),
  };
}

/** Every run is cleared or made at most once, every DAG paused and unpaused at most once, every event posted at most once. */
function repeated(ours: readonly Effect[]): string[] {
  const counts = new Map<string, number>();
  for (const e of ours.filter((x) => x.kind !== 'backfill')) {
    const key = `${e.kind} ${e.dagId}${e.runId ? `/${e.runId}` : ''}${e.kind === 'asset_event' ? e.detail : ''}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].filter(([, n]) => n > 1).map(([key, n]) => `${key}: ${n} times`);
}

/** A backfill of nothing is a blind repeat of one that had everything. */
function repeatedIntervals(ours: readonly Effect[]): string[] {
  const seen = new Set<string>();
  return ours
    .filter((e) => e.kind === 'backfill')
    .flatMap((e) => (e.detail ? e.detail.split(',') : ['nothing']).map((at) => `${e.dagId} ${at}`))
    .filter((key) => key.endsWith(' nothing') || seen.has(key) || !seen.add(key))
    .map((key) => `backfill of ${key}, again`);
}

/** At least once, and a receiver that keeps the ids it has seen is told once. */
function repeatedNotices({ notices }: Site): string[] {
  const ids = new Map<string, Set<string>>();
  for (const { id, event, title } of notices) {
    const key = `${event}: ${title}`;
    ids.set(key, (ids.get(key) ?? new Set()).add(id));
  }
  return [...ids].filter(([, set]) => set.size > 1).map(([key, set]) => `notice "${key}" under ${set.size} ids`);
}

function foreignResumes(site: Site, theirs: Readonly<Record<string, boolean>>): string[] {
  const pausedBy = new Map<string, string>();
  const found: string[] = [];
  for (const e of site.fake.effects) {
    if (e.kind === 'pause') pausedBy.set(e.dagId, e.by);
    if (e.kind !== 'unpause') continue;
    const by = pausedBy.get(e.dagId) ?? 'somebody';
    if (e.by === US && by !== US) found.push(`${e.dagId} was paused by ${by}`);
  }
  for (const [dagId, paused] of Object.entries(theirs))
    if (paused && !site.fake.isPaused(dagId)) found.push(`${dagId} was left paused by a person`);
  return found;
}

/** Every acknowledged callback is stored, every acknowledged act happened, and nothing was started on a yes to another plan. */
function promises(site: Site): string[] {
  const { inbox, integrity } = rowsOf(site.database);
  const broken = site.history.acknowledged.filter((c) => !inbox.has(c.id)).map((c) => `callback ${c.id} is gone`);
  if (integrity !== 'ok') broken.push(`database: ${integrity}`);
  for (const [id, n] of inbox) if (n > 1) broken.push(`callback ${id} is there ${n} times`);
  const plans = new Set<string>((site.incident?.repairs ?? []).map((r: { id: string }) => r.id));
  for (const c of site.history.calls.filter((x) => x.id.endsWith('/fixed') && (x.status ?? 500) < 300 && x.body?.repair))
    if (!plans.has(c.body.repair.id)) broken.push(`plan ${c.body.repair.id} was promised and is gone`);
  for (const a of site.approvals)
    if (!a.right && a.status !== null && a.status < 400) broken.push('a yes to another plan was taken');
  return broken;
}

function unsettled(site: Site, theirs: Readonly<Record<string, boolean>>): string[] {
  const { fake, scenario, incident } = site;
  const wrong: string[] = [];
  for (const [dagId, paused] of Object.entries({ ...scenario.paused, ...theirs }))
    if (fake.isPaused(dagId) !== paused) wrong.push(`${dagId} is ${paused ? 'not ' : 'still '}paused`);
  for (const [dagId, wanted] of Object.entries(scenario.ran)) {
    const ran = fake.runs(dagId).filter((r) => r.state === 'success').length;
    if (!(dagId in theirs) && ran !== wanted) wrong.push(`${dagId} has ${ran} successful runs, not ${wanted}`);
  }
  const open = (incident?.holds ?? []).filter((h: { state: string }) => h.state !== 'released' && h.state !== 'ceded');
  for (const h of open) wrong.push(`the hold of ${h.dag_id} is ${h.state}`);
  for (const event of ['opened', 'resolved'])
    if (!site.notices.some((n) => n.event === event)) wrong.push(`nobody was told: ${event}`);
  return wrong;
}
