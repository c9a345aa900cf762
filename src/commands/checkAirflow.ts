import { type AirflowClient, AirflowError, type AirflowIdentity, type Capability } from '../airflow/client.ts';
import type { AirflowConfig, Config } from '../config.ts';
import type { LineageGap } from '../core/facts.ts';

/** `bad`: cannot work. `warn`: works, with a part missing. `note`: good to know. */
export interface Finding {
  readonly level: 'bad' | 'warn' | 'note';
  readonly text: string;
}

/** A call that failed, by name. */
export interface NamedFailure {
  readonly name: string;
  readonly message: string;
  readonly hint: string;
}

export interface AirflowReport {
  readonly id: string;
  readonly url: string;
  readonly account: string | null;
  readonly identity: AirflowIdentity | null;
  /** Our clock minus theirs, to about a second; null where Airflow sent no date. */
  readonly clockSkewMs: number | null;
  readonly capabilities: readonly Capability[];
  readonly dags: { readonly total: number; readonly paused: number } | null;
  readonly lineage: { readonly links: number; readonly gaps: readonly LineageGap[] } | null;
  readonly failures: readonly NamedFailure[];
  readonly findings: readonly Finding[];
}

type Attempt<T> = { readonly ok: T } | { readonly failure: NamedFailure };

/** Asks one Airflow everything; never rejects for what Airflow does. */
export async function checkAirflow(
  config: Config,
  airflow: AirflowConfig,
  client: AirflowClient,
  now: () => number,
): Promise<AirflowReport> {
  const empty = {
    id: airflow.id,
    url: airflow.url,
    account: client.account,
    clockSkewMs: null,
    capabilities: [],
    dags: null,
    lineage: null,
  };
  const before = now();
  const probed = await attempt(() => client.probe());
  const after = now();
  if ('failure' in probed) return { ...empty, identity: null, failures: [probed.failure], findings: [] };
  const identity = probed.ok;
  const clockSkewMs = skew(identity, before, after);
  const rights = await attempt(() => client.capabilities());
  const capabilities = 'ok' in rights ? rights.ok : [];
  const mayRead = capabilities.some((c) => c.name === 'read_dags' && c.allowed === 'yes');
  const listed = mayRead ? await attempt(() => client.listDags()) : null;
  const known = listed && 'ok' in listed ? listed.ok : null;
  const ids = known?.map((dag) => dag.dagId) ?? null;
  const lineage = ids ? await attempt(() => client.getLineage(async () => ids)) : null;
  const failures = [rights, listed, lineage].flatMap((a) => (a && 'failure' in a ? [a.failure] : []));
  const readable = lineage && 'ok' in lineage ? lineage.ok : null;
  const findings = [
    ...healthFindings(identity),
    ...clockFindings(clockSkewMs, config.intake.toleranceMs),
    ...rightsFindings(config, identity, capabilities),
    ...(readable?.gaps.map(
      (gap): Finding => ({ level: 'warn', text: `lineage source ${gap.source} cannot be read: ${gap.why}` }),
    ) ?? []),
    ...edgeFindings(config, airflow.id, ids),
    ...callbackFindings(airflow),
  ];
  return {
    ...empty,
    account: client.account,
    identity,
    clockSkewMs,
    capabilities,
    dags: known && { total: known.length, paused: known.filter((dag) => dag.paused).length },
    lineage: readable && { links: readable.edges.length, gaps: readable.gaps },
    failures,
    findings,
  };
}

async function attempt<T>(ask: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: await ask() };
  } catch (error) {
    if (!(error instanceof AirflowError)) throw error;
    const [name, hint] = FAILURES[error.kind] ?? ['gives an unexpected answer', 'look into the log of the Airflow web server'];
    return { failure: { name, message: error.message, hint } };
  }
}

const FAILURES: Readonly<Partial<Record<AirflowError['kind'], readonly [name: string, hint: string]>>> = {
  unreachable: ['cannot be reached', 'is the address right, does Airflow run, and does a firewall let us through?'],
  timeout: ['does not answer in time', 'is it overloaded? airflows[].timeout allows more time'],
  unauthorized: ['refuses the user name or password', 'check airflows[].auth; the account must be able to log in there'],
  forbidden: ['refuses this account', 'the account lacks a right; the commands below make one that has them'],
  server_error: ['answers with a server error', 'look into the log of the Airflow web server or of the proxy before it'],
  not_airflow: [
    'does not answer like Airflow',
    'give the final address of the Airflow web server, with its path prefix, and no log-in page or redirect before it',
  ],
  unsupported: ['has a version that is not known', 'known are 2.9 to 2.11 and 3.x'],
};

