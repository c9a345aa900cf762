import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CallbackSignal, parseCallback } from '../../src/intake/callback.ts';

const PAYLOADS = new URL('../../airflow-callbacks/tests/payloads/', import.meta.url);
const names = (folder: string) => readdirSync(new URL(folder, PAYLOADS)).filter((name) => name.endsWith('.json'));
const load = (name: string) => JSON.parse(readFileSync(new URL(name, PAYLOADS), 'utf8'));
const parse = (body: unknown) => parseCallback('prod', 'fd_1', body);

function known(body: unknown): CallbackSignal {
  const parsed = parse(body);
  if (parsed.shape !== 'known') throw new Error(`not known: ${JSON.stringify(parsed)}`);
  return parsed.signal;
}

describe('the payloads that both languages share', () => {
  const aboutNoRun = (name: string) => /^(asset_event|import_error)/.test(name);
  it.each(names('.').filter((name) => name !== 'test.json' && !aboutNoRun(name)))('%s is a signal', (name) => {
    expect(parse(load(name)).shape).toBe('known');
  });

  it.each([
    ['import_error.json', "/opt/airflow/dags/orders_etl.py cannot be imported: ModuleNotFoundError: No module named 'panda'"],
    ['import_error_bare.json', expect.stringMatching(/cannot be imported: no reason given/)],
  ])('%s is a reason to look which files are broken', (name, what) => {
    expect(parse(load(name))).toEqual({ shape: 'broken_file', what });
  });

  it.each([
    ['asset_event.json', expect.stringMatching(/^asset .+ was updated$/)],
    ['asset_event_without_run.json', 'asset s3://warehouse/orders was updated'],
  ])('%s is noted, and nothing follows from it', (name, what) => {
    expect(parse(load(name))).toEqual({ shape: 'noted', what });
  });

  it.each([
    ['version_2.json', /version.*\(1\)/],
    ['kind.json', /kind.*task_failed/],
    ['task_without_task_id.json', /task_id.*string/],
    ['run_without_dag_id.json', /dag_id/],
    ['control_character_in_id.json', /dag_id.*pattern/],
    ['newline_in_run_id.json', /run_id.*pattern/],
    ['date_without_offset.json', /occurred_at.*date-time/],
    ['id_as_number.json', /dag_id.*string/],
    ['list.json', /body.*object/],
  ])('unknown/%s is named, not refused', (name, why) => {
    const parsed = parse(load(`unknown/${name}`));
    expect(parsed.shape).toBe('unknown');
    expect(parsed).toMatchObject({ why: expect.stringMatching(why) });
  });

  it('has a reason for every unknown one', () => {
    for (const name of names('unknown/')) expect(parse(load(`unknown/${name}`)), name).toMatchObject({ shape: 'unknown' });
  });

  it('knows a connection test', () => {
    expect(parse(load('test.json'))).toEqual({ shape: 'test' });
  });
});

