/**
 * Room that is kept for deciding. Below it callbacks are refused while what was accepted before is still decided, acted on and recorded: on a disk that is
 * full to the last byte the outcome of an act under way finds no place. Senders keep what is refused, and the poll finds the failure.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { unavailable } from '../errors.ts';

/** Of a small volume less is kept: 256 MiB of a gigabyte would be a quarter of it, and of less than that, all. */
const MOST_OF_THE_VOLUME = 10;
const LOOK_EVERY_MS = 1_000;
const MIB = 1024 * 1024;

export interface Room {
  /** Why nothing more is accepted; null while there is room. */
  shortage(): string | null;
  /** Throws `unavailable` while there is none. */
  need(): void;
  /** Bytes that may be written before the disk is full; 0 where the file system does not say. */
  freeBytes(): number;
}

/** `minFreeBytes` 0: never refuse. `look` and `now` (milliseconds, only differences count) are for tests. */
export function watchRoom(database: string, minFreeBytes: number, look = volume, now = () => performance.now()): Room {
  const folder = dirname(database);
  let lookedAt = Number.NEGATIVE_INFINITY;
  let said: string | null = null;
  const shortage = (): string | null => {
    if (now() - lookedAt < LOOK_EVERY_MS) return said;
    lookedAt = now();
    const { free, size } = look(folder);
    const wanted = Math.min(minFreeBytes, size / MOST_OF_THE_VOLUME);
    const short = `only ${mib(free)} MiB are free where ${database} is, and the last ${mib(wanted)} MiB are kept for what was accepted`;
    said = free < wanted ? `the disk is nearly full: ${short}` : null;
    return said;
  };
  return {
    shortage,
    need: () => {
      const short = shortage();
      if (short !== null) throw unavailable(`${short}; nothing was stored`);
    },
    freeBytes: () => look(folder).free,
  };
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(bytes > 0 && bytes < 10 * MIB ? 1 : 0);

/** A file system that does not say how big it is keeps nobody out. */
function volume(folder: string): { free: number; size: number } {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return { free: bavail * bsize, size: blocks * bsize };
  } catch {
    return { free: 0, size: 0 };
  }
}
