import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { unavailable } from '../../src/errors.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import { againstSpec, call, type Running, SECRET, start, TOKENS, type World, world } from './support.ts';

const PATH = '/v1/callbacks/airflow/prod';
const TEMPLATE = '/v1/callbacks/airflow/{airflow}';
const KEY = Buffer.from(SECRET.slice('whsec_'.length), 'base64');

let running: Running;
let w: World;
const up = async (more: Parameters<typeof world>[0] = {}) => {
  w = world(more);
  running = await start(w);
};
afterEach(() => running.stop());

const failed = (more: object = {}): string =>
  JSON.stringify({
    version: 1,
    kind: 'run_failed',
    occurred_at: '2026-11-21T03:25:00Z',
    dag_id: 'orders_etl',
    run_id: 'r1',
    ...more,
  });

function signed(
  body: string,
  { id = 'msg-1', skewSeconds = 0, key = KEY }: { id?: string; skewSeconds?: number; key?: Buffer } = {},
): Record<string, string> {
  const timestamp = String(Math.floor(w.now / 1000) - skewSeconds);
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${mac}`,
  };
}

async function send(body: string, headers: Record<string, string>, path = PATH) {
  const response = await fetch(`${running.url}${path}`, { method: 'POST', body, headers });
  const type = response.headers.get('content-type') ?? '';
  return {
    status: response.status,
    headers: response.headers,
    type,
    body: (type.includes('json') ? await response.json() : null) as Record<string, unknown>,
  };
}

describe('a callback that is proven', () => {
  test('is answered 202 once its row is on disk, and not before', async () => {
    let commit = (): void => {};
    const onDisk = new Promise<void>((resolve) => {
      commit = resolve;
    });
    const accept: HttpDeps['accept'] = async () => {
      await onDisk;
      return { id: 'cb-1', duplicate: false };
    };
    await up({ deps: { accept } });
    const body = failed();
    let answered = false;
    const answer = send(body, signed(body)).then((result) => {
      answered = true;
      return result;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(answered).toBe(false);
    commit();
    expect(await answer).toMatchObject({ status: 202, body: { id: 'cb-1', duplicate: false } });
  });

  test('is kept byte for byte, with its id, its time and its semantic key', async () => {
    await up();
    const body = `${failed({ note: 'ünï <b>' })}\n  `;
    const answer = await send(body, signed(body));
    expect(againstSpec('POST', TEMPLATE, answer)).toEqual([]);
    expect(w.accepted).toEqual([
      {
        airflow: 'prod',
        webhookId: 'msg-1',
        body,
        receivedAt: new Date(w.now).toISOString(),
        quarantine: null,
        dedupeKey: expect.stringContaining('orders_etl'),
      },
    ]);
  });

  test('sent twice is answered 202 twice, the second time as a duplicate', async () => {
    await up();
    const body = failed();
    expect((await send(body, signed(body))).body.duplicate).toBe(false);
    expect(await send(body, signed(body))).toMatchObject({ status: 202, body: { duplicate: true } });
  });

  test.each([
    ['an unknown version', failed({ version: 9 }), 'version'],
    ['an unknown kind', failed({ kind: 'asset_lost' }), 'kind'],
    ['an array', '[1,2]', 'object'],
    ['a bare null', 'null', 'object'],
  ])('of unknown shape (%s) goes into quarantine with the reason, 202', async (_, body, why) => {
    await up();
    expect((await send(body, signed(body))).status).toBe(202);
    expect(w.accepted[0]).toMatchObject({ body, dedupeKey: null, quarantine: expect.stringContaining(why) });
    expect(w.logged.some((line) => line.message.includes('quarantine'))).toBe(true);
  });

  test('that only tests the way is answered and not stored', async () => {
    await up();
    const body = JSON.stringify({ version: 1, kind: 'test', occurred_at: '2026-11-21T03:25:00Z' });
    expect((await send(body, signed(body))).status).toBe(200);
    expect(w.accepted).toEqual([]);
  });

  test('proven by the secret as bearer token is taken too', async () => {
    await up();
    const body = failed();
    expect((await send(body, { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` })).status).toBe(202);
  });

  test('is refused with 503 and Retry-After while nothing can be stored', async () => {
    const accept = async () => {
      throw unavailable('the disk is full');
    };
    await up({ deps: { accept } });
    const body = failed();
    const answer = await send(body, signed(body));
    expect(answer).toMatchObject({ status: 503, body: { detail: 'the disk is full' } });
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(againstSpec('POST', TEMPLATE, answer)).toEqual([]);
  });
});

