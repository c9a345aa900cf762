/** What a person does in Airflow itself, with the traces that it leaves. */
import { likes } from './routing.ts';
import type { Run } from './types.ts';
import type { World } from './world.ts';

export interface Person {
  /** The switch in Airflow's page: event `paused` on 2.x, `patch_dag` on 3.x. */
  pause(dagId: string): void;
  unpause(dagId: string): void;
  /** The bulk PATCH: no DAG in the audit row. */
  bulkPause(pattern: string, paused: boolean): void;
  /** `airflow dags pause`: the owner is the user of the machine. */
  commandLinePause(dagId: string, paused: boolean): void;
  /** With its runs, by the page or the API; what had been written of it stays in the log. */
  delete(dagId: string): void;
  clear(dagId: string, runId: string, taskIds?: readonly string[]): void;
  markRun(dagId: string, runId: string, state: 'success' | 'failed'): void;
}

export const personOf = (world: World, name: string): Person => {
  const two = world.options.generation === 2;
  const toggle = (dagId: string, paused: boolean) => {
    const extra = two
      ? { is_paused: paused }
      : { is_paused: /^3\.0\./.test(world.options.version) ? false : paused, method: 'PATCH' };
    world.writeAudit(two ? 'paused' : 'patch_dag', name, dagId, JSON.stringify(extra));
    world.setPaused(dagId, paused, name);
  };
  return {
    pause: (dagId) => toggle(dagId, true),
    unpause: (dagId) => toggle(dagId, false),
    bulkPause: (pattern, paused) => {
      world.writeAudit(
        two ? 'api.patch_dags' : 'patch_dags',
        name,
        null,
        JSON.stringify({ dag_id_pattern: pattern, is_paused: paused, ...(two ? {} : { method: 'PATCH' }) }),
      );
      for (const dag of world.dags.values()) if (likes(pattern, dag.id)) world.setPaused(dag.id, paused, name);
    },
    commandLinePause: (dagId, paused) => {
      world.writeAudit(
        paused ? 'cli_dag_pause' : 'cli_dag_unpause',
        'root',
        dagId,
        JSON.stringify({ host_name: 'vm', full_command: `['airflow', 'dags', '${paused ? 'pause' : 'unpause'}', '${dagId}']` }),
      );
      world.setPaused(dagId, paused, 'root');
    },
    delete: (dagId) => {
      world.writeAudit(two ? 'api.delete_dag' : 'delete_dag', name, dagId, JSON.stringify(two ? {} : { method: 'DELETE' }));
      world.dags.delete(dagId);
      world.runs.delete(dagId);
    },
    clear: (dagId, runId, taskIds) => {
      const run = world.run(dagId, runId);
      world.writeAudit(two ? 'clear' : 'clear_dag_run', name, dagId, '{}', runId);
      world.clear(run, taskIds === undefined ? [...run.tasks.keys()] : [...world.behind(dagId, taskIds)], name);
    },
    markRun: (dagId, runId, state) => mark(world, world.run(dagId, runId), state),
  };
};

const mark = (world: World, run: Run, state: 'success' | 'failed'): void => {
  for (const task of run.tasks.values())
    if (task.state === 'running' || task.state === null)
      Object.assign(task, {
        state: task.state === 'running' ? state : state === 'success' ? 'success' : 'skipped',
        end: world.now(),
        updated: world.now(),
        endsAt: null,
      });
  world.scheduler.finishRun(run, state);
};
