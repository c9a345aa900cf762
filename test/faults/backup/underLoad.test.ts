/** R15, the real program: copies are made while callbacks pour in, the service is killed, a copy is put back, and nothing happens before a person says so. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { makeProgram, type Program, retry } from '../../support/faults/backup/program.ts';
import { CLEAN, check } from '../../support/faults/checker/check.ts';
import { acknowledged, type Call, History } from '../../support/faults/checker/history.ts';
import { inFake, inFile } from '../../support/faults/checker/truth.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';

const COPIES = 4;
let fake: FakeAirflow;
let program: Program;
const history = new History();

beforeAll(async () => {
  fake = await startFakeAirflow({ generation: 3, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  fake.dag('b', { tasks: { make: {} }, schedule: { assets: 's3://a' } });
  fake.dag('d', { tasks: { make: { outlets: ['s3://d'] } } });
  fake.dag('e', { tasks: { make: {} }, schedule: { assets: 's3://d' } });
  program = await makeProgram(fake.url);
  await program.start();
});
afterAll(async () => {
  await program.kill();
  history.close();
  await fake.close();
  rmSync(program.folder, { recursive: true, force: true });
});

/** Sends callbacks as fast as they are answered; answers with how to stop it. */
function pour(named: string) {
  let on = true;
  const senders = Array.from({ length: 8 }, async (_, s) => {
    for (let n = 0; on; n++) await history.callback(program.url, `${named}-${s}-${n}`, retry(`nobody_${s}`, `r${n}`));
  });
  return async () => {
    on = false;
    await Promise.all(senders);
  };
}

/** Makes copies under load, and answers what the checker says of each: of what had been acknowledged before it began. */
async function copyUnderLoad(named: string, copyTo: (copy: string) => Promise<void>) {
  const stop = pour(named);
  const verdicts = [];
  for (let n = 0; n < COPIES; n++) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    const before: readonly Call[] = acknowledged(history.calls);
    const copy = join(program.folder, `${named}-${n}.db`);
    await copyTo(copy);
    verdicts.push(check(before, inFile(copy)));
  }
  await stop();
  return verdicts;
}

const lostIn = (verdicts: readonly { lost: readonly string[] }[]) => verdicts.reduce((sum, { lost }) => sum + lost.length, 0);

test('a copy made under load is whole and holds everything that was acknowledged before it began', async () => {
  const verdicts = await copyUnderLoad('copy', async (copy) => {
    expect((await program.command('backup', '--to', copy)).code).toBe(0);
  });
  figure('R15', {
    copies_under_load: verdicts.length,
    callbacks_acknowledged: history.acknowledged.length,
    missing_in_a_copy: lostIn(verdicts),
  });
  expect(history.acknowledged.length).toBeGreaterThan(200);
  expect(verdicts).toEqual(verdicts.map(() => CLEAN));
});

test('control: files that are copied as they lie there, while the service writes', async () => {
  const verdicts = await copyUnderLoad('as-it-lies', async (copy) => cpSync(program.database, copy));
  expect(lostIn(verdicts)).toBeGreaterThan(0);
  failsAsItMust('R15', 'copies made with cp, without the log', `${lostIn(verdicts)} acknowledged are not in them`);
});

test('the drill: killed, put back, observes, is confirmed, acts', async () => {
  const copy = join(program.folder, 'drill.db');
  expect((await program.command('backup', '--to', copy)).code).toBe(0);
  // What happens after the copy is not in it: a failure is heard, b is held.
  fake.setOutcome('a', 'make', 'failed');
  fake.startRun('a', { runId: 'r1' });
  await fake.until((f) => f.isPaused('b'), 20_000);
  const refused = await program.command('restore', copy);
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('is in use by process')]);
  await program.kill();

  const [calls, from] = [history.calls.length, fake.effects.length];
  const since = () => check(history.calls.slice(calls), inFake(fake, { from, database: program.database }), { acts: {} });
  const done = await program.command('restore', copy);
  expect(done.code, done.err).toBe(0);
  await program.start();
  expect(await program.get('/v1/restore')).toMatchObject({ observing: true, because: 'restored from drill.db' });
  expect((await history.callback(program.url, 'observed', retry('nobody', 'r1'))).status).toBe(202);
  await polls(3);
  const early = since();
  expect(early, 'nothing is done, and what comes in is kept').toEqual(CLEAN);
  const told = await program.command('restore', '--differences');
  expect(told.out).toContain('prod/b: paused in Airflow at');
  expect(told.out).toContain('by Firedamper as it seems, for an incident that the file does not know');

  expect((await program.command('restore', '--confirm', '--reason', 'looked', '--as', 'nobody')).code).toBe(2);
  const confirmed = await program.command('restore', '--confirm', '--reason', 'looked at the list');
  expect([confirmed.code, confirmed.out]).toEqual([0, 'confirmed by adam: the service acts again\n']);
  expect((await program.command('restore', '--confirm', '--reason', 'twice')).code).toBe(1);
  // It acts again.
  fake.setOutcome('d', 'make', 'failed');
  fake.startRun('d', { runId: 'r1' });
  await fake.until((f) => f.isPaused('e'), 30_000);
  const acts = { e: { pause: 1 } };
  expect(check(history.calls.slice(calls), inFake(fake, { from, database: program.database }), { acts })).toEqual(CLEAN);
  figure('R15', { drill_effects_before_confirmation: early.doubled.length });
  expect(await program.stop()).toBe(0);
  await program.start();
  expect(await program.get('/v1/restore'), 'a restart after the confirmation is none').toMatchObject({ observing: false });
});

async function polls(count: number): Promise<void> {
  const lists = () => fake.requestsTo('GET', /taskInstances/).length;
  const from = lists();
  await fake.until(() => lists() >= from + count, 20_000);
}
