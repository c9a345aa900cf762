/** REST v1. */
import { type ClearBody, selectTasks } from './clearing.ts';
import type { Answer } from './http.ts';
import { atOrAfter, type Call, isoV1, likes, ordered, type PageRules, page, type Route, timeParam } from './routing.ts';
import {
  auditV1,
  dagDetailsV1,
  dagV1,
  datasetV1,
  eventV1,
  importErrorV1,
  operatorName,
  runV1,
  taskReferenceV1,
  taskSpecV1,
  taskV1,
} from './shapesV1.ts';
import { FakeError, type Run } from './types.ts';
import type { World } from './world.ts';

const ok = (json: unknown): Answer => ({ status: 200, json });
type Row = Record<string, unknown>;

const paging = ['limit', 'offset', 'order_by'];
const runFilters = [
  'state',
  'fields',
  ...['execution_date', 'start_date', 'end_date', 'updated_at'].flatMap((name) => [`${name}_gte`, `${name}_lte`]),
];

export const routesV1 = (world: World, cap: number): readonly Route[] => {
  const rules: PageRules = { fallback: Math.min(100, cap), cap, zeroIsNone: false };
  // The cap does not apply to task instances (2.11.2), and they have no order at all (#48494).
  const uncapped: PageRules = { ...rules, cap: Number.POSITIVE_INFINITY };
  const list = <T>(name: string, rows: readonly T[], call: Call, shape: (row: T) => Row, tie: string): Answer => {
    const order = call.query.get('order_by');
    const shaped = rows.map((row) => shape(row));
    const sorted = ordered(shaped, order === null ? [] : [order], fieldOf, (json) => fieldOf(json, tie) ?? 0);
    return ok({ [name]: page(sorted, call.query, rules), total_entries: rows.length });
  };
  const get = (path: string, params: readonly string[], run: (call: Call) => Answer): Route => ({
    method: 'GET',
    path: `/api/v1${path}`,
    role: 'viewer',
    params,
    run,
  });
  const act = (method: string, path: string, params: readonly string[], run: (call: Call) => Answer): Route => ({
    method,
    path: `/api/v1${path}`,
    role: 'user',
    params,
    run,
  });

  return [
    get('/dags', [...paging, 'tags', 'only_active', 'paused', 'fields', 'dag_id_pattern'], (call) =>
      list(
        'dags',
        [...world.dags.values()].filter((dag) => dag.spec.stale !== true),
        call,
        (dag) => dagV1(world, dag),
        'dag_id',
      ),
    ),
    act('PATCH', '/dags', [...paging, 'tags', 'update_mask', 'only_active', 'dag_id_pattern'], (call) =>
      bulkPause(world, call, rules),
    ),
    get('/dags/{dag_id}', ['fields'], ({ ids }) => ok(dagV1(world, found(world, ids.dag_id)))),
    act('PATCH', '/dags/{dag_id}', ['update_mask'], (call) => pauseOne(world, call)),
    get('/dags/{dag_id}/details', ['fields'], ({ ids }) => ok(dagDetailsV1(world, found(world, ids.dag_id)))),
    get('/dags/{dag_id}/tasks', ['order_by'], ({ ids }) => {
      const tasks = taskSpecV1(found(world, ids.dag_id));
      return ok({ tasks, total_entries: tasks.length });
    }),
    get('/dags/{dag_id}/dagRuns', [...paging, ...runFilters], (call) =>
      list('dag_runs', filterRuns(world, call), call, runV1, 'dag_run_id'),
    ),
    act('POST', '/dags/{dag_id}/dagRuns', [], (call) => trigger(world, call)),
    get('/dags/{dag_id}/dagRuns/{dag_run_id}', ['fields'], ({ ids }) => ok(runV1(foundRun(world, ids)))),
    act('POST', '/dags/{dag_id}/dagRuns/{dag_run_id}/clear', [], (call) => clearWhole(world, call)),
    act('POST', '/dags/{dag_id}/clearTaskInstances', [], (call) => clearSome(world, call)),
    get(
      '/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
      ['limit', 'offset', ...runFilters, 'duration_gte', 'duration_lte', 'pool', 'queue', 'executor'],
      (call) => {
        const states = call.query.getAll('state');
        const since = timeParam(call.query, 'end_date_gte');
        const runs =
          call.ids.dag_run_id === '~'
            ? world.allRuns().filter((run) => call.ids.dag_id === '~' || run.dagId === call.ids.dag_id)
            : [foundRun(world, call.ids)];
        const rows = runs.flatMap((run) =>
          [...run.tasks.values()]
            .filter((task) => (states.length === 0 || states.includes(task.state ?? 'none')) && atOrAfter(task.end, since, false))
            .map((task) => taskV1(run, task, operatorName(world.dags.get(run.dagId)?.spec.tasks[task.taskId]))),
        );
        return ok({ task_instances: page(shuffled(rows), call.query, uncapped), total_entries: rows.length });
      },
    ),
    get('/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}', [], ({ ids }) => {
      const run = foundRun(world, ids);
      const task = run.tasks.get(ids.task_id ?? '');
      if (task === undefined) throw new FakeError(404, 'Task instance not found');
      return ok(taskV1(run, task, operatorName(world.dags.get(run.dagId)?.spec.tasks[task.taskId])));
    }),
    get('/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/links', [], ({ ids }) => ok(extraLinks(world, ids))),
    get('/importErrors', [...paging], (call) =>
      list('import_errors', [...world.brokenFiles], call, importErrorV1, 'import_error_id'),
    ),
    get('/datasets', [...paging, 'uri_pattern', 'dag_ids'], (call) =>
      list('datasets', [...world.assets.keys()], call, (uri) => datasetV1(world, uri), 'id'),
    ),
    get(
      '/datasets/events',
      [...paging, 'dataset_id', 'source_dag_id', 'source_task_id', 'source_run_id', 'source_map_index'],
      (call) => {
        const id = call.query.get('dataset_id');
        return list(
          'dataset_events',
          world.events.filter((event) => id === null || event.assetId === Number(id)),
          call,
          eventV1,
          'id',
        );
      },
    ),
    act('POST', '/datasets/events', [], ({ body, user }) => {
      if (!world.assets.has(String(body.dataset_uri)))
        throw new FakeError(404, `Dataset with uri: '${body.dataset_uri}' not found`);
      return ok(
        eventV1({
          ...world.createEvent(String(body.dataset_uri), null, { ...(body.extra as object), from_rest_api: true }, user.name),
          created: [],
        }),
      );
    }),
    get('/datasets/{uri}', [], ({ ids }) => {
      if (!world.assets.has(ids.uri ?? '')) throw new FakeError(404, 'Dataset not found');
      return ok(datasetV1(world, ids.uri ?? ''));
    }),
    get('/dags/{dag_id}/datasets/queuedEvent', ['before'], ({ ids }) => {
      const queued = [...(world.dags.get(ids.dag_id ?? '')?.queued.keys() ?? [])].map((uri) => ({
        dag_id: ids.dag_id,
        uri,
        created_at: isoV1(world.now()),
      }));
      if (queued.length === 0) throw new FakeError(404, `Queue event with dag_id: \`${ids.dag_id}\` was not found`);
      return ok({ queued_events: queued, total_entries: queued.length });
    }),
    {
      ...get(
        '/eventLogs',
        [
          ...paging,
          'dag_id',
          'task_id',
          'run_id',
          'map_index',
          'try_number',
          'event',
          'owner',
          'before',
          'after',
          'included_events',
          'excluded_events',
        ],
        (call) => {
          const events = call.query.get('included_events')?.split(',') ?? null;
          const dagId = call.query.get('dag_id');
          return list(
            'event_logs',
            world.audit.filter(
              (row) => (dagId === null || row.dagId === dagId) && (events === null || events.includes(row.event)),
            ),
            call,
            auditV1,
            'event_log_id',
          );
        },
      ),
      role: 'admin',
    },
  ];
};

