/** A day of a large site in little time: runs come and go, some fail, people mend them, and the service is watched while it lives with that. */
import { type ChildProcess, fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeAirflow, type Run, startFakeAirflow } from '../../fakeAirflow/index.ts';
import type { Held, Start } from './service.ts';

export interface Soak {
  readonly runs: number;
  readonly realMs: number;
  readonly speed: number;
  /** One of so many runs fails. */
  readonly failEvery: number;
  readonly samples: number;
  /** Tells how it goes. */
  readonly tell: (line: string) => void;
}
export interface Sample extends Held {
  readonly runs: number;
}
export interface Soaked {
  readonly samples: readonly Sample[];
  readonly runs: number;
  readonly failures: number;
  readonly incidents: number;
  readonly stillOpen: number;
  readonly stillPaused: number;
  readonly effects: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
}

/** As the README advises for a container. Without them V8 lets its young generation grow to 134 MB (Node 24.21), whatever is held. */
const LIMITS = ['--max-semi-space-size=16', '--max-old-space-size=256'];
const SOURCES = 60;
const TICK_MS = 100;
/** Simulated: how long a person takes to mend, and how long Airflow shows what has ended. */
const MENDED_AFTER_MS = 12 * 60_000;
const SHOWN_MS = 30 * 60_000;
const SECRET = Buffer.from('a callback secret of thirty-two b');
const TOKEN = 'token-of-adam-0123456789';

export async function soak(options: Soak): Promise<Soaked> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-soak-'));
  const clock = { startAt: Date.parse('2026-11-21T00:00:00Z'), realStart: Date.now(), speed: options.speed };
  const now = () => clock.startAt + (Date.now() - clock.realStart) * clock.speed;
  const fake = await startFakeAirflow({ generation: 3, autoRun: true, now });
  for (let n = 0; n < SOURCES; n++) {
    fake.dag(`source_${n}`, { tasks: { make: { outlets: [`s3://${n}`] } } });
    fake.dag(`reader_${n}`, { tasks: { make: {} }, schedule: { assets: `s3://${n}` } });
  }
  const service = await startChild({ folder, config: configOf(fake.url), ...clock });
  try {
    return await live(options, fake, service, now);
  } finally {
    service.child.kill('SIGKILL');
    await fake.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Child {
  readonly child: ChildProcess;
  readonly url: string;
  ask<T>(what: 'held' | 'close'): Promise<T>;
}

async function startChild(start: Start): Promise<Child> {
  const child = fork(join(import.meta.dirname, 'service.ts'), [JSON.stringify(start)], { execArgv: ['--expose-gc', ...LIMITS] });
  const next = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      child.once('message', (m) => resolve(m as T));
      child.once('exit', (code) => reject(new Error(`the service ended by itself (${code})`)));
    });
  const { url } = await next<{ url: string }>();
  return {
    child,
    url,
    ask: (what) => {
      child.removeAllListeners('exit');
      child.send(what);
      return next();
    },
  };
}

const configOf = (url: string): string =>
  JSON.stringify({
    server: { listen: '127.0.0.1:0' },
    database: './firedamper.db',
    airflows: [
      {
        id: 'prod',
        url,
        auth: { username: 'firedamper', password: 'firedamper' },
        callback_secrets: [`whsec_${SECRET.toString('base64')}`],
        poll_interval: '1s',
      },
    ],
    access: { tokens: [{ name: 'adam', role: 'admin', secret: TOKEN }] },
    policy: { platform: { mass_failure_dags: 1000 } },
    intake: { rate_per_minute: 1_000_000 },
  });

