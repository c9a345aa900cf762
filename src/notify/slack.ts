import type { ChannelConfig } from '../config.ts';
import type { Channel } from './channel.ts';
import type { Notice } from './notices.ts';
import { createPace } from './pace.ts';
import { createPost, type PostDeps } from './post.ts';
import { clean } from './words.ts';

/** Slack takes one message a second for a channel; faster than that is answered with 429. */
const EVERY_MS = 1_000;

/** A Slack incoming webhook (and whatever understands the same JSON, such as Mattermost). */
export function createSlackChannel(
  config: Pick<ChannelConfig, 'id' | 'url'>,
  deps: PostDeps & { readonly now: () => number },
): Channel {
  const post = createPost(config.url, `channel ${config.id}`, deps);
  const myTurn = createPace(EVERY_MS, deps.now);
  return {
    id: config.id,
    send: async (notice) => {
      await myTurn();
      await post.send(JSON.stringify(slackMessage(notice)), {});
    },
    close: () => post.close(),
  };
}

/** Limits of Slack's Block Kit. */
const HEADER = 150;
const SECTION = 3000;
const SECTIONS = 40;

/**
 * Text from outside goes into `plain_text` only, where nothing is a link, a mention or a picture. The notification text and the link are
 * mrkdwn by Slack's own rule, so these are escaped.
 */
export function slackMessage(notice: Notice) {
  const blocks = [
    { type: 'header', text: plainText(notice.title, HEADER) },
    { type: 'section', text: plainText(notice.text, SECTION) },
    ...notice.lines
      .slice(0, SECTIONS)
      .map((line) => ({ type: 'section', text: plainText(`${line.label}: ${line.value}`, SECTION) })),
    { type: 'section', text: { type: 'mrkdwn', text: `<${escapeMrkdwn(encodeURI(decoded(notice.link)))}|Open in Firedamper>` } },
  ];
  const text = escapeMrkdwn(clean(`${notice.title}. ${notice.text}`, 600));
  return { text, unfurl_links: false, unfurl_media: false, attachments: [{ color: notice.color, fallback: text, blocks }] };
}

/** The three characters that Slack's mrkdwn gives a meaning to: without them there is no link, no `<!channel>` and no `<@user>`. */
export const escapeMrkdwn = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const plainText = (text: string, max: number) => ({ type: 'plain_text', text: clean(text, max), emoji: false });

/** Encoded once, whatever came in: a `|` or `>` in an address would end the link. */
const decoded = (link: string): string => {
  try {
    return decodeURI(link);
  } catch {
    return link;
  }
};
