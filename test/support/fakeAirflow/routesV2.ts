/** REST v2, and the two paths beside it that Firedamper uses. */
import { type BackfillBody, backfillDates, type ClearBody, cancelBackfill, selectTasks, startBackfill } from './clearing.ts';
import type { Answer } from './http.ts';
import { atOrAfter, type Call, iso, likes, ordered, type PageRules, page, type Route, timeParam } from './routing.ts';
import { operatorName, templateFields } from './shapesV1.ts';
import { assetV2, auditV2, backfillV2, dagDetailsV2, dagV2, eventV2, graphV2, importErrorV2, runV2, taskV2 } from './shapesV2.ts';
import { FakeError, type Run, type TaskInstance } from './types.ts';
import type { World } from './world.ts';

const ok = (json: unknown): Answer => ({ status: 200, json });
type Row = Record<string, unknown>;

export const routesV2 = (world: World, cap: number): readonly Route[] => {
  const rules: PageRules = { fallback: Math.min(50, cap), cap, zeroIsNone: true };
  const list = <T>(
    name: string,
    rows: readonly T[],
    call: Call,
    shape: (row: T) => Row,
    orders: readonly string[],
    tie: string,
  ): Answer => {
    const shaped = rows.map((row) => ({ row, json: shape(row) }));
    const asked = call.query.getAll('order_by');
    const sorted = ordered(
      shaped,
      asked.length > 0 ? asked : orders,
      ({ json }, field) => field_(json, field),
      ({ json }) => field_(json, tie) ?? 0,
    );
    return ok({ [name]: page(sorted, call.query, rules).map(({ json }) => json), total_entries: rows.length });
  };
  const minor = minorOf(world);
  const fields = (single: boolean) => single || minor >= 3;
  const get = (path: string, run: (call: Call) => Answer): Route => ({
    method: 'GET',
    path: `/api/v2${path}`,
    role: 'viewer',
    run,
  });
  const act = (method: string, path: string, role: Route['role'], run: (call: Call) => Answer): Route => ({
    method,
    path: `/api/v2${path}`,
    role,
    run,
  });

  return [
    get('/dags', (call) =>
      list(
        'dags',
        // A DAG whose file is broken is stale within seconds (3.3.2); 2.11.2 lists it on.
        [...world.dags.values()].filter(
          (dag) =>
            call.query.get('exclude_stale') === 'false' || (dag.spec.stale !== true && !world.brokenFiles.has(`${dag.id}.py`)),
        ),
        call,
        (dag) => dagV2(world, dag),
        ['dag_id'],
        'dag_id',
      ),
    ),
    act('PATCH', '/dags', 'user', (call) => bulkPause(world, call, rules)),
    get('/dags/{dag_id}', ({ ids }) => ok(dagV2(world, found(world, ids.dag_id)))),
    act('PATCH', '/dags/{dag_id}', 'user', (call) => pauseOne(world, call)),
    get('/dags/{dag_id}/details', ({ ids }) => ok(dagDetailsV2(world, found(world, ids.dag_id)))),
    get('/dags/{dag_id}/tasks', ({ ids }) => {
      const tasks = Object.entries(found(world, ids.dag_id).spec.tasks).map(([taskId, spec]) => ({
        task_id: taskId,
        operator_name: operatorName(spec),
        template_fields: templateFields(spec),
        downstream_task_ids: spec.downstream ?? [],
        retries: spec.retries ?? 0,
      }));
      return ok({ tasks, total_entries: tasks.length });
    }),
    get('/dags/{dag_id}/dagRuns', (call) => list('dag_runs', filterRuns(world, call), call, runV2, ['id'], 'dag_run_id')),
    act('POST', '/dags/{dag_id}/dagRuns', 'user', (call) => trigger(world, call)),
    get('/dags/{dag_id}/dagRuns/{dag_run_id}', ({ ids }) => ok(runV2(foundRun(world, ids)))),
    act('POST', '/dags/{dag_id}/dagRuns/{dag_run_id}/clear', 'user', (call) => clearWhole(world, call, minor)),
    act('POST', '/dags/{dag_id}/clearTaskInstances', 'user', (call) => clearSome(world, call, minor)),
    get('/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances', (call) => {
      const runs =
        call.ids.dag_run_id === '~'
          ? world.allRuns().filter((run) => call.ids.dag_id === '~' || run.dagId === call.ids.dag_id)
          : [foundRun(world, call.ids)];
      const pairs = runs
        .flatMap((run) => [...run.tasks.values()].map((task) => ({ run, task })))
        .filter((one) => keepTask(one, call.query));
      return list(
        'task_instances',
        pairs,
        call,
        ({ run, task }) => taskV2(run, task, operatorOf(world, run, task), fields(false)),
        ['map_index'],
        'id',
      );
    }),
    get('/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}', ({ ids }) => {
      const run = foundRun(world, ids);
      const task = run.tasks.get(ids.task_id ?? '');
      if (task === undefined)
        throw new FakeError(
          404,
          `The Task Instance with dag_id: \`${ids.dag_id}\`, run_id: \`${ids.dag_run_id}\` and task_id: \`${ids.task_id}\` was not found`,
        );
      return ok(taskV2(run, task, operatorOf(world, run, task), fields(true)));
    }),
    get('/importErrors', (call) =>
      list('import_errors', [...world.brokenFiles], call, importErrorV2, ['import_error_id'], 'import_error_id'),
    ),
    get('/assets', (call) => list('assets', [...world.assets.keys()], call, (uri) => assetV2(world, uri), ['id'], 'id')),
    get('/assets/events', (call) => {
      const since = timeParam(call.query, 'timestamp_gte');
      const asset = call.query.get('asset_id');
      const rows = world.events.filter(
        (event) => (asset === null || event.assetId === Number(asset)) && (since === null || event.at >= since),
      );
      const answer = list('asset_events', rows, call, eventV2, ['timestamp'], 'id');
      // As 3.3.2: the model of a run has no place for one that has not begun (#71360).
      const shown = (answer.json as { asset_events: ReturnType<typeof eventV2>[] }).asset_events;
      if (shown.some((event) => event.created_dagruns.some((run) => run.start_date === null)))
        throw new FakeError(500, 'Internal Server Error');
      return answer;
    }),
    act('POST', '/assets/events', 'op', ({ body, user }) => {
      const asset = [...world.assets.values()].find((one) => one.id === body.asset_id);
      if (asset === undefined) throw new FakeError(404, `Asset with ID: \`${body.asset_id}\` was not found`);
      return ok(
        eventV2({
          ...world.createEvent(asset.uri, null, { ...(body.extra as object), from_rest_api: true }, user.name),
          created: [],
        }),
      );
    }),
    get('/dags/{dag_id}/assets/queuedEvents', ({ ids }) => {
      const dag = found(world, ids.dag_id);
      if (minor === 0 && dag.queued.size === 0) throw new FakeError(404, `Queue event with dag_id: \`${dag.id}\` was not found`);
      const queued = [...dag.queued.keys()].map((uri) => ({
        dag_id: dag.id,
        asset_id: world.asset(uri).id,
        created_at: iso(world.now()),
        dag_display_name: dag.id,
      }));
      return ok({ queued_events: queued, total_entries: queued.length });
    }),
    get('/eventLogs', (call) => list('event_logs', filterAudit(world, call.query), call, auditV2, ['id'], 'event_log_id')),
    get('/backfills', (call) => {
      const dagId = call.query.get('dag_id');
      if (dagId === null) throw new FakeError(422, 'dag_id missing');
      return list(
        'backfills',
        world.backfills.filter((one) => one.dagId === dagId),
        call,
        backfillV2,
        ['id'],
        'id',
      );
    }),
    act('POST', '/backfills', 'user', ({ body, user }) => createBackfill(world, body, user.name, minor)),
    act('POST', '/backfills/dry_run', 'user', ({ body }) => dryRunBackfill(world, body, minor)),
    act('PUT', '/backfills/{backfill_id}/cancel', 'user', ({ ids, user }) =>
      ok(backfillV2(cancelBackfill(world, Number(ids.backfill_id), user.name))),
    ),
    { method: 'GET', path: '/ui/dependencies', role: 'viewer', run: () => ok(graphV2(world)) },
  ];
};

