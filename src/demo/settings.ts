import { randomBytes } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { type AirflowVersion, isThree } from './install.ts';

/** What the environment of one Airflow is made from. */
export interface SettingsInput {
  readonly version: AirflowVersion;
  readonly venv: string;
  readonly home: string;
  readonly port: number;
  readonly dagsFolder: string;
  readonly databaseUrl: string;
  /** Ports for the log servers of workers and triggerer: the defaults clash between two Airflows on one machine. */
  readonly logPorts: readonly [number, number];
  readonly users: readonly LabUser[];
  /** Seconds after which an unchanged DAG file is read again; a new file is seen within 5 s all the same. */
  readonly reparseSeconds: number;
  readonly parallelism: number;
  readonly extra: Readonly<Record<string, string>>;
}

export interface LabUser {
  readonly username: string;
  readonly password: string;
  /** 2.x only: a weak password hash, so that this user's requests cost the server nothing (the default costs 150-200 ms each on 2.11.2). */
  readonly cheapLogin: boolean;
}

/**
 * The whole environment of an Airflow process. Nothing of ours is inherited: an `AIRFLOW__*` variable of the caller's shell would silently
 * point this Airflow at somebody's real one.
 */
export function airflowEnvironment(input: SettingsInput): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^_?AIRFLOW_|^PYTHON|^VIRTUAL_ENV$|^FIREDAMPER_/.test(name));
  return {
    ...Object.fromEntries(own),
    PATH: `${join(input.venv, 'bin')}${delimiter}${process.env.PATH ?? ''}`,
    PYTHONUNBUFFERED: '1',
    PYTHONWARNINGS: 'ignore',
    NO_PROXY: '127.0.0.1,localhost',
    no_proxy: '127.0.0.1,localhost',
    AIRFLOW_HOME: input.home,
    ...both(input),
    ...(isThree(input.version) ? onlyThree(input) : onlyTwo(input)),
    ...input.extra,
  };
}

function both(input: SettingsInput): Record<string, string> {
  return {
    AIRFLOW__CORE__DAGS_FOLDER: input.dagsFolder,
    AIRFLOW__CORE__PLUGINS_FOLDER: join(input.home, 'plugins'),
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: 'False',
    AIRFLOW__CORE__EXECUTOR: 'LocalExecutor',
    AIRFLOW__CORE__PARALLELISM: String(input.parallelism),
    AIRFLOW__CORE__FERNET_KEY: randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: input.databaseUrl,
    AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS: 'False',
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: 'False',
    AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: '2',
    AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: '0.4',
  };
}

function onlyThree(input: SettingsInput): Record<string, string> {
  const url = `http://127.0.0.1:${input.port}`;
  return {
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: input.users.map(({ username }) => `${username}:admin`).join(','),
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE: join(input.home, 'passwords.json'),
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `${url}/execution/`, // default is port 8080, whatever [api] port says
    AIRFLOW__CORE__LAZY_LOAD_PLUGINS: 'True',
    // The API server's own default (5 and 10 more, for 40 request threads) ran dry with a dozen clients at once: then every request, those of the tasks
    // included, waits 30 s for a connection, and it does not recover while anybody goes on asking (3.3.2, seen live).
    AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE: '20',
    AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW: '40',
    AIRFLOW__API__HOST: '127.0.0.1',
    AIRFLOW__API__PORT: String(input.port),
    AIRFLOW__API__BASE_URL: url,
    AIRFLOW__API__WORKERS: '1',
    AIRFLOW__API__SECRET_KEY: randomBytes(32).toString('hex'),
    AIRFLOW__API_AUTH__JWT_SECRET: randomBytes(48).toString('hex'), // HS512 wants 64 bytes
    AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL: '5',
    AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: String(input.reparseSeconds),
    AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES: '1',
    AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: '3',
    AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: '30',
    AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL: '5',
    // Default 5 s, then the same request again (3.1.1 and later). Where two cores start five Airflows at once an answer may take longer; believed to be why a
    // task ended as failed without a word (3.3.2, seen once).
    AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT: '60',
    AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: String(input.logPorts[0]),
    AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT: String(input.logPorts[1]),
  };
}

function onlyTwo(input: SettingsInput): Record<string, string> {
  return {
    AIRFLOW__API__AUTH_BACKENDS: 'airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session',
    AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL: '2',
    AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL: '2',
    AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL: '5', // default 300: a new file shows late
    AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL: String(input.reparseSeconds),
    AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD: '30',
    AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL: '10',
    AIRFLOW__SCHEDULER__PARSING_PROCESSES: '1',
    AIRFLOW__WEBSERVER__WORKERS: '2',
    AIRFLOW__WEBSERVER__WORKER_REFRESH_INTERVAL: '0',
    AIRFLOW__WEBSERVER__WEB_SERVER_HOST: '127.0.0.1',
    AIRFLOW__WEBSERVER__WEB_SERVER_PORT: String(input.port),
    AIRFLOW__WEBSERVER__BASE_URL: `http://127.0.0.1:${input.port}`,
    AIRFLOW__WEBSERVER__SECRET_KEY: randomBytes(32).toString('hex'),
    AIRFLOW__FAB__AUTH_RATE_LIMITED: 'False', // the login form allows 5 tries in 40 s by default
    _AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK: '1', // LocalExecutor on SQLite: Airflow's own tests use this switch (2.9.3, 2.11.2)
  };
}
