import nock from 'nock';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { airflow2, airflow3, canary, clientOf, dagV2, everythingIn, host, refusalOf, runV2, tokenClient } from './setup.ts';

beforeAll(() => nock.disableNetConnect());
afterEach(() => nock.cleanAll());
afterAll(() => {
  nock.enableNetConnect();
  nock.restore();
});

const trigger = { dagId: 'A', runId: 'r', interval: null, conf: null, note: null };

test.each([
  ['a redirect', 302, '', { Location: 'http://elsewhere.test/' }, 'not_airflow', 'none'],
  ['HTML with a 200', 200, '<html>', { 'Content-Type': 'text/html' }, 'not_airflow', 'unknown'],
  ['JSON that is no object', 200, '[]', { 'Content-Type': 'application/json' }, 'not_airflow', 'unknown'],
  ['half a JSON', 200, '{"dag_run_id": "r', { 'Content-Type': 'application/json' }, 'not_airflow', 'unknown'],
  ['JSON of somebody else', 200, '{"hello": "world"}', { 'Content-Type': 'application/json' }, 'not_airflow', 'unknown'],
  ['the 502 page of a proxy', 502, '<h1>Bad Gateway</h1>', { 'Content-Type': 'text/html' }, 'server_error', 'unknown'],
  ['a 500', 500, '{"detail": "Internal Server Error"}', { 'Content-Type': 'application/json' }, 'server_error', 'unknown'],
  ['a 401', 401, '{"detail": "Not authenticated"}', { 'Content-Type': 'application/json' }, 'unauthorized', 'none'],
  ['a 403', 403, '{"detail": "Forbidden"}', { 'Content-Type': 'application/json' }, 'forbidden', 'none'],
  [
    'a 404 for the DAG',
    404,
    '{"detail": "The Dag with ID: `A` was not found"}',
    { 'Content-Type': 'application/json' },
    'not_found',
    'none',
  ],
  ['a 404 for the route', 404, '{"error": "API route not found"}', { 'Content-Type': 'application/json' }, 'not_airflow', 'none'],
  [
    'a 409',
    409,
    '{"detail": {"reason": "Unique constraint violation"}}',
    { 'Content-Type': 'application/json' },
    'conflict',
    'none',
  ],
  [
    'a 422',
    422,
    '{"detail": [{"loc": ["body", "x"], "msg": "nope", "input": "secret input"}]}',
    { 'Content-Type': 'application/json' },
    'rejected',
    'none',
  ],
  ['a 405', 405, '{"detail": "Method Not Allowed"}', { 'Content-Type': 'application/json' }, 'unsupported', 'none'],
])('%s: one error of ours, and for a POST what it means for the outcome', async (_, status, body, headers, kind, outcome) => {
  airflow3();
  const post = nock(host).post('/api/v2/dags/A/dagRuns').reply(status, body, headers);
  const client = tokenClient();
  const error = await refusalOf(client.triggerRun(trigger));
  expect(error).toMatchObject({ name: 'AirflowError', kind, outcome, operation: 'POST /dags/{dag_id}/dagRuns' });
  expect(everythingIn(error)).not.toContain(canary);
  expect(everythingIn(error)).not.toContain('secret input');
  expect(post.isDone()).toBe(true);
  client.close();
});

test('a POST is sent once, whatever happens to its answer', async () => {
  airflow3();
  let sent = 0;
  nock(host)
    .post('/api/v2/dags/A/dagRuns')
    .times(5)
    .reply(() => {
      sent += 1;
      return [503, '{"detail": "busy"}', { 'Content-Type': 'application/json', 'Retry-After': '0' }];
    });
  const client = tokenClient();
  await expect(client.triggerRun(trigger)).rejects.toMatchObject({ kind: 'server_error', outcome: 'unknown', status: 503 });
  expect(sent).toBe(1);
  client.close();
});

test('a connection that is cut after a POST was sent leaves the outcome unknown; a GET changes nothing either way', async () => {
  airflow3();
  nock(host)
    .post('/api/v2/dags/A/dagRuns')
    .replyWithError(Object.assign(new Error('cut'), { code: 'ECONNRESET' }));
  nock(host)
    .get('/api/v2/dags/A')
    .times(3)
    .replyWithError(Object.assign(new Error('cut'), { code: 'ECONNRESET' }));
  const client = tokenClient();
  await expect(client.getDag('A')).rejects.toMatchObject({ kind: 'unreachable', outcome: 'none' });
  await expect(client.triggerRun(trigger)).rejects.toMatchObject({ kind: 'unreachable' });
  client.close();
});

