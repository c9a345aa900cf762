import { FiredamperError } from '../errors.ts';

/** Where in the file something stands, 1-based; line 0 = the file as a whole. */
export interface Place {
  readonly line: number;
  readonly col: number;
}

/**
 * The configuration cannot be used. The message is one line per problem, ready for a terminal:
 * `firedamper.yaml:12:5 policy.hold.max_dag: unknown key; did you mean max_dags?`
 * It never holds the value of a secret, nor any value that came from the environment or from another file.
 */
export class ConfigError extends FiredamperError {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super('invalid', problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Collects every problem of one file, so that people mend them all at once and not one per start. */
export class Problems {
  readonly #file: string;
  readonly #found: { readonly place: Place; readonly text: string }[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  add(place: Place, path: string, text: string, hint?: string): void {
    const where = place.line > 0 ? `${this.#file}:${place.line}:${place.col}` : this.#file;
    const key = path === '' ? '' : ` ${path}`;
    this.#found.push({ place, text: printable(`${where}${key}: ${text}${hint ? `; ${hint}` : ''}`) });
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return;
    const inOrder = this.#found.toSorted((a, b) => a.place.line - b.place.line || a.place.col - b.place.col);
    throw new ConfigError([...new Set(inOrder.map((p) => p.text))]);
  }
}

/** One line, whatever stands in the file: no line breaks, no terminal control sequences. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');

/** The nearest of the known words, or null when none is near enough to be what was meant. */
export function nearest(word: string, known: readonly string[]): string | null {
  const plain = (s: string) => s.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const wanted = plain(word);
  const begun = wanted.length >= 3 ? known.find((candidate) => plain(candidate).startsWith(wanted)) : undefined;
  if (begun !== undefined) return begun;
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return bestDistance <= Math.max(1, Math.floor(wanted.length / 3)) ? best : null;
}

/** Insertions, deletions, replacements and swaps of neighbours. Words here are short: the square table is fine. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const viaSwap = swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1), viaSwap));
    }
  }
  return at(a.length, b.length);
}
