/**
 * Compares openapi/airflow-v1.yaml and airflow-v2.yaml with the specification files inside the installed Airflow packages: whatever we
 * describe must exist there, with a type that we understand.
 *
 *   node tools/checkAirflowSpecs.ts [--v1 SITE_PACKAGES] [--v2 SITE_PACKAGES]
 *
 * Without arguments the installations in .firedamper/ are used. Prints every difference; exit 0 none, 1 some, 2 files missing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { type Json, type Operation, operationOf, type Shape } from './specShape.ts';

interface Comparison {
  readonly ours: string;
  readonly theirs: readonly string[];
  /** Their file says of every answer's field whether it always comes. v1's says it nowhere. */
  readonly saysRequired: boolean;
  /** Where their file itself is wrong, or silent on purpose: what was seen instead, and on which version. */
  readonly known: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..');

const v1: Comparison = {
  ours: 'openapi/airflow-v1.yaml',
  theirs: ['airflow/api_connexion/openapi/v1.yaml'],
  saysRequired: false,
  known: {
    'GET /dags/{dag_id}/datasets/queuedEvent answer.queued_events':
      'their file says "datasets"; the answer has "queued_events" (seen on 2.9.3, 2.11.2)',
    'GET /datasets/events answer.dataset_events[].id': 'not in their file, in every answer (2.11.2)',
    'GET /datasets/events answer.dataset_events[].created_dagruns[].dag_run_id':
      'their file says "run_id"; the answer has "dag_run_id" (2.11.2)',
    'POST /datasets/events answer.id': 'as above',
    'POST /datasets/events answer.created_dagruns[].dag_run_id': 'as above',
  },
};

const v2: Comparison = {
  ours: 'openapi/airflow-v2.yaml',
  theirs: [
    'airflow/api_fastapi/core_api/openapi/v2-rest-api-generated.yaml',
    'airflow/api_fastapi/core_api/openapi/_private_ui.yaml',
    'airflow/api_fastapi/auth/managers/simple/openapi/v2-simple-auth-manager-generated.yaml',
  ],
  saysRequired: true,
  known: {
    'PATCH /api/v2/dags/{dag_id} query fd_op':
      'ours: unknown query parameters are ignored and copied into the audit row (3.0.6-3.3.2)',
    'GET /api/v2/assets answer.assets[].consuming_dags': '3.0 only; renamed scheduled_dags in 3.1 (seen on 3.0.6)',
  },
};

const compareAll = (comparison: Comparison, sitePackages: string): readonly string[] => {
  const ours = parse(readFileSync(join(root, comparison.ours), 'utf8')) as Json;
  const theirs = comparison.theirs.map((file) => parse(readFileSync(join(sitePackages, file), 'utf8')) as Json);
  const found = Object.entries(ours.paths as Record<string, Json>).flatMap(([path, item]) =>
    Object.keys(item).flatMap((method) => {
      const mine = operationOf(ours, path, method);
      const other = theirs.map((doc) => operationOf(doc, path, method)).find((one) => one !== null);
      const name = `${method.toUpperCase()} ${path}`;
      if (mine === null) return [];
      return other === undefined || other === null
        ? [`${name}: not in their file`]
        : compareOperation(name, mine, other, comparison.saysRequired);
    }),
  );
  const unused = Object.keys(comparison.known).filter((key) => !found.some((line) => line.startsWith(`${key}:`)));
  return [
    ...found.filter((line) => !Object.keys(comparison.known).some((key) => line.startsWith(`${key}:`))),
    ...unused.map((key) => `${key}: listed as a known difference, but there is none any more`),
  ];
};

const compareOperation = (name: string, mine: Operation, other: Operation, saysRequired: boolean): readonly string[] => [
  ...[...mine.parameters].flatMap(([parameter, shape]) => {
    const real = other.parameters.get(parameter);
    return real === undefined ? [`${name} ${parameter}: no such parameter`] : compareSent(`${name} ${parameter}`, shape, real);
  }),
  ...(mine.body === null
    ? []
    : other.body === null
      ? [`${name} body: their file has none`]
      : compareSent(`${name} body`, mine.body, other.body)),
  ...(mine.answer === null
    ? []
    : other.answer === null
      ? [`${name} answer: their file has none`]
      : compareGot(`${name} answer`, mine.answer, other.answer, saysRequired)),
];

