/** The read models on their own read-only connection. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { DagFacts, DagRef, Lineage, LineageEdge } from '../core/facts.ts';
import type { Hold } from '../core/hold.ts';
import type { Incident } from '../core/incident.ts';
import { type IncidentStatus, isOver } from '../core/lifecycle.ts';
import type { HeardSignal } from '../core/signal.ts';
import * as codec from './codec.ts';
import type { DagView, IncidentView, Page, ReadModels, StoreCounts, Untold } from './readModels.ts';
import { isOpen } from './state.ts';
import type { Tables } from './tables.ts';

type Db = Kysely<Tables>;

export function createReadModels(db: Db): ReadModels {
  return {
    incidents: (query) => incidents(db, query),
    incident: (id) => incident(db, id),
    timeline: async (id) => {
      const rows = await db.selectFrom('timeline').selectAll().where('incident_id', '=', id).orderBy('id').execute();
      return rows.map(codec.entryFromRow);
    },
    holds: (query) => holds(db, query),
    hold: async (id) => {
      const row = await db.selectFrom('holds').selectAll().where('id', '=', id).executeTakeFirst();
      return row ? codec.holdFromRow(row) : null;
    },
    repair: async (id) => {
      const row = await db.selectFrom('repairs').select('doc').where('id', '=', id).executeTakeFirst();
      return row ? codec.repairFromRow(row) : null;
    },
    dag: (airflow, dagId) => dag(db, { airflow, dagId }),
    signals: (query) => signals(db, query),
    quarantine: async (limit) => {
      const rows = await db
        .selectFrom('inbox')
        .selectAll()
        .where('quarantine', 'is not', null)
        .orderBy('n', 'desc')
        .limit(limit)
        .execute();
      return rows.map((r) => ({
        id: r.webhook_id,
        airflow: r.airflow,
        receivedAt: r.received_at,
        why: r.quarantine ?? '',
        body: r.body,
      }));
    },
    counts: () => counts(db),
    untold: () => untold(db),
  };
}

/** The cursor is the number of the last row of the page before; anything else reads as "from the start". */
const after = (cursor: string | undefined): number =>
  cursor && /^\d{1,15}$/.test(cursor) ? Number(cursor) : Number.MAX_SAFE_INTEGER;

function paged<R extends { n: number }, T>(rows: R[], limit: number, from: (row: R) => T): Page<T> {
  const page = rows.slice(0, limit);
  return { items: page.map(from), nextCursor: rows.length > limit ? String(page.at(-1)?.n) : null };
}

async function incidents(db: Db, q: Parameters<ReadModels['incidents']>[0]): Promise<Page<Incident>> {
  let query = db
    .selectFrom('incidents')
    .select(['n', 'doc'])
    .where('n', '<', after(q.cursor))
    .orderBy('n', 'desc')
    .limit(q.limit + 1);
  if (q.status && q.status.length > 0) query = query.where('status', 'in', q.status);
  // The first page that everybody opens: a few of all that there ever were.
  if (q.status?.length && q.status.every((s) => !isOver(s as IncidentStatus))) query = query.where(sql<boolean>`live = 1`);
  if (q.airflow !== undefined) query = query.where('airflow', '=', q.airflow);
  if (q.dagId !== undefined) query = query.where('dag_id', '=', q.dagId);
  return paged(await query.execute(), q.limit, codec.incidentFromRow);
}

async function holds(db: Db, q: Parameters<ReadModels['holds']>[0]): Promise<Page<Hold>> {
  let query = db
    .selectFrom('holds')
    .selectAll()
    .where('n', '<', after(q.cursor))
    .orderBy('n', 'desc')
    .limit(q.limit + 1);
  if (q.active) query = query.where('released_at', 'is', null);
  if (q.airflow !== undefined) query = query.where('airflow', '=', q.airflow);
  if (q.dagId !== undefined) query = query.where('dag_id', '=', q.dagId);
  if (q.incidentId !== undefined) query = query.where('incident_id', '=', q.incidentId);
  return paged(await query.execute(), q.limit, codec.holdFromRow);
}

async function signals(db: Db, q: Parameters<ReadModels['signals']>[0]): Promise<Page<HeardSignal>> {
  let query = db
    .selectFrom('signals')
    .select(['n', 'doc'])
    .where('n', '<', after(q.cursor))
    .orderBy('n', 'desc')
    .limit(q.limit + 1);
  if (q.airflow !== undefined) query = query.where('airflow', '=', q.airflow);
  if (q.dagId !== undefined) query = query.where('dag_id', '=', q.dagId);
  return paged(await query.execute(), q.limit, codec.signalFromRow);
}

