/** Everything that we ask of Airflow 3. */
import type { Calls } from '../calls.ts';
import { healthFacts } from '../health.ts';
import type { Wire } from '../wire.ts';
import { v2Acts } from './acts.ts';
import { v2Assets } from './assets.ts';
import { v2Audit } from './audit.ts';
import { v2Backfills } from './backfills.ts';
import { v2Capabilities } from './capabilities.ts';
import { type V2Setting, v2Dags } from './dags.ts';
import { v2Lineage } from './lineage.ts';
import { v2Runs, v2Tasks } from './runs.ts';

/** `open` sends without a log-in: health needs none, and must be seen also where the log-in fails. */
export const createV2 = (setting: V2Setting, open: Wire): Calls => ({
  ...v2Dags(setting),
  ...v2Runs(setting),
  ...v2Tasks(setting),
  ...v2Audit(setting),
  ...v2Assets(setting),
  ...v2Backfills(setting),
  ...v2Acts(setting),
  health: () => open.call('get', '/api/v2/monitor/health', { lane: 'reads' }, healthFacts),
  getLineage: v2Lineage(setting),
  capabilities: v2Capabilities(setting),
});
