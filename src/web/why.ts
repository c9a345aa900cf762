import type { DagView } from '../store/readModels.ts';

/** "Why is my DAG paused?" in one or two sentences: what holds it, and what must happen before it runs again. */
export function whyPaused(view: DagView): string {
  const { facts, holds, ownership } = view;
  const state = ownership?.state ?? 'none';
  const causes = list([...new Set(holds.map((hold) => hold.incidentId))].map((id) => `incident ${id}`));
  if (ownership?.uncertain === true)
    return `It was found paused after a restart, and it could not be told by whom. A person must say whether to resume it. Holds on it: ${causes || 'none'}.`;
  switch (state) {
    case 'pause_intended':
      return `Firedamper is pausing it for ${causes}.`;
    case 'ours':
      return `Firedamper paused it for ${causes}. It is resumed when the last of these holds is released.`;
    case 'resume_intended':
      return 'Firedamper is resuming it.';
    case 'foreign':
      return `It was paused before Firedamper. ${causes ? `${causes} would hold it too, but` : 'So'} only a person can resume it.`;
    case 'ceded':
      return `A person took it over while ${causes || 'an incident'} held it. Firedamper does not touch it any more.`;
    case 'none':
      break;
  }
  if (holds.length > 0) return `${causes} would hold it; nothing was changed in Airflow.`;
  if (facts === null) return 'Airflow has not told anything about it yet.';
  return facts.paused
    ? 'It is paused in Airflow, and not by Firedamper: no incident holds it.'
    : 'It is not paused, and no incident holds it.';
}

const list = (parts: readonly string[]): string =>
  parts.length <= 1 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
