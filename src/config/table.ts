import { NOTIFY_EVENTS, ROLES } from '../core/policy.ts';
import {
  baseUrl,
  bool,
  bytes,
  dagRef,
  duration,
  glob,
  id,
  type ListType,
  listenAddress,
  listOf,
  number,
  oneOf,
  secret,
  secretUrl,
  signingSecret,
  text,
  type ValueType,
} from './values.ts';

/**
 * Every key of `firedamper.yaml`: its type, its default and its sentence. Validation, the template of `firedamper init` and the table
 * of the README are all made from this and from nothing else. `x[]` is a list, `x[].y` a key of each of its entries.
 */
export interface KeyRow<V> {
  readonly type: Kind<V>;
  /** The default as one would write it in the file; null = none. */
  readonly fallback: string | null;
  readonly required: boolean;
  /** One sentence for people, without the default. */
  readonly about: string;
  /** What the template shows where there is no default. */
  readonly example: string | null;
}
type Kind<V> = (ValueType<unknown> | ListType<unknown>) & { readonly gives?: V };
export interface SectionRow {
  readonly section: string;
  /** For a list: at least so many entries. */
  readonly least: number;
}

const key = <V>(type: Kind<V>, fallback: string, about: string): KeyRow<V> => ({
  type,
  fallback,
  required: false,
  about,
  example: null,
});
const required = <V>(type: Kind<V>, about: string, example: string): KeyRow<V> => ({
  type,
  fallback: null,
  required: true,
  about,
  example,
});
const optional = <V>(type: Kind<V>, about: string, example: string): KeyRow<V> => ({
  type,
  fallback: null,
  required: false,
  about,
  example,
});
const fromEnv = (name: string) => `"\${env:${name}}"`;
const section = (about: string, least = 0): SectionRow => ({ section: about, least });

