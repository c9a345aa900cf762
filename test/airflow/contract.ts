/**
 * What Firedamper believes of an Airflow, stated once and run against the fake and against real ones: where one of them behaves
 * otherwise, either the fake or our belief is wrong. Only DAGs named `contract_*` are touched; everything is told apart by run id,
 * so the suite may run beside others and twice on the same Airflow.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import { createAirflowClient } from '../../src/airflow/connect.ts';
import { Secret } from '../../src/config.ts';
import type { RunState } from '../../src/core/facts.ts';
import { type Actor, createActor } from './actor.ts';
import { lineageOf } from './lineageOf.ts';

export interface ContractTarget {
  readonly url: string;
  readonly generation: 2 | 3;
  /** Exactly as Airflow names it. */
  readonly version: string;
  readonly account: { readonly name: string; readonly password: string };
  readonly person: { readonly name: string; readonly password: string };
  /** 2.x: with the session cookie of the log-in form, or with Basic alone. */
  readonly sessionLogin: boolean;
  /** How long something may take to happen. */
  readonly patienceMs: number;
  /** How long to wait before "it did not happen" is believed. */
  readonly quietMs: number;
  /** Midnight of the first day of contract_days. */
  readonly start: number;
}

export const clientFor = (
  target: Pick<ContractTarget, 'url' | 'sessionLogin'>,
  account: { name: string; password: string },
): AirflowClient =>
  createAirflowClient({
    id: 'lab',
    url: target.url,
    auth: { kind: 'password', username: account.name, password: new Secret(account.password) },
    timeoutMs: 20_000,
    pauseConcurrency: 4,
    sessionLogin: target.sessionLogin,
  });

const stamp = Date.now().toString(36);
let counter = 0;
const newRunId = (what: string) => `contract_${what}_${stamp}_${counter++}`;

interface Bench {
  readonly target: ContractTarget;
  readonly client: AirflowClient;
  readonly person: Actor;
  readonly until: (what: string, check: () => Promise<boolean>) => Promise<void>;
  readonly ended: (dagId: string, runId: string, state: RunState) => Promise<void>;
  readonly quiet: () => Promise<void>;
}

/** The target is asked for lazily: it may only exist once the suite's own `beforeAll` has run. */
export const contract = (name: string, prepare: () => Promise<ContractTarget>): void => {
  describe(`contract: ${name}`, () => {
    let bench: Bench;
    beforeAll(async () => {
      bench = benchFor(await prepare());
      // 2.x and 3.x read DAG files when they get to it.
      await bench.until('the contract DAGs are known', async () =>
        (await bench.client.listDags()).some((dag) => dag.dagId === 'contract_days'),
      );
    }, 240_000);
    afterAll(() => bench?.client.close());
    const given = () => bench;
    readingContract(given);
    pauseContract(given);
    failureContract(given);
    assetContract(given);
    lineageContract(given);
    missingRunsContract(given);
  });
};

