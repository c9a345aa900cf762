import { expect, test } from 'vitest';
import { heldExactly, ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, breakTask, failedRun, mendTask } = story();

test('somebody clears the failed run in Airflow and it succeeds: noticed, verified, released, and the timeline says that it was not us', async () => {
  await truth.known('s10_a', 's10_b', 's10_c');
  const { firedamper } = await serve({ name: 's10', prefixes: ['s10'] });
  const failed = await failedRun('s10_a', 'make');
  const { id } = await heldExactly(truth, firedamper, 's10_a', ['s10_b', 's10_c'], ['s10_a']);

  mendTask('s10_a', 'make');
  await truth.clear('s10_a', failed.runId);
  const incident = await firedamper.status(id, 'resolved', 120);
  for (const dagId of ['s10_a', 's10_b', 's10_c']) {
    await ranOnce(truth, dagId);
    expect(await truth.isPaused(dagId), dagId).toBe(false);
  }
  expect(incident.repairs).toEqual([]);
  const codes = (await firedamper.timeline(id)).map((entry) => entry.reason_code);
  expect(codes).toContain('healed_outside');
  expect(codes).not.toContain('approved');
  const healed = (await firedamper.timeline(id)).find((entry) => entry.reason_code === 'healed_outside');
  expect(healed!.reason).toContain('not by us');
  expect(await truth.acts('firedamper', 's10_a'), 'Airflow too says that we did nothing to it').toEqual([]);
});

test('a run that was repaired is cleared again and fails again: the same incident, and its readers are held once more', async () => {
  const { firedamper } = await serve({ name: 's10r', prefixes: ['s10r'] });
  const failed = await failedRun('s10r_a', 'make');
  const { id } = await heldExactly(truth, firedamper, 's10r_a', ['s10r_b', 's10r_c'], ['s10r_a']);
  mendTask('s10r_a', 'make');
  await repaired(firedamper, id);

  breakTask('s10r_a', 'make');
  await truth.clear('s10r_a', failed.runId, false);
  await firedamper.status(id, 'contained', 60);
  for (const dagId of ['s10r_b', 's10r_c']) expect(await truth.isPaused(dagId), `${dagId} is paused again`).toBe(true);
  expect(await firedamper.allIncidents()).toHaveLength(1);
  expect((await firedamper.incident(id)).runs).toMatchObject([{ dag_id: 's10r_a', run_id: failed.runId }]);

  mendTask('s10r_a', 'make');
  await repaired(firedamper, id);
  for (const dagId of ['s10r_a', 's10r_b', 's10r_c']) expect(await truth.isPaused(dagId)).toBe(false);
  await until('B and C have worked on what was repaired twice', async () => lastWork('s10r_b') > lastWork('s10r_a'), {
    show: async () => ['s10r_a', 's10r_b', 's10r_c'].map((dagId) => truth.records(dagId)),
  });
});

const lastWork = (dagId: string): number => Math.max(...truth.records(dagId).map(({ at }) => at));
