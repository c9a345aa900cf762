/**
 * R7: stories from seeds. The laws are checked after every step; a seed replays identically; services that break a law on purpose are
 * caught in `controls.test.ts`.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { figure } from '../support/faults/crash/figure.ts';
import { ROOT } from '../support/faults/crash/program.ts';
import { memoryShelf, sqliteShelf } from '../support/faults/sim/shelves.ts';
import { castOf, Simulation, type StoryResult } from '../support/faults/sim/simulation.ts';

const LONG = process.env.FIREDAMPER_LONG === '1';
const SEEDS = LONG ? 10_000 : 500;

const story = (seed: number, sqlite = false): Promise<StoryResult> =>
  new Simulation({ seed, ...castOf(seed), shelf: sqlite ? sqliteShelf() : memoryShelf() }).run();

it(`${SEEDS} stories break no law`, async () => {
  const sums = new Map<string, number>();
  const broken: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { figures, violations, steps } = await story(seed);
    for (const [k, v] of Object.entries({ steps, ...figures })) sums.set(k, (sums.get(k) ?? 0) + v);
    for (const v of violations.slice(0, 1)) broken.push(`seed ${seed}: ${v.law}: ${v.text}`);
  }
  const figures = [...sums].map(([k, v]) => `${k}=${v}`).join(' ');
  process.stdout.write(`figure: R7 seeds=${SEEDS} broken=${broken.length} ${figures}\n`);
  expect(broken).toEqual([]);
  // Stories in which nothing happens prove nothing.
  for (const k of [
    'pauses',
    'unpauses',
    'clears',
    'crashes',
    'touches',
    'approvals',
    'events',
    'saved',
    'verified',
    'together',
    'times',
  ])
    expect(sums.get(k)).toBeGreaterThan(SEEDS / 20);
});

it('a seed replays identically, on the store in memory and on SQLite, and SQLite breaks no law either', async () => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= 12; seed++) {
    for (const sqlite of [false, true]) {
      const [a, b] = [await story(seed, sqlite), await story(seed, sqlite)];
      if (a.hash !== b.hash) wrong.push(`seed ${seed}: ${a.steps} steps, then ${b.steps}, sqlite ${sqlite}`);
      for (const v of a.violations) wrong.push(`seed ${seed}: ${v.law}: ${v.text}, sqlite ${sqlite}`);
    }
  }
  process.stdout.write(`figure: R7 replays=24 different=${wrong.length}\n`);
  expect(wrong).toEqual([]);
});

/** What `tools/simulate.ts` prints as the hash of all lines of all stories. */
const hashOf = async (...args: readonly string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'tools/simulate.ts'), ...args]);
  return / hash=([0-9a-f]{64}) /.exec(stdout)?.[1] ?? `no hash: ${stdout}`;
};

it('seeds replay identically in another process, in any time zone', async () => {
  const zone = process.env.TZ;
  const hashes: string[] = [];
  try {
    for (const tz of ['Asia/Kathmandu', 'America/St_Johns']) {
      process.env.TZ = tz;
      hashes.push(await hashOf('--seeds', '40', '--from', '13'));
    }
  } finally {
    if (zone === undefined) Reflect.deleteProperty(process.env, 'TZ');
    else process.env.TZ = zone;
  }
  figure('R7', { seeds_in_two_processes: 40, different: new Set(hashes).size - 1, hash: hashes[0]?.slice(0, 16) ?? '' });
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(hashes[1]).toBe(hashes[0]);
  // A hash that says nothing of the story would be the same for any.
  expect(await hashOf('--seed', '13')).not.toBe(await hashOf('--seed', '14'));
  expect(await hashOf('--seed', '13', '--store', 'sqlite')).toBe(await hashOf('--seed', '13', '--store', 'sqlite'));
});