async function live(options: Soak, fake: FakeAirflow, service: Child, now: () => number): Promise<Soaked> {
  const startedAt = Date.now();
  const samples: Sample[] = [];
  const broken: { run: Run; since: number }[] = [];
  const effects: Record<string, number> = {};
  let [made, failures] = [0, 0];
  let sampling: Promise<void> = Promise.resolve();
  while (made < options.runs) {
    const due = Math.min(options.runs, Math.floor(((Date.now() - startedAt) / options.realMs) * options.runs));
    for (; made < due; made++) {
      const dagId = `source_${made % SOURCES}`;
      const busy = broken.some((b) => b.run.dagId === dagId);
      const fails = made % options.failEvery === 0 && !busy;
      const run = addRun(fake, dagId, made, fails ? 'failed' : 'success', now());
      if (!fails) continue;
      failures++;
      broken.push({ run, since: now() });
      void callback(service.url, run, now()).catch(() => undefined);
    }
    mend(fake, broken, now());
    forget(fake, effects, now());
    if (made >= ((samples.length + 1) * options.runs) / options.samples) {
      await sampling;
      const runs = made;
      sampling = service.ask<Held>('held').then((held) => {
        samples.push({ runs, ...held });
        options.tell(`${runs} runs: ${JSON.stringify(held)}`);
      });
      await sampling;
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  // The last ones are mended and let go too: nothing stays held.
  const end = Date.now() + 60_000;
  const open = async () => Number((await counts(service.url)).open);
  while (((await open()) > 0 || broken.length > 0) && Date.now() < end) {
    mend(fake, broken, now() + MENDED_AFTER_MS);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  forget(fake, effects, now());
  const { all, open: stillOpen } = await counts(service.url);
  const stillPaused = [...fake.world.dags.values()].filter((d) => d.paused).length;
  const { errors } = await service.ask<{ errors: string[] }>('close');
  return { samples, runs: made, failures, incidents: all, stillOpen, stillPaused, effects, errors };
}

/** As it stands there when it has ended: the scheduler of the fake has nothing to do for it. */
function addRun(fake: FakeAirflow, dagId: string, n: number, state: 'success' | 'failed', at: number): Run {
  const runId = `r${n}`;
  const task = { taskId: 'make', state, tryNumber: 1, maxTries: 0, start: at - 1_000, end: at, updated: at };
  const run: Run = {
    ...{ dagId, runId, logical: null, runType: 'scheduled', intervalStart: null, intervalEnd: null, runAfter: at - 1_000 },
    ...{ triggeredBy: 'scheduler', conf: {}, note: null, state, queuedAt: at - 2_000, start: at - 1_000, end: at, updated: at },
    ...{ clears: 0, backfill: null, order: n },
    tasks: new Map([['make', { ...task, rendered: {}, child: null, endsAt: null }]]),
  };
  fake.world.runs.get(dagId)?.set(runId, run);
  return run;
}

function mend(fake: FakeAirflow, broken: { run: Run; since: number }[], now: number): void {
  for (const [i, { run, since }] of [...broken.entries()].reverse()) {
    if (now - since < MENDED_AFTER_MS) continue;
    if (run.state === 'failed') fake.person().clear(run.dagId, run.runId);
    if (run.state === 'success') broken.splice(i, 1);
  }
}

/** Airflow's own house-keeping, and this process's: what it holds must not be what is measured. */
function forget(fake: FakeAirflow, effects: Record<string, number>, now: number): void {
  for (const runs of fake.world.runs.values())
    for (const [id, run] of runs) if (run.state === 'success' && run.end !== null && now - run.end > SHOWN_MS) runs.delete(id);
  for (const e of fake.world.effects.splice(0)) if (e.by === 'firedamper') effects[e.kind] = (effects[e.kind] ?? 0) + 1;
}

async function callback(url: string, run: Run, at: number): Promise<void> {
  const text = JSON.stringify({
    ...{ version: 1, kind: 'task_failed', dag_id: run.dagId, run_id: run.runId, task_id: 'make', try_number: 1 },
    occurred_at: new Date(at).toISOString(),
    exception: { type: 'ValueError', message: 'broken' },
  });
  const [id, seconds] = [`cb-${run.runId}`, String(Math.floor(at / 1000))];
  const signature = createHmac('sha256', SECRET).update(`${id}.${seconds}.${text}`).digest('base64');
  const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': seconds };
  const signed = { ...headers, 'webhook-signature': `v1,${signature}` };
  const answer = await fetch(`${url}/v1/callbacks/airflow/prod`, { method: 'POST', headers: signed, body: text });
  await answer.arrayBuffer();
}

async function counts(url: string): Promise<{ all: number; open: number }> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const lines = (await answer.text()).split('\n').filter((l) => l.startsWith('firedamper_incidents{'));
  const values = lines.map((l) => [/status="(\w+)"/.exec(l)?.[1] ?? '', Number(l.split(' ').at(-1))] as const);
  const sum = (of: readonly (readonly [string, number])[]) => of.reduce((n, [, v]) => n + v, 0);
  return { all: sum(values), open: sum(values.filter(([status]) => status !== 'resolved' && status !== 'dismissed')) };
}

/** Megabytes per 100,000 runs, by least squares over what comes after the warm-up. */
export function slope(samples: readonly Sample[], of: 'heapMb' | 'rssMb' | 'nativeMb'): number {
  const late = samples.slice(Math.floor(samples.length / 3));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [x, y] = [mean(late.map((s) => s.runs)), mean(late.map((s) => s[of]))];
  const over = late.reduce((sum, s) => sum + (s.runs - x) * (s[of] - y), 0);
  return (over / late.reduce((sum, s) => sum + (s.runs - x) ** 2, 0)) * 100_000;
}
