/** Reads the facts for containment: the shape of the failing DAG, what failed in its runs, the state of whoever may be held, the audit cursor. */
import type { AirflowClient } from '../airflow/client.ts';
import type { Outcome, Survey, SwitchFacts } from '../core/events.ts';
import type { DagFacts, DagRef, TaskFacts } from '../core/facts.ts';
import type { Incident } from '../core/incident.ts';
import { walk } from '../core/lineage.ts';
import { settledOp } from '../core/ownership.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isGone } from './outcome.ts';
import { OTHERS_WITHIN_MS, soon } from './soon.ts';

const PAGE = 100;

type Act = { readonly airflow: string; readonly incidentId: string; readonly elsewhere?: true };

/** Nothing waits for it, so a slow Airflow is given time. */
const ELSEWHERE_WITHIN_MS = 60_000;

export async function survey(deps: EffectDeps, act: Act): Promise<Outcome> {
  try {
    const incident = (await deps.snapshot()).incidents.find((i) => i.id === act.incidentId);
    if (!incident) return { result: 'failed', error: 'the incident is over', retry: false };
    // The first failure may be heard before the first look at this Airflow has ended.
    if (!deps.world.hasRead(act.airflow)) await deps.resurvey(act.airflow);
    if (!deps.world.hasRead(act.airflow)) return { result: 'failed', error: 'the lineage has not been read yet', retry: true };
    return done({ kind: 'survey', survey: await read(deps, incident, act.elsewhere ? ELSEWHERE_WITHIN_MS : OTHERS_WITHIN_MS) });
  } catch (error) {
    return failure(error);
  }
}

async function read(deps: EffectDeps, incident: Incident, othersWithinMs: number): Promise<Survey> {
  const client = deps.client(incident.airflow);
  const last = incident.runs.filter((r) => r.role === 'cause').at(-1);
  const reached = walk(deps.world.edges(), incident, null).reached;
  const own = [...reached, ...(deps.policy.hold.pauseFailingDag ? [incident] : [])].filter((d) => d.airflow === incident.airflow);
  const elsewhere = Map.groupBy(
    reached.filter((d) => d.airflow !== incident.airflow),
    (d) => d.airflow,
  );
  const [taskGraph, run, tasks, mine, others] = await Promise.all([
    client.getTaskGraph(incident.dagId).catch(() => null),
    last ? client.getRun(last.dagId, last.runId) : null,
    last
      ? client.listTasks(last.dagId, last.runId).catch((e: unknown) => (isGone(e) ? [] : Promise.reject(e)))
      : ([] as TaskFacts[]),
    switches(deps, incident.airflow, own),
    Promise.all([...elsewhere].map(([airflow, dags]) => soon(switches(deps, airflow, dags), () => true, othersWithinMs))),
  ]);
  return { taskGraph, run, tasks, switches: [mine, ...others.flatMap((s) => s ?? [])] };
}

async function switches(deps: EffectDeps, airflow: string, wanted: readonly DagRef[]): Promise<SwitchFacts> {
  const client = deps.client(airflow);
  const owned = (await deps.snapshot()).ownerships.filter((o) => o.airflow === airflow);
  // Before the pause states: whoever pauses a DAG after we saw it running must stand behind the cursor, or their pause would pass for ours. And of the
  // log of the DAG's own Airflow: behind another one's number its rows may never come.
  const cursor = await client.auditCursor();
  const dags = await statesOf(deps, client, wanted);
  const found = new Set(dags.map((d) => d.dagId));
  return {
    airflow,
    dags,
    unknown: wanted.map((d) => d.dagId).filter((dagId) => !found.has(dagId)),
    auditCursor: cursor.readable ? cursor.id : null,
    auditGap: cursor.readable ? null : cursor.why,
    ops: Object.fromEntries(owned.map((o) => [o.dagId, settledOp(o)])),
  };
}

/** From the list when that costs fewer calls than asking one by one. */
async function statesOf(deps: EffectDeps, client: AirflowClient, wanted: readonly DagRef[]): Promise<readonly DagFacts[]> {
  if (wanted.length === 0) return [];
  const pages = Math.max(1, Math.ceil(deps.world.dagCount(client.id) / PAGE));
  if (wanted.length > pages) return client.listDags();
  const found = await Promise.all(
    wanted.map((d) => client.getDag(d.dagId).catch((e: unknown) => (isGone(e) ? null : Promise.reject(e)))),
  );
  return found.filter((d): d is DagFacts => d !== null);
}
