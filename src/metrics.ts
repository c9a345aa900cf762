/** Prometheus metrics, read from the store and the pollers when they are asked for. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { PollerState } from './intake/poller.ts';
import type { Store } from './store/store.ts';

export function createMetrics(
  store: Pick<Store, 'read' | 'walBytes' | 'freeBytes'>,
  pollers: ReadonlyMap<string, () => PollerState>,
  now: () => number,
): () => Promise<string> {
  const registry = new Registry();
  // Memory, open files and how late the event loop is, under the names that everybody's dashboards know.
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const incidents = gauge('firedamper_incidents', 'Incidents by status', ['status']);
  const holds = gauge('firedamper_holds', 'Holds by state', ['state']);
  const intents = gauge('firedamper_intents', 'Recorded acts by state', ['state']);
  const inbox = gauge('firedamper_inbox_pending', 'Callbacks that are stored and not yet taken up');
  const quarantine = gauge('firedamper_quarantined_callbacks', 'Signed callbacks of unknown shape');
  const pollAge = gauge('firedamper_poll_age_seconds', 'Seconds since the last whole poll of an Airflow', ['airflow']);
  const up = gauge('firedamper_airflow_up', '1 when the last poll of an Airflow succeeded', ['airflow']);
  const skew = gauge('firedamper_airflow_clock_skew_seconds', "An Airflow's clock minus ours, to about a second", ['airflow']);
  const wal = gauge('firedamper_wal_bytes', 'Size of the write-ahead log of the database');
  const free = gauge('firedamper_disk_free_bytes', 'Room where the database is; below intake.min_free callbacks are refused');
  const waiting = gauge('firedamper_notices_waiting', 'Notices that wait for their channel', ['channel']);
  const oldest = gauge('firedamper_notice_oldest_seconds', 'How long the oldest of them has waited', ['channel']);
  const failed = gauge('firedamper_notices_failed', 'Notices that a channel refused, or was away for too long to be told', [
    'channel',
  ]);
  const set = (g: Gauge, label: string, values: Readonly<Record<string, number>>) => {
    g.reset();
    for (const [value, n] of Object.entries(values)) g.set({ [label]: value }, n);
  };
  return async () => {
    const counts = await store.read.counts();
    set(incidents, 'status', counts.incidentsByStatus);
    set(holds, 'state', counts.holdsByState);
    set(intents, 'state', counts.intentsByState);
    for (const g of [waiting, oldest, failed]) g.reset();
    for (const { channel, ...of } of await store.read.untold()) {
      waiting.set({ channel }, of.waiting);
      failed.set({ channel }, of.failed);
      oldest.set({ channel }, of.oldest === null ? 0 : (now() - Date.parse(of.oldest)) / 1000);
    }
    inbox.set(counts.inboxPending);
    quarantine.set(counts.quarantined);
    wal.set(store.walBytes());
    free.set(store.freeBytes());
    for (const [airflow, stateOf] of pollers) {
      const state = stateOf();
      if (state.clockSkewMs !== null) skew.set({ airflow }, state.clockSkewMs / 1000);
      up.set({ airflow }, state.lastPollAt !== null && state.lastError === null ? 1 : 0);
      if (state.lastPollAt !== null) pollAge.set({ airflow }, (now() - Date.parse(state.lastPollAt)) / 1000);
    }
    return registry.metrics();
  };
}