const benchFor = (target: ContractTarget): Bench => {
  const client = clientFor(target, target.account);
  const person = createActor(target.url, target.generation, target.person.name, target.person.password);
  const until = async (what: string, check: () => Promise<boolean>) => {
    const end = performance.now() + target.patienceMs;
    while (!(await check())) {
      if (performance.now() > end) throw new Error(`not within ${target.patienceMs} ms: ${what}`);
      await sleep(Math.min(300, target.patienceMs / 50));
    }
  };
  const ended = (dagId: string, runId: string, state: RunState) =>
    until(`${dagId} ${runId} is ${state}`, async () => (await client.getRun(dagId, runId))?.state === state);
  return { target, client, person, until, ended, quiet: () => sleep(target.quietMs) };
};

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const readingContract = (given: () => Bench) => {
  test('it says what it is, and its clock', async () => {
    const { client, target } = given();
    const identity = await client.probe();
    expect(identity).toMatchObject({
      version: target.version,
      generation: target.generation,
      scheduler: 'healthy',
      database: 'healthy',
    });
    expect(Math.abs(Date.parse(identity.serverTime ?? '') - Date.now())).toBeLessThan(10_000);
    expect(client.canBackfill).toBe(target.generation === 3);
  });

  test('DAGs with their schedule, tags and state', async () => {
    const { client } = given();
    const dags = new Map((await client.listDags()).map((dag) => [dag.dagId, dag]));
    expect(dags.get('contract_a')).toMatchObject({
      paused: false,
      timeScheduled: false,
      assetScheduled: false,
      schedule: null,
      nextRunAfter: null,
    });
    expect([...(dags.get('contract_a')?.tags ?? [])].sort()).toEqual(['contract', 'tier:1']);
    expect(dags.get('contract_b')).toMatchObject({ timeScheduled: false, assetScheduled: true });
    expect(dags.get('contract_days')).toMatchObject({ timeScheduled: true, assetScheduled: false, maxActiveRuns: 4 });
    expect(await client.getDag('contract_b')).toEqual({ ...dags.get('contract_b') });
  });

  test('details: time limit, catch-up, and AND told from a single asset', async () => {
    const { client } = given();
    expect(await client.getDagDetails('contract_a')).toMatchObject({
      dagrunTimeoutSeconds: 600,
      catchup: false,
      assetCondition: null,
    });
    expect(await client.getDagDetails('contract_b')).toMatchObject({ dagrunTimeoutSeconds: null });
    const condition = (await client.getDagDetails('contract_and')).assetCondition;
    expect(uris(condition)).toEqual(['lab://contract/a1', 'lab://contract/x1']);
    expect(condition).toHaveProperty('all');
  });

  test('the shape of a DAG', async () => {
    const graph = await given().client.getTaskGraph('contract_a');
    expect(Object.fromEntries(Object.entries(graph.downstream).map(([task, next]) => [task, [...next].sort()]))).toEqual({
      make: ['after', 'call'],
      after: [],
      call: [],
      side: [],
    });
  });

  test('what is not there', async () => {
    const { client } = given();
    await expect(client.getDag('contract_none')).rejects.toMatchObject({ kind: 'not_found', status: 404, outcome: 'none' });
    expect(await client.getRun('contract_a', 'contract_none')).toBeNull();
    await expect(client.setPaused('contract_none', true, 'op_none')).rejects.toMatchObject({
      kind: 'not_found',
      outcome: 'none',
    });
    await expect(
      client.triggerRun({ dagId: 'contract_none', runId: newRunId('none'), interval: null, conf: null, note: null }),
    ).rejects.toMatchObject({ kind: 'not_found', outcome: 'none' });
  });

  test('an id that could reach another path is refused before it is sent', async () => {
    const { client } = given();
    for (const hostile of ['..', '.', '~', '', 'a/../contract_a', 'a\u0000', 'a\\b'])
      await expect(client.getDag(hostile)).rejects.toMatchObject({ kind: 'bad_id', outcome: 'none' });
  });

  test('a DAG id in any script', async () => {
    const { client, person } = given();
    const dagId = 'contract_Ütil_日本.x-1';
    expect((await client.getDag(dagId)).dagId).toBe(dagId);
    expect((await client.setPaused(dagId, true, 'op_script')).paused).toBe(true);
    expect(await person.isPaused(dagId)).toBe(true);
    await client.setPaused(dagId, false, 'op_script');
  });

  test('a full account may do everything that this Airflow has', async () => {
    const { client, target } = given();
    const found = Object.fromEntries((await client.capabilities()).map((one) => [one.name, one.allowed]));
    const lineage = target.generation === 3 || target.sessionLogin ? 'yes' : 'no';
    expect(found).toEqual({
      read_dags: 'yes',
      pause: 'yes',
      read_runs: 'yes',
      clear: 'yes',
      backfill: target.generation === 3 ? 'yes' : 'absent',
      trigger: 'yes',
      read_audit_log: 'yes',
      read_lineage: lineage,
      read_assets: 'yes',
      read_import_errors: 'yes',
      create_asset_events: 'yes',
    });
  });

  test('a wrong password is named as such', async () => {
    const { target } = given();
    const stranger = clientFor({ ...target, sessionLogin: false }, { name: target.account.name, password: 'wrong' });
    await expect(stranger.listDags()).rejects.toMatchObject({
      // 2.11.2 answers 403, 2.10.5 and all of 3.x 401.
      kind: expect.stringMatching(target.generation === 3 ? /^unauthorized$/ : /^(unauthorized|forbidden)$/),
      outcome: 'none',
    });
    stranger.close();
  });
};

