/** One look at what an incident waits for: its runs, the switches of what it holds, the runs of what it let go. */
import type { AirflowClient } from '../airflow/client.ts';
import { nullWhenMissing } from '../airflow/missing.ts';
import type { Observation } from '../core/events.ts';
import type { WatchList } from '../core/watchlist.ts';

const PAGE = 100;

/**
 * Reads what the watch list names; null when it names nothing. One answer that cannot be had (a run that Airflow fails to show, a DAG that we may not read)
 * leaves out just that: all of it together once kept every other incident of that Airflow from ending. `trouble`: the first of what went wrong.
 */
export async function observe(
  client: AirflowClient,
  w: WatchList,
  dagCount: number,
): Promise<{ seen: Observation | null; trouble: unknown }> {
  let trouble: unknown = null;
  const each = async <T, R>(all: readonly T[], read: (one: T) => Promise<R>): Promise<R[]> => {
    const ends = await Promise.allSettled(all.map(read));
    trouble ??= ends.find((e) => e.status === 'rejected')?.reason ?? null;
    return ends.flatMap((e) => (e.status === 'fulfilled' ? [e.value] : []));
  };
  const [byId, ranges, latest, released, paused] = await Promise.all([
    each(w.runs, async (r) => ({ ...r, run: await client.getRun(r.dagId, r.runId) })),
    each(w.ranges, (r) => client.listRuns(r.dagId, { logicalDateFrom: r.from, logicalDateTo: r.to, limit: 1_000 })),
    each(w.latest, (dagId) => client.listRuns(dagId, { states: ['success'], limit: 1 })),
    each(w.released, async (dagId) => ({ dagId, runs: await client.listRuns(dagId, { limit: 10 }) })),
    each(w.paused.length === 0 ? [] : [w.paused], (watched) => pauseStates(client, watched, dagCount)),
  ]);
  const nothing = [byId, ranges, latest, released, paused].every((part) => part.length === 0);
  const seen = {
    runs: [...byId.flatMap((r) => r.run ?? []), ...ranges.flat(), ...latest.flat()],
    goneRuns: byId.filter((r) => r.run === null).map(({ dagId, runId }) => ({ dagId, runId })),
    paused: paused.flatMap((p) => p.paused),
    goneDags: paused.flatMap((p) => p.goneDags),
    releasedRuns: released.flatMap((r) => r.runs),
    unreadReleased: w.released.filter((dagId) => !released.some((r) => r.dagId === dagId)),
  };
  return { seen: nothing ? null : seen, trouble };
}

/** From the list when that costs fewer requests. Who did it is asked only for a DAG that is not paused any more. */
async function pauseStates(
  client: AirflowClient,
  watched: WatchList['paused'],
  dagCount: number,
): Promise<Required<Pick<Observation, 'paused' | 'goneDags'>>> {
  const viaList = watched.length > Math.max(1, Math.ceil(dagCount / PAGE));
  const listed = viaList ? await client.listDags() : [];
  // The list leaves out what is not parsed just now, and that is paused as it was: only its own page says that a DAG is gone (2.11.2, 3.3.2).
  const unlisted = watched.filter((w) => !listed.some((d) => d.dagId === w.dagId));
  // undefined: not answered, so nothing is known.
  const asked = await Promise.all(unlisted.map((w) => nullWhenMissing(client.getDag(w.dagId)).catch(() => undefined)));
  const gone = unlisted.filter((_, i) => asked[i] === null);
  const states = new Map([...listed, ...asked].flatMap((d) => (d ? [[d.dagId, d.paused] as const] : [])));
  const seen = watched.flatMap((w) => (states.has(w.dagId) ? [{ ...w, paused: states.get(w.dagId) === true }] : []));
  const paused = await Promise.all(
    seen.map(async (s) => ({
      dagId: s.dagId,
      op: s.op,
      paused: s.paused,
      who: s.paused ? null : await lastToucher(client, s.dagId, s.auditCursor),
    })),
  );
  return { paused, goneDags: gone.map(({ dagId, op }) => ({ dagId, op })) };
}

async function lastToucher(client: AirflowClient, dagId: string, after: number | null): Promise<string | null> {
  if (after === null) return null;
  const audit = await client.auditRows(dagId, after).catch(() => null);
  return audit?.readable ? (audit.rows.filter((r) => r.paused === false).at(-1)?.owner ?? null) : null;
}
