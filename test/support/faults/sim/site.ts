/** A site from a seed: DAGs with their links, a policy, a version of Airflow. And what the links mean, worked out from the definitions alone. */
import type { LineageEdge } from '../../../../src/core/facts.ts';
import { NOTIFY_EVENTS, type Policy } from '../../../../src/core/policy.ts';
import { POLICY } from '../../../core/scenario.ts';
import type { Condition, DagSpec, TaskSpec } from '../../fakeAirflow/types.ts';
import { leaves } from '../../fakeAirflow/world.ts';
import type { Chance } from './chance.ts';

export interface Site {
  readonly version: string;
  readonly pageCap: number;
  readonly dags: ReadonlyMap<string, DagSpec>;
  readonly policy: Policy;
  /** Links that are declared in the configuration: nothing in Airflow shows them. */
  readonly edges: readonly LineageEdge[];
  readonly intervalMs: number;
  readonly surveyIntervalMs: number;
  /** The audit log may be hidden from our account for a while. */
  readonly hidesAudit: boolean;
  readonly callbackLoss: number;
  /** Our clock minus Airflow's. */
  readonly skewMs: number;
}

const MINUTE = 60_000;

export function makeSite(chance: Chance, start: number): Site {
  const dags = new Map<string, DagSpec>();
  const count = chance.int(3, 9);
  for (let i = 0; i < count; i++) {
    const earlier = [...dags.keys()];
    const spec = makeDag(chance, dags, i, start);
    dags.set(`d${i}`, spec);
    // Started by a task of an earlier DAG: never by a later one, or the site would run for ever.
    if (spec.schedule === null && earlier.length > 0 && chance.hit(0.5))
      addCall(dags, chance.pick(earlier), `d${i}`, chance.hit(0.3));
  }
  const names = [...dags.keys()];
  const declared =
    names.length > 3 && chance.hit(0.2) ? [declare(names[0] ?? '', names[names.length - 1] ?? '')] : ([] as LineageEdge[]);
  return {
    version: chance.pick(['3.3.2', '3.3.2', '3.1.8', '3.0.6', '2.11.2', '2.11.2', '2.9.3']),
    pageCap: chance.pick([100, 100, 100, 5]),
    dags,
    policy: makePolicy(chance, names),
    edges: declared,
    intervalMs: chance.pick([10_000, 30_000, 60_000]),
    surveyIntervalMs: chance.pick([5, 15]) * MINUTE,
    hidesAudit: chance.hit(0.12),
    callbackLoss: chance.pick([0, 0.2, 1]),
    skewMs: 0,
  };
}

function addCall(dags: Map<string, DagSpec>, from: string, to: string, wait: boolean): void {
  const spec = dags.get(from);
  if (spec) dags.set(from, { ...spec, tasks: { ...spec.tasks, [`call_${to}`]: { triggers: { dagId: to, wait }, ms: 500 } } });
}

const declare = (from: string, to: string): LineageEdge => ({
  from: { airflow: 'prod', dagId: from },
  to: { airflow: 'prod', dagId: to },
  ...{ kind: 'config', via: 'declared', fromTasks: null, waits: null, source: 'config' },
});

const isTimed = (spec: DagSpec | undefined): boolean =>
  spec?.schedule !== null && spec?.schedule !== undefined && 'every' in spec.schedule;

