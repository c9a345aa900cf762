import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../config.ts';
import { invalid } from '../errors.ts';

/**
 * Who sent this? Standard Webhooks: HMAC-SHA256 over `id.timestamp.body` (the raw bytes), base64, in a header that is a list, so
 * that a sender may sign with the old and the new secret while they are changed. `Authorization: Bearer <secret>` is the lesser
 * mode for senders that cannot sign: it proves who, not what and not when.
 *
 * Must never happen: a body that is read before it is proven; a request with a wrong signature let in by its bearer token; an
 * answer whose time tells how much of a signature was right.
 */
export interface SigningKey {
  readonly mac: KeyObject;
  /** SHA-256 of the secret's text: compared instead of the text, so that lengths do not show. */
  readonly bearerDigest: Buffer;
}

export interface SignedRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  readonly secrets: readonly SigningKey[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Both ways: a clock that is ahead is as wrong as one behind. */
  readonly toleranceMs: number;
}

export type SignatureVerdict =
  | { readonly ok: true; readonly id: string; readonly secretIndex: number; readonly mode: 'signature' | 'bearer' }
  | {
      readonly ok: false;
      readonly status: 401;
      readonly reason: 'missing' | 'bad_signature' | 'stale';
      /** Only with `stale`, so only after the MAC was right: seconds that the sender's clock is behind ours (negative: ahead). */
      readonly skewSeconds?: number;
    };

const PREFIX = 'whsec_';
const MAX_ID_LENGTH = 256;
const MAX_SIGNATURES = 16;

/** Says what is wrong with the text of a secret and how to make a good one; null when it can be used. Never repeats the secret. */
export function secretProblem(text: string): string | null {
  const hint = 'make one with: echo "whsec_$(openssl rand -base64 32)"';
  if (!text.startsWith(PREFIX)) return `a callback secret is written whsec_<base64>; ${hint}`;
  const encoded = text.slice(PREFIX.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || encoded.length % 4 !== 0) return `what follows whsec_ is not base64; ${hint}`;
  const bytes = Buffer.from(encoded, 'base64').length;
  if (bytes < 24 || bytes > 64) return `a callback secret holds 24 to 64 bytes, this one ${bytes}; ${hint}`;
  return null;
}

/** Makes the keys once, at the start. Throws `invalid` for a secret in the wrong form, naming its place in the list. */
export function signingKeys(secrets: readonly Secret[]): readonly SigningKey[] {
  return secrets.map((secret, index) => {
    const text = secret.reveal();
    const problem = secretProblem(text);
    if (problem !== null) throw invalid(`callback_secrets[${index}]: ${problem}`);
    return { mac: createSecretKey(text.slice(PREFIX.length), 'base64'), bearerDigest: sha256(text) };
  });
}

/** Judges one request. Pure: the clock is an argument. */
export function verifySignature(request: SignedRequest): SignatureVerdict {
  const id = header(request, 'webhook-id');
  const timestamp = header(request, 'webhook-timestamp');
  const signatures = header(request, 'webhook-signature');
  if (signatures === null && timestamp === null) return verifyBearer(request, id);
  if (id === null || timestamp === null || signatures === null) return refused('missing');
  if (id.length > MAX_ID_LENGTH || !/^\d{1,12}$/.test(timestamp)) return refused('bad_signature');

  const secretIndex = matchingSecret(request, Buffer.from(`${id}.${timestamp}.`), signatures);
  if (secretIndex === -1) return refused('bad_signature');
  const skewMs = request.now - Number(timestamp) * 1000;
  // Only a sender that holds the secret gets this far, so it may be told how wrong its clock is.
  if (Math.abs(skewMs) > request.toleranceMs) return { ...refused('stale'), skewSeconds: Math.round(skewMs / 1000) };
  return { ok: true, id, secretIndex, mode: 'signature' };
}

function matchingSecret(request: SignedRequest, prefix: Buffer, header: string): number {
  const given = header
    .split(' ')
    .slice(0, MAX_SIGNATURES)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice('v1,'.length), 'base64'));
  let found = -1;
  // No early end: every secret is tried with every signature, whatever the outcome.
  request.secrets.forEach((secret, index) => {
    const expected = createHmac('sha256', secret.mac).update(prefix).update(request.body).digest();
    for (const candidate of given) {
      if (candidate.length === expected.length && timingSafeEqual(candidate, expected) && found === -1) found = index;
    }
  });
  return found;
}

function verifyBearer(request: SignedRequest, id: string | null): SignatureVerdict {
  const authorization = header(request, 'authorization');
  if (authorization === null) return refused('missing');
  const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
  if (token === undefined) return refused('bad_signature');
  const digest = sha256(token);
  let found = -1;
  request.secrets.forEach((secret, index) => {
    if (timingSafeEqual(secret.bearerDigest, digest) && found === -1) found = index;
  });
  if (found === -1) return refused('bad_signature');
  if (id !== null && id.length > MAX_ID_LENGTH) return refused('bad_signature');
  // Without an id of its own the body stands for it: the same body twice is the same event.
  return { ok: true, id: id ?? `body_${sha256(request.body).toString('hex')}`, secretIndex: found, mode: 'bearer' };
}

/** A header's only value; null where it is missing or empty. A list from a proxy that repeats headers is joined as Node joins them. */
function header(request: SignedRequest, name: string): string | null {
  const value = request.headers[name];
  const text = typeof value === 'string' ? value : (value?.join(', ') ?? '');
  return text === '' ? null : text;
}

function refused(reason: 'missing' | 'bad_signature' | 'stale') {
  return { ok: false, status: 401, reason } as const;
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}
