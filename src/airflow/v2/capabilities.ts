/** Airflow 3: what this account may do. */
import { noSuchDag, type Trial, tryAll } from '../capabilities.ts';
import type { Capability } from '../client.ts';
import { everything } from '../ids.ts';
import type { V2Setting } from './dags.ts';

const nothing = () => undefined;
const noSuchAsset = 2_147_483_647;

export const v2Capabilities = ({ wire, now }: V2Setting): (() => Promise<readonly Capability[]>) => {
  const quiet = { lane: 'acts', changesNothing: true, ids: { dag_id: noSuchDag } } as const;
  const trials: readonly Trial[] = [
    { name: 'read_dags', kind: 'read', ask: () => wire.get('/api/v2/dags', { lane: 'reads', query: { limit: 1 } }, nothing) },
    {
      name: 'pause',
      kind: 'write',
      ask: () =>
        wire.patch(
          '/api/v2/dags/{dag_id}',
          { ...quiet, query: { update_mask: ['is_paused'] }, body: { is_paused: true } },
          nothing,
        ),
    },
    {
      name: 'read_runs',
      kind: 'read',
      ask: () =>
        wire.get('/api/v2/dags/{dag_id}/dagRuns', { lane: 'reads', ids: { dag_id: everything }, query: { limit: 1 } }, nothing),
    },
    {
      name: 'clear',
      kind: 'write',
      ask: () => wire.post('/api/v2/dags/{dag_id}/clearTaskInstances', { ...quiet, body: { dry_run: true } }, nothing),
    },
    {
      name: 'backfill',
      kind: 'write',
      ask: () => wire.post('/api/v2/backfills/dry_run', { lane: 'acts', changesNothing: true, body: oneDay(now()) }, nothing),
    },
    {
      name: 'trigger',
      kind: 'write',
      ask: () => wire.post('/api/v2/dags/{dag_id}/dagRuns', { ...quiet, body: { logical_date: null } }, nothing),
    },
    {
      name: 'read_audit_log',
      kind: 'read',
      ask: () => wire.get('/api/v2/eventLogs', { lane: 'reads', query: { limit: 1 } }, nothing),
    },
    { name: 'read_lineage', kind: 'read', ask: () => wire.get('/ui/dependencies', { lane: 'reads' }, nothing) },
    { name: 'read_assets', kind: 'read', ask: () => wire.get('/api/v2/assets', { lane: 'reads', query: { limit: 1 } }, nothing) },
    {
      name: 'read_import_errors',
      kind: 'read',
      ask: () => wire.get('/api/v2/importErrors', { lane: 'reads', query: { limit: 1 } }, nothing),
    },
    {
      name: 'create_asset_events',
      kind: 'write',
      ask: () =>
        wire.post('/api/v2/assets/events', { lane: 'acts', changesNothing: true, body: { asset_id: noSuchAsset } }, nothing),
    },
  ];
  return () => tryAll(trials);
};

const oneDay = (now: number) => {
  const day = new Date(now - 86_400_000).toISOString();
  return { dag_id: noSuchDag, from_date: day, to_date: day };
};