const scalar = (types: ReadonlySet<string>): Set<string> =>
  new Set([...types].map((type) => (type === 'integer' ? 'number' : type)));

/** What we send: every type that we may send must be taken, every field must exist, and what they demand we must always send. */
const compareSent = (at: string, mine: Shape, real: Shape): readonly string[] => {
  const taken = scalar(real.types);
  const refused = [...scalar(mine.types)].filter(
    (type) =>
      type !== 'null' && taken.size > 0 && !taken.has(type) && !(type === 'array' && mine.items !== null && taken.has('string')),
  );
  return [
    ...(refused.length > 0 ? [`${at}: we send ${refused.join(', ')}, they take ${[...taken].join(', ')}`] : []),
    ...[...mine.fields].flatMap(([field, shape]) => {
      const other = real.fields.get(field);
      return other === undefined ? [`${at}.${field}: no such field`] : compareSent(`${at}.${field}`, shape, other);
    }),
    ...[...real.required]
      .filter((field) => mine.fields.size > 0 && !mine.required.has(field))
      .map((field) => `${at}.${field}: they demand it, we may leave it out`),
    ...(mine.values !== null && real.values !== null
      ? [...mine.values].filter((value) => !real.values?.has(value)).map((value) => `${at}: they do not take ${value}`)
      : []),
  ];
};

/** What we get: every type, null and value that may come must be one that we expect, and what we rely on must always come. */
const compareGot = (at: string, mine: Shape, real: Shape, saysRequired: boolean): readonly string[] => {
  const expected = scalar(mine.types);
  const surprising = [...scalar(real.types)].filter((type) => expected.size > 0 && !expected.has(type));
  const unlisted =
    mine.values === null || real.values === null
      ? []
      : [...real.values].filter((value) => value !== null && !mine.values?.has(value));
  return [
    ...(surprising.length > 0 ? [`${at}: may be ${surprising.join(', ')}, we expect ${[...expected].join(', ')}`] : []),
    ...unlisted.map((value) => `${at}: may be ${value}, which we do not list`),
    ...[...mine.fields].flatMap(([field, shape]) => {
      const other = real.fields.get(field);
      if (other === undefined) return [`${at}.${field}: no such field`];
      const missing = saysRequired && mine.required.has(field) && !real.required.has(field);
      return [
        ...(missing ? [`${at}.${field}: we rely on it, they may leave it out`] : []),
        ...compareGot(`${at}.${field}`, shape, other, saysRequired),
      ];
    }),
    ...(mine.items === null || real.items === null ? [] : compareGot(`${at}[]`, mine.items, real.items, saysRequired)),
  ];
};

/** The `site-packages` folder of the Airflow that this project installed, or null. */
const installed = (version: string): string | null => {
  const lib = join(root, '.firedamper', `airflow-${version}`, 'lib');
  const python = existsSync(lib) ? readdirSync(lib).find((name) => name.startsWith('python3')) : undefined;
  return python === undefined ? null : join(lib, python, 'site-packages');
};

const main = (): number => {
  const { values } = parseArgs({ options: { v1: { type: 'string' }, v2: { type: 'string' } } });
  const pairs = [
    { comparison: v1, folder: values.v1 ?? installed('2.11.2'), what: 'Airflow 2.11.2' },
    { comparison: v2, folder: values.v2 ?? installed('3.3.2'), what: 'Airflow 3.3.2' },
  ];
  let exit = 0;
  for (const { comparison, folder, what } of pairs) {
    if (folder === null || comparison.theirs.some((file) => !existsSync(join(folder, file)))) {
      console.error(`${what} is not installed here, so ${comparison.ours} cannot be checked`);
      exit = 2;
      continue;
    }
    const differences = compareAll(comparison, folder);
    for (const line of differences) console.log(`${comparison.ours}: ${line}`);
    console.log(
      `${comparison.ours}: ${differences.length === 0 ? `agrees with ${what}` : `${differences.length} differences from ${what}`}`,
    );
    if (differences.length > 0 && exit === 0) exit = 1;
  }
  return exit;
};

process.exitCode = main();
