import { afterEach, expect, test } from 'vitest';
import { unavailable } from '../../src/errors.ts';
import * as sample from '../../src/web/samples.ts';
import { dagPath } from '../../src/web/words.ts';
import { all, attribute, read } from '../web/support.ts';
import { call, type Running, start, type World, world } from './support.ts';

let running: Running;
let w: World;
const up = async (more: Parameters<typeof world>[0] = {}) => {
  w = world(more);
  running = await start(w);
};
afterEach(() => running.stop());
const page = async (path: string) => {
  const answer = await call(running, 'GET', path, { as: 'viewer' });
  return { ...answer, page: read(answer.text) };
};

test.each([
  '/incidents',
  '/incidents?show=all&dag_id=orders_etl',
  '/incidents/inc-2041',
  '/incidents/inc-2041/release-preview',
  '/holds',
  '/dags',
  '/dags/prod/revenue_report',
  '/quarantine',
  '/report',
  '/report?airflow=prod&dag_id=%3Cb%3E&run_id=r1',
  '/login',
])('%s is a well-formed page', async (path) => {
  await up();
  const answer = await page(path);
  expect(answer.status).toBe(200);
  expect(answer.type).toBe('text/html; charset=utf-8');
  expect(answer.page.faults).toEqual([]);
});

test('reported from a link in Airflow: the form is filled in, becomes a declared incident, and a refusal keeps what was typed', async () => {
  await up();
  const filled = await page('/report?airflow=prod&dag_id=orders%22etl&run_id=r1&type=data_loss');
  const value = (id: string) => attribute(all(filled.page, 'input').find((i) => attribute(i, 'id') === id)!, 'value');
  expect([value('report-dag'), value('report-run')]).toEqual(['orders"etl', 'r1']);
  expect(filled.text).toContain('<option value="data_loss" selected>');
  const blank = await page('/report?run_id=scheduled__2026-11-20T00:00:00+00:00');
  const run = all(blank.page, 'input').find((i) => attribute(i, 'id') === 'report-run')!;
  expect(attribute(run, 'value'), 'the + that 3.1.8 does not encode').toBe('scheduled__2026-11-20T00:00:00+00:00');
  const form = (more: Record<string, string>) =>
    call(running, 'POST', '/report', {
      as: 'responder',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        airflow: 'prod',
        dag_id: 'orders_etl',
        run_id: 'r1',
        type: 'data_corruption',
        title: 'x',
        ...more,
      }).toString(),
    });
  const done = await form({ title: ' the totals are wrong ', reason: 'seen in the board' });
  expect([done.status, done.headers.get('location')]).toEqual([303, '/incidents/inc-2041']);
  expect(w.acts.map((a) => a.act)).toEqual([
    {
      kind: 'declare',
      airflow: 'prod',
      dagId: 'orders_etl',
      runId: 'r1',
      title: 'the totals are wrong',
      severity: null,
      incidentType: 'data_corruption',
      comment: 'seen in the board',
    },
  ]);
  const refused = await form({ title: ' ', reason: 'typed with care' });
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('typed with care');
  expect((await form({ airflow: 'other' })).status).toBe(400);
  expect((await form({ dag_id: 'x'.repeat(300) })).status).toBe(400);
  expect(w.acts).toHaveLength(1);
});

test('every link and every form of every page leads to something that is there', async () => {
  await up();
  w.views.set('inc-2041', sample.view());
  for (const dag of new Set([...sample.EDGES.flatMap((e) => [e.from.dagId, e.to.dagId])]))
    w.dags.set(`prod ${dag}`, w.dags.get('prod revenue_report')!);
  for (const path of ['/incidents', '/incidents/inc-2041', '/holds', '/dags/prod/revenue_report', '/quarantine', '/dags']) {
    const { page: shown } = await page(path);
    for (const link of all(shown, 'a').map((a) => attribute(a, 'href'))) {
      if (link.startsWith('http')) continue;
      if (link.startsWith('#'))
        expect(
          shown.tags.some((tag) => attribute(tag, 'id') === link.slice(1)),
          `${path} ${link}`,
        ).toBe(true);
      else expect((await page(link)).status, `${path} ${link}`).toBe(200);
    }
    for (const form of all(shown, 'form')) {
      const action = attribute(form, 'action');
      const answer = await call(running, attribute(form, 'method').toUpperCase(), action, {
        as: 'admin',
        ...(attribute(form, 'method') === 'post' ? { headers: { 'content-type': 'application/x-www-form-urlencoded' } } : {}),
      });
      expect(answer.status, `${path} ${action}`).not.toBe(404);
    }
  }
});

