/**
 * The ground truth that a history is compared with: the rows as they lie in the file, and Airflow's own books. The service's own word is no part of it.
 * Plain data, so that a fake Airflow, a real one, or a test of the checker can fill it.
 */
import type { FakeAirflow } from '../../fakeAirflow/index.ts';
import { type Rows, rowsOf } from '../crash/rows.ts';

/** The account of the service in Airflow. */
export const US = 'firedamper';

/** Something that changed in Airflow: `pause`, `unpause`, `clear`, `trigger`, `backfill`, `asset_event`. */
export interface TrueEffect {
  readonly kind: string;
  /** Empty for an asset event. */
  readonly dagId: string;
  readonly runId?: string;
  readonly by: string;
  /** Of a backfill its logical dates, by commas; of an asset event the asset. */
  readonly detail?: string;
}

/** As the receiver got it. */
export interface TrueNotice {
  readonly id: string;
  readonly event: string;
  readonly title: string;
}

export interface Truth {
  /** null: nobody looked into the file. */
  readonly file: Rows | null;
  /** In the order in which they happened, whoever did them. */
  readonly effects: readonly TrueEffect[];
  /** Is this DAG paused now? */
  readonly switches: Readonly<Record<string, boolean>>;
  /** The states of all runs of a DAG, oldest first. */
  readonly runs: Readonly<Record<string, readonly string[]>>;
  readonly notices: readonly TrueNotice[];
}

export const NOTHING: Truth = { file: null, effects: [], switches: {}, runs: {}, notices: [] };

/** Only what lies in the file. */
export const inFile = (database: string): Truth => ({ ...NOTHING, file: rowsOf(database) });

interface More {
  readonly database?: string;
  readonly notices?: readonly TrueNotice[];
  /** Effects from this one on; default all. */
  readonly from?: number;
}

export function inFake(fake: FakeAirflow, { database, notices = [], from = 0 }: More = {}): Truth {
  const dagIds = [...fake.world.dags.keys()];
  return {
    file: database === undefined ? null : rowsOf(database),
    effects: fake.effects.slice(from),
    switches: Object.fromEntries(dagIds.map((id) => [id, fake.isPaused(id)])),
    runs: Object.fromEntries(dagIds.map((id) => [id, fake.runs(id).map((run) => run.state)])),
    notices,
  };
}

/**
 * For a real Airflow, whose audit log keeps requests and not changes: a pause that is asked for once more, because its answer was lost, moves nothing.
 * `asked`: what one account asked for one DAG, oldest first.
 */
export const movesOf = (dagId: string, by: string, asked: readonly ('pause' | 'unpause')[]): readonly TrueEffect[] =>
  asked.filter((kind, n) => kind !== asked[n - 1]).map((kind) => ({ kind, dagId, by }));
