/** R15, the real program: copies are made while callbacks pour in, the service is killed, a copy is put back, and nothing happens before a person says so. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { makeProgram, type Program, retry } from '../../support/faults/backup/program.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';

const COPIES = 4;
let fake: FakeAirflow;
let program: Program;

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
  await fake.close();
  rmSync(program.folder, { recursive: true, force: true });
});

const ours = () => fake.effects.filter((e) => e.by === 'firedamper');

/** Sends callbacks as fast as they are answered; answers with how to stop it. Each id is noted once its 202 is here. */
function pour(acknowledged: string[], named = 'load') {
  let on = true;
  const senders = Array.from({ length: 8 }, async (_, s) => {
    for (let n = 0; on; n++) {
      const id = `${named}-${s}-${n}`;
      if ((await program.callback(retry(`nobody_${s}`, `r${n}`), id)) === 202) acknowledged.push(id);
    }
  });
  return async () => {
    on = false;
    await Promise.all(senders);
  };
}

function idsIn(copy: string): ReadonlySet<unknown> {
  const db = new Database(copy, { readonly: true });
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    return new Set(db.prepare('select webhook_id from inbox').pluck().all());
  } finally {
    db.close();
  }
}

test('a copy made under load is whole and holds everything that was acknowledged before it began', async () => {
  const acknowledged: string[] = [];
  const stop = pour(acknowledged);
  let missing = 0;
  for (let n = 0; n < COPIES; n++) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    const before = acknowledged.slice();
    const copy = join(program.folder, `copy-${n}.db`);
    expect((await program.command('backup', '--to', copy)).code).toBe(0);
    const there = idsIn(copy);
    missing += before.filter((id) => !there.has(id)).length;
  }
  await stop();
  figure('R15', { copies_under_load: COPIES, callbacks_acknowledged: acknowledged.length, missing_in_a_copy: missing });
  expect(acknowledged.length).toBeGreaterThan(200);
  expect(missing).toBe(0);
});

test('control: files that are copied as they lie there, while the service writes', async () => {
  const acknowledged: string[] = [];
  const stop = pour(acknowledged, 'lying');
  let missing = 0;
  for (let n = 0; n < COPIES; n++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = acknowledged.slice();
    const copy = join(program.folder, `as-it-lies-${n}.db`);
    cpSync(join(program.folder, 'firedamper.db'), copy);
    // Of a copy that cannot be read at all nothing is there.
    const there = await Promise.resolve(copy)
      .then(idsIn)
      .catch(() => new Set());
    missing += before.filter((id) => !there.has(id)).length;
  }
  await stop();
  expect(missing).toBeGreaterThan(0);
  failsAsItMust('R15', 'copies made with cp, without the log', `${missing} acknowledged are not in them`);
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

  const before = ours().length;
  const done = await program.command('restore', copy);
  expect(done.code, done.err).toBe(0);
  await program.start();
  expect(await program.get('/v1/restore')).toMatchObject({ observing: true, because: 'restored from drill.db' });
  expect(await program.callback(retry('nobody', 'r1'))).toBe(202);
  await polls(3);
  const early = ours().slice(before).length;
  expect(early, 'nothing is done').toBe(0);
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
  expect(
    ours()
      .slice(before)
      .map((e) => `${e.kind} ${e.dagId}`),
  ).toEqual(['pause e']);
  figure('R15', { drill_effects_before_confirmation: early });
  expect(await program.stop()).toBe(0);
  await program.start();
  expect(await program.get('/v1/restore'), 'a restart after the confirmation is none').toMatchObject({ observing: false });
});

async function polls(count: number): Promise<void> {
  const lists = () => fake.requestsTo('GET', /taskInstances/).length;
  const from = lists();
  await fake.until(() => lists() >= from + count, 20_000);
}
