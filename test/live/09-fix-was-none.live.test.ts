import { afterAll, expect, test } from 'vitest';
import { startReceiver } from '../support/live/receiver.ts';
import { ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, failedRun, breakTask, mendTask, stopTaskAtStart } = story();
const receiver = await startReceiver();
afterAll(() => receiver.close());

test('the repair fails again: holds stay, people are told, and a second repair ends it', async () => {
  await truth.known('s09_a', 's09_b', 's09_c');
  const { firedamper } = await serve({
    name: 's09',
    prefixes: ['s09'],
    channels: [{ id: 'team', kind: 'webhook', url: receiver.url }],
  });
  const failed = await failedRun('s09_a', 'make');
  const { id } = await firedamper.opened('s09_a');
  await firedamper.status(id, 'contained', 45);

  const first = await firedamper.fixed(id);
  expect((await firedamper.approve(first)).status).toBe(200);
  const broken = await firedamper.reached(first.id, 'failed');
  expect(broken.state_reason.code).toBe('repair_failed');
  await firedamper.status(id, 'contained', 20);
  for (const dagId of ['s09_b', 's09_c']) {
    expect(await truth.isPaused(dagId), dagId).toBe(true);
    expect((await firedamper.holds(dagId)).map((hold) => hold.state)).toEqual(['held']);
  }
  await until(
    'people are told',
    async () => receiver.notices.some((notice) => notice.event === 'failed' && JSON.stringify(notice).includes(id)),
    {
      show: async () => receiver.notices,
    },
  );
  expect(await firedamper.allIncidents(), 'the second failure is no second incident').toHaveLength(1);

  mendTask('s09_a', 'make');
  const { repair } = await repaired(firedamper, id);
  expect(repair.id).not.toBe(first.id);
  for (const dagId of ['s09_a', 's09_b', 's09_c']) await ranOnce(truth, dagId);
  expect((await truth.task('s09_a', failed.runId, 'make')).tryNumber).toBe(3);
  for (const event of ['opened', 'approval', 'resolved']) {
    await until(`people are told: ${event}`, async () => receiver.notices.some((notice) => notice.event === event), {
      show: async () => receiver.notices,
    });
  }
});

test('a repair approved while the failed run still goes on beside its failed task ends well', async () => {
  await truth.known('s09r_a', 's09r_b');
  const { firedamper } = await serve({ name: 's09r', prefixes: ['s09r'] });
  breakTask('s09r_a', 'make');
  const go = stopTaskAtStart('s09r_a', 'beside');
  await truth.trigger('s09r_a', 'early');
  const { id } = await firedamper.opened('s09r_a');
  await firedamper.status(id, 'contained', 45);
  expect((await truth.run('s09r_a', 'early')).state).toBe('running');
  mendTask('s09r_a', 'make');
  // Firedamper may plan now, or wait with its plan for the end of the run: both are right, and both must come to an end.
  const asked = await firedamper.done<{ repair: { id: string } }>('rita', `/v1/incidents/${id}/fixed`, { reason: 'it is back' });
  await firedamper.polledAfter(new Date().toISOString());
  if ((await firedamper.repair(asked.repair.id)).state === 'planning') go();
  const plan = await firedamper.reached(asked.repair.id, 'proposed');
  expect(plan.steps.flatMap((step) => step.runs.flatMap((run) => run.tasks.map((task) => task.task_id)))).toEqual(['make']);
  expect((await firedamper.approve(plan)).status).toBe(200);
  await until('the repair is under way', async () => (await firedamper.repair(plan.id)).state !== 'proposed');
  go();
  await firedamper.status(id, 'resolved', 90);
  expect((await truth.run('s09r_a', 'early')).state).toBe('success');
  expect(
    truth
      .records('s09r_a')
      .map((record) => record.task)
      .sort(),
  ).toEqual(['beside', 'make']);
  await ranOnce(truth, 's09r_b');
});