const uris = (condition: unknown): readonly string[] =>
  [...JSON.stringify(condition).matchAll(/"uri":"([^"]+?)\/?"/g)].map((found) => found[1] ?? '').sort();

const pauseContract = (given: () => Bench) => {
  test('a pause is told by the audit log: ours from a person, one DAG from many', async () => {
    const { client, person, target } = given();
    const cursor = await client.auditCursor();
    if (!cursor.readable) throw new Error(cursor.why);
    const op = newRunId('op');
    expect((await client.setPaused('contract_bulk_1', true, op)).paused).toBe(true);
    expect(await person.isPaused('contract_bulk_1')).toBe(true);
    await person.pause('contract_bulk_1', false);
    await person.bulkPause('contract_bulk', true);
    expect(await person.isPaused('contract_bulk_2')).toBe(true);

    const rows = await rowsOf(client, 'contract_bulk_1', cursor.id);
    // 3.0.x writes "unpaused" for both (#55074, mended in 3.1): what it says there counts for nothing.
    const told = (paused: boolean) => (target.version.startsWith('3.0.') ? null : paused);
    expect(
      rows.map((row) => ({ owner: row.owner, paused: row.paused, ours: row.op === op, many: row.pattern !== null })),
    ).toEqual([
      { owner: client.account, paused: told(true), ours: target.generation === 3, many: false },
      { owner: person.name, paused: told(false), ours: false, many: false },
      { owner: person.name, paused: told(true), ours: false, many: true },
    ]);
    expect(rows.every((row) => row.id > cursor.id && Math.abs(Date.parse(row.when) - Date.now()) < 60_000)).toBe(true);
    expect((await rowsOf(client, 'contract_free', cursor.id)).map((row) => row.pattern)).toEqual([]);
    await person.bulkPause('contract_bulk', false);
  });

  test('a run of a paused DAG waits, and goes on when it is resumed', async () => {
    const { client, ended, quiet } = given();
    await client.setPaused('contract_free', true, 'op_wait');
    const runId = newRunId('waits');
    const run = await client.triggerRun({
      dagId: 'contract_free',
      runId,
      interval: null,
      conf: { why: 'contract' },
      note: 'by the contract suite',
    });
    expect(run).toMatchObject({ dagId: 'contract_free', runId, state: 'queued', startDate: null });
    await quiet();
    expect((await client.getRun('contract_free', runId))?.state).toBe('queued');
    await client.setPaused('contract_free', false, 'op_wait');
    await ended('contract_free', runId, 'success');
  });

  test('a run id is there only once', async () => {
    const { client, person } = given();
    const request = { dagId: 'contract_free', runId: newRunId('once'), interval: null, conf: null, note: null };
    await client.triggerRun(request);
    await expect(client.triggerRun(request)).rejects.toMatchObject({ kind: 'conflict', outcome: 'none' });
    expect((await person.runs('contract_free')).filter((run) => run.dag_run_id === request.runId)).toHaveLength(1);
  });
};

const rowsOf = async (client: AirflowClient, dagId: string, after: number) => {
  const answer = await client.auditRows(dagId, after);
  if (!answer.readable) throw new Error(answer.why);
  return answer.rows;
};

