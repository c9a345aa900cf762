/** Where a story's store lives: in memory for speed, or in SQLite on a file system in memory, the real one. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../../../src/store/store.ts';
import { Disk, memoryStore } from './memoryStore.ts';
import type { Shelf } from './simulation.ts';

export function memoryShelf(): Shelf {
  const disk = new Disk();
  return { open: async () => memoryStore(disk), remove: async () => undefined };
}

export function sqliteShelf(): Shelf {
  const place = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(place, 'firedamper-sim-'));
  return {
    open: () => openStore(join(folder, 'sim.db')),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}