export const TABLE = {
  env_file: optional(
    text('path'),
    'File with lines `NAME=value` that placeholders may name; what is really set in the environment wins.',
    './firedamper.env',
  ),
  database: key(text('path'), './firedamper.db', 'SQLite file; a relative path starts at the folder of this file.'),
  log_level: key(oneOf(['debug', 'info', 'warn', 'error']), 'info', 'How much is logged.'),

  server: section('Where Firedamper listens.'),
  'server.listen': key(listenAddress, '127.0.0.1:8470', 'Address and port of the HTTP server.'),
  'server.public_url': optional(
    baseUrl,
    'Address under which people reach it; links in notices begin with it. Without it: http://localhost and the port.',
    'http://localhost:8470',
  ),

  'airflows[]': section('The Airflow installations to watch.', 1),
  'airflows[].id': required(id, 'Name of this Airflow in addresses, pages and `lineage.edges`.', 'prod'),
  'airflows[].url': required(
    baseUrl,
    'Address of its web server, with the path prefix where it has one; version and API are found out.',
    'http://localhost:8080',
  ),
  'airflows[].public_url': optional(
    baseUrl,
    'Address under which people open it, where that is another one: links lead there, and Airflow 3.1 and later shows our pages in tabs of its own.',
    'http://localhost:8080',
  ),
  'airflows[].auth': section('The account: `username` and `password`, or `token`.'),
  'airflows[].auth.username': optional(text('text'), 'Basic on 2.x, `/auth/token` on 3.x.', 'firedamper'),
  'airflows[].auth.password': optional(secret(1), 'Its password.', fromEnv('AIRFLOW_PASSWORD')),
  'airflows[].auth.token': optional(secret(1), 'A bearer token instead of username and password.', fromEnv('AIRFLOW_TOKEN')),
  'airflows[].callback_secrets': key(
    listOf(signingSecret, 2),
    '[]',
    'Keys that sign callbacks; two while one replaces the other. None: no callback is accepted, the poll alone finds failures.',
  ),
  'airflows[].poll_interval': key(
    duration('1s', '1h'),
    '10s',
    'How often failures are asked for; callbacks only make it faster.',
  ),
  'airflows[].poll_lookback': key(
    duration('0s', '30d'),
    '0s',
    'How far the first poll of a fresh database looks back; 0s: only what fails from now on.',
  ),
  'airflows[].survey_interval': key(
    duration('5s', '1d'),
    '60s',
    'How often lineage and the list of DAGs are read, and failures by their time of change.',
  ),
  'airflows[].timeout': key(
    duration('1s', '10m'),
    '20s',
    'Longest time for one read of Airflow. A pause gets at most 15 s of it, lists of the poll and of the lineage up to 45 s, a connection 2 s.',
  ),
  'airflows[].pause_concurrency': key(
    number(1, 32),
    '4',
    'Pause and unpause requests at a time; a real Airflow is fastest with about four.',
  ),
  'airflows[].session_login': key(
    bool,
    'true',
    'On 2.x, log in by the form for a session: requests cost Airflow a fraction, and the dependency page can be read.',
  ),

  access: section('Who may use the HTTP API and the pages.'),
  'access.tokens[]': section('One entry per person or machine. Roles: viewer < responder < approver < admin.'),
  'access.tokens[].name': required(id, 'Name that stands in the history.', 'alice'),
  'access.tokens[].role': required(oneOf(ROLES), 'What this token may do.', 'approver'),
  'access.tokens[].secret': required(secret(8), 'The bearer token itself.', fromEnv('ALICE_TOKEN')),

  policy: section('What Firedamper decides by itself.'),
  'policy.mode': key(
    oneOf(['armed', 'shadow']),
    'armed',
    '`shadow` decides and tells everything, and changes nothing in Airflow. What was begun before the change of mode is ended as it was begun: what is held is released, what is owed is given, a repair that runs goes on. Nothing more is held for it, and no other repair starts.',
  ),

  'policy.watch': section('Which failures open incidents.'),
  'policy.watch.dags': key(listOf(glob), '["*"]', 'Only DAGs that match one of these.'),
  'policy.watch.ignore_dags': key(listOf(glob), '[]', 'None of the DAGs that match one of these.'),
  'policy.watch.ignore_tags': key(listOf(text()), '[]', 'No DAG with one of these tags.'),
  'policy.watch.ignore_run_types': key(listOf(glob), '[]', 'No run of these types, for instance `manual`.'),
  'policy.watch.import_errors': key(bool, 'true', 'DAG files that Airflow cannot load.'),

  'policy.hold': section('Which DAGs are paused, and when.'),
  'policy.hold.at': key(
    oneOf(['task_failure', 'run_end']),
    'task_failure',
    'Hold at the first final failure of a task, or only when the run has ended as failed.',
  ),
  'policy.hold.max_dags': key(
    number(0, 10_000),
    '50',
    'At most so many DAGs for one incident, the nearest first; a person is asked about the rest.',
  ),
  'policy.hold.max_depth': key(number(1, 1000), '20', 'At most so many links away from the failing DAG.'),
  'policy.hold.max_share': key(
    number(0, 1, false),
    '0.5',
    'At most this share of all DAGs of that Airflow. Counts from 50 DAGs on: in a small installation most DAGs may well hang on one source.',
  ),
  'policy.hold.protected': key(
    listOf(glob),
    '[]',
    'DAGs that are never held; the tag `firedamper:never` does the same for one DAG.',
  ),
  'policy.hold.pause_failing_dag': key(bool, 'false', 'Pause the failing DAG too.'),
  'policy.hold.review_after': key(
    duration('1m', '365d'),
    '24h',
    'A hold older than this asks a person; it never ends by itself.',
  ),

  'policy.platform': section('When it is Airflow and not the data.'),
  'policy.platform.mass_failure_dags': key(
    number(2, 10_000),
    '20',
    'So many different failing DAGs within `window` open one platform incident and hold nothing.',
  ),
  'policy.platform.window': key(duration('1s', '1h'), '60s', 'The time within which they are counted.'),

  'policy.release': section('How holds end.'),
  'policy.release.mode': key(
    oneOf(['automatic', 'confirm']),
    'automatic',
    'Release by itself after verification, or wait for a person.',
  ),
  'policy.release.without_audit_log': key(
    oneOf(['ask', 'observed']),
    'ask',
    'Where the audit log cannot be read: ask a person, or trust that a DAG seen paused at every poll was touched by nobody.',
  ),
  'policy.release.missed_intervals': key(
    oneOf(['as_airflow', 'backfill']),
    'as_airflow',
    'Intervals that a held DAG missed: what its own catch-up setting does, or a backfill of all of them.',
  ),

  'policy.repair': section('How repairs are approved and run.'),
  'policy.repair.approval_expires': key(duration('1m', '7d'), '30m', 'A plan that nobody approved within this time lapses.'),
  'policy.repair.allow_self_approval': key(
    bool,
    'false',
    'Let the person who marked it fixed approve the plan; the history says so.',
  ),
  'policy.repair.max_active_runs': key(number(1, 100), '3', 'At most so many runs of one repair at a time.'),
  'policy.repair.latest_heals': key(
    bool,
    'false',
    'Any later successful run heals an earlier failure (DAGs that rebuild everything); the tag `firedamper:latest-heals` does it for one DAG.',
  ),
  'policy.repair.stuck_after': key(
    duration('1m', '30d'),
    '6h',
    'A repair that has not ended by then is shown as stuck, and people are told.',
  ),

  'policy.verify': section('What proves that a repair worked.'),
  'policy.verify.require_person': key(bool, 'false', "The runs' success is not enough: a person must confirm the data too."),

  'policy.monitor': section('The time after a release.'),
  'policy.monitor.reopen_within': key(
    duration('0s', '30d'),
    '24h',
    'A new failure of the same cause within this time reopens the incident instead of opening another.',
  ),
  'policy.monitor.settle_within': key(
    duration('1m', '7d'),
    '30m',
    'How long a released DAG is watched for the run that it should have.',
  ),

  'policy.severity': section('How bad an incident is.'),
  'policy.severity.p1_tags': key(
    listOf(text()),
    '["tier:1"]',
    'A DAG with one of these tags, or with one of them downstream, gets the severity `p1`.',
  ),
  'policy.severity.default': key(oneOf(['P0', 'P1', 'P2', 'P3']), 'P2', 'Severity of every other incident.'),
  'policy.severity.p1': key(oneOf(['P0', 'P1', 'P2', 'P3']), 'P1', 'Severity of an incident that touches `p1_tags`.'),

  lineage: section('What Airflow itself cannot tell.'),
  'lineage.edges[]': section('`to` reads what `from` makes.'),
  'lineage.edges[].from': required(dagRef, 'The DAG that makes the data.', 'prod/orders_etl'),
  'lineage.edges[].to': required(dagRef, 'The DAG that reads it; it may be in another Airflow.', 'prod/revenue_report'),
  'lineage.edges[].note': optional(text(), 'Why, for people.', '"reads the orders table"'),

  notify: section('Who is told.'),
  'notify.give_up_after': key(
    duration('5m', '7d'),
    '24h',
    'What could not be told within this time, because its channel was away all the while, is given up; the history says so.',
  ),
  'notify.channels[]': section('One entry per receiver.'),
  'notify.channels[].id': required(id, 'Name in the history.', 'team-chat'),
  'notify.channels[].kind': required(
    oneOf(['webhook', 'slack']),
    '`slack`: an incoming webhook; `webhook`: JSON to an address of your own.',
    'webhook',
  ),
  'notify.channels[].url': required(
    secretUrl,
    "Where to send it. Never shown: a chat webhook's address is its credential.",
    fromEnv('NOTIFY_URL'),
  ),
  'notify.channels[].events': key(
    listOf(oneOf(NOTIFY_EVENTS)),
    `[${NOTIFY_EVENTS.join(', ')}]`,
    'What to tell; `attention` is anything else that waits for a person.',
  ),
  'notify.channels[].secret': optional(
    signingSecret,
    'Signs each message of a `webhook` channel by the Standard Webhooks rules.',
    fromEnv('NOTIFY_SECRET'),
  ),

  intake: section('Limits for what comes in.'),
  'intake.max_body': key(bytes(1024, 16 * 1024 * 1024), '256KiB', 'Larger bodies are answered with 413.'),
  'intake.rate_per_minute': key(number(1, 1_000_000), '6000', 'More requests than this from one sender are answered with 429.'),
  'intake.tolerance': key(duration('1s', '1h'), '300s', 'How far the time in a signature may be from ours, either way.'),
  'intake.min_free': key(
    bytes(0, 1024 * 1024 * 1024 * 1024),
    '256MiB',
    'With less free space where the database is, callbacks are answered with 503, so that what was accepted can be finished. Never more than a tenth of that volume; 0 = never.',
  ),

  retention: section('How long what is over is kept; deleted at night, a little at a time.'),
  'retention.callbacks': key(
    duration('7d', '3650d'),
    '30d',
    'Callbacks as they came; longer than any sender keeps them for another try, so that a late repeat is still known.',
  ),
  'retention.incidents': key(
    duration('30d', '3650d'),
    '395d',
    'Incidents that are over, with their signals, holds and repairs; their history (who did what, when and why) stays.',
  ),
} as const satisfies Record<string, KeyRow<unknown> | SectionRow>;

export type Path = keyof typeof TABLE;
/** Paths that hold a value. */
export type Key = { [P in Path]: (typeof TABLE)[P] extends SectionRow ? never : P }[Path];
/** What a key's value becomes. */
export type ValueOf<K extends Key> = (typeof TABLE)[K] extends KeyRow<infer V> ? V : never;