const failureContract = (given: () => Bench) => {
  test('a failed run is found, cleared from its failed task on, and runs to success', async () => {
    const { client, person, ended } = given();
    const since = new Date(Date.now() - 120_000).toISOString();
    const runId = newRunId('fails');
    await person.trigger('contract_a', runId, { fail_until_try: { make: 2 } });
    await ended('contract_a', runId, 'failed');

    const failed = (await client.listFailedRuns(since)).find((run) => run.runId === runId);
    expect(failed).toMatchObject({ dagId: 'contract_a', state: 'failed', runType: 'manual' });
    expect((await client.listFailedRunsUpdated(since)).some((run) => run.runId === runId)).toBe(true);
    expect((await client.listFailedTasks(since)).filter((task) => task.runId === runId)).toMatchObject([
      { taskId: 'make', state: 'failed', tryNumber: 1, mapIndex: -1 },
    ]);
    expect(await statesOf(client, runId)).toEqual({
      make: 'failed',
      after: 'upstream_failed',
      call: 'upstream_failed',
      side: 'success',
    });

    const request = { dagId: 'contract_a', runId, tasks: ['make'], onLatestVersion: true };
    expect((await client.dryRunClear(request)).map((task) => task.taskId)).toEqual(['after', 'call', 'make']);
    expect((await client.getRun('contract_a', runId))?.state).toBe('failed');
    await client.clear(request);
    await ended('contract_a', runId, 'success');

    const again = await client.getRun('contract_a', runId);
    expect(again?.startDate).not.toBe(failed?.startDate);
    expect((await client.listFailedRuns(since)).some((run) => run.runId === runId)).toBe(false);
    expect((await client.listTasks('contract_a', runId)).find((task) => task.taskId === 'make')).toMatchObject({
      tryNumber: 2,
      state: 'success',
    });
    expect((await client.listTasks('contract_a', runId)).find((task) => task.taskId === 'side')).toMatchObject({ tryNumber: 1 });
  });

  test('a whole run is cleared; while its DAG is paused it waits in the queue', async () => {
    const { client, person, ended, quiet } = given();
    const runId = newRunId('whole');
    await person.trigger('contract_x', runId);
    await ended('contract_x', runId, 'success');
    await client.setPaused('contract_x', true, 'op_clear');
    const request = { dagId: 'contract_x', runId, tasks: null, onLatestVersion: false };
    expect(await client.dryRunClear(request)).toEqual([{ runId, taskId: 'make', mapIndex: -1 }]);
    await client.clear(request);
    await quiet();
    expect(await client.getRun('contract_x', runId)).toMatchObject({ state: 'queued', startDate: null, endDate: null });
    await client.setPaused('contract_x', false, 'op_clear');
    await ended('contract_x', runId, 'success');
    expect((await client.listTasks('contract_x', runId))[0]).toMatchObject({ tryNumber: 2 });
  });

  test('clearing what is not there', async () => {
    const { client, person, ended } = given();
    const runId = newRunId('nothing');
    await person.trigger('contract_free', runId);
    await ended('contract_free', runId, 'success');
    expect(await client.dryRunClear({ dagId: 'contract_free', runId, tasks: ['no_such_task'], onLatestVersion: false })).toEqual(
      [],
    );
    await expect(
      client.clear({ dagId: 'contract_free', runId: 'contract_none', tasks: null, onLatestVersion: false }),
    ).rejects.toMatchObject({ kind: 'not_found', outcome: 'none' });
  });

  test('runs newest first, by state and number', async () => {
    const { client, person, ended } = given();
    const [older, newer] = [newRunId('older'), newRunId('newer')];
    for (const runId of [older, newer]) {
      await person.trigger('contract_wd', runId, runId === older ? { fail_until_try: { work: 9 } } : {});
      await ended('contract_wd', runId, runId === older ? 'failed' : 'success');
    }
    const ids = (await client.listRuns('contract_wd', { limit: 50 }))
      .map((run) => run.runId)
      .filter((runId) => runId === older || runId === newer);
    expect(ids).toEqual([newer, older]);
    expect((await client.listRuns('contract_wd', { limit: 1 })).map((run) => run.runId)).toEqual([newer]);
    expect((await client.listRuns('contract_wd', { limit: 50, states: ['failed'] })).some((run) => run.runId === newer)).toBe(
      false,
    );
  });
};

const statesOf = async (client: AirflowClient, runId: string) =>
  Object.fromEntries((await client.listTasks('contract_a', runId)).map((task) => [task.taskId, task.state]));

