import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { nearest } from '../config/problems.ts';
import { invalid } from '../errors.ts';

/** A command line, understood. */
export type Command =
  | { readonly name: 'serve'; readonly config: string | undefined }
  | { readonly name: 'check'; readonly config: string | undefined; readonly json: boolean; readonly roles: boolean }
  | {
      readonly name: 'init';
      readonly config: string | undefined;
      readonly force: boolean;
      readonly airflowId: string | undefined;
      readonly airflowUrl: string | undefined;
      readonly username: string | undefined;
    }
  | { readonly name: 'demo'; readonly yes: boolean; readonly root: string | undefined }
  | { readonly name: 'backup'; readonly config: string | undefined; readonly to: string | undefined }
  | {
      readonly name: 'restore';
      readonly config: string | undefined;
      readonly file: string | undefined;
      readonly differences: boolean;
      readonly confirm: boolean;
      readonly as: string | undefined;
      readonly reason: string | undefined;
    }
  | { readonly name: 'audit'; readonly config: string | undefined; readonly head: string | undefined }
  | { readonly name: 'version' }
  | { readonly name: 'help'; readonly text: string; readonly exitCode: 0 | 2 };

type Runnable = Exclude<Command['name'], 'help'>;
type Values = Readonly<Record<string, string | boolean | undefined>>;

interface Usage {
  readonly about: string;
  /** What `--help` adds below the options. */
  readonly more: string;
  /** Name of an option -> its sentence; `<...>` at the end of the name = it takes a value. */
  readonly options: Readonly<Record<string, string>>;
  /** What may be named without an option, as help shows it. */
  readonly operand?: string;
  readonly understand: (values: Values) => Command;
}

const CONFIG = { 'config <file>': 'configuration file (default: firedamper.yaml here)' } as const;
const word = (value: Values[string]): string | undefined => (typeof value === 'string' ? value : undefined);

const USAGES: Readonly<Record<Runnable, Usage>> = {
  serve: {
    about: 'run the service',
    more: 'Reads the configuration, listens, polls every Airflow and acts. Ends cleanly on SIGTERM and Ctrl-C.\nExit code: 0 after a clean end, 2 for a bad configuration (nothing is started then), 1 otherwise.',
    options: CONFIG,
    understand: (v) => ({ name: 'serve', config: word(v.config) }),
  },
  check: {
    about: 'ask every Airflow whether Firedamper can work with it; changes nothing',
    more: 'Prints version, health, clock, what the account may do, and what of the lineage cannot be read.\nExit code: 0 fine, 1 degraded, 2 unusable (also for a bad configuration).',
    options: {
      ...CONFIG,
      json: 'print JSON instead of text',
      roles: 'also print the commands that create an Airflow account with just the rights it needs',
    },
    understand: (v) => ({ name: 'check', config: word(v.config), json: v.json === true, roles: v.roles === true }),
  },
  init: {
    about: 'write a commented firedamper.yaml and a file with fresh secrets',
    more: 'The secrets go into firedamper.env beside it, readable for you only. Nothing that exists is overwritten without --force, and even then\nthe secrets that are already there are kept.',
    options: {
      'config <file>': 'file to write (default: firedamper.yaml here)',
      'airflow-id <id>': 'name of your Airflow (default: prod)',
      'airflow-url <url>': 'its address (default: http://localhost:8080)',
      'username <name>': 'account there (default: firedamper)',
      force: 'overwrite the configuration',
    },
    understand: (v) => ({
      name: 'init',
      config: word(v.config),
      force: v.force === true,
      airflowId: word(v['airflow-id']),
      airflowUrl: word(v['airflow-url']),
      username: word(v.username),
    }),
  },
  demo: {
    about: 'one whole story on a real Airflow that is installed into a folder and stopped again',
    more: 'A DAG fails, what reads it is held, you approve the repair, it runs, and everything goes on. Needs Python 3.10 or newer.\nThe first time about 350 MB are downloaded; afterwards nothing.',
    options: {
      yes: 'go through without asking',
      'root <folder>': 'where everything is installed (default: .firedamper of the project)',
    },
    understand: (v) => ({ name: 'demo', yes: v.yes === true, root: word(v.root) }),
  },
  backup: {
    about: 'copy the database while the service runs, and check the copy',
    more: 'The copy is one moment of the database, checked as a whole, on disk, and readable for its owner only. Nothing is overwritten.\nA service that is started on it, by whatever way it came there, first observes only: see restore.\nExit code: 0 the copy is there and whole, 1 it is not (nothing is left behind), 2 for a bad configuration.',
    options: { ...CONFIG, 'to <file>': 'where to (default: beside the database, with the time in its name)' },
    understand: (v) => ({ name: 'backup', config: word(v.config), to: word(v.to) }),
  },
  restore: {
    about: 'put a backup in the place of the database; show what differs since; let the service act again',
    more: 'restore <file> needs the service stopped. The database that was there is kept under another name. A restored database is older than\nAirflow: the service started on it accepts callbacks and polls, but changes nothing in Airflow until a person has looked at\n--differences and said --confirm. Both ask the running service, as a person of access.tokens; --confirm needs the role admin.\nExit code: 0 done, 1 not done (the database is what it was), 2 for a bad configuration or command line.',
    operand: '<file>',
    options: {
      ...CONFIG,
      differences: 'list what differs between the restored database and Airflow',
      confirm: 'let the service act again',
      'as <name>': 'who says so: a name of access.tokens (default: the first with the role)',
      'reason <text>': 'why, kept in the history; --confirm needs it',
    },
    understand: understandRestore,
  },
  audit: {
    about: 'check that nobody has changed the history (audit verify)',
    more: 'Every line of the history carries a hash over itself and the line before. A line that was changed, taken out or put elsewhere is named. Who can\nwrite the file can also make a whole new chain or cut its end: that shows against a head that was written down elsewhere. The service logs\nits head at every start and every night; --head compares with one of those.\nExit code: 0 whole, 1 changed or not to be read, 2 for a bad configuration or command line.',
    operand: 'verify',
    options: { ...CONFIG, 'head <id:hash>': 'a head that was written down earlier' },
    understand: (v) => {
      if (v.operand !== 'verify') throw invalid('audit: did you mean audit verify?');
      return { name: 'audit', config: word(v.config), head: word(v.head) };
    },
  },
  version: { about: 'print the version', more: '', options: {}, understand: () => ({ name: 'version' }) },
};

