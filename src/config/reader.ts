import { isMap, isScalar, isSeq, type Node, type Source } from './document.ts';
import { expand, type Sources } from './expand.ts';
import { nearest, type Place, type Problems } from './problems.ts';
import { type Key, type KeyRow, type Path, TABLE, type ValueOf } from './table.ts';
import { type Branch, isSection, ROOT } from './tree.ts';
import type { ListType, Parsed, ValueType } from './values.ts';

/** What one map of the file holds, with every default filled in. Lists of maps are groups of their own. */
export class Group {
  readonly place: Place;
  readonly path: string;
  readonly #values = new Map<string, { readonly value: unknown; readonly place: Place | null }>();
  readonly #lists = new Map<string, Group[]>();

  constructor(place: Place, path: string) {
    this.place = place;
    this.path = path;
  }

  put(key: string, value: unknown, place: Place | null): void {
    this.#values.set(key, { value, place });
  }
  putList(path: string, groups: Group[]): void {
    this.#lists.set(path, groups);
  }

  /** undefined where it is optional and not given, or where it was refused (a problem is noted then). */
  get<K extends Key>(key: K): ValueOf<K> | undefined {
    return this.#values.get(key)?.value as ValueOf<K> | undefined;
  }
  /** For a key with a default, or a required one once all problems were thrown. */
  need<K extends Key>(key: K): ValueOf<K> {
    const value = this.get(key);
    if (value === undefined) throw new Error(`configuration table: ${key} has neither value nor default`);
    return value;
  }
  /** Where the value was written; the place of the group where it was not. */
  placeOf(key: Key): Place {
    return this.#values.get(key)?.place ?? this.place;
  }
  list(path: Path): readonly Group[] {
    return this.#lists.get(path) ?? [];
  }
}

/** Reads a whole file against the table. Every problem is noted; what could be read is there all the same, for further checks. */
export function readTree(source: Source, problems: Problems, sources: Sources): Group {
  const reader = new Reader(source, problems, sources);
  const group = new Group({ line: source.root === null ? 0 : 1, col: 1 }, '');
  const readable = source.root === null || isMap(source.root) || isEmpty(source.root);
  if (readable) reader.map(ROOT, source.root, group, '', group.place);
  else problems.add(group.place, '', 'must be a list of keys with their values', keysHint(ROOT));
  return group;
}

class Reader {
  readonly #source: Source;
  readonly #problems: Problems;
  readonly #sources: Sources;

  constructor(source: Source, problems: Problems, sources: Sources) {
    this.#source = source;
    this.#problems = problems;
    this.#sources = sources;
  }

  /** An empty section counts as absent: that is what is left when all its lines are comments. */
  map(branch: Branch, node: Node | null, group: Group, path: string, parent: Place): void {
    const place = node === null ? parent : this.#source.place(node);
    const entries = new Map<string, Node | null>();
    if (isMap(node)) {
      for (const item of node.items) this.#entry(branch, item.key as Node, item.value as Node | null, path, entries);
    } else if (node !== null && !isEmpty(node)) {
      this.#problems.add(place, path, `must be a section with keys, not ${kindOf(node)}`, keysHint(branch));
    }
    for (const [name, child] of branch.children) {
      const written = entries.get(name) ?? null;
      const below = path === '' ? name : `${path}.${name}`;
      if (!isSection(child.row)) this.#value(child, child.row, written, group, below, place);
      else if (child.isList) this.#list(child, written, group, below, place);
      else this.map(child, written, group, below, place);
    }
  }

