/** Globs over DAG ids: `*` any text, `?` one character, everything else is itself. Linear: no regular expression is built from what a person wrote. */
export function globMatches(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (glob[g] !== '*' && (glob[g] === '?' || glob[g] === text[t])) {
      g++;
      t++;
    } else if (glob[g] === '*') {
      star = g++;
      mark = t;
    } else if (star >= 0) {
      g = star + 1;
      t = ++mark;
    } else return false;
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}

export const anyGlob = (globs: readonly string[], text: string): boolean => globs.some((g) => globMatches(g, text));