const fieldOf = (json: Row, field: string): string | number | null => {
  const value = json[field.replace(/^-/, '')];
  return typeof value === 'string' || typeof value === 'number' ? value : null;
};

/** No order, but the same at each call: even places first. */
const shuffled = <T>(rows: readonly T[]): T[] => [
  ...rows.filter((_, place) => place % 2 === 0),
  ...rows.filter((_, place) => place % 2 === 1),
];

const found = (world: World, dagId: string | undefined) => {
  const dag = world.dags.get(dagId ?? '');
  // The text stands in title, detail is null (2.11.2).
  if (dag === undefined) throw new FakeError(404, `Dag with id: '${dagId}' not found`);
  return dag;
};

const foundRun = (world: World, ids: Readonly<Record<string, string>>): Run => {
  const run = world.runs.get(ids.dag_id ?? '')?.get(ids.dag_run_id ?? '');
  if (run === undefined)
    throw new FakeError(404, `DAGRun with DAG ID: '${ids.dag_id}' and DagRun ID: '${ids.dag_run_id}' not found`);
  return run;
};

/** The audit row stands before the handler, also for a DAG that does not exist (2.11.2). */
const pauseOne = (world: World, { ids, query, body, user, request }: Call): Answer => {
  const mask = query.get('update_mask');
  world.writeAudit(
    request.headers.origin === undefined ? 'api.patch_dag' : 'ui.patch_dag',
    user.name,
    ids.dag_id ?? null,
    JSON.stringify({ ...(mask === null ? {} : { update_mask: mask }), ...body }),
  );
  const extra = Object.keys(body).find((key) => key !== 'is_paused');
  if (extra !== undefined) throw new FakeError(400, `{'${extra}': ['Unknown field.']}`);
  const dag = found(world, ids.dag_id);
  world.setPaused(dag.id, body.is_paused === true, user.name);
  return ok(dagV1(world, dag));
};

