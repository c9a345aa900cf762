/** Airflow 2: datasets, their events, and what waits for the rest of a condition. Known by their URI. */
import type { AssetEventFacts } from '../../core/facts.ts';
import type { Calls, ListLane } from '../calls.ts';
import { nullWhenMissing } from '../missing.ts';
import { allPages, pageSize } from '../pages.ts';
import { rows } from '../typedWire.ts';
import type { V1Setting } from './dags.ts';
import { assetEventFacts, assetFacts } from './translate.ts';

type AssetCalls = Pick<Calls, 'listAssets' | 'listAssetEvents' | 'createAssetEvent' | 'queuedAssets'>;

const mostEventPages = 200;

/** Containment and release wait for these lists, so they never queue behind a poll that hangs; the lineage reads them in its own lane. */
export const v1Assets = ({ wire }: V1Setting, lane: ListLane = 'reads'): AssetCalls => {
  const ids = new Map<string, number>();

  const datasetId = async (uri: string): Promise<number> => {
    const known = ids.get(uri) ?? (await wire.get('/datasets/{uri}', { lane: 'reads', ids: { uri } }, (body) => body.id));
    ids.set(uri, known);
    return known;
  };
  const eventPage = (id: number, offset: number): Promise<readonly AssetEventFacts[]> =>
    wire.get('/datasets/events', { lane, query: { dataset_id: id, order_by: '-timestamp', limit: pageSize, offset } }, (body) =>
      rows(body.dataset_events, 'dataset_events').map(assetEventFacts),
    );

  return {
    listAssets: () =>
      allPages(
        (limit, offset) =>
          wire.get('/datasets', { lane, query: { limit, offset, order_by: 'id' } }, (body) => ({
            rows: rows(body.datasets, 'datasets').map(assetFacts),
            total: body.total_entries,
          })),
        (asset) => asset.key,
      ),
    // 2.x has no filter by time: newest first, until one is too old.
    listAssetEvents: async (assetKey, since) => {
      const id = await datasetId(assetKey);
      const found = new Map<number, AssetEventFacts>();
      for (let page = 0, offset = 0; page < mostEventPages; page++) {
        const events = await eventPage(id, offset);
        for (const event of events) if (event.timestamp >= since) found.set(event.id, event);
        if (events.length === 0 || events.some((event) => event.timestamp < since)) break;
        offset += events.length;
      }
      const events = [...found.values()].sort((a, b) =>
        a.timestamp === b.timestamp ? a.id - b.id : a.timestamp < b.timestamp ? -1 : 1,
      );
      return { events, unreadable: 0 };
    },
    createAssetEvent: (assetKey, extra) =>
      wire.post('/datasets/events', { lane: 'acts', body: { dataset_uri: assetKey, extra: { ...extra } } }, assetEventFacts),
    // An empty queue is a 404 (2.9.3, 2.11.2).
    queuedAssets: async (dagId) => {
      const queued = await nullWhenMissing(
        wire.get('/dags/{dag_id}/datasets/queuedEvent', { lane: 'reads', ids: { dag_id: dagId } }, (body) =>
          rows(body.queued_events, 'queued_events').map((event) => event.uri),
        ),
      );
      return queued ?? [];
    },
  };
};
