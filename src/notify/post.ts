import type { Http, HttpAnswer, HttpOptions } from '../airflow/http.ts';
import { HttpFailure } from '../airflow/http.ts';
import type { Secret } from '../config.ts';
import { NotifyError } from './channel.ts';

export interface PostDeps {
  /** The one factory for outgoing requests. */
  readonly createHttp: (options: HttpOptions) => Http;
}

export interface Post {
  /** Resolves with a 2xx answer; rejects with a `NotifyError` whose message does not hold the address. */
  send(body: string, headers: Readonly<Record<string, string>>): Promise<HttpAnswer>;
  close(): void;
}

const TIMEOUT_MS = 10_000;

/** `who` names the channel in messages. */
export function createPost(address: Secret, who: string, deps: PostDeps): Post {
  const url = new URL(address.reveal());
  const http = deps.createHttp({ baseUrl: url.origin, timeoutMs: TIMEOUT_MS, maxSockets: 2, maxAnswerBytes: 64 * 1024 });
  const path = `${url.pathname}${url.search}`;
  const login: Record<string, string> = {};
  if (url.username !== '' || url.password !== '') {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    login.Authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return {
    send: async (body, headers) => {
      const sent = {
        method: 'POST' as const,
        path,
        body,
        headers: { 'Content-Type': 'application/json; charset=utf-8', ...login, ...headers },
      };
      let answer: HttpAnswer;
      try {
        answer = await http.send(sent);
      } catch (error) {
        throw new NotifyError(`${who}: ${error instanceof HttpFailure ? error.message : 'the request could not be made'}`, true);
      }
      return accepted(answer, who);
    },
    close: () => http.close(),
  };
}

function accepted(answer: HttpAnswer, who: string): HttpAnswer {
  const { status } = answer;
  if (status >= 200 && status < 300) {
    // A proxy or a log-in page in between says 200 too, and nobody was told.
    if (answer.contentType === 'text/html') throw new NotifyError(`${who}: a web page came back instead of an answer`, true);
    return answer;
  }
  if (status >= 300 && status < 400)
    throw new NotifyError(`${who}: answered ${status}, a redirect, which is not followed`, false);
  const again = status >= 500 || status === 408 || status === 425 || status === 429;
  throw new NotifyError(`${who}: answered ${status}${wordOf(answer)}`, again, wishOf(answer));
}

/** Retry-After in either of its forms: seconds, or a date, which is read by the receiver's own clock. */
function wishOf({ headers }: HttpAnswer): number | null {
  const wish = headers['retry-after'] ?? '';
  const ms = /^\d+$/.test(wish.trim()) ? Number(wish) * 1000 : Date.parse(wish) - Date.parse(headers.date ?? '');
  return ms > 0 ? ms : null;
}

/** Slack answers with one word, such as `no_service`; anything longer may echo what was sent or where. */
const wordOf = (answer: HttpAnswer): string => (/^[a-z_]{3,40}$/.test(answer.text.trim()) ? ` (${answer.text.trim()})` : '');
