import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { runCommand } from '../../src/demo/command.ts';
import { type AirflowVersion, ensureAirflow, type RunningAirflow, startAirflow } from '../../src/demo/lab.ts';
import { type OpsServers, startOpsServers } from '../../tools/opsServers.ts';
import { PATIENT } from '../support/live/setup.ts';
import { until } from '../support/live/until.ts';

/**
 * The ready DAGs for steps that need credentials, as runs of a real Airflow with its real providers, on a real PostgreSQL and a real Kafka.
 * An Airflow of its own, because the others of these tests have neither the providers nor the connections.
 */

// Neither has to be resolved together with Airflow's own pins: both only need what it has. Kept beside the shared installation, on the path of this lab alone.
const PROVIDERS = [
  'apache-airflow-providers-postgres==7.1.1',
  'apache-airflow-providers-apache-kafka==2.1.0',
  'psycopg2-binary==2.9.13',
  'confluent-kafka==2.16.1',
];
const ROOT = join(import.meta.dirname, '..', '..', '.firedamper');
const { version } = inject('lab');
const three = version.startsWith('3');
const work = join(ROOT, process.env.FIREDAMPER_LIVE_DIR ?? 'live', version, 'ops');

interface Row {
  readonly [key: string]: unknown;
}
interface Ended {
  readonly state: string;
  readonly result: Row;
  readonly tries: number;
  readonly log: string;
}

let servers: OpsServers;
let airflow: RunningAirflow;
let layer: string;
let python: string;
let token = '';
let runs = 0;
const heard: Row[] = [];
const receiver = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  heard.push(JSON.parse(text) as Row);
  response.writeHead(202, { 'content-type': 'application/json' }).end('{"duplicate": false}');
});

beforeAll(async () => {
  servers = await startOpsServers(ROOT, join(work, 'servers'));
  const callbacks = join(ROOT, '..', 'airflow-callbacks');
  const installation = await ensureAirflow({ version: version as AirflowVersion, root: ROOT, callbacks });
  python = installation.python;
  layer = await ensureProviders(installation.python);
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const dags = join(work, 'dags');
  rmSync(dags, { recursive: true, force: true });
  mkdirSync(dags, { recursive: true });
  cpSync(join(import.meta.dirname, 'dags', 'ops.py'), join(dags, 'ops.py'));
  const starting = startAirflow({
    ...{ installation, home: join(work, 'airflow'), dagsFolder: dags, reparseSeconds: 60 },
    env: {
      ...PATIENT,
      PYTHONPATH: layer,
      AIRFLOW_CONN_WAREHOUSE: as('repair').replace('postgresql://', 'postgres://'),
      AIRFLOW_CONN_STREAM: JSON.stringify({ conn_type: 'kafka', extra: { 'bootstrap.servers': servers.kafka } }),
      FIREDAMPER_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
      FIREDAMPER_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      FIREDAMPER_AIRFLOW: 'ops',
    },
  });
  await Promise.all([prepareWarehouse(), kafka('make')]);
  airflow = await starting;
  await until('Airflow knows the DAGs', async () => (await call('GET', '/dags/ops_replay_kafka')).status === 200, {
    seconds: 90,
  });
}, 420_000);

afterAll(async () => {
  await Promise.all([airflow?.stop(), servers?.stop()]);
  receiver.close();
  receiver.closeAllConnections();
}, 60_000);

test('five DAGs stand there: never scheduled, not paused, one run at a time, never held', async () => {
  const { body } = await call('GET', '/dags?dag_id_pattern=ops_&limit=100');
  const found = body.dags as Row[];
  expect(found.map((dag) => dag.dag_id).sort()).toEqual([
    ...['ops_check', 'ops_lock_table', 'ops_replay_kafka', 'ops_restore_table', 'ops_unlock_table'],
  ]);
  for (const dag of found) {
    expect((dag.tags as Row[]).map((tag) => tag.name).sort()).toEqual(['firedamper:never', 'firedamper:ops', 'team:orders']);
    expect([dag.is_paused, dag.max_active_runs, dag.next_dagrun ?? dag.next_dagrun_run_after ?? null]).toEqual([false, 1, null]);
  }
});