const field_ = (json: Row, field: string): string | number | null => {
  const value = json[field === 'run_id' ? 'dag_run_id' : field === 'updated_at' ? 'updated_at' : field];
  return typeof value === 'string' || typeof value === 'number' ? value : null;
};

const minorOf = (world: World): number => Number(world.options.version.split('.')[1] ?? 0);

const found = (world: World, dagId: string | undefined) => {
  const dag = world.dags.get(dagId ?? '');
  if (dag === undefined) throw new FakeError(404, `The Dag with ID: \`${dagId}\` was not found`);
  return dag;
};

const foundRun = (world: World, ids: Readonly<Record<string, string>>): Run => {
  const run = world.runs.get(ids.dag_id ?? '')?.get(ids.dag_run_id ?? '');
  if (run === undefined)
    throw new FakeError(404, `The DagRun with dag_id: \`${ids.dag_id}\` and run_id: \`${ids.dag_run_id}\` was not found`);
  return run;
};

const operatorOf = (world: World, run: Run, task: TaskInstance): string =>
  operatorName(world.dags.get(run.dagId)?.spec.tasks[task.taskId]);

/** The audit row stands before the handler and takes every query parameter along (3.0.6-3.3.2); an unknown DAG leaves none. */
const pauseOne = (world: World, { ids, query, body, user }: Call): Answer => {
  const dag = world.dags.get(ids.dag_id ?? '');
  if (dag === undefined) throw new FakeError(404, `Dag with id: ${ids.dag_id} was not found`);
  // 3.0.0-3.0.6 write false for both directions (#55074).
  const written = /^3\.0\./.test(world.options.version) ? false : body.is_paused;
  world.writeAudit(
    'patch_dag',
    user.name,
    dag.id,
    JSON.stringify({ ...Object.fromEntries(query), is_paused: written, method: 'PATCH' }),
  );
  if (typeof body.is_paused !== 'boolean') throw new FakeError(422, 'is_paused missing');
  if (query.getAll('update_mask').some((mask) => mask !== 'is_paused'))
    throw new FakeError(400, 'Only `is_paused` field can be updated through the REST API');
  world.setPaused(dag.id, body.is_paused, user.name);
  return ok(dagV2(world, dag));
};

