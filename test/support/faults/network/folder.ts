/** A folder for a service whose disk is not what is tried: in memory where the machine has that, so that hours of retries do not wait for a disk. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Folder {
  readonly path: string;
  remove(): void;
}

export function lightFolder(): Folder {
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fd-network-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