test('Airflow itself refuses conf that does not fit, before there is a run', async () => {
  const wrong: [string, Row][] = [
    ['ops_lock_table', {}],
    ['ops_lock_table', { table: 'sales.orders', dry_run: 'no' }],
    ['ops_restore_table', { table: 'sales.orders' }],
    ['ops_check', { table: 'sales.orders', checks: [{ check: 'sql', sql: 'DROP TABLE sales.orders' }] }],
    ['ops_replay_kafka', { topic: 'orders', target: 'orders.again', partitions: [{ partition: -1 }] }],
  ];
  for (const [dagId, conf] of wrong) {
    const { status, body } = await trigger(dagId, conf);
    expect(status, JSON.stringify(body)).toBe(400);
  }
});

test('a table goes bad, is locked, restored, checked and unlocked; a restart in between; nobody keeps or loses a right', async () => {
  const { orders, insert } = { orders: { table: 'sales.orders' }, insert: 'INSERT INTO sales.orders VALUES (9, 9)' };
  const checks = [
    { check: 'null_rate', column: 'amount', max: 0.1 },
    { check: 'query', query: 'balance', operator: '==', value: 6 },
  ];
  const before = await rights();
  await servers.sql(as('writer'), 'UPDATE sales.orders SET amount = NULL WHERE id > 1');

  const bad = await run('ops_check', { ...orders, checks, interval_start: null }, 'failed');
  expect(bad.result, bad.log).toMatchObject({ passed: false, reported: true });
  expect(bad.tries).toBe(1);
  const [report] = heard.filter(({ kind }) => kind === 'report');
  expect(report).toMatchObject({
    dag_id: 'ops_check',
    incident_type: 'quality_degradation',
    quality: {
      table: 'sales.orders',
      checks: [{ check: 'null_rate', column: 'amount', passed: false }, { check: 'query balance' }],
    },
  });

  const planned = await run('ops_lock_table', { ...orders, lock_id: 'inc-1' });
  expect(planned.result).toMatchObject({
    dry_run: true,
    would_revoke: expect.arrayContaining(['INSERT on sales.orders: writer']),
  });
  await servers.sql(as('writer'), 'INSERT INTO sales.orders VALUES (8, 8)');

  await run('ops_lock_table', { ...orders, lock_id: 'inc-1', dry_run: false });
  await expect(servers.sql(as('writer'), insert)).rejects.toThrow('permission denied');
  await airflow.restart('scheduler');

  const counted = await run('ops_restore_table', { ...orders, backup: 'backup.orders_monday' });
  expect(counted.result).toMatchObject({ dry_run: true, rows_before: 4, rows_in_backup: 3 });
  const restored = await run('ops_restore_table', { ...orders, backup: 'backup.orders_monday', dry_run: false });
  expect(restored.result).toMatchObject({ rows_before: 4, rows_after: 3 });
  expect(await servers.sql(as('reader'), 'SELECT id, amount FROM sales.orders ORDER BY id')).toBe('1|1\n2|2\n3|3');
  expect(await servers.sql(admin(), `SELECT count(*) FROM ${restored.result.kept_as}`)).toBe('4');
  expect((await run('ops_check', { ...orders, checks })).result).toMatchObject({ passed: true });
  await expect(servers.sql(as('writer'), insert)).rejects.toThrow('permission denied');

  const unlocked = await run('ops_unlock_table', { ...orders, lock_id: 'inc-1', dry_run: false });
  expect(unlocked.result).toMatchObject({ not_restored: [], nothing_to_do: false });
  expect(await rights()).toBe(before);
  await servers.sql(as('writer'), insert);
  expect((await run('ops_unlock_table', { ...orders, lock_id: 'inc-1', dry_run: false })).result).toMatchObject({
    nothing_to_do: true,
  });
});

