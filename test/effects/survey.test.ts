/** What is read before anybody is held, of the Airflow that failed and of those whose DAGs read from it. */
import { afterEach, expect, test, vi } from 'vitest';
import { type AirflowClient, AirflowError } from '../../src/airflow/client.ts';
import type { State } from '../../src/core/draft.ts';
import type { Outcome, SwitchFacts } from '../../src/core/events.ts';
import type { Ownership } from '../../src/core/hold.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { survey, surveyElsewhere } from '../../src/effects/survey.ts';
import { dag, edge, POLICY, run, Scenario } from '../core/scenario.ts';

afterEach(() => {
  vi.useRealTimers();
});

function airflow(id: string, row: number, change: Partial<AirflowClient> = {}): AirflowClient {
  return {
    id,
    auditCursor: async () => ({ readable: true, id: row }),
    getDag: async (dagId: string) => dag(dagId),
    listDags: async () => [],
    getTaskGraph: async () => ({ downstream: {} }),
    getRun: async (dagId: string, runId: string) => run(dagId, runId),
    listTasks: async () => [],
    ...change,
  } as unknown as AirflowClient;
}

function depsOf(clients: readonly AirflowClient[], ownerships: readonly Partial<Ownership>[] = []): EffectDeps {
  const s = new Scenario(['a>b', 'a>dev/c']);
  s.fails('a');
  const state = { ...s.state, ownerships } as unknown as State;
  return {
    client: (id: string) => {
      const found = clients.find((c) => c.id === id);
      if (!found) throw new Error(`no Airflow ${id}`);
      return found;
    },
    world: { edges: () => ['a>b', 'a>dev/c'].map(edge), hasRead: () => true, dagCount: () => 500 },
    policy: POLICY,
    snapshot: async () => state,
  } as unknown as EffectDeps;
}

const ACT = { airflow: 'prod', incidentId: 'inc-1' };
const seen = async (outcome: Promise<Outcome>) => {
  const read = await outcome;
  if (read.result !== 'done' || read.facts.kind !== 'survey') throw new Error(JSON.stringify(read));
  return read.facts.survey;
};
const shown = (all: readonly SwitchFacts[]) => all.map((s) => ({ ...s, dags: s.dags.map((d) => `${d.dagId} ${d.paused}`) }));

/** First here, then elsewhere. */
async function surveyed(deps: EffectDeps) {
  const both = [await seen(survey(deps, ACT)), await seen(surveyElsewhere(deps, ACT))];
  expect(both.map((s) => s.scope)).toEqual(['home', 'elsewhere']);
  return shown(both.flatMap((s) => s.switches));
}

test('each Airflow’s DAGs are read there, behind a row of its own log', async () => {
  const dev = airflow('dev', 3, { getDag: async (id) => dag(id, { paused: true }) });
  expect(await surveyed(depsOf([airflow('prod', 5_000), dev]))).toEqual([
    { airflow: 'prod', dags: ['b false'], unknown: [], auditCursor: 5_000, auditGap: null, ops: {} },
    { airflow: 'dev', dags: ['c true'], unknown: [], auditCursor: 3, auditGap: null, ops: {} },
  ]);
});

test('a DAG that an Airflow does not have is said to be unknown', async () => {
  const gone = new AirflowError('not_found', 'no such DAG', { outcome: 'none', operation: 'GET' });
  const [prod] = await surveyed(depsOf([airflow('prod', 1, { getDag: () => Promise.reject(gone) }), airflow('dev', 1)]));
  expect(prod).toMatchObject({ dags: [], unknown: ['b'] });
});

test('our last request about a DAG is named as it was before the look; one that is under way as none', async () => {
  const ours = [
    { airflow: 'prod', dagId: 'b', state: 'ours', op: 'fd-1' },
    { airflow: 'prod', dagId: 'd', state: 'pause_intended', op: 'fd-2' },
    { airflow: 'dev', dagId: 'c', state: 'resume_intended', op: 'fd-3' },
  ] as const;
  const [prod, dev] = await surveyed(depsOf([airflow('prod', 1), airflow('dev', 1)], ours));
  expect(prod?.ops).toEqual({ b: 'fd-1', d: '' });
  expect(dev?.ops).toEqual({ c: '' });
});

