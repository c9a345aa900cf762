/** Reads the facts for containment: the shape of the failing DAG, what failed in its runs, the state of whoever may be held, the audit cursor. */
import type { AirflowClient } from '../airflow/client.ts';
import type { Outcome, Survey } from '../core/events.ts';
import type { DagFacts, TaskFacts } from '../core/facts.ts';
import type { Incident } from '../core/incident.ts';
import { walk } from '../core/lineage.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isGone } from './outcome.ts';

const PAGE = 100;

export async function survey(deps: EffectDeps, act: { airflow: string; incidentId: string }): Promise<Outcome> {
  try {
    const incident = (await deps.snapshot()).incidents.find((i) => i.id === act.incidentId);
    if (!incident) return { result: 'failed', error: 'the incident is over', retry: false };
    // The first failure may be heard before the first look at this Airflow has ended.
    if (!deps.world.hasRead(act.airflow)) await deps.resurvey(act.airflow);
    if (!deps.world.hasRead(act.airflow)) return { result: 'failed', error: 'the lineage has not been read yet', retry: true };
    return done({ kind: 'survey', survey: await read(deps, incident) });
  } catch (error) {
    return failure(error);
  }
}

async function read(deps: EffectDeps, incident: Incident): Promise<Survey> {
  const client = deps.client(incident.airflow);
  const last = incident.runs.filter((r) => r.role === 'cause').at(-1);
  // Before the pause states: whoever pauses a DAG after we saw it running must stand behind the cursor, or their pause would pass for ours.
  const cursor = await client.auditCursor();
  const [taskGraph, run, tasks, dags] = await Promise.all([
    client.getTaskGraph(incident.dagId).catch(() => null),
    last ? client.getRun(last.dagId, last.runId) : null,
    last
      ? client.listTasks(last.dagId, last.runId).catch((e: unknown) => (isGone(e) ? [] : Promise.reject(e)))
      : ([] as TaskFacts[]),
    statesOf(deps, client, incident),
  ]);
  return {
    taskGraph,
    run,
    tasks,
    dags,
    auditCursor: cursor.readable ? cursor.id : null,
    auditGap: cursor.readable ? null : cursor.why,
  };
}

/** From the list when that costs fewer calls than asking one by one. */
async function statesOf(deps: EffectDeps, client: AirflowClient, incident: Incident): Promise<readonly DagFacts[]> {
  const { reached } = walk(deps.world.edges(), incident, null);
  const wanted = [
    ...reached.filter((d) => d.airflow === incident.airflow).map((d) => d.dagId),
    ...(deps.policy.hold.pauseFailingDag ? [incident.dagId] : []),
  ];
  if (wanted.length === 0) return [];
  const pages = Math.max(1, Math.ceil(deps.world.dagCount(incident.airflow) / PAGE));
  if (wanted.length > pages) return client.listDags();
  const found = await Promise.all(
    wanted.map((id) => client.getDag(id).catch((e: unknown) => (isGone(e) ? null : Promise.reject(e)))),
  );
  return found.filter((d): d is DagFacts => d !== null);
}
