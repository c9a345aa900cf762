import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type AirflowClient, AirflowError, type AirflowIdentity, type Capability } from '../../src/airflow/client.ts';
import { createAirflowClient } from '../../src/airflow/connect.ts';
import { runCheck } from '../../src/commands/check.ts';
import { roleRecipes } from '../../src/commands/roles.ts';
import { type Config, parseConfig } from '../../src/config.ts';
import type { DagFacts, Lineage } from '../../src/core/facts.ts';

const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const NOW = Date.parse('2026-11-21T08:00:00.500Z');
const TOKENS = 'access: { tokens: [{ name: ann, role: approver, secret: "0123456789abcdef" }] }\n';

const configFor = (url: string, more = ''): Config =>
  parseConfig(
    `airflows:\n  - id: prod\n    url: ${url}\n    auth: { username: firedamper, password: hunter2 }\n    callback_secrets: ["${KEY}"]\n    timeout: 1s\n${TOKENS}${more}`,
    { file: 'f.yaml', folder: '/', env: {} },
  );

const NAMES = [
  'read_dags',
  'pause',
  'read_runs',
  'clear',
  'backfill',
  'trigger',
  'read_audit_log',
  'read_lineage',
  'read_assets',
  'read_import_errors',
  'create_asset_events',
];
const rights = (change: Readonly<Record<string, Capability['allowed']>> = {}): Capability[] =>
  NAMES.map((name) => ({
    name,
    allowed: change[name] ?? 'yes',
    note: (change[name] ?? 'yes') === 'yes' ? '' : `without ${name} something is missing`,
  }));
const everything = (allowed: Capability['allowed']) => Object.fromEntries(NAMES.map((name) => [name, allowed]));

interface Told {
  readonly identity?: Partial<AirflowIdentity>;
  readonly rights?: readonly Capability[] | AirflowError;
  readonly dags?: readonly string[];
  readonly lineage?: Partial<Lineage> | AirflowError;
}

/** An Airflow that says what a test wants to hear. */
function airflowThat(told: Told): AirflowClient {
  const identity: AirflowIdentity = {
    version: '3.3.2',
    generation: 3,
    scheduler: 'healthy',
    database: 'healthy',
    serverTime: '2026-11-21T08:00:00.000Z',
    ...told.identity,
  };
  const answer = async <T>(value: T | AirflowError): Promise<T> => {
    if (value instanceof AirflowError) throw value;
    return value;
  };
  const client: Partial<AirflowClient> = {
    id: 'prod',
    account: 'firedamper',
    probe: () => answer(identity),
    capabilities: () => answer(told.rights ?? rights()),
    listDags: () =>
      answer(
        (told.dags ?? ['orders_etl', 'revenue_report']).map((dagId) => ({ dagId, paused: dagId.startsWith('r') }) as DagFacts),
      ),
    getLineage: () =>
      answer<Lineage | AirflowError>(
        told.lineage instanceof AirflowError
          ? told.lineage
          : { airflow: 'prod', edges: [], gaps: [], seenAt: '', ...told.lineage },
      ) as Promise<Lineage>,
    close: () => undefined,
  };
  return client as AirflowClient;
}

async function check(told: Told, options: { more?: string; json?: boolean; roles?: boolean } = {}) {
  const lines: string[] = [];
  const code = await runCheck(
    configFor('http://localhost:8080', options.more),
    () => airflowThat(told),
    (line) => lines.push(line),
    { ...options, now: () => NOW },
  );
  return { code, text: lines.join('\n') };
}

