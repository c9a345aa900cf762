/** A disk of the test's own that can be filled to the last byte, or made read-only: a small tmpfs. Mounting needs root; without it nothing is proved. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder } from './program.ts';

export class SmallDisk {
  readonly path: string;

  constructor(kilobytes: number) {
    this.path = newFolder('disk');
    run('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', this.path]);
  }

  /** So many kilobytes stay free. */
  leave(kilobytes: number): void {
    const { bavail, bsize } = statfsSync(this.path);
    const fd = openSync(join(this.path, 'ballast'), 'a');
    try {
      for (let left = bavail * bsize - kilobytes * 1_024; left > 0; left -= 4_096) writeSync(fd, Buffer.alloc(4_096));
    } finally {
      closeSync(fd);
    }
  }

  /** To the last byte. */
  fill(): void {
    const fd = openSync(join(this.path, 'ballast'), 'a');
    try {
      for (const size of [65_536, 4_096, 512, 1])
        try {
          for (;;) writeSync(fd, Buffer.alloc(size));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(join(this.path, 'ballast'), { force: true });
  }

  readOnly(): void {
    run('mount', ['-o', 'remount,ro', this.path]);
  }

  /** Also while something still has a file open there. */
  close(): void {
    run('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

function run(tool: string, args: readonly string[]): void {
  const { error, status, stderr } = spawnSync(tool, args, { encoding: 'utf8' });
  if (error || status !== 0)
    throw new Error(
      `${tool} ${args.join(' ')}: ${error?.message ?? stderr.trim()}; this test needs a mount of its own (as root)`,
    );
}
