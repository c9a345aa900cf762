import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Crew } from '../../src/demo/crew.ts';
import { markOf } from '../../src/demo/processTable.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'crew-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const file = () => join(dir, 'crew.json');
/** A program that will not listen to SIGTERM, with a child in a process group of its own (Airflow 2 runs tasks so). */
const STUBBORN = `
  process.on('SIGTERM', () => {});
  const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  require('node:fs').writeFileSync(process.argv[1], String(child.pid));
  setInterval(() => {}, 1000);
`;
const pidFile = () => join(dir, 'child.pid');
const launch = (crew: Crew) =>
  crew.launch('stubborn', {
    command: process.execPath,
    args: ['-e', STUBBORN, pidFile()],
    env: process.env,
    log: join(dir, 'log'),
  });
const childPid = async () => {
  await expect
    .poll(() => existsSync(pidFile()) && Number(readFileSync(pidFile(), 'utf8')), { timeout: 10_000 })
    .toBeGreaterThan(0);
  return Number(readFileSync(pidFile(), 'utf8'));
};
const recordedPid = () => JSON.parse(readFileSync(file(), 'utf8')).members[0].pid as number;

test('stop ends a program that ignores SIGTERM and its child in another process group', async () => {
  const crew = await Crew.open(file());
  launch(crew);
  const child = await childPid();
  const pid = recordedPid();
  await crew.stop('all', 300);
  expect([markOf(pid), markOf(child)]).toEqual([null, null]);
  expect(existsSync(file())).toBe(false);
});

test('what a killed owner left running is ended by the next one', async () => {
  const crew = await Crew.open(file());
  launch(crew);
  const child = await childPid();
  const pid = recordedPid();
  const record = JSON.parse(readFileSync(file(), 'utf8'));
  writeFileSync(file(), JSON.stringify({ ...record, owner: { pid: process.pid, mark: 'another start' } }));
  expect(await Crew.stopRecorded(file(), 300)).toEqual(['stubborn']);
  expect([markOf(pid), markOf(child)]).toEqual([null, null]);
});

test('a process id that has gone to another program is left alone', async () => {
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  const member = { name: 'ours', pid: stranger.pid, mark: 'another start', log: join(dir, 'log'), signal: 'SIGTERM' };
  writeFileSync(file(), JSON.stringify({ owner: { pid: 1, mark: 'gone' }, members: [member] }));
  await Crew.stopRecorded(file(), 300);
  expect(markOf(stranger.pid!)).not.toBeNull();
  stranger.kill('SIGKILL');
});

test('a living owner is a conflict, and nothing of its is touched', async () => {
  const owner = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const member = { name: 'theirs', pid: owner.pid, mark: markOf(owner.pid!), log: '', signal: 'SIGTERM' };
  writeFileSync(file(), JSON.stringify({ owner: { pid: owner.pid, mark: markOf(owner.pid!) }, members: [member] }));
  await expect(Crew.open(file())).rejects.toThrow(`in use by process ${owner.pid}`);
  expect(markOf(owner.pid!)).not.toBeNull();
  owner.kill('SIGKILL');
});

test('a program that ended by itself is reported with the end of its log', async () => {
  const crew = await Crew.open(file());
  crew.launch('brief', {
    command: process.execPath,
    args: ['-e', 'console.log("no database"); process.exit(3)'],
    env: process.env,
    log: join(dir, 'log'),
  });
  await expect.poll(() => crew.running('brief'), { timeout: 10_000 }).toBe(false);
  expect(() => crew.assertRunning()).toThrow(/brief ended by itself[\s\S]*no database/);
});
