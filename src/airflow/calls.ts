/** What each generation implements: the client without the parts that know no generation. */
import type { AirflowClient, AirflowIdentity } from './client.ts';
import type { Version } from './version.ts';

export type Calls = Omit<AirflowClient, 'id' | 'probe' | 'account' | 'pageUrl' | 'close' | 'canBackfill'> & {
  health(): Promise<Omit<AirflowIdentity, 'version' | 'generation'>>;
};

/** Whose places a list takes: that of the acts that wait for it, or of the lineage, which nobody waits for. */
export type ListLane = 'reads' | 'survey';

/** What both generations are made from. */
export interface Setting {
  readonly airflow: string;
  readonly version: Version;
  readonly now: () => number;
}
