/** What each generation implements: the client without the parts that know no generation. */
import type { AirflowClient, AirflowIdentity } from './client.ts';
import type { Version } from './version.ts';

export type Calls = Omit<AirflowClient, 'id' | 'probe' | 'account' | 'pageUrl' | 'close' | 'canBackfill'> & {
  health(): Promise<Omit<AirflowIdentity, 'version' | 'generation'>>;
};

/** What both generations are made from. */
export interface Setting {
  readonly airflow: string;
  readonly version: Version;
  readonly now: () => number;
}
