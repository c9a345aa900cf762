/**
 * What this account may do, found by asking. Reading is tried by reading one row; writing by calls on a DAG that cannot exist, where
 * "not found" means that the right is there and 403 that it is not. They change nothing. Airflow 2 leaves an audit row for each of
 * them, under the name below, Airflow 3 none for an unknown DAG (2.11.2, 3.3.2), so this is for `check` and the start, not for a loop.
 */
import { AirflowError, type Capability } from './client.ts';

/** Airflow refuses to parse a DAG with a tilde, so this id can never be somebody's. */
export const noSuchDag = 'firedamper~rights~check~no~such~dag';

export type CapabilityName =
  | 'read_dags'
  | 'pause'
  | 'read_runs'
  | 'clear'
  | 'backfill'
  | 'trigger'
  | 'read_audit_log'
  | 'read_lineage'
  | 'read_assets'
  | 'read_import_errors'
  | 'create_asset_events';

/** `read` must succeed; `write` must end in "not found". */
export interface Trial {
  readonly name: CapabilityName;
  readonly kind: 'read' | 'write' | 'absent';
  readonly ask: () => Promise<unknown>;
}

const meaning: Readonly<Record<CapabilityName, string>> = {
  read_dags: 'without the list of DAGs nothing can be held: user name or password is wrong, or the role may not read DAGs',
  pause: 'no DAG can be held or released',
  read_runs: 'failures are not found by polling, and no repair can be planned or checked',
  clear: 'failed runs cannot be repaired by running them again',
  backfill: 'a range of intervals cannot be repaired by a backfill',
  trigger: 'missing runs cannot be created, and missed triggers cannot be made up for',
  read_audit_log:
    'who paused or resumed a DAG cannot be told, so a person is asked before a release (Airflow gives this right to Admin only)',
  read_lineage: 'triggers and sensors between DAGs are known only task by task, after they ran once',
  read_assets: 'readers of assets (datasets) are not known',
  read_import_errors: 'a DAG file that Airflow cannot load is not noticed; its DAGs just do not run',
  create_asset_events: 'asset events that a held DAG missed cannot be delivered again; its runs are triggered instead',
};

const absence: Partial<Record<CapabilityName, string>> = {
  backfill: 'Airflow 2 has no backfills over its API; missing runs are created one by one',
};

/** Rejects where not even the log-in works; everything else is an answer. */
export const tryAll = async (trials: readonly Trial[]): Promise<readonly Capability[]> =>
  Promise.all(
    trials.map(async (trial): Promise<Capability> => {
      if (trial.kind === 'absent')
        return { name: trial.name, allowed: 'absent', note: absence[trial.name] ?? meaning[trial.name] };
      try {
        await trial.ask();
        return { name: trial.name, allowed: 'yes', note: '' };
      } catch (error) {
        if (!(error instanceof AirflowError) || error.kind === 'unauthorized' || error.kind === 'unreachable') throw error;
        return judged(trial, error);
      }
    }),
  );

const judged = (trial: Trial, error: AirflowError): Capability => {
  const { name, kind } = trial;
  if (kind === 'write' && error.kind === 'not_found') return { name, allowed: 'yes', note: '' };
  if (error.kind === 'forbidden') return { name, allowed: 'no', note: meaning[name] };
  return { name, allowed: 'unknown', note: `${error.message}; if it is missing: ${meaning[name]}` };
};
