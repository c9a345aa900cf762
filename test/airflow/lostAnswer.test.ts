/** What a call says about a request whose answer was lost, when the lane has tried again. */
import { expect, it } from 'vitest';
import type { AirflowError } from '../../src/airflow/client.ts';
import { type Http, HttpFailure } from '../../src/airflow/http.ts';
import { createLanes } from '../../src/airflow/laneTable.ts';
import { createWire } from '../../src/airflow/wire.ts';

function patching(...sent: boolean[]): Promise<AirflowError> {
  const tries = [...sent];
  const http: Http = {
    send: () => Promise.reject(new HttpFailure('unreachable', 'the connection failed', tries.shift() ?? false)),
    close: () => undefined,
  };
  const lanes = createLanes({ pauseConcurrency: 1, timeoutMs: 1_000, random: () => 0, retryBaseMs: 0 });
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