test('GETs, lists that containment reads, and the pausing PATCH are tried three times, a list of the poll twice', async () => {
  airflow3();
  const count = { get: 0, patch: 0, list: 0, poll: 0 };
  const failing = (what: keyof typeof count) => () => {
    count[what] += 1;
    return [502, '<h1>Bad Gateway</h1>', { 'Content-Type': 'text/html' }] as const;
  };
  const scope = nock(host).persist();
  scope.get('/api/v2/dags/A').reply(failing('get'));
  scope.patch('/api/v2/dags/A').query(true).reply(failing('patch'));
  scope.get('/api/v2/dags').query(true).reply(failing('list'));
  scope.get('/api/v2/dags/~/dagRuns').query(true).reply(failing('poll'));
  const client = tokenClient();
  await expect(client.getDag('A')).rejects.toMatchObject({ status: 502 });
  await expect(client.setPaused('A', true, 'op')).rejects.toMatchObject({ status: 502, outcome: 'unknown' });
  // Another one, because four failures of five calls open the lane.
  await expect(tokenClient().listDags()).rejects.toMatchObject({ status: 502 });
  await expect(client.listFailedRuns(new Date(0).toISOString())).rejects.toMatchObject({ status: 502 });
  expect(count).toEqual({ get: 3, patch: 3, list: 3, poll: 2 });
  client.close();
});

test('Retry-After is waited for; one that is too long is not', async () => {
  airflow3();
  const json = { 'Content-Type': 'application/json' };
  nock(host)
    .get('/api/v2/dags/A')
    .reply(429, '{"detail": "slow down"}', { ...json, 'Retry-After': '1' });
  nock(host).get('/api/v2/dags/A').reply(200, dagV2('A'));
  nock(host)
    .get('/api/v2/dags/B')
    .reply(503, '{"detail": "maintenance"}', { ...json, 'Retry-After': '3600' });
  const client = tokenClient();
  const before = performance.now();
  await client.getDag('A');
  expect(performance.now() - before).toBeGreaterThan(950);
  await expect(client.getDag('B')).rejects.toMatchObject({ status: 503 });
  client.close();
});

test('after many failures a lane stops asking; another lane goes on', async () => {
  airflow3();
  let asked = 0;
  const scope = nock(host).persist();
  scope.get('/api/v2/dags/A').reply(() => {
    asked += 1;
    return [500, '{"detail": "no"}', { 'Content-Type': 'application/json' }];
  });
  scope
    .patch('/api/v2/dags/B')
    .query(true)
    .reply(200, dagV2('B', { is_paused: true }));
  const client = tokenClient();
  for (let n = 0; n < 20; n++) await refusalOf(client.getDag('A'));
  const before = asked;
  expect(before).toBeLessThan(30);
  await expect(client.getDag('A')).rejects.toMatchObject({ kind: 'unreachable', outcome: 'none' });
  expect(asked).toBe(before);
  expect((await client.setPaused('B', true, 'op')).paused).toBe(true);
  client.close();
});

test('a server that echoes our request does not get our secret into an error', async () => {
  airflow3();
  nock(host)
    .get('/api/v2/dags/A')
    .reply((request: Request) => {
      return [
        400,
        JSON.stringify({ detail: `bad header ${request.headers.get('authorization')}` }),
        { 'Content-Type': 'application/json' },
      ];
    });
  const client = tokenClient();
  const error = await refusalOf(client.getDag('A'));
  expect(String(error)).toContain('bad header');
  expect(everythingIn(error)).not.toContain(canary);
  client.close();
});

test('no redirect is followed and no header goes elsewhere', async () => {
  airflow3();
  const elsewhere = nock('http://elsewhere.test').get('/api/v2/dags/A').reply(200, dagV2('A'));
  nock(host).get('/api/v2/dags/A').reply(307, '', { Location: 'http://elsewhere.test/api/v2/dags/A' });
  const client = tokenClient();
  await expect(client.getDag('A')).rejects.toMatchObject({ kind: 'not_airflow', status: 307 });
  expect(elsewhere.isDone()).toBe(false);
  client.close();
});

test.each(['..', '.', '', '~', 'a/b', 'a\\b', 'x\u0000', 'x\r\ny', '\ud800', 'x'.repeat(251)])(
  'the id %j is refused before it is sent',
  async (hostile) => {
    airflow3();
    const client = tokenClient();
    await client.probe().catch(() => null);
    const attempts = [
      client.getDag(hostile),
      client.setPaused(hostile, true, 'op'),
      client.getRun('A', hostile),
      client.getRenderedFields('A', 'r', hostile),
      client.clear({ dagId: hostile, runId: 'r', tasks: ['t'], onLatestVersion: false }),
      client.triggerRun({ ...trigger, runId: hostile }),
    ];
    for (const attempt of attempts) await expect(attempt).rejects.toMatchObject({ kind: 'bad_id', outcome: 'none' });
    client.close();
  },
);

