import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { buildConfig } from './config/build.ts';
import { crossCheck } from './config/check.ts';
import { isMap, isScalar, type Node, readDocument, type Source } from './config/document.ts';
import { expand, readText, type Sources, withEnvFile } from './config/expand.ts';
import { ConfigError, Problems } from './config/problems.ts';
import { readTree } from './config/reader.ts';
import type { Secret } from './config/secret.ts';
import type { LineageEdge } from './core/facts.ts';
import type { NotifyEvent, Policy, Role } from './core/policy.ts';

export { ConfigError } from './config/problems.ts';
export { Secret } from './config/secret.ts';

export interface AirflowConfig {
  readonly id: string;
  readonly url: string;
  /** Where people open it: links lead there, and its pages may show ours in a frame. */
  readonly publicUrl: string;
  readonly auth:
    | { readonly kind: 'password'; readonly username: string; readonly password: Secret }
    | { readonly kind: 'token'; readonly token: Secret };
  readonly callbackSecrets: readonly Secret[];
  readonly pollIntervalMs: number;
  /** How far the very first poll of a fresh database looks back; 0 = only what fails from now on. */
  readonly pollLookbackMs: number;
  /** Slower passes: lineage, `updated_at`, DAG list. */
  readonly surveyIntervalMs: number;
  /** Whole call, connect included. */
  readonly timeoutMs: number;
  /** Calls at a time in the pause lane; a real Airflow is fastest with about four (3.3.2, measured). */
  readonly pauseConcurrency: number;
  /** 2.x: whether the login form may be used for a session cookie, which makes calls 4-9 times cheaper and shows the dependency page. */
  readonly sessionLogin: boolean;
}

export interface TokenConfig {
  readonly name: string;
  readonly role: Role;
  readonly secret: Secret;
}

export interface ChannelConfig {
  readonly id: string;
  readonly kind: 'webhook' | 'slack';
  readonly url: Secret;
  readonly events: readonly NotifyEvent[];
  /** Standard Webhooks signature for `webhook` channels; null = unsigned. */
  readonly secret: Secret | null;
}

export interface Config {
  readonly server: { readonly host: string; readonly port: number; readonly publicUrl: string };
  /** Absolute path of the database file. */
  readonly database: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly airflows: readonly AirflowConfig[];
  readonly tokens: readonly TokenConfig[];
  readonly policy: Policy;
  readonly edges: readonly LineageEdge[];
  readonly channels: readonly ChannelConfig[];
  /** How long rows are kept that nothing needs any more. */
  readonly retention: { readonly callbacksMs: number; readonly incidentsMs: number };
  readonly intake: {
    readonly maxBodyBytes: number;
    readonly ratePerMinute: number;
    readonly toleranceMs: number;
    /** Free space below which callbacks are refused. */
    readonly minFreeBytes: number;
  };
}

export const DEFAULT_CONFIG_FILE = 'firedamper.yaml';

/**
 * Reads the configuration file (`firedamper.yaml` in the current folder where no path is given) and what it names in the environment
 * and in other files. Throws a `ConfigError` with one line for every problem of the file; it is read here once and nowhere else.
 */
export function loadConfig(path: string | undefined, env: Readonly<Record<string, string | undefined>>): Config {
  const file = path ?? DEFAULT_CONFIG_FILE;
  const read = readText(file);
  if ('problem' in read) {
    const hint = path === undefined ? 'firedamper init writes one, --config names another' : 'firedamper init writes one';
    throw new ConfigError([`${file}: ${read.problem}; ${hint}`]);
  }
  return parseConfig(read.text, { file, folder: dirname(resolve(file)), env });
}

/** The same from a text; `file` is what messages call it. */
export function parseConfig(
  text: string,
  about: { readonly file: string; readonly folder: string; readonly env: Sources['env'] },
): Config {
  const problems = new Problems(about.file);
  const source = readDocument(text, problems);
  // A file that is not YAML has no keys to talk about.
  problems.throwIfAny();
  const sources = withNamedEnvFile(source, problems, about);
  const tree = readTree(source, problems, sources);
  crossCheck(tree, problems);
  problems.throwIfAny();
  return buildConfig(tree, about.folder);
}

/** `env_file` must be known before any other value is read, because others are filled from it. */
function withNamedEnvFile(source: Source, problems: Problems, sources: Sources): Sources {
  const named = isMap(source.root) ? source.resolve((source.root.get('env_file', true) as Node | undefined) ?? null) : null;
  if (!isScalar(named) || typeof named.value !== 'string') return sources;
  const expanded = expand(named.value, sources);
  if ('problem' in expanded || expanded.text === '') return sources;
  const path = resolve(sources.folder, expanded.text);
  const read = readText(path);
  if ('problem' in read) {
    problems.add(
      source.place(named),
      'env_file',
      `the file ${named.value} ${read.problem}`,
      existsSync(path) ? undefined : 'firedamper init writes one',
    );
    return sources;
  }
  return { ...sources, env: withEnvFile(sources.env, read.text) };
}
