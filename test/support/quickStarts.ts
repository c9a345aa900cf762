/** Node keeps what it has compiled of src/ and of the packages: a start of the program takes 1.2 s of processor time instead of 2.1, and the faults start it a thousand times. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** Fills `folder`, so that no program under test writes there: what counts or breaks its writes must not meet these. What the workers start inherits it. */
export function quickStarts(folder: string): void {
  // What was compiled of earlier states of the sources would only pile up.
  rmSync(folder, { recursive: true, force: true });
  process.env.NODE_COMPILE_CACHE = folder;
  const { status, stderr } = spawnSync(process.execPath, [MAIN, '--version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`firedamper --version: exit ${status}\n${stderr}`);
}
