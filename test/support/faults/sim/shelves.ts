/** Where a story's store lives: in memory for speed, or in SQLite on a file system in memory, the real one. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openStore } from '../../../../src/store/store.ts';
import { Disk, memoryStore, type SimStore } from './memoryStore.ts';
import type { Shelf } from './simulation.ts';

export function memoryShelf(): Shelf {
  const disk = new Disk();
  const stored = () => new Set(disk.inbox.map((r) => r.row.webhookId));
  return { open: async () => memoryStore(disk), stored, remove: async () => undefined };
}

/** A store of another program opens the same file in its own way. */
export function sqliteShelf(open: (file: string) => Promise<SimStore> = openStore): Shelf & { readonly file: string } {
  const place = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(place, 'firedamper-sim-'));
  const file = join(folder, 'sim.db');
  return {
    file,
    open: () => open(file),
    stored: () => {
      const db = new Database(file, { readonly: true });
      const rows = db.prepare('select webhook_id from inbox').pluck().all() as string[];
      db.close();
      return new Set(rows);
    },
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}