describe('a callback that is not proven', () => {
  const cases: [string, (body: string) => Record<string, string>][] = [
    ['no signature', () => ({ 'content-type': 'application/json' })],
    ['a signature of another secret', (body) => signed(body, { key: Buffer.alloc(32, 9) })],
    ['a signature of another body', () => signed('{}')],
    ['a wrong bearer token', () => ({ 'content-type': 'application/json', authorization: 'Bearer nope' })],
    ["a person's bearer token", () => ({ 'content-type': 'application/json', authorization: `Bearer ${TOKENS.admin}` })],
    ['nonsense for a time', (body) => ({ ...signed(body), 'webhook-timestamp': 'soon' })],
    ['an unknown scheme', (body) => ({ ...signed(body), 'webhook-signature': 'v9,AAAA' })],
  ];
  test('is 401 with one and the same text, whatever is wrong', async () => {
    await up();
    const told = new Set<string>();
    for (const [name, headers] of cases) {
      const body = failed();
      const answer = await send(body, headers(body));
      expect(answer.status, name).toBe(401);
      expect(againstSpec('POST', TEMPLATE, answer), name).toEqual([]);
      told.add(JSON.stringify(answer.body));
    }
    expect([...told]).toHaveLength(1);
    expect(w.accepted).toEqual([]);
  });

  test.each([
    [301, '301 s behind'],
    [-301, '301 s ahead of'],
  ])('but signed, %i s off: 401, and it is told how far', async (skewSeconds, told) => {
    await up();
    const body = failed();
    const answer = await send(body, signed(body, { skewSeconds }));
    expect(answer).toMatchObject({ status: 401, body: { detail: expect.stringContaining(told) } });
    expect(w.accepted).toEqual([]);
  });

  test.each([299, -299])('%i s off is within the tolerance', async (skewSeconds) => {
    await up();
    const body = failed();
    expect((await send(body, signed(body, { skewSeconds }))).status).toBe(202);
  });

  test('for an Airflow that is not configured: 404', async () => {
    await up();
    const body = failed();
    for (const id of ['other', '..%2fprod', 'prod%00', '__proto__', 'PROD']) {
      const answer = await send(body, signed(body), `/v1/callbacks/airflow/${id}`);
      expect(answer.status, id).toBe(404);
    }
    expect(w.accepted).toEqual([]);
  });
});

