import { resolve } from 'node:path';
import type { AirflowConfig, ChannelConfig, Config, TokenConfig } from '../config.ts';
import type { LineageEdge } from '../core/facts.ts';
import { NOTIFY_EVENTS, type Policy } from '../core/policy.ts';
import { LOG_CHANNEL } from './logChannel.ts';
import type { Group } from './reader.ts';

/** From the checked tree to the configuration that the rest of the program reads. */
export function buildConfig(tree: Group, folder: string): Config {
  const { host, port } = tree.need('server.listen');
  const channels = tree.list('notify.channels[]').map(channelOf);
  return {
    server: { host, port, publicUrl: tree.get('server.public_url') ?? `http://localhost:${port}` },
    database: resolve(folder, tree.need('database')),
    logLevel: tree.need('log_level'),
    airflows: tree.list('airflows[]').map(airflowOf),
    tokens: tree.list('access.tokens[]').map(tokenOf),
    policy: policyOf(tree, channels),
    edges: tree.list('lineage.edges[]').map(edgeOf),
    channels,
    retention: { callbacksMs: tree.need('retention.callbacks'), incidentsMs: tree.need('retention.incidents') },
    intake: {
      maxBodyBytes: tree.need('intake.max_body'),
      ratePerMinute: tree.need('intake.rate_per_minute'),
      toleranceMs: tree.need('intake.tolerance'),
      minFreeBytes: tree.need('intake.min_free'),
    },
  };
}

function airflowOf(entry: Group): AirflowConfig {
  const token = entry.get('airflows[].auth.token');
  return {
    id: entry.need('airflows[].id'),
    url: entry.need('airflows[].url'),
    publicUrl: entry.get('airflows[].public_url') ?? entry.need('airflows[].url'),
    auth: token
      ? { kind: 'token', token }
      : { kind: 'password', username: entry.need('airflows[].auth.username'), password: entry.need('airflows[].auth.password') },
    callbackSecrets: entry.need('airflows[].callback_secrets'),
    pollIntervalMs: entry.need('airflows[].poll_interval'),
    pollLookbackMs: entry.need('airflows[].poll_lookback'),
    surveyIntervalMs: entry.need('airflows[].survey_interval'),
    timeoutMs: entry.need('airflows[].timeout'),
    pauseConcurrency: entry.need('airflows[].pause_concurrency'),
    sessionLogin: entry.need('airflows[].session_login'),
  };
}

const tokenOf = (entry: Group): TokenConfig => ({
  name: entry.need('access.tokens[].name'),
  role: entry.need('access.tokens[].role'),
  secret: entry.need('access.tokens[].secret'),
});

const channelOf = (entry: Group): ChannelConfig => ({
  id: entry.need('notify.channels[].id'),
  kind: entry.need('notify.channels[].kind'),
  url: entry.need('notify.channels[].url'),
  events: entry.need('notify.channels[].events'),
  secret: entry.get('notify.channels[].secret') ?? null,
});

const edgeOf = (entry: Group): LineageEdge => ({
  from: entry.need('lineage.edges[].from'),
  to: entry.need('lineage.edges[].to'),
  kind: 'config',
  via: entry.get('lineage.edges[].note') ?? 'declared in the configuration',
  fromTasks: null,
  waits: null,
  source: 'config',
});

function policyOf(tree: Group, channels: readonly ChannelConfig[]): Policy {
  return {
    mode: tree.need('policy.mode'),
    watch: {
      dags: tree.need('policy.watch.dags'),
      ignoreDags: tree.need('policy.watch.ignore_dags'),
      ignoreTags: tree.need('policy.watch.ignore_tags'),
      ignoreRunTypes: tree.need('policy.watch.ignore_run_types'),
      importErrors: tree.need('policy.watch.import_errors'),
    },
    hold: {
      at: tree.need('policy.hold.at'),
      maxDags: tree.need('policy.hold.max_dags'),
      maxDepth: tree.need('policy.hold.max_depth'),
      maxShare: tree.need('policy.hold.max_share'),
      protectedDags: tree.need('policy.hold.protected'),
      pauseFailingDag: tree.need('policy.hold.pause_failing_dag'),
      reviewAfterMs: tree.need('policy.hold.review_after'),
    },
    platform: { massFailureDags: tree.need('policy.platform.mass_failure_dags'), windowMs: tree.need('policy.platform.window') },
    release: {
      mode: tree.need('policy.release.mode'),
      withoutAuditLog: tree.need('policy.release.without_audit_log'),
      missedIntervals: tree.need('policy.release.missed_intervals'),
    },
    repair: {
      approvalExpiresMs: tree.need('policy.repair.approval_expires'),
      allowSelfApproval: tree.need('policy.repair.allow_self_approval'),
      maxActiveRuns: tree.need('policy.repair.max_active_runs'),
      latestHeals: tree.need('policy.repair.latest_heals'),
      stuckAfterMs: tree.need('policy.repair.stuck_after'),
    },
    verify: { requirePerson: tree.need('policy.verify.require_person') },
    monitor: {
      reopenWithinMs: tree.need('policy.monitor.reopen_within'),
      settleWithinMs: tree.need('policy.monitor.settle_within'),
    },
    notify: { giveUpAfterMs: tree.need('notify.give_up_after') },
    channels: [{ id: LOG_CHANNEL, events: NOTIFY_EVENTS }, ...channels.map(({ id, events }) => ({ id, events }))],
    severity: {
      p1Tags: tree.need('policy.severity.p1_tags'),
      defaultSeverity: tree.need('policy.severity.default'),
      p1Severity: tree.need('policy.severity.p1'),
    },
  };
}
