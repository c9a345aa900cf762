import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runInit } from '../../src/commands/init.ts';
import { loadConfig } from '../../src/config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fd-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(file(name), 'utf8');
const init = (options: Omit<Parameters<typeof runInit>[0], 'config'> = {}) => {
  const lines: string[] = [];
  runInit({ config: file('firedamper.yaml'), ...options }, (line) => lines.push(line));
  return lines.join('\n');
};
const setPassword = () =>
  writeFileSync(file('firedamper.env'), read('firedamper.env').replace('AIRFLOW_PASSWORD=', 'AIRFLOW_PASSWORD=pw'));

test('what it writes can be loaded as soon as the password is filled in, and not before', () => {
  init({ airflowId: 'main', airflowUrl: 'https://af.example.com/x', username: 'svc' });
  expect(() => loadConfig(file('firedamper.yaml'), {})).toThrow('the environment variable AIRFLOW_PASSWORD is empty');
  setPassword();
  const config = loadConfig(file('firedamper.yaml'), {});
  expect(config.airflows[0]).toMatchObject({
    id: 'main',
    url: 'https://af.example.com/x',
    auth: { kind: 'password', username: 'svc' },
  });
  expect(config.tokens.map((t) => [t.name, t.role])).toEqual([
    ['admin', 'admin'],
    ['approver', 'approver'],
  ]);
});

test('secrets are fresh, 256 bits, in a file for the owner only, and neither in the configuration nor in what is printed', () => {
  const printed = init();
  expect(statSync(file('firedamper.env')).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).sort()).toEqual(['firedamper.env', 'firedamper.yaml']);
  const env = parseEnv(read('firedamper.env')) as Record<string, string>;
  expect(env.FIREDAMPER_ADMIN_TOKEN).toMatch(/^fd_admin_[\w-]{43}$/);
  expect(env.FIREDAMPER_APPROVER_TOKEN).toMatch(/^fd_approver_[\w-]{43}$/);
  expect(Buffer.from((env.FIREDAMPER_CALLBACK_SECRET ?? '').replace('whsec_', ''), 'base64')).toHaveLength(32);
  for (const value of Object.values(env).filter((v) => v !== '')) {
    expect(read('firedamper.yaml')).not.toContain(value);
    expect(printed).not.toContain(value);
  }
  rmSync(file('firedamper.env'));
  init({ force: true });
  expect(parseEnv(read('firedamper.env'))).not.toMatchObject({ FIREDAMPER_ADMIN_TOKEN: env.FIREDAMPER_ADMIN_TOKEN });
});

test.each(['firedamper.yaml', 'firedamper.env'])('an existing %s is not touched, and nothing is written beside it', (name) => {
  writeFileSync(file(name), 'mine');
  expect(() => init()).toThrow(`${file(name)} exists; --force overwrites the configuration and keeps the secrets`);
  expect(read(name)).toBe('mine');
  expect(readdirSync(folder)).toEqual([name]);
});

test('force writes the configuration anew and keeps every secret that is there', () => {
  init();
  setPassword();
  writeFileSync(file('firedamper.env'), `${read('firedamper.env')}SLACK="it's two words"\n`);
  const before = parseEnv(read('firedamper.env'));
  init({ force: true, airflowId: 'other' });
  expect(parseEnv(read('firedamper.env'))).toEqual(before);
  expect(statSync(file('firedamper.env')).mode & 0o777).toBe(0o600);
  expect(loadConfig(file('firedamper.yaml'), {}).airflows[0]?.id).toBe('other');
});

test('values that make no configuration are refused and nothing is written', () => {
  expect(() => init({ airflowId: 'a/b' })).toThrow("airflows[0].id: 'a/b' cannot be an id");
  expect(() => init({ airflowUrl: 'http://u:hunter2@x' })).toThrow('must not hold credentials');
  expect(() => init({ username: 'a\nb: c' })).toThrow('without control characters');
  expect(readdirSync(folder)).toEqual([]);
});

test('a folder that is not there is made; one that cannot be is named', () => {
  runInit({ config: file('deep/er/fd.yaml') }, () => undefined);
  expect(existsSync(file('deep/er/firedamper.env'))).toBe(true);
  writeFileSync(file('plain'), '');
  expect(() => runInit({ config: file('plain/fd.yaml') }, () => undefined)).toThrow('cannot be written (');
});

test('it says what comes next', () => {
  const printed = init({ airflowId: 'main' });
  for (const part of [
    'AIRFLOW_PASSWORD',
    `npm run -s firedamper -- check --config ${file('firedamper.yaml')}`,
    `npm run -s firedamper -- serve --config ${file('firedamper.yaml')}`,
    'pip install',
    'FIREDAMPER_AIRFLOW=main',
    'FIREDAMPER_SECRET',
  ]) {
    expect(printed).toContain(part);
  }
});
