/** What the plan of a repair asks of Airflow where nothing may be posted: an audit row is written for a dry run too. */
import { expect, it } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import type { TaskFacts } from '../../src/core/facts.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { planRepair } from '../../src/effects/planRepair.ts';
import { dag, POLICY, rita, run, Scenario, START } from '../core/scenario.ts';

it.each([
  ['armed', 'armed', 'airflow', 1],
  ['shadow', 'shadow', 'computed', 0],
  ['armed', 'shadow', 'computed', 0],
] as const)('opened in %s mode, planned in %s mode: the dry run is of %s', async (opened, now, dryRun, posts) => {
  const s = new Scenario(['a>b'], { policy: { mode: opened } }).contained('a', 'r1', { kind: 'run_failed', taskId: null });
  s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
  const task = { dagId: 'a', runId: 'r1', taskId: 'make', mapIndex: -1, state: 'failed' } as TaskFacts;
  let posted = 0;
  const client = {
    canBackfill: true,
    getDag: async () => dag('a'),
    getRun: async () => run('a', 'r1'),
    listTasks: async () => [task],
    getTaskGraph: async () => ({ dagId: 'a', downstream: { make: [] } }),
    dryRunClear: async () => {
      posted++;
      return [task];
    },
  } as unknown as AirflowClient;
  const deps = {
    client: () => client,
    policy: { ...POLICY, mode: now },
    now: () => Date.parse(START),
    snapshot: async () => s.state,
  };
  const outcome = await planRepair(deps as unknown as EffectDeps, { airflow: 'prod', repairId: 'rep-1' });
  expect(outcome).toMatchObject({ result: 'done', facts: { plan: { steps: [{ dryRun, runs: [{ runId: 'r1' }] }] } } });
  expect(posted).toBe(posts);
});
