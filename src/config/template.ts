import { type Key, type KeyRow, type Path, TABLE } from './table.ts';
import { type Branch, isSection, ROOT } from './tree.ts';

/** What a template sets; every other key is there as a comment with its default or an example. */
export interface Live {
  readonly values: Readonly<Partial<Record<Key, string>>>;
  /** Entries of lists, as `{ 'airflows[].id': 'prod', ... }`. */
  readonly lists: Readonly<Partial<Record<Path, readonly Readonly<Partial<Record<Key, string>>>[]>>>;
}

/**
 * The table as a file for people: `# Sentence` explains, `#key: value` is a key that is not set. Removing a `#` right before a key
 * (in a list: before every line of the entry) always gives a valid file.
 */
export function configTemplate(live: Live): string {
  return `${section(ROOT, '', live).join('\n').trim()}\n`;
}

function section(branch: Branch, indent: string, live: Live, values = live.values): string[] {
  return [...branch.children.values()].flatMap((child) => {
    if (!isSection(child.row)) return [keyLine(child, child.row, indent, values)];
    const gap = branch === ROOT ? [''] : [];
    const head = [...gap, `${indent}# ${plain(child.row.section)}`, `${indent}${child.name}:`];
    return [...head, ...(child.isList ? entries(child, `${indent}  `, live) : section(child, `${indent}  `, live, values))];
  });
}

/** The first entry shows every key; the others only what they set. A list without entries shows one as a comment. */
function entries(list: Branch, indent: string, live: Live): string[] {
  const given = live.lists[list.path as Path] ?? [];
  if (given.length === 0) {
    const everyKey = Object.fromEntries(keysBelow(list).map((key) => [key.path, exampleOf(key.row as KeyRow<unknown>)]));
    return dashed(section(list, '', live, everyKey)).map((line) => `${indent}#${line}`);
  }
  return given.flatMap((values, index) => {
    const lines = section(list, '', live, values);
    return dashed(index === 0 ? lines : lines.filter(isSet).map(withoutSentence)).map((line) => indent + line);
  });
}

const isSet = (line: string): boolean => !line.trimStart().startsWith('#');
const withoutSentence = (line: string): string => line.replace(/ {2,}# .*$/, '');

const dashed = (lines: readonly string[]): string[] => {
  const first = lines.findIndex((line) => !line.startsWith('#'));
  return lines.map((line, index) => `${index === first ? '- ' : '  '}${line}`);
};

const keysBelow = (branch: Branch): Branch[] =>
  [...branch.children.values()].flatMap((child) => (isSection(child.row) ? keysBelow(child) : [child]));

const exampleOf = (row: KeyRow<unknown>): string => row.fallback ?? row.example ?? '';

function keyLine(branch: Branch, row: KeyRow<unknown>, indent: string, values: Live['values']): string {
  const set = values[branch.path as Key];
  const line = `${indent}${set === undefined ? '#' : ''}${branch.name}: ${set ?? exampleOf(row)}`;
  return `${line.padEnd(44)}  # ${plain(row.about)}`;
}

/** Back-ticks are for the README. */
const plain = (about: string): string => about.replaceAll('`', '');

/** A Markdown table with every key, its type, its default and its sentence. */
export function configMarkdown(): string {
  const rows = (Object.keys(TABLE) as Path[]).map((path) => {
    const row = TABLE[path];
    if ('section' in row) return `| **\`${path}\`** |  |  | ${row.section} |`;
    const fallback = row.required ? '*required*' : row.fallback === null ? '' : `\`${row.fallback}\``;
    return `| \`${path}\` | ${row.type.name} | ${fallback} | ${row.about} |`;
  });
  return ['| key | type | default | what it does |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
