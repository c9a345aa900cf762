import { LOG_CHANNEL } from '../config/logChannel.ts';
import type { ChannelConfig } from '../config.ts';
import type { Channel } from './channel.ts';
import { createLogChannel, type NoticeLog } from './log.ts';
import type { PostDeps } from './post.ts';
import { createSlackChannel } from './slack.ts';
import { createWebhookChannel } from './webhook.ts';

export interface ChannelDeps extends PostDeps {
  readonly log: NoticeLog;
  readonly now: () => number;
}

/** Every configured channel and the log, by id. A new channel is one file and one line here. */
export function createChannels(configs: readonly ChannelConfig[], deps: ChannelDeps): ReadonlyMap<string, Channel> {
  const made = configs.map((config) =>
    config.kind === 'slack' ? createSlackChannel(config, deps) : createWebhookChannel(config, deps),
  );
  return new Map([createLogChannel(LOG_CHANNEL, deps.log), ...made].map((channel) => [channel.id, channel]));
}
