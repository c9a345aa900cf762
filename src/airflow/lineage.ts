/**
 * The whole cross-DAG graph as far as this Airflow tells it. Three layers: assets with their producing tasks; Airflow's own graph, which
 * knows triggers and sensors before anything ran; and where that graph is not to be had, the tasks of every DAG, one by one. A layer that
 * is missing or forbidden becomes a gap that people see, never an error, unless all of them fail.
 */
import type { AssetFacts, LineageEdge, LineageGap, LineageSource } from '../core/facts.ts';
import { type AirflowClient, AirflowError } from './client.ts';
import { createPortions, type Portions, type Read } from './lineageCache.ts';
import { type Graph, isTemplated, type Link, linksOf, mergeEdges } from './lineageGraph.ts';
import { type Fields, sensorFacts, triggerFacts } from './lineageTasks.ts';
import { nullWhenMissing } from './missing.ts';

export interface LineageParts {
  readonly airflow: string;
  readonly now: () => number;
  readonly sources: { readonly assets: LineageSource; readonly graph: LineageSource };
  readonly assets: () => Promise<readonly AssetFacts[]>;
  /** null: this Airflow has no such graph for us (2.x without a session). */
  readonly graph: () => Promise<Graph | null>;
  /**
   * Whether that graph shows a trigger or sensor whose other DAG is a template: 2.x draws it with the Jinja text, 3.x leaves it out (2.11.2,
   * 3.3.2), so there the tasks of the DAGs are looked through as well.
   */
  readonly graphShowsTemplates: boolean;
  /** Trigger and sensor tasks of one DAG. */
  readonly linkingTasks: (dagId: string) => Promise<readonly LinkingTask[]>;
  /** Rendered fields of the newest task instance that has any; null where it never ran. */
  readonly fields: (dagId: string, taskId: string) => Promise<Fields | null>;
}

/** A task that joins its DAG to another one. */
export interface LinkingTask {
  readonly dagId: string;
  readonly taskId: string;
  readonly kind: 'trigger' | 'sensor';
}

/** At most so many single questions per survey and kind; the rest follow at the next one and are named as a gap until then. */
const portion = 100;
const minute = 60_000;
/** Beside the graph, looking through the tasks only finds templated links: rare, so it may take its time. */
const scanAgainMs = { insteadOfGraph: 15 * minute, besideGraph: 6 * 60 * minute };

export const createLineage = (parts: LineageParts): AirflowClient['getLineage'] => {
  const fields = createPortions<Fields>({ most: portion, keepMs: 60 * minute, keepNothingMs: 2 * minute, now: parts.now });
  const keepMs = parts.graphShowsTemplates ? scanAgainMs.insteadOfGraph : scanAgainMs.besideGraph;
  const tasks = createPortions<readonly LinkingTask[]>({ most: portion, keepMs, keepNothingMs: 2 * minute, now: parts.now });

  return async (dagIds) => {
    const gaps: LineageGap[] = [];
    const failures: AirflowError[] = [];
    const [known, assets, graph] = await Promise.all([
      dagIds(),
      orGap(parts.sources.assets, gaps, failures, parts.assets),
      orGap(parts.sources.graph, gaps, failures, parts.graph),
    ]);
    if (assets === null && graph === null && failures.length === 2 && failures[0] !== undefined) throw failures[0];

    const context: Context = { parts, known: new Set(known), assets: assets ?? [], gaps };
    const drawn = graph === null ? [] : linksOf(graph);
    const inGraph = drawn.flatMap(linkingTaskOf);
    const scanned = graph !== null && parts.graphShowsTemplates ? [] : without(await scan(context, tasks), inGraph);
    const rendered = await readFields(context, fields, [...inGraph, ...scanned]);
    const edges = mergeEdges([
      ...assetEdges(context),
      ...unlistedAssetEdges(context, drawn),
      ...drawnEdges(context, drawn, rendered),
      ...scannedEdges(context, scanned, rendered),
    ]);
    // Answers come in any order; what people read of the same facts must not.
    gaps.sort((a, b) => (`${a.source} ${a.why}` < `${b.source} ${b.why}` ? -1 : 1));
    return { airflow: parts.airflow, edges, gaps, seenAt: new Date(parts.now()).toISOString() };
  };
};