/** Their clock has a resolution of one second: half of it and half the way there and back are taken off. */
function skew(identity: AirflowIdentity, before: number, after: number): number | null {
  if (identity.serverTime === null) return null;
  return Math.round((before + after) / 2 - (Date.parse(identity.serverTime) + 500));
}

function healthFindings(identity: AirflowIdentity): Finding[] {
  const found: Finding[] = [];
  if (identity.scheduler !== 'healthy')
    found.push({ level: 'warn', text: `its scheduler is ${identity.scheduler}: nothing that is repaired would run` });
  if (identity.database !== 'healthy') found.push({ level: 'warn', text: `its database is ${identity.database}` });
  return found;
}

const NOTICEABLE_SKEW_MS = 5_000;

function clockFindings(skewMs: number | null, toleranceMs: number): Finding[] {
  if (skewMs === null || Math.abs(skewMs) <= NOTICEABLE_SKEW_MS) return [];
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const text = `the clocks are ${seconds} s apart (ours is ${skewMs > 0 ? 'ahead' : 'behind'})`;
  if (Math.abs(skewMs) <= toleranceMs / 2) return [{ level: 'note', text }];
  return [
    { level: 'warn', text: `${text}: callbacks are refused beyond ${Math.round(toleranceMs / 1000)} s (intake.tolerance)` },
  ];
}

const WRITES: ReadonlySet<string> = new Set(['pause', 'clear', 'backfill', 'trigger', 'create_asset_events']);
const NEEDED: ReadonlySet<string> = new Set(['read_dags', 'read_runs', 'pause']);

function rightsFindings(config: Config, identity: AirflowIdentity, capabilities: readonly Capability[]): Finding[] {
  const asked = capabilities.filter((c) => c.allowed !== 'absent');
  if (identity.generation === 2 && asked.length > 0 && asked.every((c) => c.allowed === 'no')) {
    // 2.x says 403 for a wrong password too, and for any log-in while Basic is off (2.9.3, 2.11.2).
    const text =
      'user name or password is wrong, or this Airflow takes no Basic log-in: AIRFLOW__API__AUTH_BACKENDS must name basic_auth';
    return [{ level: 'bad', text }];
  }
  const shadow = config.policy.mode === 'shadow';
  return asked
    .filter((c) => c.allowed !== 'yes' && !(shadow && WRITES.has(c.name)))
    .map((c) => ({
      level: c.allowed === 'no' && NEEDED.has(c.name) ? 'bad' : 'warn',
      text: `${c.name}: ${consequence(config, c)}`,
    }));
}

/** What it means here, where the policy decides that. */
export function consequence(config: Config, capability: Capability): string {
  if (capability.name !== 'read_audit_log') return capability.note;
  const then =
    config.policy.release.withoutAuditLog === 'ask'
      ? 'a person is asked before every release'
      : 'a DAG seen paused at every poll since our pause counts as touched by nobody';
  return `${capability.note}; policy.release.without_audit_log is ${config.policy.release.withoutAuditLog}: ${then}`;
}

function edgeFindings(config: Config, airflow: string, dagIds: readonly string[] | null): Finding[] {
  if (dagIds === null) return [];
  const ends = config.edges
    .flatMap((edge) => [edge.from, edge.to])
    .filter((end) => end.airflow === airflow && !dagIds.includes(end.dagId));
  return [...new Set(ends.map((end) => end.dagId))].map((dagId) => ({
    level: 'warn',
    text: `lineage.edges names ${airflow}/${dagId}, and Airflow has no such DAG`,
  }));
}

function callbackFindings(airflow: AirflowConfig): Finding[] {
  if (airflow.callbackSecrets.length > 0) return [];
  return [
    { level: 'note', text: `no callback_secrets: failures are found by polling only, every ${airflow.pollIntervalMs / 1000} s` },
  ];
}
