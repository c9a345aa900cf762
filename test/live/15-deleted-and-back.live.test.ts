import { expect, test } from 'vitest';
import { ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, failedRun, mendTask } = story();

test('a held DAG that is deleted and comes back while the cause stands is held again, and runs once on the repaired data', async () => {
  await truth.known('s15_a', 's15_b', 's15_c');
  const { firedamper } = await serve({ name: 's15', prefixes: ['s15'] });
  await failedRun('s15_a', 'make');
  const { id } = await firedamper.opened('s15_a');
  await firedamper.status(id, 'contained', 45);
  expect(await truth.pauses('firedamper', 's15_b')).toEqual(['pause']);

  const show = () => firedamper.holds('s15_b');
  const holds = () => firedamper.holds('s15_b').then((all) => all.map((hold) => hold.state).sort());
  // Parsed anew before the next poll it would be back unseen: then once more.
  const isThere = () =>
    truth.isPaused('s15_b').then(
      () => true,
      () => false,
    );
  const isOver = async () => {
    if (await isThere()) await truth.deleteDag('s15_b');
    return (await holds()).includes('released');
  };
  await until('its hold is over', isOver, { seconds: 30, show });
  expect((await firedamper.timeline(id)).filter((entry) => entry.reason_code === 'dag_gone')).toHaveLength(1);
  // With the next parse of its file: new, and running.
  await until('it is back', isThere, { seconds: 90 });
  await until('it is held again', async () => (await holds()).join() === 'held,released', { seconds: 30, show });
  expect(await truth.isPaused('s15_b')).toBe(true);

  mendTask('s15_a', 'make');
  await repaired(firedamper, id);
  await ranOnce(truth, 's15_b');
  await ranOnce(truth, 's15_c');
  for (const dagId of ['s15_a', 's15_b', 's15_c']) expect(await truth.isPaused(dagId)).toBe(false);
});
