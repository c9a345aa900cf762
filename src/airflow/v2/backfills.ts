/** Airflow 3: backfills. */
import type { Instant } from '../../core/facts.ts';
import type { Calls } from '../calls.ts';
import { AirflowError, type BackfillRequest } from '../client.ts';
import { allPages } from '../pages.ts';
import { instantOrNull } from '../translate.ts';
import { rows } from '../typedWire.ts';
import type { V2Setting } from './dags.ts';
import { backfillFacts, type V2 } from './translate.ts';

type BackfillCalls = Pick<Calls, 'dryRunBackfill' | 'startBackfill' | 'listBackfills' | 'cancelBackfill'>;

export const v2Backfills = (setting: V2Setting): BackfillCalls => ({
  dryRunBackfill: (request) => dryRun(setting, request),
  // The whole answer is read before anything is believed: 3.2 answers 500 to an empty range and leaves a backfill that blocks the DAG.
  startBackfill: (request) =>
    setting.wire.post('/api/v2/backfills', { lane: 'acts', body: backfillBody(request) }, backfillFacts),
  listBackfills: async (dagId) => (await rawBackfills(setting, dagId)).map(backfillFacts),
  cancelBackfill: (id) =>
    setting.wire.put('/api/v2/backfills/{backfill_id}/cancel', { lane: 'acts', ids: { backfill_id: id } }, () => undefined),
});

/** Newest first. */
export const rawBackfills = ({ wire }: V2Setting, dagId: string): Promise<readonly V2['BackfillResponse'][]> =>
  allPages(
    (limit, offset) =>
      wire.get('/api/v2/backfills', { lane: 'reads', query: { dag_id: dagId, order_by: ['-id'], limit, offset } }, (body) => ({
        rows: rows(body.backfills, 'backfills'),
        total: body.total_entries,
      })),
    (backfill) => String(backfill.id),
  );

const dryRun = async ({ wire }: V2Setting, request: BackfillRequest): Promise<readonly Instant[]> => {
  try {
    return await wire.post(
      '/api/v2/backfills/dry_run',
      { lane: 'plan', body: backfillBody(request), changesNothing: true },
      (body) =>
        rows(body.backfills, 'backfills')
          .flatMap((one) => instantOrNull(one.logical_date, 'logical_date') ?? [])
          .sort(),
    );
  } catch (error) {
    // 422 is Airflow's word for "this DAG has no intervals" (3.3.2; 3.0-3.2 answer an empty list) and for dates in the future:
    // either way nothing would run.
    if (error instanceof AirflowError && error.status === 422) return [];
    throw error;
  }
};

const backfillBody = (request: BackfillRequest): V2['BackfillPostBody'] => ({
  dag_id: request.dagId,
  from_date: request.from,
  to_date: request.to,
  run_backwards: false,
  reprocess_behavior: request.reprocess,
  max_active_runs: request.maxActiveRuns,
});
