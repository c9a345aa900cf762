/** Failed checks, schema changes and suspicions, as the Airflow side reports them, in a title and a sentence for people. Pure. */
import type { SignalKind } from '../core/signal.ts';

/** The part of a callback's body that speaks of the data; the schema has accepted it. */
export interface SaidBody {
  dag_id: string;
  source?: string | null;
  note?: string | null;
  quality?: Quality | null;
  schema_change?: SchemaChange | null;
}
interface Quality {
  table?: string | null;
  interval_start?: string | null;
  interval_end?: string | null;
  checks: Check[];
}
interface Check {
  check: string;
  column?: string | null;
  measured?: number | string | null;
  threshold?: number | string | null;
  passed: boolean;
}
interface SchemaChange {
  table?: string | null;
  added?: string[] | null;
  removed?: string[] | null;
  changed?: { column: string; before?: string | null; after?: string | null }[] | null;
}

export interface SaidInWords {
  readonly about: string | null;
  readonly title: string | null;
  readonly badData: boolean;
}

/** What is longer is cut: a title is read in a list and on a phone. */
const MAX_TITLE = 160;
const MAX_NAMED = 20;

export function describeSaid(body: SaidBody, kind: SignalKind): SaidInWords {
  const failed = body.quality?.checks.filter((c) => !c.passed) ?? [];
  const isReport = kind === 'report';
  // A deadline that was missed says that the data is late, not that it is bad: when the run ends well, it is there.
  const badData = isReport ? body.source !== 'deadline' : kind === 'task_failed' && failed.length > 0;
  const said = body.quality
    ? describeQuality(body.quality, failed)
    : body.schema_change
      ? describeChange(body.schema_change)
      : isReport
        ? { title: firstLine(body.note) ?? 'bad data is suspected', about: body.note?.trim() ?? null }
        : null;
  if (said === null) return { about: null, title: null, badData };
  return { about: said.about, title: cut(`${said.title} (${body.dag_id})`), badData };
}

function describeQuality(q: Quality, failed: readonly Check[]): { title: string; about: string } {
  const where = q.table ? ` of ${q.table}` : '';
  const names = [...new Set(failed.map((c) => (c.column ? `${c.check} of ${c.column}` : c.check)))];
  const between = q.interval_start && q.interval_end ? `, ${q.interval_start} to ${q.interval_end}` : '';
  const each = failed.slice(0, MAX_NAMED).map(describeCheck);
  const more = failed.length > MAX_NAMED ? [`and ${failed.length - MAX_NAMED} more`] : [];
  return {
    title: `${names.length > 2 ? `${failed.length} checks` : names.join(', ') || 'check'}${where} failed`,
    about: `${q.table ?? 'data'}${between}: ${[...each, ...more].join('; ') || 'no failed check was named'}`,
  };
}

function describeCheck(c: Check): string {
  const what = c.column ? `${c.check} of ${c.column}` : c.check;
  const measured = c.measured === null || c.measured === undefined ? 'failed' : `is ${c.measured}`;
  return `${what} ${measured}${c.threshold === null || c.threshold === undefined ? '' : `, allowed ${c.threshold}`}`;
}

function describeChange(c: SchemaChange): { title: string; about: string } {
  const table = c.table ?? 'a table';
  const list = (what: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${what} ${names.slice(0, MAX_NAMED).join(', ')}${names.length > MAX_NAMED ? ' ...' : ''}`];
  const changed = (c.changed ?? []).map((x) => `${x.column} ${x.before ?? '?'} -> ${x.after ?? '?'}`);
  const parts = [...list('added', c.added ?? []), ...list('removed', c.removed ?? []), ...list('changed', changed)];
  return { title: `schema of ${table} changed`, about: `${table}: ${parts.join('; ') || 'changed'}` };
}

const firstLine = (text: string | null | undefined): string | null => text?.trim().split('\n')[0]?.trim() || null;
const cut = (text: string): string => (text.length <= MAX_TITLE ? text : `${text.slice(0, MAX_TITLE - 1)}…`);
