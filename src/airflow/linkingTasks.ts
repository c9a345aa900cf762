/** Which tasks join DAGs. */
import type { LinkingTask } from './lineage.ts';

interface TaskLike {
  readonly task_id?: string | null;
  readonly operator_name?: string | null;
  readonly class_ref?: { readonly class_name?: string } | null;
  readonly template_fields?: readonly string[] | null;
}

/**
 * By template fields where they are listed, because a subclass shows its own class name (2.x, 3.x); by class name otherwise.
 * ExternalTaskMarker has the fields of a sensor but only matters for clearing, so it is no edge.
 */
export const linkingTasksOf = (dagId: string, tasks: readonly TaskLike[]): readonly LinkingTask[] =>
  tasks.flatMap((task): readonly LinkingTask[] => {
    const name = task.operator_name ?? task.class_ref?.class_name ?? '';
    const fields = new Set(task.template_fields ?? []);
    const taskId = task.task_id ?? '';
    if (taskId === '' || name === 'ExternalTaskMarker') return [];
    if (fields.has('trigger_dag_id') || name === 'TriggerDagRunOperator') return [{ dagId, taskId, kind: 'trigger' }];
    if (fields.has('external_dag_id') || name === 'ExternalTaskSensor') return [{ dagId, taskId, kind: 'sensor' }];
    return [];
  });
