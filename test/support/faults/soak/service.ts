/**
 * The service in a process of its own with a clock that runs faster; tells what it holds when it is asked. Started by `child.ts`:
 * `node --expose-gc service.ts '<json>'`.
 */
import { appendFileSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapSpaceStatistics } from 'node:v8';
import { getTasks } from 'node-cron';
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
  /** How long callbacks and incidents are kept, in simulated time: the configuration allows no less than a week, and a day is what is lived here. */
  readonly keepMs: number;
}
export interface Held {
  readonly heapMb: number;
  /** Of the heap, what V8 made of the program by itself: it goes on warming up for minutes. */
  readonly codeMb: number;
  readonly rssMb: number;
  /** Resident, and not V8's heap: SQLite's pages, buffers, the program itself. */
  readonly nativeMb: number;
  readonly walMb: number;
  readonly handles: number;
}
/** What a sabotaged service never lets go. */
export interface Leak {
  readonly kilobytes: number;
  readonly files: number;
}
/** `night`: what is done at night by the real clock, now. `leak`: the negative control, this much is never let go. */
export type Asked = { readonly what: 'held' | 'close' | 'night' } | ({ readonly what: 'leak' } & Leak);

/** In the folder, read by drive.ts: what is logged as an error, of all lives. */
const ERRORS = 'errors.log';
const start = JSON.parse(process.argv[2] ?? '{}') as Start;
const parsed = parseConfig(start.config, { file: 'soak.yaml', folder: start.folder, env: {} });
const config = { ...parsed, retention: { callbacksMs: start.keepMs, incidentsMs: start.keepMs } };
const real = Date.now;
const now = () => start.startAt + (real() - start.realStart) * start.speed;
// Of the whole process: a breaker that stood open for 6 s of the real clock kept every act of five simulated minutes failing, each some hundred times.
Date.now = now;
const quiet = () => undefined;
const log = {
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: (fields: object, message: string) => {
    // The day runs faster than the Date header of its Airflow, which is a real one: that this is said means nothing here.
    if (!message.includes('clock and ours')) appendFileSync(join(start.folder, ERRORS), `${message} ${JSON.stringify(fields)}\n`);
  },
};
const app = await startApp({ config, version: 'soak', log, now });
const MB = 1024 * 1024;
const leaked: number[][] = [];

function held(): Held {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const spaces = getHeapSpaceStatistics();
  const ofV8 = spaces.reduce((sum, space) => sum + space.physical_space_size, 0);
  const code = spaces
    .filter((space) => /^(code|trusted)/.test(space.space_name))
    .reduce((sum, space) => sum + space.space_used_size, 0);
  const memory = { heapMb: heapUsed / MB, codeMb: code / MB, rssMb: rss / MB, nativeMb: (rss - ofV8) / MB };
  const handles = readdirSync('/proc/self/fd').length;
  return { ...memory, walMb: walBytes(config.database) / MB, handles };
}

process.on('message', async (asked: Asked) => {
  if (asked.what === 'held') process.send?.(held());
  else if (asked.what === 'leak') {
    // 128 numbers of 8 bytes.
    for (let n = 0; n < asked.kilobytes; n++) leaked.push(Array.from({ length: 128 }, Math.random));
    for (let n = 0; n < asked.files; n++) openSync('/dev/null', 'r');
  } else if (asked.what === 'night') {
    for (const task of getTasks().values()) await task.execute();
    process.send?.({ tasks: getTasks().size });
  } else {
    await app.close();
    process.disconnect();
  }
});
process.send?.({ url: app.url });
