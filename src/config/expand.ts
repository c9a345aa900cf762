import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';

/** Where `${env:NAME}` and `${file:PATH}` look. */
export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start at the folder of the configuration file, not at the folder of whoever starts the service. */
  readonly folder: string;
}

export type Expanded =
  /** `from` says where the text came from, for messages that must not show it; null where it stands in the file itself. */
  { readonly text: string; readonly from: string | null } | { readonly problem: string; readonly hint?: string };

const PLACEHOLDER = /(\$?)\$\{([^}]*)\}/g;

/** Puts in what `${env:NAME}` and `${file:PATH}` name. `$${` is a literal `${`. */
export function expand(text: string, sources: Sources): Expanded {
  const problems: { problem: string; hint?: string }[] = [];
  let from: string | null = null;
  const filled = text.replace(PLACEHOLDER, (whole: string, dollar: string, inside: string) => {
    if (dollar !== '') return whole.slice(1);
    const found = lookUp(inside, sources);
    from = whole;
    if ('problem' in found) {
      problems.push(found);
      return '';
    }
    return found.value;
  });
  return problems[0] ?? { text: filled, from };
}

function lookUp(
  inside: string,
  sources: Sources,
): { readonly value: string } | { readonly problem: string; readonly hint?: string } {
  const [, scheme = '', name = ''] = /^\s*(\w+)\s*:\s*(.*?)\s*$/.exec(inside) ?? [];
  if (name === '' || (scheme !== 'env' && scheme !== 'file')) {
    const bare = /^\w+$/.test(inside.trim());
    return {
      problem: `\${${inside}} is not a placeholder`,
      hint: bare ? `write \${env:${inside.trim()}}` : `write \${env:NAME} or \${file:PATH}, and $\${ for a literal \${`,
    };
  }
  return scheme === 'env' ? fromEnvironment(name, sources) : fromFile(name, sources);
}

function fromEnvironment(name: string, sources: Sources) {
  const value = sources.env[name];
  if (value === undefined)
    return { problem: `the environment variable ${name} is not set`, hint: 'set it, or name it in the file given as env_file' };
  if (value.trim() === '') return { problem: `the environment variable ${name} is empty` };
  return { value };
}

/** The content without surrounding white space: secret files nearly always end in a line break that is no part of the secret. */
function fromFile(path: string, sources: Sources) {
  const read = readText(resolve(sources.folder, path));
  if ('problem' in read) return { problem: `the file ${path} ${read.problem}` };
  const value = read.text.trim();
  return value === '' ? { problem: `the file ${path} is empty` } : { value };
}

/** Reads a text file; what went wrong is said in words, without the path. */
export function readText(path: string): { readonly text: string } | { readonly problem: string } {
  try {
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { problem: whyUnreadable(error) };
  }
}

function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'cannot be read: permission denied';
  if (code === 'EISDIR') return 'is a folder';
  return `cannot be read (${typeof code === 'string' ? code : 'unknown error'})`;
}

/** The environment with the variables of an env file beneath it: what is really set wins. */
export function withEnvFile(env: Sources['env'], text: string): Sources['env'] {
  const set = Object.entries(env).filter(([, value]) => value !== undefined);
  return { ...parseEnv(text), ...Object.fromEntries(set) };
}
