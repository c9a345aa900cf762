import type { AirflowClient } from '../airflow/client.ts';
import type { State } from '../core/draft.ts';
import type { World } from '../core/events.ts';
import type { Policy } from '../core/policy.ts';

/** What every effect is given. Effects read state, touch the outside, and answer an outcome; they decide nothing. */
export interface EffectDeps {
  client(airflow: string): AirflowClient;
  readonly world: World;
  readonly policy: Policy;
  snapshot(): Promise<State>;
  readonly now: () => number;
  /** Reads the pause state of one DAG, together with whoever else asks at the same time. */
  readBack(airflow: string, dagId: string): Promise<boolean | 'gone'>;
  /** Refreshes DAG list and lineage of one Airflow; never rejects. */
  resurvey(airflow: string): Promise<void>;
}
