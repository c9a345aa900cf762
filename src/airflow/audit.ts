/** Pause-type rows of Airflow's audit log. Pure. */
import type { AuditRow } from '../core/facts.ts';
import { instant, text, textOrNull, whole } from './translate.ts';
import { atLeast, type Version } from './version.ts';

/**
 * Rows that name their DAG. 2.x: REST, REST from the own page, the toggle of the page, Airflow pausing by itself; 3.x: `patch_dag`; 3.4: drain. And its
 * deletion (`api.delete_dag` on 2.11.2, `delete_dag` on 3.3.2): with its file in place it is back after one parse, before any poll may look, and paused as
 * whatever is new. A refused deletion leaves the same row: then a person looks, which is the safe side.
 */
export const pauseEventsOfDag: readonly string[] = [
  'delete_dag',
  'api.delete_dag',
  'paused',
  'patch_dag',
  'api.patch_dag',
  'ui.patch_dag',
  'cli_dag_pause',
  'cli_dag_unpause',
  'drain_completed',
];

/** Rows that may concern a DAG without naming it: bulk PATCHes, and the command line, which also takes a regular expression. */
export const pauseEventsOfMany: readonly string[] = [
  'patch_dags',
  'api.patch_dags',
  'ui.patch_dags',
  'cli_dag_pause',
  'cli_dag_unpause',
];

const bulkEvents = new Set(['patch_dags', 'api.patch_dags', 'ui.patch_dags']);

export interface RawAuditRow {
  readonly event_log_id: number;
  readonly when: string;
  readonly dag_id: string | null;
  readonly event: string;
  readonly owner: string | null;
  readonly extra: string | null;
}

export const auditRow = (raw: RawAuditRow, version: Version): AuditRow => {
  const event = text(raw.event, 'event');
  const extra = readExtra(raw.extra);
  return {
    id: whole(raw.event_log_id, 'event_log_id'),
    when: instant(raw.when, 'when'),
    dagId: textOrNull(raw.dag_id),
    event,
    owner: textOrNull(raw.owner),
    paused: direction(event, extra, version),
    op: textOrNull(extra.fields.fd_op),
    pattern: bulkEvents.has(event) ? (textOrNull(extra.fields.dag_id_pattern) ?? '~') : commandPattern(event, extra.text),
  };
};

interface Extra {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** JSON everywhere but in the scheduler's own rows, which hold Python text: `[('dag_id', 'x'), ('is_paused', True)]` (2.9-3.3). */
const readExtra = (raw: string | null): Extra => {
  const written = raw ?? '';
  try {
    const value: unknown = JSON.parse(written);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { fields: value as Record<string, unknown>, text: written };
  } catch {
    // Python text, read below.
  }
  const found = /['"]is_paused['"]\s*[,:]\s*(True|False)\b/.exec(written);
  return { fields: found === null ? {} : { is_paused: found[1] === 'True' }, text: written };
};

const direction = (event: string, extra: Extra, version: Version): boolean | null => {
  if (event === 'cli_dag_pause' || event === 'drain_completed') return true;
  if (event === 'cli_dag_unpause') return false;
  // 3.0.0-3.0.6 write false for both directions (#55074, seen on 3.0.6): unknown is the honest answer.
  if (version.major === 3 && !atLeast(version, 3, 1) && event.startsWith('patch_dag')) return null;
  return typeof extra.fields.is_paused === 'boolean' ? extra.fields.is_paused : null;
};

/** What `airflow dags pause` was told, as it stands in the row's `full_command`. */
const commandPattern = (event: string, written: string): string | null =>
  event.startsWith('cli_dag_') && /regex/.test(written) ? '~' : null;

/**
 * Whether a row may have touched this DAG. Wrong only on the safe side: a filter by tags or owners, or one page of 100, may have
 * spared the DAG, and then a person is asked although nobody touched it.
 */
export const concerns = (row: AuditRow, dagId: string): boolean => {
  if (row.dagId === dagId) return true;
  if (row.pattern !== null) return patternCouldMatch(row.pattern, dagId);
  return row.dagId === null && row.event.startsWith('cli_dag_');
};

/** `dag_id_pattern`: case-insensitive substring with `%` and `_` as wildcards, `~` for all, and from 3.2 `a|b` for either. */
const patternCouldMatch = (pattern: string, dagId: string): boolean =>
  pattern.split('|').some((part) => part === '~' || inOrder(part.toLowerCase().split('%'), dagId.toLowerCase()));

/** The pieces between `%` one after the other. No regular expression: the pattern was typed by somebody else and may be built to be slow. */
const inOrder = (pieces: readonly string[], name: string): boolean => {
  let from = 0;
  for (const piece of pieces) {
    const at = findPiece(piece, name, from);
    if (at === -1) return false;
    from = at + piece.length;
  }
  return true;
};

const findPiece = (piece: string, name: string, from: number): number => {
  for (let at = from; at + piece.length <= name.length; at++) {
    if ([...piece].every((letter, place) => letter === '_' || letter === name[at + place])) return at;
  }
  return -1;
};
