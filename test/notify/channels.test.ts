import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import { createHttp } from '../../src/airflow/http.ts';
import { type ChannelConfig, Secret } from '../../src/config.ts';
import { type Channel, NotifyError } from '../../src/notify/channel.ts';
import { createChannels } from '../../src/notify/channels.ts';
import { compose, type Notice } from '../../src/notify/notices.ts';
import { hold, incident, view } from './views.ts';

const KEY_BYTES = Buffer.alloc(32, 9);
const KEY = `whsec_${KEY_BYTES.toString('base64')}`;
const NOW = Date.parse('2026-11-21T08:00:00.500Z');
const TOKEN_PATH = '/services/T000/B000/hunter2?sig=hunter3';

interface Heard {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const open: { server?: Server; channels?: readonly Channel[] } = {};
afterEach(async () => {
  for (const channel of open.channels ?? []) channel.close();
  open.server?.closeAllConnections();
  await new Promise((resolve) => (open.server ? open.server.close(resolve) : resolve(null)));
  delete open.server;
  delete open.channels;
});

/** A receiver on a real socket that notes what it was sent. */
async function receiver(answer: RequestListener): Promise<{ readonly port: number; readonly heard: Heard[] }> {
  const heard: Heard[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      heard.push({
        method: req.method ?? '',
        path: req.url ?? '',
        headers: req.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      });
      answer(req, res);
    });
  });
  open.server = server;
  for (let port = 18_500; port < 18_600; port++) {
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (free) break;
    server.removeAllListeners('error');
  }
  return { port: (server.address() as AddressInfo).port, heard };
}

const ok: RequestListener = (_, res) => res.end('ok');
const says =
  (status: number, body = '', headers: Record<string, string> = {}): RequestListener =>
  (_, res) => {
    res.writeHead(status, { 'content-type': 'text/plain', ...headers });
    res.end(body);
  };

function channelTo(port: number, change: Partial<ChannelConfig> = {}, path = TOKEN_PATH, now = NOW): Channel {
  const config: ChannelConfig = {
    id: 'c',
    kind: 'slack',
    url: new Secret(`http://127.0.0.1:${port}${path}`),
    events: ['opened'],
    secret: null,
    ...change,
  };
  const channels = createChannels([config], { createHttp, now: () => now, log: { info: () => undefined } });
  open.channels = [...channels.values()];
  const channel = channels.get('c');
  if (!channel) throw new Error('no channel');
  return channel;
}

const notice = (change = {}): Notice => compose('opened', view(change));
const failureOf = async (sent: Promise<void>): Promise<NotifyError> => {
  const error = await sent.then(
    () => null,
    (e: unknown) => e,
  );
  if (!(error instanceof NotifyError)) throw new Error(`expected a NotifyError, got ${String(error)}`);
  return error;
};

describe('slack', () => {
  test('posts title, text, one block per line and the link', async () => {
    const { port, heard } = await receiver(ok);
    await channelTo(port).send(notice(), 'fd-1');
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ method: 'POST', path: TOKEN_PATH });
    const message = JSON.parse(heard[0]?.body ?? '');
    expect(message.text).toBe(
      'P1 Opened: orders_etl: task load failed. orders_etl in prod failed. What reads its data is being looked for and held.',
    );
    const [attachment] = message.attachments;
    expect(attachment.color).toBe('#c62828');
    expect(
      attachment.blocks.map((b: { type: string; text: { type: string; text: string } }) => [b.type, b.text.type, b.text.text]),
    ).toEqual([
      ['header', 'plain_text', 'P1 Opened: orders_etl: task load failed'],
      ['section', 'plain_text', 'orders_etl in prod failed. What reads its data is being looked for and held.'],
      ['section', 'plain_text', 'Failed run: scheduled__2026-11-21 (task load)'],
      ['section', 'plain_text', 'Since: 2026-11-21 06:00 UTC'],
      ['section', 'plain_text', 'Why this severity: P1 because revenue_report is tagged tier:1'],
      ['section', 'mrkdwn', '<http://localhost:8470/incidents/inc_1|Open in Firedamper>'],
    ]);
  });

  test('nobody can be mentioned and no link made by what comes from outside', async () => {
    const { port, heard } = await receiver(ok);
    const evil = '<!channel> <@U123> <http://evil.example|click> &lt;!here&gt;';
    await channelTo(port).send(
      compose(
        'held',
        view({
          incident: incident({ title: evil, dagId: evil }),
          holds: [hold(evil)],
          pageUrl: 'http://fd/incidents/a|b>c<!here>',
        }),
      ),
      'fd-1',
    );
    const message = JSON.parse(heard[0]?.body ?? '');
    for (const text of mrkdwnOf(message)) {
      // The only angle brackets are those of our own link.
      expect(text.replace(/^<([^<>|]*)\|Open in Firedamper>$/, '$1')).not.toMatch(/[<>]/);
    }
    expect(message.text).toContain('&lt;!channel&gt;');
    expect(message.text).toContain('&amp;lt;!here&amp;gt;');
  });

  test('every block is within the limits of Slack', async () => {
    const { port, heard } = await receiver(ok);
    const long = '𝒳'.repeat(4000);
    await channelTo(port).send(
      { ...notice(), title: long, text: long, lines: Array.from({ length: 100 }, () => ({ label: 'x', value: long })) },
      'fd-1',
    );
    const { blocks } = JSON.parse(heard[0]?.body ?? '').attachments[0];
    expect(blocks.length).toBeLessThanOrEqual(50);
    for (const block of blocks)
      expect(block.text.text.isWellFormed() && block.text.text.length).toBeLessThanOrEqual(block.type === 'header' ? 150 : 3000);
  });
});

