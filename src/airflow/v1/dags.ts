/** Airflow 2: DAGs, their shape, and the pause switch. */
import type { Calls, Setting } from '../calls.ts';
import { allPages } from '../pages.ts';
import type { paths } from '../schema-v1.d.ts';
import { rows, type TypedWire } from '../typedWire.ts';
import { dagDetails, dagFacts, importErrorFacts, taskGraph } from './translate.ts';

export type V1Wire = TypedWire<paths>;
export type V1Setting = Setting & { readonly wire: V1Wire };

type DagCalls = Pick<Calls, 'listDags' | 'listImportErrors' | 'getDag' | 'getDagDetails' | 'getTaskGraph' | 'setPaused'>;

/** Containment and release wait for these lists, so they never queue behind a poll that hangs. */
export const v1Dags = ({ wire }: V1Setting): DagCalls => ({
  listDags: () =>
    allPages(
      (limit, offset) =>
        wire.get('/dags', { lane: 'reads', query: { limit, offset, order_by: 'dag_id' } }, (body) => ({
          rows: rows(body.dags, 'dags').map(dagFacts),
          total: body.total_entries,
        })),
      (dag) => dag.dagId,
    ),
  listImportErrors: () =>
    allPages(
      (limit, offset) =>
        wire.get('/importErrors', { lane: 'survey', query: { limit, offset } }, (body) => ({
          rows: rows(body.import_errors, 'import_errors').map(importErrorFacts),
          total: body.total_entries,
        })),
      (error) => error.file,
    ),
  getDag: (dagId) => wire.get('/dags/{dag_id}', { lane: 'reads', ids: { dag_id: dagId } }, dagFacts),
  getDagDetails: (dagId) => wire.get('/dags/{dag_id}/details', { lane: 'reads', ids: { dag_id: dagId } }, dagDetails),
  getTaskGraph: (dagId) =>
    wire.get('/dags/{dag_id}/tasks', { lane: 'reads', ids: { dag_id: dagId } }, (body) => taskGraph(dagId, body)),
  // No mark of ours in the query: 2.x answers an unknown parameter with 400, before it looks at anything else (2.9.3, 2.11.2).
  setPaused: (dagId, paused) =>
    wire.patch(
      '/dags/{dag_id}',
      {
        ...{ lane: 'pause', lookFirst: !paused, ids: { dag_id: dagId } },
        ...{ query: { update_mask: ['is_paused'] }, body: { is_paused: paused } },
      },
      dagFacts,
    ),
});
