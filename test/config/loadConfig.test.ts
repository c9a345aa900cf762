// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are what is tested here
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TABLE } from '../../src/config/table.ts';
import { configMarkdown, configTemplate } from '../../src/config/template.ts';
import { ConfigError, loadConfig, parseConfig, Secret } from '../../src/config.ts';

const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const ENV = {
  AIRFLOW_PASSWORD: 'pa55 w0rd!',
  CALLBACK: KEY,
  ALICE_TOKEN: 'fd_alice_0123456789abcdef',
  HOOK: 'https://hooks.example.com/services/T0/B0/xyzzy',
};
const AIRFLOW = `airflows:
  - id: prod
    url: http://localhost:8080/
    auth: { username: firedamper, password: "\${env:AIRFLOW_PASSWORD}" }
`;

const parse = (text: string, env: Record<string, string | undefined> = ENV) =>
  parseConfig(text, { file: 'firedamper.yaml', folder: '/srv/fd', env });

/** The problems, one line each, without the name of the file. */
function problems(text: string, env: Record<string, string | undefined> = ENV): string[] {
  try {
    parse(text, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toBe(error.problems.join('\n'));
    return error.problems.map((line) => line.replace(/^firedamper\.yaml:/, ''));
  }
  return [];
}

describe('a good file', () => {
  test('the smallest one gets every default', () => {
    const config = parse(AIRFLOW);
    expect(config.server).toEqual({ host: '127.0.0.1', port: 8470, publicUrl: 'http://localhost:8470' });
    expect(config.database).toBe('/srv/fd/firedamper.db');
    expect(config.airflows[0]).toMatchObject({
      id: 'prod',
      url: 'http://localhost:8080',
      callbackSecrets: [],
      pollIntervalMs: 10_000,
      pollLookbackMs: 0,
      surveyIntervalMs: 60_000,
      timeoutMs: 20_000,
      pauseConcurrency: 4,
      sessionLogin: true,
    });
    expect(config.policy).toEqual({
      mode: 'armed',
      watch: { dags: ['*'], ignoreDags: [], ignoreTags: [], ignoreRunTypes: [], importErrors: true },
      hold: {
        at: 'task_failure',
        maxDags: 50,
        maxDepth: 20,
        maxShare: 0.5,
        protectedDags: [],
        pauseFailingDag: false,
        reviewAfterMs: 86_400_000,
      },
      platform: { massFailureDags: 20, windowMs: 60_000 },
      release: { mode: 'automatic', withoutAuditLog: 'ask', missedIntervals: 'as_airflow' },
      repair: {
        approvalExpiresMs: 1_800_000,
        allowSelfApproval: false,
        maxActiveRuns: 3,
        latestHeals: false,
        stuckAfterMs: 21_600_000,
      },
      verify: { requirePerson: false },
      monitor: { reopenWithinMs: 86_400_000, settleWithinMs: 1_800_000 },
      notify: { giveUpAfterMs: 86_400_000 },
      channels: [{ id: 'log', events: ['opened', 'held', 'approval', 'failed', 'resolved', 'attention'] }],
      severity: { p1Tags: ['tier:1'], defaultSeverity: 'P2', p1Severity: 'P1' },
    });
    expect(config.intake).toEqual({
      maxBodyBytes: 262_144,
      ratePerMinute: 6000,
      toleranceMs: 300_000,
      minFreeBytes: 268_435_456,
    });
    expect(config.retention).toEqual({ callbacksMs: 30 * 86_400_000, incidentsMs: 395 * 86_400_000 });
  });

  test('every part of it is read', () => {
    const config = parse(`
server: { listen: "[::1]:9000", public_url: "https://fd.example.com/damper/" }
database: data/fd.db
log_level: debug
airflows:
  - id: prod
    url: https://af.example.com/prefix
    auth: { token: "\${env:AIRFLOW_PASSWORD}" }
    callback_secrets: ["\${env:CALLBACK}"]
    poll_interval: 2500ms
    poll_lookback: 2d
access: { tokens: [{ name: alice, role: approver, secret: "\${env:ALICE_TOKEN}" }] }
policy:
  mode: shadow
  hold: { protected: ["billing_*"], max_share: 1 }
lineage:
  edges: [{ from: "prod/orders_etl", to: "prod/über.bericht", note: "reads the orders table" }, { from: prod/a, to: prod/b }]
notify:
  channels:
    - { id: chat, kind: slack, url: "\${env:HOOK}", events: [opened, approval] }
    - { id: hook, kind: webhook, url: "\${env:HOOK}", secret: "\${env:CALLBACK}" }
intake: { max_body: 1MiB }
`);
    expect(config.server).toEqual({ host: '::1', port: 9000, publicUrl: 'https://fd.example.com/damper' });
    expect(config.database).toBe('/srv/fd/data/fd.db');
    const [airflow] = config.airflows;
    expect(airflow).toMatchObject({ url: 'https://af.example.com/prefix', pollIntervalMs: 2500, pollLookbackMs: 172_800_000 });
    expect(airflow?.auth.kind === 'token' && airflow.auth.token.reveal()).toBe(ENV.AIRFLOW_PASSWORD);
    expect(airflow?.callbackSecrets.map((s) => s.reveal())).toEqual([KEY]);
    expect(config.tokens.map((t) => [t.name, t.role, t.secret.reveal()])).toEqual([['alice', 'approver', ENV.ALICE_TOKEN]]);
    expect(config.edges).toEqual([
      {
        from: { airflow: 'prod', dagId: 'orders_etl' },
        to: { airflow: 'prod', dagId: 'über.bericht' },
        kind: 'config',
        via: 'reads the orders table',
        fromTasks: null,
        waits: null,
        source: 'config',
      },
      expect.objectContaining({ via: 'declared in the configuration' }),
    ]);
    expect(config.channels.map((c) => [c.id, c.kind, c.url.reveal(), c.events.length, c.secret?.reveal() ?? null])).toEqual([
      ['chat', 'slack', ENV.HOOK, 2, null],
      ['hook', 'webhook', ENV.HOOK, 6, KEY],
    ]);
    expect(config.policy.channels.slice(1)).toEqual([
      { id: 'chat', events: ['opened', 'approval'] },
      { id: 'hook', events: ['opened', 'held', 'approval', 'failed', 'resolved', 'attention'] },
    ]);
    expect(config.policy.hold).toMatchObject({ protectedDags: ['billing_*'], maxShare: 1 });
    expect(config.intake.maxBodyBytes).toBe(1_048_576);
  });

  test('an empty section, an anchor and an escaped placeholder are fine', () => {
    const config = parse(`${AIRFLOW.replace('"${env:AIRFLOW_PASSWORD}"', () => "'a$${b}c'")}policy:\nlineage:\n  edges:\n`);
    expect(config.airflows[0]?.auth.kind === 'password' && config.airflows[0].auth.password.reveal()).toBe('a${b}c');
    const shared = parse(
      'airflows:\n  - &a { id: x, url: "http://a", auth: &auth { username: u, password: p } }\n  - { id: y, url: "http://b", auth: *auth }\n',
    );
    expect(shared.airflows.map((a) => a.auth.kind === 'password' && a.auth.username)).toEqual(['u', 'u']);
  });

  test('the port of public_url follows listen, and numbers and switches may come from the environment', () => {
    const config = parse(
      `${AIRFLOW}server: { listen: "0.0.0.0:9999" }\npolicy: { hold: { max_dags: "\${env:MAX}", pause_failing_dag: "\${env:ON}" } }\n`,
      {
        ...ENV,
        MAX: '7',
        ON: 'true',
      },
    );
    expect(config.server.publicUrl).toBe('http://localhost:9999');
    expect(config.policy.hold).toMatchObject({ maxDags: 7, pauseFailingDag: true });
  });
});

describe('a bad file says where, what and what to do', () => {
  test.each([
    [
      'unknown key',
      `${AIRFLOW}policy:\n  hold:\n    max_dag: 5\n`,
      '7:5 policy.hold.max_dag: unknown key; did you mean max_dags?',
    ],
    [
      'camel case',
      `${AIRFLOW}policy: { hold: { maxDags: 5 } }\n`,
      '5:19 policy.hold.maxDags: unknown key; did you mean max_dags?',
    ],
    ['key in the wrong section', `${AIRFLOW}max_dags: 5\n`, '5:1 max_dags: unknown key; did you mean policy.hold.max_dags?'],
    [
      'key near nothing',
      `${AIRFLOW}zzzzzzzz: 1\n`,
      '5:1 zzzzzzzz: unknown key; known here: env_file, database, log_level, server, airflows, access, policy, lineage, notify, intake, retention',
    ],
    [
      'wrong type',
      `${AIRFLOW}policy: { hold: { max_dags: many } }\n`,
      "5:29 policy.hold.max_dags: must be a whole number 0 to 10000, not 'many'",
    ],
    [
      'quoted number',
      `${AIRFLOW}policy: { hold: { max_dags: "5" } }\n`,
      "5:29 policy.hold.max_dags: must be a whole number 0 to 10000, not '5'; without quotes",
    ],
    [
      'fraction',
      `${AIRFLOW}policy: { hold: { max_dags: 5.5 } }\n`,
      '5:29 policy.hold.max_dags: must be a whole number 0 to 10000, not 5.5',
    ],
    [
      'out of bounds',
      `${AIRFLOW}policy: { hold: { max_share: 1.5 } }\n`,
      '5:30 policy.hold.max_share: must be a number 0 to 1, not 1.5',
    ],
    [
      'yes is text in YAML 1.2',
      `${AIRFLOW}policy: { verify: { require_person: yes } }\n`,
      "5:37 policy.verify.require_person: must be true or false, not 'yes'; without quotes",
    ],
    [
      'section that is a value',
      `${AIRFLOW}server: 8470\n`,
      '5:9 server: must be a section with keys, not a single value; it has the keys listen, public_url',
    ],
    [
      'value that is a section',
      `${AIRFLOW}database: { path: x }\n`,
      '5:11 database: must be a path, not a section with keys; put text that begins with { in quotes',
    ],
    [
      'value for a list',
      `${AIRFLOW}policy: { hold: { protected: billing } }\n`,
      '5:30 policy.hold.protected: must be a list of text with `*` and `?`, not a single value; put it in brackets: [ ... ]',
    ],
    [
      'list for a section',
      `${AIRFLOW}policy: [armed]\n`,
      '5:9 policy: must be a section with keys, not a list; it has the keys mode, watch, hold, platform, release, repair, verify, monitor, severity',
    ],
    [
      'key without value',
      `${AIRFLOW}database:\n`,
      '5:10 database: has no value; give it one, or remove the line for the default',
    ],
    [
      'enum',
      `${AIRFLOW}policy: { mode: Shadow }\n`,
      "5:17 policy.mode: must be one of armed, shadow, not 'Shadow'; did you mean shadow?",
    ],
    [
      'duration without unit',
      AIRFLOW.replace('prod\n', 'prod\n    poll_interval: 10\n'),
      '3:20 airflows[0].poll_interval: must be a duration, not 10; did you mean 10s?',
    ],
    [
      'bad duration',
      AIRFLOW.replace('prod\n', 'prod\n    poll_interval: 10 sec\n'),
      "3:20 airflows[0].poll_interval: must be a duration, not '10 sec'; write a number with ms, s, m, h or d, such as 10s",
    ],
    [
      'too short a duration',
      AIRFLOW.replace('prod\n', 'prod\n    poll_interval: 10ms\n'),
      "3:20 airflows[0].poll_interval: must be between 1s and 1h, not '10ms'",
    ],
    [
      'bad size',
      `${AIRFLOW}intake: { max_body: 1GB }\n`,
      "5:21 intake.max_body: must be a size, not '1GB'; write bytes, or a number with KiB or MiB, such as 256KiB",
    ],
    [
      'bad listen',
      `${AIRFLOW}server: { listen: "localhost" }\n`,
      '5:19 server.listen: must be host:port, not \'localhost\'; such as 127.0.0.1:8470, 0.0.0.0:8470 or "[::1]:8470"',
    ],
    [
      'port too large',
      `${AIRFLOW}server: { listen: "a:70000" }\n`,
      '5:19 server.listen: must be host:port, not \'a:70000\'; such as 127.0.0.1:8470, 0.0.0.0:8470 or "[::1]:8470"',
    ],
    [
      'id with a slash',
      AIRFLOW.replace('prod', 'pr/od'),
      "2:9 airflows[0].id: 'pr/od' cannot be an id; letters, digits, dots, _ and -, at most 64, beginning with a letter or digit",
    ],
    [
      'id that climbs',
      AIRFLOW.replace('prod', '..'),
      "2:9 airflows[0].id: '..' cannot be an id; letters, digits, dots, _ and -, at most 64, beginning with a letter or digit",
    ],
    ['id that is a number', AIRFLOW.replace('prod', '7'), '2:9 airflows[0].id: must be an id, not 7; put it in quotes'],
    [
      'unknown role',
      `${AIRFLOW}access: { tokens: [{ name: bob, role: aprover, secret: "\${env:ALICE_TOKEN}" }] }\n`,
      "5:39 access.tokens[0].role: must be one of viewer, responder, approver, admin, not 'aprover'; did you mean approver?",
    ],
    [
      'unknown event',
      `${AIRFLOW}notify: { channels: [{ id: c, kind: slack, url: "\${env:HOOK}", events: [open] }] }\n`,
      "5:73 notify.channels[0].events[0]: must be one of opened, held, approval, failed, resolved, attention, not 'open'; did you mean opened?",
    ],
    ['no airflow', 'airflows: []\n', '1:11 airflows: at least 1 is needed; firedamper init writes an example'],
    [
      'missing required key',
      'airflows:\n  - id: prod\n    auth: { token: x }\n',
      '2:5 airflows[0].url: is missing; such as url: http://localhost:8080',
    ],
    [
      'missing auth',
      'airflows:\n  - id: prod\n    url: http://a\n',
      '2:5 airflows[0].auth: is missing; such as auth: { username: firedamper, password: "${env:AIRFLOW_PASSWORD}" }',
    ],
    [
      'half an auth',
      'airflows:\n  - id: prod\n    url: http://a\n    auth: { username: x }\n',
      '2:5 airflows[0].auth: password is missing',
    ],
    [
      'two kinds of auth',
      'airflows:\n  - id: prod\n    url: http://a\n    auth: { username: x, password: y, token: z }\n',
      '2:5 airflows[0].auth: has both a token and a username or password; keep one of the two',
    ],
    [
      'duplicate airflow',
      `${AIRFLOW}  - { id: prod, url: "http://b", auth: { token: t } }\n`,
      "5:11 airflows[1].id: 'prod' is taken; line 2 has it too",
    ],
    [
      'edge to an unknown airflow',
      `${AIRFLOW}lineage: { edges: [{ from: prod/a, to: prd/b }] }\n`,
      "5:40 lineage.edges[0].to: no Airflow has the id 'prd'; did you mean prod?",
    ],
    [
      'edge without airflow',
      `${AIRFLOW}lineage: { edges: [{ from: orders, to: prod/b }] }\n`,
      "5:28 lineage.edges[0].from: must be airflow/dag_id, not 'orders'; such as prod/orders_etl",
    ],
    [
      'edge to no DAG id',
      `${AIRFLOW}lineage: { edges: [{ from: prod/a/../b, to: prod/b }] }\n`,
      "5:28 lineage.edges[0].from: 'prod/a/../b': Airflow allows no such DAG id; letters, digits, _, - and .",
    ],
    [
      'edge to itself',
      `${AIRFLOW}lineage: { edges: [{ from: prod/a, to: prod/a }] }\n`,
      '5:40 lineage.edges[0].to: a DAG cannot be downstream of itself',
    ],
    [
      'edge twice',
      `${AIRFLOW}lineage: { edges: [{ from: prod/a, to: prod/b }, { from: prod/a, to: prod/b }] }\n`,
      '5:70 lineage.edges[1].to: prod/a -> prod/b stands here twice',
    ],
    [
      'slack with a signature',
      `${AIRFLOW}notify: { channels: [{ id: c, kind: slack, url: "\${env:HOOK}", secret: "\${env:CALLBACK}" }] }\n`,
      '5:72 notify.channels[0].secret: a slack channel has no signature; remove it, or use kind: webhook',
    ],
    [
      'three callback secrets',
      AIRFLOW.replace('prod\n', 'prod\n    callback_secrets: ["${env:CALLBACK}", "${env:CALLBACK}", "${env:CALLBACK}"]\n'),
      '3:23 airflows[0].callback_secrets: at most 2 entries',
    ],
    ['key twice', `${AIRFLOW}database: a\ndatabase: b\n`, '6:1: this key stands here twice'],
    ['tab', `${AIRFLOW}server:\n\tlisten: x\n`, '6:1: a tab is used for indentation; YAML allows spaces only'],
    ['two documents', `${AIRFLOW}---\na: 1\n`, '5:1: the file holds more than one document (a line with ---)'],
    [
      'whole file is text',
      'hello\n',
      '1:1: must be a list of keys with their values; it has the keys env_file, database, log_level, server, airflows, access, policy, lineage, notify, intake, retention',
    ],
  ])('%s', (_, text, line) => {
    expect(problems(text)).toEqual([line]);
  });

  test('credentials in the address are refused without showing them', () => {
    const [line, ...more] = problems(AIRFLOW.replace('http://localhost:8080/', 'http://root:hunter2@localhost:8080'));
    expect(line).toBe('3:10 airflows[0].url: must not hold credentials; they would end up in logs; put them under auth');
    expect(more).toEqual([]);
  });

  test('an empty file names what is missing', () => {
    expect(problems('')).toEqual(['firedamper.yaml airflows: at least 1 is needed; firedamper init writes an example']);
  });

  test('all problems at once, in the order of the file', () => {
    const lines = problems(
      `databse: x\n${AIRFLOW.replace('prod', 'a/b')}policy: { mode: x, hold: { at: y } }\nlineage: { edges: [{ from: q/a, to: r/b }] }\n`,
    );
    expect(lines.map((l) => l.split(': ')[0])).toEqual([
      '1:1 databse',
      '3:9 airflows[0].id',
      '6:17 policy.mode',
      '6:32 policy.hold.at',
      '7:28 lineage.edges[0].from',
      '7:37 lineage.edges[0].to',
    ]);
  });

  test('one line per problem, whatever stands in the file', () => {
    const [line, ...more] = problems(`${AIRFLOW}"a\\nb\\e[31m": 1\n`);
    expect(line).toMatch(/^5:1 a\?b\?\[31m: unknown key/);
    expect(more).toEqual([]);
  });
});

describe('secrets', () => {
  const secretYaml = (value: string) => AIRFLOW.replace('"${env:AIRFLOW_PASSWORD}"', () => value);

  test.each([
    [
      'not set',
      '"${env:NOPE}"',
      '4:45 airflows[0].auth.password: the environment variable NOPE is not set; set it, or name it in the file given as env_file',
    ],
    ['empty', '"${env:EMPTY}"', '4:45 airflows[0].auth.password: the environment variable EMPTY is empty'],
    [
      'no scheme',
      '"${AIRFLOW_PASSWORD}"',
      '4:45 airflows[0].auth.password: ${AIRFLOW_PASSWORD} is not a placeholder; write ${env:AIRFLOW_PASSWORD}',
    ],
    [
      'unknown scheme',
      '"${vault:x}"',
      '4:45 airflows[0].auth.password: ${vault:x} is not a placeholder; write ${env:NAME} or ${file:PATH}, and $${ for a literal ${',
    ],
    ['no such file', '"${file:nope.txt}"', '4:45 airflows[0].auth.password: the file nope.txt does not exist'],
    [
      'without quotes in braces',
      '${env:X}',
      '4:46: something does not belong here; text with { } [ ] : # or , in it needs quotes',
    ],
  ])('%s', (_, value, line) => {
    expect(problems(secretYaml(value), { ...ENV, EMPTY: ' ' })).toEqual([line]);
  });

  test('never stand in a message, whatever is wrong with them', () => {
    const hidden = 'hunter2-is-hidden';
    const bad = [
      secretYaml(`{ ${hidden}: 1 }`).replace(`{ ${hidden}: 1 }`, `[${hidden}]`),
      `${AIRFLOW}access: { tokens: [{ name: a, role: admin, secret: "hunter2" }] }\n`,
      `${AIRFLOW}access: { tokens: [{ name: a, role: admin, secret: "${hidden}" }, { name: b, role: admin, secret: "${hidden}" }] }\n`,
      AIRFLOW.replace('prod\n', `prod\n    callback_secrets: ["${hidden}"]\n`),
      `${AIRFLOW}notify: { channels: [{ id: c, kind: slack, url: "${hidden}" }] }\n`,
      secretYaml(`*${hidden}`),
      secretYaml(`!${hidden} x`),
      secretYaml(`"${hidden}`),
      secretYaml(`"${hidden}\\q"`),
    ];
    for (const text of bad) {
      const lines = problems(text);
      expect(lines.length, text).toBeGreaterThan(0);
      expect(lines.join('\n')).not.toContain('hunter2');
    }
  });

  test('a value from outside is never shown, also where the key is no secret', () => {
    const lines = problems(
      `${AIRFLOW}policy: { mode: "\${env:MODE}", hold: { max_dags: "\${env:MODE}" } }\ndatabase: "\${env:PATH_}"\n`,
      { ...ENV, MODE: 'hunter2', PATH_: 'hunter2\n' },
    );
    expect(lines).toHaveLength(3);
    expect(lines.join('\n')).not.toContain('hunter2');
  });

  test('printing a configuration shows none', () => {
    const config = parse(
      `${AIRFLOW}access: { tokens: [{ name: a, role: admin, secret: "\${env:ALICE_TOKEN}" }] }\nnotify: { channels: [{ id: c, kind: slack, url: "\${env:HOOK}" }] }\n`,
    );
    for (const printed of [
      inspect(config, { depth: 9, showHidden: true }),
      JSON.stringify(config),
      `${config.tokens[0]?.secret}`,
    ]) {
      for (const secret of Object.values(ENV)) expect(printed).not.toContain(secret);
      expect(printed).toContain('***');
    }
    expect(new Secret('x').reveal()).toBe('x');
  });
});

describe('files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fd-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const problemOf = (path: string | undefined, env = {}) => {
    try {
      loadConfig(path, env);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('relative paths start at the folder of the file; line breaks at the end of a secret file are no part of it', () => {
    write('password.txt', 's3cret\n');
    const config = loadConfig(write('fd.yaml', AIRFLOW.replace('${env:AIRFLOW_PASSWORD}', '${file:password.txt}')), {});
    expect(config.airflows[0]?.auth.kind === 'password' && config.airflows[0].auth.password.reveal()).toBe('s3cret');
    expect(config.database).toBe(join(folder, 'firedamper.db'));
  });

  test('env_file gives what the environment does not', () => {
    write('fd.env', '# made by init\nAIRFLOW_PASSWORD=from-file\nEXTRA="two words"\n');
    const path = write('fd.yaml', `env_file: ./fd.env\n${AIRFLOW.replace('firedamper, p', '"${env:EXTRA}", p')}`);
    const auth = (env: Record<string, string | undefined>) => {
      const found = loadConfig(path, env).airflows[0]?.auth;
      return found?.kind === 'password' ? [found.username, found.password.reveal()] : [];
    };
    expect(auth({ AIRFLOW_PASSWORD: undefined })).toEqual(['two words', 'from-file']);
    expect(auth({ AIRFLOW_PASSWORD: 'from-env' })).toEqual(['two words', 'from-env']);
  });

  test('what cannot be read is named', () => {
    expect(problemOf(join(folder, 'nope.yaml'))).toBe(`${join(folder, 'nope.yaml')}: does not exist; firedamper init writes one`);
    expect(problemOf(folder)).toBe(`${folder}: is a folder; firedamper init writes one`);
    const path = write('fd.yaml', `env_file: gone.env\n${AIRFLOW}`);
    expect(problemOf(path, ENV)).toBe(`${path}:1:11 env_file: the file gone.env does not exist; firedamper init writes one`);
    // Root may read everything, so the mode of a file proves nothing there.
    if (process.getuid?.() !== 0) {
      chmodSync(path, 0o000);
      expect(problemOf(path)).toContain('permission denied');
    }
  });

  test('without a path it is firedamper.yaml here', () => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      expect(problemOf(undefined)).toBe('firedamper.yaml: does not exist; firedamper init writes one, --config names another');
      write('firedamper.yaml', AIRFLOW);
      expect(loadConfig(undefined, ENV).airflows).toHaveLength(1);
    } finally {
      process.chdir(before);
    }
  });
});