/** Every string of the message that Slack reads as markup: `text`, `fallback` and mrkdwn objects. */
function mrkdwnOf(message: {
  text: string;
  attachments: { fallback: string; blocks: { text: { type: string; text: string } }[] }[];
}): string[] {
  const blocks = message.attachments.flatMap((a) => a.blocks).filter((b) => b.text.type === 'mrkdwn');
  return [message.text, ...message.attachments.map((a) => a.fallback), ...blocks.map((b) => b.text.text)];
}

describe('webhook', () => {
  test('posts the documented JSON', async () => {
    const { port, heard } = await receiver(ok);
    await channelTo(port, { kind: 'webhook' }).send(notice(), 'fd-7-x');
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({
      version: 1,
      id: 'fd-7-x',
      event: 'opened',
      title: 'P1 Opened: orders_etl: task load failed',
      text: 'orders_etl in prod failed. What reads its data is being looked for and held.',
      details: [
        { label: 'Failed run', value: 'scheduled__2026-11-21 (task load)' },
        { label: 'Since', value: '2026-11-21 06:00 UTC' },
        { label: 'Why this severity', value: 'P1 because revenue_report is tagged tier:1' },
      ],
      link: 'http://localhost:8470/incidents/inc_1',
      incident: {
        id: 'inc_1',
        airflow: 'prod',
        dag_id: 'orders_etl',
        status: 'contained',
        severity: 'P1',
        type: 'pipeline_failure',
        title: 'orders_etl: task load failed',
        mode: 'armed',
        opened_at: '2026-11-21T06:00:02.000Z',
      },
      decided_at: '2026-11-21T06:00:02.000Z',
      sent_at: '2026-11-21T08:00:00.500Z',
    });
    expect(heard[0]?.headers['webhook-signature']).toBeUndefined();
    expect(heard[0]?.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  test('is signed by the Standard Webhooks rules, over the bytes that were sent, with an id that a repeat keeps', async () => {
    const { port, heard } = await receiver(ok);
    const channel = channelTo(port, { kind: 'webhook', secret: new Secret(KEY) });
    const umlaut = notice({ incident: incident({ title: 'Übersicht € 数据' }) });
    await channel.send(umlaut, 'fd-7-x');
    await channel.send(umlaut, 'fd-7-x');
    const [first, second] = heard;
    if (!first || !second) throw new Error('two were sent');
    const stamp = String(Math.floor(NOW / 1000));
    const expected = createHmac('sha256', KEY_BYTES).update(`fd-7-x.${stamp}.${first.body}`).digest('base64');
    expect(first.headers).toMatchObject({
      'webhook-id': 'fd-7-x',
      'webhook-timestamp': stamp,
      'webhook-signature': `v1,${expected}`,
    });
    expect(second.headers['webhook-id']).toBe('fd-7-x');
  });

  test('the public library for these signatures accepts it, and refuses it with one character changed', async () => {
    const { port, heard } = await receiver(ok);
    await channelTo(port, { kind: 'webhook', secret: new Secret(KEY) }, TOKEN_PATH, Date.now()).send(notice(), 'fd-7-x');
    const [first] = heard;
    const verify = (body: string) => new Webhook(KEY).verify(body, first?.headers as Record<string, string>);
    expect(verify(first?.body ?? '')).toMatchObject({ id: 'fd-7-x' });
    expect(() => verify((first?.body ?? '').replace('P1', 'P0'))).toThrow('No matching signature');
  });

  test('an address with a log-in sends it as a header and not in the address', async () => {
    const { port, heard } = await receiver(ok);
    const channel = channelTo(port, { kind: 'webhook', url: new Secret(`http://us%40er:p%3Aw@127.0.0.1:${port}/hook`) });
    await channel.send(notice(), 'fd-1');
    expect(heard[0]?.headers.authorization).toBe(`Basic ${Buffer.from('us@er:p:w').toString('base64')}`);
    expect(heard[0]?.path).toBe('/hook');
  });
});

describe('what goes wrong', () => {
  test.each([
    [500, 'hunter2 is not a word', true, 'channel c: answered 500'],
    [503, '', true, 'channel c: answered 503'],
    [429, '', true, 'channel c: answered 429'],
    [404, 'no_service', false, 'channel c: answered 404 (no_service)'],
    [403, 'invalid_token', false, 'channel c: answered 403 (invalid_token)'],
    [400, '{"echo":"hunter2"}', false, 'channel c: answered 400'],
    [302, '', false, 'channel c: answered 302, a redirect, which is not followed'],
  ])('%i %s', async (status, body, retry, message) => {
    const { port, heard } = await receiver(says(status, body, { location: 'http://127.0.0.1:1/', 'retry-after': '7' }));
    const failure = await failureOf(channelTo(port).send(notice(), 'fd-1'));
    expect([failure.message, failure.retry]).toEqual([message, retry]);
    expect(failure.retryAfterMs).toBe(status === 302 ? null : 7000);
    expect(heard).toHaveLength(1);
  });

  test.each([
    ['Sat, 21 Nov 2026 08:02:00 GMT', 'Sat, 21 Nov 2026 08:00:30 GMT', 90_000],
    ['Sat, 21 Nov 2026 08:00:00 GMT', 'Sat, 21 Nov 2026 08:00:30 GMT', null],
    ['soon', 'Sat, 21 Nov 2026 08:00:30 GMT', null],
    ['-5', 'Sat, 21 Nov 2026 08:00:30 GMT', null],
    ['0', 'Sat, 21 Nov 2026 08:00:30 GMT', null],
  ])('Retry-After: %s is read by the clock of whoever says it', async (wish, date, ms) => {
    const { port } = await receiver(says(503, '', { 'retry-after': wish, date }));
    expect((await failureOf(channelTo(port).send(notice(), 'fd-1'))).retryAfterMs).toBe(ms);
  });

  test('a web page with status 200 told nobody', async () => {
    const { port } = await receiver(says(200, '<html>log in</html>', { 'content-type': 'text/html; charset=utf-8' }));
    const failure = await failureOf(channelTo(port).send(notice(), 'fd-1'));
    expect([failure.message, failure.retry]).toEqual(['channel c: a web page came back instead of an answer', true]);
  });

  test.each<[string, RequestListener | null, string]>([
    ['nobody listens', null, 'channel c: the connection failed (ECONNREFUSED)'],
    ['the connection is cut', (req) => req.socket.destroy(), 'channel c: the connection failed'],
    ['the answer is huge', (_, res) => res.end('x'.repeat(100_000)), 'channel c: the answer is larger than allowed'],
  ])('%s: worth another try, and the address stays secret', async (_, answer, message) => {
    const { port } = await receiver(answer ?? ok);
    if (answer === null) await new Promise((resolve) => open.server?.close(resolve));
    const failure = await failureOf(channelTo(port).send(notice(), 'fd-1'));
    expect(failure.retry).toBe(true);
    expect(failure.message).toContain(message);
    expect(`${failure.message}${failure.stack}${JSON.stringify(failure)}`).not.toMatch(/hunter|services/);
    expect(failure.cause).toBeUndefined();
  });
});

test('the log is a channel for everything', async () => {
  const said: [object, string][] = [];
  const channels = createChannels([], {
    createHttp,
    now: () => NOW,
    log: { info: (fields, message) => said.push([fields, message]) },
  });
  await channels.get('log')?.send(notice(), 'fd-1');
  expect(said).toEqual([
    [
      {
        notice: 'opened',
        op: 'fd-1',
        incident: 'inc_1',
        airflow: 'prod',
        dag_id: 'orders_etl',
        severity: 'P1',
        text: 'orders_etl in prod failed. What reads its data is being looked for and held.',
        details: {
          'Failed run': 'scheduled__2026-11-21 (task load)',
          Since: '2026-11-21 06:00 UTC',
          'Why this severity': 'P1 because revenue_report is tagged tier:1',
        },
        link: 'http://localhost:8470/incidents/inc_1',
      },
      'P1 Opened: orders_etl: task load failed',
    ],
  ]);
});