const bulkPause = (world: World, { query, body, user }: Call, rules: PageRules): Answer => {
  const pattern = query.get('dag_id_pattern');
  if (pattern === null) throw new FakeError(400, "Missing query parameter 'dag_id_pattern'");
  world.writeAudit('api.patch_dags', user.name, null, JSON.stringify({ dag_id_pattern: pattern, ...body }));
  const hit = [...world.dags.values()].filter((dag) => likes(pattern, dag.id));
  const changed = page(hit, query, rules);
  for (const dag of changed) world.setPaused(dag.id, body.is_paused === true, user.name);
  return ok({ dags: changed.map((dag) => dagV1(world, dag)), total_entries: hit.length });
};

/** A DAG that does not exist has no runs, says 2.x: 200 and an empty list (2.11.2). */
const filterRuns = (world: World, { ids, query }: Call): Run[] => {
  const runs = ids.dag_id === '~' ? world.allRuns() : world.runsOf(ids.dag_id ?? '');
  const states = query.getAll('state').flatMap((one) => one.split(','));
  const [end, updated, from, to] = [
    timeParam(query, 'end_date_gte'),
    timeParam(query, 'updated_at_gte'),
    timeParam(query, 'execution_date_gte'),
    timeParam(query, 'execution_date_lte'),
  ];
  return runs.filter(
    (run) =>
      (states.length === 0 || states.includes(run.state)) &&
      atOrAfter(run.end, end, false) &&
      atOrAfter(run.updated, updated, false) &&
      atOrAfter(run.logical, from, false) &&
      (to === null || (run.logical !== null && run.logical <= to)),
  );
};

/** With a logical date alone the interval before it is taken (2.11.2). */
const trigger = (world: World, { ids, body, user }: Call): Answer => {
  const dag = found(world, ids.dag_id);
  world.writeAudit('api.post_dag_run', user.name, dag.id, JSON.stringify(body));
  const time = (name: string) => (typeof body[name] === 'string' ? Date.parse(body[name] as string) : null);
  const [start, end] = [time('data_interval_start'), time('data_interval_end')];
  if ((start === null) !== (end === null))
    throw new FakeError(400, "Both 'data_interval_start' and 'data_interval_end' must be specified together");
  const runId = typeof body.dag_run_id === 'string' ? body.dag_run_id : undefined;
  if (runId !== undefined && !/^[A-Za-z0-9_.~:+-]+$/.test(runId)) return { status: 500, html: '<h1>Ooops!</h1>' };
  if (runId !== undefined && /^(scheduled|backfill|dataset_triggered)__/.test(runId))
    throw new FakeError(400, `A manual DAG run cannot use ID '${runId}' since it is reserved for scheduled runs`);
  const logical = time('logical_date') ?? world.now();
  const schedule = dag.spec.schedule;
  const every = schedule !== null && schedule !== undefined && 'every' in schedule ? schedule.every : 0;
  const run = world.createRun(dag.id, {
    runType: 'manual',
    by: user.name,
    logical,
    intervalStart: start ?? logical - every,
    intervalEnd: end ?? logical,
    conf: (body.conf as Record<string, unknown>) ?? {},
    note: (body.note as string) ?? null,
    ...(runId === undefined ? {} : { runId }),
  });
  return ok(runV1(run));
};

const clearWhole = (world: World, { ids, body, user }: Call): Answer => {
  const run = foundRun(world, ids);
  const extra = Object.keys(body).find((key) => key !== 'dry_run');
  if (extra !== undefined) throw new FakeError(400, `{'${extra}': ['Unknown field.']}`);
  if (body.dry_run !== false) return ok({ task_instances: [...run.tasks.keys()].map((id) => taskReferenceV1(run, id)) });
  world.writeAudit('api.clear_dag_run', user.name, run.dagId, JSON.stringify(body), run.runId);
  world.clear(run, [...run.tasks.keys()], user.name);
  return ok(runV1(run));
};

/** Without `reset_dag_runs` the tasks are emptied and the run stays failed (2.11.2). */
const clearSome = (world: World, { ids, body, user }: Call): Answer => {
  found(world, ids.dag_id);
  const chosen = selectTasks(world, ids.dag_id ?? '', body as ClearBody);
  const answer = ok({ task_instances: chosen.flatMap(({ run, taskIds }) => taskIds.map((id) => taskReferenceV1(run, id))) });
  if (body.dry_run === false) {
    world.writeAudit('api.post_clear_task_instances', user.name, ids.dag_id ?? null, JSON.stringify(body));
    for (const { run, taskIds } of chosen) world.clear(run, taskIds, user.name, body.reset_dag_runs === true);
  }
  return answer;
};

/** The link names the DAG as it is written in the code: a templated target stays Jinja (2.11.2). */
const extraLinks = (world: World, ids: Readonly<Record<string, string>>): Row => {
  const run = foundRun(world, ids);
  const target = world.dags.get(run.dagId)?.spec.tasks[ids.task_id ?? '']?.triggers;
  if (target === undefined) return {};
  const written = target.templated === true ? `{{ dag_run.conf['${ids.task_id}'] }}` : target.dagId;
  const child = run.tasks.get(ids.task_id ?? '')?.child;
  return {
    'Triggered DAG': `/dags/${encodeURIComponent(written)}/grid${child === null || child === undefined ? '' : `?dag_run_id=${encodeURIComponent(child.runId)}`}`,
  };
};
