import { expect, test } from 'vitest';
import { heldExactly, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, breakTask, mendTask, failedRun, stopTaskAtStart } = story();

test.concurrent('one branch of A fails: only the readers of its asset are held', async () => {
  await truth.known('s12_a', 's12_left', 's12_right');
  const { firedamper } = await serve({ name: 's12', prefixes: ['s12'] });
  await failedRun('s12_a', 'left');
  const incident = await heldExactly(truth, firedamper, 's12_a', ['s12_left'], ['s12_a', 's12_right']);
  await until('the reader of the other branch has run', async () =>
    (await truth.runs('s12_right')).some((run) => run.state === 'success'),
  );
  expect(await truth.acts('firedamper', 's12_right')).toEqual([]);
  expect(incident.spared.filter((spared) => spared.dag_id === 's12_right').map((spared) => spared.reason_code)).toEqual([
    'not_affected',
  ]);
  mendTask('s12_a', 'left');
});

test.concurrent('a task fails but the run succeeds by its trigger rules: what was held is released at once, and the incident says why', async () => {
  await truth.known('s12t_a', 's12t_b');
  const { firedamper } = await serve({ name: 's12t', prefixes: ['s12t'] });
  breakTask('s12t_a', 'load');
  const go = stopTaskAtStart('s12t_a', 'done');
  await truth.trigger('s12t_a', 'rescued');
  await until('B is held while the run still goes on', async () => await truth.isPaused('s12t_b'), { seconds: 45 });
  expect((await truth.run('s12t_a', 'rescued')).state).toBe('running');
  go();
  await truth.ended('s12t_a', 'rescued', 'success');
  const { id } = await firedamper.opened('s12t_a');
  await firedamper.status(id, 'resolved', 45);
  expect(await truth.isPaused('s12t_b')).toBe(false);
  expect(await truth.pauses('firedamper', 's12t_b')).toEqual(['pause', 'unpause']);
  expect((await firedamper.timeline(id)).map((entry) => entry.reason_code)).toContain('run_succeeded_anyway');
});

test.concurrent.each([
  { prefix: 's12m', what: 'a run type', watch: { ignore_run_types: ['manual'] } },
  { prefix: 's12n', what: 'a DAG', watch: { ignore_dags: ['s12n_*'] } },
])('$what that the policy does not watch opens nothing', async ({ prefix, watch }) => {
  await truth.known(`${prefix}_a`, `${prefix}_b`, `${prefix}_c`);
  const { firedamper } = await serve({ name: prefix, prefixes: [prefix], policy: { watch } });
  const failed = await failedRun(`${prefix}_a`, 'make');
  await firedamper.polledAfter(failed.end!);
  expect(await firedamper.allIncidents()).toEqual([]);
  for (const name of ['b', 'c']) expect(await truth.acts('firedamper', `${prefix}_${name}`)).toEqual([]);
});
