/** The web pages of Airflow 2, which take a session cookie only. */

import type { SessionAuthenticator } from '../authSession.ts';
import { AirflowError } from '../client.ts';
import { fromHttpFailure, fromStatus } from '../failures.ts';
import { type Http, HttpFailure } from '../http.ts';

export interface WebPages {
  /** HTML of a page; null where no session can be had. Rejects with `AirflowError`. */
  read(path: string): Promise<string | null>;
}

export const webPages = (http: Http, auth: SessionAuthenticator, now: () => number): WebPages => {
  const fetchPage = async (path: string, headers: Readonly<Record<string, string>>) => {
    const about = { operation: `GET ${path}`, changes: false, hide: (text: string) => text };
    try {
      const answer = await http.send({ method: 'GET', path, headers: { ...headers, Accept: 'text/html' } });
      if (answer.status === 200 || answer.status === 302) return answer;
      throw fromStatus(answer, about, now()).error;
    } catch (error) {
      if (error instanceof HttpFailure) throw fromHttpFailure(error, about).error;
      throw error;
    }
  };
  return {
    read: async (path) => {
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
    },
  };
};
