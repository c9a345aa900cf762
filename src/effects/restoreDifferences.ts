/**
 * What differs between a restored file and Airflow, for the person who has to say whether the service may act again. Only reads; what cannot be
 * read is one of the differences, because it must not look like "nothing differs".
 */
import type { AirflowClient } from '../airflow/client.ts';
import { dagKey, type State } from '../core/draft.ts';
import type { AuditRow, DagFacts, DagRef, Difference, Instant } from '../core/facts.ts';
import type { FileSaid, Restored } from '../core/restore.ts';

interface Reading {
  readonly client: AirflowClient;
  readonly fileSaid: FileSaid;
  readonly state: State;
  readonly since: Instant;
}

/** A site may have paused hundreds of DAGs since; each costs a request. */
const MOST_ASKED = 50;
const RUNS_LOOKED_AT = 25;
const OUR_RUNS = 'firedamper__';
const OUR_MARK = 'fd-';

export async function readDifferences(client: AirflowClient, restored: Restored, state: State): Promise<readonly Difference[]> {
  if (restored.fileSaid === null) return [];
  const reading = { client, fileSaid: restored.fileSaid, state, since: restored.knowsUntil ?? '' };
  const parts = [underWay(reading), pauses(reading), runs(reading), started(reading)];
  const read = await Promise.allSettled(parts);
  return read.flatMap((r) => (r.status === 'fulfilled' ? r.value : [unreadable(client.id, r.reason)]));
}

const unreadable = (airflow: string, error: unknown): Difference => ({
  airflow,
  dagId: null,
  text: `a part of it could not be read: ${error instanceof Error ? error.message : String(error)}`,
});

const here = <T extends DagRef>({ client }: Reading, all: readonly T[]): T[] => all.filter((d) => d.airflow === client.id);

async function underWay(reading: Reading): Promise<Difference[]> {
  return here(reading, reading.fileSaid.underWay).map(({ airflow, dagId, text }) => ({
    airflow,
    dagId,
    text: `${text} when the file was made: whether Airflow has done it is read before anything else`,
  }));
}

async function pauses(reading: Reading): Promise<Difference[]> {
  const { client, fileSaid } = reading;
  const dags = new Map((await client.listDags()).map((d) => [d.dagId, d]));
  const owned = here(reading, fileSaid.owned);
  // What a person had once taken over is nobody's: that we hold it now is news.
  const known = new Set([...owned.filter((o) => o.state !== 'ceded'), ...here(reading, fileSaid.paused)].map(dagKey));
  const news = [...dags.values()].filter((d) => d.paused && !known.has(dagKey({ airflow: client.id, dagId: d.dagId })));
  const blamed = await Promise.all(news.slice(0, MOST_ASKED).map((d) => pausedSince(client, d.dagId)));
  const more = news.length - blamed.length;
  return [
    ...owned.flatMap((o) => ownedThen(o, dags.get(o.dagId))),
    ...here(reading, fileSaid.paused).flatMap((p) => pausedThen(p, owned, dags.get(p.dagId))),
    ...blamed,
    ...(more > 0
      ? [{ airflow: client.id, dagId: null, text: `${more} more DAGs are paused that were not when the file was made` }]
      : []),
  ];
}

function ownedThen(own: FileSaid['owned'][number], now: DagFacts | undefined): Difference[] {
  const { airflow, dagId, state } = own;
  const differs = (text: string): Difference[] => [{ airflow, dagId, text }];
  if (now === undefined) return differs('we had to do with it, and Airflow does not list it any more');
  if (now.paused) return [];
  if (state === 'ours' || state === 'resume_intended')
    return differs('paused by us in the file, running in Airflow: it was released, or somebody unpaused it; it is left alone');
  return state === 'foreign' ? differs('paused by somebody before us in the file, running in Airflow') : [];
}

const pausedThen = (then: DagRef, owned: readonly DagRef[], now: DagFacts | undefined): Difference[] =>
  now?.paused === false && !owned.some((o) => o.dagId === then.dagId)
    ? [{ airflow: then.airflow, dagId: then.dagId, text: 'paused in the file, running in Airflow' }]
    : [];

/** A hold of ours that the file does not know would stay for ever: nobody but a person can tell that it may go. */
async function pausedSince(client: AirflowClient, dagId: string): Promise<Difference> {
  const audit = await client.auditRows(dagId, 0).catch((error: unknown) => ({ readable: false, why: String(error) }) as const);
  const text = audit.readable
    ? whoPaused(client, audit.rows)
    : `paused in Airflow, not in the file; by whom cannot be read (${audit.why})`;
  return { airflow: client.id, dagId, text };
}

function whoPaused(client: AirflowClient, rows: readonly AuditRow[]): string {
  const last = rows.at(-1);
  const ours = last && (last.op?.startsWith(OUR_MARK) || (last.op === null && last.owner === client.account));
  if (ours)
    return `paused in Airflow at ${last.when}, by Firedamper as it seems, for an incident that the file does not know: unpause it in Airflow when its data is right`;
  return `paused in Airflow, not in the file${last ? `; last touched by ${last.owner ?? 'somebody'} at ${last.when}` : ''}`;
}

async function runs(reading: Reading): Promise<Difference[]> {
  const { client, fileSaid } = reading;
  const read = await Promise.all(
    here(reading, fileSaid.runs).map(async (then) => ({ then, now: await client.getRun(then.dagId, then.runId) })),
  );
  return read.flatMap(({ then, now }): Difference[] => {
    const expected =
      then.state === 'failed' || then.state === 'failing'
        ? ['failed', ...(then.state === 'failing' ? ['running'] : [])]
        : ['success'];
    if (then.state === 'rerunning' || then.state === 'gone' || (now !== null && expected.includes(now.state))) return [];
    const said = now === null ? 'gone from Airflow' : `${now.state} in Airflow now`;
    return [
      {
        airflow: client.id,
        dagId: then.dagId,
        text: `run ${then.runId} of ${then.incidentId}: ${then.state} in the file, ${said}`,
      },
    ];
  });
}

/** What was started since in the DAGs that the file has to do with: its own runs by their id, backfills by their time. */
async function started(reading: Reading): Promise<Difference[]> {
  const { client, fileSaid, since } = reading;
  const dagIds = new Set([...here(reading, fileSaid.owned), ...here(reading, fileSaid.runs)].map((d) => d.dagId));
  const each = await Promise.all(
    [...dagIds].slice(0, MOST_ASKED).map(async (dagId) => {
      const ours = (await client.listRuns(dagId, { limit: RUNS_LOOKED_AT })).filter(
        (r) => r.runId.startsWith(OUR_RUNS) && (r.queuedAt ?? r.startDate ?? '') > since,
      );
      const backfills = client.canBackfill ? (await client.listBackfills(dagId)).filter((b) => b.createdAt > since) : [];
      return [
        ...ours.map((r) => `run ${r.runId} was started by Firedamper since: ${r.state}`),
        ...backfills.map((b) => `a backfill of ${b.from} to ${b.to} was started since`),
      ].map((text): Difference => ({ airflow: client.id, dagId, text }));
    }),
  );
  return each.flat();
}