  #entry(branch: Branch, keyNode: Node, value: Node | null, path: string, entries: Map<string, Node | null>): void {
    const name = isScalar(keyNode) ? String(keyNode.value) : '';
    if (branch.children.has(name)) {
      entries.set(name, this.#source.resolve(value));
      return;
    }
    const shown = name.length > 60 ? `${name.slice(0, 57)}...` : name;
    this.#problems.add(
      this.#source.place(keyNode),
      path === '' ? shown : `${path}.${shown}`,
      'unknown key',
      didYouMean(branch, name),
    );
  }

  #list(child: Branch, node: Node | null, group: Group, path: string, parent: Place): void {
    const least = isSection(child.row) ? child.row.least : 0;
    const place = node === null ? parent : this.#source.place(node);
    if (node !== null && !isSeq(node) && !isEmpty(node)) {
      this.#problems.add(place, path, `must be a list, not ${kindOf(node)}`, 'begin each entry with "- "');
      return;
    }
    const items = isSeq(node) ? (node.items as Node[]) : [];
    if (items.length < least) this.#problems.add(place, path, `at least ${least} is needed`, 'firedamper init writes an example');
    const groups = items.map((item, index) => {
      const resolved = this.#source.resolve(item);
      const entry = new Group(this.#source.place(resolved), `${path}[${index}]`);
      this.map(child, resolved, entry, entry.path, entry.place);
      return entry;
    });
    group.putList(child.path, groups);
  }

  #value(child: Branch, row: KeyRow<unknown>, node: Node | null, group: Group, path: string, parent: Place): void {
    if (node === null) {
      if (row.required) this.#problems.add(parent, path, 'is missing', `such as ${path.split('.').at(-1)}: ${row.example}`);
      else if (row.fallback !== null) group.put(child.path, fallbackOf(row), null);
      return;
    }
    const place = this.#source.place(node);
    if (isScalar(node) && node.value === null) {
      this.#problems.add(
        place,
        path,
        'has no value',
        row.required ? `such as ${row.example}` : 'give it one, or remove the line for the default',
      );
      return;
    }
    const value = row.type.many ? this.#many(row.type, node, path) : this.#one(row.type, node, path);
    // Also where it was refused: it was written, so nobody may call it missing.
    group.put(child.path, value, place);
  }

  #many(type: ListType<unknown>, node: Node, path: string): unknown[] | undefined {
    if (!isSeq(node)) {
      this.#problems.add(
        this.#source.place(node),
        path,
        `must be a ${type.name}, not ${kindOf(node)}`,
        'put it in brackets: [ ... ]',
      );
      return undefined;
    }
    if (node.items.length > type.max) this.#problems.add(this.#source.place(node), path, `at most ${type.max} entries`);
    const read = (node.items as Node[]).map((item, index) => this.#one(type.of, this.#source.resolve(item), `${path}[${index}]`));
    return read.filter((value) => value !== undefined);
  }

  #one(type: ValueType<unknown>, node: Node | null, path: string): unknown {
    const place = this.#source.place(node);
    if (!isScalar(node)) {
      const braces = isMap(node) ? 'put text that begins with { in quotes' : undefined;
      this.#problems.add(place, path, `must be a ${type.name}, not ${node === null ? 'nothing' : kindOf(node)}`, braces);
      return undefined;
    }
    const parsed = this.#parse(type, node.value);
    if ('ok' in parsed) return parsed.ok;
    this.#problems.add(place, path, parsed.problem, parsed.hint);
    return undefined;
  }

  #parse(type: ValueType<unknown>, value: unknown): Parsed<unknown> {
    if (typeof value !== 'string') return type.parse({ value, fromOutside: false });
    const expanded = expand(value, this.#sources);
    if ('problem' in expanded) return expanded;
    return type.parse({ value: expanded.text, fromOutside: expanded.from !== null });
  }
}

/** The default of a key, read by the same rule as a written one. */
export function fallbackOf(row: KeyRow<unknown>): unknown {
  const text = row.fallback ?? '';
  const one = (type: ValueType<unknown>, written: string): unknown => {
    const parsed = type.parse({ value: scalar(written), fromOutside: false });
    if ('ok' in parsed) return parsed.ok;
    throw new Error(`configuration table: the default ${written} is refused: ${parsed.problem}`);
  };
  const { type } = row;
  if (!type.many) return one(type, text);
  const items = text.replace(/^\[|\]$/g, '').split(',');
  return items
    .map((item) => item.trim().replace(/^"|"$/g, ''))
    .filter((item) => item !== '')
    .map((item) => one(type.of, item));
}

const scalar = (written: string): unknown => {
  if (written === 'true' || written === 'false') return written === 'true';
  return /^-?\d+(\.\d+)?$/.test(written) ? Number(written) : written;
};

const isEmpty = (node: Node): boolean => isScalar(node) && (node.value === null || node.value === '');

const kindOf = (node: Node): string => (isMap(node) ? 'a section with keys' : isSeq(node) ? 'a list' : 'a single value');

const keysHint = (branch: Branch): string => `it has the keys ${[...branch.children.keys()].join(', ')}`;

/** First what is near among the neighbours, then the same name anywhere else in the table. */
function didYouMean(branch: Branch, name: string): string {
  const near = nearest(name, [...branch.children.keys()]);
  if (near !== null) return `did you mean ${near}?`;
  const leaf = (path: string) => path.split('.').at(-1)?.replace('[]', '') ?? '';
  const elsewhere = Object.keys(TABLE).filter((path) => nearest(name, [leaf(path)]) !== null);
  if (elsewhere.length > 0) return `did you mean ${elsewhere.slice(0, 3).join(' or ')}?`;
  return `known here: ${[...branch.children.keys()].join(', ')}`;
}
