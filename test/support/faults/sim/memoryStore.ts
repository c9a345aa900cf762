/**
 * The store in memory, for speed: what is committed is kept, what is not is lost with the service's life. It loads and saves by the rules of
 * `src/store`. A part of the stories runs on SQLite itself; they differ from these in what overtakes what, because a transaction takes longer there.
 */
import type { Decision, State } from '../../../../src/core/draft.ts';
import type { DomainEvent, PersonAct } from '../../../../src/core/events.ts';
import type { Hold, Ownership } from '../../../../src/core/hold.ts';
import type { Incident } from '../../../../src/core/incident.ts';
import type { Intent } from '../../../../src/core/intent.ts';
import { isOver, isUnderWay } from '../../../../src/core/lifecycle.ts';
import type { Repair } from '../../../../src/core/plan.ts';
import type { HeardSignal } from '../../../../src/core/signal.ts';
import type { TimelineEntry } from '../../../../src/core/timeline.ts';
import { choose, queueOf } from '../../../../src/store/claiming.ts';
import type { InboxRow } from '../../../../src/store/inbox.ts';
import type { Store } from '../../../../src/store/store.ts';

interface StoredCallback {
  readonly n: number;
  readonly row: InboxRow;
  done: boolean;
  quarantine: string | null;
}

/** What is on the disk: outlives the service. */
export class Disk {
  incidents = new Map<string, Incident>();
  holds = new Map<string, Hold>();
  ownerships = new Map<string, Ownership>();
  repairs = new Map<string, Repair>();
  intents = new Map<string, Intent>();
  signals = new Map<string, HeardSignal>();
  signalKeys = new Map<string, boolean>();
  timeline: TimelineEntry[] = [];
  counters: Record<string, number> = {};
  inbox: StoredCallback[] = [];
  inboxIds = new Map<string, StoredCallback>();
  watermarks = new Map<string, { since: string | null; baseline: string }>();
  seen = new Map<string, string>();
  facts = new Map<string, string>();
  commits = 0;
}

/** What the parts in the simulator ask of a store. */
export type SimStore = Omit<Store, 'read' | 'restored' | 'guardWal' | 'walBytes' | 'freeBytes' | 'auditHead' | 'trouble'>;

export function memoryStore(disk: Disk): SimStore {
  // A later life of the service must not be written to by an earlier one; the caller drops the earlier one's timers, so nothing of it runs.
  return {
    evaluate: async (events, reopenSince, inboxDone, decide) => {
      const decision = decide(load(disk, events, reopenSince));
      save(disk, decision);
      for (const n of inboxDone) {
        const row = disk.inbox[n - 1];
        if (row) row.done = true;
      }
      disk.commits++;
      return decision;
    },
    claim: async (now, lanes, underWay) => claim(disk, now, lanes, underWay),
    markInterrupted: async () => {
      let n = 0;
      for (const i of disk.intents.values()) {
        if (i.state !== 'sending') continue;
        disk.intents.set(i.id, { ...i, state: 'unknown' });
        n++;
      }
      return n;
    },
    snapshot: async () => load(disk, [], '9999'),
    inbox: memoryInbox(disk),
    ...memoryPoll(disk),
    forgetCallbacks: async () => 0,
    forgetIncidents: async () => 0,
    close: async () => undefined,
  };
}

function memoryInbox(disk: Disk): Store['inbox'] {
  const accept = (row: InboxRow) => {
    const key = `${row.airflow}\n${row.webhookId}`;
    const duplicate = disk.inboxIds.has(key);
    if (!duplicate) {
      const stored = { n: disk.inbox.length + 1, row, done: row.quarantine !== null, quarantine: row.quarantine };
      disk.inbox.push(stored);
      disk.inboxIds.set(key, stored);
    }
    return { id: row.webhookId, duplicate };
  };
  return {
    // One turn of the event loop later, as the group commit: a crash in between loses it, and it was not acknowledged.
    accept: (row) => new Promise((resolve) => setImmediate(() => resolve(accept(row)))),
    pending: async (limit) =>
      disk.inbox
        .filter((r) => !r.done)
        .slice(0, limit)
        .map((r) => ({ n: r.n, airflow: r.row.airflow, webhookId: r.row.webhookId, body: r.row.body })),
    finish: async (n) => {
      const row = disk.inbox[n - 1];
      if (row) row.done = true;
    },
    setAside: async (n, why) => {
      const row = disk.inbox[n - 1];
      if (row) Object.assign(row, { done: true, quarantine: why });
    },
  };
}

function memoryPoll(
  disk: Disk,
): Pick<Store, 'watermark' | 'baseline' | 'setBaseline' | 'polled' | 'seen' | 'saveFacts' | 'loadFacts'> {
  return {
    watermark: async (airflow) => disk.watermarks.get(airflow)?.since ?? null,
    baseline: async (airflow) => disk.watermarks.get(airflow)?.baseline ?? '',
    setBaseline: async (airflow, at) => {
      if (!disk.watermarks.has(airflow)) disk.watermarks.set(airflow, { since: null, baseline: at });
    },
    polled: async (airflow, since, seen, forgetBefore, baseline) => {
      disk.watermarks.set(airflow, { since, baseline });
      for (const key of seen) if (!disk.seen.has(`${airflow}\n${key}`)) disk.seen.set(`${airflow}\n${key}`, since);
      for (const [key, at] of disk.seen) if (key.startsWith(`${airflow}\n`) && at < forgetBefore) disk.seen.delete(key);
    },
    seen: async (airflow, keys) => new Set(keys.filter((k) => disk.seen.has(`${airflow}\n${k}`))),
    saveFacts: async (airflow, kind, value) => void disk.facts.set(`${kind}\n${airflow}`, JSON.stringify(value)),
    loadFacts: async () => {
      const of = <T>(kind: string) =>
        new Map(
          [...disk.facts]
            .filter(([k]) => k.startsWith(`${kind}\n`))
            .map(([k, v]) => [k.slice(kind.length + 1), JSON.parse(v) as T]),
        );
      return { dags: of('dags'), lineage: of('lineage'), brokenFiles: of('broken_files') };
    },
  };
}

