import { expect, test } from 'vitest';
import type { Firedamper, Incident } from '../support/live/firedamper.ts';
import { story } from '../support/live/story.ts';
import type { TrueRun } from '../support/live/truth.ts';
import { until } from '../support/live/until.ts';

const { lab, truth, serve, breakTask, mendTask } = story();

const day = (n: number) => new Date(Date.parse(lab.start) + n * 86_400_000).toISOString().slice(0, 10);
const dayOf = (run: TrueRun) => run.logicalDate!.slice(0, 10);
const runsByDay = async (dagId: string) => Object.fromEntries((await truth.runs(dagId)).map((run) => [dayOf(run), run]));

/** Four days, of which `bad` fail; the day `gone` then loses its run, as if it had never been created. */
async function failedRange(
  firedamper: Firedamper,
  dagId: string,
  bad: readonly number[],
  gone: number | null,
): Promise<Incident> {
  for (const n of bad) breakTask(dagId, `load.${day(n)}`);
  await truth.unpause(dagId);
  await until('all four days have ended', async () => {
    const runs = await truth.runs(dagId);
    return runs.length === 4 && runs.every((run) => run.state === 'failed' || run.state === 'success');
  });
  if (gone !== null) await truth.deleteRun(dagId, (await runsByDay(dagId))[day(gone)]!.runId);
  const { id } = await firedamper.opened(dagId);
  await until('all failed days are in the incident', async () => (await firedamper.incident(id)).runs.length === bad.length, {
    show: () => firedamper.incident(id),
  });
  return firedamper.status(id, 'contained', 45);
}

test('the plan repairs exactly the three failed days and the one that was never created, one of them first', async () => {
  await truth.known('s06r_a', 's06r_b');
  const { firedamper } = await serve({ name: 's06r', prefixes: ['s06r'] });
  const incident = await failedRange(firedamper, 's06r_a', [0, 2, 3], 1);
  expect(incident.holds.map((hold) => hold.dag_id)).toEqual(['s06r_b']);

  for (const n of [0, 2, 3]) mendTask('s06r_a', `load.${day(n)}`);
  const plan = await firedamper.fixed(incident.id);
  const days = plan.steps.flatMap((step) => step.runs.map((run) => run.logical_date!.slice(0, 10)));
  expect([...days].sort()).toEqual([day(0), day(1), day(2), day(3)]);
  const canary = plan.steps.filter((step) => step.stage === 'canary');
  expect(canary.flatMap((step) => step.runs)).toHaveLength(1);
  const canaryDay = canary[0]!.runs[0]!.logical_date!.slice(0, 10);
  if (truth.three) expect(new Set(plan.steps.map((step) => step.kind))).toContain('backfill');
  else expect(new Set(plan.steps.map((step) => step.kind))).toEqual(new Set(['clear', 'create_run']));

  expect((await firedamper.approve(plan)).status).toBe(200);
  await firedamper.reached(plan.id, 'succeeded', 150);
  await firedamper.status(incident.id, 'resolved', 90);
  const runs = await runsByDay('s06r_a');
  expect(Object.keys(runs).sort()).toEqual([day(0), day(1), day(2), day(3)]);
  expect(Object.values(runs).map((run) => run.state)).toEqual(Array(4).fill('success'));
  const worked = truth.records('s06r_a').map((record) => record.day);
  expect([...worked].sort(), 'the day that lost its run twice, the others once').toEqual([
    day(0),
    day(1),
    day(1),
    day(2),
    day(3),
  ]);
  const others = Object.entries(runs).filter(([date]) => date !== canaryDay);
  for (const [date, run] of others)
    expect(run.start! >= runs[canaryDay]!.end!, `${date} started after the canary had ended`).toBe(true);
  const whole = others
    .map(([, run]) => run.end!)
    .sort()
    .at(-1)!;
  await until('B has run on the repaired days', async () =>
    (await truth.runs('s06r_b')).some((run) => run.state === 'success' && run.start! >= whole),
  );
});

test('on weekdays at midnight in Berlin, two days that never had a run are two, and the first of them lasts till Monday', async () => {
  const days = ['2026-11-04', '2026-11-05', '2026-11-08', '2026-11-09'] as const; // in UTC the day begins at 23:00
  await truth.known('s06w_a', 's06w_b');
  const { firedamper } = await serve({ name: 's06w', prefixes: ['s06w'] });
  for (const broken of [days[0], days[3]]) breakTask('s06w_a', `load.${broken}`);
  await truth.unpause('s06w_a');
  await until('all four days have ended', async () => {
    const runs = await truth.runs('s06w_a');
    return runs.length === 4 && runs.every((run) => run.state === 'failed' || run.state === 'success');
  });
  for (const gone of [days[1], days[2]]) await truth.deleteRun('s06w_a', (await runsByDay('s06w_a'))[gone]!.runId);
  const { id } = await firedamper.opened('s06w_a');
  await until('both failed days are in the incident', async () => (await firedamper.incident(id)).runs.length === 2);
  await firedamper.status(id, 'contained', 45);

  for (const broken of [days[0], days[3]]) mendTask('s06w_a', `load.${broken}`);
  const plan = await firedamper.fixed(id);
  const planned = plan.steps.flatMap((step) => step.runs.map((run) => run.logical_date!));
  expect([...planned].sort()).toEqual(days.map((date) => `${date}T23:00:00.000Z`));
  expect((await firedamper.approve(plan)).status).toBe(200);
  await firedamper.reached(plan.id, 'succeeded', 150);
  await firedamper.status(id, 'resolved', 90);
  const runs = await runsByDay('s06w_a');
  expect(Object.keys(runs).sort()).toEqual(days);
  expect(Object.values(runs).map((run) => run.state)).toEqual(Array(4).fill('success'));
});

test('a failing canary stops the rest', async () => {
  await truth.known('s06f_a', 's06f_b');
  const { firedamper } = await serve({ name: 's06f', prefixes: ['s06f'] });
  const incident = await failedRange(firedamper, 's06f_a', [0, 1, 2], null);
  const before = await runsByDay('s06f_a');
  const plan = await firedamper.fixed(incident.id);
  expect((await firedamper.approve(plan)).status).toBe(200);
  const failed = await firedamper.reached(plan.id, 'failed', 120);
  const canaryDay = plan.steps.find((step) => step.stage === 'canary')!.runs[0]!.logical_date!.slice(0, 10);
  for (const step of failed.steps.filter(({ stage }) => stage !== 'canary'))
    expect(step).toMatchObject({ state: 'skipped', reason_code: 'canary_failed' });
  const after = await runsByDay('s06f_a');
  for (const n of [0, 1, 2]) {
    if (day(n) === canaryDay) expect(after[day(n)]!.start, 'the canary ran again').not.toBe(before[day(n)]!.start);
    else expect(after[day(n)], 'the rest was not touched').toEqual(before[day(n)]);
  }
  expect((await firedamper.incident(incident.id)).status).toBe('contained');
  expect(await truth.isPaused('s06f_b')).toBe(true);
});
