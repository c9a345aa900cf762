import { afterEach, describe, expect, test } from 'vitest';
import { conflict } from '../../src/errors.ts';
import type { RestoreView } from '../../src/http/deps.ts';
import { call, type Running, start, type World, world } from './support.ts';

const VIEW: RestoreView = {
  at: '2026-11-21T09:00:00.000Z',
  because: 'restored from monday.db',
  knowsUntil: '2026-11-20T21:00:00.000Z',
  differences: [
    { airflow: 'prod', dagId: 'revenue_report', text: 'paused by us in the file, running in Airflow <b>now</b>' },
    { airflow: 'prod', dagId: null, text: 'a part of it could not be read: HTTP 503' },
  ],
};
let running: Running;
let w: World;
const up = async (view: RestoreView | null) => {
  w = world({ deps: { restored: async () => view } });
  running = await start(w);
};
afterEach(() => running?.stop());
const form = (body: string) => ({
  body,
  headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
});

describe('the API', () => {
  test('tells what differs', async () => {
    await up(VIEW);
    const answer = await call(running, 'GET', '/v1/restore', { as: 'viewer' });
    expect(answer.body).toEqual({
      observing: true,
      restored_at: VIEW.at,
      because: VIEW.because,
      knows_until: VIEW.knowsUntil,
      differences: VIEW.differences.map(({ airflow, dagId, text }) => ({ airflow, dag_id: dagId, text })),
    });
  });

  test('says that there is nothing to confirm', async () => {
    await up(null);
    expect((await call(running, 'GET', '/v1/restore', { as: 'viewer' })).body).toMatchObject({
      observing: false,
      differences: [],
    });
  });

  test('takes a confirmation with its reason, and none without', async () => {
    await up(VIEW);
    expect((await call(running, 'POST', '/v1/restore/confirm', { as: 'admin', json: {} })).status).toBe(400);
    expect((await call(running, 'POST', '/v1/restore/confirm', { as: 'approver', json: { reason: 'x' } })).status).toBe(403);
    expect((await call(running, 'POST', '/v1/restore/confirm', { as: 'admin', json: { reason: 'looked' } })).status).toBe(200);
    expect(w.acts).toEqual([{ person: { name: 'adam', role: 'admin' }, act: { kind: 'confirm_restore', comment: 'looked' } }]);
  });
});

describe('the page', () => {
  test('shows what differs as text, and the button to an admin only', async () => {
    await up(VIEW);
    const viewer = await call(running, 'GET', '/restore', { as: 'viewer' });
    expect(viewer.text).toContain('running in Airflow &lt;b&gt;now&lt;/b&gt;');
    expect(viewer.text).toContain('/dags/prod/revenue_report');
    expect(viewer.text).not.toContain('action="/restore/confirm"');
    expect((await call(running, 'GET', '/restore', { as: 'admin' })).text).toContain('action="/restore/confirm"');
  });

  test('a refused confirmation says why', async () => {
    w = world({
      deps: {
        restored: async () => null,
        act: async () => {
          throw conflict('there is nothing to confirm');
        },
      },
    });
    running = await start(w);
    const answer = await call(running, 'POST', '/restore/confirm', { as: 'admin', ...form('reason=looked') });
    expect([answer.status, answer.text.includes('there is nothing to confirm')]).toEqual([409, true]);
  });
});
