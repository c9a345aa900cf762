/** The fault proxy itself: each toxic does what its name says, and only that. */
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy, type Toxic } from '../../support/faults/network/proxy.ts';

const BODY = 'x'.repeat(2_000);
let server: Server;
let heard: string[] = [];
let proxy: FaultProxy;

beforeEach(async () => {
  heard = [];
  server = createServer(async (request, response) => {
    let text = '';
    try {
      for await (const chunk of request) text += chunk;
    } catch {
      return; // a request that was cut is no request
    }
    heard.push(`${request.method} ${request.url} ${text}`);
    response.end(BODY);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await startFaultProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

interface Got {
  readonly status: number;
  readonly text: string;
  readonly pieces: number;
}

/** One request on a connection of its own; a rejection carries what came before it. */
function ask(path = '/', body = '', giveUpMs = 10_000): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'close', ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }) };
    const call = httpRequest(`${proxy.url}${path}`, { method: body === '' ? 'GET' : 'POST', headers }, (response) => {
      let text = '';
      let pieces = 0;
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        pieces += 1;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, pieces }));
      response.on('error', (error) => reject(Object.assign(error, { text })));
    });
    const timer = setTimeout(() => call.destroy(new Error('gave up')), giveUpMs);
    call.on('close', () => clearTimeout(timer));
    call.on('error', reject);
    call.end(body);
  });
}

/** How long the exchange took, for toxics whose effect is time: only lower bounds are looked at. */
async function lasted(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

test('without a toxic everything passes unchanged, request after request', async () => {
  for (const path of ['/a', '/b?c=d']) expect(await ask(path, 'hello')).toMatchObject({ status: 200, text: BODY });
  expect(heard).toEqual(['POST /a hello', 'POST /b?c=d hello']);
  expect(proxy.connections).toBe(2);
});

test.each<[string, Toxic, number]>([
  ['latency', { kind: 'latency', ms: 120, stream: 'upstream' }, 120],
  ['latency with jitter', { kind: 'latency', ms: 200, jitter: 100, stream: 'upstream' }, 100],
  ['bandwidth', { kind: 'bandwidth', bytesPerSecond: 20_000, stream: 'downstream' }, 100],
])('%s delays and loses nothing', async (_, toxic, atLeast) => {
  proxy.add(toxic);
  // Timers may fire a millisecond early.
  expect(await lasted(async () => expect((await ask()).text).toBe(BODY))).toBeGreaterThanOrEqual(atLeast - 5);
});

test('jitter: no two requests are late by the same time', async () => {
  proxy.add({ kind: 'latency', ms: 150, jitter: 150, stream: 'upstream' });
  const took: number[] = [];
  for (let n = 0; n < 8; n++) took.push(await lasted(() => ask()));
  // Without jitter a slow machine makes some of them later, and none of them early.
  expect(Math.min(...took)).toBeLessThan(140);
  expect(Math.max(...took)).toBeGreaterThan(200);
});

test('slow_close: the answer is there, its end is late', async () => {
  proxy.add({ kind: 'slow_close', ms: 150, stream: 'downstream' });
  const { hostname, port } = new URL(proxy.url);
  const between = await new Promise<number>((resolve, reject) => {
    let answered = 0;
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    socket.on('data', () => {
      answered = performance.now();
    });
    socket.on('end', () => resolve(performance.now() - answered));
    socket.on('error', reject);
  });
  expect(between).toBeGreaterThanOrEqual(100);
});

test('slicer: small pieces, nothing lost', async () => {
  proxy.add({ kind: 'slicer', bytes: 100, stream: 'downstream' });
  const got = await ask();
  expect(got.text).toBe(BODY);
  expect(got.pieces).toBeGreaterThan(5);
});

test.each([
  ['before the effect', 'upstream', 0],
  ['after the effect', 'downstream', 1],
] as const)('reset_peer %s', async (_, stream, effects) => {
  proxy.add({ kind: 'reset_peer', stream });
  await expect(ask('/do', 'it')).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(heard).toHaveLength(effects);
});

test.each([
  ['before the effect', 'upstream', 0],
  ['after the effect', 'downstream', 1],
] as const)('timeout 0 is half-open, %s: nobody is told anything', async (_, stream, effects) => {
  proxy.add({ kind: 'timeout', ms: 0, stream });
  await expect(ask('/do', 'it', 200)).rejects.toThrow('gave up');
  expect(heard).toHaveLength(effects);
});

test('timeout ends the connection after its time', async () => {
  proxy.add({ kind: 'timeout', ms: 50, stream: 'downstream' });
  await expect(ask('/do', 'it')).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('limit_data: a truncated body', async () => {
  proxy.add({ kind: 'limit_data', bytes: 700, stream: 'downstream' });
  const error = await ask().then(
    () => null,
    (e: unknown) => e as { code: string; text: string },
  );
  expect(error?.code).toBe('ECONNRESET');
  expect(error?.text.length).toBeGreaterThan(100);
  expect(error?.text.length).toBeLessThan(700);
});

test.each([
  ['instead of the request', 'upstream', 0],
  ['instead of the answer', 'downstream', 1],
] as const)('page %s', async (_, stream, effects) => {
  proxy.add({ kind: 'page', status: 504, stream });
  expect(await ask('/do', 'it')).toMatchObject({ status: 504, text: expect.stringContaining('<html>') });
  expect(heard).toHaveLength(effects);
});

test('latency longer than the patience of the asker: the effect comes after the time-out', async () => {
  proxy.add({ kind: 'latency', ms: 200, stream: 'upstream' });
  await expect(ask('/do', 'it', 60)).rejects.toThrow('gave up');
  expect(heard).toEqual([]);
  await expect.poll(() => heard).toEqual(['POST /do it']);
});

test('a toxic that lies in wait hits that request alone, so often, and in whole', async () => {
  const placed = proxy.add({ kind: 'reset_peer', stream: 'upstream', when: /^POST \/do[\s\S]*"yes":true/, times: 1 });
  await ask('/do', '{"yes":false}');
  await expect(ask('/do', '{"yes":true}')).rejects.toMatchObject({ code: 'ECONNRESET' });
  await ask('/do', '{"yes":true}');
  expect(placed.hits).toBe(1);
  expect(heard).toEqual(['POST /do {"yes":false}', 'POST /do {"yes":true}']);
});

test('down is refused, up is the same address', async () => {
  await proxy.down();
  await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.up();
  expect((await ask()).status).toBe(200);
});