describe('the verdict', () => {
  test('fine: version, health, DAGs, rights, and no recipe that nobody needs', async () => {
    const { code, text } = await check({});
    expect(code).toBe(0);
    for (const part of [
      'prod  http://localhost:8080  fine',
      'version     3.3.2 (REST v2)',
      'scheduler   healthy',
      '2, of which 1 paused',
      'every source was read',
      'firedamper',
    ]) {
      expect(text).toContain(part);
    }
    for (const name of NAMES) expect(text).toMatch(new RegExp(`^ {5}${name} +yes$`, 'm'));
    expect(text).not.toContain('airflow roles');
    expect(text.endsWith('\nfine')).toBe(true);
  });

  test.each<[string, Told, string | undefined, 0 | 1 | 2, string]>([
    ['no right to read DAGs', { rights: rights({ read_dags: 'no' }) }, undefined, 2, 'without read_dags something is missing'],
    ['no right to pause', { rights: rights({ pause: 'no' }) }, undefined, 2, 'without pause something is missing'],
    [
      'no right to pause, but shadow mode',
      { rights: rights({ pause: 'no' }) },
      'policy: { mode: shadow }\n',
      0,
      'policy.mode is shadow',
    ],
    ['no right to clear', { rights: rights({ clear: 'no' }) }, undefined, 1, 'without clear something is missing'],
    ['a right that could not be found out', { rights: rights({ pause: 'unknown' }) }, undefined, 1, 'unknown'],
    [
      'no backfills on 2.x',
      { identity: { version: '2.11.2', generation: 2 }, rights: rights({ backfill: 'absent' }) },
      undefined,
      0,
      'absent',
    ],
    [
      'no audit log, ask',
      { rights: rights({ read_audit_log: 'no' }) },
      undefined,
      1,
      'without_audit_log is ask: a person is asked before every release',
    ],
    [
      'no audit log, observed',
      { rights: rights({ read_audit_log: 'no' }) },
      'policy: { release: { without_audit_log: observed } }\n',
      1,
      'without_audit_log is observed: a DAG seen paused at every poll since our pause counts as touched by nobody',
    ],
    [
      'a dead scheduler',
      { identity: { scheduler: 'unhealthy' } },
      undefined,
      1,
      'its scheduler is unhealthy: nothing that is repaired would run',
    ],
    ['a sick database', { identity: { database: 'unhealthy' } }, undefined, 1, 'its database is unhealthy'],
    [
      'a gap in the lineage',
      { lineage: { gaps: [{ source: 'ui_dependencies', why: 'forbidden' }] } },
      undefined,
      1,
      'lineage source ui_dependencies cannot be read: forbidden',
    ],
    [
      'no lineage at all',
      { lineage: new AirflowError('server_error', 'GET /ui/dependencies: answered 502', { outcome: 'none', operation: 'x' }) },
      undefined,
      1,
      'answers with a server error: GET /ui/dependencies: answered 502',
    ],
    [
      'an edge to nowhere',
      {},
      'lineage: { edges: [{ from: prod/orders_etl, to: prod/gone }] }\n',
      1,
      'lineage.edges names prod/gone, and Airflow has no such DAG',
    ],
    [
      'clocks a little apart',
      { identity: { serverTime: '2026-11-21T07:59:00.000Z' } },
      undefined,
      0,
      'the clocks are 60 s apart (ours is ahead)',
    ],
    [
      'clocks far apart',
      { identity: { serverTime: '2026-11-21T08:04:00.000Z' } },
      undefined,
      1,
      'the clocks are 240 s apart (ours is behind): callbacks are refused beyond 300 s (intake.tolerance)',
    ],
    [
      'a wrong password on 2.x, which says forbidden to everything',
      { identity: { version: '2.11.2', generation: 2 }, rights: rights({ ...everything('no'), backfill: 'absent' }) },
      undefined,
      2,
      'user name or password is wrong, or this Airflow takes no Basic log-in',
    ],
    [
      'a wrong password on 3.x',
      { rights: new AirflowError('unauthorized', 'POST /auth/token: refused', { outcome: 'none', operation: 'x' }) },
      undefined,
      2,
      'refuses the user name or password: POST /auth/token: refused',
    ],
  ])('%s', async (_, told, more, code, part) => {
    const found = await check(told, more === undefined ? {} : { more });
    expect(found.text).toContain(part);
    expect(found.code).toBe(code);
  });

  test('nobody who may approve makes it degraded', async () => {
    const lines: string[] = [];
    const config = { ...configFor('http://x'), tokens: [] };
    expect(
      await runCheck(
        config,
        () => airflowThat({}),
        (line) => lines.push(line),
        { now: () => NOW },
      ),
    ).toBe(1);
    expect(lines.join('\n')).toContain('no repair can be approved');
  });

  test('the worst of several Airflows counts, and all of them are shown', async () => {
    const [one] = configFor('http://x').airflows;
    if (!one) throw new Error('one is configured');
    const config = { ...configFor('http://x'), airflows: [one, { ...one, id: 'second' }] };
    const lines: string[] = [];
    const code = await runCheck(
      config,
      (a) => airflowThat(a.id === 'second' ? { rights: rights({ clear: 'no' }) } : {}),
      (line) => lines.push(line),
      { now: () => NOW },
    );
    expect(code).toBe(1);
    expect(lines.join('\n')).toMatch(/prod {2}http:\/\/x {2}fine[\s\S]*second {2}http:\/\/x {2}degraded/);
  });
});