const assetContract = (given: () => Bench) => {
  const keyOf = async (client: AirflowClient, name: string) => {
    const found = (await client.listAssets()).find((asset) => asset.uri.replace(/\/$/, '') === `lab://contract/${name}`);
    if (found === undefined) throw new Error(`no asset ${name}`);
    return found;
  };

  test('who fills an asset, and who is started by it', async () => {
    const asset = await keyOf(given().client, 'a1');
    expect(asset.producers).toEqual([{ dagId: 'contract_a', taskId: 'make' }]);
    expect([...asset.consumers].sort()).toEqual(['contract_and', 'contract_b']);
  });

  test('an event reaches who is not paused; who is paused never gets it, but on 2.9 after its pause', async () => {
    const { target, client, person, until, ended, quiet } = given();
    const asset = await keyOf(client, 'a1');
    await client.setPaused('contract_b', true, 'op_asset');
    const before = (await person.runs('contract_b')).length;
    const runId = newRunId('fills');
    await person.trigger('contract_a', runId);
    await ended('contract_a', runId, 'success');
    const event = async () =>
      (await client.listAssetEvents(asset.key, new Date(Date.now() - 300_000).toISOString())).events.find(
        (one) => one.sourceRunId === runId,
      );
    await until('the event is there', async () => (await event()) !== undefined);
    expect((await event())?.createdRuns.filter((run) => run.dagId === 'contract_b')).toEqual([]);
    await client.setPaused('contract_b', false, 'op_asset');
    await quiet();
    if (target.version.startsWith('2.9.'))
      return until('its event was queued for it', async () => (await person.runs('contract_b')).length === before + 1);
    expect(await person.runs('contract_b')).toHaveLength(before);

    const posted = await client.createAssetEvent(asset.key, { firedamper_op: 'op_event' });
    expect(posted).toMatchObject({ assetKey: asset.key, sourceDagId: null, op: 'op_event' });
    await until('the consumer has run', async () => (await person.runs('contract_b')).length === before + 1);
    await until('the event names its run', async () =>
      (await client.listAssetEvents(asset.key, posted.timestamp)).events.some(
        (one) => one.id === posted.id && one.createdRuns.some((run) => run.dagId === 'contract_b'),
      ),
    );
    const runsOf = async () => (await event())?.createdRuns.filter((run) => run.dagId === 'contract_b') ?? [];
    expect(await runsOf(), 'the run that the next event causes takes along the one that was missed').toHaveLength(1);
  });

  test('an event of which a run was cleared and has not begun cannot be listed on 3.x (#71360), the others can', async () => {
    const { target, client, person, until, quiet } = given();
    const asset = await keyOf(client, 'a1');
    const since = new Date(Date.now() - 300_000).toISOString();
    const before = (await person.runs('contract_b')).length;
    const posted = await client.createAssetEvent(asset.key, {});
    const caused = async () =>
      (await client.listAssetEvents(asset.key, posted.timestamp)).events
        .find((one) => one.id === posted.id)
        ?.createdRuns.find((run) => run.dagId === 'contract_b');
    await until('its run has begun', async () => (await caused())?.startDate != null);
    const run = await caused();
    await until('its run is over', async () => (await person.run('contract_b', run?.runId ?? ''))?.state === 'success');
    expect(await person.runs('contract_b')).toHaveLength(before + 1);
    const all = await client.listAssetEvents(asset.key, since);
    expect(all.unreadable).toBe(0);

    await client.setPaused('contract_b', true, 'op_event');
    await client.clear({ dagId: 'contract_b', runId: run?.runId ?? '', tasks: null, onLatestVersion: false });
    const now = await client.listAssetEvents(asset.key, since);
    expect(now.unreadable).toBe(target.generation === 3 ? 1 : 0);
    const ids = all.events.map((event) => event.id);
    expect(now.events.map((event) => event.id)).toEqual(target.generation === 3 ? ids.filter((id) => id !== posted.id) : ids);

    await client.setPaused('contract_b', false, 'op_event');
    await until('the run has begun again', async () => (await client.listAssetEvents(asset.key, since)).unreadable === 0);
    await quiet();
  });

  test('an AND waits for the rest, and says for what it has', async () => {
    const { client, person, until } = given();
    const [a1, x1] = [await keyOf(client, 'a1'), await keyOf(client, 'x1')];
    const before = (await person.runs('contract_and')).length;
    await client.createAssetEvent(a1.key, {});
    await until('the first half is queued', async () => (await client.queuedAssets('contract_and')).includes(a1.key));
    const waiting = (await person.runs('contract_and')).length;
    await client.createAssetEvent(x1.key, {});
    await until('both halves have started it', async () => (await person.runs('contract_and')).length === waiting + 1);
    await until('nothing is queued any more', async () => (await client.queuedAssets('contract_and')).length === 0);
    expect(waiting - before).toBeLessThanOrEqual(1);
  });

  test('an asset that is not there', async () => {
    const { client, target } = given();
    const key = target.generation === 3 ? '999999' : 'lab://contract/none';
    await expect(client.createAssetEvent(key, {})).rejects.toMatchObject({ kind: 'not_found', outcome: 'none' });
  });
};

