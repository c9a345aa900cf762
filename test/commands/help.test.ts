import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/commands/help.ts';
import { firedamperVersion } from '../../src/commands/version.ts';
import { FiredamperError } from '../../src/errors.ts';

const parse = (line: string) => parseCommandLine(line === '' ? [] : line.split(' '));

const RESTORE = {
  name: 'restore',
  config: undefined,
  file: undefined,
  differences: false,
  confirm: false,
  as: undefined,
  reason: undefined,
};

test.each([
  ['serve', { name: 'serve', config: undefined }],
  ['serve --config a.yaml', { name: 'serve', config: 'a.yaml' }],
  ['serve --config=a.yaml', { name: 'serve', config: 'a.yaml' }],
  ['check --json --roles', { name: 'check', config: undefined, json: true, roles: true }],
  [
    'init --force --airflow-id x --airflow-url http://a --username u --config c',
    { name: 'init', config: 'c', force: true, airflowId: 'x', airflowUrl: 'http://a', username: 'u' },
  ],
  ['demo --yes --root r', { name: 'demo', yes: true, root: 'r' }],
  ['audit verify', { name: 'audit', config: undefined, head: undefined }],
  ['audit verify --head 1:a --config c', { name: 'audit', config: 'c', head: '1:a' }],
  ['backup', { name: 'backup', config: undefined, to: undefined }],
  ['backup --to b.db --config c', { name: 'backup', config: 'c', to: 'b.db' }],
  ['restore b.db', { ...RESTORE, file: 'b.db' }],
  ['restore --config c b.db', { ...RESTORE, config: 'c', file: 'b.db' }],
  ['restore --differences', { ...RESTORE, differences: true }],
  ['restore --confirm --reason looked --as adam', { ...RESTORE, confirm: true, reason: 'looked', as: 'adam' }],
  ['demo', { name: 'demo', yes: false, root: undefined }],
  ['version', { name: 'version' }],
  ['--version', { name: 'version' }],
])('%s', (line, command) => {
  expect(parse(line)).toEqual(command);
});

describe('a mistake is one line with a hint', () => {
  test.each([
    ['serv', 'unknown command serv; did you mean serve?'],
    ['fly', 'unknown command fly; commands are serve, check, init, demo, backup, restore, audit, version'],
    ['--confg x', 'unknown command --confg; commands are serve, check, init, demo, backup, restore, audit, version'],
    ['serve --confg x', 'serve: unknown option --confg; did you mean --config?'],
    ['serve --xyzzyx', 'serve: unknown option --xyzzyx; firedamper serve --help shows them'],
    ['serve --config', 'serve: --config needs a value'],
    ['serve --config=', 'serve: --config needs a value'],
    ['check --json=yes', 'check: --json takes no value'],
    ['serve a.yaml', 'serve: unexpected a.yaml; firedamper serve --help shows what it takes'],
    ['backup b.db', 'backup: unexpected b.db; firedamper backup --help shows what it takes'],
    ['restore a.db b.db', 'restore: unexpected a.db; firedamper restore --help shows what it takes'],
    ['restore', 'restore: name one of <file>, --differences and --confirm; firedamper restore --help explains them'],
    [
      'restore b.db --confirm --reason x',
      'restore: name one of <file>, --differences and --confirm; firedamper restore --help explains them',
    ],
    ['restore --confirm', 'restore: --confirm needs --reason "..."'],
    ['audit', 'audit: did you mean audit verify?'],
    ['audit verfy', 'audit: did you mean audit verify?'],
    ['version --json', 'version: unknown option --json; firedamper version --help shows them'],
  ])('%s', (line, message) => {
    const error = (() => {
      try {
        return parse(line);
      } catch (e) {
        return e;
      }
    })();
    expect(error).toBeInstanceOf(FiredamperError);
    expect(error).toMatchObject({ kind: 'invalid', message });
  });
});

describe('help', () => {
  test.each(['serve', 'check', 'init', 'demo', 'backup', 'version'])(
    '%s has one of its own, by --help, -h and help <command>',
    (name) => {
      const [long, short, word] = [parse(`${name} --help`), parse(`${name} -h`), parse(`help ${name}`)];
      expect(long).toMatchObject({ name: 'help', exitCode: 0, text: expect.stringContaining(`firedamper ${name} [options]: `) });
      expect(short).toEqual(long);
      expect(word).toEqual(long);
    },
  );

  test('a command that takes a file shows where it stands', () => {
    expect(parse('restore --help')).toMatchObject({ text: expect.stringContaining('firedamper restore [<file>] [options]: ') });
  });

  test('a word that must be there stands without brackets', () => {
    expect(parse('audit --help')).toMatchObject({ text: expect.stringContaining('firedamper audit verify [options]: check ') });
  });

  test('without a command it is printed and the call counts as a mistake', () => {
    expect(parse('')).toMatchObject({ name: 'help', exitCode: 2 });
    expect(parse('--help')).toMatchObject({
      name: 'help',
      exitCode: 0,
      text: expect.stringContaining('releases exactly what it held'),
    });
  });

  test('every option that is understood is shown', () => {
    const help = parse('init --help');
    for (const option of [
      '--config <file>',
      '--airflow-id <id>',
      '--airflow-url <url>',
      '--username <name>',
      '--force',
      '--help',
    ]) {
      expect(help).toMatchObject({ text: expect.stringContaining(option) });
    }
  });
});

test('the version is that of the package', () => expect(firedamperVersion()).toMatch(/^\d+\.\d+\.\d+/));
