import { afterAll, expect, test } from 'vitest';
import { startReceiver } from '../support/live/receiver.ts';
import { story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, failedRun, mendTask } = story();
const receiver = await startReceiver();
afterAll(() => receiver.close());

const DAGS = ['s13_a', 's13_b', 's13_c'];

test('shadow mode decides and tells everything and changes nothing in Airflow', async () => {
  await truth.known(...DAGS);
  const { firedamper } = await serve({
    ...{ name: 's13', prefixes: ['s13'], policy: { mode: 'shadow' } },
    channels: [{ id: 'team', kind: 'webhook', url: receiver.url }],
  });
  const failed = await failedRun('s13_a', 'make');
  const { id } = await firedamper.opened('s13_a');
  const incident = await until('it has decided whom it would hold', async () => {
    const now = await firedamper.incident(id);
    return now.holds.length + now.spared.length >= 2 ? now : null;
  });
  expect(incident.mode).toBe('shadow');
  const decided = [...incident.holds, ...incident.spared].map((row) => row.dag_id).sort();
  expect(decided).toEqual(['s13_b', 's13_c']);
  for (const dagId of ['s13_b', 's13_c']) expect(await truth.isPaused(dagId), dagId).toBe(false);
  const codes = (await firedamper.timeline(id)).map((entry) => entry.reason_code);
  expect(codes).toEqual(expect.arrayContaining(['failure_final', 'shadow_mode']));

  mendTask('s13_a', 'make');
  const plan = await firedamper.fixed(id);
  expect(plan.steps.flatMap((step) => step.runs.map((run) => run.run_id))).toEqual([failed.runId]);
  expect(plan.steps.map((step) => step.dry_run)).toEqual(['computed']);
  await firedamper.approve(plan);
  const ended = await firedamper.reached(plan.id, 'cancelled', 30);
  expect(ended.state_reason.code).toBe('shadow_mode');
  await firedamper.polledAfter(new Date().toISOString());

  expect(await truth.run('s13_a', failed.runId), 'the failed run as it was').toEqual(failed);
  expect(
    (await truth.audit(...DAGS)).filter((row) => row.owner === 'firedamper'),
    "not one row of ours in Airflow's log",
  ).toEqual([]);
  for (const event of ['opened', 'approval']) {
    await until(`people are told: ${event}`, async () => receiver.notices.some((notice) => notice.event === event), {
      show: async () => receiver.notices,
    });
  }
});
