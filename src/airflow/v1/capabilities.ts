/** Airflow 2: what this account may do. */
import { noSuchDag, type Trial, tryAll } from '../capabilities.ts';
import { AirflowError, type Capability } from '../client.ts';
import { everything } from '../ids.ts';
import type { V1Setting } from './dags.ts';
import type { WebPages } from './webPages.ts';

const nothing = () => undefined;

export const v1Capabilities = ({ wire }: V1Setting, pages: WebPages | null): (() => Promise<readonly Capability[]>) => {
  const quiet = { lane: 'acts', changesNothing: true, ids: { dag_id: noSuchDag } } as const;
  const trials: readonly Trial[] = [
    { name: 'read_dags', kind: 'read', ask: () => wire.get('/dags', { lane: 'reads', query: { limit: 1 } }, nothing) },
    {
      name: 'pause',
      kind: 'write',
      ask: () =>
        wire.patch('/dags/{dag_id}', { ...quiet, query: { update_mask: ['is_paused'] }, body: { is_paused: true } }, nothing),
    },
    {
      name: 'read_runs',
      kind: 'read',
      ask: () => wire.get('/dags/{dag_id}/dagRuns', { lane: 'reads', ids: { dag_id: everything }, query: { limit: 1 } }, nothing),
    },
    {
      name: 'clear',
      kind: 'write',
      ask: () => wire.post('/dags/{dag_id}/clearTaskInstances', { ...quiet, body: { dry_run: true } }, nothing),
    },
    { name: 'backfill', kind: 'absent', ask: () => Promise.resolve() },
    {
      name: 'trigger',
      kind: 'write',
      ask: () => wire.post('/dags/{dag_id}/dagRuns', { ...quiet, body: { dag_run_id: 'firedamper_rights_check' } }, nothing),
    },
    { name: 'read_audit_log', kind: 'read', ask: () => wire.get('/eventLogs', { lane: 'reads', query: { limit: 1 } }, nothing) },
    { name: 'read_lineage', kind: 'read', ask: () => dependencyPage(pages) },
    { name: 'read_assets', kind: 'read', ask: () => wire.get('/datasets', { lane: 'reads', query: { limit: 1 } }, nothing) },
    {
      name: 'read_import_errors',
      kind: 'read',
      ask: () => wire.get('/importErrors', { lane: 'reads', query: { limit: 1 } }, nothing),
    },
    {
      name: 'create_asset_events',
      kind: 'write',
      ask: () =>
        wire.post(
          '/datasets/events',
          { lane: 'acts', changesNothing: true, body: { dataset_uri: 'firedamper://rights/check' } },
          nothing,
        ),
    },
  ];
  return () => tryAll(trials);
};

const dependencyPage = async (pages: WebPages | null): Promise<void> => {
  const html = pages === null ? null : await pages.read('/dag-dependencies');
  if (html !== null) return;
  throw new AirflowError('forbidden', 'the page /dag-dependencies needs a session of the log-in form', {
    outcome: 'none',
    operation: 'GET /dag-dependencies',
  });
};