async function incident(db: Db, id: string): Promise<IncidentView | null> {
  const row = await db.selectFrom('incidents').select('doc').where('id', '=', id).executeTakeFirst();
  if (!row) return null;
  const found = codec.incidentFromRow(row);
  const signals = await db.selectFrom('signals').select('doc').where('incident_id', '=', id).orderBy('n').limit(500).execute();
  const holdRows = await db.selectFrom('holds').selectAll().where('incident_id', '=', id).orderBy('n').execute();
  const repairs = await db.selectFrom('repairs').select('doc').where('incident_id', '=', id).orderBy('n', 'desc').execute();
  const held = holdRows.map(codec.holdFromRow);
  const inside = new Set([found, ...held, ...found.spared].map((d) => `${d.airflow}/${d.dagId}`));
  const edges = (await allEdges(db)).filter(
    (e) => inside.has(`${e.from.airflow}/${e.from.dagId}`) && inside.has(`${e.to.airflow}/${e.to.dagId}`),
  );
  return {
    incident: found,
    signals: signals.map(codec.signalFromRow),
    holds: held,
    repairs: repairs.map(codec.repairFromRow),
    edges,
  };
}

/** Parsed once per change: a list of incidents asks for the links of each, and a large Airflow has thousands. */
const parsedLineage = new Map<string, { readonly doc: string; readonly edges: readonly LineageEdge[] }>();

async function allEdges(db: Db): Promise<LineageEdge[]> {
  const rows = await db.selectFrom('facts').select(['airflow', 'doc']).where('kind', '=', 'lineage').execute();
  return rows.flatMap(({ airflow, doc }) => {
    const known = parsedLineage.get(airflow);
    if (known?.doc === doc) return known.edges;
    const { edges } = JSON.parse(doc) as Lineage;
    parsedLineage.set(airflow, { doc, edges });
    return edges;
  });
}

const sameDag = (d: DagRef, e: DagRef): boolean => d.airflow === e.airflow && d.dagId === e.dagId;

async function dag(db: Db, ref: DagRef): Promise<DagView | null> {
  const dagsRow = await db
    .selectFrom('facts')
    .select('doc')
    .where('kind', '=', 'dags')
    .where('airflow', '=', ref.airflow)
    .executeTakeFirst();
  const facts = dagsRow ? ((JSON.parse(dagsRow.doc) as DagFacts[]).find((d) => d.dagId === ref.dagId) ?? null) : null;
  const own = await db
    .selectFrom('ownerships')
    .selectAll()
    .where('airflow', '=', ref.airflow)
    .where('dag_id', '=', ref.dagId)
    .executeTakeFirst();
  const holdRows = await db
    .selectFrom('holds')
    .selectAll()
    .where('airflow', '=', ref.airflow)
    .where('dag_id', '=', ref.dagId)
    .where('released_at', 'is', null)
    .execute();
  const edges = await allEdges(db);
  const upstream = edges.filter((e) => sameDag(e.to, ref));
  const downstream = edges.filter((e) => sameDag(e.from, ref));
  if (!facts && !own && holdRows.length === 0 && upstream.length + downstream.length === 0) return null;
  return {
    facts,
    ownership: own ? codec.ownershipFromRow(own) : null,
    holds: holdRows.map(codec.holdFromRow),
    upstream,
    downstream,
  };
}

async function counts(db: Db): Promise<StoreCounts> {
  const rows = await db.selectFrom('tallies').selectAll().execute();
  const by = (kind: Tables['tallies']['kind']) =>
    Object.fromEntries(rows.flatMap((r) => (r.kind === kind && r.n > 0 ? [[r.value, r.n]] : [])));
  const inbox = async (which: RawBuilder<boolean>) => {
    const row = await db
      .selectFrom('inbox')
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .where(which)
      .executeTakeFirst();
    return Number(row?.n ?? 0);
  };
  return {
    incidentsByStatus: by('incidents'),
    holdsByState: by('holds'),
    intentsByState: by('intents'),
    inboxPending: await inbox(sql`done = 0`),
    quarantined: await inbox(sql`quarantine is not null`),
  };
}

async function untold(db: Db): Promise<Untold[]> {
  const notices = db.selectFrom('intents').select(['act', 'state', 'created_at']).where('kind', '=', 'send_notice').orderBy('n');
  const failed = await notices.where(sql<boolean>`state = 'failed'`).execute();
  const rows = [...failed, ...(await notices.where(isOpen).execute())];
  const found = new Map<string, Untold>();
  for (const row of rows) {
    const { channel } = JSON.parse(row.act) as { channel: string };
    const before = found.get(channel) ?? { channel, waiting: 0, oldest: null, failed: 0 };
    const over = row.state === 'failed';
    found.set(
      channel,
      over
        ? { ...before, failed: before.failed + 1 }
        : { ...before, waiting: before.waiting + 1, oldest: before.oldest ?? row.created_at },
    );
  }
  return [...found.values()];
}
