import type { Config } from './config.ts';
import { holdsWanting, type State, sameDag } from './core/draft.ts';
import type { MissedFacts } from './core/events.ts';
import type { DagRef } from './core/facts.ts';
import type { Hold } from './core/hold.ts';
import { sentence } from './core/reason.ts';
import type { Restored } from './core/restore.ts';
import type { ChannelTrouble } from './effects/channelGate.ts';
import type { Health, ReleasePreview } from './http/deps.ts';
import type { PollerState } from './intake/poller.ts';
import type { WorldCache } from './world.ts';

interface Standing {
  readonly closing: boolean;
  readonly trouble: string | null;
  readonly restored: Restored | null;
  /** Channels that nothing reaches. */
  readonly silent: readonly ChannelTrouble[];
  /** What is held. */
  readonly held: readonly DagRef[];
}

/** Able to accept and to act. An Airflow that cannot be reached does not make the service unready: it still hears callbacks and says so. */
export function describeHealth(
  config: Config,
  version: string,
  pollers: ReadonlyMap<string, () => PollerState>,
  world: WorldCache,
  { closing, trouble, restored, silent, held }: Standing,
): Health {
  const airflows = config.airflows.map(({ id }): Health['airflows'][number] => {
    const state = pollers.get(id)?.();
    const gaps = world.hasRead(id) ? world.gaps(id).map((g) => `${g.source}: ${g.why}`) : [];
    const [verdict, detail] = judge(state, gaps);
    const { version = null, lastPollAt = null, clockSkewMs = null } = state ?? {};
    return { id, version, state: verdict, detail, lastPollAt, clockSkewSeconds: clockSkewMs && clockSkewMs / 1000, gaps };
  });
  const gone = [...new Set(held.map((h) => h.airflow))].filter((id) => !config.airflows.some((a) => a.id === id));
  airflows.push(...gone.map((id) => notConfigured(id, held)));
  // A restored file does not make it unready: callbacks must still come in.
  const observing = restored
    ? [`the database was restored (${restored.because}): nothing is changed in Airflow until an admin confirms`]
    : [];
  const refused = [...(closing ? ['shutting down'] : []), ...(trouble === null ? [] : [trouble])];
  const ready = refused.length === 0;
  const untold = silent.map(
    ({ channel, sinceMs }) =>
      `nobody has been told anything by channel ${channel} since ${new Date(sinceMs).toISOString()}: it is tried again`,
  );
  return { ready, reasons: ready ? observing : refused, untold, version, mode: config.policy.mode, airflows };
}

/** Nobody polls it and nobody can unpause there: what it holds would stay held without a word. */
function notConfigured(id: string, held: readonly DagRef[]): Health['airflows'][number] {
  const dags = [...new Set(held.flatMap((h) => (h.airflow === id ? [h.dagId] : [])))];
  const named = dags.length > 3 ? `${dags.slice(0, 3).join(', ')} and ${dags.length - 3} more` : dags.join(', ');
  const detail = `not in the configuration any more; still held there, until it is back in it or somebody unpauses them: ${named}`;
  return { id, version: null, state: 'unreachable', detail, lastPollAt: null, clockSkewSeconds: null, gaps: [] };
}

const SKEW_WORDS = [
  {
    fromMs: 60_000,
    level: 'error',
    words: "this Airflow's clock and ours are more than a minute apart: one of the two machines needs its time set",
  },
  { fromMs: 5_000, level: 'warn', words: "this Airflow's clock and ours are more than five seconds apart" },
] as const;

/** What is said of clocks that read differently; null: they are near enough. Nothing that is done depends on it: instants are compared across the skew. */
export const skewWords = (skewMs: number | null): (typeof SKEW_WORDS)[number] | null =>
  SKEW_WORDS.find(({ fromMs }) => skewMs !== null && Math.abs(skewMs) >= fromMs) ?? null;

function judge(state: PollerState | undefined, gaps: readonly string[]): ['ok' | 'degraded' | 'unreachable' | 'unknown', string] {
  if (!state || (state.lastPollAt === null && state.lastError === null)) return ['unknown', 'not polled yet'];
  if (state.lastError !== null) return ['unreachable', state.lastError];
  if (state.scheduler === 'unhealthy') return ['degraded', "Airflow's scheduler sends no heartbeat: nothing will run"];
  return gaps.length > 0 ? ['degraded', 'a source of lineage is missing'] : ['ok', 'polled'];
}

/** What people see before a release, from the same facts that the release itself uses. */
export function previewRelease(
  incidentId: string,
  holds: readonly Hold[],
  missed: readonly MissedFacts[],
  state: Pick<State, 'holds' | 'incidents'>,
): ReleasePreview {
  return {
    incidentId,
    dags: holds
      .filter((h) => h.releasedAt === null)
      .map((h) => {
        const m = missed.find((x) => sameDag(x, h));
        const willUnpause = h.state === 'held' && holdsWanting(state, h).every((x) => x.incidentId === incidentId);
        return {
          dagId: h.dagId,
          holdState: h.state,
          willUnpause,
          why: h.state === 'foreign' ? 'paused before us: never unpaused by us' : sentence(h.reason),
          frozenRuns: m?.frozenRuns.map((r) => r.runId) ?? [],
          queuedRuns: m?.queuedRuns.map((r) => r.runId) ?? [],
          wouldTimeOut: m?.wouldTimeOut ?? [],
          startsByItself: m?.startsByItself ?? 0,
          compensation: willUnpause && !m ? UNREAD : compensationOf(m),
        };
      }),
  };
}

const UNREAD = 'its Airflow does not answer: what it missed is read once it runs';

function compensationOf(m: MissedFacts | undefined): string {
  if (!m) return 'none';
  const missed = m.missedAssets.filter((a) => a.events > 0 && !a.queued);
  if (missed.length > 0) return `delivers what it missed once: ${missed.map((a) => `${a.uri} (${a.events} events)`).join(', ')}`;
  if (m.missedIntervals.length > 0) return `backfills ${m.missedIntervals.length} missed intervals`;
  return m.details?.timeScheduled ? 'missed intervals: its own catch-up setting decides' : 'missed nothing so far';
}
