/** Airflow 3: DAGs, their shape, and the pause switch. */
import type { Calls, Setting } from '../calls.ts';
import { allPages, pageSize } from '../pages.ts';
import type { paths } from '../schema-v2.d.ts';
import { rows, type TypedWire } from '../typedWire.ts';
import { dagDetails, dagFacts, importErrorFacts, taskGraph } from './translate.ts';

export type V2Wire = TypedWire<paths>;
export type V2Setting = Setting & { readonly wire: V2Wire };

type DagCalls = Pick<Calls, 'listDags' | 'listImportErrors' | 'getDag' | 'getDagDetails' | 'getTaskGraph' | 'setPaused'>;

/** Containment and release wait for these lists, so they never queue behind a poll that hangs. */
export const v2Dags = ({ wire }: V2Setting): DagCalls => ({
  listDags: () =>
    allPages(
      (limit, offset) =>
        wire.get(
          '/api/v2/dags',
          { lane: 'reads', query: { limit: Math.max(limit, pageSize), offset, order_by: ['dag_id'] } },
          (body) => ({
            rows: rows(body.dags, 'dags').map(dagFacts),
            total: body.total_entries,
          }),
        ),
      (dag) => dag.dagId,
    ),
  listImportErrors: () =>
    allPages(
      (limit, offset) =>
        wire.get('/api/v2/importErrors', { lane: 'survey', query: { limit, offset } }, (body) => ({
          rows: rows(body.import_errors, 'import_errors').map(importErrorFacts),
          total: body.total_entries,
        })),
      (error) => error.file,
    ),
  getDag: (dagId) => wire.get('/api/v2/dags/{dag_id}', { lane: 'reads', ids: { dag_id: dagId } }, dagFacts),
  getDagDetails: (dagId) => wire.get('/api/v2/dags/{dag_id}/details', { lane: 'reads', ids: { dag_id: dagId } }, dagDetails),
  getTaskGraph: (dagId) =>
    wire.get('/api/v2/dags/{dag_id}/tasks', { lane: 'reads', ids: { dag_id: dagId } }, (body) => taskGraph(dagId, body)),
  // One DAG by its exact id: the bulk PATCH matches substrings, changes one page only and leaves an audit row without a DAG (3.0-3.3).
  // `fd_op` is no parameter of Airflow: unknown ones are copied into the audit row, which makes our own act recognisable (3.0.6-3.3.2).
  setPaused: (dagId, paused, op) =>
    wire.patch(
      '/api/v2/dags/{dag_id}',
      {
        ...{ lane: 'pause', lookFirst: !paused, ids: { dag_id: dagId } },
        ...{ query: { update_mask: ['is_paused'], fd_op: op }, body: { is_paused: paused } },
      },
      dagFacts,
    ),
});
