import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startKillProxy } from '../support/live/killProxy.ts';
import { heldExactly, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, failedRun, breakTask, mendTask } = story();
const proxy = await startKillProxy(lab.url);
afterAll(() => proxy.close());

/** In UTC, as Airflow counts them. */
const today = (): number => Math.floor(Date.now() / 86_400_000);

test('what A triggers, what waits for A and what only the configuration knows is held, each with its path', async () => {
  await truth.known('s03_a', 's03_d', 's03_e', 's03_f');
  // On 2.x the targets of triggers and sensors can only be read from tasks that once ran (the login form is switched off below).
  await truth.trigger('s03_a', 'before');
  await truth.ended('s03_a', 'before', 'success');
  await truth.trigger('s03_e', 'before');
  await truth.ended('s03_e', 'before', 'success');
  await until('D has run once', async () => (await truth.runs('s03_d')).some((run) => run.state === 'success'));
  const { firedamper } = await serve({
    name: 's03',
    prefixes: ['s03'],
    airflow: { session_login: false, survey_interval: '10s' },
    edges: [{ from: 'lab/s03_a', to: 'lab/s03_f', note: 'reads the table of A' }],
  });
  // Task by task it takes a while until the links of this Airflow are known; the story is about which links, not about how soon.
  await until('the links of A are known', async () => (await firedamper.downstream('s03_a')).length >= 3, { seconds: 120 });
  breakTask('s03_a', 'make');
  await truth.trigger('s03_a', 'bad');
  await truth.ended('s03_a', 'bad', 'failed');
  const contained = await heldExactly(truth, firedamper, 's03_a', ['s03_d', 's03_e', 's03_f'], ['s03_a']);
  const paths = Object.fromEntries(contained.holds.map((hold) => [hold.dag_id, hold.path.join(' ')]));
  expect(paths.s03_d).toMatch(/s03_a.*trigger.*s03_d/);
  expect(paths.s03_e).toMatch(/s03_a.*sensor.*s03_e/);
  expect(paths.s03_f).toMatch(/s03_a.*reads the table of A.*s03_f/);

  const [runsOfF, day] = [(await truth.runs('s03_f')).length, today()];
  mendTask('s03_a', 'make');
  await repaired(firedamper, contained.id);
  await until(
    'the repaired A has triggered D, which ran after its release',
    async () => (await truth.runs('s03_d')).filter((run) => run.state === 'success').length === 2,
  );
  expect(await truth.runs('s03_d'), 'once for each successful run of A').toHaveLength(2);
  // It runs once a day, at midnight: a story that was told over midnight had one more, and was right.
  const more = (await truth.runs('s03_f')).length - runsOfF;
  expect(more, 'a run of F for each midnight that passed, none for its release').toBeGreaterThanOrEqual(0);
  expect(more, 'a run of F for each midnight that passed, none for its release').toBeLessThanOrEqual(today() - day);
  for (const dagId of ['s03_d', 's03_e', 's03_f']) expect(await truth.isPaused(dagId)).toBe(false);
});

test('a lineage source that answers "forbidden" is named by the incident and by check', async () => {
  const forbidden = truth.three ? /\/ui\/dependencies/ : /\/datasets(\?|$)/;
  proxy.answer((request) =>
    forbidden.test(request.path)
      ? { status: 403, body: { title: 'Forbidden', status: 403, detail: null, type: 'about:blank' } }
      : null,
  );
  const { firedamper, service } = await serve({ name: 's03g', prefixes: ['s03g'], airflow: { url: proxy.url } });
  await failedRun('s03g_a', 'make');
  const { id } = await firedamper.opened('s03g_a');
  const incident = await firedamper.status(id, 'contained', 45);
  expect(incident.gaps.map((gap) => gap.source)).toContain(truth.three ? 'ui_dependencies' : 'datasets');

  const check = await command('check', '--config', service.configFile);
  expect(check.code, check.text).toBe(1);
  expect(check.text).toMatch(/read_lineage.*no|forbidden/i);
});

function command(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), text: stdout + stderr }),
    );
  });
}
