/**
 * The gate: a DAG that must not be paused asks, at the start of its run, whether what it reads is right. The same facts as containment, asked the other
 * way round.
 */
import { type State, sameDag } from './draft.ts';
import type { World } from './events.ts';
import type { DagRef } from './facts.ts';
import { ofThisEpisode } from './holding.ts';
import type { Incident, Spared } from './incident.ts';
import { isOver, isUnderWay } from './lifecycle.ts';
import { blocksRepair, describePath, walk } from './lineage.ts';
import type { ReasonCode } from './reason.ts';

type GateState = Pick<State, 'incidents' | 'holds' | 'intents'>;

export interface Covering {
  readonly incident: Incident;
  /** From the failing DAG to the one that asks, one text per link. */
  readonly path: readonly string[];
}

export interface GateAnswer {
  /** `wait`: an open incident covers what this DAG reads. */
  readonly decision: 'pass' | 'wait';
  /** Those of shadow mode are among them, and make nobody wait. */
  readonly covering: readonly Covering[];
}

/** Spared from a pause, and its input is bad all the same. */
const STILL_BAD: ReadonlySet<ReasonCode> = new Set(['protected', 'never_tag', 'ask_tag', 'over_cap', 'over_depth']);

export function gate(state: GateState, world: World, dag: DagRef): GateAnswer {
  const covering = state.incidents
    .filter((i) => !isOver(i.status) && !i.releasing && i.type !== 'platform')
    .flatMap((i) => covers(state, world, i, dag) ?? []);
  return { decision: covering.some((c) => c.incident.mode === 'armed') ? 'wait' : 'pass', covering };
}

/** Not known yet whether it is to be held: its Airflow may be asked still, or does not answer. */
function isLookedUp({ intents }: GateState, incident: Incident, dag: DagRef): boolean {
  if (incident.surveyPending) return true;
  const silent = incident.gaps.some((g) => g.source === 'other_airflow');
  const asked = intents.some(
    ({ act: a, state }) => isUnderWay(state) && a.kind === 'survey_elsewhere' && a.incidentId === incident.id,
  );
  return dag.airflow !== incident.airflow && (silent || asked || incident.status === 'open');
}

/** A hold that a person released or took over is a person's word that this DAG may run. */
function covers(state: GateState, world: World, incident: Incident, dag: DagRef): Covering | null {
  const hold = state.holds
    .filter((h) => h.incidentId === incident.id && sameDag(h, dag) && (h.releasedAt === null || ofThisEpisode(incident, h)))
    .at(-1);
  if (hold) return hold.releasedAt === null && hold.state !== 'ceded' ? { incident, path: hold.path } : null;
  const spared: Spared | undefined = incident.spared.find((d) => sameDag(d, dag));
  // Not affected by what had failed before; of what failed a moment ago nobody knows it yet.
  const old = incident.surveyPending && spared?.reason.code === 'not_affected';
  if (spared && !old) return STILL_BAD.has(spared.reason.code) ? { incident, path: spared.path } : null;
  // Heard a moment ago: who is affected is being looked up. Until then the whole DAG counts as failed, the safe side is to wait.
  if (!isLookedUp(state, incident, dag) || blocksRepair(world.edges(), incident, dag)) return null;
  const reached = walk(world.edges(), incident, null).reached.find((d) => sameDag(d, dag));
  return reached ? { incident, path: describePath(reached.edges) } : null;
}
