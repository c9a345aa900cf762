/** What a call says about a request whose answer was lost, when the lane has tried again. */
import { expect, it } from 'vitest';
import type { AirflowError } from '../../src/airflow/client.ts';
import { type Http, HttpFailure } from '../../src/airflow/http.ts';
import { createLane, RetryBudget } from '../../src/airflow/lanes.ts';
import { createWire } from '../../src/airflow/wire.ts';

function patching(...sent: boolean[]): Promise<AirflowError> {
  const tries = [...sent];
  const http: Http = {
    send: () => Promise.reject(new HttpFailure('unreachable', 'the connection failed', tries.shift() ?? false)),
    close: () => undefined,
  };
  const lane = createLane({ concurrency: 1, tries: sent.length, baseMs: 0, random: () => 0, budget: new RetryBudget() });
  const lanes = { pause: lane, reads: lane, poll: lane, survey: lane, acts: lane };
  const wire = createWire({ http, lanes, now: Date.now, hide: (text) => text, onError: () => undefined }, null, '');
  return wire
    .call('patch', '/dags/d', { lane: 'pause' }, () => null)
    .then(
      () => Promise.reject(new Error('it went through')),
      (error: AirflowError) => error,
    );
}

it('lost once, refused afterwards: nobody knows whether it was done', async () => {
  expect((await patching(true, false, false)).outcome).toBe('unknown');
});

it('refused each time: certainly not done', async () => {
  expect((await patching(false, false, false)).outcome).toBe('none');
});