const lineageContract = (given: () => Bench) => {
  const edgesOf = async (client: AirflowClient) => {
    const lineage = await lineageOf(client);
    const own = lineage.edges.filter((edge) => edge.from.dagId.startsWith('contract_') && edge.to.dagId.startsWith('contract_'));
    return { gaps: lineage.gaps, edges: new Map(own.map((edge) => [`${edge.from.dagId} ${edge.kind} ${edge.to.dagId}`, edge])) };
  };

  test('assets, triggers and sensors are edges; what ran once tells the rest', async () => {
    const { client, person, ended, target } = given();
    const first = await edgesOf(client);
    expect(first.edges.get('contract_a asset contract_b')).toMatchObject({ fromTasks: ['make'], waits: false });
    expect([...first.edges.keys()].filter((key) => key.startsWith('contract_b') || key.startsWith('contract_free'))).toEqual([]);

    const runs = {
      contract_w: newRunId('w'),
      contract_tpl: newRunId('tpl'),
      contract_e: newRunId('e'),
      contract_a: newRunId('a'),
    };
    for (const [dagId, runId] of Object.entries(runs)) await person.trigger(dagId, runId);
    for (const [dagId, runId] of Object.entries(runs)) if (dagId !== 'contract_e') await ended(dagId, runId, 'success');
    await given().until(
      'the sensor was rendered',
      async () => Object.keys(await client.getRenderedFields('contract_e', runs.contract_e, 'wait_a')).length > 0,
    );

    // The list of task instances may lag behind the single one on a busy Airflow; what a client has learnt it keeps, so each look is a fresh one.
    let edges: Awaited<ReturnType<typeof edgesOf>>['edges'] = new Map();
    await given().until('the sensor names its task', async () => {
      const fresh = clientFor(target, target.account);
      edges = (await edgesOf(fresh)).edges;
      fresh.close();
      return edges.get('contract_a sensor contract_e')?.fromTasks !== null;
    });
    expect(edges.get('contract_a trigger contract_d')).toMatchObject({ via: 'call', fromTasks: ['call'], waits: false });
    expect(edges.get('contract_w trigger contract_wd')).toMatchObject({ via: 'call_and_wait', waits: true });
    expect(edges.get('contract_tpl trigger contract_d')).toMatchObject({ via: 'call_any', source: 'rendered_fields' });
    expect(edges.get('contract_a sensor contract_e')).toMatchObject({ via: 'wait_a', fromTasks: ['make'] });
  });

  test('a trigger starts its DAG', async () => {
    const { client, person, ended, until } = given();
    const before = (await person.runs('contract_d')).length;
    const runId = newRunId('calls');
    await person.trigger('contract_a', runId);
    await ended('contract_a', runId, 'success');
    await until('contract_d has a new run', async () => (await person.runs('contract_d')).length > before);
    expect((await client.getRenderedFields('contract_a', runId, 'call')).trigger_dag_id).toBe('contract_d');
  });
};

