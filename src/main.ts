#!/usr/bin/env node
/** Command line -> the wanted command; no logic. */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { startApp } from './app.ts';
import { ConfigError, loadConfig } from './config.ts';
import { FiredamperError } from './errors.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

async function serve(configPath: string | undefined): Promise<void> {
  const config = loadConfig(configPath, process.env);
  const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const app = await startApp({ config, version, log });
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

try {
  const [command, ...rest] = process.argv.slice(2);
  const at = rest.indexOf('--config');
  if (command === 'serve') await serve(at >= 0 ? rest[at + 1] : undefined);
  else if (command === 'demo') process.exitCode = await (await import('./demo/demo.ts')).runDemo();
  else if (command === 'version') console.log(version);
  else throw new FiredamperError('invalid', `unknown command ${command ?? ''}`);
} catch (error) {
  if (!(error instanceof FiredamperError)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof ConfigError || error.kind === 'invalid' ? 2 : 1;
}
