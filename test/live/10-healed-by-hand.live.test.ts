import { expect, test } from 'vitest';
import { heldExactly, ranOnce, story } from '../support/live/story.ts';

const { truth, serve, failedRun, mendTask } = story();

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
