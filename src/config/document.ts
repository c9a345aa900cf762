import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Place, Problems } from './problems.ts';

export type { Node };
export { isMap, isScalar, isSeq };

/** A YAML file with the places of its parts. */
export interface Source {
  readonly root: Node | null;
  place(node: Node | null | undefined): Place;
  /** The node that an alias stands for; the node itself otherwise. */
  resolve(node: Node | null): Node | null;
}

/**
 * What the parser found, in our own words: its messages quote the file, and what it quotes may be a password.
 * Anything that is not listed is a plain "not valid YAML".
 */
const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key stands here twice',
  TAB_AS_INDENT: 'a tab is used for indentation; YAML allows spaces only',
  BAD_INDENT: 'the indentation does not fit the lines above',
  MISSING_CHAR: 'a quote, a bracket, a comma or a colon is missing here or on the line above',
  BLOCK_AS_IMPLICIT_KEY: 'two keys on one line, or a colon in a value that needs quotes',
  BAD_SCALAR_START: 'a value that begins with this character needs quotes',
  MULTILINE_IMPLICIT_KEY: 'a colon is missing after this key, or a quote was not closed',
  MULTIPLE_DOCS: 'the file holds more than one document (a line with ---)',
  BAD_ALIAS: 'a value that begins with * needs quotes',
  TAG_RESOLVE_FAILED: 'a value that begins with ! needs quotes',
  UNEXPECTED_TOKEN: 'something does not belong here; text with { } [ ] : # or , in it needs quotes',
  BAD_DQ_ESCAPE: 'an unknown backslash sequence within double quotes; single quotes take backslashes as they are',
};

export function readDocument(text: string, problems: Problems): Source {
  const lines = new LineCounter();
  const doc: Document.Parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), col: Math.max(col, 1) };
  };
  const toldLines = new Set<number>();
  for (const error of [...doc.errors, ...doc.warnings]) {
    // What follows on the same line is nearly always the same mistake.
    const place = at(error.pos[0]);
    if (toldLines.has(place.line)) continue;
    toldLines.add(place.line);
    problems.add(place, '', SYNTAX[error.code] ?? `not valid YAML here (${error.code})`);
  }
  const resolve = (node: Node | null): Node | null => (isAlias(node) ? (node.resolve(doc) ?? null) : node);
  return { root: resolve(doc.contents), resolve, place: (node) => (node?.range ? at(node.range[0]) : { line: 0, col: 0 }) };
}
