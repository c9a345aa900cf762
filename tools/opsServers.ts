/** The servers that `firedamper_airflow.ops` is tried against: a PostgreSQL and an Apache Kafka of their own, on free ports, thrown away afterwards. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../src/demo/command.ts';
import { Crew } from '../src/demo/crew.ts';
import { ensureAirflow } from '../src/demo/install.ts';
import { withLock } from '../src/demo/lock.ts';
import { freePorts } from '../src/demo/ports.ts';
import { createCluster, databaseUrl, reachableDir } from '../src/demo/postgres.ts';
import { progressFrom } from '../src/demo/progress.ts';

export interface OpsServers {
  /** `postgresql://...` of a superuser. */
  readonly postgres: string;
  /** Runs SQL as the user of this address; answers the rows, columns parted by `|`. Rejects with what the server says. */
  sql(url: string, sql: string): Promise<string>;
  /** `host:port` of a broker. */
  readonly kafka: string;
  stop(): Promise<void>;
}

const KAFKA = 'org.apache.kafka:kafka_2.13:4.1.0';
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** `dir` is emptied; what an earlier, killed run left there is ended first. Rejects, saying what is missing: nothing is left out. */
export async function startOpsServers(root: string, dir: string): Promise<OpsServers> {
  await mkdir(dir, { recursive: true });
  const crew = await Crew.open(join(dir, 'crew.json'));
  try {
    const [{ url, bin }, kafka] = await Promise.all([startPostgres(root, dir, crew), startKafka(root, dir, crew)]);
    const psql = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
    const sql = async (where: string, text: string) =>
      (await runCommand(join(bin, 'psql'), [...psql, '-d', where, '-f', '-'], { input: text })).trim();
    return { postgres: url, sql, kafka, stop: () => crew.stop('all', 4_000) };
  } catch (error) {
    await crew.stop('all', 4_000);
    throw error;
  }
}

async function startPostgres(root: string, dir: string, crew: Crew): Promise<{ url: string; bin: string }> {
  // The PostgreSQL that Airflow 3 runs on in the live tests: one less thing to install.
  const { postgres: programs } = await ensureAirflow({ version: '3.3.2', root });
  if (!programs) throw new Error('no PostgreSQL beside Airflow 3.3.2');
  const cluster = { dir: join(await reachableDir(join(dir, 'postgres'), programs.as), 'cluster'), programs };
  const [port] = (await freePorts(1)) as [number];
  await createCluster(cluster, crew, port);
  return { url: databaseUrl(cluster, port).replace('+psycopg2', ''), bin: programs.bin };
}

async function startKafka(root: string, dir: string, crew: Crew): Promise<string> {
  // Both versions of the live tests may want them at once.
  const jars = await withLock(join(root, 'kafka.lock'), progressFrom(console.error), () => kafkaJars(root));
  const [port, controller] = (await freePorts(2)) as [number, number];
  const home = join(dir, 'kafka');
  await rm(home, { recursive: true, force: true });
  await mkdir(join(home, 'data'), { recursive: true });
  const settings = join(home, 'server.properties');
  await writeFile(settings, kafkaSettings(join(home, 'data'), port, controller));
  await writeFile(join(home, 'log4j2.properties'), 'rootLogger.level=off\n');
  const java = ['-Xmx256m', '-XX:TieredStopAtLevel=1', `-Dlog4j2.configurationFile=${join(home, 'log4j2.properties')}`];
  const classes = ['-cp', join(jars, '*')];
  const id = randomBytes(16).toString('base64url');
  // One id in 64 begins with a dash: behind `-t` Kafka takes that for an option and refuses (4.1.0).
  run('java', [...java, ...classes, 'kafka.tools.StorageTool', 'format', `--cluster-id=${id}`, '-c', settings]);
  crew.launch('kafka', {
    command: 'java',
    args: [...java, ...classes, 'kafka.Kafka', settings],
    env: process.env,
    cwd: home,
    log: join(home, 'server.log'),
  });
  for (let attempt = 0; attempt < 300; attempt++) {
    crew.assertRunning();
    if (await listens(port)) return `127.0.0.1:${port}`;
    await sleep(200);
  }
  throw new Error(`Kafka does not listen on 127.0.0.1:${port}; log: ${join(home, 'server.log')}`);
}

function kafkaSettings(data: string, port: number, controller: number): string {
  const at = `127.0.0.1:${port}`;
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://${at},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=PLAINTEXT://${at}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${data}`,
    ...['offsets.topic', 'transaction.state.log'].flatMap((topic) => [
      `${topic}.replication.factor=1`,
      `${topic}.num.partitions=1`,
    ]),
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    '', // auto.create.topics.enable stays on, as Kafka has it: a replay must not make a topic all the same
  ].join('\n');
}

/** Kafka's own jars, by Maven; about 45 MB, once. */
async function kafkaJars(root: string): Promise<string> {
  const dir = join(root, 'kafka');
  const stamp = join(dir, 'stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === KAFKA) return join(dir, 'jars');
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const [group, artifact, version] = KAFKA.split(':');
  const one = `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>`;
  const own = '<modelVersion>4.0.0</modelVersion><groupId>firedamper</groupId><artifactId>kafka</artifactId><version>1</version>';
  await writeFile(join(dir, 'pom.xml'), `<project>${own}<dependencies><dependency>${one}</dependency></dependencies></project>`);
  run('mvn', ['-q', '-B', '-f', join(dir, 'pom.xml'), COPY, `-DoutputDirectory=${join(dir, 'jars')}`, '-DincludeScope=runtime']);
  await writeFile(stamp, KAFKA);
  return join(dir, 'jars');
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) throw new Error(`cannot start ${command} (Debian: apt-get install maven default-jre-headless): ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.at(-1)} ended with ${status}\n${stdout}${stderr}`);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
