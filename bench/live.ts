/**
 * Failed task -> last of 20 readers paused, on a real Airflow 3.3.2: once with the callback, once by the poll alone. Times are Airflow's own: the task's
 * end and the audit rows of the pauses. Prints; judges nothing.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createAirflowClient } from '../src/airflow/connect.ts';
import { startApp } from '../src/app.ts';
import { parseConfig, Secret } from '../src/config.ts';
import { ensureAirflow, freePorts, startAirflow } from '../src/demo/lab.ts';

const READERS = 20;
const root = resolve(import.meta.dirname, '..', '.firedamper');
const onProgress = (line: string) => console.error(line);
const [port] = (await freePorts(1)) as [number];
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const callbacks = resolve(import.meta.dirname, '..', 'airflow-callbacks');
const installation = await ensureAirflow({ version: '3.3.2', root, callbacks, onProgress });
const airflow = await startAirflow({
  ...{
    installation,
    onProgress,
    home: join(root, 'bench'),
    dagsFolder: join(import.meta.dirname, 'dags'),
    serviceUsers: ['firedamper'],
  },
  env: { FIREDAMPER_URL: `http://127.0.0.1:${port}`, FIREDAMPER_SECRET: secret, FIREDAMPER_AIRFLOW: 'prod' },
});
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: console.error };
const folder = mkdtempSync(join(tmpdir(), 'fd-bench-'));

function service(name: string, listen: number, pollSeconds: number) {
  const config = {
    server: { listen: `127.0.0.1:${listen}` },
    database: `./${name}.db`,
    airflows: [
      {
        ...{ id: 'prod', url: airflow.url, callback_secrets: [secret], poll_interval: `${pollSeconds}s` },
        auth: { username: 'firedamper', password: airflow.users.firedamper },
      },
    ],
    access: { tokens: [{ name: 'admin', role: 'admin', secret: 'bench-token-0123456789' }] },
    policy: { watch: { dags: [`fan_${name}`] } },
  };
  return startApp({
    config: parseConfig(JSON.stringify(config), { file: 'bench', folder, env: {} }),
    version: 'bench',
    log: quiet,
  });
}

const auth = { kind: 'password', username: 'admin', password: new Secret(airflow.users.admin ?? '') } as const;
const client = createAirflowClient({
  id: 'prod',
  url: airflow.url,
  auth,
  timeoutMs: 20_000,
  pauseConcurrency: 4,
  sessionLogin: true,
});

async function until<T>(read: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < 1_200; i++) {
    const found = await read();
    if (found !== null) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('not in time');
}

async function measure(name: 'on' | 'off'): Promise<number> {
  const readers = Array.from({ length: READERS }, (_, i) => `fan_${name}_reader_${String(i).padStart(2, '0')}`);
  await until(async () => ((await client.listDags()).filter((d) => readers.includes(d.dagId)).length === READERS ? true : null));
  const app = name === 'on' ? await service(name, port, 10) : await service(name, 0, 10);
  await new Promise((done) => setTimeout(done, 4_000));
  const cursor = await client.auditCursor();
  await client.triggerRun({ dagId: `fan_${name}`, runId: 'bench', interval: null, conf: null, note: null });
  await until(async () =>
    (await client.listDags()).filter((d) => readers.includes(d.dagId) && d.paused).length === READERS ? true : null,
  );
  const [task] = await client.listTasks(`fan_${name}`, 'bench');
  const rows = await Promise.all(readers.map((id) => client.auditRows(id, cursor.readable ? cursor.id : 0)));
  const times = rows.flatMap((r) => (r.readable ? r.rows.map((x) => Date.parse(x.when)) : []));
  await app.close();
  return Math.max(...times) - Date.parse(task?.endDate ?? '');
}

try {
  console.log(`failed task -> last of ${READERS} readers paused, Airflow 3.3.2 (times of its own audit log)`);
  console.log(`  callback on: ${((await measure('on')) / 1000).toFixed(2)} s`);
  console.log(`  callback off, poll interval 10 s: ${((await measure('off')) / 1000).toFixed(2)} s`);
} finally {
  client.close();
  await airflow.stop();
  rmSync(folder, { recursive: true });
}
