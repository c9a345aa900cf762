/**
 * R3: the disk. No 202 without a row; 503 with Retry-After while nothing can be stored; no restart needed where the trouble passes; a clear word and the
 * end where nothing that is written may be believed any more.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { type Call, failed, History } from '../../support/faults/crash/history.ts';
import { newFolder, Program, type ProgramOptions } from '../../support/faults/crash/program.ts';
import { rowsOf } from '../../support/faults/crash/rows.ts';
import { SmallDisk } from '../../support/faults/crash/smallDisk.ts';
import { attach, needTool } from '../../support/faults/crash/strace.ts';
import { makeVariant } from '../../support/faults/crash/variant.ts';
import { startKillProxy } from '../../support/live/killProxy.ts';

beforeAll(() => needTool('strace'));

const WAIT_MS = 30_000;
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** The program on a disk, told of things one after the other. */
class Bench {
  readonly history = new History();
  readonly fake: FakeAirflow;
  readonly options: ProgramOptions;
  program!: Program;
  #n = 0;

  private constructor(fake: FakeAirflow, options: ProgramOptions) {
    this.fake = fake;
    this.options = options;
  }

  static async open(more: Partial<ProgramOptions> = {}): Promise<Bench> {
    const fake = await startFakeAirflow({ generation: 3, autoRun: true });
    fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
    fake.dag('b', { tasks: { make: {} }, schedule: { assets: 's3://a' } });
    fake.setOutcome('a', 'make', 'failed');
    const bench = new Bench(fake, { folder: newFolder('disk-story'), airflowUrl: fake.url, ...more });
    open.push(fake, bench.history, { close: () => bench.program?.kill() });
    return bench;
  }

  async start(): Promise<this> {
    this.program = await Program.start(this.options);
    await this.until('the first poll', async () => {
      const { body } = await this.history.read(this.program.url, '/readyz');
      return body?.airflows?.[0]?.last_poll_at;
    });
    return this;
  }

  /** Of a run that has failed there: one that Airflow does not know would be taken for healed. */
  tell(): Promise<Call> {
    const id = `cb-${++this.#n}`;
    this.fake.startRun('a', { runId: `r${this.#n}` });
    return this.history.callback(this.program.url, id, failed('a', `r${this.#n}`, 'make'));
  }

  async ready(): Promise<Call> {
    return this.history.read(this.program.url, '/readyz');
  }

  /** Acknowledged, and not in the file at this path. */
  lost(): string[] {
    const { inbox, integrity } = rowsOf(this.program.database);
    expect(integrity).toBe('ok');
    return this.history.acknowledged.filter((c) => !inbox.has(c.id)).map((c) => c.id);
  }

  async until(what: string, check: () => Promise<unknown>): Promise<void> {
    for (const end = performance.now() + WAIT_MS; !(await check()); await pause(50))
      if (performance.now() > end) throw new Error(`not in time: ${what}\n${this.program.said.slice(-3000)}`);
  }

  isContained(): Promise<void> {
    return this.until('the incident is contained', async () => {
      const { body } = await this.history.read(this.program.url, '/v1/incidents?dag_id=a');
      return body?.incidents?.[0]?.status === 'contained' && this.fake.isPaused('b');
    });
  }
}

const isRefusal = (c: Call) => c.status === 503 && Number(c.headers['retry-after']) > 0;
const tell = (what: string, values: Record<string, string | number>) => figure('R3', { what: JSON.stringify(what), ...values });

test('no room (ENOSPC at every write): 503 with Retry-After, and no restart when there is room again', async () => {
  const bench = await (await Bench.open()).start();
  expect((await bench.tell()).status).toBe(202);
  await pause(300);
  const strace = await attach(bench.program.pid, { calls: 'pwrite64', what: 'error=ENOSPC', when: '1+' });
  const refused = [await bench.tell(), await bench.tell(), ...(await Promise.all([bench.tell(), bench.tell(), bench.tell()]))];
  const ready = await bench.ready();
  await strace.detach();
  const after = await bench.tell();
  tell('ENOSPC', { refused: refused.filter(isRefusal).length, accepted_without_row: bench.lost().length, restarts: 0 });
  expect(refused.map((c) => [c.status, c.headers['retry-after']])).toEqual(refused.map(() => [503, '5']));
  expect(refused[0]?.body.detail).toMatch(/disk is full/);
  expect(ready.status).toBe(503);
  expect(after.status).toBe(202);
  expect(bench.lost()).toEqual([]);
  await bench.isContained();
  expect((await bench.ready()).status).toBe(200);
});

