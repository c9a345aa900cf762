import { expect, test } from 'vitest';
import { ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, failedRun, mendTask } = story();

test('what a person paused before stays paused after everything', async () => {
  await truth.known('s04p_a', 's04p_b', 's04p_c');
  await truth.pause('s04p_c');
  const { firedamper } = await serve({ name: 's04p', prefixes: ['s04p'] });
  await failedRun('s04p_a', 'make');
  const { id } = await firedamper.opened('s04p_a');
  const contained = await firedamper.status(id, 'contained', 45);
  const hold = contained.holds.find(({ dag_id }) => dag_id === 's04p_c');
  expect(hold).toMatchObject({ state: 'foreign', found_paused: true });
  expect(
    (await firedamper.timeline(id)).some((entry) => entry.reason_code === 'already_paused' && entry.subject === 's04p_c'),
  ).toBe(true);

  mendTask('s04p_a', 'make');
  await repaired(firedamper, id);
  await ranOnce(truth, 's04p_b');
  expect(await truth.isPaused('s04p_c')).toBe(true);
  expect(await truth.pauses('firedamper', 's04p_c'), 'we never touched it').toEqual([]);
  expect(await truth.runs('s04p_c')).toEqual([]);
});

test('what a person takes over during the hold is theirs: ceded, not paused again, not touched by the release', async () => {
  await truth.known('s04t_a', 's04t_b', 's04t_c');
  const { firedamper } = await serve({ name: 's04t', prefixes: ['s04t'] });
  const failed = await failedRun('s04t_a', 'make');
  const { id } = await firedamper.opened('s04t_a');
  await firedamper.status(id, 'contained', 45);
  await truth.unpause('s04t_b');
  await until('the hold of B is ceded', async () => (await firedamper.holds('s04t_b'))[0]?.state === 'ceded', {
    seconds: 30,
    show: () => firedamper.holds('s04t_b'),
  });
  await firedamper.polledAfter(new Date().toISOString());
  expect(await truth.isPaused('s04t_b')).toBe(false);
  const ceded = (await firedamper.timeline(id)).filter((entry) => entry.reason_code === 'person_unpaused');
  expect(ceded).toHaveLength(1);
  expect(ceded[0]!.reason).toContain('admin');

  mendTask('s04t_a', 'make');
  await repaired(firedamper, id);
  expect(await truth.pauses('firedamper', 's04t_b'), 'one pause by us and nothing after it').toEqual(['pause']);
  expect((await truth.runs('s04t_a')).map((run) => run.runId)).toEqual([failed.runId]);
  await ranOnce(truth, 's04t_b');
  await ranOnce(truth, 's04t_c');
  expect(await truth.isPaused('s04t_c')).toBe(false);
});
