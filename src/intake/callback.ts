import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import schema from '../../openapi/callback.schema.json' with { type: 'json' };
import type { Instant } from '../core/facts.ts';
import { INCIDENT_TYPES } from '../core/incident.ts';
import type { Severity } from '../core/policy.ts';
import type { Said, SignalKind } from '../core/signal.ts';
import { describeSaid, type SaidBody } from './said.ts';

/**
 * What the Airflow side says, in our words. Pure: the body comes in parsed and proven (signature first), goes out as a signal, as
 * the answer to a connection test, or as "unknown" with a reason for people; nothing in here throws for what a sender wrote.
 */
export interface CallbackSignal {
  readonly airflow: string;
  readonly kind: SignalKind;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string | null;
  /** -1: not mapped. */
  readonly mapIndex: number;
  readonly tryNumber: number | null;
  readonly maxTries: number | null;
  readonly state: string | null;
  readonly runType: string | null;
  readonly logicalDate: Instant | null;
  readonly runStart: Instant | null;
  readonly occurredAt: Instant;
  readonly tags: readonly string[];
  readonly exception: { readonly type: string | null; readonly message: string } | null;
  readonly reason: string | null;
  readonly logUrl: string | null;
  /** What failed of the data, in words; null where only the task or the run is spoken of. */
  readonly about: string | null;
  /** Severity and type are null also where the sender named one that we do not have: a wrong word must not cost the signal. */
  readonly said: Said;
  /** `listener`, `callback`, or what a newer sender calls itself. */
  readonly source: string | null;
  readonly dropped: number;
  /** Semantic: the same failure has the same key, whoever reports it and however often. */
  readonly dedupeKey: string;
  readonly webhookId: string;
}

export type ParsedCallback =
  | { readonly shape: 'known'; readonly signal: CallbackSignal }
  | { readonly shape: 'test' }
  /** Understood and kept, and nothing is decided from it. */
  | { readonly shape: 'noted'; readonly what: string }
  /** Airflow cannot load a DAG file: reason enough to look which ones now. */
  | { readonly shape: 'broken_file'; readonly what: string }
  | { readonly shape: 'unknown'; readonly why: string };

/** The body once the schema has accepted it. */
interface Body extends SaidBody {
  kind: SignalKind | 'test' | 'import_error' | 'asset_event';
  occurred_at: string;
  dag_id: string;
  run_id: string;
  task_id?: string | null;
  map_index?: number | null;
  try_number?: number | null;
  max_tries?: number | null;
  state?: string | null;
  run_type?: string | null;
  logical_date?: string | null;
  run_start_date?: string | null;
  dag_tags?: string[] | null;
  exception?: { type?: string | null; message?: string | null } | null;
  reason?: string | null;
  log_url?: string | null;
  severity?: string | null;
  incident_type?: string | null;
  file?: string | null;
  asset?: { name?: string | null; uri?: string | null } | null;
  dropped_events?: number | null;
}

/** The sender cuts at 8 KiB; a sender that does not is cut here. */
const MAX_EXCEPTION_BYTES = 32 * 1024;
const SEVERITIES: readonly Severity[] = ['P0', 'P1', 'P2', 'P3'];

// allowUnionTypes: "string or null" is how the schema says that a field may be empty. strictRequired off: the conditions name
// required fields whose properties stand at the top.
const ajv = new Ajv2020({ allowUnionTypes: true, strictRequired: false, strictTypes: false });
addFormats.default(ajv, ['date-time']);
const isBody = ajv.compile<Body>(schema);

/** `airflow` is the id from the path, `webhookId` the proven one from the header; `body` is whatever JSON.parse gave. */
export function parseCallback(airflow: string, webhookId: string, body: unknown): ParsedCallback {
  if (!isBody(body)) return { shape: 'unknown', why: describe(isBody.errors ?? []) };
  if (body.kind === 'test') return { shape: 'test' };
  if (body.kind === 'import_error')
    return { shape: 'broken_file', what: `${body.file} cannot be imported: ${lastLine(body.exception?.message)}` };
  if (body.kind === 'asset_event') return { shape: 'noted', what: `asset ${body.asset?.uri ?? body.asset?.name} was updated` };
  if (body.kind === 'report' && body.quality && body.quality.checks.every((c) => c.passed))
    return { shape: 'noted', what: `every reported check of ${body.dag_id} passed` };
  const at = instant(body.occurred_at);
  if (at === null) return { shape: 'unknown', why: 'occurred_at: no such date' };
  return { shape: 'known', signal: toSignal(airflow, webhookId, body, body.kind, at) };
}