test('a disk that is truly full: nothing accepted that is not there, and everything goes on when space returns', async () => {
  const disk = new SmallDisk(2_048);
  open.push(disk);
  const bench = await (await Bench.open({ database: join(disk.path, 'firedamper.db') })).start();
  expect((await bench.tell()).status).toBe(202);
  await bench.isContained();
  disk.fill();
  const answers: Call[] = [];
  // The write-ahead log may have some room left inside the file.
  await bench.until('it refuses', async () => isRefusal(answers[answers.push(await bench.tell()) - 1] as Call));
  for (let i = 0; i < 5; i++) answers.push(await bench.tell());
  expect(answers.every((c) => c.status === 202 || isRefusal(c))).toBe(true);
  expect((await bench.history.read(bench.program.url, '/v1/incidents')).status, 'reads go on').toBe(200);
  disk.free();
  await bench.until('it accepts again', async () => (await bench.tell()).status === 202);
  tell('full file system', { refused: answers.filter(isRefusal).length, accepted_without_row: bench.lost().length, restarts: 0 });
  expect(bench.lost()).toEqual([]);
  await bench.until('all that is stored is decided on', async () => rowsOf(bench.program.database).pending === 0);
});

test('a disk that is nearly full: callbacks are refused, and what was accepted before is held, acted on and recorded', async () => {
  const disk = new SmallDisk(200 * 1_024);
  open.push(disk);
  const bench = await (await Bench.open({ database: join(disk.path, 'firedamper.db'), minFree: '256MiB' })).start();
  expect((await bench.tell()).status).toBe(202);
  disk.leave(15 * 1_024);
  const answers: Call[] = [];
  await bench.until('it refuses', async () => isRefusal(answers[answers.push(await bench.tell()) - 1] as Call));
  await bench.isContained();
  const ready = await bench.ready();
  await bench.until('all acts are recorded', async () => rowsOf(bench.program.database).intents.every((i) => i.state === 'done'));
  for (let i = 0; i < 3; i++) answers.push(await bench.tell());
  disk.free();
  await bench.until('it accepts again', async () => (await bench.tell()).status === 202);
  const refused = answers.filter(isRefusal);
  tell('nearly full', { refused: refused.length, accepted_without_row: bench.lost().length });
  expect(answers.slice(-3).map((c) => c.status)).toEqual([503, 503, 503]);
  expect(refused[0]?.body.detail).toMatch(/nearly full/);
  expect(ready.status).toBe(503);
  expect(ready.body.reasons[0]).toMatch(/nearly full/);
  expect(bench.lost()).toEqual([]);
});

test('full between an act and the record of it: it is recorded when space returns, and not done again', async () => {
  const disk = new SmallDisk(4_096);
  open.push(disk);
  const bench = await Bench.open({ database: join(disk.path, 'firedamper.db') });
  const proxy = await startKillProxy(bench.fake.url);
  open.push(proxy);
  Object.assign(bench.options, { airflowUrl: proxy.url });
  await bench.start();
  const acted = proxy.ambush({ when: (r) => r.method === 'PATCH', phase: 'before', act: async () => disk.fill(), lose: false });
  await bench.tell();
  await acted;
  // The log has room for some rows more: they take it, until the outcome finds none.
  await bench.until('it refuses', async () => isRefusal(await bench.tell()));
  await pause(1_000);
  disk.free();
  await bench.isContained();
  await bench.until('nothing is open', async () => rowsOf(bench.program.database).intents.every((i) => i.state !== 'sending'));
  const patches = proxy.seen.filter((r) => r.method === 'PATCH').length;
  tell('full between act and record', { patches, accepted_without_row: bench.lost().length, restarts: 0 });
  expect(patches).toBe(1);
  expect(bench.lost()).toEqual([]);
});

test('a failed fsync (EIO): not one more 202, it says why and ends; what was acknowledged before is there', async () => {
  const bench = await (await Bench.open()).start();
  for (let i = 0; i < 5; i++) expect((await bench.tell()).status).toBe(202);
  await attach(bench.program.pid, { calls: 'fsync', what: 'error=EIO', when: '1+' });
  const answers = await Promise.all([bench.tell(), bench.tell(), bench.tell()]);
  const exit = await bench.program.exited;
  expect(answers.filter((c) => c.status === 202)).toEqual([]);
  expect(exit.code).toBe(1);
  expect(bench.program.said).toMatch(/cannot be trusted/);
  expect(bench.lost()).toEqual([]);
  await bench.start();
  expect((await bench.tell()).status).toBe(202);
  expect(bench.lost()).toEqual([]);
  tell('EIO at fsync', { accepted_after: 0, exit_code: Number(exit.code), lost: 0 });
});

test('the folder is deleted under it: not one more 202, it says why and ends', async () => {
  const folder = newFolder('gone');
  const bench = await (await Bench.open({ database: join(folder, 'firedamper.db') })).start();
  expect((await bench.tell()).status).toBe(202);
  rmSync(folder, { recursive: true });
  const answer = await bench.tell();
  const exit = await bench.program.exited;
  tell('folder deleted', { accepted_after: answer.status === 202 ? 1 : 0, exit_code: Number(exit.code) });
  expect(answer.status).not.toBe(202);
  expect(exit.code).toBe(1);
  expect(bench.program.said).toMatch(/moved, deleted or replaced/);
});

