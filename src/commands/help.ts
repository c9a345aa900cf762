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
  version: { about: 'print the version', more: '', options: {}, understand: () => ({ name: 'version' }) },
};

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
  for (const token of tokens) {
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
  return values as Values;
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
  const { about, more, options } = USAGES[name];
  const rows = Object.entries({ ...options, help: 'show this' }).map(([option, text]) => `  --${option.padEnd(20)} ${text}`);
  return [`firedamper ${name} [options]: ${about}`, '', ...rows, ...(more === '' ? [] : ['', more])].join('\n');
}
