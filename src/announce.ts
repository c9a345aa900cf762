/** From a stored `send_notice` intent to a sent notice: reads what the incident looks like now, composes, and hands it to the channel. */
import { createHttp } from './airflow/http.ts';
import type { Config } from './config.ts';
import type { Announce } from './effects/sendNotice.ts';
import type { Log } from './http/deps.ts';
import { NotifyError } from './notify/channel.ts';
import { createChannels } from './notify/channels.ts';
import { compose } from './notify/notices.ts';
import type { ReadModels } from './store/readModels.ts';

interface Deps {
  readonly config: Config;
  readonly read: ReadModels;
  readonly log: Log;
  readonly now: () => number;
}

export interface Announcer {
  readonly announce: Announce;
  /** What is being sent is given time to be answered, so that it is not told twice; a channel that hangs is not waited for. */
  closeSoon(): void;
  close(): void;
}

const GRACE_MS = 3_000;

export function createAnnouncer({ config, read, log, now }: Deps): Announcer {
  const channels = createChannels(config.channels, { createHttp, log, now });
  let soon: NodeJS.Timeout | undefined;
  const close = () => {
    clearTimeout(soon);
    for (const channel of channels.values()) channel.close();
  };
  return {
    announce: async (act, op, decidedAt) => {
      const channel = channels.get(act.channel);
      if (!channel) throw new NotifyError(`there is no channel ${act.channel} in the configuration any more`, false);
      const view = await read.incident(act.incidentId);
      if (!view) throw new NotifyError(`there is no incident ${act.incidentId}`, false);
      const pageUrl = `${config.server.publicUrl}/incidents/${encodeURIComponent(act.incidentId)}`;
      const { incident, holds, repairs } = view;
      const timeline = await read.timeline(act.incidentId);
      const times = { decidedAt, now: new Date(now()).toISOString() };
      const { subject } = act;
      await channel.send(compose(act.event, { incident, holds, repairs, timeline, pageUrl, subject, ...times }), op);
    },
    closeSoon: () => {
      soon = setTimeout(close, GRACE_MS);
    },
    close,
  };
}
