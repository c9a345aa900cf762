/** Everything that we ask of Airflow 2. */
import type { SessionAuthenticator } from '../authSession.ts';
import type { Calls } from '../calls.ts';
import { healthFacts } from '../health.ts';
import type { Http } from '../http.ts';
import type { Wire } from '../wire.ts';
import { v1Acts } from './acts.ts';
import { v1Assets } from './assets.ts';
import { v1Audit } from './audit.ts';
import { type V1Setting, v1Dags } from './dags.ts';
import { v1Runs } from './runs.ts';

/** The way to the web pages of 2.x, which take only a session. */
export interface WebPages {
  readonly http: Http;
  readonly auth: SessionAuthenticator;
}

/** `open` sends without a log-in: health needs none, and must be seen also where the log-in fails. */
export const createV1 = (setting: V1Setting, open: Wire, _pages: WebPages | null): Calls => ({
  ...v1Dags(setting),
  ...v1Runs(setting),
  ...v1Audit(setting),
  ...v1Assets(setting),
  ...v1Acts(setting),
  health: () => open.call('get', '/health', { lane: 'poll' }, healthFacts),
  getLineage: () => Promise.reject(new Error('next')),
  capabilities: () => Promise.reject(new Error('next')),
});
