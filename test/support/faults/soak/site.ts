/** The Airflow of a large site: runs come and go, some fail, people mend them after a while, and what is over is forgotten there too. */
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { type FakeAirflow, type Run, startFakeAirflow } from '../../fakeAirflow/index.ts';

const SOURCES = 200;
/** Simulated: how long a person takes to mend, and how long Airflow shows what has ended. */
export const MENDED_AFTER_MS = 12 * 60_000;
const SHOWN_MS = 30 * 60_000;
export const SECRET = Buffer.from('a callback secret of thirty-two b');

export interface Site {
  readonly fake: FakeAirflow;
  /** What Firedamper did here, by kind. */
  readonly effects: Readonly<Record<string, number>>;
  /** Makes run `n`, which has just ended; answers it where it failed. A DAG that is broken has no other run meanwhile that fails. */
  add(n: number, wantsToFail: boolean, now: number): Run | null;
  /** What has been broken for long enough is cleared, with the cause mended; `now` in the future: everything. Answers how many are still broken. */
  mend(now: number): number;
  forget(now: number): void;
  /** Every request is answered 503 from now on, until told otherwise. */
  away(is: boolean): void;
  paused(): number;
}

export async function startSite(now: () => number): Promise<Site> {
  const fake = await startFakeAirflow({ generation: 3, autoRun: true, now });
  for (let n = 0; n < SOURCES; n++) {
    fake.dag(`source_${n}`, { tasks: { make: { outlets: [`s3://${n}`] } } });
    fake.dag(`reader_${n}`, { tasks: { make: {} }, schedule: { assets: `s3://${n}` } });
  }
  const broken = new Map<string, { run: Run; since: number }>();
  const effects: Record<string, number> = {};
  return {
    ...{ fake, effects },
    add: (n, wantsToFail, at) => {
      const dagId = `source_${n % SOURCES}`;
      const fails = wantsToFail && !broken.has(dagId);
      const run = endedRun(dagId, n, fails ? 'failed' : 'success', at);
      fake.world.runs.get(dagId)?.set(run.runId, run);
      if (fails) broken.set(dagId, { run, since: at });
      return fails ? run : null;
    },
    mend: (at) => {
      for (const [dagId, { run, since }] of broken) {
        if (at - since < MENDED_AFTER_MS) continue;
        if (run.state === 'failed') fake.person().clear(run.dagId, run.runId);
        if (run.state === 'success') broken.delete(dagId);
      }
      return broken.size;
    },
    forget: (at) => forget(fake, effects, at),
    away: (is) => (is ? void fake.inject({ kind: 'answer', answer: { status: 503, html: 'away' } }) : fake.heal()),
    paused: () => [...fake.world.dags.values()].filter((d) => d.paused).length,
  };
}

/** As it stands there when it has ended: the scheduler of the fake has nothing to do for it. */
function endedRun(dagId: string, n: number, state: 'success' | 'failed', at: number): Run {
  const task = { taskId: 'make', state, tryNumber: 1, maxTries: 0, start: at - 1_000, end: at, updated: at };
  return {
    ...{ dagId, runId: `r${n}`, logical: null, runType: 'scheduled', intervalStart: null, intervalEnd: null },
    ...{ runAfter: at - 1_000, triggeredBy: 'scheduler', conf: {}, note: null, state, queuedAt: at - 2_000, start: at - 1_000 },
    ...{ end: at, updated: at, clears: 0, backfill: null, order: n },
    tasks: new Map([['make', { ...task, rendered: {}, child: null, endsAt: null }]]),
  };
}

/** Airflow's own house-keeping, and this process's: what it holds must not be what is measured. */
function forget(fake: FakeAirflow, effects: Record<string, number>, now: number): void {
  for (const runs of fake.world.runs.values())
    for (const [id, run] of runs) if (run.state === 'success' && run.end !== null && now - run.end > SHOWN_MS) runs.delete(id);
  for (const e of fake.world.effects.splice(0)) if (e.by === 'firedamper') effects[e.kind] = (effects[e.kind] ?? 0) + 1;
  (fake.requests as unknown[]).length = 0;
}

/** As the package in Airflow sends it: each on a connection of its own, which ends with it. Answers the status. */
export function sendCallback(url: string, run: Run, at: number): Promise<number> {
  const text = JSON.stringify({
    ...{ version: 1, kind: 'task_failed', dag_id: run.dagId, run_id: run.runId, task_id: 'make', try_number: 1 },
    occurred_at: new Date(at).toISOString(),
    exception: { type: 'ValueError', message: 'broken' },
  });
  const [id, seconds] = [`cb-${run.runId}`, String(Math.floor(at / 1000))];
  const signature = createHmac('sha256', SECRET).update(`${id}.${seconds}.${text}`).digest('base64');
  const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': seconds };
  const signed = { ...headers, 'webhook-signature': `v1,${signature}` };
  return new Promise((resolve, reject) => {
    const sending = request(`${url}/v1/callbacks/airflow/prod`, { method: 'POST', headers: signed, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sending.on('error', reject).end(text);
  });
}
