/** A small reader of our own pages: strict where browsers forgive, so that a slip in a template is seen. */
export interface Tag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly parents: readonly string[];
}

export interface Read {
  readonly tags: readonly Tag[];
  /** Text as a person reads it, entities resolved, white space folded. */
  readonly text: string;
  readonly faults: readonly string[];
}

const VOID = new Set(['meta', 'link', 'input', 'img', 'br', 'hr']);
const TAG = /<!doctype html>|<(\/?)([a-zA-Z][\w-]*)((?:\s+[a-zA-Z][\w:-]*(?:="[^"<]*")?)*)\s*(\/?)>/gy;
const ATTRIBUTE = /([a-zA-Z][\w:-]*)(?:="([^"]*)")?/g;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

export const resolved = (text: string): string => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name]!);

export function read(page: string): Read {
  const tags: Tag[] = [];
  const faults: string[] = [];
  const open: string[] = [];
  let text = '';
  let at = 0;
  while (at < page.length) {
    if (page[at] !== '<') {
      const next = page.indexOf('<', at);
      const end = next === -1 ? page.length : next;
      const piece = page.slice(at, end);
      if (/&(?!(amp|lt|gt|quot|#39);)/.test(piece) || piece.includes('>')) faults.push(`unescaped text: ${piece.slice(0, 80)}`);
      text += resolved(piece);
      at = end;
      continue;
    }
    TAG.lastIndex = at;
    const match = TAG.exec(page);
    if (match === null) {
      faults.push(`not a tag of ours: ${page.slice(at, at + 80)}`);
      at += 1;
      continue;
    }
    at = TAG.lastIndex;
    tag(match, open, tags, faults);
    text += ' ';
  }
  if (open.length > 0) faults.push(`never closed: ${open.join(' ')}`);
  return { tags, text: text.replace(/\s+/g, ' '), faults };
}

function tag(match: RegExpExecArray, open: string[], tags: Tag[], faults: string[]): void {
  const [, closing, name, attributes = '', self] = match;
  if (name === undefined) return;
  if (closing) {
    const last = open.pop();
    if (last !== name) faults.push(`</${name}> closes <${last}>`);
    return;
  }
  const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key, value]) => [key!, resolved(value ?? '')] as const);
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) faults.push(`an attribute twice: ${match[0]}`);
  tags.push({ name, attributes: new Map(pairs), parents: [...open] });
  if (!self && !VOID.has(name)) open.push(name);
}

export const all = (page: Read, name: string): readonly Tag[] => page.tags.filter((one) => one.name === name);
export const attribute = (one: Tag, name: string): string => one.attributes.get(name) ?? '';
/** Where every form goes to, and what its fields are called. */
export const actions = (page: Read): string[] => all(page, 'form').map((form) => attribute(form, 'action'));
