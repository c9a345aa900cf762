/** Airflow 3: assets, their events, and what waits for the rest of a condition. */
import type { Calls, ListLane } from '../calls.ts';
import { AirflowError } from '../client.ts';
import { nullWhenMissing } from '../missing.ts';
import { allPages } from '../pages.ts';
import { rows } from '../typedWire.ts';
import type { V2Setting } from './dags.ts';
import { assetEventFacts, assetFacts } from './translate.ts';

type AssetCalls = Pick<Calls, 'listAssets' | 'listAssetEvents' | 'createAssetEvent' | 'queuedAssets'>;

/** Containment and release wait for these lists, so they never queue behind a poll that hangs; the lineage reads them in its own lane. */
export const v2Assets = ({ wire }: V2Setting, lane: ListLane = 'reads'): AssetCalls => ({
  listAssets: () =>
    allPages(
      (limit, offset) =>
        wire.get('/api/v2/assets', { lane, query: { limit, offset, order_by: ['id'] } }, (body) => ({
          rows: rows(body.assets, 'assets').map(assetFacts),
          total: body.total_entries,
        })),
      (asset) => asset.key,
    ),
  listAssetEvents: async (assetKey, since) => {
    const assetId = numericKey('GET /assets/events', assetKey);
    return allPages(
      (limit, offset) =>
        wire.get(
          '/api/v2/assets/events',
          { lane, query: { asset_id: assetId, timestamp_gte: since, order_by: ['timestamp'], limit, offset } },
          (body) => ({ rows: rows(body.asset_events, 'asset_events').map(assetEventFacts), total: body.total_entries }),
        ),
      (event) => String(event.id),
    );
  },
  createAssetEvent: async (assetKey, extra) => {
    const assetId = numericKey('POST /assets/events', assetKey);
    return wire.post(
      '/api/v2/assets/events',
      { lane: 'acts', body: { asset_id: assetId, extra: { ...extra } } },
      assetEventFacts,
    );
  },
  // An empty queue is a 404 before 3.1 (seen on 3.0.6).
  queuedAssets: async (dagId) => {
    const queued = await nullWhenMissing(
      wire.get('/api/v2/dags/{dag_id}/assets/queuedEvents', { lane: 'reads', ids: { dag_id: dagId } }, (body) =>
        rows(body.queued_events, 'queued_events').map((event) => String(event.asset_id)),
      ),
    );
    return queued ?? [];
  },
});

const numericKey = (operation: string, assetKey: string): number => {
  if (/^\d{1,15}$/.test(assetKey)) return Number(assetKey);
  throw new AirflowError('bad_id', `${JSON.stringify(assetKey.slice(0, 60))} cannot be used as an asset id`, {
    outcome: 'none',
    operation,
  });
};
