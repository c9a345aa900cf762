/**
 * The budget of the design: functions p90 <= 30 lines and none over 70, files p90 <= 250 and none over 400. A file over 400 lines must begin with
 * a comment that says `over budget because ...`; a function has no such way out. Blank lines do not count, comments within do.
 *
 *   node tools/checkSizes.ts [folder ...]        default: src tools bench
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

interface Sized {
  readonly name: string;
  readonly lines: number;
}

const FUNCTION = { p90: 30, max: 70 };
const FILE = { p90: 250, max: 400 };
/** A callback of a few lines is a part of its function, and thousands of them would make every percentile small. */
const SMALL_CALLBACK = 5;

const root = join(import.meta.dirname, '..');
const folders = process.argv.length > 2 ? process.argv.slice(2) : ['src', 'tools', 'bench'];
const paths = folders
  .map((folder) => join(root, folder))
  .filter(existsSync)
  .flatMap(sources);
const files = paths.map((path) => ({ ...readSource(path), name: relative(root, path) }));
const functions = files.flatMap((file) => functionsOf(file.name, file.text));

const problems = [
  ...files
    .filter((f) => f.lines > FILE.max && !f.excused)
    .map((f) => `${f.name}: ${f.lines} lines, over ${FILE.max}, and its first comment does not say "over budget because ..."`),
  ...functions.filter((f) => f.lines > FUNCTION.max).map((f) => `${f.name}: ${f.lines} lines, over ${FUNCTION.max}`),
  ...percentileProblem('functions', functions, FUNCTION.p90),
  ...percentileProblem('files', files, FILE.p90),
];
for (const problem of problems) console.error(problem);
console.log(`${functions.length} functions: ${summary(functions)}; ${files.length} files: ${summary(files)} (lines)`);
process.exitCode = problems.length === 0 ? 0 : 1;

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function readSource(path: string) {
  const text = readFileSync(path, 'utf8');
  const head = /^(?:#!.*\n)?\s*(\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/.exec(text)?.[1] ?? '';
  return { text, lines: filledLines(text), excused: /over budget because \S/.test(head) };
}

function filledLines(text: string): number {
  return text.split('\n').filter((line) => line.trim() !== '').length;
}

function functionsOf(file: string, text: string): Sized[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Sized[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const lines = filledLines(node.getText(source));
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      if (isNamed(node) || lines > SMALL_CALLBACK) found.push({ name: `${file}:${line + 1} ${nameOf(node)}`, lines });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isNamed(node: ts.SignatureDeclaration): boolean {
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return true;
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent) || ts.isPropertyDeclaration(node.parent);
}

function nameOf(node: ts.SignatureDeclaration): string {
  const { parent } = node;
  const named = node.name ?? (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name : undefined);
  return named?.getText() ?? (ts.isConstructorDeclaration(node) ? 'constructor' : '(callback)');
}

function p90(sized: readonly Sized[]): number {
  const sorted = sized.map((s) => s.lines).toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.9) - 1)] ?? 0;
}

function percentileProblem(what: string, sized: readonly Sized[], limit: number): string[] {
  const found = p90(sized);
  if (found <= limit) return [];
  const longest = sized
    .filter((s) => s.lines > limit)
    .toSorted((a, b) => b.lines - a.lines)
    .slice(0, 10);
  return [
    `p90 of ${what} is ${found} lines, over ${limit}; the longest: ${longest.map((s) => `${s.name} (${s.lines})`).join(', ')}`,
  ];
}

function summary(sized: readonly Sized[]): string {
  const longest = sized.reduce((a, b) => (b.lines > a.lines ? b : a), { name: '-', lines: 0 });
  return `p90 ${p90(sized)}, longest ${longest.lines} (${longest.name})`;
}