describe('the order is fixed: size, rate, signature, content type, JSON, shape', () => {
  test('too large is 413 before anybody looks at the rate or the signature', async () => {
    await up({ intake: { maxBodyBytes: 1000, ratePerMinute: 1 } });
    const large = 'x'.repeat(1001);
    for (let i = 0; i < 3; i++) {
      const answer = await send(large, { 'content-type': 'application/json' });
      expect(answer.status).toBe(413);
      expect(againstSpec('POST', TEMPLATE, answer)).toEqual([]);
    }
    // None of them counted for the rate.
    const body = failed();
    expect((await send(body, signed(body))).status).toBe(202);
  });

  test('exactly the cap is taken, one byte more is not', async () => {
    await up({ intake: { maxBodyBytes: 1000 } });
    const body = failed({ note: '' });
    const full = failed({ note: 'n'.repeat(1000 - body.length) });
    expect(Buffer.byteLength(full)).toBe(1000);
    expect((await send(full, signed(full))).status).toBe(202);
    const over = `${full} `;
    expect((await send(over, signed(over))).status).toBe(413);
  });

  test('a body without a length is cut off at the cap', async () => {
    await up({ intake: { maxBodyBytes: 1000 } });
    const status = await new Promise<number>((resolve, reject) => {
      const req = request(`${running.url}${PATH}`, { method: 'POST', headers: { 'content-type': 'application/json' } }, (res) => {
        res.resume();
        resolve(res.statusCode ?? 0);
      });
      req.on('error', reject);
      for (let i = 0; i < 30; i++) req.write('x'.repeat(100));
      req.end();
    });
    expect(status).toBe(413);
  });

  test('over the rate is 429 with Retry-After before the signature is looked at; another minute is another minute', async () => {
    await up({ intake: { ratePerMinute: 3 } });
    const body = failed();
    for (let i = 0; i < 3; i++) expect((await send(body, signed(body))).status).toBe(202);
    for (const headers of [signed(body), { 'content-type': 'application/json' }]) {
      const answer = await send(body, headers);
      expect(answer.status).toBe(429);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(againstSpec('POST', TEMPLATE, answer)).toEqual([]);
    }
    expect(w.accepted).toHaveLength(3);
  });

  test('inventing Airflow ids does not buy more requests, and does not cost the real one any', async () => {
    await up({ intake: { ratePerMinute: 3 } });
    const body = failed();
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await send(body, {}, `/v1/callbacks/airflow/made-up-${i}`)).status);
    expect(statuses).toEqual([404, 404, 404, 429, 429]);
    expect((await send(body, signed(body))).status).toBe(202);
  });

  test('the signature comes before content type and JSON', async () => {
    await up();
    expect((await send('not json', { 'content-type': 'text/plain' })).status).toBe(401);
    const headers = signed('not json');
    const wrongType = await send('not json', { ...headers, 'content-type': 'text/plain' });
    expect(wrongType.status).toBe(415);
    expect(againstSpec('POST', TEMPLATE, wrongType)).toEqual([]);
    const notJson = await send('not json', headers);
    expect(notJson).toMatchObject({ status: 400, body: { detail: 'the body is not JSON' } });
    const empty = await send('', signed(''));
    expect(empty.status).toBe(400);
    expect(w.accepted).toEqual([]);
  });

  test('a compressed body is not inflated', async () => {
    await up();
    const body = failed();
    expect((await send(body, { ...signed(body), 'content-encoding': 'gzip' })).status).toBe(415);
  });
});

describe('the server itself', () => {
  test('has explicit limits', async () => {
    await up();
    const { server } = running;
    expect([server.headersTimeout, server.requestTimeout, server.keepAliveTimeout, server.maxConnections]).toEqual([
      5_000, 10_000, 65_000, 1_000,
    ]);
  });

  test('hangs up on who never ends the headers, within seconds', { timeout: 15_000 }, async () => {
    await up();
    const socket = connect(running.port, '127.0.0.1');
    socket.write(`POST ${PATH} HTTP/1.1\r\nHost: x\r\nX-Slow: `);
    const startedAt = performance.now();
    const told = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => {});
    });
    expect(performance.now() - startedAt).toBeLessThan(9_000);
    expect(told).toMatch(/^HTTP\/1.1 408/);
  });

  test('ends what is under way when it is closed, and takes nothing new', async () => {
    let commit = (): void => {};
    const onDisk = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let begun = (): void => {};
    const inside = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const accept: HttpDeps['accept'] = async () => {
      begun();
      await onDisk;
      return { id: 'cb-1', duplicate: false };
    };
    await up({ deps: { accept } });
    const body = failed();
    const answer = send(body, signed(body));
    await inside;
    const closed = running.close();
    await expect(call(running, 'GET', '/healthz')).rejects.toThrow();
    commit();
    expect((await answer).status).toBe(202);
    await closed;
  });
});