test.each([
  ['refuses', { getDag: async () => Promise.reject(new Error('503')) }],
  ['is not in the configuration', null],
] as const)('another Airflow that %s is left out, and the holds here do not wait', async (_, change) => {
  const clients = [airflow('prod', 1), ...(change ? [airflow('dev', 1, change)] : [])];
  expect((await surveyed(depsOf(clients))).map((s) => s.airflow)).toEqual(['prod']);
});

test('another Airflow that is slow has time when nothing else waits for it', async () => {
  vi.useFakeTimers();
  const slowly = <T>(value: T) => new Promise<T>((resolve) => setTimeout(resolve, 20_000, value));
  const slow = airflow('dev', 1, { auditCursor: () => slowly({ readable: true, id: 3 }), getDag: (id) => slowly(dag(id)) });
  const reading = seen(surveyElsewhere(depsOf([airflow('prod', 1), slow]), { ...ACT, again: true }));
  await vi.advanceTimersByTimeAsync(40_000);
  expect((await reading).switches).toMatchObject([{ airflow: 'dev', auditCursor: 3 }]);
});

test('what is here is read without a word of the others', async () => {
  const untouched = new Proxy({} as AirflowClient, {
    get: () => {
      throw new Error('asked');
    },
  });
  const deps = depsOf([airflow('prod', 1)]);
  const client = (id: string) => (id === 'prod' ? airflow('prod', 1) : untouched);
  expect((await seen(survey({ ...deps, client }, ACT))).switches.map((s) => s.airflow)).toEqual(['prod']);
});

test('a DAG that we may not read keeps no other from being held', async () => {
  const refused = new AirflowError('forbidden', 'Forbidden', { outcome: 'none', operation: 'GET' });
  const [prod] = shown(
    (await seen(survey(depsOf([airflow('prod', 1, { getDag: () => Promise.reject(refused) })]), ACT))).switches,
  );
  expect(prod).toMatchObject({ dags: [], unknown: ['b'] });
});

test('who was claimed already is not asked about again, and of an incident that is let go nobody', async () => {
  const deps = depsOf([airflow('prod', 1), airflow('dev', 1)]);
  const state = await deps.snapshot();
  const [incident] = state.incidents;
  const hold = {
    incidentId: 'inc-1',
    airflow: 'dev',
    dagId: 'c',
    state: 'held',
    releasedAt: null,
    since: incident?.timestamps.openedAt,
  };
  const holds = { ...deps, snapshot: async () => ({ ...state, holds: [hold] }) as unknown as State };
  expect((await seen(surveyElsewhere(holds, ACT))).switches).toEqual([]);
  const over = {
    ...deps,
    snapshot: async () => ({ ...state, incidents: [{ ...incident, releasing: true }] }) as unknown as State,
  };
  expect(await surveyElsewhere(over, ACT)).toMatchObject({ result: 'failed', retry: false });
});

test('another Airflow that never answers is left out after five seconds', async () => {
  vi.useFakeTimers();
  const hangs = airflow('dev', 1, { auditCursor: () => new Promise(() => undefined) });
  const reading = seen(surveyElsewhere(depsOf([airflow('prod', 1), hangs]), ACT));
  await vi.advanceTimersByTimeAsync(5_000);
  expect((await reading).switches).toEqual([]);
});

test.each([
  ['stands there again', [dag('b')], ['prod']],
  ['is still away', null, []],
])('the links of a DAG that was deleted while it was held are read anew where it %s', async (_, there, read) => {
  const s = new Scenario(['a>b']).contained('a');
  s.sees({ goneDags: [{ dagId: 'b', op: s.opOf('b') }] });
  const missing = new AirflowError('not_found', 'no such DAG', { outcome: 'none', status: 404, operation: 'GET /dags/{dag_id}' });
  const prod = airflow('prod', 7, { getDag: async () => there?.[0] ?? Promise.reject(missing) });
  const resurveyed: string[] = [];
  const deps = {
    ...depsOf([prod]),
    snapshot: async () => s.state,
    resurvey: async (id: string) => void resurveyed.push(id),
  } as unknown as EffectDeps;
  await seen(survey(deps, ACT));
  expect(resurveyed).toEqual(read);
});
