/**
 * What an outside caller knows: every call and the answer to it, if one came. The ground truth is compared with this and with nothing that the program
 * says of itself. An answer that never came promises nothing; an answer that came promises for ever.
 */
import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { type Name, SECRET, tokenOf } from '../crash/program.ts';

export interface Call {
  readonly what: 'callback' | 'person' | 'read';
  /** `webhook-id` of a callback, or the path of a person's act. */
  readonly id: string;
  /** The body, where a judge needs it: of a person's act. */
  readonly sent: unknown;
  /** null: the connection ended without an answer. */
  status: number | null;
  readonly headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: answers are JSON whose shape the API tests check.
  body: any;
}

export class History {
  readonly calls: Call[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  get acknowledged(): readonly Call[] {
    return acknowledged(this.calls);
  }

  /** Signed as the Airflow package signs; never rejects, as the package never does. */
  callback(url: string, id: string, body: Readonly<Record<string, unknown>>): Promise<Call> {
    const text = JSON.stringify(body);
    const at = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', SECRET).update(`${id}.${at}.${text}`).digest('base64');
    const headers = { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${signature}` };
    return this.#send({ what: 'callback', id, sent: null }, `${url}/v1/callbacks/airflow/prod`, 'POST', headers, text);
  }

  person(url: string, who: Name, path: string, body: unknown): Promise<Call> {
    const about = { what: 'person', id: path, sent: body } as const;
    return this.#send(about, url + path, 'POST', { authorization: `Bearer ${tokenOf(who)}` }, JSON.stringify(body));
  }

  /** A look promises nothing: it is not part of the history. */
  read(url: string, path: string): Promise<Call> {
    const about = { what: 'read', id: path, sent: null } as const;
    return this.#send(about, url + path, 'GET', { authorization: `Bearer ${tokenOf('vera')}` }, '');
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    about: Pick<Call, 'what' | 'id' | 'sent'>,
    url: string,
    method: string,
    more: Record<string, string>,
    text: string,
  ): Promise<Call> {
    const call: Call = { ...about, status: null, headers: {}, body: null };
    if (call.what !== 'read') this.calls.push(call);
    return new Promise((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...more };
      const outgoing = request(url, { method, headers, agent: this.#agent }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', () => resolve(call));
        answer.on('end', () => {
          call.status = answer.statusCode ?? null;
          Object.assign(call.headers, answer.headers);
          call.body = parsed(Buffer.concat(chunks).toString());
          resolve(call);
        });
      });
      outgoing.on('error', () => resolve(call));
      outgoing.end(text);
    });
  }
}

/** A history of which only this is known: these callbacks were answered 202. */
export const acknowledgedAs = (ids: readonly string[]): readonly Call[] =>
  ids.map((id) => ({ what: 'callback', id, sent: null, status: 202, headers: {}, body: { id, duplicate: false } }));

/** Callbacks that were promised to be kept. */
export const acknowledged = (calls: readonly Call[]): readonly Call[] =>
  calls.filter((c) => c.what === 'callback' && c.status === 202);

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

export const failed = (dag_id: string, run_id: string, task_id: string, more: Readonly<Record<string, unknown>> = {}) => ({
  ...{ version: 1, kind: 'task_failed', dag_id, run_id, task_id, try_number: 1, occurred_at: new Date().toISOString() },
  exception: { type: 'ValueError', message: 'broken' },
  ...more,
});
