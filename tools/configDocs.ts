/**
 * The README's table of the configuration, made from the table that the loader itself uses.
 *
 *   node tools/configDocs.ts                     prints it
 *   node tools/configDocs.ts --write README.md   puts it between the two marks of that file
 *   node tools/configDocs.ts --check README.md   fails where that file has another one
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configMarkdown } from '../src/config/template.ts';

const BEGIN = '<!-- configuration: made by tools/configDocs.ts -->';
const END = '<!-- /configuration -->';

const [mode, file] = process.argv.slice(2);
if (mode === undefined) console.log(configMarkdown());
else if ((mode !== '--write' && mode !== '--check') || file === undefined)
  fail('usage: configDocs.ts [--write FILE | --check FILE]');
else {
  const before = readFileSync(file, 'utf8');
  const [from, to] = [before.indexOf(BEGIN), before.indexOf(END)];
  if (from < 0 || to < from) fail(`${file} has no place for the table: the lines ${BEGIN} and ${END}`);
  const after = `${before.slice(0, from)}${BEGIN}\n\n${configMarkdown()}\n\n${before.slice(to)}`;
  if (mode === '--write') writeFileSync(file, after);
  else if (after !== before)
    fail(
      `${file}: the table of the configuration is not that of src/config/table.ts; node tools/configDocs.ts --write ${file} mends it`,
    );
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
