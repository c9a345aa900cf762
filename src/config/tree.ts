import { type KeyRow, type SectionRow, TABLE } from './table.ts';

/** The flat table as a tree, in the table's order. */
export interface Branch {
  /** `airflows[].auth.username`; '' for the root. */
  readonly path: string;
  readonly name: string;
  readonly row: KeyRow<unknown> | SectionRow;
  readonly isList: boolean;
  readonly children: Map<string, Branch>;
}

export const isSection = (row: Branch['row']): row is SectionRow => 'section' in row;

export const ROOT: Branch = (() => {
  const root: Branch = { path: '', name: '', row: { section: '', least: 0 }, isList: false, children: new Map() };
  for (const [path, row] of Object.entries(TABLE)) {
    const steps = path.split('.').map((step) => step.replace('[]', ''));
    const name = steps.pop() ?? '';
    let parent: Branch | undefined = root;
    for (const step of steps) parent = parent?.children.get(step);
    if (!parent) throw new Error(`configuration table: ${path} stands before its section`);
    parent.children.set(name, { path, name, row, isList: path.endsWith('[]'), children: new Map() });
  }
  return root;
})();
