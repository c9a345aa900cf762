/**
 * R12 in time: does a hold come later while the poll, plans and notices hang? One incident after the other, from the accepted callback to its PATCH in the
 * fake Airflow's log, in turns with all that at rest and with all of it hanging; the same incidents and plans are there in both. Prints; judges nothing.
 *
 *   node bench/lanes.ts [rounds, default 7] [incidents a round, default 100]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startFakeAirflow } from '../test/support/fakeAirflow/index.ts';
import { startFaultProxy } from '../test/support/faults/network/proxy.ts';
import { startSink } from '../test/support/faults/network/sink.ts';
import { type Service, startService } from '../test/support/service.ts';

const [rounds = 7, incidents = 100] = process.argv.slice(2).map(Number);
const PLANS = 10;
const HANGING = [/^GET \S+\/dags\/~\//, /^GET \S+\/dags\/p_\d+\b/, /^POST \S+\/clearTaskInstances [\s\S]*"dry_run":true/];

const now = () => performance.timeOrigin + performance.now();
const percentile = (all: readonly number[], p: number): number => {
  const sorted = [...all].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
};

async function site(notices: boolean) {
  const fake = await startFakeAirflow({ generation: 3, now });
  for (let n = 0; n < PLANS; n++) fake.dag(`p_${n}`, { tasks: { make: {} } });
  for (let n = 0; n < incidents; n++) {
    fake.dag(`a_${n}`, { tasks: { make: { outlets: [`s3://a_${n}`] } } });
    fake.dag(`b_${n}`, { tasks: { read: {} }, schedule: { assets: `s3://a_${n}` } });
  }
  const [air, sink] = await Promise.all([startFaultProxy(fake.url), startSink()]);
  const chat = await startFaultProxy(sink.url);
  const service = await startService(fake, {
    policy: { platform: { mass_failure_dags: 10_000 } },
    airflow: { url: air.url, timeout: '10m', survey_interval: '1h' },
    channels: notices ? [{ id: 'chat', kind: 'webhook', url: `${chat.url}/hook` }] : [],
  });
  const close = async (cycle: Promise<void> | null) => {
    for (const proxy of [air, chat]) {
      proxy.heal();
      proxy.dropAll();
    }
    await cycle;
    await service.stop();
    await Promise.all([air.close(), chat.close(), sink.close(), fake.close()]);
  };
  return { fake, air, chat, service, close };
}

const tell = (service: Service, dagId: string) =>
  service.callback({
    ...{ version: 1, kind: 'task_failed', airflow: 'prod', dag_id: dagId, run_id: 'r1', task_id: 'make', map_index: -1 },
    ...{ try_number: 1, occurred_at: new Date().toISOString() },
  });

/** Milliseconds of each incident, and how many calls hung meanwhile. */
async function round(stalled: boolean): Promise<{ times: number[]; hung: number }> {
  const { fake, air, chat, service, close } = await site(stalled);
  for (let n = 0; n < PLANS; n++) fake.failRun(`p_${n}`, 'make', { runId: 'r1' });
  const ids = [];
  for (let n = 0; n < PLANS; n++) ids.push((await service.reaches('contained', `p_${n}`)).id);
  const hang = (when: RegExp) => ({ kind: 'timeout', ms: 0, stream: 'downstream', when }) as const;
  const placed = stalled ? [...HANGING.map((when) => air.add(hang(when))), chat.add(hang(/^POST /))] : [];
  for (const id of ids) await service.call('rita', 'POST', `/v1/incidents/${id}/fixed`, { reason: 'x' });
  // A poll, plans and notices that work take the process's own time; against them, those that hang would only look good. So the other side rests, and
  // has nobody to notify.
  const cycle = stalled ? service.app.poll() : null;
  await pause(3_000);
  const times: number[] = [];
  for (let n = 0; n < incidents; n++) {
    fake.failRun(`a_${n}`, 'make', { runId: 'r1' });
    await tell(service, `a_${n}`);
    const accepted = now();
    await fake.until((f) => f.isPaused(`b_${n}`), 60_000);
    const patch = fake.requestsTo('PATCH', '/dags/{dag_id}').findLast((one) => one.path.endsWith(`/b_${n}`));
    times.push((patch?.at ?? Number.NaN) - accepted);
  }
  const hung = placed.reduce((sum, one) => sum + one.hits, 0);
  await close(cycle);
  return { times, hung };
}

const all = { quiet: [] as number[], stalled: [] as number[] };
const ratios: number[] = [];
console.log(
  `callback accepted -> PATCH, fake Airflow 3.3.2, ${incidents} incidents a round, poll, plans and notices in turns at rest and hanging`,
);
for (let n = 0; n < rounds; n++) {
  // Which comes first changes too: the process grows warmer, and the machine has other things to do.
  const order = n % 2 === 0 ? [false, true] : [true, false];
  const seen = { quiet: [] as number[], stalled: [] as number[], hung: 0 };
  for (const stalled of order) {
    const { times, hung } = await round(stalled);
    seen[stalled ? 'stalled' : 'quiet'].push(...times);
    seen.hung += hung;
  }
  all.quiet.push(...seen.quiet);
  all.stalled.push(...seen.stalled);
  const ratio = percentile(seen.stalled, 50) / percentile(seen.quiet, 50);
  ratios.push(ratio);
  console.log(
    `  round ${n + 1}: p50 ${percentile(seen.quiet, 50).toFixed(1)} -> ${percentile(seen.stalled, 50).toFixed(1)} ms (ratio ${ratio.toFixed(2)}), p99 ${percentile(seen.quiet, 99).toFixed(1)} -> ${percentile(seen.stalled, 99).toFixed(1)} ms, ${seen.hung} calls hung`,
  );
}
const [quiet, stalled] = [all.quiet, all.stalled].map((times) => ({ p50: percentile(times, 50), p99: percentile(times, 99) }));
console.log(
  `  all: p50 ${quiet?.p50.toFixed(1)} -> ${stalled?.p50.toFixed(1)} ms, p99 ${quiet?.p99.toFixed(1)} -> ${stalled?.p99.toFixed(1)} ms; median of the ratios of medians ${percentile(ratios, 50).toFixed(2)} (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}), ratio of the p99 ${((stalled?.p99 ?? Number.NaN) / (quiet?.p99 ?? Number.NaN)).toFixed(2)}`,
);
