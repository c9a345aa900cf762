/**
 * The service in a process of its own with a clock that runs faster; tells what it holds when it is asked. Started by `drive.ts`:
 * `node --expose-gc service.ts '<json>'`.
 */
import { readdirSync } from 'node:fs';
import { getHeapSpaceStatistics } from 'node:v8';
import { startApp } from '../../../../src/app.ts';
import { parseConfig } from '../../../../src/config.ts';
import { walBytes } from '../../../../src/store/wal.ts';

export interface Start {
  readonly folder: string;
  readonly config: string;
  /** Simulated time: `startAt + (real - realStart) * speed`. */
  readonly startAt: number;
  readonly realStart: number;
  readonly speed: number;
}
export interface Held {
  readonly heapMb: number;
  readonly rssMb: number;
  /** Resident, and not V8's heap: SQLite's pages, buffers, the program itself. */
  readonly nativeMb: number;
  readonly walMb: number;
  readonly handles: number;
}

const start = JSON.parse(process.argv[2] ?? '{}') as Start;
const config = parseConfig(start.config, { file: 'soak.yaml', folder: start.folder, env: {} });
const now = () => start.startAt + (Date.now() - start.realStart) * start.speed;
const quiet = () => undefined;
const errors: string[] = [];
const log = {
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: (fields: object, message: string) => void errors.push(`${message} ${JSON.stringify(fields)}`),
};
const app = await startApp({ config, version: 'soak', log, now });
const MB = 1024 * 1024;

process.on('message', async (asked) => {
  if (asked === 'held') {
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    const ofV8 = getHeapSpaceStatistics().reduce((sum, space) => sum + space.physical_space_size, 0);
    const memory = { heapMb: heapUsed / MB, rssMb: rss / MB, nativeMb: (rss - ofV8) / MB };
    const handles = readdirSync('/proc/self/fd').length;
    process.send?.({ ...memory, walMb: walBytes(config.database) / MB, handles } satisfies Held);
  } else {
    await app.close();
    process.send?.({ errors });
    process.disconnect();
  }
});
process.send?.({ url: app.url });
