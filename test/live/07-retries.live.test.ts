import { expect, test } from 'vitest';
import { story } from '../support/live/story.ts';

const { lab, truth, serve, breakTask } = story();

test('a failure that a retry cures opens nothing and holds nothing, and its signals are on record', async () => {
  await truth.known('s07_a', 's07_b', 's07_c');
  const { firedamper } = await serve({ name: 's07', prefixes: ['s07'] });
  breakTask('s07_a', 'make', 'once');
  await truth.trigger('s07_a', 'retried');
  const run = await truth.ended('s07_a', 'retried', 'success');
  expect((await truth.task('s07_a', 'retried', 'make')).tryNumber).toBe(2);
  await firedamper.polledAfter(run.end!);

  expect(await firedamper.allIncidents()).toEqual([]);
  for (const dagId of ['s07_b', 's07_c']) {
    expect(await firedamper.holds(dagId)).toEqual([]);
    expect(await truth.acts('firedamper', dagId)).toEqual([]);
  }
  const sent = (await (await fetch(`${lab.relay}/relay/s07_a`)).json()) as { kind: string; status: number }[];
  expect(sent.map(({ kind, status }) => `${kind} ${status}`)).toContain('task_retry 202');
  const { signals } = await firedamper.get<{ signals: { kind: string; dag_id: string; run_id: string; outcome: string }[] }>(
    '/v1/signals?dag_id=s07_a',
  );
  expect(signals.map(({ kind }) => kind)).toContain('task_retry');
  expect(signals.every(({ run_id }) => run_id === 'retried')).toBe(true);
});
