/**
 * The witness beside the file (`.epoch`) tells a restored copy from the file that ran here last. Whatever a power cut leaves while a start raises both,
 * it is still that file; and a file of another start than the witness is always told, except by the one order that a cut itself may leave.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openStore } from '../../../../src/store/store.ts';
import { Disk, type Image, type Op, putImage, witnessOf } from './replay.ts';

export interface Starts {
  /** Images of cuts while a start raised file and witness. */
  readonly cuts: number;
  /** Of these, such that the service takes for a restored copy: it would stop and ask for no reason. */
  readonly suspected: number;
  /** A file of one start beside the witness of another. */
  readonly mixed: number;
  /** Of these, such that the service does not notice: it would act on an old file. */
  readonly missed: number;
}

/** What one start has left behind, and what was there when its witness had been raised and its file perhaps not yet. */
interface Left {
  readonly end: Image;
  readonly raising: Image;
}

/** `starts`: what each start did to the disk, in order; the first one finds nothing there and is left out. */
export async function cutStarts(
  starts: readonly (readonly Op[])[],
  database: string,
  each: number,
  chance: () => number,
): Promise<Starts> {
  const folder = mkdtempSync(join(process.env.FIREDAMPER_FAST_DISK ?? tmpdir(), 'fd-starts-'));
  const isRestored = async (image: Image): Promise<boolean> => {
    const path = join(folder, basename(database));
    putImage(folder, path, image);
    const store = await openStore(path);
    try {
      return (await store.restored()) !== null;
    } finally {
      await store.close();
    }
  };
  const sum = { cuts: 0, suspected: 0, mixed: 0, missed: 0 };
  try {
    const disk = new Disk();
    const left: Left[] = [];
    for (const [n, ops] of starts.entries()) {
      const images = replayStart(disk, ops, database, each, chance);
      for (const image of n === 0 ? [] : images.all) {
        sum.cuts++;
        if (await isRestored(image)) sum.suspected++;
      }
      left.push({ end: disk.image(chance), raising: images.raising });
    }
    for (const image of mixes(left, basename(database))) {
      sum.mixed++;
      if (!(await isRestored(image))) sum.missed++;
    }
    return sum;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Images at every instant from the first to the last touch of the witness. */
function replayStart(disk: Disk, ops: readonly Op[], database: string, each: number, chance: () => number) {
  const touches = ops.flatMap((op, n) => (op.kind !== 'ack' && op.file.startsWith(witnessOf(database)) ? [n] : []));
  const [first = 0, last = 0] = [touches[0], touches.at(-1)];
  const raised = ops.findIndex((op) => op.kind === 'rename' && op.to === witnessOf(database)) + 1;
  if (raised === 0) throw new Error('no start raised the witness in this trace');
  const all: Image[] = [];
  let raising: Image = new Map();
  for (const [n, op] of ops.entries()) {
    if (op.kind !== 'ack') disk.apply(op);
    // The folder is synced next: the name is durable.
    if (n === raised) raising = disk.image(() => 0);
    if (n >= first && n <= last + 1) for (let k = 0; k < each; k++) all.push(disk.image(chance));
  }
  return { all, raising };
}

/** Every file beside every witness that it cannot come to stand beside by a cut. */
function mixes(left: readonly Left[], database: string): Image[] {
  const witness = basename(witnessOf(database));
  const beside = (file: Image, of: Image): Image =>
    new Map([...[...file].filter(([name]) => name !== witness), ...[...of].filter(([name]) => name === witness)]);
  return left.flatMap(({ end: file }, i) =>
    left.flatMap(({ end, raising }, j) => [
      ...(i === j ? [] : [beside(file, end)]),
      // Its own, or the next one that has only begun: both are what a cut leaves.
      ...(i === j || i === j - 1 ? [] : [beside(file, raising)]),
    ]),
  );
}