/** Substring match, one page only, no DAG in the audit row; without a pattern nothing changes (3.0.6-3.3.2). */
const bulkPause = (world: World, { query, body, user }: Call, rules: PageRules): Answer => {
  world.writeAudit(
    'patch_dags',
    user.name,
    null,
    JSON.stringify({ ...Object.fromEntries(query), is_paused: body.is_paused, method: 'PATCH' }),
  );
  const pattern = query.get('dag_id_pattern');
  const hit = pattern === null ? [] : [...world.dags.values()].filter((dag) => likes(pattern, dag.id));
  const changed = page(hit, query, rules);
  for (const dag of changed) world.setPaused(dag.id, body.is_paused === true, user.name);
  return ok({ dags: changed.map((dag) => dagV2(world, dag)), total_entries: hit.length });
};

const filterRuns = (world: World, { ids, query }: Call): Run[] => {
  const runs = ids.dag_id === '~' ? world.allRuns() : world.runsOf(found(world, ids.dag_id).id);
  const states = query.getAll('state');
  const types = query.getAll('run_type');
  if (states.some((state) => !['queued', 'running', 'success', 'failed'].includes(state)))
    throw new FakeError(422, 'Invalid value for state. Valid values are queued, running, success, failed');
  const [end, updated, from, to] = [
    timeParam(query, 'end_date_gte'),
    timeParam(query, 'updated_at_gte'),
    timeParam(query, 'logical_date_gte'),
    timeParam(query, 'logical_date_lte'),
  ];
  // A strict filter other than the one of the end, from 3.2 on; 0 counts as none (3.3.2).
  const longerThan = minorOf(world) >= 2 ? Number(query.get('duration_gte') ?? 0) : 0;
  return runs.filter(
    (run) =>
      (states.length === 0 || states.includes(run.state)) &&
      (longerThan === 0 || (run.start !== null && run.end !== null && run.end - run.start >= longerThan * 1000)) &&
      (types.length === 0 || types.includes(run.runType)) &&
      atOrAfter(run.end, end, true) &&
      atOrAfter(run.updated, updated, false) &&
      atOrAfter(run.logical, from, false) &&
      (to === null || (run.logical !== null && run.logical <= to)),
  );
};

const keepTask = ({ task }: { task: TaskInstance }, query: URLSearchParams): boolean => {
  const states = query.getAll('state');
  const taskId = query.get('task_id');
  return (
    (states.length === 0 || states.includes(task.state ?? 'none')) &&
    (taskId === null || task.taskId === taskId) &&
    atOrAfter(task.end, timeParam(query, 'end_date_gte'), true)
  );
};

const filterAudit = (world: World, query: URLSearchParams) => {
  const events = query.getAll('included_events');
  const dagId = query.get('dag_id');
  // Rows of a deleted DAG are hidden, its deletion as well, until it is back (3.3.2).
  const isThere = (id: string | null) => id === null || world.dags.has(id);
  return world.audit.filter(
    (row) => isThere(row.dagId) && (dagId === null || row.dagId === dagId) && (events.length === 0 || events.includes(row.event)),
  );
};

