/** Who we are: tokens of 3.x, Basic and session of 2.x, static tokens; and which Airflow it is at all. */
import nock from 'nock';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/config.ts';
import { type FakeAirflow, type FakeOptions, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { airflow3, clientOf, dagV2, host, jwt, tokenClient } from './setup.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const start = async (options: FakeOptions, more: Parameters<typeof clientOf>[0] = {}) => {
  const fake = await startFakeAirflow(options);
  fake.dag('A', { tasks: { t: {} } });
  const client = clientOf({
    url: fake.url,
    auth: { kind: 'password', username: 'firedamper', password: new Secret('firedamper') },
    ...more,
  });
  closing.push(
    () => fake.close(),
    () => client.close(),
  );
  return { fake, client };
};
const logins = (fake: FakeAirflow) => fake.auth.logins.length;

describe('tokens of 3.x', () => {
  test('fifty calls at once log in once', async () => {
    const { fake, client } = await start({ generation: 3, latencyMs: 5 });
    await Promise.all(Array.from({ length: 50 }, () => client.getDag('A')));
    expect(logins(fake)).toBe(1);
  });

  test.each([
    ['expired (401)', (fake: FakeAirflow) => fake.auth.expireTokens()],
    ['signed with a key that is gone (403)', (fake: FakeAirflow) => fake.auth.rotateKey()],
  ])('fifty calls with a token that is %s: one new log-in, no call fails', async (_, breakTokens) => {
    const { fake, client } = await start({ generation: 3, latencyMs: 5 });
    await client.getDag('A');
    breakTokens(fake);
    await Promise.all(Array.from({ length: 50 }, () => client.getDag('A')));
    expect(logins(fake)).toBe(2);
  });

  test('a refusal of the old token that comes late does not throw the new one away', async () => {
    const { fake, client } = await start({ generation: 3 });
    fake.dag('slow', { tasks: { t: {} } });
    await client.getDag('A');
    fake.auth.expireTokens();
    fake.inject({ path: /dags\/slow$/, fault: { kind: 'delay', ms: 60 }, times: 1 });
    const late = client.getDag('slow');
    await client.getDag('A');
    await late;
    expect(logins(fake)).toBe(2);
  });

  test('a POST is sent again after a new log-in, because the refused one did nothing', async () => {
    const { fake, client } = await start({ generation: 3 });
    await client.getDag('A');
    fake.auth.expireTokens();
    await client.triggerRun({ dagId: 'A', runId: 'once', interval: null, conf: null, note: null });
    expect(fake.runs('A')).toHaveLength(1);
  });

  test('renewed at 80 % of its life, not before', async () => {
    let now = Date.now();
    const { fake, client } = await start({ generation: 3, tokenSeconds: 1_000 }, { now: () => now });
    await client.getDag('A');
    now += 790_000;
    await client.getDag('A');
    expect(logins(fake)).toBe(1);
    now += 20_000;
    await client.getDag('A');
    expect(logins(fake)).toBe(2);
  });

  test('while the old token is good, a log-in page that is down stops nobody', async () => {
    let now = Date.now();
    const { fake, client } = await start({ generation: 3, tokenSeconds: 1_000 }, { now: () => now });
    await client.getDag('A');
    now += 900_000;
    fake.inject({ path: '/auth/token', fault: { kind: 'answer', answer: { status: 502, html: 'down' } } });
    expect((await client.getDag('A')).dagId).toBe('A');
  });

  test('a refused password is one log-in, not a loop; after a while it is tried again', async () => {
    let now = Date.now();
    const wrong = { auth: { kind: 'password', username: 'firedamper', password: new Secret('wrong') } as const, now: () => now };
    const { fake, client } = await start({ generation: 3 }, wrong);
    for (let n = 0; n < 10; n++)
      await expect(client.getDag('A')).rejects.toMatchObject({ kind: 'unauthorized', outcome: 'none' });
    expect(logins(fake)).toBe(1);
    now += 31_000;
    await expect(client.getDag('A')).rejects.toMatchObject({ kind: 'unauthorized' });
    expect(logins(fake)).toBe(2);
  });

  test('a 403 for a missing right is no reason to log in again', async () => {
    const { fake, client } = await start(
      { generation: 3 },
      { auth: { kind: 'password', username: 'viewer', password: new Secret('viewer') } },
    );
    await expect(client.setPaused('A', true, 'op')).rejects.toMatchObject({ kind: 'forbidden' });
    expect(logins(fake)).toBe(1);
    expect(fake.requestsTo('PATCH', '/dags/{dag_id}')).toHaveLength(1);
  });
});