/** A later DAG reads earlier ones only, so a fresh deployment never makes a cycle of assets. */
export function makeDag(chance: Chance, dags: ReadonlyMap<string, DagSpec>, i: number, start: number): DagSpec {
  const earlier = [...dags.keys()];
  const timed = earlier.filter((d) => isTimed(dags.get(d)));
  const kind =
    earlier.length === 0
      ? 'source'
      : chance.weighted([
          [2, 'source'],
          [8, 'assets'],
          [timed.length > 0 ? 1 : 0, 'sensor'],
        ] as const);
  const waited = kind === 'sensor' ? chance.pick(timed) : null;
  const tasks: Record<string, TaskSpec> = {
    make: { outlets: [`s3://d${i}`], ms: chance.int(500, 20_000), retries: chance.hit(0.1) ? 1 : 0 },
  };
  if (chance.hit(0.3)) tasks.make = { ...tasks.make, downstream: ['after'] };
  if (tasks.make?.downstream) tasks.after = { ms: 1_000, ...(chance.hit(0.3) ? { rule: 'all_done' as const } : {}) };
  if (chance.hit(0.3)) tasks.side = { outlets: [`s3://d${i}.side`], ms: chance.int(500, 5_000) };
  if (kind === 'sensor') tasks.wait = { waitsFor: { dagId: waited ?? '' }, downstream: ['make'] };
  const scheduled = kind === 'source' && chance.hit(0.4);
  const every = chance.pick([5, 10, 20, 60]) * MINUTE;
  const assets = kind === 'assets' ? { assets: condition(chance, earlier) } : null;
  const tags = chance.weighted<readonly string[]>([
    [12, []],
    [1, ['firedamper:never']],
    [1, ['firedamper:ask']],
    [1, ['firedamper:latest-heals']],
    [1, ['tier:1']],
  ]);
  return {
    tasks,
    // A sensor waits for the same date, so both have one schedule.
    schedule: waited !== null ? (dags.get(waited)?.schedule ?? null) : scheduled ? { every, start: start - 50 * every } : assets,
    catchup: chance.hit(0.3),
    paused: chance.hit(0.08),
    tags,
    ...(chance.hit(0.1) ? { maxActiveRuns: 1 } : {}),
    ...(chance.hit(0.05) ? { timeoutSeconds: 600 } : {}),
  };
}

function condition(chance: Chance, earlier: readonly string[]): Condition {
  const uri = () => `s3://${chance.pick(earlier)}${chance.hit(0.15) ? '.side' : ''}`;
  const two = [uri(), uri()].filter((u, i, all) => all.indexOf(u) === i);
  return chance.weighted<Condition>([
    [6, two[0] ?? ''],
    [2, { all: two }],
    [2, { any: two }],
  ]);
}

function makePolicy(chance: Chance, names: readonly string[]): Policy {
  return {
    ...POLICY,
    mode: chance.hit(0.04) ? 'shadow' : 'armed',
    hold: {
      ...POLICY.hold,
      at: chance.hit(0.1) ? 'run_end' : 'task_failure',
      maxDags: chance.hit(0.1) ? 2 : 50,
      protectedDags: chance.hit(0.15) ? [chance.pick(names)] : [],
      pauseFailingDag: chance.hit(0.1),
      reviewAfterMs: chance.pick([10 * MINUTE, 86_400_000]),
    },
    platform: { massFailureDags: 20, windowMs: MINUTE },
    release: {
      mode: chance.hit(0.2) ? 'confirm' : 'automatic',
      withoutAuditLog: chance.hit(0.3) ? 'observed' : 'ask',
      missedIntervals: chance.hit(0.2) ? 'backfill' : 'as_airflow',
    },
    repair: { ...POLICY.repair, maxActiveRuns: chance.int(1, 3), stuckAfterMs: 20 * MINUTE, allowSelfApproval: chance.hit(0.2) },
    verify: { requirePerson: chance.hit(0.1) },
    monitor: { reopenWithinMs: chance.pick([30 * MINUTE, 86_400_000]), settleWithinMs: 2 * MINUTE },
    channels: [{ id: 'chat', events: [...NOTIFY_EVENTS] }],
  };
}

/** DAGs behind these ones, by the definitions; a DAG is not behind itself. */
export function behind(
  dags: ReadonlyMap<string, DagSpec>,
  edges: readonly LineageEdge[],
  from: ReadonlySet<string>,
): Set<string> {
  const next = new Map<string, Set<string>>();
  const link = (a: string, b: string) => next.set(a, (next.get(a) ?? new Set()).add(b));
  for (const e of edges) link(e.from.dagId, e.to.dagId);
  for (const [id, spec] of dags) {
    for (const uri of assetsOf(spec))
      for (const [maker, made] of dags) if (Object.values(made.tasks).some((t) => t.outlets?.includes(uri))) link(maker, id);
    for (const task of Object.values(spec.tasks)) {
      if (task.triggers) link(id, task.triggers.dagId);
      if (task.waitsFor) link(task.waitsFor.dagId, id);
    }
  }
  const found = new Set<string>();
  const queue = [...from];
  for (let dag = queue.pop(); dag !== undefined; dag = queue.pop())
    for (const to of next.get(dag) ?? []) {
      if (found.has(to)) continue;
      found.add(to);
      queue.push(to);
    }
  return found;
}

export const assetsOf = (spec: DagSpec): string[] =>
  spec.schedule !== null && spec.schedule !== undefined && 'assets' in spec.schedule ? leaves(spec.schedule.assets) : [];
