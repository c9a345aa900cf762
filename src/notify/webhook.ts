import { Webhook } from 'standardwebhooks';
import type { ChannelConfig } from '../config.ts';
import type { Channel } from './channel.ts';
import type { Notice } from './notices.ts';
import { createPost, type PostDeps } from './post.ts';

/**
 * JSON to an address of the team's own, as `webhookBody` makes it. Any 2xx counts as received. `webhook-id` is the same at every try, so a
 * receiver that keeps the ids it has seen is told once; with a secret the request is signed by the Standard Webhooks rules.
 */
export function createWebhookChannel(
  config: Pick<ChannelConfig, 'id' | 'url' | 'secret'>,
  deps: PostDeps & { readonly now: () => number },
): Channel {
  const post = createPost(config.url, `channel ${config.id}`, deps);
  const signer = config.secret === null ? null : new Webhook(config.secret.reveal());
  return {
    id: config.id,
    send: async (notice, op) => {
      const now = new Date(deps.now());
      const body = JSON.stringify(webhookBody(notice, op, now));
      const stamp = String(Math.floor(now.getTime() / 1000));
      const signature: Record<string, string> = signer === null ? {} : { 'webhook-signature': signer.sign(op, now, body) };
      await post.send(body, { 'webhook-id': op, 'webhook-timestamp': stamp, ...signature });
    },
    close: () => post.close(),
  };
}

/** Fields are only ever added; anything else raises `version`. */
export function webhookBody(notice: Notice, id: string, sentAt: Date) {
  const { incident } = notice;
  return {
    version: 1,
    id,
    event: notice.event,
    title: notice.title,
    text: notice.text,
    details: notice.lines,
    link: notice.link,
    incident: {
      id: incident.id,
      airflow: incident.airflow,
      dag_id: incident.dagId,
      status: incident.status,
      severity: incident.severity,
      type: incident.type,
      title: incident.title,
      mode: incident.mode,
      opened_at: incident.openedAt,
    },
    decided_at: notice.decidedAt,
    sent_at: sentAt.toISOString(),
  };
}
