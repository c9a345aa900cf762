/** A real Airflow of any supported version, with or without the package. The package is no part of the installation, so "without" means without. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type AirflowVersion,
  ensureAirflow,
  type Installation,
  installPackageInto,
  type RunningAirflow,
  startAirflow,
} from '../../src/demo/lab.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
export const AIRFLOW_ID = 'lab';

export interface PackageLab {
  readonly airflow: RunningAirflow;
  readonly installation: Installation;
  /** Folder of the package; null where the installation has it in itself. */
  readonly site: string | null;
  readonly databaseUrl: string;
  readonly secret: string;
  readonly crewFile: string;
  /** Folder of this version's lab. */
  readonly dir: string;
  readonly dags: string;
}

export interface PackageLabOptions {
  readonly version: AirflowVersion;
  /** Folder below `.firedamper/matrix`, so that two tools can run beside each other. */
  readonly name: string;
  readonly parallelism: number;
  /** Emptied folders of the lab, by name. */
  readonly folders: readonly string[];
  /** Null: an Airflow that has never heard of the package. */
  readonly url: string | null;
  readonly secret: string;
  /** One that has the package in it, instead of the tool's own. */
  readonly installation?: Installation;
  readonly env?: Readonly<Record<string, string>>;
}

export const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;

/** Where a lab keeps its things; known before it starts, because a receiver wants to know whom it will hear. */
export function labDir(version: AirflowVersion, name: string): string {
  return join(PROJECT, '.firedamper', 'matrix', 'labs', `${name}-${version}`);
}

export async function startPackageLab(options: PackageLabOptions): Promise<PackageLab> {
  const { version, name, secret } = options;
  const onProgress = (line: string) => console.error(`[${version}] ${line}`);
  const installation = options.installation ?? (await ownInstallation(version, onProgress));
  const dir = labDir(version, name);
  const [home, dags] = [join(dir, 'airflow'), join(dir, 'dags')];
  const site = options.installation || options.url === null ? null : join(dir, 'site');
  if (site) await installPackageInto(site, join(PROJECT, 'airflow-callbacks'), installation);
  const airflow = await startAirflow({
    ...{ installation, home, dagsFolder: dags, parallelism: options.parallelism, reparseSeconds: 5, onProgress },
    emptied: [dags, ...options.folders.map((folder) => join(dir, folder))],
    serviceUsers: ['firedamper'],
    env: {
      ...(site ? { PYTHONPATH: site } : {}),
      ...(options.url === null ? {} : { FIREDAMPER_URL: options.url, FIREDAMPER_SECRET: secret, FIREDAMPER_AIRFLOW: AIRFLOW_ID }),
      ...options.env,
    },
  });
  return { airflow, installation, site, secret, dir, dags, databaseUrl: airflow.databaseUrl, crewFile: join(home, 'crew.json') };
}

function ownInstallation(version: AirflowVersion, onProgress: (line: string) => void): Promise<Installation> {
  // One store of downloads for all of the project's Airflows.
  process.env.UV_CACHE_DIR ??= join(PROJECT, '.firedamper', 'uv-cache');
  return ensureAirflow({ version, root: join(PROJECT, '.firedamper', 'matrix'), onProgress });
}