function toSignal(airflow: string, webhookId: string, body: Body, kind: SignalKind, occurredAt: Instant): CallbackSignal {
  const aboutTask = kind === 'task_failed' || kind === 'task_retry' || (kind === 'report' && Boolean(body.task_id));
  const words = describeSaid(body, kind);
  const runStart = instant(body.run_start_date);
  const taskId = aboutTask ? (body.task_id ?? null) : null;
  const mapIndex = aboutTask ? (body.map_index ?? -1) : -1;
  const tryNumber = aboutTask ? (body.try_number ?? null) : null;
  return {
    airflow,
    kind,
    dagId: body.dag_id,
    runId: body.run_id,
    taskId,
    mapIndex,
    tryNumber,
    maxTries: aboutTask ? (body.max_tries ?? null) : null,
    state: body.state ?? null,
    runType: body.run_type ?? null,
    logicalDate: instant(body.logical_date),
    runStart,
    occurredAt,
    tags: body.dag_tags ?? [],
    exception: toException(body.exception),
    reason: body.reason ?? null,
    logUrl: webUrl(body.log_url),
    about: words.about,
    said: {
      severity: SEVERITIES.find((known) => known === body.severity) ?? null,
      incidentType: INCIDENT_TYPES.find((known) => known === body.incident_type) ?? null,
      note: body.note?.trim() || null,
      title: words.title,
      badData: words.badData,
    },
    source: body.source ?? null,
    dropped: body.dropped_events ?? 0,
    dedupeKey: dedupeKey(
      { airflow, kind, dagId: body.dag_id, runId: body.run_id, taskId, mapIndex, tryNumber, runStart },
      kind === 'report' ? [body.quality, body.schema_change, body.note] : [],
    ),
    webhookId,
  };
}

/**
 * Airflow runs failure callbacks twice (heartbeat loss, seen on 3.0.6-3.3.2), and callback and listener may both be installed.
 * A try number goes on counting when a task is cleared; a run has none, but a clear gives it a new start (2.11.2, 3.3.2), so the
 * start stands in its place: otherwise a repair that fails again would pass for the failure it was meant to cure. Two reports of one task with
 * different `content` are two.
 */
export function dedupeKey(
  of: Pick<CallbackSignal, 'airflow' | 'kind' | 'dagId' | 'runId' | 'taskId' | 'mapIndex' | 'tryNumber' | 'runStart'>,
  content: readonly unknown[] = [],
): string {
  const attempt = of.taskId === null ? of.runStart : of.tryNumber;
  return JSON.stringify([of.airflow, of.dagId, of.runId, of.taskId, of.mapIndex, attempt, of.kind, ...content]);
}

function toException(raw: Body['exception']): CallbackSignal['exception'] {
  if (raw === null || raw === undefined) return null;
  return { type: raw.type ?? null, message: cutBytes(raw.message ?? '', MAX_EXCEPTION_BYTES) };
}

const lastLine = (text: string | null | undefined): string => text?.trim().split('\n').at(-1)?.slice(0, 300) ?? 'no reason given';

/** Cuts at a character, never within one. */
function cutBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** The log link ends up behind a click: nothing but http and https. 3.0.6 sends `http://127.0.0.1:8310dags/...`, which is none. */
function webUrl(raw: string | null | undefined): string | null {
  const url = raw ? URL.parse(raw) : null;
  return raw && (url?.protocol === 'http:' || url?.protocol === 'https:') ? raw : null;
}

function instant(raw: string | null | undefined): Instant | null {
  const ms = raw ? Date.parse(raw) : Number.NaN;
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}

function describe(errors: readonly ErrorObject[]): string {
  const first = errors.find((error) => error.keyword !== 'if') ?? errors[0];
  if (first === undefined) return 'not a callback';
  const where = first.instancePath === '' ? 'body' : first.instancePath.slice(1).replaceAll('/', '.');
  return `${where}: ${first.message ?? first.keyword}${allowed(first)}`;
}

function allowed(error: ErrorObject): string {
  if (error.keyword === 'enum') return ` (${(error.params as { allowedValues: unknown[] }).allowedValues.join(', ')})`;
  if (error.keyword === 'const') return ` (${String((error.params as { allowedValue: unknown }).allowedValue)})`;
  return '';
}
