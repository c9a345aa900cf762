/** The web pages of Airflow 2, which take a session cookie only. */

import type { SessionAuthenticator } from '../authSession.ts';
import { AirflowError } from '../client.ts';
import { fromHttpFailure, fromStatus } from '../failures.ts';
import { type HttpAnswer, HttpFailure } from '../http.ts';
import type { WireParts } from '../wire.ts';

export interface WebPages {
  /** HTML of a page; null where no session can be had. Rejects with `AirflowError`. */
  read(path: string): Promise<string | null>;
}

/**
 * In the lane of surveys, with its second try: one 502 here made the survey ask every DAG for its tasks instead, 62 requests in place of one (seen with a
 * gateway that fails now and then before 2.x).
 */
export const webPages = (parts: Pick<WireParts, 'http' | 'lanes' | 'now' | 'hide'>, auth: SessionAuthenticator): WebPages => {
  const fetchPage = async (path: string, headers: Readonly<Record<string, string>>): Promise<HttpAnswer> => {
    const about = { operation: `GET ${path}`, changes: false, hide: parts.hide };
    try {
      const answer = await parts.http.send({ method: 'GET', path, headers: { ...headers, Accept: 'text/html' } });
      if (answer.status === 200 || answer.status === 302) return answer;
      throw fromStatus(answer, about, parts.now());
    } catch (error) {
      throw error instanceof HttpFailure ? fromHttpFailure(error, about) : error;
    }
  };
  const once = async (path: string): Promise<string | null> => {
    const headers = await auth.pageHeaders();
    if (headers === null) return null;
    const answer = await fetchPage(path, headers);
    if (answer.status === 200) return answer.text;
    // Sent to the form: the session has ended.
    const renewed = (await auth.renew(headers, answer)) ? await auth.pageHeaders() : null;
    const again = renewed === null ? answer : await fetchPage(path, renewed);
    if (again.status === 200) return again.text;
    throw new AirflowError('forbidden', `GET ${path}: Airflow does not show this page to our session`, {
      outcome: 'none',
      status: 302,
      operation: `GET ${path}`,
    });
  };
  return { read: (path) => parts.lanes.survey.run(`GET ${path}`, true, () => once(path)) };
};
