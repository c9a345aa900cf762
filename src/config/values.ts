import { nearest } from './problems.ts';
import { Secret } from './secret.ts';

/** A scalar as it stands in the file, or as a placeholder gave it. */
export interface Written {
  readonly value: unknown;
  /** True where a placeholder gave the text: it is then always text, and must never be shown. */
  readonly fromOutside: boolean;
}

export type Parsed<T> = { readonly ok: T } | { readonly problem: string; readonly hint?: string };

/** One kind of value: how it is named to people, and how text becomes it. */
export interface ValueType<T> {
  readonly name: string;
  /** True: no message may show what was written. */
  readonly secret: boolean;
  /** True: a list in the file, each entry read by `parse`. */
  readonly many: false;
  parse(written: Written): Parsed<T>;
  /** What a key of this kind holds; exists for the compiler only. */
  readonly gives?: T;
}

export interface ListType<T> {
  readonly name: string;
  readonly many: true;
  readonly of: ValueType<T>;
  readonly max: number;
  readonly gives?: readonly T[];
}

const type = <T>(name: string, parse: (written: Written) => Parsed<T>, secret = false): ValueType<T> => ({
  name,
  secret,
  many: false,
  parse,
});

/** What was written, for a message; nothing at all where it came from outside the file. */
const shown = (written: Written): string => {
  if (written.fromOutside) return 'what the placeholder gives';
  const text = typeof written.value === 'string' ? `'${written.value}'` : String(written.value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const asText = (written: Written, what: string): Parsed<string> => {
  if (typeof written.value === 'string')
    return written.value === '' ? { problem: `${what} must not be empty` } : { ok: written.value };
  return { problem: `must be ${what}, not ${shown(written)}`, hint: 'put it in quotes' };
};

/** Any text of one line. */
export const text = (what = 'text'): ValueType<string> =>
  type(what, (written) => {
    const read = asText(written, what);
    if ('ok' in read && /\p{Cc}/u.test(read.ok)) return { problem: 'must be one line without control characters' };
    return read;
  });

/** Text that one of a closed list must be. */
export const oneOf = <const T extends string>(allowed: readonly T[]): ValueType<T> =>
  type(allowed.map((a) => `\`${a}\``).join(', '), (written) => {
    const found = allowed.find((a) => a === written.value);
    if (found !== undefined) return { ok: found };
    const near = typeof written.value === 'string' && !written.fromOutside ? nearest(written.value, allowed) : null;
    return {
      problem: `must be one of ${allowed.join(', ')}, not ${shown(written)}`,
      ...(near ? { hint: `did you mean ${near}?` } : {}),
    };
  });

export const bool: ValueType<boolean> = type('`true` or `false`', (written) => {
  const value = written.fromOutside ? { true: true, false: false }[String(written.value)] : written.value;
  return typeof value === 'boolean'
    ? { ok: value }
    : { problem: `must be true or false, not ${shown(written)}`, hint: 'without quotes' };
});

/** A number within bounds, both inclusive. */
export function number(min: number, max: number, whole = true): ValueType<number> {
  const name = `${whole ? 'whole number' : 'number'} ${min} to ${max}`;
  return type(name, (written) => {
    const value = written.fromOutside && /^-?[\d.]+$/.test(String(written.value)) ? Number(written.value) : written.value;
    if (typeof value !== 'number' || !Number.isFinite(value) || (whole && !Number.isInteger(value))) {
      const quoted = typeof value === 'string' && !written.fromOutside && value.trim() !== '' && Number.isFinite(Number(value));
      return { problem: `must be a ${name}, not ${shown(written)}`, ...(quoted ? { hint: 'without quotes' } : {}) };
    }
    return value < min || value > max ? { problem: `must be a ${name}, not ${shown(written)}` } : { ok: value };
  });
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** Milliseconds of `250ms`, `10s`, `30m`, `24h`, `7d`; null where it is none. */
export function durationMs(written: string): number | null {
  const [, amount, unit] = DURATION.exec(written.trim()) ?? [];
  if (amount === undefined || unit === undefined) return null;
  return Math.round(Number(amount) * UNITS[unit as keyof typeof UNITS]);
}

/** A span of time, in milliseconds; bounds as people write them. */
export function duration(min: string, max: string): ValueType<number> {
  const [low, high] = [durationMs(min) ?? 0, durationMs(max) ?? Number.POSITIVE_INFINITY];
  return type(`duration ${min} to ${max}`, (written) => {
    const ms = typeof written.value === 'string' ? durationMs(written.value) : null;
    if (ms === null) {
      const hint =
        typeof written.value === 'number'
          ? `did you mean ${written.value}s?`
          : 'write a number with ms, s, m, h or d, such as 10s';
      return { problem: `must be a duration, not ${shown(written)}`, hint };
    }
    return ms < low || ms > high ? { problem: `must be between ${min} and ${max}, not ${shown(written)}` } : { ok: ms };
  });
}

const SIZES = { B: 1, KiB: 1024, MiB: 1024 * 1024 } as const;

/** A number of bytes: `262144`, `256KiB`, `1MiB`. */
export function bytes(min: number, max: number): ValueType<number> {
  return type('size in bytes, `KiB` or `MiB`', (written) => {
    const [, amount, unit = 'B'] = /^(\d+)\s*(B|KiB|MiB)?$/.exec(String(written.value).trim()) ?? [];
    if (amount === undefined)
      return {
        problem: `must be a size, not ${shown(written)}`,
        hint: 'write bytes, or a number with KiB or MiB, such as 256KiB',
      };
    const size = Number(amount) * SIZES[unit as keyof typeof SIZES];
    return size < min || size > max
      ? { problem: `must be between ${min} and ${max} bytes, not ${shown(written)}` }
      : { ok: size };
  });
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A name that becomes a part of addresses, file names and metrics. */
export const id: ValueType<string> = type('id', (written) => {
  const read = asText(written, 'an id');
  if (!('ok' in read) || ID.test(read.ok)) return read;
  return {
    problem: `${shown(written)} cannot be an id`,
    hint: 'letters, digits, dots, _ and -, at most 64, beginning with a letter or digit',
  };
});

/** `host:port` to listen on. Port 0 = any free one. */
export const listenAddress: ValueType<{ host: string; port: number }> = type('`host:port`', (written) => {
  const [, bracketed, plain, port] =
    (typeof written.value === 'string' && /^(?:\[([0-9a-fA-F:]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(written.value)) || [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    return { problem: `must be host:port, not ${shown(written)}`, hint: 'such as 127.0.0.1:8470, 0.0.0.0:8470 or "[::1]:8470"' };
  }
  return { ok: { host, port: Number(port) } };
});

/** An http(s) address without credentials, query and fragment; without the slash at its end. */
export const baseUrl: ValueType<string> = type('http(s) address', (written) => {
  const url = parseUrl(written.value);
  // Never shown: an address that is refused may hold a password.
  if (url === null) return { problem: 'must be an http:// or https:// address', hint: 'such as http://localhost:8080' };
  if (url.username !== '' || url.password !== '')
    return { problem: 'must not hold credentials', hint: 'they would end up in logs; put them under auth' };
  if (url.search !== '' || url.hash !== '') return { problem: 'must not have a query or a fragment' };
  return { ok: url.href.replace(/\/+$/, '') };
});

/** A text that is never shown. */
export function secret(min: number, what = 'secret'): ValueType<Secret> {
  return type(
    what,
    (written) => {
      if (typeof written.value !== 'string') return { problem: 'must be text', hint: 'put it in quotes' };
      if (/[\p{Cc}]/u.test(written.value)) return { problem: 'must be one line without control characters' };
      if (written.value.length < min)
        return { problem: min > 1 ? `is too short: at least ${min} characters` : 'must not be empty' };
      return { ok: new Secret(written.value) };
    },
    true,
  );
}

/** The key of a Standard Webhooks signature: `whsec_` and the base64 of 24 to 64 bytes. */
export const signingSecret: ValueType<Secret> = type(
  'secret `whsec_...`',
  (written) => {
    const [, key] = (typeof written.value === 'string' && /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(written.value)) || [];
    const size = key === undefined ? 0 : Buffer.from(key, 'base64').length;
    if (size >= 24 && size <= 64 && (key ?? '').length % 4 === 0) return { ok: new Secret(String(written.value)) };
    return {
      problem: 'must be whsec_ followed by the base64 of 24 to 64 random bytes',
      hint: 'make one with: echo "whsec_$(openssl rand -base64 32)"',
    };
  },
  true,
);

/** An http(s) address that is itself a credential, such as that of a chat webhook. */
export const secretUrl: ValueType<Secret> = type(
  'http(s) address, kept secret',
  (written) =>
    parseUrl(written.value) === null
      ? { problem: 'must be an http:// or https:// address' }
      : { ok: new Secret(String(written.value)) },
  true,
);

/** `airflow/dag_id`. */
export const dagRef: ValueType<{ airflow: string; dagId: string }> = type('`airflow/dag_id`', (written) => {
  const [, airflow, dagId] = (typeof written.value === 'string' && /^([^/]+)\/(.+)$/.exec(written.value)) || [];
  if (airflow === undefined || dagId === undefined)
    return { problem: `must be airflow/dag_id, not ${shown(written)}`, hint: 'such as prod/orders_etl' };
  // Airflow's own rule for DAG ids (2.9 to 3.3): letters and digits of any script, `_`, `-`, `.`; at most 250.
  if (!/^[\p{L}\p{M}\p{N}_.-]{1,250}$/u.test(dagId))
    return { problem: `${shown(written)}: Airflow allows no such DAG id`, hint: 'letters, digits, _, - and .' };
  return { ok: { airflow, dagId } };
});

/** A glob over DAG ids or run types: `*` any text, `?` one character. */
export const glob: ValueType<string> = type('text with `*` and `?`', (written) => {
  const read = asText(written, 'a name or pattern');
  if ('ok' in read && /[\s/\p{Cc}]/u.test(read.ok))
    return { problem: `${shown(written)} matches no DAG id`, hint: 'no spaces and no slashes' };
  return read;
});

export const listOf = <T>(of: ValueType<T>, max = 1000): ListType<T> => ({ name: `list of ${of.name}`, many: true, of, max });

function parseUrl(value: unknown): URL | null {
  if (typeof value !== 'string' || /\s/.test(value)) return null;
  const url = URL.parse(value);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '' ? url : null;
}
