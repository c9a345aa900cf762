import { afterEach, describe, expect, test } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import { linksOf, mergeEdges } from '../../src/airflow/lineageGraph.ts';
import { sensorFacts, triggerFacts } from '../../src/airflow/lineageTasks.ts';
import { graphOfPage } from '../../src/airflow/v1/lineage.ts';
import { Secret } from '../../src/config.ts';
import type { LineageEdge } from '../../src/core/facts.ts';
import { type FakeAirflow, type FakeOptions, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { lineageOf } from './lineageOf.ts';
import { clientOf } from './setup.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A fills a1 for B; A.call starts D and waits; A.any starts F by a template; E senses A.make. */
const story = async (
  options: FakeOptions,
  sessionLogin = true,
): Promise<{ fake: FakeAirflow; fresh: (now?: () => number) => AirflowClient }> => {
  const fake = await startFakeAirflow({ autoRun: true, ...options });
  fake
    .dag('A', {
      tasks: {
        make: { downstream: ['call', 'any'], outlets: ['x://a1'] },
        call: { triggers: { dagId: 'D', wait: true } },
        any: { triggers: { dagId: 'F', templated: true } },
      },
    })
    .dag('B', { schedule: { assets: 'x://a1' }, tasks: { work: {} } })
    .dag('E', { tasks: { wait_a: { waitsFor: { dagId: 'A', taskIds: ['make'] } } } });
  for (const id of ['D', 'F', 'Z', 'dataset']) fake.dag(id, { tasks: { work: {} } });
  closing.push(() => fake.close());
  const fresh = (now?: () => number) => {
    const client = clientOf({
      url: fake.url,
      auth: { kind: 'password', username: 'firedamper', password: new Secret('firedamper') },
      sessionLogin,
      ...(now === undefined ? {} : { now }),
    });
    closing.push(() => client.close());
    return client;
  };
  return { fake, fresh };
};

const ran = async (fake: FakeAirflow) => {
  fake.startRun('A', { runId: 'r1' });
  fake.startRun('E', { runId: 'r1' });
  await fake.until((one) => one.runs('A')[0]?.state === 'success' && one.runs('E')[0]?.state !== 'queued');
};

const said = (edges: readonly LineageEdge[]) =>
  edges
    .map(
      (edge) =>
        `${edge.from.dagId} -${edge.kind}/${edge.via}-> ${edge.to.dagId} by ${edge.fromTasks?.join() ?? '?'} waits ${edge.waits}`,
    )
    .sort();

describe.each([
  ['3.x', { generation: 3 }, true],
  ['3.1, where lists hold no rendered fields', { generation: 3, version: '3.1.8' }, true],
  ['2.x with the page', { generation: 2 }, true],
] as const)('%s', (_, options, sessionLogin) => {
  test('edges are there before anything ran, and what is unknown is named', async () => {
    const { fresh } = await story(options, sessionLogin);
    const lineage = await lineageOf(fresh());
    expect(said(lineage.edges)).toEqual([
      'A -asset/x://a1-> B by make waits false',
      'A -sensor/wait_a-> E by ? waits false',
      'A -trigger/call-> D by call waits null',
    ]);
    expect(lineage.gaps).toEqual([{ source: 'rendered_fields', why: 'which DAG A.any starts is not known before it has run' }]);
  });

  test('one run tells the rest', async () => {
    const { fake, fresh } = await story(options, sessionLogin);
    await ran(fake);
    const lineage = await lineageOf(fresh());
    expect(said(lineage.edges)).toEqual([
      'A -asset/x://a1-> B by make waits false',
      'A -sensor/wait_a-> E by make waits false',
      'A -trigger/any-> F by any waits false',
      'A -trigger/call-> D by call waits true',
    ]);
    expect(lineage.gaps).toEqual([]);
  });
});

test('2.x by Basic: task by task, and nothing is invented before a run', async () => {
  const { fake, fresh } = await story({ generation: 2 }, false);
  const before = await lineageOf(fresh());
  expect(said(before.edges)).toEqual(['A -asset/x://a1-> B by make waits false']);
  expect(before.gaps.map((gap) => gap.why)).toEqual([
    'which DAG A.any starts is not known before it has run',
    'which DAG A.call starts is not known before it has run',
    'which DAG E.wait_a waits for is not known before it has run',
  ]);
  await ran(fake);
  expect(said((await lineageOf(fresh())).edges)).toHaveLength(4);
});

test('2.x by Basic: a trigger that stands in a run but has not run yet is read from its link', async () => {
  const { fake, fresh } = await story({ generation: 2 }, false);
  fake.setOutcome('A', 'make', 'wait');
  fake.startRun('A', { runId: 'r1' });
  await fake.until((one) => one.runs('A')[0]?.state === 'running');
  const { edges } = await lineageOf(fresh());
  expect(edges.find((edge) => edge.to.dagId === 'D')).toMatchObject({ via: 'call', source: 'extra_links', waits: null });
  expect(edges.find((edge) => edge.to.dagId === 'F')).toBeUndefined();
});

test('single answers are kept: a second survey asks for the lists only', async () => {
  const { fake, fresh } = await story({ generation: 2 }, false);
  await ran(fake);
  const client = fresh();
  await lineageOf(client);
  const before = fake.requests.length;
  expect((await lineageOf(client)).gaps).toEqual([]);
  expect(
    fake.requests
      .slice(before)
      .map((one) => one.path)
      .sort(),
  ).toEqual(['/api/v1/dags', '/api/v1/datasets']);
});

test.each([
  [3, '/ui/dependencies', 'ui_dependencies'],
  [3, '/assets', 'assets'],
  [2, '/datasets', 'datasets'],
  [2, '/dag-dependencies', 'dag_dependencies_page'],
] as const)('generation %i, %s is forbidden: a gap with its reason, the rest stands', async (generation, path, source) => {
  const { fake, fresh } = await story({ generation });
  await ran(fake);
  fake.inject({
    path: new RegExp(`${path}$`),
    fault: { kind: 'answer', answer: { status: 403, json: { detail: 'Forbidden' } } },
  });
  const lineage = await lineageOf(fresh());
  expect(lineage.gaps).toMatchObject([{ source, why: expect.stringContaining('403') }]);
  const kept = ['A -asset/x://a1-> B', 'A -sensor/wait_a-> E', 'A -trigger/any-> F', 'A -trigger/call-> D'];
  expect(said(lineage.edges).map((line) => line.replace(/ by .*/, ''))).toEqual(kept);
});

test.each([
  [3, '/ui/dependencies'],
  [2, '/dag-dependencies'],
] as const)('generation %i, %s fails once: asked again, and no DAG is asked instead', async (generation, path) => {
  const { fake, fresh } = await story({ generation });
  await ran(fake);
  const client = fresh();
  await lineageOf(client);
  const before = fake.requests.length;
  fake.inject({
    path: new RegExp(`${path}$`),
    times: 1,
    fault: { kind: 'answer', answer: { status: 502, html: '<h1>Bad Gateway</h1>' } },
  });
  expect((await lineageOf(client)).gaps).toEqual([]);
  const asked = fake.requests.slice(before).map((one) => one.path);
  expect(asked.filter((one) => one.endsWith(path))).toHaveLength(2);
  expect(asked.filter((one) => one.endsWith('/tasks'))).toEqual([]);
});

test.each([2, 3] as const)('generation %i: a DAG that is gone is nobody to hold', async (generation) => {
  const { fake, fresh } = await story({ generation });
  fake.dag('A', { tasks: { call: { triggers: { dagId: 'gone' } } } });
  expect((await lineageOf(fresh())).edges.filter((edge) => edge.to.dagId === 'gone')).toEqual([]);
});

test('nothing at all can be read: that is an error, not an empty graph', async () => {
  const { fake, fresh } = await story({ generation: 3 });
  fake.inject({
    path: /\/(ui\/dependencies|api\/v2\/assets)$/,
    fault: { kind: 'answer', answer: { status: 403, json: { detail: 'Forbidden' } } },
  });
  await expect(lineageOf(fresh())).rejects.toMatchObject({ kind: 'forbidden' });
});

test('more DAGs than one survey may ask for: the rest is a gap, and the next survey goes on', async () => {
  const { fake, fresh } = await story({ generation: 2 }, false);
  for (let n = 0; n < 120; n++) fake.dag(`n${n}`, { tasks: { t: {} } });
  const client = fresh();
  expect((await lineageOf(client)).gaps[0]).toEqual({
    source: 'rendered_fields',
    why: 'the tasks of 27 DAGs are still to be read',
  });
  expect((await lineageOf(client)).gaps.some((gap) => gap.why.includes('still to be read'))).toBe(false);
});

describe('the graph', () => {
  const node = (id: string) => ({ id, label: id.slice(id.indexOf(':') + 1), type: id.slice(0, id.indexOf(':')) });
  const graph = (...edges: [string, string][]) => ({
    nodes: [...new Set(edges.flat())].map(node),
    edges: edges.map(([from, to]) => ({ from, to })),
  });

  test('an alias and its asset point at each other: every reader is found once, and the walk ends', () => {
    const links = linksOf(
      graph(
        ['dag:A', 'asset-alias:al'],
        ['asset-alias:al', 'asset:3'],
        ['asset:3', 'asset-alias:al'],
        ['asset-alias:al', 'dag:F'],
        ['asset:3', 'dag:G'],
      ),
    );
    expect(links.map((link) => `${link.from}>${link.to} ${link.kind} ${link.via}`).sort()).toEqual([
      'A>F asset al',
      'A>G asset 3',
    ]);
  });

  test('a DAG ends a walk: what lies behind it belongs to it', () => {
    const links = linksOf(graph(['dag:A', 'asset:1'], ['asset:1', 'dag:B'], ['dag:B', 'asset:2'], ['asset:2', 'dag:C']));
    expect(links.map((link) => `${link.from}>${link.to}`)).toEqual(['A>B', 'B>C']);
  });

  test('colons in an id change nothing, because ids are followed and not split', () => {
    const links = linksOf(graph(['dag:A:x', 'trigger:A:x:B:call'], ['trigger:A:x:B:call', 'dag:B']));
    expect(links).toMatchObject([{ from: 'A:x', to: 'B', kind: 'trigger' }]);
  });

  test('equal edges become one, and "not known" wins over a list of tasks', () => {
    const edge = (fromTasks: readonly string[] | null): LineageEdge => ({
      ...{
        from: { airflow: 'x', dagId: 'A' },
        to: { airflow: 'x', dagId: 'B' },
        kind: 'asset',
        via: 'a1',
        fromTasks,
        waits: false,
        source: 'assets',
      },
    });
    expect(mergeEdges([edge(['t1']), edge(['t2']), edge(['t1'])])).toMatchObject([{ fromTasks: ['t1', 't2'] }]);
    expect(mergeEdges([edge(['t1']), edge(null)])).toMatchObject([{ fromTasks: null }]);
  });

  test('the page of 2.x: its phantom is dropped, a template at an edge becomes a DAG', () => {
    const page = `<script>
    let dagNodes = [{"id": "dag:A", "value": {"class": "dag", "label": "A"}}, {"id": "dag:B", "value": {"class": "dag", "label": "B"}}, {"id": "dataset:s3://a", "value": {"class": "dataset", "label": "s3://a"}}, {"id": "trigger:A:x:call", "value": {"class": "trigger", "label": "call"}}];
    let edges = [{"u": "dag:dataset", "v": "dataset:s3://a"}, {"u": "dataset:s3://a", "v": "dag:dataset"}, {"u": "dataset:s3://a", "v": "dag:B"}, {"u": "dag:A", "v": "trigger:A:x:call"}, {"u": "trigger:A:x:call", "v": "dag:{{ x }}"}];
    </script>`;
    expect(linksOf(graphOfPage(page)).map((link) => `${link.from}>${link.to}`)).toEqual(['A>{{ x }}']);
    expect(() => graphOfPage('<html>something else</html>')).toThrow(expect.objectContaining({ kind: 'not_airflow' }));
  });
});

test('rendered fields, as values and as the text that some versions keep', () => {
  expect(triggerFacts({ trigger_dag_id: 'D', wait_for_completion: 'True' })).toEqual({ target: 'D', waits: true });
  expect(triggerFacts({})).toEqual({ target: null, waits: null });
  expect(sensorFacts({ external_dag_id: 'A', external_task_ids: "['make', 'check']" })).toEqual({
    dagId: 'A',
    taskIds: ['make', 'check'],
  });
  expect(sensorFacts({ external_dag_id: 'A', external_task_ids: null, external_task_id: 'make' })).toEqual({
    dagId: 'A',
    taskIds: ['make'],
  });
  expect(sensorFacts({ external_dag_id: 'A', external_task_group_id: 'group' })).toEqual({ dagId: 'A', taskIds: null });
});