interface Context {
  readonly parts: LineageParts;
  readonly known: ReadonlySet<string>;
  readonly assets: readonly AssetFacts[];
  readonly gaps: LineageGap[];
}

const taskKey = (task: LinkingTask): string => JSON.stringify([task.dagId, task.taskId]);
const splitKey = (key: string): [string, string] => JSON.parse(key) as [string, string];

const without = (tasks: readonly LinkingTask[], others: readonly LinkingTask[]): readonly LinkingTask[] => {
  const left = new Set(others.map(taskKey));
  return tasks.filter((task) => !left.has(taskKey(task)));
};

const orGap = async <T>(
  source: LineageSource,
  gaps: LineageGap[],
  failures: AirflowError[],
  read: () => Promise<T | null>,
): Promise<T | null> => {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof AirflowError)) throw error;
    gaps.push({ source, why: error.message });
    failures.push(error);
    return null;
  }
};

const readFields = async (
  context: Context,
  fields: Portions<Fields>,
  linking: readonly LinkingTask[],
): Promise<ReadonlyMap<string, Fields>> => {
  const asked = linking.filter((task) => context.known.has(task.dagId)).map(taskKey);
  const read = await fields.read(asked, (key) => nullWhenMissing(context.parts.fields(...splitKey(key))));
  context.gaps.push(...unread(`${read.open} trigger or sensor tasks are still to be looked at`, read));
  return read.found;
};

const scan = async (context: Context, portions: Portions<readonly LinkingTask[]>): Promise<readonly LinkingTask[]> => {
  const read = await portions.read([...context.known], (dagId) => nullWhenMissing(context.parts.linkingTasks(dagId)));
  context.gaps.push(...unread(`the tasks of ${read.open} DAGs are still to be read`, read));
  return [...read.found.values()].flat();
};

/** What was not asked yet leaves its detail unknown; edges stand without it, on the side of holding more. */
const unread = (what: string, read: Read<unknown>): readonly LineageGap[] =>
  read.open === 0 ? [] : [{ source: 'rendered_fields', why: read.failure === null ? what : `${what}; ${read.failure.message}` }];

const edge = (
  context: Context,
  about: Omit<LineageEdge, 'from' | 'to'> & { readonly from: string; readonly to: string },
): readonly LineageEdge[] => {
  // The graph keeps DAGs that were deleted, on 2.x a phantom, and Jinja texts: only what is a DAG here can be held.
  if (!context.known.has(about.from) || !context.known.has(about.to) || about.from === about.to) return [];
  const { airflow } = context.parts;
  return [{ ...about, from: { airflow, dagId: about.from }, to: { airflow, dagId: about.to } }];
};

const assetEdges = (context: Context): readonly LineageEdge[] =>
  context.assets.flatMap((asset) => {
    const byDag = Map.groupBy(asset.producers, (producer) => producer.dagId);
    return [...byDag].flatMap(([from, producers]) => {
      const fromTasks = producers.map((one) => one.taskId);
      const source = context.parts.sources.assets;
      return asset.consumers.flatMap((to) =>
        edge(context, { from, to, kind: 'asset', via: asset.name, fromTasks, waits: false, source }),
      );
    });
  });

/**
 * What the asset list does not know: aliases, and references by name or URI (3.0.6-3.3.2), or everything where the list is a gap. Which
 * task fills them is not told.
 */
