/**
 * `firedamper_airflow.ops` against a real PostgreSQL (with both drivers that Airflow's provider uses) and a real Kafka. No Airflow runs in here;
 * test/live/20-ops.live.test.ts does the same as DAG runs. A server that cannot be had fails the run.
 *
 *   node tools/opsTests.ts [arguments of pytest]
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findPython } from '../src/demo/python.ts';
import { startOpsServers } from './opsServers.ts';

const PACKAGES = [
  'pytest==9.2.0',
  'jsonschema[format]==4.26.0',
  'psycopg2-binary==2.9.13',
  'psycopg[binary]==3.3.9',
  'confluent-kafka==2.16.1',
];
const root = resolve(import.meta.dirname, '..');
const work = join(root, '.firedamper');
const venv = join(work, 'ops-tools');
const stamp = join(venv, 'stamp');

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, error } = spawnSync(command, args, { cwd: join(root, 'airflow-callbacks'), stdio: 'inherit', env });
  if (error || status !== 0) throw new Error(`${command} ended with ${error?.message ?? status}`);
}

const wanted = PACKAGES.join('\n');
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  run((await findPython(['3.13', '3.12', '3.11', '3.10'])).executable, ['-m', 'venv', '--clear', venv]);
  run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
  writeFileSync(stamp, wanted);
}
const servers = await startOpsServers(work, join(work, process.env.FIREDAMPER_LIVE_DIR ?? 'ops', 'servers'));
try {
  const env = { ...process.env, FIREDAMPER_OPS_POSTGRES: servers.postgres, FIREDAMPER_OPS_KAFKA: servers.kafka };
  run(join(venv, 'bin', 'python'), ['-m', 'pytest', 'tests/ops', ...process.argv.slice(2)], env);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await servers.stop();
}
