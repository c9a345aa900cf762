import type { AirflowClient } from '../airflow/client.ts';
import { printable } from '../config/problems.ts';
import type { AirflowConfig, Config } from '../config.ts';
import { type AirflowReport, checkAirflow, consequence, type Finding } from './checkAirflow.ts';
import { roleRecipes } from './roles.ts';

export interface CheckOptions {
  readonly json?: boolean;
  /** Print the commands for an account also where nothing is missing. */
  readonly roles?: boolean;
  readonly now?: () => number;
}

/** 0 fine, 1 degraded, 2 unusable. */
export type Verdict = 0 | 1 | 2;

/** Asks every configured Airflow what Firedamper can do with it, prints it line by line, and answers the exit code. Changes nothing. */
export async function runCheck(
  config: Config,
  makeClient: (airflow: AirflowConfig) => AirflowClient,
  out: (line: string) => void,
  options: CheckOptions = {},
): Promise<Verdict> {
  const reports: AirflowReport[] = [];
  for (const airflow of config.airflows) {
    const client = makeClient(airflow);
    try {
      reports.push(await checkAirflow(config, airflow, client, options.now ?? Date.now));
    } finally {
      client.close();
    }
  }
  const own = ownFindings(config);
  const verdict = Math.max(levelOf(own), ...reports.map(verdictOf)) as Verdict;
  const lines = options.json
    ? [JSON.stringify(asJson(config, reports, own, verdict), null, 2)]
    : asText(config, reports, own, verdict, options.roles ?? false);
  for (const line of lines) out(options.json ? line : printable(line));
  return verdict;
}

const VERDICTS: Readonly<Record<Verdict, string>> = { 0: 'fine', 1: 'degraded', 2: 'unusable' };

const levelOf = (findings: readonly Finding[]): Verdict =>
  findings.some((f) => f.level === 'bad') ? 2 : findings.some((f) => f.level === 'warn') ? 1 : 0;

/** One that cannot be asked at all is unusable; one that answers some calls badly is degraded at best. */
function verdictOf(report: AirflowReport): Verdict {
  if (report.identity === null || report.capabilities.length === 0) return 2;
  return Math.max(levelOf(report.findings), report.failures.length > 0 ? 1 : 0) as Verdict;
}

function ownFindings(config: Config): Finding[] {
  const mayApprove = config.tokens.some((token) => token.role === 'approver' || token.role === 'admin');
  return [
    ...(mayApprove
      ? []
      : [
          { level: 'warn', text: 'access.tokens has nobody with the role approver or admin: no repair can be approved' } as const,
        ]),
    ...(config.policy.mode === 'shadow'
      ? [{ level: 'note', text: 'policy.mode is shadow: nothing will be changed in Airflow' } as const]
      : []),
  ];
}

const row = (label: string, value: string): string => `  ${label.padEnd(11)} ${value}`;
const MARKS: Readonly<Record<Finding['level'], string>> = { bad: '!!', warn: ' !', note: '  ' };

function asText(
  config: Config,
  reports: readonly AirflowReport[],
  own: readonly Finding[],
  verdict: Verdict,
  roles: boolean,
): string[] {
  return [
    ...reports.flatMap((report) => [...reportText(config, report), '']),
    ...own.map((f) => `${MARKS[f.level]} ${f.text}`),
    ...reports.flatMap((report) => (roles || lacksRights(report) ? [...recipeText(report), ''] : [])),
    VERDICTS[verdict],
  ];
}

const lacksRights = (report: AirflowReport): boolean =>
  report.capabilities.some((c) => c.allowed === 'no') || (report.identity !== null && report.capabilities.length === 0);

function reportText(config: Config, report: AirflowReport): string[] {
  const { identity, dags, lineage } = report;
  const apart =
    report.clockSkewMs === null
      ? 'unknown: Airflow sends no date'
      : `${Math.abs(report.clockSkewMs / 1000).toFixed(1)} s apart, to about a second`;
  return [
    `${report.id}  ${report.url}  ${VERDICTS[verdictOf(report)]}`,
    ...(identity === null ? [] : [row('version', `${identity.version} (REST v${identity.generation === 3 ? 2 : 1})`)]),
    ...(identity === null ? [] : [row('scheduler', identity.scheduler), row('database', identity.database), row('clock', apart)]),
    ...(dags === null ? [] : [row('DAGs', `${dags.total}, of which ${dags.paused} paused`)]),
    ...(lineage === null
      ? []
      : [row('lineage', `${lineage.links} links between DAGs${lineage.gaps.length === 0 ? '; every source was read' : ''}`)]),
    ...(report.capabilities.length === 0
      ? []
      : [row('account', report.account ?? 'unknown (token)'), ...rightsTable(config, report)]),
    ...report.failures.flatMap((f) => [`!! ${f.name}: ${f.message}`, `   ${f.hint}`]),
    ...report.findings
      .filter((f) => !report.capabilities.some((c) => f.text.startsWith(`${c.name}: `)))
      .map((f) => `${MARKS[f.level]} ${f.text}`),
  ];
}

function rightsTable(config: Config, report: AirflowReport): string[] {
  const levels = new Map(report.findings.map((f) => [f.text.split(': ')[0], f.level]));
  return report.capabilities.map((c) => {
    const mark = MARKS[levels.get(c.name) ?? 'note'];
    return `${mark}   ${c.name.padEnd(20)} ${c.allowed.padEnd(8)} ${c.allowed === 'yes' ? '' : consequence(config, c)}`.trimEnd();
  });
}

function recipeText(report: AirflowReport): string[] {
  const head = `An account for ${report.id} with just the rights it needs:`;
  const recipes = roleRecipes(report.identity?.generation ?? null, report.account ?? 'firedamper');
  return [
    head,
    ...recipes.flatMap((r) => ['', `  # ${r.title}`, ...r.commands.map((command) => `  ${command}`), `  # ${r.note}`]),
  ];
}

function asJson(config: Config, reports: readonly AirflowReport[], own: readonly Finding[], verdict: Verdict) {
  return {
    verdict: VERDICTS[verdict],
    exit_code: verdict,
    findings: own,
    airflows: reports.map((report) => ({
      id: report.id,
      url: report.url,
      verdict: VERDICTS[verdictOf(report)],
      account: report.account,
      version: report.identity?.version ?? null,
      generation: report.identity?.generation ?? null,
      scheduler: report.identity?.scheduler ?? null,
      database: report.identity?.database ?? null,
      clock_skew_ms: report.clockSkewMs,
      dags: report.dags,
      lineage: report.lineage,
      capabilities: report.capabilities.map((c) => ({
        name: c.name,
        allowed: c.allowed,
        note: c.allowed === 'yes' ? '' : consequence(config, c),
      })),
      failures: report.failures,
      findings: report.findings,
      role_commands: roleRecipes(report.identity?.generation ?? null, report.account ?? 'firedamper'),
    })),
  };
}