const trigger = (world: World, { ids, body, user }: Call): Answer => {
  const dag = found(world, ids.dag_id);
  world.writeAudit('trigger_dag_run', user.name, dag.id, JSON.stringify(body));
  if (!('logical_date' in body)) throw new FakeError(422, 'logical_date missing');
  const time = (name: string) => (typeof body[name] === 'string' ? Date.parse(body[name] as string) : null);
  const run = world.createRun(dag.id, {
    runType: 'manual',
    by: user.name,
    logical: time('logical_date'),
    intervalStart: time('data_interval_start') ?? time('logical_date'),
    intervalEnd: time('data_interval_end') ?? time('logical_date'),
    conf: (body.conf as Record<string, unknown>) ?? {},
    note: (body.note as string) ?? null,
    ...(typeof body.dag_run_id === 'string' ? { runId: body.dag_run_id } : {}),
  });
  return ok(runV2(run));
};

const refuseUnknownFields = (body: Row, known: readonly string[]): void => {
  const extra = Object.keys(body).find((key) => !known.includes(key));
  if (extra !== undefined) throw new FakeError(422, `extra_forbidden: ${extra}`);
};

const clearWhole = (world: World, { ids, body, user }: Call, minor: number): Answer => {
  const run = foundRun(world, ids);
  refuseUnknownFields(body, [
    'dry_run',
    'only_failed',
    ...(minor >= 1 ? ['run_on_latest_version'] : []),
    ...(minor >= 3 ? ['note', 'only_new'] : []),
  ]);
  const chosen = selectTasks(world, run.dagId, { dag_run_id: run.runId, only_failed: body.only_failed === true });
  const taskIds = chosen[0]?.taskIds ?? [];
  if (body.dry_run !== false)
    return ok({
      task_instances: taskIds.map((id) => taskV2(run, world.task(run, id), '', false)),
      total_entries: taskIds.length,
    });
  world.writeAudit('clear_dag_run', user.name, run.dagId, JSON.stringify(body), run.runId);
  world.clear(run, taskIds, user.name);
  return ok(runV2(run));
};

const clearSome = (world: World, { ids, body, user }: Call, minor: number): Answer => {
  found(world, ids.dag_id);
  refuseUnknownFields(body, [
    'dry_run',
    'dag_run_id',
    'task_ids',
    'only_failed',
    'only_running',
    'reset_dag_runs',
    'include_downstream',
    'include_upstream',
    'include_past',
    'include_future',
    'start_date',
    'end_date',
    ...(minor >= 1 ? ['run_on_latest_version'] : []),
  ]);
  const chosen = selectTasks(world, ids.dag_id ?? '', body as ClearBody);
  const answer = ok({
    task_instances: chosen.flatMap(({ run, taskIds }) => taskIds.map((id) => taskV2(run, world.task(run, id), '', false))),
    total_entries: chosen.length,
  });
  if (body.dry_run === false) {
    world.writeAudit('clear_task_instances', user.name, ids.dag_id ?? null, JSON.stringify(body));
    for (const { run, taskIds } of chosen) world.clear(run, taskIds, user.name, body.reset_dag_runs !== false);
  }
  return answer;
};

/** 3.0-3.2 answer an empty list for a DAG without intervals, 3.3 refuses it (seen on 3.0.6-3.3.2). */
const dryRunBackfill = (world: World, body: Row, minor: number): Answer => {
  if (!world.dags.has(String(body.dag_id))) throw new FakeError(404, `Could not find dag ${body.dag_id}`);
  try {
    const dates = backfillDates(world, body as unknown as BackfillBody);
    return ok({
      backfills: dates.map((at) => ({ logical_date: iso(at), partition_key: null, partition_date: null })),
      total_entries: dates.length,
    });
  } catch (error) {
    if (error instanceof FakeError && minor < 3 && error.message.includes('non-periodic'))
      return ok({ backfills: [], total_entries: 0 });
    throw error;
  }
};

const createBackfill = (world: World, body: Row, by: string, minor: number): Answer => {
  if (!world.dags.has(String(body.dag_id))) throw new FakeError(404, `Could not find dag ${body.dag_id}`);
  world.writeAudit('create_backfill', by, String(body.dag_id), JSON.stringify({ ...body, method: 'POST' }));
  const request = body as unknown as BackfillBody;
  const running = world.backfills.some((one) => one.dagId === request.dag_id && one.completedAt === null);
  if (!running && minor >= 3 && backfillDates(world, { ...request, reprocess_behavior: 'completed' }).length === 0) {
    throw new FakeError(422, `No runs to create for Dag ${body.dag_id} in the range`);
  }
  return ok(backfillV2(startBackfill(world, request, by)));
};
