/**
 * For developers: a real Airflow by hand.
 *
 *   node src/demo/labCli.ts start 3.3.2 [--port 8080] [--home DIR] [--dags DIR] [--root .firedamper] [--callbacks DIR] [--env NAME=VALUE]...
 *   node src/demo/labCli.ts stop  3.3.2 [--home DIR] [--root .firedamper]
 *
 * `start` prints one line of JSON (url, users with passwords, home) and leaves Airflow running; `stop` ends exactly what it started.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FiredamperError } from '../errors.ts';
import { AIRFLOW_VERSIONS, type AirflowVersion, ensureAirflow, isAirflowVersion, startAirflow, stopAirflowIn } from './lab.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '0' },
    home: { type: 'string' },
    dags: { type: 'string' },
    root: { type: 'string', default: join(import.meta.dirname, '..', '..', '.firedamper') },
    callbacks: { type: 'string' },
    env: { type: 'string', multiple: true, default: [] },
  },
});
const [command, version] = positionals;
const home = resolve(values.home ?? join(values.root, 'lab', version ?? ''));

try {
  if (!isAirflowVersion(version)) usage();
  else if (command === 'start') await start(version);
  else if (command === 'stop') console.log(`stopped: ${(await stopAirflowIn(home)).join(', ') || 'nothing was running'}`);
  else usage();
} catch (error) {
  if (!(error instanceof FiredamperError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function start(wanted: AirflowVersion): Promise<void> {
  const onProgress = (line: string) => console.error(line);
  const installation = await ensureAirflow({ version: wanted, root: values.root, callbacks: values.callbacks, onProgress });
  const { url, users, logs } = await startAirflow({
    ...{ installation, home, onProgress, serviceUsers: ['firedamper'] },
    dagsFolder: values.dags ?? join(import.meta.dirname, 'dags'),
    port: Number(values.port),
    env: Object.fromEntries(values.env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
  });
  console.log(JSON.stringify({ url, users, home, logs }));
}

function usage(): void {
  console.error(
    `usage: node src/demo/labCli.ts start|stop ${AIRFLOW_VERSIONS.join('|')} [--port N] [--home DIR] [--dags DIR] [--root DIR] [--callbacks DIR] [--env NAME=VALUE]`,
  );
  process.exitCode = 2;
}
