/** Hours in seconds: the clock and the timers of this process are moved by the test, the network between service and fake Airflow is real. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { setTimeout as really, setImmediate as turn } from 'node:timers/promises';
import { vi } from 'vitest';

/** Before anything of the service is made: it takes hold of `Date.now` when it starts. */
export const takeTheClock = (): void => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
};
export const giveTheClockBack = (): void => {
  vi.useRealTimers();
};

const STEP_MS = 500;
/** So many turns of the event loop without a new or an unanswered request: everything that was on its way has arrived, also through a proxy. */
const QUIET_TURNS = 12;

/** Whoever is asked something; a request that was not answered yet has no status. */
export interface Asked {
  readonly requests: readonly { readonly status: number | null }[];
  /** Where not everything that is asked comes there. */
  readonly sent?: readonly unknown[];
}

export interface Sent {
  readonly all: readonly { readonly method: string; readonly path: string }[];
  stop(): void;
}

/** What this process asks of one address, counted where it leaves: what is refused or reset nobody else sees. */
export function listen(url: string): Sent {
  const { host } = new URL(url);
  const all: { method: string; path: string }[] = [];
  const hear = (message: unknown): void => {
    const { request } = message as { readonly request: ClientRequest };
    if (request.getHeader('host') === host) all.push({ method: request.method, path: request.path.split('?')[0] ?? '/' });
  };
  subscribe('http.client.request.start', hear);
  return { all, stop: () => void unsubscribe('http.client.request.start', hear) };
}

/** Lets `ms` pass in small steps; between two of them everything that is on its way arrives, so that no time-out comes from a slow machine. */
export async function pass(fake: Asked, ms: number, until: () => boolean = () => false, stepMs = STEP_MS): Promise<number> {
  let passed = 0;
  for (; passed < ms && !until(); passed += stepMs) {
    await vi.advanceTimersByTimeAsync(stepMs);
    await quiet(fake);
  }
  return passed;
}

/** Lets something come to its end that waits for the clock as well as for the network: both move, the clock by default in real time. */
export async function finish(work: Promise<unknown>, stepMs = 5): Promise<void> {
  let over = false;
  const ending = work.finally(() => {
    over = true;
  });
  while (!over) {
    await really(5);
    await vi.advanceTimersByTimeAsync(stepMs);
  }
  await ending;
}

async function quiet(fake: Asked): Promise<void> {
  let seen = -1;
  for (let turns = 0; turns < QUIET_TURNS; turns++) {
    await turn();
    const length = fake.requests.length + (fake.sent?.length ?? 0);
    if (length !== seen || fake.requests.at(-1)?.status === null) turns = 0;
    seen = length;
  }
}

type LaneOf = 'pause' | 'acts' | 'poll' | 'survey' | 'login' | 'reads';

/** Whose request this is, by what it asks for. */
function laneOf({ method, path }: { readonly method: string; readonly path: string }): LaneOf {
  if (path === '/auth/token' || path === '/login/') return 'login';
  if (method === 'PATCH') return 'pause';
  if (method === 'POST') return 'acts';
  if (/\/version$|\/health$|\/dags\/~\//.test(path)) return 'poll';
  return /\/ui\/dependencies$|\/dag-dependencies$/.test(path) ? 'survey' : 'reads';
}

export function perLane(
  requests: readonly { readonly method: string; readonly path: string }[],
): Partial<Record<LaneOf, number>> {
  const counts: Partial<Record<LaneOf, number>> = {};
  for (const request of requests) counts[laneOf(request)] = (counts[laneOf(request)] ?? 0) + 1;
  return counts;
}

/** Until a breaker has seen enough it lets calls through: at most so many in each lane, once. */
const FIRST = 20;

/** Lanes that asked more often than once in `everyMs`, by and large. */
export const tooOften = (counts: Partial<Record<LaneOf, number>>, downMs: number, everyMs = 5_000): string[] =>
  Object.entries(counts)
    .filter(([, count]) => count > downMs / everyMs + FIRST)
    .map(([lane, count]) => `${lane}: ${count} requests in ${Math.round(downMs / 1_000)} s`);
