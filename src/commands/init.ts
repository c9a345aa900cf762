import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { readText } from '../config/expand.ts';
import { configTemplate } from '../config/template.ts';
import { DEFAULT_CONFIG_FILE, parseConfig } from '../config.ts';
import { conflict, FiredamperError, unavailable } from '../errors.ts';

export interface InitOptions {
  /** File to write; default `firedamper.yaml` in the current folder. */
  readonly config?: string | undefined;
  readonly airflowId?: string | undefined;
  readonly airflowUrl?: string | undefined;
  readonly username?: string | undefined;
  readonly force?: boolean;
}

export const ENV_FILE = 'firedamper.env';

/**
 * Writes a commented configuration and, beside it, a file with fresh secrets that only its owner can read; prints what to do next.
 * Throws `conflict` where one of them exists and `force` is not set, `invalid` where the given values make no valid configuration;
 * nothing is written then. With `force`, secrets that are there already are kept: a sender somewhere may sign with them.
 */
export function runInit(options: InitOptions, out: (line: string) => void, random: (size: number) => Buffer = randomBytes): void {
  const config = resolve(options.config ?? DEFAULT_CONFIG_FILE);
  const env = join(dirname(config), ENV_FILE);
  const about = {
    id: options.airflowId ?? 'prod',
    url: options.airflowUrl ?? 'http://localhost:8080',
    username: options.username ?? 'firedamper',
  };
  if (options.force !== true) {
    for (const file of [config, env])
      if (existsSync(file)) throw conflict(`${file} exists; --force overwrites the configuration and keeps the secrets`);
  }
  const old = readText(env);
  const secrets = { ...freshSecrets(random), ...('text' in old ? filled(parseEnv(old.text)) : {}) };
  const text = configText(about);
  // Checked before anything is written, with a password that nobody has given yet.
  parseConfig(text.replace(/^env_file:.*$/m, ''), {
    file: basename(config),
    folder: dirname(config),
    env: { ...secrets, AIRFLOW_PASSWORD: 'x' },
  });
  write(env, envText(secrets), 0o600);
  write(config, text, 0o644);
  for (const line of nextSteps(config, env, about)) out(line);
}

/** A token names its owner, so that a leaked one can be told and taken away; 256 random bits are what protects it. */
function freshSecrets(random: (size: number) => Buffer): Record<string, string> {
  const token = (id: string) => `fd_${id}_${random(32).toString('base64url')}`;
  return {
    AIRFLOW_PASSWORD: '',
    FIREDAMPER_CALLBACK_SECRET: `whsec_${random(32).toString('base64')}`,
    FIREDAMPER_ADMIN_TOKEN: token('admin'),
    FIREDAMPER_APPROVER_TOKEN: token('approver'),
  };
}

const filled = (env: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])),
  );

const placeholder = (name: string): string => `"\${env:${name}}"`;
/** A YAML double-quoted string is a superset of a JSON one. */
const quoted = (text: string): string => JSON.stringify(text);

function configText(about: { readonly id: string; readonly url: string; readonly username: string }): string {
  const token = (role: string) => ({
    'access.tokens[].name': role,
    'access.tokens[].role': role,
    'access.tokens[].secret': placeholder(`FIREDAMPER_${role.toUpperCase()}_TOKEN`),
  });
  const airflow = {
    'airflows[].id': quoted(about.id),
    'airflows[].url': quoted(about.url),
    'airflows[].auth.username': quoted(about.username),
    'airflows[].auth.password': placeholder('AIRFLOW_PASSWORD'),
    'airflows[].callback_secrets': `[${placeholder('FIREDAMPER_CALLBACK_SECRET')}]`,
  };
  return configTemplate({
    values: { env_file: `./${ENV_FILE}` },
    lists: { 'airflows[]': [airflow], 'access.tokens[]': [token('admin'), token('approver')] },
  });
}

function envText(secrets: Readonly<Record<string, string>>): string {
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${quotedForEnv(value)}`);
  return [
    '# Secrets of Firedamper. Keep this file out of version control; whoever has a token may act in its name.',
    ...lines,
    '',
  ].join('\n');
}

/** Both a shell and Node read it back as it was; a value with every kind of quote in it cannot be written, and none of ours is. */
function quotedForEnv(value: string): string {
  if (/^[\w+/=.-]*$/.test(value)) return value;
  const quote = ["'", '"', '`'].find((q) => !value.includes(q)) ?? "'";
  return `${quote}${value}${quote}`;
}

/** In one step, so that there is never half a file, and never a moment in which others can read it. */
function write(file: string, text: string, mode: number): void {
  const draft = `${file}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    rmSync(draft, { force: true });
    writeFileSync(draft, text, { mode, flag: 'wx' });
    renameSync(draft, file);
  } catch (error) {
    if (error instanceof FiredamperError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw unavailable(`${file} cannot be written (${code})`);
  }
}

function nextSteps(config: string, env: string, about: { readonly id: string; readonly username: string }): string[] {
  const checkout = resolve(import.meta.dirname, '..', '..', 'airflow-callbacks');
  const inCheckout = existsSync(checkout);
  const pip = inCheckout ? `"${checkout}"` : 'airflow-provider-firedamper';
  const program = inCheckout ? 'npm run -s firedamper --' : 'firedamper';
  const flag = config === resolve(DEFAULT_CONFIG_FILE) ? '' : ` --config ${config}`;
  return [
    `Written: ${config}`,
    `         ${env} (readable for you only; the tokens of admin and approver are in it)`,
    '',
    'Next:',
    `  1. Give the account ${about.username} of your Airflow its password in ${ENV_FILE}: AIRFLOW_PASSWORD=...`,
    `     ${program} check --roles${flag} prints how to create that account with just the rights it needs.`,
    `  2. ${program} check${flag}`,
    `  3. ${program} serve${flag}`,
    '  4. So that failures are heard at once and not at the next poll, where Airflow runs (every scheduler and worker):',
    `       pip install ${pip}`,
    '       FIREDAMPER_URL=http://localhost:8470        # as Airflow reaches Firedamper',
    `       FIREDAMPER_AIRFLOW=${about.id}`,
    `       FIREDAMPER_SECRET=...                       # FIREDAMPER_CALLBACK_SECRET of ${ENV_FILE}`,
  ];
}
