/** Everything that we ask of Airflow 2. */
import type { Calls } from '../calls.ts';
import { healthFacts } from '../health.ts';
import type { Wire } from '../wire.ts';
import { v1Acts } from './acts.ts';
import { v1Assets } from './assets.ts';
import { v1Audit } from './audit.ts';
import { v1Capabilities } from './capabilities.ts';
import { type V1Setting, v1Dags } from './dags.ts';
import { v1Lineage } from './lineage.ts';
import { v1Runs } from './runs.ts';
import type { WebPages } from './webPages.ts';

/** `open` sends without a log-in: health needs none, and must be seen also where the log-in fails. */
export const createV1 = (setting: V1Setting, open: Wire, pages: WebPages | null): Calls => ({
  ...v1Dags(setting),
  ...v1Runs(setting),
  ...v1Audit(setting),
  ...v1Assets(setting),
  ...v1Acts(setting),
  health: () => open.call('get', '/health', { lane: 'reads' }, healthFacts),
  getLineage: v1Lineage(setting, pages),
  capabilities: v1Capabilities(setting, pages),
});
