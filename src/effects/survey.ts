/** Reads the facts for containment: the shape of the failing DAG, what failed in its runs, the state of whoever may be held, the audit cursor. */
import { type AirflowClient, AirflowError } from '../airflow/client.ts';
import type { Outcome, Survey, SwitchFacts } from '../core/events.ts';
import type { DagFacts, DagRef, TaskFacts } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import { endedGone, isClaimed, switchOf } from '../core/holding.ts';
import type { Incident } from '../core/incident.ts';
import { walk } from '../core/lineage.ts';
import { settledOp } from '../core/ownership.ts';
import type { EffectDeps } from './deps.ts';
import { done, failure, isForbidden, isGone } from './outcome.ts';
import { OTHERS_WITHIN_MS, soon } from './soon.ts';

const PAGE = 100;

type Act = { readonly airflow: string; readonly incidentId: string; readonly again?: true };

/** Nothing waits for another try, so a slow Airflow is given time. */
const AGAIN_WITHIN_MS = 60_000;

/** What may be held in the incident's own Airflow, and what failed there. */
export const survey = (deps: EffectDeps, act: Act): Promise<Outcome> => look(deps, act, readHome);

/** What may be held in the others: each by its own switch and log. */
export const surveyElsewhere = (deps: EffectDeps, act: Act): Promise<Outcome> =>
  look(deps, act, (d, incident) => readElsewhere(d, incident, act.again ? AGAIN_WITHIN_MS : OTHERS_WITHIN_MS));

async function look(
  deps: EffectDeps,
  act: Act,
  read: (deps: EffectDeps, incident: Incident) => Promise<Survey>,
): Promise<Outcome> {
  try {
    const { incidents, holds } = await deps.snapshot();
    const incident = incidents.find((i) => i.id === act.incidentId);
    if (!incident || incident.releasing) return { result: 'failed', error: 'the incident is over', retry: false };
    // The first failure may be heard before the first look at this Airflow has ended.
    if (!deps.world.hasRead(act.airflow)) await deps.resurvey(act.airflow);
    if (!deps.world.hasRead(act.airflow)) return { result: 'failed', error: 'the lineage has not been read yet', retry: true };
    const seen = await read(deps, incident);
    for (const airflow of areBackIn(seen, holds, incident)) await deps.resurvey(airflow);
    return done({ kind: 'survey', survey: seen });
  } catch (error) {
    return failure(error);
  }
}

/**
 * Where a DAG stands again that was deleted while this incident held it: what is known of its links may be of the one before it (simulator, seed 2324: it
 * was held for a link that it does not have).
 */
function areBackIn({ switches }: Survey, holds: readonly Hold[], incident: Incident): string[] {
  const away = holds.filter((h) => h.incidentId === incident.id && endedGone(h) && !isClaimed(holds, incident, h));
  return switches
    .map((s) => s.airflow)
    .filter((airflow) => away.some((h) => h.airflow === airflow && switchOf(switches, h)?.facts));
}

async function readHome(deps: EffectDeps, incident: Incident): Promise<Survey> {
  const client = deps.client(incident.airflow);
  const causes = incident.runs.filter((r) => r.role === 'cause');
  const last = causes.at(-1);
  // Of a run without a known failed task all that its DAG makes counts as bad, so it is asked which they were.
  const unclear = causes.filter((r) => r !== last && r.state === 'failed' && r.failedTasks.length === 0).slice(-MOST_UNCLEAR);
  const reached = walk(deps.world.edges(), incident, null).reached;
  const own = [...reached, ...(deps.policy.hold.pauseFailingDag ? [incident] : [])].filter((d) => d.airflow === incident.airflow);
  const [taskGraph, run, tasks, mine] = await Promise.all([
    client.getTaskGraph(incident.dagId).catch(() => null),
    last ? client.getRun(last.dagId, last.runId).catch(unaskable(null)) : null,
    Promise.all([...unclear, ...(last ? [last] : [])].map((r) => tasksOf(client, r))),
    switches(deps, incident.airflow, own),
  ]);
  return { taskGraph, run, tasks: tasks.flat(), switches: [mine], scope: 'home', of: causes.map((r) => `${r.dagId} ${r.runId}`) };
}

const MOST_UNCLEAR = 10;

const tasksOf = (client: AirflowClient, run: { dagId: string; runId: string }): Promise<readonly TaskFacts[]> =>
  client.listTasks(run.dagId, run.runId).catch((e: unknown) => (isGone(e) ? [] : unaskable([])(e)));

/** An id with a slash, where the site allows such: what is known from the signal has to do. */
const unaskable =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (error instanceof AirflowError && error.kind === 'bad_id') return instead;
    throw error;
  };

async function readElsewhere(deps: EffectDeps, incident: Incident, withinMs: number): Promise<Survey> {
  const { holds } = await deps.snapshot();
  const others = walk(deps.world.edges(), incident, null).reached.filter(
    (d) => d.airflow !== incident.airflow && !isClaimed(holds, incident, d),
  );
  const [taskGraph, ...read] = await Promise.all([
    deps
      .client(incident.airflow)
      .getTaskGraph(incident.dagId)
      .catch(() => null),
    ...[...Map.groupBy(others, (d) => d.airflow)].map(([airflow, dags]) =>
      soon(switches(deps, airflow, dags), () => true, withinMs),
    ),
  ]);
  return { taskGraph, run: null, tasks: [], switches: read.flatMap((s) => s ?? []), scope: 'elsewhere' };
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
  // One that we may not read keeps no other from being held: it is paused without having been seen, and refused by itself.
  const found = await Promise.all(
    wanted.map((d) => client.getDag(d.dagId).catch((e: unknown) => (isGone(e) || isForbidden(e) ? null : Promise.reject(e)))),
  );
  return found.filter((d): d is DagFacts => d !== null);
}
