import { expect, test } from 'vitest';
import { story } from '../support/live/story.ts';

const { lab, truth, breakTask, mendTask } = story();

test('the lab itself: a chain runs, a broken task fails, a person clears it, and the audit log says who did what', async () => {
  await truth.known('s00_a', 's00_b', 's00_c');
  breakTask('s00_a', 'make');
  await truth.trigger('s00_a', 'live__1');
  const failed = await truth.ended('s00_a', 'live__1', 'failed');
  expect(truth.records('s00_a')).toEqual([]);

  mendTask('s00_a', 'make');
  await truth.clear('s00_a', 'live__1');
  const healed = await truth.ended('s00_a', 'live__1', 'success');
  expect(healed.start).not.toBe(failed.start);
  expect((await truth.task('s00_a', 'live__1', 'make')).tryNumber).toBe(2);

  await expect.poll(() => truth.records('s00_c').length, { timeout: 60_000, interval: 500 }).toBe(1);
  expect((await truth.runs('s00_c')).map((run) => run.state)).toHaveLength(1);

  await truth.pause('s00_b');
  expect(await truth.isPaused('s00_b')).toBe(true);
  await truth.unpause('s00_b');
  expect(await truth.pauses('admin', 's00_b')).toEqual(['pause', 'unpause']);
  expect(await truth.acts('firedamper', 's00_a', 's00_b', 's00_c')).toEqual([]);
  expect((await truth.acts('admin', 's00_a')).length).toBeGreaterThanOrEqual(2);
});

test('the sender in Airflow reports the failure, signed', async () => {
  const heard = async () => (await fetch(`${lab.relay}/relay/s00_a`)).json() as Promise<{ kind: string; runId: string }[]>;
  await expect
    .poll(async () => (await heard()).map(({ kind }) => kind), { timeout: 30_000, interval: 500 })
    .toContain('task_failed');
});