function understandRestore(v: Values): Command {
  const file = word(v.operand);
  const [differences, confirm] = [v.differences === true, v.confirm === true];
  if (Number(file !== undefined) + Number(differences) + Number(confirm) !== 1)
    throw invalid('restore: name one of <file>, --differences and --confirm; firedamper restore --help explains them');
  const reason = word(v.reason)?.trim();
  if (confirm && !reason) throw invalid('restore: --confirm needs --reason "..."');
  return { name: 'restore', config: word(v.config), file, differences, confirm, as: word(v.as), reason };
}

const names = Object.keys(USAGES) as Runnable[];

/** `argv` without program and script. Throws `invalid` with one clear line. */
export function parseCommandLine(argv: readonly string[]): Command {
  const [first, ...rest] = argv;
  if (first === undefined) return { name: 'help', text: overview(), exitCode: 2 };
  if (first === '--version' || first === '-v') return { name: 'version' };
  if (first === '--help' || first === '-h' || first === 'help') {
    const about = names.find((name) => name === rest[0]);
    return { name: 'help', text: about ? usageOf(about) : overview(), exitCode: 0 };
  }
  const name = names.find((known) => known === first);
  if (name === undefined) {
    const near = first.startsWith('-') ? null : nearest(first, names);
    throw invalid(`unknown command ${first}; ${near ? `did you mean ${near}?` : `commands are ${names.join(', ')}`}`);
  }
  const values = optionsOf(name, rest);
  return values.help === true ? { name: 'help', text: usageOf(name), exitCode: 0 } : USAGES[name].understand(values);
}

const bare = (option: string): string => option.split(' ')[0] ?? option;
const takesValue = (option: string): boolean => option.includes('<');

function optionsOf(name: Runnable, args: readonly string[]): Values {
  const known = Object.keys(USAGES[name].options);
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const option of known) options[bare(option)] = { type: takesValue(option) ? 'string' : 'boolean' };
  const { values, tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const operands = tokens.filter((token) => token.kind === 'positional').map((token) => token.value);
  for (const token of tokens) {
    if (token.kind === 'positional' && USAGES[name].operand !== undefined && operands.length === 1) continue;
    if (token.kind === 'positional')
      throw invalid(`${name}: unexpected ${token.value}; firedamper ${name} --help shows what it takes`);
    if (token.kind !== 'option') continue;
    const option = options[token.name];
    if (option === undefined) {
      const near = nearest(token.name, [...known.map(bare), 'help']);
      throw invalid(
        `${name}: unknown option ${token.rawName}; ${near ? `did you mean --${near}?` : `firedamper ${name} --help shows them`}`,
      );
    }
    if (option.type === 'string' && (token.value === undefined || token.value === ''))
      throw invalid(`${name}: ${token.rawName} needs a value`);
    if (option.type === 'boolean' && token.value !== undefined) throw invalid(`${name}: ${token.rawName} takes no value`);
  }
  return { ...values, operand: operands[0] } as Values;
}

function overview(): string {
  const rows = names.map((name) => `  ${name.padEnd(9)} ${USAGES[name].about}`);
  return [
    'Firedamper holds the Airflow DAGs that would read bad data, plans the repair, gets it approved, runs it,',
    'verifies it, and releases exactly what it held.',
    '',
    'firedamper <command> [options]        in a checkout: npm run -s firedamper -- <command> [options]',
    '',
    ...rows,
    '',
    'firedamper <command> --help shows the options of a command.',
  ].join('\n');
}

function usageOf(name: Runnable): string {
  const { about, more, options, operand } = USAGES[name];
  const rows = Object.entries({ ...options, help: 'show this' }).map(([option, text]) => `  --${option.padEnd(20)} ${text}`);
  // A word that must be there, or a file that may be.
  const called = operand === undefined ? '' : operand.startsWith('<') ? ` [${operand}]` : ` ${operand}`;
  return [`firedamper ${name}${called} [options]: ${about}`, '', ...rows, ...(more === '' ? [] : ['', more])].join('\n');
}
