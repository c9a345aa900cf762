import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ensureAirflow } from '../../src/demo/lab.ts';
import type { Mood } from '../../tools/faults/door.ts';
import { failBeside, manyBeside, type Round } from '../../tools/faults/rounds.ts';
import { type Stage, startStage } from '../../tools/faults/stage.ts';
import { until } from '../support/live/until.ts';

/**
 * The short form of `tools/packageFaults.ts`: counts, no times. An Airflow of its own, because a Firedamper that hangs would hold up the other stories' events.
 * Needs root for the full disk, and fails without.
 */
const { version } = inject('lab');
const MANY = 6;
const MOODS = ['down', 'hang', 'error', 'garbage'] satisfies Mood[];
const PROJECT = join(import.meta.dirname, '..', '..');
let stage: Stage;

beforeAll(async () => {
  const installation = await ensureAirflow({
    version,
    root: join(PROJECT, '.firedamper'),
    callbacks: join(PROJECT, 'airflow-callbacks'),
  });
  const name = `faults-${process.env.FIREDAMPER_LIVE_DIR ?? 'live'}`;
  stage = await startStage({ version, name, many: MANY, parallelism: 4, installation });
}, 180_000);

afterAll(() => stage?.close(), 60_000);

/** What Airflow makes of its own failures is what it always makes of them. */
function asEver(round: Round): void {
  expect(round.failed, `${round.name}: tasks that failed at their first try`).toBe(round.started);
  expect(round.beatSeconds.length, `${round.name}: healthy runs beside it, all of which have succeeded`).toBeGreaterThan(0);
}

test('a Firedamper that is down, hangs, fails, or stands behind a full disk changes no outcome, and what waited is in its store exactly once', async () => {
  for (const mood of MOODS) {
    await stage.door.turn(mood);
    asEver(await failBeside(stage.airflow, mood, 1));
  }
  await stage.door.turn('down');
  asEver(await manyBeside(stage.airflow, 'many', MANY));
  // A task and its run for each mood, and the mapped tasks with their run. The scheduler tells of a run after it has ended.
  const waited = MOODS.length * 2 + MANY + 1;
  const waiting = { show: async () => ({ waiting: stage.waiting(), waited }) };
  await until('what was told so far is on the disk', async () => stage.waiting() === waited, waiting);

  const free = stage.fillDisk();
  try {
    asEver(await failBeside(stage.airflow, 'diskfull', 1));
    await until('the scheduler has lost its event too', async () => stage.lost().some((line) => line.includes('run_failed')), {
      show: async () => stage.lost(),
    });
    expect(stage.waiting(), 'a full disk keeps nothing').toBe(0);
  } finally {
    free();
  }
  expect(stage.waiting(), 'what waited waits on').toBe(waited);

  await stage.door.turn('pass');
  asEver(await failBeside(stage.airflow, 'again', 1));
  await until('the spool is empty', async () => (await stage.flush()) !== '' && stage.waiting() === 0);
  const lost = / diskfull_/;
  await until('everything is in the store', async () => stage.kept(lost).missing.length === 0, {
    show: async () => stage.kept(lost),
  });
  const { notOnce, signals, differentSignals, wanted, dropped } = stage.kept(lost);
  expect(notOnce).toEqual([]);
  // What the full disk did not take: the task's process has forgotten it, the scheduler lives on and tells it with its next event.
  expect(dropped).toBeLessThanOrEqual(2);
  expect(wanted).toBe(waited + 2);
  expect(signals).toBe(differentSignals);
  expect(stage.exceptions(), 'exceptions of the package in the logs of Airflow').toEqual([]);
}, 420_000);
