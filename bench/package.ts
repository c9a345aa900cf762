/**
 * What the package for Airflow costs: the imports of a DAG file, and the callback of a task with a healthy service on this machine, both in the Python of a
 * real Airflow. Prints; ends with 1 only where something foreign is imported, or an event is not in the service afterwards.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type AirflowVersion, ensureAirflow } from '../src/demo/lab.ts';
import { startFakeAirflow } from '../test/support/fakeAirflow/index.ts';
import { SECRET, startService } from '../test/support/service.ts';

const PROJECT = resolve(import.meta.dirname, '..');
const IMPORTS = 100;
const CALLBACKS = 300;

interface Sample {
  readonly ms: number;
  /** Processor time: what of it a busy machine does not change. */
  readonly cpu: number;
  readonly foreign?: readonly string[];
  readonly error?: string;
}

const problems: string[] = [];
const percentile = (sorted: readonly number[], p: number) =>
  sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;

function show(title: string, samples: readonly Sample[], aim: string): void {
  const [wall, cpu] = [samples.map(({ ms }) => ms), samples.map((sample) => sample.cpu)].map((list) =>
    list.toSorted((a, b) => a - b),
  ) as [number[], number[]];
  const both = (sorted: readonly number[]) =>
    `median ${percentile(sorted, 50).toFixed(1)} ms, p99 ${percentile(sorted, 99).toFixed(1)} ms`;
  console.log(`  ${title}: ${both(wall)} (${aim}); of the processor ${both(cpu)}; n=${samples.length}`);
  const foreign = [...new Set(samples.flatMap((sample) => sample.foreign ?? []))];
  if (foreign.length > 0) problems.push(`${title}: imports ${foreign.join(', ')}`);
  const wrong = samples.flatMap(({ error }) => error ?? []);
  if (wrong.length > 0) problems.push(`${title}: ${wrong[0]}`);
}

/** Not waited for in a blocking way: the service that answers it lives in this process. */
async function run(python: string, what: string, repeats: number, env: Readonly<Record<string, string>> = {}) {
  const home = mkdtempSync(join(tmpdir(), 'fd-cost-'));
  const own = Object.entries(process.env).filter(([name]) => !/^_?AIRFLOW_|^PYTHON|^FIREDAMPER_/.test(name));
  const site = join(PROJECT, 'airflow-callbacks', 'src');
  try {
    const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, 'package.py'), what, String(repeats)], {
      env: { ...Object.fromEntries(own), AIRFLOW_HOME: home, PYTHONPATH: site, PYTHONWARNINGS: 'ignore', ...env },
      maxBuffer: 64 * 1024 * 1024,
    });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, Sample[]>;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function callbacks(python: string): Promise<void> {
  const fake = await startFakeAirflow({ generation: 3 });
  fake.dag('cost', { tasks: { work: {} } });
  const service = await startService(fake, { airflow: { poll_interval: '1h' } });
  try {
    const env = {
      FIREDAMPER_URL: service.url,
      FIREDAMPER_SECRET: `whsec_${SECRET.toString('base64')}`,
      FIREDAMPER_AIRFLOW: 'prod',
    };
    const { callback = [] } = await run(python, 'callback', CALLBACKS, env);
    show('task callback, service on this machine', callback, 'aim p99 50');
    const { signals } = await service.get('/v1/signals?dag_id=cost&limit=200');
    if (signals.length < Math.min(200, CALLBACKS))
      problems.push(`only ${signals.length} of ${CALLBACKS} events are in the service`);
  } finally {
    await service.stop();
    await fake.close();
  }
}

const root = join(PROJECT, '.firedamper');
for (const version of ['2.11.2', '3.3.2'] satisfies AirflowVersion[]) {
  const { python } = await ensureAirflow({ version, root, onProgress: (line) => console.error(line) });
  console.log(`package for Airflow, in the Python of Airflow ${version}, each time a process that has not seen it yet`);
  for (const [title, samples] of Object.entries(await run(python, 'import', IMPORTS))) show(`import, ${title}`, samples, 'aim 5');
  await callbacks(python);
}
console.log(
  `load of this machine meanwhile: ${loadavg()
    .map((load) => load.toFixed(1))
    .join(', ')} (1, 5, 15 minutes)`,
);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
