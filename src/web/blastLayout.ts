import { Graph, layout as place } from '@dagrejs/dagre';
import type { Blast, BlastDag, BlastLink, Mark } from './blast.ts';

/**
 * Where everything stands in the picture. Many DAGs that differ in nothing but their name (same source, same way, same state, nothing
 * behind them) share one box: fifty lines into fifty boxes would say less than one line into one.
 */
export interface Box {
  readonly key: string;
  readonly mark: Mark;
  readonly dags: readonly BlastDag[];
  readonly columns: number;
  x: number;
  y: number;
  readonly width: number;
  readonly height: number;
}

export interface Line {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly kinds: string;
  readonly via: string;
  /** Middle of the label; null where the picture would be too full of labels. */
  readonly at: { readonly x: number; readonly y: number } | null;
  readonly full: string;
  readonly kind: string;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
  /** DAGs that are in the table only. */
  readonly left: number;
}

export const BOX = { width: 178, height: 46, chip: 26, gap: 6, head: 26, pad: 8 } as const;
/** More alike leaves than this share a box. */
const BUNDLE_FROM = 5;
/** Beyond this a picture helps nobody; the table has the rest, and the page says so. */
const MAX_BOXES = 120;
const MAX_LABELS = 40;
const MAX_CHIPS = 60;
const LABEL_CHARS = 22;
const CHAR_WIDTH = 5.8;

export function pictureOf(blast: Blast): Picture {
  const { boxes, links, left } = boxesOf(blast);
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: 'LR', rankalign: 'top', nodesep: 14, ranksep: 34, edgesep: 12, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const box of boxes) graph.setNode(box.key, { width: box.width, height: box.height });
  const labels = links.length <= MAX_LABELS;
  for (const link of links) {
    const chars = Math.max(shortened(viaOf(link)).length, kindsOf(link).length);
    graph.setEdge(link.from, link.to, labels ? { width: chars * CHAR_WIDTH + 4, height: 30, labelpos: 'c' } : {});
  }
  place(graph);
  for (const box of boxes) {
    const { x = 0, y = 0 } = graph.node(box.key);
    Object.assign(box, { x: x - box.width / 2, y: y - box.height / 2 });
  }
  const lines = links.map((link): Line => {
    const { points = [], x, y } = graph.edge(link.from, link.to);
    const at = labels && x !== undefined && y !== undefined ? { x, y } : null;
    const [kinds, via] = [kindsOf(link), viaOf(link)];
    return { points, kinds, via: shortened(via), full: `${kinds}: ${via}`, at, kind: link.kinds[0] ?? 'config' };
  });
  const { width = 0, height = 0 } = graph.graph();
  return { width: Math.ceil(width), height: Math.ceil(height), boxes, lines, left };
}

function boxesOf(blast: Blast): { boxes: Box[]; links: readonly BlastLink[]; left: number } {
  const bundles = bundlesOf(blast);
  const bundleOf = new Map(bundles.flatMap((dags) => dags.map((dag) => [dag.key, dags] as const)));
  const all = blast.dags.flatMap((dag): Box[] => {
    const bundle = bundleOf.get(dag.key);
    if (bundle === undefined) return [single(dag)];
    return bundle[0] === dag ? [bundled(bundle)] : [];
  });
  const boxes = all.slice(0, MAX_BOXES);
  const shown = new Set(boxes.map((box) => box.key));
  const boxKey = (key: string) => bundleOf.get(key)?.[0]?.key ?? key;
  const links = new Map<string, BlastLink>();
  for (const link of blast.links) {
    const [from, to] = [boxKey(link.from), boxKey(link.to)];
    if (shown.has(from) && shown.has(to) && !links.has(`${from}${to}`)) links.set(`${from}${to}`, { ...link, from, to });
  }
  const hidden = all.slice(MAX_BOXES).reduce((sum, box) => sum + box.dags.length, 0);
  return { boxes, links: [...links.values()], left: hidden };
}

function bundlesOf(blast: Blast): readonly (readonly BlastDag[])[] {
  const parents = new Set(blast.links.map((link) => link.from));
  const groups = new Map<string, BlastDag[]>();
  for (const dag of blast.dags) {
    const into = blast.links.filter((link) => link.to === dag.key);
    const [link] = into;
    if (parents.has(dag.key) || into.length !== 1 || link === undefined) continue;
    const alike = JSON.stringify([link.from, dag.mark, link.kinds, link.via]);
    groups.set(alike, [...(groups.get(alike) ?? []), dag]);
  }
  return [...groups.values()].filter((dags) => dags.length > BUNDLE_FROM);
}

const single = (dag: BlastDag): Box => ({
  key: dag.key,
  mark: dag.mark,
  dags: [dag],
  columns: 1,
  x: 0,
  y: 0,
  width: BOX.width,
  height: BOX.height,
});

function bundled(dags: readonly BlastDag[]): Box {
  const shown = Math.min(dags.length, MAX_CHIPS);
  const columns = Math.min(3, Math.max(1, Math.ceil(Math.sqrt(shown / 5))));
  const rows = Math.ceil(shown / columns) + (dags.length > shown ? 1 : 0);
  const width = columns * (BOX.width + BOX.gap) - BOX.gap + 2 * BOX.pad;
  const height = BOX.head + rows * (BOX.chip + BOX.gap) - BOX.gap + 2 * BOX.pad;
  const first = dags[0] as BlastDag;
  return { key: first.key, mark: first.mark, dags, columns, x: 0, y: 0, width, height };
}

export const chipsOf = (box: Box): readonly BlastDag[] => box.dags.slice(0, MAX_CHIPS);

const kindsOf = (link: BlastLink): string => link.kinds.join(', ');
const viaOf = (link: BlastLink): string => link.via.filter((text) => text !== '').join(', ');

/** The end of a long name tells more than its middle. */
export function shortened(text: string, chars: number = LABEL_CHARS): string {
  const letters = [...text];
  if (letters.length <= chars) return text;
  const tail = Math.floor(chars / 2) - 1;
  return `${letters.slice(0, chars - tail - 1).join('')}…${letters.slice(-tail).join('')}`;
}
