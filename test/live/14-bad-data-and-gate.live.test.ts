import { expect, test } from 'vitest';
import { heldExactly, ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, breakTask, mendTask, stopTaskAtStart } = story();

test('a check that reports bad data and succeeds: its readers are held, a protected one waits at its gate, and both read the repaired data only', async () => {
  await truth.known('s14_a', 's14_b', 's14_g');
  const { firedamper } = await serve({ name: 's14', prefixes: ['s14'], policy: { hold: { protected: ['s14_g'] } } });
  breakTask('s14_a', 'bad');
  const go = stopTaskAtStart('s14_a', 'check');
  await truth.trigger('s14_a', 'r1');
  const { id } = await heldExactly(truth, firedamper, 's14_a', ['s14_b'], ['s14_a', 's14_g']);
  go();
  await truth.ended('s14_a', 'r1', 'success');
  await until(
    'the protected reader waits at its gate',
    async () => (await truth.runs('s14_g')).some((r) => r.state === 'running'),
    {
      seconds: 60,
      show: () => truth.runs('s14_g'),
    },
  );
  await firedamper.polledAfter(new Date().toISOString());
  const incident = await firedamper.status(id, 'contained', 5);
  expect(incident).toMatchObject({
    type: 'quality_degradation',
    severity: 'P1',
    title: 'null_rate of customer_id of orders failed (s14_a)',
    runs: [{ run_id: 'r1', state: 'failed', bad_data: true }],
  });

  mendTask('s14_a', 'bad');
  const { repair } = await repaired(firedamper, id);
  expect(repair.steps.flatMap((s) => s.runs.flatMap((r) => r.tasks.map((t) => t.task_id))).sort()).toEqual(['check', 'load']);
  await ranOnce(truth, 's14_b');
  // Its event came twice, once with bad data: both its runs waited for the good one.
  await until('the gate is open', async () => (await truth.runs('s14_g')).every((r) => r.state === 'success'), {
    seconds: 90,
    show: () => truth.runs('s14_g'),
  });
  const resolved = Date.parse((await firedamper.incident(id)).timestamps.verified_at ?? '') / 1000;
  for (const record of truth.records('s14_g'))
    expect(record.at, 'the gated DAG worked only after the repair').toBeGreaterThan(resolved - 1);
  expect(
    truth
      .records('s14_a')
      .map((r) => r.task)
      .sort(),
  ).toEqual(['check', 'check', 'load', 'load']);
});
