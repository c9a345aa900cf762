import { expect, test } from 'vitest';
import type { Intent } from '../../src/core/intent.ts';
import { nextAttempt } from '../../src/core/retry.ts';
import { START } from './scenario.ts';

const step: Intent = {
  id: 'i-1',
  act: { kind: 'repair_step', airflow: 'prod', repairId: 'rep-1', step: 1 },
  state: 'sending',
  op: 'op',
  attempts: 500,
  createdAt: START,
  dueAt: START,
  lastError: null,
};

test('an act whose effect nobody could look for is not given up, however long Airflow is gone: it may well have worked', () => {
  expect(nextAttempt(step, { result: 'unknown', error: 'down', unread: true }, START, 'zzzzzzzz').state).toBe('unknown');
});

test('one that was looked for and sent so often in vain is given up, and people are told', () => {
  expect(nextAttempt(step, { result: 'unknown', error: '500' }, START, 'zzzzzzzz').state).toBe('failed');
});