test('a DAG id in any script, with blanks and colons, reaches exactly its own path', async () => {
  airflow3();
  nock(host).get('/api/v2/dags/%C3%9Ctil_%E6%97%A5%E6%9C%AC.x%3A%201').reply(200, dagV2('Ütil_日本.x: 1'));
  const client = tokenClient();
  expect((await client.getDag('Ütil_日本.x: 1')).dagId).toBe('Ütil_日本.x: 1');
  client.close();
});

test('a plus sign in a query is encoded, and times come out one way', async () => {
  airflow3();
  let asked = '';
  nock(host)
    .get('/api/v2/dags/~/dagRuns')
    .query(true)
    .reply((request: Request) => {
      asked = new URL(request.url).pathname + new URL(request.url).search;
      return [
        200,
        {
          dag_runs: [runV2('manual__2026-11-20T10:00:00+00:00', { logical_date: '2026-11-20T11:00:00+01:00' })],
          total_entries: 1,
        },
      ];
    });
  const client = tokenClient();
  const [run] = await client.listFailedRuns('2026-11-20T10:00:00+00:00');
  expect(asked).toContain('end_date_gte=2026-11-20T10%3A00%3A00%2B00%3A00');
  expect(run).toMatchObject({
    logicalDate: '2026-11-20T10:00:00.000Z',
    startDate: '2026-11-20T10:00:01.500Z',
    endDate: '2026-11-20T10:00:02.123Z',
  });
  client.close();
});

test('runs that never started and run types that nobody knows yet', async () => {
  airflow3();
  const rows = [
    runV2('dead', { start_date: null, end_date: null, run_type: 'backfill' }),
    runV2('new', { run_type: 'invented_tomorrow' }),
  ];
  nock(host).get('/api/v2/dags/~/dagRuns').query(true).reply(200, { dag_runs: rows, total_entries: 2 });
  const client = tokenClient();
  expect((await client.listFailedRuns('2026-11-20T10:00:00Z')).map((run) => [run.runId, run.runType])).toEqual([
    ['new', 'invented_tomorrow'],
  ]);
  client.close();
});

test('2.x gets no parameter of ours, 3.x does', async () => {
  airflow2();
  let asked = '';
  const dag = {
    dag_id: 'A',
    is_paused: true,
    owners: [],
    tags: null,
    schedule_interval: null,
    timetable_description: null,
    max_active_runs: 16,
    next_dagrun: null,
    next_dagrun_create_after: null,
  };
  nock(host)
    .patch('/api/v1/dags/A', { is_paused: true })
    .query(true)
    .reply((request: Request) => {
      asked = new URL(request.url).pathname + new URL(request.url).search;
      return [200, dag];
    });
  const client = clientOf();
  expect((await client.setPaused('A', true, 'op_1')).paused).toBe(true);
  expect(asked).toBe('/api/v1/dags/A?update_mask=is_paused');
  client.close();
});

test.each([
  ['3.0.6', undefined],
  ['3.1.8', true],
])('a clear on %s asks for the newest DAG version only where it is known', async (version, sent) => {
  airflow3(version);
  let body: Record<string, unknown> = {};
  nock(host).get('/api/v2/dags/A/dagRuns/r').reply(200, runV2('r'));
  nock(host)
    .post('/api/v2/dags/A/clearTaskInstances')
    .reply(async (request: Request) => {
      body = (await request.json()) as Record<string, unknown>;
      return [200, { task_instances: [], total_entries: 0 }];
    });
  const client = tokenClient();
  await client.clear({ dagId: 'A', runId: 'r', tasks: ['make'], onLatestVersion: true });
  expect(body).toEqual({
    ...{
      dry_run: false,
      dag_run_id: 'r',
      task_ids: ['make'],
      only_failed: false,
      include_downstream: true,
      reset_dag_runs: true,
    },
    ...(sent === undefined ? {} : { run_on_latest_version: sent }),
  });
  client.close();
});

test('a run of a command-line backfill of 2.x is never cleared', async () => {
  airflow2();
  const run = {
    dag_run_id: 'backfill__x',
    dag_id: 'A',
    logical_date: '2026-11-01T00:00:00Z',
    start_date: null,
    end_date: null,
    data_interval_start: null,
    data_interval_end: null,
    run_type: 'backfill',
    state: 'failed',
  };
  nock(host).get('/api/v1/dags/A/dagRuns/backfill__x').times(2).reply(200, run);
  const client = clientOf();
  const request = { dagId: 'A', runId: 'backfill__x', tasks: null, onLatestVersion: false };
  await expect(client.clear(request)).rejects.toMatchObject({ kind: 'unsupported', outcome: 'none' });
  await expect(client.dryRunClear(request)).rejects.toMatchObject({ kind: 'unsupported' });
  client.close();
});
