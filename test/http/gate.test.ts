import { createHmac } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import * as sample from '../../src/web/samples.ts';
import { againstSpec, call, type Running, SECRET, start, type World, world } from './support.ts';

const PATH = '/v1/gate/airflow/prod';
const KEY = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
let running: Running;
let w: World;
const asked: string[] = [];
const up = async (deps: Partial<World['deps']> = {}) => {
  asked.length = 0;
  const gate: World['deps']['gate'] = async (airflow, dagId) => {
    asked.push(`${airflow}/${dagId}`);
    return {
      decision: 'wait',
      covering: [{ incident: sample.view().incident, path: ['orders_etl -(asset x)-> revenue_report'] }],
    };
  };
  w = world({ deps: { gate, ...deps } });
  running = await start(w);
};
afterEach(() => running.stop());

async function ask(body: string, { path = PATH, key = KEY, type = 'application/json', skew = 0 } = {}) {
  const time = String(Math.floor(w.now / 1000) - skew);
  const mac = createHmac('sha256', key).update(`q-1.${time}.${body}`).digest('base64');
  const headers = { 'content-type': type, 'webhook-id': 'q-1', 'webhook-timestamp': time, 'webhook-signature': `v1,${mac}` };
  return call(running, 'POST', path, { headers, body });
}
const question = (dagId: unknown = 'revenue_report') =>
  JSON.stringify({ version: 1, dag_id: dagId, run_id: 'r1', logical_date: null, asked_at: '2026-11-21T06:00:00Z' });

test('a signed question is answered with the incidents that cover what the DAG reads', async () => {
  await up();
  const answer = await ask(question());
  expect(answer.status).toBe(200);
  expect(againstSpec('POST', '/v1/gate/airflow/{airflow}', answer)).toEqual([]);
  expect(answer.body).toMatchObject({
    decision: 'wait',
    reason: 'what this DAG reads is covered by inc-2041 (orders_etl)',
    incidents: [{ id: 'inc-2041', url: 'http://localhost:8470/incidents/inc-2041', dag_id: 'orders_etl' }],
  });
  expect(asked).toEqual(['prod/revenue_report']);
});

test('nothing open: pass', async () => {
  await up({ gate: async () => ({ decision: 'pass', covering: [] }) });
  expect((await ask(question())).body).toMatchObject({ decision: 'pass', incidents: [] });
});

test('before this Airflow was read nobody can say: 503, and when to ask again', async () => {
  await up({ gate: async () => null });
  const answer = await ask(question());
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '30']);
});

test.each([
  ['a forged signature', question(), { key: Buffer.from('another secret of thirty-two byt') }, 401],
  ['an old one', question(), { skew: 3_600 }, 401],
  ['an unknown Airflow', question(), { path: '/v1/gate/airflow/other' }, 404],
  ['no JSON', '{', {}, 400],
  ['no DAG', question(null), {}, 400],
  ['a list', '[]', {}, 400],
  ['another type', question(), { type: 'text/plain' }, 415],
  ['a long one', JSON.stringify({ dag_id: 'x', more: 'y'.repeat(20_000) }), {}, 413],
])('%s is refused, and nothing is asked', async (_what, body, how, status) => {
  await up();
  expect((await ask(body, how)).status).toBe(status);
  expect(asked).toEqual([]);
});
