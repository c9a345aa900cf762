import { afterEach, describe, expect, test } from 'vitest';
import { auditRow, concerns, type RawAuditRow } from '../../src/airflow/audit.ts';
import { parseVersion, type Version } from '../../src/airflow/version.ts';
import { Secret } from '../../src/config.ts';
import { type FakeAirflow, type FakeOptions, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { clientOf } from './setup.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const at = (text: string): Version => parseVersion(text) ?? { text, major: 0, minor: 0, patch: 0 };
const raw = (event: string, extra: string | null, more: Partial<RawAuditRow> = {}): RawAuditRow => ({
  ...{ event_log_id: 1, when: '2026-11-20T23:51:33.780894Z', dag_id: 'D', event, owner: 'admin', extra },
  ...more,
});

// The rows as they were seen on 2.9.3, 2.11.2, 3.0.6 and 3.3.2.
test.each([
  [
    '3.3.2',
    raw('patch_dag', '{"update_mask": "is_paused", "fd_op": "abc123", "is_paused": true, "method": "PATCH"}'),
    true,
    'abc123',
  ],
  ['3.3.2', raw('patch_dag', '{"is_paused": false, "method": "PATCH"}'), false, null],
  ['3.0.6', raw('patch_dag', '{"is_paused": false, "fd_op": "abc123", "method": "PATCH"}'), null, 'abc123'],
  ['2.11.2', raw('api.patch_dag', '{"update_mask": "is_paused", "is_paused": true}'), true, null],
  ['2.11.2', raw('ui.patch_dag', '{"is_paused": false}'), false, null],
  ['2.11.2', raw('paused', '{"is_paused": false}'), false, null],
  ['2.11.2', raw('paused', "[('dag_id', 'D'), ('is_paused', True)]", { owner: 'scheduler' }), true, null],
  [
    '2.11.2',
    raw('cli_dag_pause', `{"host_name": "vm", "full_command": "['airflow', 'dags', 'pause', 'D']"}`, { owner: 'root' }),
    true,
    null,
  ],
  ['2.11.2', raw('cli_dag_unpause', '{"full_command": "x"}'), false, null],
  ['3.4.0', raw('drain_completed', null), true, null],
  ['3.3.2', raw('patch_dag', 'not json at all {'), null, null],
])('%s: %o', (version, row, paused, op) => {
  expect(auditRow(row, at(version))).toMatchObject({ paused, op, dagId: 'D', when: '2026-11-20T23:51:33.780Z' });
});

test.each([
  ['orders', 'orders_etl', true],
  ['ORDERS', 'orders_etl', true],
  ['etl', 'orders_etl', true],
  ['o%e_l', 'orders_etl', true],
  ['sales', 'orders_etl', false],
  ['sales|orders', 'orders_etl', true],
  ['~', 'orders_etl', true],
  ['%'.repeat(5_000), 'orders_etl', true],
  [`${'%a'.repeat(100)}z`, 'a'.repeat(250), false],
])('a bulk PATCH by a pattern, case %#: a hostile one ends too, or the time of this test is over', (pattern, dagId, expected) => {
  const row = auditRow(
    raw('patch_dags', JSON.stringify({ dag_id_pattern: pattern, is_paused: true }), { dag_id: null }),
    at('3.3.2'),
  );
  expect(concerns(row, dagId)).toBe(expected);
});

test('a bulk PATCH without a pattern that we can read may have touched every DAG', () => {
  expect(concerns(auditRow(raw('patch_dags', 'garbage', { dag_id: null }), at('3.3.2')), 'D')).toBe(true);
});

describe.each([
  ['3.3.2', { generation: 3 }],
  ['3.0.6', { generation: 3, version: '3.0.6' }],
  ['2.11.2', { generation: 2 }],
] as const)('%s', (_, options) => {
  const start = async (more: Partial<FakeOptions> = {}) => {
    const fake: FakeAirflow = await startFakeAirflow({ ...options, ...more });
    for (const id of ['A', 'B', 'other']) fake.dag(id, { tasks: { t: {} } });
    const client = clientOf({
      url: fake.url,
      auth: { kind: 'password', username: 'firedamper', password: new Secret('firedamper') },
    });
    closing.push(
      () => fake.close(),
      () => client.close(),
    );
    return { fake, client };
  };
  const rowsOf = async (client: Awaited<ReturnType<typeof start>>['client'], dagId: string, after: number) => {
    const answer = await client.auditRows(dagId, after);
    if (!answer.readable) throw new Error(answer.why);
    return answer.rows.map((row) => row.owner);
  };

  test('everybody who may have touched a DAG since our own act, oldest first, and nobody else', async () => {
    const { fake, client } = await start();
    fake.person('early').pause('A');
    const cursor = await client.auditCursor();
    await client.setPaused('A', true, 'op_1');
    fake.person('jane').unpause('A');
    fake.person('jane').pause('other');
    fake.person('bulk').bulkPause('a', true);
    fake.person('sales').bulkPause('sales', true);
    fake.person().commandLinePause('A', false);
    expect(await rowsOf(client, 'A', cursor.readable ? cursor.id : -1)).toEqual(['firedamper', 'jane', 'bulk', 'root']);
    expect(await rowsOf(client, 'B', cursor.readable ? cursor.id : -1)).toEqual([]);
  });

  test('a long log is read back page by page, exactly to our own act', async () => {
    const { fake, client } = await start({ pageCap: 30 });
    await client.setPaused('A', true, 'op_1');
    const cursor = await client.auditCursor();
    for (let n = 0; n < 75; n++) fake.person(`p${n}`).pause('A');
    const found = await rowsOf(client, 'A', cursor.readable ? cursor.id : -1);
    expect(found).toEqual(Array.from({ length: 75 }, (_, n) => `p${n}`));
  });

  test('a log that we may not read is no empty log', async () => {
    const { fake, client } = await start();
    fake.hideAuditLog = true;
    expect(await client.auditCursor()).toMatchObject({ readable: false });
    expect(await client.auditRows('A', 0)).toEqual({ readable: false, why: 'this account may not read the audit log' });
  });

  test('a log that cannot be read at the moment is an error, to be asked again', async () => {
    const { fake, client } = await start();
    fake.inject({ path: '/eventLogs', fault: { kind: 'answer', answer: { status: 502, html: 'bad gateway' } } });
    await expect(client.auditRows('A', 0)).rejects.toMatchObject({ kind: 'server_error' });
  });
});
