import type { Config, TokenConfig } from '../config.ts';
import { invalid, unavailable } from '../errors.ts';
import { type CopyFacts, contentsOf } from './backup.ts';

export interface RestoreOptions {
  readonly file: string | undefined;
  readonly differences: boolean;
  readonly confirm: boolean;
  readonly as: string | undefined;
  readonly reason: string | undefined;
}

interface Restoration extends CopyFacts {
  readonly aside: string | null;
  readonly knowsUntil: string | null;
}
type Restore = (database: string, from: string, now: Date) => Restoration;
type Out = (line: string) => void;

/** Answers the exit code; throws where nothing was done. */
export async function runRestore(config: Config, options: RestoreOptions, restore: Restore, out: Out): Promise<0> {
  if (options.file !== undefined) putBack(config, restore(config.database, options.file, new Date()), options.file, out);
  else if (options.differences) await showDifferences(config, options, out);
  else await confirm(config, options, out);
  return 0;
}

function putBack(config: Config, done: Restoration, from: string, out: Out): void {
  out(`restored  ${config.database}`);
  out(`from      ${from}`);
  out(`contents  ${contentsOf(done)}`);
  out(`knows     what happened until ${done.knowsUntil ?? 'never: it is empty'}`);
  out(done.aside === null ? 'before    there was no database here' : `before    kept as ${done.aside}`);
  out('');
  out('It is older than Airflow. Start the service: it accepts callbacks and polls, and changes nothing in Airflow. Then:');
  out('  firedamper restore --differences');
  out('  firedamper restore --confirm --reason "..."');
}

interface Difference {
  readonly airflow: string;
  readonly dag_id: string | null;
  readonly text: string;
}
interface RestoreState {
  readonly observing: boolean;
  readonly restored_at: string | null;
  readonly because: string | null;
  readonly knows_until: string | null;
  readonly differences: readonly Difference[];
}

async function showDifferences(config: Config, options: RestoreOptions, out: Out): Promise<void> {
  const who = person(config, options.as, null);
  const state = (await ask(config, who, 'GET', '/v1/restore')) as RestoreState;
  if (!state.observing) {
    out('The database is not a restored one, or it was confirmed: the service acts.');
    return;
  }
  out(`observing since ${state.restored_at}: ${state.because}`);
  out(`the database knows what happened until ${state.knows_until ?? 'never'}`);
  out('');
  if (state.differences.length === 0) out('Nothing differs between it and Airflow as far as can be read.');
  for (const d of state.differences) out(`${d.airflow}${d.dag_id === null ? '' : `/${d.dag_id}`}: ${d.text}`);
}

async function confirm(config: Config, options: RestoreOptions, out: Out): Promise<void> {
  const who = person(config, options.as, 'admin');
  await ask(config, who, 'POST', '/v1/restore/confirm', { reason: options.reason });
  out(`confirmed by ${who.name}: the service acts again`);
}

/** Whoever reads the configuration holds everybody's token; the history is to name the one who says so. */
function person(config: Config, name: string | undefined, role: TokenConfig['role'] | null): TokenConfig {
  const found = config.tokens.find((t) => (name === undefined ? role === null || t.role === role : t.name === name));
  if (found) return found;
  throw invalid(
    name === undefined
      ? `access.tokens names nobody${role === null ? '' : ` with the role ${role}`}`
      : `access.tokens has no ${name}`,
  );
}

const TIMEOUT_MS = 60_000;

async function ask(config: Config, who: TokenConfig, method: string, path: string, body?: object): Promise<unknown> {
  const url = `http://${reachable(config.server.host)}:${config.server.port}${path}`;
  const headers = { authorization: `Bearer ${who.secret.reveal()}`, 'content-type': 'application/json' };
  const request = { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS), ...(body ? { body: JSON.stringify(body) } : {}) };
  const response = await fetch(url, request).catch((error: unknown) => {
    throw unavailable(
      `no service answers at ${url} (${whyOf(error)}); start it: on a restored database it only observes until --confirm`,
    );
  });
  const answer = (await response.json().catch(() => ({}))) as { detail?: string; title?: string };
  if (!response.ok) throw unavailable(`the service answered ${response.status}: ${answer.detail ?? answer.title ?? 'no reason'}`);
  return answer;
}

/** fetch's own words are "fetch failed" for whatever it was. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** What listens on every address is reached on this machine's own. */
const reachable = (host: string): string =>
  host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