/** As `store/codec.ts` has it. */
const isLive = (i: Incident): boolean => !isOver(i.status) || (i.status === 'dismissed' && i.timestamps.releasedAt === null);

function load(disk: Disk, events: readonly DomainEvent[], reopenSince: string): State {
  const named = namedIncidents(disk, events);
  const dags = new Set(events.flatMap((e) => (e.type === 'signal' ? [`${e.signal.airflow}\n${e.signal.dagId}`] : [])));
  const incidents = [...disk.incidents.values()].filter(
    (i) =>
      isLive(i) ||
      named.has(i.id) ||
      (dags.has(`${i.airflow}\n${i.dagId}`) &&
        (i.timestamps.releasedAt ?? '') >= reopenSince &&
        i.timestamps.releasedAt !== null),
  );
  const ids = new Set(incidents.map((i) => i.id));
  const keys = events.flatMap((e) => (e.type === 'signal' ? [e.signal.key] : []));
  return {
    incidents,
    holds: [...disk.holds.values()].filter((h) => h.releasedAt === null || ids.has(h.incidentId)),
    ownerships: [...disk.ownerships.values()].filter((o) => o.state !== 'none'),
    repairs: [...disk.repairs.values()].filter((r) => ids.has(r.incidentId)),
    intents: loadIntents(disk, events),
    knownSignals: new Map(
      keys.flatMap((key) => {
        const bad = disk.signalKeys.get(key);
        return bad === undefined ? [] : [[key, bad] as const];
      }),
    ),
    counters: { ...disk.counters },
  };
}

function namedIncidents(disk: Disk, events: readonly DomainEvent[]): ReadonlySet<string> {
  const acts = events.flatMap((e) => (e.type === 'person' ? [e.act] : []));
  const value = (a: PersonAct, key: string) => (a as unknown as Record<string, string | undefined>)[key] ?? '';
  return new Set(
    acts.flatMap((a) => [
      value(a, 'incidentId'),
      disk.repairs.get(value(a, 'repairId'))?.incidentId ?? '',
      disk.holds.get(value(a, 'holdId'))?.incidentId ?? '',
    ]),
  );
}

/** Notices only where they are judged, as `src/store/state.ts` does. */
function loadIntents(disk: Disk, events: readonly DomainEvent[]): Intent[] {
  const open = [...disk.intents.values()].filter((i) => isUnderWay(i.state));
  const outcomes = new Map(events.flatMap((e) => (e.type === 'outcome' ? [[e.intentId, e.outcome.result] as const] : [])));
  const isNotice = (i: Intent) => i.act.kind === 'send_notice';
  const untold = (i: Intent) => isNotice(i) && outcomes.has(i.id) && outcomes.get(i.id) !== 'done';
  if (events.some((e) => e.type === 'restored') || open.some(untold)) return open;
  return open.filter((i) => !isNotice(i) || outcomes.has(i.id));
}

function save(disk: Disk, d: Decision): void {
  for (const i of d.incidents) disk.incidents.set(i.id, i);
  for (const h of d.holds) disk.holds.set(h.id, h);
  for (const o of d.ownerships) disk.ownerships.set(`${o.airflow}/${o.dagId}`, o);
  for (const r of d.repairs) disk.repairs.set(r.id, r);
  for (const i of d.intents) disk.intents.set(i.id, i);
  for (const s of d.signals) {
    if (!disk.signals.has(`${s.key}\n${s.origin}`)) disk.signals.set(`${s.key}\n${s.origin}`, s);
    disk.signalKeys.set(s.key, disk.signalKeys.get(s.key) === true || s.said.badData);
  }
  disk.timeline.push(...d.timeline);
  disk.counters = { ...disk.counters, ...d.counters };
}

function claim(disk: Disk, ...[now, lanes, underWay]: Parameters<Store['claim']>): Awaited<ReturnType<Store['claim']>> {
  const open = [...disk.intents.values()].filter((i) => isUnderWay(i.state));
  const acts = open.filter((i) => i.act.kind !== 'send_notice' && i.state !== 'sending');
  const notices = open.filter((i) => i.act.kind === 'send_notice');
  const rows = [...acts, ...notices].map((i) => ({ ...i, kind: i.act.kind, queue: queueOf(i.act), intent: i }));
  const { taken, nextDue } = choose(rows, now, lanes, underWay);
  const claimed = taken.map(({ row: { intent }, record }) => {
    const settle = intent.state === 'unknown';
    if (!record) return { intent, settle };
    disk.intents.set(intent.id, { ...intent, state: 'sending', attempts: intent.attempts + 1 });
    return { intent: { ...intent, attempts: intent.attempts + 1 }, settle };
  });
  return { claimed, nextDue };
}
