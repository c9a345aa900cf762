/** One folder for all that a run of tests writes to the system's temporary folder, removed when it ends: a worker that is ended by a signal removes nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quickStarts } from './quickStarts.ts';

const NAME = 'firedamper-tests-';

/** Vitest calls it once per project; the first one makes the folder for all. `FIREDAMPER_KEEP=1` leaves it to be looked at. */
export default function ownTmp(): (() => void) | undefined {
  if (process.env.TMPDIR?.includes(NAME)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), NAME));
  process.env.TMPDIR = folder;
  quickStarts(join(folder, 'compiled'));
  return () => {
    if (process.env.FIREDAMPER_KEEP !== '1') rmSync(folder, { recursive: true, force: true });
  };
}