test('JSON has the same facts', async () => {
  const { code, text } = await check({ rights: rights({ read_audit_log: 'no' }) }, { json: true });
  const report = JSON.parse(text);
  expect(report).toMatchObject({
    exit_code: code,
    verdict: 'degraded',
    airflows: [{ id: 'prod', version: '3.3.2', generation: 3, clock_skew_ms: 0, dags: { total: 2, paused: 1 } }],
  });
  expect(report.airflows[0].capabilities).toContainEqual(
    expect.objectContaining({ name: 'read_audit_log', allowed: 'no', note: expect.stringContaining('a person is asked') }),
  );
  expect(report.airflows[0].role_commands.length).toBe(2);
});

test('what Airflow says cannot move the cursor of a terminal', async () => {
  const { text } = await check({ identity: { version: '3.3\u001b[2J\u202Eevil' } });
  expect(text).toContain('3.3?[2J?evil');
});

test('where a right is missing, the commands for an account that has it are printed; --roles prints them always', async () => {
  const lacking = await check({ rights: rights({ read_audit_log: 'no' }) });
  expect(lacking.text).toContain(
    'airflow roles add-perms Firedamper -a can_read -r Website DAGs "DAG Runs" "Task Instances" "DAG Dependencies" "Audit Logs" ImportError Assets',
  );
  expect((await check({}, { roles: true })).text).toContain('SIMPLE_AUTH_MANAGER_USERS="admin:admin,firedamper:op"');
});

test('an account name cannot break out of a command', () => {
  const [recipe] = roleRecipes(2, "x'; rm -rf /");
  expect(recipe?.commands.at(-1)).toContain(`--username 'x'\\''; rm -rf /' --firstname`);
});

describe('failures by name, against a real server and the real client', () => {
  const open: { server?: Server } = {};
  afterEach(async () => {
    open.server?.closeAllConnections();
    await new Promise((resolve) => (open.server ? open.server.close(resolve) : resolve(null)));
    delete open.server;
  });

  async function checkServer(listener: RequestListener | null) {
    const server = createServer(listener ?? undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (listener === null) await new Promise((resolve) => server.close(resolve));
    else open.server = server;
    const lines: string[] = [];
    const code = await runCheck(
      configFor(url),
      (airflow) => createAirflowClient({ ...airflow, retryBaseMs: 1 }),
      (line) => lines.push(line),
    );
    return { code, text: lines.join('\n') };
  }
  const json =
    (status: number, body: unknown): RequestListener =>
    (_, res) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  test.each<[string, RequestListener | null, string]>([
    ['nobody there', null, 'cannot be reached'],
    [
      'HTML',
      (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in</html>'),
      'does not answer like Airflow',
    ],
    [
      '502',
      (_, res) => res.writeHead(502, { 'content-type': 'text/html' }).end('<html>bad gateway</html>'),
      'answers with a server error',
    ],
    [
      'a redirect',
      (_, res) => res.writeHead(302, { location: 'https://sso.example.com/' }).end(),
      'does not answer like Airflow',
    ],
    [
      'a truncated body',
      (_, res) => res.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' }).end('{"version": "3.'),
      '!! ',
    ],
    [
      'half a JSON',
      (_, res) => res.writeHead(200, { 'content-type': 'application/json' }).end('{"version": "3.'),
      'does not answer like Airflow',
    ],
    ['silence', () => undefined, 'does not answer in time'],
    ['a version that nobody knows', json(200, { version: '1.10.15' }), 'has a version that is not known'],
    ['a later generation', json(200, { version: '4.0.0' }), 'has a version that is not known'],
  ])('%s', async (_, listener, name) => {
    const { code, text } = await checkServer(listener);
    expect(text).toContain(name);
    expect(code).toBe(2);
    expect(text).not.toContain('hunter2');
  });

  test('a wrong password on 3.x', async () => {
    const { code, text } = await checkServer((req, res) => {
      const path = req.url ?? '';
      if (path.startsWith('/api/v2/version')) return json(200, { version: '3.3.2', git_version: '' })(req, res);
      if (path.startsWith('/api/v2/monitor/health'))
        return json(200, { metadatabase: { status: 'healthy' }, scheduler: { status: 'healthy' } })(req, res);
      return json(401, { detail: 'Invalid credentials' })(req, res);
    });
    expect(text).toContain('refuses the user name or password');
    expect(code).toBe(2);
    expect(text).not.toContain('hunter2');
  });
});
