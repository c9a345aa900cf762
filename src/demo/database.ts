import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { Crew } from './crew.ts';
import { type Installation, isThree } from './install.ts';
import { withLock } from './lock.ts';
import { freePorts } from './ports.ts';
import { type Cluster, copyCluster, createCluster, databaseUrl, reachableDir, startCluster } from './postgres.ts';
import { type Progress, progressFrom } from './progress.ts';
import { airflowEnvironment, type LabUser } from './settings.ts';

/**
 * Puts a migrated database with these users into `home` and answers its address; for Airflow 3 its PostgreSQL then runs in `crew`. The migration
 * (about 10 s on 3.3.2, 20 s on 2.11.2) is done once per installation and copied from then on.
 */
export async function provideDatabase(
  installation: Installation,
  home: string,
  users: readonly LabUser[],
  crew: Crew,
  progress: Progress,
): Promise<string> {
  const cache = join(installation.root, 'databases', `${installation.version}-${installation.fingerprint.slice(0, 12)}`);
  await mkdir(cache, { recursive: true });
  await withLock(`${cache}.lock`, progressFrom(progress.say), async () => {
    const programs = installation.postgres;
    if (programs) await preparePostgres(installation, await clusterIn(installation, cache), progress);
    else await prepareSqlite(installation, cache, progress);
  });
  if (installation.postgres) return usePostgres(installation, cache, home, crew);
  const file = join(home, 'airflow.db');
  await Promise.all(['-wal', '-shm'].map((end) => rm(`${file}${end}`, { force: true })));
  await copyFile(join(cache, 'airflow.db'), file);
  await runCommand(installation.python, ['-c', SET_USERS, file], { input: JSON.stringify(users) });
  return `sqlite:///${file}`;
}

async function usePostgres(installation: Installation, cache: string, home: string, crew: Crew): Promise<string> {
  const cluster = await clusterIn(installation, join(home, 'postgres'));
  await copyCluster(await clusterIn(installation, cache), cluster);
  const [port] = (await freePorts(1)) as [number];
  await startCluster(cluster, crew, port);
  return databaseUrl(cluster, port);
}

async function clusterIn(installation: Installation, dir: string): Promise<Cluster> {
  const programs = installation.postgres;
  if (!programs) throw new Error(`Airflow ${installation.version} does not use PostgreSQL here`);
  return { dir: join(await reachableDir(dir, programs.as), 'cluster'), programs };
}

async function preparePostgres(installation: Installation, cluster: Cluster, progress: Progress): Promise<void> {
  const ready = join(cluster.dir, '..', 'migrated');
  if (existsSync(ready)) return;
  await progress.step(`preparing a database for Airflow ${installation.version} (once)`, async () => {
    const crew = await Crew.open(join(cluster.dir, '..', 'crew.json'));
    const [port] = (await freePorts(1)) as [number];
    try {
      await createCluster(cluster, crew, port);
      await migrate(installation, join(cluster.dir, '..'), databaseUrl(cluster, port));
    } finally {
      await crew.stop('all', 10_000);
    }
    await writeFile(ready, '');
  });
}

async function prepareSqlite(installation: Installation, cache: string, progress: Progress): Promise<void> {
  if (existsSync(join(cache, 'airflow.db'))) return;
  await progress.step(`preparing a database for Airflow ${installation.version} (once)`, async () => {
    const work = join(cache, 'work');
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true });
    await migrate(installation, work, `sqlite:///${join(work, 'airflow.db')}`);
    await runCommand(installation.python, ['-c', COMPACT, join(work, 'airflow.db'), join(work, 'ready.db')]);
    await rename(join(work, 'ready.db'), join(cache, 'airflow.db'));
    await rm(work, { recursive: true, force: true });
  });
}

async function migrate(installation: Installation, home: string, url: string): Promise<void> {
  const { version, venv } = installation;
  const nothing = { users: [], reparseSeconds: 30, parallelism: 1, extra: {}, dagsFolder: join(home, 'dags') };
  const env = airflowEnvironment({ version, venv, home, port: 0, databaseUrl: url, logPorts: [0, 0], ...nothing });
  const log = join(home, 'migrate.log');
  const airflow = join(venv, 'bin', 'airflow');
  await runCommand(airflow, ['db', 'migrate'], { env, log });
  if (isThree(version)) return;
  // FAB fills its roles and permissions when the first user is made; this one cannot log in (no password hash fits).
  const first = [
    '-u',
    'nobody',
    '--use-random-password',
    '-r',
    'Admin',
    '-f',
    'First',
    '-l',
    'Admin',
    '-e',
    'nobody@example.org',
  ];
  await runCommand(airflow, ['users', 'create', ...first], { env, log });
}

// One file without its write-ahead log, and with WAL switched on for whoever opens it: LocalExecutor on SQLite needs readers beside one writer.
const COMPACT = `
import sqlite3, sys
sqlite3.connect(sys.argv[1]).execute("vacuum into ?", (sys.argv[2],))
sqlite3.connect(sys.argv[2]).execute("pragma journal_mode=wal")
`;

// Written straight into FAB's tables, because "airflow users create" takes 6 s per user (2.11.2).
const SET_USERS = `
import json, sqlite3, sys
from werkzeug.security import generate_password_hash
db = sqlite3.connect(sys.argv[1])
db.execute("delete from ab_user_role")
db.execute("delete from ab_user")
(role,) = db.execute("select id from ab_role where name = 'Admin'").fetchone()
for number, user in enumerate(json.load(sys.stdin), start=1):
    # Otherwise what this Airflow takes by itself: scrypt on 2.11.2; 2.9.3 and 2.10.5 have an older library that does not know it.
    method = {"method": "pbkdf2:sha256:1000"} if user["cheapLogin"] else {}
    db.execute(
        "insert into ab_user (id, first_name, last_name, username, password, active, email) values (?, ?, 'Lab', ?, ?, 1, ?)",
        (number, user["username"], user["username"], generate_password_hash(user["password"], **method), user["username"] + "@example.org"),
    )
    db.execute("insert into ab_user_role (id, user_id, role_id) values (?, ?, ?)", (number, number, role))
db.commit()
`;
