/** Airflow 3: assets, their events, and what waits for the rest of a condition. */
import type { AssetEventFacts } from '../../core/facts.ts';
import type { Calls, ListLane } from '../calls.ts';
import { AirflowError, type AssetEvents } from '../client.ts';
import { nullWhenMissing } from '../missing.ts';
import { allPages, type FetchPage, pageSize } from '../pages.ts';
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
    const page = (limit: number, offset: number) =>
      wire.get(
        '/api/v2/assets/events',
        {
          ...{ lane, rowsMayBreakIt: true },
          query: { asset_id: assetId, timestamp_gte: since, order_by: ['timestamp'], limit, offset },
        },
        (body) => ({ rows: rows(body.asset_events, 'asset_events').map(assetEventFacts), total: body.total_entries }),
      );
    try {
      return { events: await allPages(page, (event) => String(event.id)), unreadable: 0 };
    } catch (error) {
      if (!isBrokenPage(error)) throw error;
      return aroundBrokenRows(page);
    }
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

const isBrokenPage = (error: unknown): boolean => error instanceof AirflowError && error.status === 500;

/** A reader that is slow may have as many runs waiting. More of them cost too many requests: the next look is later. */
const mostUnreadable = 200;

/**
 * One event with a run that has no start date breaks the whole page (seen on 3.0.6, 3.1.8, 3.2.2 and 3.3.2; apache/airflow#71360). A held
 * DAG's run that somebody clears does not begin before its unpause, which waits for this list: so what can be read is, by smaller and smaller pages.
 */
const aroundBrokenRows = async (page: FetchPage<AssetEventFacts>): Promise<AssetEvents> => {
  const found = new Map<number, AssetEventFacts>();
  let unreadable = 0;
  let limit = pageSize;
  for (let offset = 0; ; ) {
    const read = await page(limit, offset).catch((error: unknown) => {
      if (!isBrokenPage(error) || (limit === 1 && unreadable === mostUnreadable)) throw error;
      return null;
    });
    if (read === null) {
      if (limit === 1) {
        unreadable++;
        offset++;
      }
      limit = Math.ceil(limit / 2);
      continue;
    }
    // Only an empty page is the end: a site may answer fewer rows than were asked for.
    if (read.rows.length === 0) return { events: [...found.values()], unreadable };
    for (const event of read.rows) found.set(event.id, event);
    offset += read.rows.length;
    limit = Math.min(pageSize, limit * 2);
  }
};

const numericKey = (operation: string, assetKey: string): number => {
  if (/^\d{1,15}$/.test(assetKey)) return Number(assetKey);
  throw new AirflowError('bad_id', `${JSON.stringify(assetKey.slice(0, 60))} cannot be used as an asset id`, {
    outcome: 'none',
    operation,
  });
};
