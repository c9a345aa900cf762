/**
 * Who may import whom. The table is that of the design, section "The layout"; a room that is not named here may be imported by nobody
 * but `app` and `main`. Run by `npm run check:rules`.
 */

/** The words of the core: types, closed lists and the sentences made from them. Everybody may read them; the rules beside them decide, and only the core and those who ask it may. */
const WORDS = '^src/core/(events|facts|hold|incident|intent|lifecycle|plan|policy|reason|signal|timeline)[.]ts$';
const CORE = '^src/core/';
const ERRORS = '^src/errors[.]ts$';
const CONFIG = '^src/config([.]ts$|/)';
const READ_MODELS = '^src/store/readModels[.]ts$';
const OPENAPI = '^openapi/';
/** The wiring: holds no rule, may import everything, is imported by nobody but itself. */
const WIRING = '^src/(app|main|announce|health|metrics)[.]ts$';

/** Room -> what it may import besides itself. */
const ROOMS = {
  core: { path: CORE, may: [ERRORS] },
  errors: { path: ERRORS, may: [] },
  config: { path: CONFIG, may: [ERRORS, WORDS] },
  store: { path: '^src/store/', may: [WORDS, ERRORS], types: [CORE] },
  airflow: { path: '^src/airflow/', may: [WORDS, ERRORS], types: [CONFIG] },
  notify: { path: '^src/notify/', may: [WORDS, ERRORS, '^src/airflow/http[.]ts$', '^src/config/logChannel[.]ts$'], types: [CONFIG] },
  intake: { path: '^src/intake/', may: [CORE, ERRORS, '^src/store/', '^src/airflow/', '^src/notify/', '^src/respond[.]ts$', OPENAPI], types: [CONFIG, '^src/world[.]ts$'] },
  effects: { path: '^src/effects/', may: [CORE, ERRORS, '^src/store/', '^src/airflow/', '^src/notify/', '^src/respond[.]ts$'], types: [CONFIG] },
  respond: { path: '^src/respond[.]ts$', may: [CORE, ERRORS, '^src/store/'] },
  world: { path: '^src/world[.]ts$', may: [CORE, ERRORS], types: ['^src/airflow/client[.]ts$'] },
  http: { path: '^src/http/', may: [WORDS, ERRORS, '^src/respond[.]ts$', '^src/intake/callback[.]ts$', READ_MODELS, '^src/web/', OPENAPI], types: [CONFIG, '^src/core/gate[.]ts$'] },
  web: { path: '^src/web/', may: [WORDS, ERRORS, READ_MODELS], types: [CONFIG, '^src/http/deps[.]ts$'] },
  // The error class is part of the client's contract, so it is more than a type.
  commands: { path: '^src/commands/', may: [ERRORS, CONFIG, '^src/airflow/client[.]ts$'], types: [WORDS] },
  demo: { path: '^src/demo/', may: [ERRORS, CONFIG], types: [WORDS, '^src/airflow/client[.]ts$'] },
};

const roomRules = Object.entries(ROOMS).flatMap(([name, { path, may, types = [] }]) => [
  {
    name: `${name}-room`,
    severity: 'error',
    comment: `${name} may import ${may.length === 0 ? 'nothing of ours' : may.join(' ')}${types.length === 0 ? '' : `, and types of ${types.join(' ')}`}`,
    from: { path },
    to: { path: '^(src|openapi|test|tools|bench)/', pathNot: [path, ...may, ...types] },
  },
  ...(types.length === 0
    ? []
    : [
        {
          name: `${name}-types-only`,
          severity: 'error',
          comment: `of ${types.join(' ')} ${name} may import types only`,
          from: { path },
          to: { path: types, pathNot: [path, ...may], dependencyTypesNot: ['type-only'] },
        },
      ]),
]);

/** A package that only one place may use -> the place. */
const PACKAGES = {
  axios: '^src/airflow/http[.]ts$',
  cockatiel: '^src/airflow/',
  'better-sqlite3': '^src/store/',
  kysely: '^src/store/',
  express: '^src/http/',
  'express-openapi-validator': '^src/http/',
  'express-rate-limit': '^src/http/',
  helmet: '^src/http/',
  yaml: '^src/(config/|http/validate[.]ts$)',
  standardwebhooks: '^src/notify/',
  eta: '^src/web/',
  '@dagrejs/dagre': '^src/web/',
  croner: '^src/airflow/v1/schedule[.]ts$',
  'node-cron': '^src/(app[.]ts$|intake/)',
  'prom-client': '^src/(metrics|app)[.]ts$',
  pino: '^src/(main|app)[.]ts$',
};

const packageRules = Object.entries(PACKAGES).map(([name, place]) => ({
  name: `${name.replace(/\W+/g, '-').replace(/^-/, '')}-in-its-place`,
  severity: 'error',
  comment: `${name} is used in ${place} and nowhere else`,
  from: { path: '^src/', pathNot: place },
  // Types count too: a room that knows a package's types knows the package.
  to: { path: `(^|/)node_modules/(@types/)?${name}/` },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    ...packageRules,
    {
      name: 'core-is-pure',
      severity: 'error',
      comment: 'the core has no clock, no chance and no I/O; the one built-in is the hash of the plan, which is a pure function',
      from: { path: CORE, pathNot: '^src/core/approval[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'approval-only-hashes',
      severity: 'error',
      comment: 'the digest of a plan needs SHA-256 and nothing else of the platform',
      from: { path: '^src/core/approval[.]ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'core-uses-no-package',
      severity: 'error',
      comment: 'a package in the core is a decision; write it down and name it here',
      from: { path: CORE },
      to: { path: 'node_modules/', pathNot: 'node_modules/canonicalize/' },
    },
    {
      name: 'wiring-is-imported-by-nobody',
      severity: 'error',
      comment: 'app and main hold everything together; whoever needs something of them is given it',
      from: { path: '^src/', pathNot: WIRING },
      to: { path: WIRING },
    },
    {
      name: 'program-without-tests',
      severity: 'error',
      comment: 'tests, tools and benchmarks are not part of what is installed',
      from: { path: '^src/' },
      to: { path: '^(test|tools|bench)/' },
    },
    {
      name: 'every-room-has-a-rule',
      severity: 'error',
      comment: 'a new folder or file below src needs its line in the table above',
      from: { path: '^src/', pathNot: [WIRING, ...Object.values(ROOMS).map((room) => room.path)] },
      to: {},
    },
    { name: 'no-circle', severity: 'error', comment: 'a circle of values; types may refer to each other', from: { path: '^src/' }, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'no-development-package',
      severity: 'error',
      comment: 'it is not there after npm ci --omit=dev',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    { name: 'can-be-resolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'], extensions: ['.ts', '.js', '.json', '.d.ts'] },
  },
};