test('what the author did not allow is refused in one try, says why, and touches nothing', async () => {
  const before = [await rights(), await servers.sql(admin(), 'SELECT count(*) FROM hr.people')];
  const real = { dry_run: false };
  const cases: [string, Row, string][] = [
    ['ops_lock_table', { ...real, table: 'hr.people' }, 'not among the tables'],
    ['ops_lock_table', { ...real, table: 'sales.orders', dryrun: true }, 'dryrun'],
    ['ops_restore_table', { ...real, table: 'sales.orders', backup: 'hr.people' }, 'not among the backups'],
    ['ops_check', { table: 'sales.orders"; DROP TABLE people; --', checks: [{ check: 'row_count', min: 0 }] }, 'does not exist'],
    [
      'ops_replay_kafka',
      { ...real, topic: 'payments', target: 'orders.again', start_time: '2026-01-01T00:00:00Z' },
      'not among those',
    ],
  ];
  const endings = await Promise.all(cases.map(([dagId, conf]) => run(dagId, conf, 'failed')));
  for (const [index, ended] of endings.entries()) {
    expect([ended.tries, ended.log]).toEqual([1, expect.stringContaining(cases[index]?.[2] ?? '?')]);
    expect(ended.log).not.toContain('not-for-logs');
  }
  expect([await rights(), await servers.sql(admin(), 'SELECT count(*) FROM hr.people')]).toEqual(before);
});

test('a range of a topic is sent again, once', async () => {
  const range = { topic: 'orders', target: 'orders.again', partitions: [{ partition: 1, start_offset: 3, end_offset: 7 }] };
  expect((await run('ops_replay_kafka', range)).result).toMatchObject({ dry_run: true, offsets: 4 });
  expect(await kafka('read')).toBe('');
  const done = await run('ops_replay_kafka', { ...range, dry_run: false });
  expect(done.result).toMatchObject({ messages: 4 });
  expect(await kafka('read')).toBe('1:3 1:4 1:5 1:6');
});

/** Starts a run with this conf, waits for its end, and answers what the task said. */
async function run(dagId: string, conf: Row, wanted: 'success' | 'failed' = 'success'): Promise<Ended> {
  const { status, body } = await trigger(dagId, conf);
  expect(status, JSON.stringify(body)).toBe(200);
  const path = `/dags/${dagId}/dagRuns/${body.dag_run_id}`;
  const state = await until(
    `${dagId} ${body.dag_run_id} has ended`,
    async () => {
      const { state } = (await call('GET', path)).body;
      return state === 'success' || state === 'failed' ? String(state) : null;
    },
    { seconds: 90 },
  );
  const [task] = (await call('GET', `${path}/taskInstances`)).body.task_instances as Row[];
  const tries = Number(task?.try_number);
  const at = `${path}/taskInstances/${task?.task_id}`;
  const log = (await call('GET', `${at}/logs/1?full_content=true`)).text;
  expect(state, log).toBe(wanted);
  const said = await call('GET', `${at}/xcomEntries/return_value${three ? '?deserialize=false' : ''}`);
  // 404 is an answer (a refusal says nothing), anything else would be read as one
  expect([200, 404], `${said.text}\n${log}`).toContain(said.status);
  return { state, tries, log, result: parsed(said.body.value) };
}

function parsed(value: unknown): Row {
  if (typeof value !== 'string') return (value ?? {}) as Row;
  // 2.x shows an XCom as Python writes it
  const json = value.startsWith("{'")
    ? value
        .replaceAll("'", '"')
        .replace(/\bTrue\b/g, 'true')
        .replace(/\bFalse\b/g, 'false')
        .replace(/\bNone\b/g, 'null')
    : value;
  return JSON.parse(json) as Row;
}

function trigger(dagId: string, conf: Row) {
  return call('POST', `/dags/${dagId}/dagRuns`, {
    dag_run_id: `live__${++runs}`,
    conf,
    ...(three ? { logical_date: null } : {}),
  });
}

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Row; text: string }> {
  const response = await fetch(`${airflow.url}${three ? '/api/v2' : '/api/v1'}${path}`, {
    method,
    headers: { authorization: await authorization(), 'content-type': 'application/json', accept: 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith('{') ? (JSON.parse(text) as Row) : {} };
}

async function authorization(): Promise<string> {
  const password = airflow.users.admin;
  if (!three) return `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  if (!token) {
    const body = JSON.stringify({ username: 'admin', password });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${airflow.url}/auth/token`, { method: 'POST', headers, body });
    token = ((await response.json()) as { access_token: string }).access_token;
  }
  return `Bearer ${token}`;
}