const unlistedAssetEdges = (context: Context, links: readonly Link[]): readonly LineageEdge[] => {
  const listed = new Set(assetEdges(context).map((one) => JSON.stringify([one.from.dagId, one.to.dagId, one.via])));
  const source = context.parts.sources.graph;
  return links
    .filter((link) => link.kind === 'asset' && !listed.has(JSON.stringify([link.from, link.to, link.via])))
    .flatMap((link) =>
      edge(context, { from: link.from, to: link.to, kind: 'asset', via: link.via, fromTasks: null, waits: false, source }),
    );
};

/** A trigger task lives in the DAG before the edge, a sensor in the one behind it. */
const linkingTaskOf = (link: Link): readonly LinkingTask[] => {
  if (link.kind === 'trigger') return [{ dagId: link.from, taskId: link.via, kind: 'trigger' }];
  return link.kind === 'sensor' ? [{ dagId: link.to, taskId: link.via, kind: 'sensor' }] : [];
};

const drawnEdges = (context: Context, links: readonly Link[], rendered: ReadonlyMap<string, Fields>): readonly LineageEdge[] =>
  links.flatMap((link) => {
    const [task] = linkingTaskOf(link);
    if (task === undefined) return [];
    const fields = rendered.get(taskKey(task));
    return task.kind === 'trigger' ? triggerEdge(context, link, task, fields) : sensorEdge(context, link, task, fields);
  });

const triggerEdge = (context: Context, link: Link, task: LinkingTask, fields: Fields | undefined): readonly LineageEdge[] => {
  const facts = triggerFacts(fields);
  const { graph } = context.parts.sources;
  const to = isTemplated(link.to) ? facts.target : link.to;
  if (to === null) return unknownTarget(context, task);
  const source = isTemplated(link.to) ? 'rendered_fields' : graph;
  return edge(context, {
    from: link.from,
    to,
    kind: 'trigger',
    via: link.via,
    fromTasks: [link.via],
    waits: facts.waits,
    source,
  });
};

const sensorEdge = (context: Context, link: Link, task: LinkingTask, fields: Fields | undefined): readonly LineageEdge[] => {
  const facts = sensorFacts(fields);
  const from = isTemplated(link.from) ? facts.dagId : link.from;
  if (from === null) return unknownTarget(context, task);
  const source = isTemplated(link.from) ? 'rendered_fields' : context.parts.sources.graph;
  const fromTasks = facts.dagId === from ? facts.taskIds : null;
  return edge(context, { from, to: link.to, kind: 'sensor', via: link.via, fromTasks, waits: false, source });
};

const scannedEdges = (
  context: Context,
  linking: readonly LinkingTask[],
  rendered: ReadonlyMap<string, Fields>,
): readonly LineageEdge[] =>
  linking.flatMap((task) => {
    const fields = rendered.get(taskKey(task));
    const target = task.kind === 'trigger' ? triggerFacts(fields).target : sensorFacts(fields).dagId;
    if (target === null) return unknownTarget(context, task);
    const source = fields?.[fromLink] === true ? 'extra_links' : 'rendered_fields';
    return task.kind === 'trigger'
      ? edge(context, {
          from: task.dagId,
          to: target,
          kind: 'trigger',
          via: task.taskId,
          fromTasks: [task.taskId],
          waits: triggerFacts(fields).waits,
          source,
        })
      : edge(context, {
          from: target,
          to: task.dagId,
          kind: 'sensor',
          via: task.taskId,
          fromTasks: sensorFacts(fields).taskIds,
          waits: false,
          source,
        });
  });

/** Marks fields that were put together from a link instead of having been rendered. */
export const fromLink = 'firedamper:from_link';

/** Not known until the task has run once: said by name, so that the configuration can name the edge. */
const unknownTarget = (context: Context, task: LinkingTask): readonly [] => {
  const named = task.kind === 'trigger' ? 'starts' : 'waits for';
  context.gaps.push({
    source: 'rendered_fields',
    why: `which DAG ${task.dagId}.${task.taskId} ${named} is not known before it has run`,
  });
  return [];
};
