/**
 * DAG files that Airflow cannot load. Their DAGs just do not run: no run fails, so nothing else tells of it, and nothing makes bad data, so nothing is
 * held. One incident for all of one Airflow while one of them is broken: a module that many files import breaks them all at once. It ends by itself.
 */
import type { Draft } from './draft.ts';
import type { SeenBroken } from './events.ts';
import { anyGlob } from './glob.ts';
import { type BrokenFile, type Incident, isAboutFiles } from './incident.ts';
import { isOver } from './lifecycle.ts';
import { isGraver, judgeSeverity, newIncident } from './opening.ts';
import type { Severity } from './policy.ts';
import { reason } from './reason.ts';
import { setStatus, stamp } from './status.ts';
import { AIRFLOW } from './timeline.ts';

/**
 * `before` null: the very first look. What is broken then may have been for years, and counts as history like a failure of before the first look; what
 * was dismissed is quiet in the same way, until it has loaded once.
 */
export function observeFiles(draft: Draft, airflow: string, now: readonly SeenBroken[], before: readonly string[] | null): void {
  const open = draft.incidents().find((i) => i.airflow === airflow && isAboutFiles(i) && !isOver(i.status) && !i.releasing);
  const known = new Set([...(before ?? now.map((f) => f.file)), ...brokenIn(open).map((f) => f.file)]);
  const news = now.filter((f) => !known.has(f.file) && watched(draft, airflow, f));
  const incident = news.length === 0 ? open : open ? add(draft, open, news) : openFor(draft, airflow, news);
  if (incident) settle(draft, incident, new Map(now.map((f) => [f.file, f.error])));
}

const brokenIn = (incident: Incident | undefined): readonly BrokenFile[] =>
  incident?.files?.filter((f) => f.loadedAt === null) ?? [];

/** A file whose DAGs are not known is nobody's in particular: only who watches all DAGs watches it. */
function watched(draft: Draft, airflow: string, { dags }: SeenBroken): boolean {
  const { dags: globs, ignoreDags, ignoreTags, importErrors } = draft.policy.watch;
  if (!importErrors) return false;
  if (dags.length === 0) return globs.includes('*');
  const ignored = (dagId: string) =>
    draft.context.world.dag(airflow, dagId)?.tags.some((tag) => ignoreTags.includes(tag)) === true;
  return dags.some((dagId) => anyGlob(globs, dagId) && !anyGlob(ignoreDags, dagId) && !ignored(dagId));
}

function openFor(draft: Draft, airflow: string, news: readonly SeenBroken[]): Incident {
  const [first] = news;
  const why = reason('files_broken', { files: described(news) });
  const { severity, sentence } = gravest(draft, airflow, news);
  const incident = newIncident(draft, {
    ...{ airflow, dagId: first?.file ?? airflow, type: 'platform', severity, rule: sentence, ruledBy: 'policy' },
    ...{ title: titleOf(airflow, news), runs: [], files: news.map((f) => asBroken(draft, f)), failedAt: draft.now, why },
  });
  draft.tell(incident.id, 'incident.opened', airflow, why, AIRFLOW);
  draft.notice(incident.id, 'opened', airflow);
  return setStatus(draft, incident.id, 'contained', why);
}

/** A file that had loaded meanwhile is broken once more: the newer word counts. */
function add(draft: Draft, incident: Incident, news: readonly SeenBroken[]): Incident {
  const again = new Set(news.map((f) => f.file));
  const files = [...(incident.files ?? []).filter((f) => !again.has(f.file)), ...news.map((f) => asBroken(draft, f))];
  for (const f of news) {
    draft.tell(incident.id, 'file.broken', f.file, reason('files_broken', { files: described([f]) }), AIRFLOW);
  }
  const rule = gravest(draft, incident.airflow, news);
  const graver = incident.ruledBy === 'policy' && isGraver(rule.severity, incident.severity);
  const title =
    incident.title === titleOf(incident.airflow, incident.files ?? []) ? titleOf(incident.airflow, files) : incident.title;
  return draft.patchIncident(incident.id, { files, title, ...(graver ? { severity: rule.severity, rule: rule.sentence } : {}) });
}

function settle(draft: Draft, incident: Incident, now: ReadonlyMap<string, string>): void {
  const files = (incident.files ?? []).map((f) => {
    const error = now.get(f.file);
    if (f.loadedAt !== null || error === f.error) return f;
    if (error !== undefined) return { ...f, error };
    draft.tell(incident.id, 'file.loaded', f.file, reason('file_loads'), AIRFLOW);
    return { ...f, loadedAt: draft.now };
  });
  if (files.every((f, i) => f === incident.files?.[i])) return;
  draft.patchIncident(incident.id, { files });
  if (files.some((f) => f.loadedAt === null)) return;
  stamp(draft, incident.id, 'resolvedAt');
  setStatus(draft, incident.id, 'resolved', reason('files_load'), AIRFLOW);
  draft.notice(incident.id, 'resolved', incident.airflow);
}

const asBroken = (draft: Draft, { file, error, dags }: SeenBroken): BrokenFile => ({
  ...{ file, error, dags, since: draft.now, loadedAt: null },
});

function titleOf(airflow: string, [first, ...others]: readonly { readonly file: string }[]): string {
  return others.length === 0 ? `${first?.file} does not load` : `${others.length + 1} DAG files of ${airflow} do not load`;
}

const NAMED = 5;
const described = (files: readonly SeenBroken[]): string => {
  const more = files.length - NAMED;
  const named = files.slice(0, NAMED).map((f) => `${f.file} (${f.error})`);
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};

/** By the DAGs that do not run, and what is behind them. */
function gravest(draft: Draft, airflow: string, files: readonly SeenBroken[]): { severity: Severity; sentence: string } {
  const what = 'a DAG file that does not load makes a platform incident without holds';
  const rules = files.flatMap((f) => f.dags).map((dagId) => judgeSeverity(draft, airflow, dagId, 'platform', what));
  const { defaultSeverity } = draft.policy.severity;
  const plain = { severity: defaultSeverity, sentence: `${what}; ${defaultSeverity} because none of its DAGs says otherwise` };
  return rules.reduce((worst, rule) => (isGraver(rule.severity, worst.severity) ? rule : worst), plain);
}