const admin = () => servers.postgres.replace(/\/[^/]*$/, '/warehouse');
const as = (user: string) => admin().replace(/\/\/[^@]*@/, `//${user}:not-for-logs@`);

function rights(): Promise<string> {
  return servers.sql(
    admin(),
    `SELECT c.relname, a.grantor::regrole, a.grantee::regrole, a.privilege_type, a.is_grantable
     FROM pg_class c, LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a
     WHERE c.relnamespace IN ('sales'::regnamespace, 'hr'::regnamespace) ORDER BY 1, 2, 3, 4`,
  );
}

async function prepareWarehouse(): Promise<void> {
  const roles = ['repair', 'owner', 'writer', 'reader']
    .map((role) => `CREATE ROLE ${role} LOGIN PASSWORD 'not-for-logs';`)
    .join('\n');
  await servers.sql(servers.postgres, `${roles}\nGRANT owner TO repair;`);
  await servers.sql(servers.postgres, 'CREATE DATABASE warehouse');
  await servers.sql(
    admin(),
    `GRANT CREATE ON DATABASE warehouse TO repair;
     CREATE SCHEMA sales AUTHORIZATION owner; CREATE SCHEMA backup AUTHORIZATION owner; CREATE SCHEMA hr;
     GRANT USAGE ON SCHEMA sales TO PUBLIC;
     CREATE TABLE hr.people (id int); INSERT INTO hr.people VALUES (1);
     SET ROLE owner;
     CREATE TABLE sales.orders (id int, amount int);
     INSERT INTO sales.orders VALUES (1, 1), (2, 2), (3, 3);
     CREATE TABLE backup.orders_monday AS TABLE sales.orders;
     GRANT SELECT, INSERT, UPDATE ON sales.orders TO writer;
     GRANT SELECT ON sales.orders TO reader;`,
  );
}

/** `make`: two topics, and ten messages in each partition of the first. `read`: what a reader of committed messages finds in the second. */
function kafka(act: 'make' | 'read'): Promise<string> {
  const env = { ...process.env, PYTHONPATH: layer };
  return runCommand(python, ['-c', KAFKA, act, servers.kafka], { env }).then((text) => text.trim());
}

const KAFKA = `
import sys
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
act, server = sys.argv[1:]
if act == "make":
    client = AdminClient({"bootstrap.servers": server})
    for future in client.create_topics([NewTopic(name, 2, 1) for name in ("orders", "orders.again")]).values():
        future.result(20)
    producer = Producer({"bootstrap.servers": server})
    for partition in (0, 1):
        for number in range(10):
            producer.produce("orders", value=f"{partition}:{number}", partition=partition)
    assert producer.flush(20) == 0
else:
    consumer = Consumer({"bootstrap.servers": server, "group.id": "reader", "isolation.level": "read_committed", "enable.partition.eof": True})
    consumer.assign([TopicPartition("orders.again", partition, 0) for partition in (0, 1)])
    found, ends = [], 0
    while ends < 2:
        message = consumer.poll(20)
        if message.error():
            ends += 1
        else:
            found.append(message.value().decode())
    print(" ".join(found))
`;

/** The providers in a folder of their own, downloaded once. */
async function ensureProviders(interpreter: string): Promise<string> {
  const dir = join(ROOT, `ops-providers-${version}`);
  const stamp = join(dir, 'firedamper-stamp');
  const wanted = PROVIDERS.join('\n');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return dir;
  rmSync(dir, { recursive: true, force: true });
  const env = {
    ...process.env,
    UV_CACHE_DIR: process.env.UV_CACHE_DIR ?? join(ROOT, 'uv-cache'),
    ...(process.env.PIP_INDEX_URL && !process.env.UV_DEFAULT_INDEX ? { UV_DEFAULT_INDEX: process.env.PIP_INDEX_URL } : {}),
    ...(process.env.PIP_CERT && !process.env.SSL_CERT_FILE ? { SSL_CERT_FILE: process.env.PIP_CERT } : {}),
  };
  const args = ['pip', 'install', '--no-config', '--quiet', '--no-deps', '--python', interpreter, '--target', dir, ...PROVIDERS];
  await runCommand(join(ROOT, 'uv', 'bin', 'uv'), args, { env });
  writeFileSync(stamp, wanted);
  return dir;
}
