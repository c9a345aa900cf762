/**
 * Every generated type file is what its description under `openapi/` gives today. `npm run generate` mends it.
 *
 *   node tools/checkSchemas.ts
 */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';

const root = join(import.meta.dirname, '..');
// The scripts that make the files are the one list of what is made from what.
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const pairs = Object.values(scripts).flatMap((script) => {
  const [, from, to] = /^openapi-typescript (\S+) -o (\S+)$/.exec(script) ?? [];
  return from && to ? [{ from, to }] : [];
});
if (pairs.length === 0) throw new Error('package.json has no script "openapi-typescript FROM -o TO": nothing would be checked');

let stale = 0;
for (const { from, to } of pairs) {
  const made = `${COMMENT_HEADER}${astToString(await openapiTS(pathToFileURL(join(root, from)), { silent: true }))}`;
  if (made === readFileSync(join(root, to), 'utf8')) continue;
  stale++;
  console.error(`${relative(root, join(root, to))} is not what ${from} gives; npm run generate mends it`);
}
console.log(`${pairs.length} generated type files, ${stale} stale`);
process.exitCode = stale === 0 ? 0 : 1;
