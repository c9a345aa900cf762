#!/usr/bin/env node
/** Command line -> the wanted command; no logic. */
import { pino } from 'pino';
import { createAirflowClient } from './airflow/connect.ts';
import { startApp } from './app.ts';
import { runAuditVerify } from './commands/auditVerify.ts';
import { runBackup } from './commands/backup.ts';
import { runCheck } from './commands/check.ts';
import { type Command, parseCommandLine } from './commands/help.ts';
import { runInit } from './commands/init.ts';
import { runRestore } from './commands/restore.ts';
import { firedamperVersion } from './commands/version.ts';
import { ConfigError, loadConfig } from './config.ts';
import { runDemo } from './demo/demo.ts';
import { FiredamperError } from './errors.ts';
import { backupDatabase, restoreDatabase } from './store/backup.ts';
import { verifyChain } from './store/chain.ts';

const print = (line: string) => console.log(line);

async function serve(configPath: string | undefined): Promise<void> {
  const config = loadConfig(configPath, process.env);
  const version = firedamperVersion();
  const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const onFatal = (error: Error) => {
    log.fatal(error.message);
    process.exit(1);
  };
  const app = await startApp({ config, version, log, onFatal });
  log.info({ url: app.url, version, mode: config.policy.mode }, `Firedamper ${version} listens on ${app.url}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'shutting down');
      app.close().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}

/** Answers the exit code; null: the command goes on. */
async function run(command: Command): Promise<number | null> {
  switch (command.name) {
    case 'serve':
      await serve(command.config);
      return null;
    case 'check':
      return runCheck(loadConfig(command.config, process.env), createAirflowClient, print, command);
    case 'init':
      runInit(command, print);
      return 0;
    case 'demo':
      return runDemo({ yes: command.yes, ...(command.root === undefined ? {} : { root: command.root }) });
    case 'backup':
      return runBackup(loadConfig(command.config, process.env), command.to, backupDatabase, print);
    case 'restore':
      return runRestore(loadConfig(command.config, process.env), command, restoreDatabase, print);
    case 'audit':
      return runAuditVerify(loadConfig(command.config, process.env), command.head, verifyChain, print);
    case 'version':
      print(firedamperVersion());
      return 0;
    case 'help':
      print(command.text);
      return command.exitCode;
    default:
      return command satisfies never;
  }
}

try {
  const exitCode = await run(parseCommandLine(process.argv.slice(2)));
  if (exitCode !== null) process.exitCode = exitCode;
} catch (error) {
  if (!(error instanceof FiredamperError)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof ConfigError || error.kind === 'invalid' ? 2 : 1;
}
