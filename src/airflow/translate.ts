/** Small pure readers that both generations share: from Airflow's JSON to the words of core/facts.ts. */
import type { AssetCondition, Instant, RunState } from '../core/facts.ts';
import { ShapeError } from './wire.ts';

/** Airflow writes `+00:00`, `Z` and up to six digits of a second; in here every time is written one way, so that texts compare. */
export const instant = (value: string | null | undefined, field: string): Instant => {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw new ShapeError(`the answer has no time in "${field}"`);
  return new Date(at).toISOString();
};

export const instantOrNull = (value: string | null | undefined, field: string): Instant | null =>
  value === null || value === undefined || value === '' ? null : instant(value, field);

export const text = (value: unknown, field: string): string => {
  if (typeof value !== 'string' || value === '') throw new ShapeError(`the answer has no text in "${field}"`);
  return value;
};

export const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

export const whole = (value: unknown, field: string): number => {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new ShapeError(`the answer has no whole number in "${field}"`);
  return value;
};

export const flag = (value: unknown, field: string): boolean => {
  if (typeof value !== 'boolean') throw new ShapeError(`the answer has no true or false in "${field}"`);
  return value;
};

export const runState = (value: unknown): RunState => {
  if (value === 'queued' || value === 'running' || value === 'success' || value === 'failed') return value;
  throw new ShapeError('the answer has a run in an unknown state');
};

export const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

/** Seconds of an ISO 8601 duration as 3.x writes it (`PT25S`, `P1DT2H`); null for anything else. Months and years do not occur. */
export const isoDurationSeconds = (value: string | null | undefined): number | null => {
  const found = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(value ?? '');
  if (found === null) return null;
  const [weeks, days, hours, minutes, seconds] = found.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds;
};

/**
 * The condition of an asset-scheduled DAG. 3.x: `{"all":[{"asset":{"uri":...}},{"alias":{...}}]}`, 2.x: the same tree with bare
 * URIs as leaves (seen on 2.11.2 and 3.0.6-3.3.2). What is neither is kept as `other`, so that nobody takes it for fulfilled.
 */
export const assetCondition = (value: unknown): AssetCondition | null => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return { uri: value };
  const node = value as { all?: unknown; any?: unknown; asset?: { uri?: unknown }; asset_ref?: { uri?: unknown } };
  if (Array.isArray(node.all)) return { all: node.all.flatMap((one) => assetCondition(one) ?? []) };
  if (Array.isArray(node.any)) return { any: node.any.flatMap((one) => assetCondition(one) ?? []) };
  const uri = node.asset?.uri ?? node.asset_ref?.uri;
  return typeof uri === 'string' ? { uri } : { other: JSON.stringify(value) };
};

/** The error itself is the last line of a trace; what stands above it is of use in Airflow, where it can be read in full. */
export const lastLine = (trace: string): string => trace.trim().split('\n').at(-1)?.trim().slice(0, 300) || 'no reason given';
