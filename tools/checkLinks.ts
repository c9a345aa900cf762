/**
 * Every relative link in a Markdown file of the project leads to a file that exists, and to a heading that exists where it names one.
 * Addresses on the network are not asked.
 *
 *   node tools/checkLinks.ts
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
// Git knows which files are ours: not those of installed packages, nor those of a demo's Airflow.
const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', '*.md'], {
  cwd: root,
  encoding: 'utf8',
});
const files = [...new Set(listed.split('\0'))].filter((file) => file !== '' && existsSync(join(root, file)));

let links = 0;
const problems: string[] = [];
for (const file of files) {
  const path = join(root, file);
  for (const { target, line } of linksOf(readFileSync(path, 'utf8'))) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
    links++;
    const why = broken(path, target);
    if (why) problems.push(`${file}:${line}: ${target}: ${why}`);
  }
}
for (const problem of problems) console.error(problem);
console.log(`${links} relative links in ${files.length} Markdown files, ${problems.length} broken`);
process.exitCode = problems.length === 0 ? 0 : 1;

function linksOf(text: string): { target: string; line: number }[] {
  const found: { target: string; line: number }[] = [];
  let fence = '';
  text.split('\n').forEach((row, index) => {
    const mark = /^\s*(```+|~~~+)/.exec(row)?.[1] ?? '';
    if (mark !== '' && (fence === '' || mark.startsWith(fence))) fence = fence === '' ? mark : '';
    if (fence !== '' || mark !== '') return;
    const prose = row.replace(/`[^`]*`/g, '');
    const inline = prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g);
    const reference = prose.matchAll(/^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$/g);
    const html = prose.matchAll(/<(?:img|a)\b[^>]*\b(?:src|href)="([^"]+)"/g);
    for (const match of [...inline, ...reference, ...html]) found.push({ target: match[1] ?? '', line: index + 1 });
  });
  return found;
}

function broken(from: string, target: string): string | null {
  const [path = '', heading] = target.split('#');
  const file =
    path === '' ? from : resolve(path.startsWith('/') ? root : dirname(from), decodeURIComponent(path).replace(/^\//, ''));
  if (relative(root, file).startsWith('..')) return 'leads out of the project';
  if (!existsSync(file)) return 'does not exist';
  if (heading === undefined || heading === '' || statSync(file).isDirectory() || !file.endsWith('.md')) return null;
  return headingsOf(readFileSync(file, 'utf8')).has(heading.toLowerCase()) ? null : 'has no such heading';
}

/** As GitHub makes anchors: lower case, punctuation gone, spaces to dashes, a number after repeats. */
function headingsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, title = ''] of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`);
  }
  return anchors;
}
