import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { markOf } from './processTable.ts';
import type { Progress } from './progress.ts';

const POLL_MS = 300;

/** Runs `work` while no other process does so under the same lock; a lock left behind by a process that is gone is taken over. */
export async function withLock<T>(dir: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!take(dir)) {
    const holder = holderOf(dir);
    if (holder === 'gone') {
      rmSync(dir, { recursive: true, force: true });
      continue;
    }
    if (!told) progress.say(`waiting for another installation to finish (${holder})`);
    told = true;
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function take(dir: string): boolean {
  try {
    mkdirSync(dir); // the one file operation that is both test and claim on every file system
    writeFileSync(join(dir, 'holder'), JSON.stringify({ pid: process.pid, mark: markOf(process.pid), at: Date.now() }));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function holderOf(dir: string): string {
  try {
    const { pid, mark } = JSON.parse(readFileSync(join(dir, 'holder'), 'utf8')) as { pid: number; mark: string };
    return markOf(pid) === mark ? `process ${pid}` : 'gone';
  } catch {
    return 'just starting'; // between its mkdir and its holder file
  }
}
