/**
 * The program with one promise taken out, for negative controls: a copy of the sources with one place changed. A place that is not found exactly
 * once fails, so that a control cannot silently become the program itself.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder, ROOT } from './program.ts';

export interface Change {
  /** Below `src/`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Variant {
  readonly root: string;
  remove(): void;
}

export function makeVariant(name: string, changes: readonly Change[]): Variant {
  const root = newFolder(`variant-${name}`);
  for (const part of ['src', 'openapi', 'package.json']) cpSync(join(ROOT, part), join(root, part), { recursive: true });
  mkdirSync(root, { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const { file, from, to } of changes) {
    const path = join(root, 'src', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(from).length !== 2)
      throw new Error(
        `control ${name}: ${JSON.stringify(from)} is not found exactly once in src/${file}; bring the control up to date`,
      );
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