test("somebody else's lock: 503 with Retry-After, and no restart when it is gone", async () => {
  const bench = await (await Bench.open({ pollInterval: '1h' })).start();
  expect((await bench.tell()).status).toBe(202);
  await bench.until('quiet', async () => rowsOf(bench.program.database).intents.every((i) => i.state !== 'planned'));
  const other = new Database(bench.program.database);
  open.push(other);
  other.exec('begin immediate');
  const refused = await Promise.all([bench.tell(), bench.tell(), bench.tell()]);
  other.exec('rollback');
  await bench.until('it accepts again', async () => (await bench.tell()).status === 202);
  tell('foreign lock', { refused: refused.filter(isRefusal).length, accepted_without_row: bench.lost().length, restarts: 0 });
  expect(refused.map((c) => c.status)).toEqual([503, 503, 503]);
  expect(refused[0]?.body.detail).toMatch(/lock/);
  expect(bench.lost()).toEqual([]);
});

test.each([
  ['a folder that is not there', /no such folder/, async () => join(newFolder('nowhere'), 'deeper', 'firedamper.db')],
  [
    'a read-only file system',
    /may not be written|cannot be opened/,
    async () => {
      const disk = new SmallDisk(1_024);
      open.push(disk);
      disk.readOnly();
      return join(disk.path, 'firedamper.db');
    },
  ],
  [
    'a full file system',
    /disk is full/,
    async () => {
      const disk = new SmallDisk(64);
      open.push(disk);
      disk.fill();
      return join(disk.path, 'firedamper.db');
    },
  ],
  [
    'a file that is no database',
    /damaged/,
    async () => {
      const path = join(newFolder('garbage'), 'firedamper.db');
      writeFileSync(path, 'once upon a time '.repeat(500));
      return path;
    },
  ],
  [
    'a folder in the place of the file',
    /cannot be opened/,
    async () => {
      const path = join(newFolder('folder'), 'firedamper.db');
      mkdirSync(path);
      return path;
    },
  ],
] as const)('it refuses to start on %s, in words', async (what, words, database) => {
  const bench = await Bench.open({ database: await database() });
  const { code, said } = await Program.refused(bench.options);
  tell(`start on ${what}`, { exit_code: Number(code) });
  expect(said).toMatch(words);
  expect(said, 'words, not a stack').not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
});

test('a second program on the same database refuses to start, and names the first', async () => {
  const bench = await (await Bench.open()).start();
  const second = await Program.refused({ ...bench.options, folder: newFolder('second'), database: bench.program.database });
  expect(second.code).toBe(1);
  expect(second.said).toMatch(new RegExp(`in use by process ${bench.program.pid}`));
  expect((await bench.tell()).status).toBe(202);
});

test('control: 202 before commit must be seen', async () => {
  const variant = makeVariant('early-202-disk', [
    {
      file: 'http/callbacks.ts',
      from: 'const answer = await deps.accept({',
      to: 'const answer = { id: webhookId, duplicate: false };\n  void deps.accept({',
    },
  ]);
  open.push({ close: variant.remove });
  const bench = await (await Bench.open({ root: variant.root })).start();
  await attach(bench.program.pid, { calls: 'pwrite64', what: 'error=ENOSPC', when: '1+' });
  await bench.tell();
  await pause(500);
  const lost = bench.lost();
  expect(lost.length, 'the test did not see it').toBeGreaterThan(0);
  failsAsItMust('R3', '202 before commit', `${lost.length} accepted without a row`);
});

test('control: going on after a failed fsync must be seen', async () => {
  const variant = makeVariant('after-fsync', [{ file: 'store/trouble.ts', from: 'IOERR_(FSYNC|DIR_FSYNC|', to: 'IOERR_(' }]);
  open.push({ close: variant.remove });
  const bench = await (await Bench.open({ root: variant.root })).start();
  const strace = await attach(bench.program.pid, { calls: 'fsync', what: 'error=EIO', when: '1' });
  await bench.tell();
  await pause(500);
  const next = await bench.tell();
  await strace.detach();
  expect(next.status, 'the test did not see it').toBe(202);
  failsAsItMust('R3', 'going on after a failed fsync', 'a 202 after a failed fsync');
});

test('control: not looking whether the file is still there must be seen', async () => {
  const variant = makeVariant('blind-to-moves', [{ file: 'store/trouble.ts', from: '        stillThere();\n', to: '' }]);
  open.push({ close: variant.remove });
  const folder = newFolder('gone');
  const bench = await (await Bench.open({ database: join(folder, 'firedamper.db'), root: variant.root })).start();
  rmSync(folder, { recursive: true });
  expect((await bench.tell()).status, 'the test did not see it').toBe(202);
  failsAsItMust('R3', 'no look whether the file is there', '1 accepted into a file that is gone');
});
