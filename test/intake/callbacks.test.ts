/** The inbox is taken up: what one row does to the others. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { unavailable } from '../../src/errors.ts';
import { createCallbackIntake } from '../../src/intake/callbacks.ts';
import type { Inbox, StoredCallback } from '../../src/store/inbox.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const row = (n: number, dag: string): StoredCallback => {
  const said = {
    version: 1,
    kind: 'run_failed',
    airflow: 'prod',
    dag_id: dag,
    run_id: `r${n}`,
    occurred_at: '2026-11-21T06:00:00Z',
  };
  return { n, airflow: 'prod', webhookId: `w${n}`, body: JSON.stringify(said) };
};

function intakeOf(rows: StoredCallback[], decide: (dag: string) => void) {
  const [decided, aside, errors] = [[] as number[], [] as string[], [] as string[]];
  const over = (n: number) => rows.splice(0, rows.length, ...rows.filter((r) => r.n !== n));
  const inbox = {
    pending: async () => [...rows],
    setAside: async (n: number, why: string) => {
      aside.push(why);
      over(n);
    },
  } as unknown as Inbox;
  const responder = {
    respondTo: async (n: number, event: { signal: { dagId: string } }) => {
      decide(event.signal.dagId);
      decided.push(n);
      over(n);
    },
  };
  const intake = createCallbackIntake({
    ...{ inbox, complete: async (signal) => signal, onBrokenFile: () => undefined, onNoted: () => undefined },
    // biome-ignore lint/suspicious/noExplicitAny: the answer of respondTo is not looked at.
    responder: responder as any,
    onError: (error) => errors.push(String(error)),
  });
  return { intake, decided, aside, errors, rows };
}

const bug = (dag: string) => {
  if (dag === 'poison') throw new TypeError('no such thing');
};

test('a row that cannot be decided keeps no other row waiting, and is shown to people after a few tries', async () => {
  const given = intakeOf([row(1, 'poison'), row(2, 'a')], bug);
  given.intake.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(given.decided).toEqual([2]);
  given.rows.push(row(3, 'b'));
  given.intake.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(given.decided).toEqual([2, 3]);
  expect(given.aside).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(given.aside).toEqual(['it could not be decided: no such thing']);
  expect(given.errors).toHaveLength(5);
  expect(given.rows).toEqual([]);
});

test('a row whose trouble passes is decided, not set aside', async () => {
  let broken = true;
  const given = intakeOf([row(1, 'poison')], (dag) => (broken ? bug(dag) : undefined));
  given.intake.wake();
  await vi.advanceTimersByTimeAsync(3_000);
  broken = false;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(given.decided).toEqual([1]);
  expect(given.aside).toEqual([]);
});

test("the disk's fault is no row's fault: tried until it is over", async () => {
  vi.useRealTimers();
  let tries = 0;
  const given = intakeOf([row(1, 'a'), row(2, 'b')], () => {
    if (++tries <= 2) throw unavailable('disk full');
  });
  given.intake.wake();
  await vi.waitFor(() => expect(given.decided).toEqual([1, 2]), 10_000);
  expect(given.aside).toEqual([]);
});
