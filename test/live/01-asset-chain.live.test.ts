import { expect, test } from 'vitest';
import type { Firedamper } from '../support/live/firedamper.ts';
import { heldExactly, ranOnce, repaired, story } from '../support/live/story.ts';

const { truth, serve, failedRun, mendTask } = story();
let firedamper: Firedamper;

test('A fails, B and C are held, A is repaired, B and C go on exactly once each, and nobody touched Airflow', async () => {
  await truth.known('s01_a', 's01_b', 's01_c', 's01_z');
  ({ firedamper } = await serve({ name: 's01', prefixes: ['s01'] }));
  const failed = await failedRun('s01_a', 'make');
  const contained = await heldExactly(truth, firedamper, 's01_a', ['s01_b', 's01_c'], ['s01_a', 's01_z']);
  expect(contained).toMatchObject({ dag_id: 's01_a', airflow: 'lab', type: 'pipeline_failure', severity: 'P2' });
  expect(contained.runs).toMatchObject([{ dag_id: 's01_a', run_id: failed.runId, role: 'cause', failed_tasks: ['make'] }]);
  expect(contained.holds.map(({ state, found_paused }) => ({ state, found_paused }))).toEqual(
    Array(2).fill({ state: 'held', found_paused: false }),
  );
  const [holdB, holdC] = ['s01_b', 's01_c'].map((dagId) => contained.holds.find((hold) => hold.dag_id === dagId));
  expect(holdB?.path.join(' ')).toContain('lab://stories/s01_1');
  expect(holdC?.path.join(' ')).toContain('lab://stories/s01_2');

  mendTask('s01_a', 'make');
  const { repair, incident } = await repaired(firedamper, contained.id);
  expect(repair.steps.flatMap((step) => step.runs.map((run) => run.run_id))).toEqual([failed.runId]);
  expect(repair.steps.flatMap((step) => step.runs.flatMap((run) => run.tasks.map((task) => task.task_id)))).toEqual(['make']);

  const runA = await ranOnce(truth, 's01_a');
  await ranOnce(truth, 's01_b');
  await ranOnce(truth, 's01_c');
  expect(runA.runId).toBe(failed.runId);
  const worked = ['s01_a', 's01_b', 's01_c'].map((dagId) => truth.records(dagId)[0]!.at);
  expect(worked, 'in the order of the data').toEqual([...worked].sort((a, b) => a - b));
  expect(await truth.runs('s01_z')).toEqual([]);
  for (const dagId of ['s01_a', 's01_b', 's01_c', 's01_z']) expect(await truth.isPaused(dagId)).toBe(false);
  expect(incident.holds.map((hold) => hold.state)).toEqual(['released', 'released']);

  // Who did what, by Airflow's own log: one pause and one resume per held DAG by us, nothing at all by us on the bystander, nothing by people but the trigger.
  expect(await truth.pauses('firedamper', 's01_b')).toEqual(['pause', 'unpause']);
  expect(await truth.pauses('firedamper', 's01_c')).toEqual(['pause', 'unpause']);
  expect(await truth.acts('firedamper', 's01_z')).toEqual([]);
  expect(await truth.acts('admin', 's01_a', 's01_b', 's01_c', 's01_z')).toHaveLength(1);
  expect(await firedamper.incidents('s01_a')).toHaveLength(1);
  expect(await firedamper.allIncidents()).toHaveLength(1);
});

test('the timeline tells every step with actor and reason', async () => {
  const [incident] = await firedamper.incidents('s01_a');
  const timeline = await firedamper.timeline(incident!.id);
  for (const entry of timeline)
    expect(
      [entry.actor, entry.reason, entry.reason_code].every((text) => text.length > 0),
      JSON.stringify(entry),
    ).toBe(true);
  const told = timeline.map(
    ({ actor_kind, actor, reason_code, subject }) =>
      `${actor_kind === 'person' ? actor : actor_kind}:${reason_code}:${subject ?? ''}`,
  );
  const order = [
    'failure_final',
    'paused',
    'contained',
    'rita:marked_fixed',
    'proposed',
    'ann:approved',
    'repair_succeeded',
    'verified_runs',
    'released',
    'resolved',
  ];
  const positions = order.map((part) => told.findIndex((entry) => entry.includes(part)));
  expect(positions, told.join('\n')).toEqual([...positions].sort((a, b) => a - b));
  expect(positions, told.join('\n')).not.toContain(-1);
  for (const dagId of ['s01_b', 's01_c']) {
    for (const code of ['paused', 'released'])
      expect(
        told.some((entry) => entry.includes(`firedamper:${code}:`) && entry.includes(dagId)),
        `${code} ${dagId}\n${told.join('\n')}`,
      ).toBe(true);
  }
});
