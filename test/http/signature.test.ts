import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/config.ts';
import { FiredamperError } from '../../src/errors.ts';
import { type SignedRequest, secretProblem, signingKeys, verifySignature } from '../../src/http/signature.ts';

const NEW = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OLD = `whsec_${Buffer.from('the old secret, thirty-two bytes').toString('base64')}`;
const NOW = Date.parse('2026-11-21T03:25:43.500Z');
const BODY = Buffer.from('{"dag_id":"Ütil_日本"}');
const keys = signingKeys([new Secret(NEW), new Secret(OLD)]);

const seconds = (ms: number) => Math.floor(ms / 1000);
const sign = (secret: string, id = 'fd_1', at = NOW, body = BODY) => new Webhook(secret).sign(id, new Date(at), body.toString());
const signed = (signature: string, id = 'fd_1', at = NOW) => ({
  'webhook-id': id,
  'webhook-timestamp': String(seconds(at)),
  'webhook-signature': signature,
});
const judge = (headers: SignedRequest['headers'], over: Partial<SignedRequest> = {}) =>
  verifySignature({ headers, body: BODY, secrets: keys, now: NOW, toleranceMs: 300_000, ...over });

describe('a signed request', () => {
  it('is let in when the reference library signed it, and names the secret that fitted', () => {
    expect(judge(signed(sign(NEW)))).toEqual({ ok: true, id: 'fd_1', secretIndex: 0, mode: 'signature' });
    expect(judge(signed(sign(OLD)))).toEqual({ ok: true, id: 'fd_1', secretIndex: 1, mode: 'signature' });
  });

  it('is let in by the vector that the Standard Webhooks libraries share', () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const body = Buffer.from('{"test": 2432232314}');
    expect(judge(headers, { body, now: 1_614_265_330_000 })).toMatchObject({ ok: true, secretIndex: 0 });
  });

  it('may carry a list: other versions and other secrets beside the right one', () => {
    const header = `v1a,bm90IGZvciB1cw== v1,${Buffer.alloc(32).toString('base64')} ${sign(OLD)}`;
    expect(judge(signed(header))).toMatchObject({ ok: true, secretIndex: 1 });
  });

  it('is judged by its bytes, also where they are not text', () => {
    const body = Buffer.from([0xff, 0xfe, 0x00]);
    const mac = createHmac('sha256', Buffer.from(NEW.slice(6), 'base64'))
      .update(`fd_1.${seconds(NOW)}.`)
      .update(body)
      .digest('base64');
    expect(judge(signed(`v1,${mac}`), { body })).toMatchObject({ ok: true });
    expect(judge(signed(`v1,${mac}`), { body: Buffer.from([0xff, 0xfe, 0x01]) })).toMatchObject({ ok: false });
  });

  it.each([
    ['another body', { body: Buffer.from('{}') }, signed(sign(NEW))],
    ['another id', {}, { ...signed(sign(NEW)), 'webhook-id': 'fd_2' }],
    ['another time', {}, { ...signed(sign(NEW)), 'webhook-timestamp': String(seconds(NOW) - 1) }],
    ['a secret that we do not have', {}, signed(sign(`whsec_${Buffer.alloc(32, 7).toString('base64')}`))],
    ['a signature of another length', {}, signed('v1,AAAA')],
    ['an empty signature', {}, signed('v1,')],
    ['only a version that we do not know', {}, signed(sign(NEW).replace('v1,', 'v2,'))],
    ['a time that is no number', {}, { ...signed(sign(NEW)), 'webhook-timestamp': '1e9' }],
    ['no secrets at all', { secrets: [] }, signed(sign(NEW))],
    ['a wrong signature beside a right bearer token', {}, { ...signed('v1,AAAA'), authorization: `Bearer ${NEW}` }],
  ])('is refused with %s', (_what, over, headers) => {
    expect(judge(headers, over)).toEqual({ ok: false, status: 401, reason: 'bad_signature' });
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('is refused without %s', (name) => {
    expect(judge({ ...signed(sign(NEW)), [name]: undefined })).toEqual({ ok: false, status: 401, reason: 'missing' });
  });

  it('may be as old or as new as the tolerance, and is told its skew beyond it', () => {
    const at = (ms: number) => judge(signed(sign(NEW, 'fd_1', ms), 'fd_1', ms), { now: Date.parse('2026-11-21T03:25:43Z') });
    const now = Date.parse('2026-11-21T03:25:43Z');
    expect(at(now - 300_000)).toMatchObject({ ok: true });
    expect(at(now + 300_000)).toMatchObject({ ok: true });
    expect(at(now - 301_000)).toEqual({ ok: false, status: 401, reason: 'stale', skewSeconds: 301 });
    expect(at(now + 301_000)).toEqual({ ok: false, status: 401, reason: 'stale', skewSeconds: -301 });
  });

  it('is never told the skew when the signature is wrong too', () => {
    const old = NOW - 900_000;
    expect(judge(signed('v1,AAAA', 'fd_1', old))).toEqual({ ok: false, status: 401, reason: 'bad_signature' });
  });
});

describe('the lesser mode', () => {
  it('takes a secret as a bearer token; the body stands for the id that is missing', () => {
    const first = judge({ authorization: `Bearer ${OLD}` });
    expect(first).toMatchObject({ ok: true, secretIndex: 1, mode: 'bearer' });
    const again = judge({ authorization: `bearer ${OLD}` });
    const other = judge({ authorization: `Bearer ${OLD}` }, { body: Buffer.from('{}') });
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('takes the id of the sender where there is one', () => {
    expect(judge({ authorization: `Bearer ${NEW}`, 'webhook-id': 'mine' })).toMatchObject({ ok: true, id: 'mine' });
  });

  it('refuses a wrong token, another scheme, and nothing at all', () => {
    expect(judge({ authorization: `Bearer ${NEW}x` })).toEqual({ ok: false, status: 401, reason: 'bad_signature' });
    expect(judge({ authorization: `Basic ${NEW}` })).toEqual({ ok: false, status: 401, reason: 'bad_signature' });
    expect(judge({})).toEqual({ ok: false, status: 401, reason: 'missing' });
  });
});

describe('a secret', () => {
  it.each([
    ['without its prefix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', /whsec_<base64>/],
    ['that is not base64', 'whsec_not base64!', /not base64/],
    ['that is too short', `whsec_${Buffer.alloc(16).toString('base64')}`, /24 to 64 bytes, this one 16/],
    ['that is too long', `whsec_${Buffer.alloc(65).toString('base64')}`, /24 to 64 bytes, this one 65/],
    ['that is empty', '', /whsec_<base64>/],
  ])('%s is refused by name, with the way to make one, and is not repeated', (_what, text, message) => {
    expect(secretProblem(text)).toMatch(message);
    const act = () => signingKeys([new Secret(NEW), new Secret(text)]);
    expect(act).toThrow(FiredamperError);
    expect(act).toThrow(/callback_secrets\[1\].*openssl rand -base64 32/);
    const rest = text.replace('whsec_', '');
    if (rest !== '') expect(secretProblem(text)).not.toContain(rest);
  });

  it('in the right form has no problem', () => {
    expect(secretProblem(NEW)).toBeNull();
    expect(secretProblem(OLD)).toBeNull();
  });
});
