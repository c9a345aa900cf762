import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, cp, lchown, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '../errors.ts';
import { type Account, runCommand } from './command.ts';
import type { Crew } from './crew.ts';

/** The PostgreSQL programs and the account they run as; `as` is null for a normal user. */
export interface PostgresPrograms {
  readonly bin: string;
  readonly as: Account | null;
}

/** A folder that holds one cluster (`data`) and its password; nothing in it is kept but for tests and the demo. */
export interface Cluster {
  readonly dir: string;
  readonly programs: PostgresPrograms;
}

const USER = 'airflow';
export const DATABASE = 'airflow';
// Durability is of no use to a database that is thrown away: without it a migration takes a third of the time.
const SETTINGS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'max_connections=200',
  'unix_socket_directories=',
];

/**
 * PostgreSQL refuses to run as root, so as root another account of the machine is lent for it: `postgres` or `nobody`, else the first
 * that is not root. Nothing but Node is needed for that (no sudo, su or setpriv).
 */
export function postgresAccount(passwd = '/etc/passwd'): Account | null {
  if (process.getuid?.() !== 0) return null;
  const accounts = readFileSync(passwd, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((account) => account.name && account.uid > 0);
  const found = accounts.find(({ name }) => name === 'nobody') ?? accounts.find(({ name }) => name === 'postgres') ?? accounts[0];
  if (!found) throw unavailable('PostgreSQL refuses to run as root and /etc/passwd names nobody else: run this as a normal user');
  return { uid: found.uid, gid: found.gid };
}

/**
 * `wanted` itself, or, where the other account cannot reach it (a checkout below /root, say), a folder of the same meaning below
 * the machine's temporary folder.
 */
export async function reachableDir(wanted: string, as: Account | null): Promise<string> {
  await mkdir(wanted, { recursive: true });
  if (!as || canReach(wanted, as)) return wanted;
  const name = `firedamper-${createHash('sha256').update(wanted).digest('hex').slice(0, 12)}`;
  const instead = join(tmpdir(), name);
  await mkdir(instead, { recursive: true, mode: 0o755 });
  await chmod(instead, 0o755);
  if (!canReach(instead, as))
    throw unavailable(`PostgreSQL refuses to run as root, and uid ${as.uid} can reach neither ${wanted} nor ${instead}`);
  return instead;
}

function canReach(dir: string, as: Account): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1" && test -r .', 'sh', dir], { ...as, cwd: '/' }).status === 0;
}

/** A new, empty cluster with one database; only a password opens it, and only over 127.0.0.1. */
export async function createCluster(cluster: Cluster, crew: Crew, port: number): Promise<void> {
  const { dir, programs } = cluster;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o755 });
  await writeFile(join(dir, 'password'), randomBytes(18).toString('hex'), { mode: 0o600 });
  await own(dir, programs.as);
  const args = ['-D', join(dir, 'data'), '-U', USER, '--auth=scram-sha-256', `--pwfile=${join(dir, 'password')}`, '-E', 'UTF8'];
  await runCommand(join(programs.bin, 'initdb'), [...args, '--locale=C', '--no-sync'], { ...environment(programs), cwd: '/' });
  await startCluster(cluster, crew, port);
  await sql(cluster, port, 'postgres', `create database ${DATABASE}`);
}

/** A copy of a cluster that is not running. */
export async function copyCluster(from: Cluster, to: Cluster): Promise<void> {
  await rm(to.dir, { recursive: true, force: true });
  await cp(from.dir, to.dir, { recursive: true });
  await own(to.dir, to.programs.as);
  await chmod(join(to.dir, 'data'), 0o700); // the server refuses a data folder that others may read
}

/** Starts the server and waits until it answers. */
export async function startCluster(cluster: Cluster, crew: Crew, port: number): Promise<void> {
  const { dir, programs } = cluster;
  await rm(join(dir, 'data', 'postmaster.pid'), { force: true }); // the crew has made sure that no earlier one is left
  const settings = [...SETTINGS, 'listen_addresses=127.0.0.1', `port=${port}`].flatMap((setting) => ['-c', setting]);
  crew.launch('postgres', {
    command: join(programs.bin, 'postgres'),
    args: ['-D', join(dir, 'data'), ...settings],
    ...environment(programs),
    cwd: '/',
    log: join(dir, 'server.log'),
    signal: 'SIGINT', // "fast": ends sessions; SIGTERM would wait for them
  });
  for (let attempt = 0; attempt < 150; attempt++) {
    crew.assertRunning();
    if (await answers(cluster, port)) return;
    await sleep(200);
  }
  throw unavailable(`PostgreSQL does not answer on 127.0.0.1:${port}; log: ${join(dir, 'server.log')}`);
}

/** Address of the database as SQLAlchemy wants it. */
export function databaseUrl(cluster: Cluster, port: number): string {
  return `postgresql+psycopg2://${USER}:${password(cluster)}@127.0.0.1:${port}/${DATABASE}`;
}

async function answers(cluster: Cluster, port: number): Promise<boolean> {
  return sql(cluster, port, 'postgres', 'select 1').then(
    () => true,
    () => false,
  );
}

async function sql(cluster: Cluster, port: number, database: string, statement: string): Promise<void> {
  const { env } = environment(cluster.programs);
  const args = ['-q', '-X', '-h', '127.0.0.1', '-p', String(port), '-U', USER, '-d', database, '-c', statement];
  await runCommand(join(cluster.programs.bin, 'psql'), args, { env: { ...env, PGPASSWORD: password(cluster) } });
}

function environment(programs: PostgresPrograms) {
  return { env: { PATH: process.env.PATH, HOME: '/', LC_ALL: 'C' }, as: programs.as };
}

function password(cluster: Cluster): string {
  const file = join(cluster.dir, 'password');
  if (!existsSync(file)) throw unavailable(`${file} is missing: remove ${cluster.dir} and start again`);
  return readFileSync(file, 'utf8');
}

async function own(path: string, as: Account | null): Promise<void> {
  if (!as) return;
  await chown(path, as.uid, as.gid);
  for (const entry of await readdir(path, { recursive: true })) await lchown(join(path, entry), as.uid, as.gid);
}