describe('a signal', () => {
  it('says what the sender said, in our words', () => {
    expect(known(load('task_failed.json'))).toEqual({
      airflow: 'prod',
      kind: 'task_failed',
      dagId: 'orders_etl',
      runId: 'scheduled__2026-11-20T00:00:00+00:00',
      taskId: 'load_orders',
      mapIndex: -1,
      tryNumber: 3,
      maxTries: 2,
      state: 'failed',
      runType: 'scheduled',
      logicalDate: '2026-11-20T00:00:00.000Z',
      runStart: '2026-11-21T03:20:01.004Z',
      occurredAt: '2026-11-21T03:25:43.120Z',
      tags: ['orders', 'tier:1'],
      exception: { type: 'builtins.ValueError', message: 'null rate 0.31 above 0.05 in orders.customer_id' },
      reason: null,
      logUrl:
        'http://localhost:8080/dags/orders_etl/runs/scheduled__2026-11-20T00%3A00%3A00%2B00%3A00/tasks/load_orders?try_number=3',
      about: null,
      said: { note: null, severity: null, incidentType: null, title: null, badData: false },
      source: 'listener',
      dropped: 0,
      dedupeKey: '["prod","orders_etl","scheduled__2026-11-20T00:00:00+00:00","load_orders",-1,3,"task_failed"]',
      webhookId: 'fd_1',
    });
  });

  it.each([
    [
      'report_quality.json',
      {
        taskId: 'load_orders',
        about:
          'warehouse.orders, 2026-11-20T00:00:00.000000+00:00 to 2026-11-21T00:00:00.000000+00:00: null_rate of customer_id is 0.4, allowed 0.01',
        said: { title: 'null_rate of customer_id of warehouse.orders failed (orders_etl)', severity: 'P1', badData: true },
      },
    ],
    [
      'report_schema_change.json',
      {
        about: 'warehouse.orders: added coupon_code; removed discount; changed amount numeric(10,2) -> text, größe ? -> int',
        said: { title: 'schema of warehouse.orders changed (orders_etl)', incidentType: 'schema_change', badData: true },
      },
    ],
    ['report_suspicion.json', { said: { title: expect.stringMatching(/^the file of the 20th is half/), badData: true } }],
    ['report_without_task.json', { taskId: null, tryNumber: null, said: { title: 'seen by hand (orders_etl)', badData: true } }],
    ['report_deadline.json', { said: { incidentType: 'freshness_violation', badData: false } }],
    [
      'task_failed_quality.json',
      {
        kind: 'task_failed',
        about: 'orders: null_check of customer_id is 31, allowed = 0; min of amount is -4.5, allowed >= 0',
        said: { incidentType: 'quality_degradation', badData: true },
      },
    ],
    ['task_retry_quality.json', { kind: 'task_retry', said: { badData: false } }],
  ])('%s says what is wrong with the data', (name, wanted) => {
    expect(known(load(name))).toMatchObject(wanted);
  });

  it('is another one for other words of the same task, and the same for the same words', () => {
    const report = load('report_quality.json');
    const key = (body: unknown) => known(body).dedupeKey;
    expect(key({ ...report, occurred_at: '2026-11-21T04:00:00Z' })).toBe(key(report));
    expect(key({ ...report, note: 'something else' })).not.toBe(key(report));
    expect(key({ ...report, try_number: 2 })).not.toBe(key(report));
  });

  it('is none where every check passed', () => {
    const report = load('report_quality.json');
    const checks = report.quality.checks.map((c: object) => ({ ...c, passed: true }));
    expect(parse({ ...report, quality: { ...report.quality, checks } })).toMatchObject({ shape: 'noted' });
  });

  it('has a title that can be read in a list, however much failed', () => {
    const report = load('report_quality.json');
    const checks = Array.from({ length: 100 }, (_, i) => ({ check: `c${i}`.repeat(60), passed: false }));
    const { said, about } = known({ ...report, quality: { table: 't'.repeat(500), checks } });
    expect(said.title?.length).toBeLessThanOrEqual(160);
    expect(about).toContain('and 80 more');
  });

  it('has instants in UTC, whatever offset they came with', () => {
    expect(known(load('run_failed.json')).logicalDate).toBe('2026-11-21T03:25:00.123Z');
  });

  it('needs only what nobody can do without', () => {
    expect(known(load('run_failed_bare.json'))).toMatchObject({
      taskId: null,
      mapIndex: -1,
      tags: [],
      exception: null,
      runStart: null,
      dropped: 0,
    });
  });

  it('keeps hostile text as text', () => {
    const signal = known({ ...load('run_failed.json'), dag_id: '../../<img src=x onerror=alert(1)>', note: '<!channel> \u0000' });
    expect(signal.dagId).toBe('../../<img src=x onerror=alert(1)>');
    expect(signal.said.note).toBe('<!channel> \u0000');
  });

  it('survives a severity and a type that we do not have', () => {
    expect(known(load('run_failed_newer_sender.json'))).toMatchObject({
      said: { severity: null, incidentType: null },
      source: 'deadline_alert',
    });
    expect(known(load('task_failed_mapped_unicode.json'))).toMatchObject({
      said: { severity: 'P1', incidentType: 'quality_degradation' },
      dropped: 3,
      mapIndex: 7,
    });
  });

  it('has no log link that is not a web address', () => {
    const link = (log_url: string) => known({ ...load('task_failed.json'), log_url }).logUrl;
    expect(link('javascript:alert(1)')).toBeNull();
    expect(link('http://127.0.0.1:8310dags/x')).toBeNull();
    expect(link('https://airflow.example/x')).toBe('https://airflow.example/x');
  });

  it('has at most 32 KiB of exception, cut between characters', () => {
    const message =
      known({ ...load('task_failed.json'), exception: { message: `x${'日'.repeat(20_000)}` } }).exception?.message ?? '';
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(32 * 1024);
    expect(Buffer.byteLength(message)).toBeGreaterThan(32 * 1024 - 4);
    expect(message).not.toContain('\ufffd');
  });

  it('takes no value from a prototype that the body brings', () => {
    const body = JSON.parse(
      '{"version":1,"kind":"run_failed","occurred_at":"2026-11-21T03:25:44Z","__proto__":{"dag_id":"a","run_id":"b"}}',
    );
    expect(parse(body).shape).toBe('unknown');
  });

  it('names a date that does not exist', () => {
    expect(parse({ ...load('run_failed.json'), occurred_at: '2026-06-30T23:59:60Z' })).toMatchObject({ shape: 'unknown' });
    expect(parse({ ...load('run_failed.json'), occurred_at: '2026-02-31T00:00:00Z' })).toMatchObject({ shape: 'unknown' });
  });
});

describe('the key of a failure', () => {
  const key = (over: object) => known({ ...load('task_failed.json'), ...over }).dedupeKey;
  const runKey = (over: object) => known({ ...load('run_failed.json'), ...over }).dedupeKey;

  it('is the same whoever reports it, when, and with which text', () => {
    const other = {
      source: 'callback',
      occurred_at: '2026-11-21T03:26:00Z',
      exception: null,
      state: 'running',
      hostname: 'x',
      run_start_date: null,
    };
    expect(key(other)).toBe(key({}));
  });

  it.each([{ dag_id: 'x' }, { run_id: 'x' }, { task_id: 'x' }, { map_index: 0 }, { try_number: 4 }, { kind: 'task_retry' }])(
    'differs with %o',
    (over) => {
      expect(key(over)).not.toBe(key({}));
    },
  );

  it('cannot be forged by ids that look like separators', () => {
    expect(key({ dag_id: 'a","b', run_id: 'c' })).not.toBe(key({ dag_id: 'a', run_id: 'b","c' }));
  });

  it('of a run that failed again after a clear is another one', () => {
    expect(runKey({ run_start_date: '2026-11-21T04:00:00Z' })).not.toBe(runKey({}));
    expect(runKey({ occurred_at: '2026-11-21T03:26:00Z', reason: 'timed_out' })).toBe(runKey({}));
  });
});
