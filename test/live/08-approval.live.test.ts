import { afterAll, expect, test } from 'vitest';
import type { Repair } from '../support/live/firedamper.ts';
import { type ProxiedRequest, startKillProxy } from '../support/live/killProxy.ts';
import { story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, failedRun, mendTask, stopTaskAtStart } = story();
const proxy = await startKillProxy(lab.url);
afterAll(() => proxy.close());

test.concurrent('a wrong digest, a viewer, a responder and the person who marked it fixed are refused, each with its reason', async () => {
  const { firedamper } = await serve({ name: 's08a', prefixes: ['s08a'] });
  const failed = await failedRun('s08a_a', 'make');
  const { id } = await firedamper.opened('s08a_a');
  await firedamper.status(id, 'contained', 45);
  const plan = await firedamper.fixed(id, 'ann');

  const wrong = await firedamper.post<{ difference: unknown; digest: string }>('bob', `/v1/repairs/${plan.id}/approve`, {
    digest: 'a'.repeat(64),
  });
  expect(wrong.status).toBe(409);
  expect(wrong.body.digest).toBe(plan.digest);
  expect(JSON.stringify(wrong.body.difference), 'what the plan really runs').toContain(`s08a_a ${failed.runId}`);
  for (const person of ['vera', 'rita'] as const) expect((await firedamper.approve(plan, person)).status, person).toBe(403);
  const self = await firedamper.approve(plan, 'ann');
  expect(self.status).toBe(403);
  expect(JSON.stringify(self.body)).toContain('marked it fixed');

  expect((await firedamper.repair(plan.id)).state, 'none of them changed anything').toBe('proposed');
  expect(await truth.run('s08a_a', failed.runId)).toEqual(failed);
});

test.concurrent('the person who marked it fixed may approve it where the policy says so, and the timeline is loud about it', async () => {
  const { firedamper } = await serve({ name: 's08s', prefixes: ['s08s'], policy: { repair: { allow_self_approval: true } } });
  await failedRun('s08s_a', 'make');
  const { id } = await firedamper.opened('s08s_a');
  await firedamper.status(id, 'contained', 45);
  mendTask('s08s_a', 'make');
  const plan = await firedamper.fixed(id, 'ann');
  expect((await firedamper.approve(plan, 'ann')).status).toBe(200);
  await firedamper.reached(plan.id, 'succeeded');
  expect((await firedamper.timeline(id)).map((entry) => entry.reason_code)).toContain('self_approved');
});

test.concurrent('a plan that nobody approved in time is refused afterwards', async () => {
  const { firedamper } = await serve({ name: 's08e', prefixes: ['s08e'], policy: { repair: { approval_expires: '1m' } } });
  const failed = await failedRun('s08e_a', 'make');
  const { id } = await firedamper.opened('s08e_a');
  await firedamper.status(id, 'contained', 45);
  const plan = await firedamper.fixed(id);
  await until('the plan has expired', async () => new Date().toISOString() > plan.expires_at!, { seconds: 75 });
  const late = await firedamper.approve(plan);
  expect(late.status).toBe(409);
  expect(JSON.stringify(late.body)).toMatch(/not approved in time|expired/);
  const lapsed = await firedamper.reached(plan.id, 'lapsed', 30);
  expect(lapsed.state_reason.code).toBe('approval_expired');
  expect(await truth.run('s08e_a', failed.runId)).toEqual(failed);
});

test.concurrent.each([
  { prefix: 's08l', moment: 'before it is asked again', at: (_request: ProxiedRequest) => true },
  { prefix: 's08m', moment: 'while it is asked again', at: ({ body }: ProxiedRequest) => body.includes('"dry_run":true') },
])(
  'somebody clears the run in Airflow between approval and start, $moment: the yes lapses and says why',
  async ({ prefix, at }) => {
    const dagId = `${prefix}_a`;
    const { firedamper } = await serve({ name: prefix, prefixes: [prefix], airflow: { url: proxy.url } });
    const failed = await failedRun(dagId, 'make');
    const { id } = await firedamper.opened(dagId);
    await firedamper.status(id, 'contained', 45);
    mendTask(dagId, 'make');
    const plan = await firedamper.fixed(id);
    const go = stopTaskAtStart(dagId, 'make');
    // The yes is given, and a colleague is faster; the run that she started goes on until the end of the test.
    const faster = proxy.ambush({
      when: (request) => request.path.includes(dagId) && at(request),
      phase: 'before',
      act: () => truth.clear(dagId, failed.runId),
      lose: false,
    });
    expect((await firedamper.approve(plan)).status).toBe(200);
    await faster;
    const lapsed = await firedamper.reached(plan.id, 'lapsed', 45);
    expect(lapsed.state_reason.code).toBe('plan_changed');
    expect(lapsed.state_reason.text.length).toBeGreaterThan(20);
    expect(await truth.acts('firedamper', dagId), 'we cleared nothing').toEqual([]);
    go();
    await firedamper.status(id, 'resolved'); // healed by her: the same path as story 10
    expect((await truth.task(dagId, failed.runId, 'make')).tryNumber).toBe(2);
  },
);

test.concurrent('two approvals at the same instant are one execution', async () => {
  const { firedamper } = await serve({ name: 's08t', prefixes: ['s08t'] });
  const failed = await failedRun('s08t_a', 'make');
  const { id } = await firedamper.opened('s08t_a');
  await firedamper.status(id, 'contained', 45);
  mendTask('s08t_a', 'make');
  const plan: Repair = await firedamper.fixed(id);
  const answers = await Promise.all([
    firedamper.approve(plan, 'ann'),
    firedamper.approve(plan, 'bob'),
    firedamper.approve(plan, 'ann'),
  ]);
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409, 409]);
  await firedamper.status(id, 'resolved');
  expect((await truth.task('s08t_a', failed.runId, 'make')).tryNumber).toBe(2);
  expect(truth.records('s08t_a')).toHaveLength(1);
  expect(await truth.acts('firedamper', 's08t_a'), 'one request to run it again').toHaveLength(1);
});