describe('2.x', () => {
  test('the log-in form once, then its cookie on every call and no password', async () => {
    const { fake, client } = await start({ generation: 2, latencyMs: 3 }, { sessionLogin: true });
    await Promise.all(Array.from({ length: 20 }, () => client.getDag('A')));
    expect(logins(fake)).toBe(1);
  });

  test.each([
    ['the form is not there', { loginForm: false }],
    ['the API does not take the cookie', { sessionBackend: false }],
  ])('Basic where %s', async (_, options) => {
    const { client } = await start({ generation: 2, ...options }, { sessionLogin: true });
    expect((await client.getDag('A')).dagId).toBe('A');
    expect((await client.setPaused('A', true, 'op')).paused).toBe(true);
  });

  test('an ended session is opened again and the call succeeds', async () => {
    const { fake, client } = await start({ generation: 2 }, { sessionLogin: true });
    await client.getDag('A');
    fake.auth.expireTokens();
    expect((await client.getDag('A')).dagId).toBe('A');
    expect(logins(fake)).toBe(2);
  });

  test('a missing right does not end the session, and the session is not looked at again at every refusal', async () => {
    const viewer = { kind: 'password', username: 'viewer', password: new Secret('viewer') } as const;
    const { fake, client } = await start({ generation: 2 }, { sessionLogin: true, auth: viewer });
    for (let n = 0; n < 10; n++) expect(await client.auditCursor()).toMatchObject({ readable: false });
    expect(logins(fake)).toBe(1);
    expect(fake.requestsTo('GET', '/dags').length).toBeLessThanOrEqual(2);
  });
});

describe('static tokens and the version', () => {
  beforeAll(() => nock.disableNetConnect());
  afterEach(() => nock.cleanAll());
  afterAll(() => {
    nock.enableNetConnect();
    nock.restore();
  });
  const token = (claims: object) => ({ auth: { kind: 'token', token: new Secret(jwt(claims)) } as const });

  test('the account of a token: its name, but not the number that FAB writes', () => {
    expect(clientOf(token({ sub: 'svc_firedamper' })).account).toBe('svc_firedamper');
    expect(clientOf(token({ sub: '17' })).account).toBeNull();
    expect(tokenClient().account).toBeNull();
    expect(clientOf().account).toBe('firedamper');
  });

  test('a path before the API is kept, also for the log-in', async () => {
    airflow3('3.2.2', host, '/team/airflow');
    const scope = nock(host)
      .post('/team/airflow/auth/token')
      .reply(201, { access_token: jwt({ exp: 99_999_999_999 }) });
    scope.get('/team/airflow/api/v2/dags/A').reply(200, dagV2('A'));
    const client = clientOf({ url: `${host}/team/airflow/` });
    expect((await client.getDag('A')).dagId).toBe('A');
    expect(scope.isDone()).toBe(true);
    expect(client.pageUrl('A', 'r 1', 't')).toBe(`${host}/team/airflow/dags/A/runs/r%201/tasks/t`);
  });

  test.each(['4.0.0', '2.3.4', 'tomorrow'])('version %s is refused by its name', async (version) => {
    nock(host).persist().get('/api/v2/version').reply(200, { version });
    await expect(tokenClient().probe()).rejects.toMatchObject({ kind: 'unsupported', message: expect.stringContaining(version) });
  });

  test('an address that is no Airflow', async () => {
    nock(host).persist().get(/.*/).reply(200, '<h1>Welcome to nginx</h1>', { 'Content-Type': 'text/html' });
    await expect(tokenClient().probe()).rejects.toMatchObject({ kind: 'not_airflow', operation: 'GET /version' });
  });

  test('after an upgrade from 2 to 3 the client finds its way by itself', async () => {
    let now = Date.now();
    const old = nock(host).persist();
    old.get('/api/v2/version').reply(404, 'no', { 'Content-Type': 'text/html' });
    old.get('/api/v1/version').reply(200, { version: '2.11.2' });
    const client = tokenClient({ now: () => now });
    old.get('/api/v1/eventLogs').query(true).reply(200, { event_logs: [] });
    expect(await client.auditCursor()).toEqual({ readable: true, id: 0 });
    expect(client.canBackfill).toBe(false);

    nock.cleanAll();
    now += 60_000;
    airflow3();
    nock(host)
      .persist()
      .get(/^\/api\/v1\//)
      .reply(404, { error: '/api/v1 has been removed in Airflow 3' });
    nock(host).get('/api/v2/dags/A').reply(200, dagV2('A'));
    await expect(client.getDag('A')).rejects.toMatchObject({ kind: 'not_airflow' });
    expect((await client.getDag('A')).dagId).toBe('A');
    expect(client.canBackfill).toBe(true);
  });
});
