/** R15, the warm standby: Litestream copies the file every second to another disk; the machine's process and its disk go; the story goes on from the copy. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { replicate, restoreReplica } from '../../support/faults/backup/litestream.ts';
import { dieUnderCallbacks } from '../../support/faults/backup/lostDisk.ts';
import { failure, makeProgram, type Program, retry } from '../../support/faults/backup/program.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';

const PATIENCE_MS = 60_000;
/** What is promised is about a second: the one between two copies, and what a copy takes. A machine that does other work as well takes longer for both. */
const MARGIN_MS = 3_000;
const DEATHS = LONG ? 20 : 6;
const other = mkdtempSync(join(tmpdir(), 'fd-other-machine-'));
const replica = join(other, 'replica');
let fake: FakeAirflow;
let program: Program;

beforeAll(async () => {
  fake = await startFakeAirflow({ generation: 3, autoRun: true });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  fake.dag('b', { tasks: { make: {} }, schedule: { assets: 's3://a' } });
  program = await makeProgram(fake.url);
  mkdirSync(replica);
});
afterAll(async () => {
  await program.kill();
  await fake.close();
  for (const folder of [program.folder, other]) rmSync(folder, { recursive: true, force: true });
});

const ours = () => fake.effects.filter((e) => e.by === 'firedamper').map((e) => `${e.kind} ${e.dagId}`);

async function send(name: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  const answers = await Promise.all(ids.map((id) => program.callback(retry('z', id), id)));
  return ids.filter((_, n) => answers[n] === 202);
}

const missingFrom = (file: string, ids: readonly string[]): string[] => {
  const db = new Database(file, { readonly: true });
  const there = new Set(db.prepare('select webhook_id from inbox').pluck().all());
  db.close();
  return ids.filter((id) => !there.has(id));
};

test('the process and the disk are lost: what was copied is there, the service observes, and then ends the story once', async () => {
  await program.start();
  const standby = await replicate(program.database, replica, other);
  fake.setOutcome('a', 'make', 'failed');
  fake.startRun('a', { runId: 'r1' });
  await fake.until((f) => f.runs('a').some((r) => r.state === 'failed'), PATIENCE_MS);
  await program.callback(failure('a', 'r1'));
  await fake.until((f) => f.isPaused('b'), PATIENCE_MS);
  const early = await send('early', 300);
  await standby.caughtUp();
  const lastSecond = await send('last', 50);
  await standby.kill();
  await program.kill();

  // The disk is gone: nothing of the database is left, nor what stands beside it.
  for (const suffix of ['', '-wal', '-shm', '.lock', '.owner', '.epoch']) rmSync(program.database + suffix, { force: true });
  restoreReplica(replica, join(other, 'restored.db'));
  const lost = missingFrom(join(other, 'restored.db'), early);
  const lostLate = missingFrom(join(other, 'restored.db'), lastSecond);
  const before = ours().length;
  const done = await program.command('restore', join(other, 'restored.db'));
  expect(done.code, done.err).toBe(0);
  await program.start();
  expect(await program.get('/v1/restore')).toMatchObject({ observing: true });
  // Somebody mends the cause and clears the run meanwhile.
  fake.world.outcomes.delete('a/make');
  fake.person().clear('a', 'r1');
  await fake.until((f) => f.runs('a').some((r) => r.state === 'success'), PATIENCE_MS);
  await polls(3);
  const earlyActs = ours().slice(before);
  expect((await program.command('restore', '--confirm', '--reason', 'looked')).code).toBe(0);
  await fake.until((f) => !f.isPaused('b'), PATIENCE_MS);
  await fake.until((f) => f.runs('b').some((r) => r.state === 'success'), PATIENCE_MS);
  await polls(3);
  const after = ours().slice(before);
  figure('R15', {
    standby_acknowledged: early.length,
    lost: lost.length,
    lost_of_the_last_second: `${lostLate.length}/${lastSecond.length}`,
    effects_before_confirmation: earlyActs.length,
    unpauses: after.filter((a) => a === 'unpause b').length,
    runs_of_b: fake.runs('b').length,
  });
  expect(early).toHaveLength(300);
  expect(lost).toEqual([]);
  expect(earlyActs).toEqual([]);
  expect(after.filter((a) => a.startsWith('unpause'))).toEqual(['unpause b']);
  expect(after.filter((a) => a.startsWith('pause') || a.startsWith('clear'))).toEqual([]);
  expect(fake.runs('b'), 'b has the repaired data exactly once').toHaveLength(1);
});

test('a replica put in place by hand, without the command, is noticed all the same', async () => {
  await program.kill();
  for (const suffix of ['', '-wal', '-shm', '.lock', '.owner', '.epoch']) rmSync(program.database + suffix, { force: true });
  restoreReplica(replica, program.database);
  await program.start();
  expect(await program.get('/v1/restore')).toMatchObject({
    observing: true,
    because: 'it has run before, but not in this place',
  });
});

test('control: what was acknowledged after the standby had ended is lost, and this is seen', async () => {
  const orphans = await send('orphan', 50);
  expect(orphans).toHaveLength(50);
  restoreReplica(replica, join(other, 'later.db'));
  const lost = missingFrom(join(other, 'later.db'), orphans).length;
  expect(lost).toBe(50);
  failsAsItMust('R15', 'no standby', `${lost} of 50 acknowledged are lost`);
});

const ageOfOldest = (ages: readonly number[]): number => Math.round(ages[0] ?? 0);

test('killed at any instant while callbacks come in: what was acknowledged a little earlier is there', async () => {
  const losses: Awaited<ReturnType<typeof die>>[] = [];
  const die = () => dieUnderCallbacks(fake.url, { every: '1s', afterMs: MARGIN_MS + 500 + Math.random() * 1_500 });
  // Two machines at a time: nearly all of it is waiting.
  for (let n = 0; n < DEATHS; n += 2) losses.push(...(await Promise.all([die(), die()])));
  const lost = losses.flatMap((l) => l.lostAgesMs);
  const tooOld = lost.filter((age) => age > MARGIN_MS);
  figure('R15', {
    standby_deaths: losses.length,
    acknowledged: losses.reduce((sum, l) => sum + l.acknowledged, 0),
    lost: lost.length,
    lost_oldest_ms: Math.max(...losses.map((l) => ageOfOldest(l.lostAgesMs))),
    lost_oldest_ms_each: losses.map((l) => ageOfOldest(l.lostAgesMs)).join('/'),
    margin_ms: MARGIN_MS,
    lost_older_than_margin: tooOld.length,
  });
  expect(losses.map((l) => l.integrity)).toEqual(losses.map(() => 'ok'));
  // Some stand before the margin in every story: without them nothing is proved.
  for (const { acknowledged, lostAgesMs } of losses) expect(acknowledged - lostAgesMs.length).toBeGreaterThan(10);
  expect(tooOld).toEqual([]);
});

test('control: a standby that copies once a minute loses what is older', async () => {
  const { acknowledged, lostAgesMs } = await dieUnderCallbacks(fake.url, { every: '60s', afterMs: MARGIN_MS + 2_000 });
  const tooOld = lostAgesMs.filter((age) => age > MARGIN_MS);
  expect(tooOld.length).toBeGreaterThan(0);
  failsAsItMust('R15', 'a copy once a minute', `${tooOld.length} of ${acknowledged} lost that were older than ${MARGIN_MS} ms`);
});

async function polls(count: number): Promise<void> {
  const lists = () => fake.requestsTo('GET', /taskInstances/).length;
  const from = lists();
  await fake.until(() => lists() >= from + count, PATIENCE_MS);
}