describe('the table', () => {
  const live = {
    values: {},
    lists: {
      'airflows[]': [
        {
          'airflows[].id': 'prod',
          'airflows[].url': 'http://localhost:8080',
          'airflows[].auth.username': 'u',
          'airflows[].auth.password': 'p',
        },
      ],
    },
  } as const;
  const env = { NOTIFY_URL: 'http://localhost/x', NOTIFY_SECRET: KEY, ALICE_TOKEN: ENV.ALICE_TOKEN };
  /** What a person does who removes the marks: every `#key` becomes `key`. */
  const uncommented = (template: string) =>
    template
      .split('\n')
      .filter((line) => !/#(token|env_file):/.test(line))
      .map((line) => line.replace(/^(\s*)#(?=\S|\s{2}\w+:)/, '$1'))
      .join('\n');

  test('the template is valid as it is, and gives the defaults', () => {
    const fromTemplate = parse(configTemplate(live), env);
    const minimal = parse('airflows: [{ id: prod, url: "http://localhost:8080", auth: { username: u, password: p } }]\n', env);
    expect(fromTemplate).toEqual(minimal);
  });

  test('with every mark removed it is valid too, and what it shows as defaults are the defaults', () => {
    const text = uncommented(configTemplate(live));
    expect(text).not.toMatch(/^\s*#\w/m);
    const all = parse(text, env);
    const minimal = parse('airflows: [{ id: prod, url: "http://localhost:8080", auth: { username: u, password: p } }]\n', env);
    expect({ ...all.policy, channels: all.policy.channels.slice(0, 1) }).toEqual(minimal.policy);
    expect(all.airflows).toEqual(minimal.airflows);
    expect(all.server).toEqual(minimal.server);
    expect(all.intake).toEqual(minimal.intake);
    expect([all.database, all.logLevel]).toEqual([minimal.database, minimal.logLevel]);
    expect([all.tokens.length, all.edges.length, all.channels.length]).toEqual([1, 1, 1]);
  });

  test('the README table has one row per key, each with a sentence', () => {
    const rows = configMarkdown().split('\n').slice(2);
    expect(rows).toHaveLength(Object.keys(TABLE).length);
    for (const row of rows) expect(row).toMatch(/^\| \**`[\w.[\]]+`\** \| .*\| [^|]*[A-Z`][^|]*[.] \|$/);
  });
});
