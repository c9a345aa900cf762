/** A connection that nobody takes. In a file of its own, because nock, where it is loaded, stands between a request and its real socket. */
import { createConnection, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { createHttp } from '../../src/airflow/http.ts';

const LISTENER = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

let worker: Worker | null = null;
let filling: Socket[] = [];
afterEach(async () => {
  for (const socket of filling) socket.destroy();
  await worker?.terminate();
});

/** Listens and takes nobody in: when its queue is full, a connection hangs as behind a firewall that drops packets. */
async function blackHole(): Promise<string> {
  const listener = new Worker(LISTENER, { eval: true });
  worker = listener;
  const port: number = await new Promise((resolve) => listener.once('message', resolve));
  let stands = 0;
  filling = Array.from({ length: 6 }, () => createConnection(port, '127.0.0.1').on('connect', () => stands++));
  for (const socket of filling) socket.on('error', () => undefined);
  await expect.poll(() => stands, { timeout: 10_000 }).toBeGreaterThan(0);
  return `http://127.0.0.1:${port}`;
}

test('a connection that nobody takes is given up long before the time for an answer, and certainly nothing was sent', async () => {
  const http = createHttp({ baseUrl: await blackHole(), timeoutMs: 600_000, maxSockets: 2 });
  await expect(http.send({ method: 'POST', path: '/x', body: '{}' })).rejects.toMatchObject({
    ...{ reason: 'timeout', sent: false },
    message: 'no connection within 2000 ms',
  });
  http.close();
});