test.each(['a b', 'a:b', 'a/b', '../../etc', '..', '.', 'ünï-订单', '<script>alert(1)</script>', 'o\'b"c', '%2e%2e', 'a?b#c&d'])(
  'a DAG called %j has its page, found by its link',
  async (name) => {
    await up();
    w.dags.set(`prod ${name}`, w.dags.get('prod revenue_report')!);
    const answer = await page(dagPath('prod', name));
    expect(answer.status).toBe(200);
    expect(answer.page.faults).toEqual([]);
    expect(answer.page.text).toContain(name);
  },
);

test('a DAG that nobody knows: 404, and the form to try again', async () => {
  await up();
  const answer = await page('/dags/prod/revenue_reprot');
  expect(answer.status).toBe(404);
  expect(answer.page.text).toContain('Nothing is known of a DAG revenue_reprot in prod');
});

test.each(['/incidents/nope', '/nothing', '/incidents/%ff'])('%s is an error page, not an empty one', async (path) => {
  await up();
  const answer = await page(path);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.type).toContain('text/html');
  expect(answer.page.faults).toEqual([]);
});

test('while the store cannot be read, people are told so', async () => {
  await up();
  Object.assign(w.deps.read, {
    incident: async () => {
      throw unavailable('the database is being restored');
    },
    counts: async () => {
      throw new Error('no');
    },
  });
  const answer = await page('/incidents/inc-2041');
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  expect(answer.page.text).toContain('the database is being restored');
});

test('a fault of ours shows an id that the log knows, and nothing else', async () => {
  await up({
    deps: {
      releasePreview: async () => {
        throw new TypeError('password=hunter2');
      },
    },
  });
  const answer = await page('/incidents/inc-2041/release-preview');
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('hunter2');
  const logged = w.logged.find((line) => line.level === 'error')!.fields as { errorId: string };
  expect(answer.page.text).toContain(logged.errorId);
});

test('a page is shown although our own state cannot be read, and says so', async () => {
  await up({
    deps: {
      health: async () => {
        throw new Error('no');
      },
    },
  });
  const answer = await page('/incidents');
  expect(answer.status).toBe(200);
  expect(answer.page.text).toContain('The state of Firedamper could not be read.');
});

test('style, script and icon are there for everybody, and nothing else of the folder', async () => {
  await up();
  for (const [file, type] of [
    ['style.css', 'text/css'],
    ['app.js', 'text/javascript'],
    ['icon.svg', 'image/svg+xml'],
  ] as const) {
    const answer = await call(running, 'GET', `/assets/${file}`);
    expect([answer.status, answer.type.split(';')[0]]).toEqual([200, type]);
    const again = await call(running, 'GET', `/assets/${file}`, {
      headers: { 'if-modified-since': answer.headers.get('last-modified')!, 'cache-control': 'max-age=0' },
    });
    expect(again.status).toBe(304);
  }
  for (const file of [
    '..%2fgallery.ts',
    '%2e%2e%2f%2e%2e%2fconfig.ts',
    'constructor',
    '__proto__',
    'STYLE.css',
    'style.css%00',
  ]) {
    expect((await call(running, 'GET', `/assets/${file}`)).status, file).toBe(404);
  }
});

test('older incidents are one link away', async () => {
  await up();
  for (let i = 0; i < 60; i++) w.views.set(`i${i}`, sample.view({ incident: sample.incident({ id: `i${i}` }) }));
  const first = await page('/incidents?show=all');
  const older = all(first.page, 'a')
    .map((a) => attribute(a, 'href'))
    .find((href) => href.includes('cursor='));
  expect(older).toBe('/incidents?show=all&cursor=50');
  expect(all((await page(older!)).page, 'tr').length).toBe(12);
});
