import { expect, test } from 'vitest';
import type { Incident } from '../support/live/firedamper.ts';
import { heldExactly, ranOnce, repaired, story } from '../support/live/story.ts';

const { truth, serve, failedRun, mendTask } = story();

test('with no callback at all the first poll that begins after the failure finds it, and everything ends as with one', async () => {
  const { firedamper } = await serve({ name: 's02p', prefixes: ['s02p'], callbacks: false });
  await truth.known('s02p_a', 's02p_b', 's02p_c');
  const failed = await failedRun('s02p_a', 'make');
  await firedamper.polledAfter(failed.end!);
  const [{ id }] = (await firedamper.incidents('s02p_a')) as [Incident];
  const contained = await heldExactly(truth, firedamper, 's02p_a', ['s02p_b', 's02p_c'], ['s02p_a']);
  expect(contained.id).toBe(id);
  expect(contained.signals.map((signal) => signal.origin)).not.toContain('callback');

  mendTask('s02p_a', 'make');
  await repaired(firedamper, id);
  for (const dagId of ['s02p_a', 's02p_b', 's02p_c']) await ranOnce(truth, dagId);
  expect(await firedamper.allIncidents()).toHaveLength(1);
});

test('callback and poll report the same failure: one incident, one set of holds', async () => {
  const { firedamper } = await serve({ name: 's02b', prefixes: ['s02b'] });
  await truth.known('s02b_a', 's02b_b', 's02b_c');
  const failed = await failedRun('s02b_a', 'make');
  await heldExactly(truth, firedamper, 's02b_a', ['s02b_b', 's02b_c'], ['s02b_a']);
  await firedamper.polledAfter(failed.end!);
  const [incident, ...others] = await firedamper.allIncidents();
  expect(others).toEqual([]);
  expect(new Set(incident!.signals.map((signal) => signal.origin)), JSON.stringify(incident!.signals)).toEqual(
    new Set(['callback', 'poll']),
  );
  for (const dagId of ['s02b_b', 's02b_c']) {
    expect(await firedamper.holds(dagId)).toHaveLength(1);
    expect(await truth.pauses('firedamper', dagId)).toEqual(['pause']);
  }
  mendTask('s02b_a', 'make');
  await repaired(firedamper, incident!.id);
  for (const dagId of ['s02b_a', 's02b_b', 's02b_c']) await ranOnce(truth, dagId);
});