const missingRunsContract = (given: () => Bench) => {
  const day = 86_400_000;
  const iso = (at: number) => new Date(at).toISOString();

  test('a missing interval is created with its own bounds', async () => {
    const { client, target, person } = given();
    // A day that no other test of this suite uses, and a free one also when the suite runs again on the same Airflow.
    const taken = new Set((await client.listRuns('contract_days', { limit: 100 })).map((run) => run.logicalDate));
    const start = [0, 1, 2, 3].map((n) => target.start + n * day).find((at) => !taken.has(iso(at)));
    if (start === undefined) throw new Error('this Airflow has been used too often: its first four days are taken');
    const interval = { logicalDate: iso(start), start: iso(start), end: iso(start + day) };
    const runId = newRunId('gap');
    const run = await client.triggerRun({ dagId: 'contract_days', runId, interval, conf: null, note: null });
    expect(run).toMatchObject({
      logicalDate: interval.logicalDate,
      dataIntervalStart: interval.start,
      dataIntervalEnd: interval.end,
      state: 'queued',
    });
    await expect(
      client.triggerRun({ dagId: 'contract_days', runId: newRunId('gap'), interval, conf: null, note: null }),
    ).rejects.toMatchObject({ kind: 'conflict' });
    expect(
      (
        await client.listRuns('contract_days', {
          limit: 10,
          logicalDateFrom: interval.logicalDate,
          logicalDateTo: interval.logicalDate,
        })
      ).map((one) => one.runId),
    ).toEqual([runId]);
    expect(await person.run('contract_days', runId)).toMatchObject({ state: 'queued' });
  });

  test('Airflow 2 says that it has no backfills', async () => {
    const { client, target } = given();
    if (target.generation === 3) return expect(client.canBackfill).toBe(true);
    const range = {
      dagId: 'contract_days',
      from: iso(target.start),
      to: iso(target.start + day),
      reprocess: 'none' as const,
      maxActiveRuns: 1,
    };
    await expect(client.dryRunBackfill(range)).rejects.toMatchObject({ kind: 'unsupported', outcome: 'none' });
    expect(await client.listBackfills('contract_days')).toEqual([]);
  });

  test('a backfill waits while its DAG is paused, is there only once, and dies for good when cancelled', async () => {
    const { client, target, until } = given();
    if (target.generation === 2) return expect(client.canBackfill).toBe(false);
    expect(
      await client.dryRunBackfill({
        dagId: 'contract_b',
        from: iso(target.start),
        to: iso(target.start + day),
        reprocess: 'none',
        maxActiveRuns: 1,
      }),
    ).toEqual([]);
    const from = target.start + 5 * day;
    // Completed too: whatever an earlier round left behind.
    const range = {
      dagId: 'contract_days',
      from: iso(from),
      to: iso(from + day),
      reprocess: 'completed' as const,
      maxActiveRuns: 2,
    };
    expect(await client.dryRunBackfill(range)).toEqual([iso(from), iso(from + day)]);
    const backfill = await client.startBackfill(range);
    expect(backfill).toMatchObject({
      dagId: 'contract_days',
      from: range.from,
      to: range.to,
      reprocess: 'completed',
      completedAt: null,
    });
    await expect(client.startBackfill(range)).rejects.toMatchObject({ kind: 'conflict', outcome: 'none' });
    expect((await client.listBackfills('contract_days'))[0]?.id).toBe(backfill.id);
    const runs = () => client.listRuns('contract_days', { limit: 10, logicalDateFrom: range.from, logicalDateTo: range.to });
    expect((await runs()).map((run) => ({ type: run.runType, state: run.state }))).toEqual([
      { type: 'backfill', state: 'queued' },
      { type: 'backfill', state: 'queued' },
    ]);

    await client.cancelBackfill(backfill.id);
    await until('its runs are failed', async () => (await runs()).every((run) => run.state === 'failed' && run.endDate === null));
    expect((await client.listFailedRuns(iso(Date.now() - 300_000))).filter((run) => run.dagId === 'contract_days')).toEqual([]);
    const [dead] = await runs();
    const request = { dagId: 'contract_days', runId: dead?.runId ?? '', tasks: null, onLatestVersion: false };
    await expect(client.clear(request)).rejects.toMatchObject({ kind: 'unsupported', outcome: 'none' });
    await expect(client.dryRunClear(request)).rejects.toMatchObject({ kind: 'unsupported' });
  });
};
