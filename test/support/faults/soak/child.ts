/** The service's process as the driver has it: it is asked one thing after the other, and may be stopped and started again on the same folder. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Asked, Held, Leak, Start } from './service.ts';

/** As the README advises for a container. Without them V8 lets its young generation grow to 134 MB (Node 24.21), whatever is held. */
const LIMITS = ['--max-semi-space-size=16', '--max-old-space-size=256'];
/** And this: each of V8's and libuv's threads has an arena of its own in glibc, and keeps what it once needed (seen up to 250 MB in a day with outages). */
const ARENAS = { MALLOC_ARENA_MAX: '2' };

export interface Child {
  readonly url: string;
  held(): Promise<Held>;
  /** Everything that waits for the night; answers how many jobs that were. */
  night(): Promise<number>;
  leak(leak: Leak): void;
  /** As by SIGTERM: also where it is not done in time and the process ends itself, as it does where nothing else may be lost. */
  close(): Promise<void>;
  kill(): void;
}

export async function startChild(start: Start): Promise<Child> {
  const child = fork(join(import.meta.dirname, 'service.ts'), [JSON.stringify(start)], {
    execArgv: ['--expose-gc', ...LIMITS],
    env: { ...process.env, ...ARENAS },
  });
  const { url } = await answerOf<{ url: string }>(child);
  const ask = <T>(asked: Asked): Promise<T> => {
    const answer = answerOf<T>(child);
    child.send(asked);
    return answer;
  };
  return {
    url,
    held: () => ask<Held>({ what: 'held' }),
    night: async () => (await ask<{ tasks: number }>({ what: 'night' })).tasks,
    leak: (leak) => void child.send({ what: 'leak', ...leak } satisfies Asked),
    close: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.send({ what: 'close' } satisfies Asked);
      await gone;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the service ended by itself (${code})`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as T);
    });
  });
}
