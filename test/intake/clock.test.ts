/** An Airflow whose clock is not ours: measured by its Date header, shown, and nothing else. */
import { expect, test } from 'vitest';
import { skewWords } from '../../src/health.ts';
import { startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { startService } from '../support/service.ts';

test.each([
  [null, null],
  [-4_999, null],
  [5_000, 'warn'],
  [-59_999, 'warn'],
  [60_000, 'error'],
  [-3_600_000, 'error'],
])('a skew of %s ms is told as %s', (ms, level) => {
  expect(skewWords(ms)?.level ?? null).toBe(level);
});

test('readiness and metrics say how far it is', async () => {
  const fake = await startFakeAirflow({ generation: 3 });
  const wrong = { status: 200, json: { scheduler: {} }, headers: { Date: new Date(Date.now() - 90_000).toUTCString() } };
  fake.inject({ path: '/monitor/health', fault: { kind: 'answer', answer: wrong } });
  const service = await startService(fake);
  const [airflow] = (await service.get('/readyz')).airflows;
  expect(Math.abs(airflow.clock_skew_seconds + 90)).toBeLessThan(30);
  const metrics = await fetch(`${service.url}/metrics`, { headers: { authorization: 'Bearer token-of-vera-0123456789' } });
  const value = /^firedamper_airflow_clock_skew_seconds\{airflow="prod"\} (\S+)$/m.exec(await metrics.text())?.[1];
  expect(Number(value)).toBe(airflow.clock_skew_seconds);
  await service.stop();
  await fake.close();
});
