/**
 * Figures against a fake Airflow: how soon a hold follows a callback, how close many holds come to the floor that Airflow's own speed sets, and what
 * an idle poll costs. Prints; judges nothing. Absolute milliseconds are this machine's, the ratios carry further.
 */
import { type FakeAirflow, startFakeAirflow } from '../test/support/fakeAirflow/index.ts';
import { type Service, startService } from '../test/support/service.ts';

const percentile = (sorted: readonly number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0;
const ms = (n: number) => `${n.toFixed(n < 20 ? 1 : 0)} ms`;
const payload = (dag_id: string) => ({
  ...{
    version: 1,
    kind: 'task_failed',
    dag_id,
    run_id: 'r1',
    task_id: 'make',
    try_number: 1,
    occurred_at: new Date().toISOString(),
  },
});

async function withService<T>(fake: FakeAirflow, airflow: Record<string, unknown>, work: (s: Service) => Promise<T>): Promise<T> {
  const service = await startService(fake, {
    airflow,
    policy: { hold: { max_dags: 1000, max_share: 1 }, platform: { mass_failure_dags: 10_000 } },
  });
  try {
    return await work(service);
  } finally {
    await service.stop();
    await fake.close();
  }
}

/** One failing DAG with n readers; from the accepted callback to the last pause in the fake's ground truth. */
async function hold(n: number, latencyMs: number, concurrency: number) {
  const fake = await startFakeAirflow({ generation: 3 });
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (let i = 0; i < n; i++) fake.dag(`reader_${i}`, { tasks: { make: {} }, schedule: { assets: 's3://a' } });
  return withService(fake, { pause_concurrency: concurrency }, async (service) => {
    fake.failRun('a', 'make', { runId: 'r1' });
    fake.latencyMs = latencyMs;
    const before = fake.requests.length;
    await service.callback(payload('a'));
    const accepted = Date.now();
    await fake.until((f) => f.effects.filter((e) => e.kind === 'pause').length === n, 120_000);
    const last = Math.max(...fake.effects.filter((e) => e.kind === 'pause').map((e) => e.at));
    const calls = (fake.requests.length - before) / n;
    const floor = Math.ceil(n / concurrency) * calls * latencyMs;
    return { took: last - accepted, calls, floor, ratio: (last - accepted) / floor };
  });
}

/** Callback accepted -> first PATCH arrives, one incident after the other. */
async function firstPatch(rounds: number) {
  const fake = await startFakeAirflow({ generation: 3 });
  for (let i = 0; i < rounds; i++) {
    fake.dag(`a${i}`, { tasks: { make: { outlets: [`s3://a${i}`] } } });
    fake.dag(`b${i}`, { tasks: { make: {} }, schedule: { assets: `s3://a${i}` } });
  }
  return withService(fake, {}, async (service) => {
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) {
      fake.failRun(`a${i}`, 'make', { runId: 'r1' });
      await service.callback(payload(`a${i}`));
      const accepted = performance.now();
      await fake.until((f) => f.isPaused(`b${i}`), 10_000);
      times.push(performance.now() - accepted);
    }
    return times.sort((x, y) => x - y);
  });
}

async function idle(dags: number) {
  const fake = await startFakeAirflow({ generation: 3 });
  for (let i = 0; i < dags; i++) fake.dag(`dag_${i}`, { tasks: { make: {} } });
  return withService(fake, { survey_interval: '1h' }, async (service) => {
    await service.app.poll();
    const before = fake.requests.length;
    for (let i = 0; i < 10; i++) await service.app.poll();
    return (fake.requests.length - before) / 10;
  });
}

console.log('failure -> last of N readers paused, fake Airflow 3.3.2, 50 ms a call, 5 rounds (median)');
for (const n of [50, 200]) {
  const rounds = [];
  for (let i = 0; i < 5; i++) rounds.push(await hold(n, 50, 4));
  rounds.sort((a, b) => a.ratio - b.ratio);
  const m = rounds[2] ?? rounds[0];
  if (m)
    console.log(
      `  N=${n} C=4: ${ms(m.took)}, ${m.calls.toFixed(2)} calls per DAG, floor ${ms(m.floor)}, ratio ${m.ratio.toFixed(2)} (all: ${rounds.map((r) => r.ratio.toFixed(2)).join(' ')})`,
    );
}
const times = await firstPatch(200);
console.log(
  `callback accepted -> first PATCH in effect, fake Airflow, 200 incidents one by one: p50 ${ms(percentile(times, 50))}, p99 ${ms(percentile(times, 99))}`,
);
for (const n of [10, 1_000]) console.log(`requests of an idle poll cycle with ${n} DAGs: ${await idle(n)}`);
