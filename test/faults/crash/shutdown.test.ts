/** R18: SIGTERM under load. Every acknowledged callback is stored, and the program has gone within ten seconds, whatever hangs. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { CLEAN, check, type Verdict } from '../../support/faults/checker/check.ts';
import { failed, History } from '../../support/faults/checker/history.ts';
import { inFile } from '../../support/faults/checker/truth.ts';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { type Exit, newFolder, Program } from '../../support/faults/crash/program.ts';
import { makeVariant } from '../../support/faults/crash/variant.ts';

const LIMIT_MS = 10_000;
const SENDERS = 20;
/** Under load: so many have been answered when the signal comes. */
const BEFORE = 100;
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Stops while many send; `hang` is done just before the signal. */
async function stopUnderLoad(hang: (program: Program, fake: FakeAirflow) => Promise<void>, root?: string) {
  const fake = await startFakeAirflow({ generation: 3, autoRun: true });
  const history = new History();
  open.push(fake, history);
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  for (const id of ['b', 'c']) fake.dag(id, { tasks: { make: {} }, schedule: { assets: 's3://a' } });
  const options = { folder: newFolder('term'), airflowUrl: fake.url, ...(root === undefined ? {} : { root }) };
  const program = await Program.start(options);
  await fake.until((f) => f.requestsTo('GET', '/dags').length > 0, 20_000);
  await hang(program, fake);
  let n = 0;
  const sender = async () => {
    while (program.running) {
      const id = `cb-${++n}`;
      if ((await history.callback(program.url, id, failed('a', `r${n}`, 'make'))).status === null) return;
    }
  };
  const senders = Array.from({ length: SENDERS }, sender);
  while (program.running && history.acknowledged.length < BEFORE) await pause(10);
  program.signal('SIGTERM');
  // Not by program.signal: what is measured is the time since SIGTERM.
  const hard = setTimeout(() => process.kill(program.pid, 'SIGKILL'), LIMIT_MS + 1_000);
  const exit = await program.exited;
  clearTimeout(hard);
  await Promise.all(senders);
  const verdict = check(history.calls, inFile(program.database));
  return { exit, verdict, acknowledged: history.acknowledged.length };
}

interface Seen {
  readonly exit: Exit;
  readonly verdict: Verdict;
  readonly acknowledged: number;
}

function tell(what: string, { exit, acknowledged, verdict }: Seen): void {
  figure('R18', {
    what: JSON.stringify(what),
    acknowledged,
    lost: verdict.lost.length,
    exit_code: String(exit.code),
    seconds: (exit.afterMs / 1000).toFixed(1),
  });
}

const halfOpen = async (program: Program): Promise<void> => {
  const { hostname, port } = new URL(program.url);
  for (let i = 0; i < 5; i++) {
    const socket: Socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    open.push({ close: () => socket.destroy() });
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('POST /v1/callbacks/airflow/prod HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
  }
};

describe('R18: SIGTERM under load', () => {
  test.each([
    ['20 senders', 0, async () => undefined],
    ['20 senders, requests that never end', 0, halfOpen],
    [
      '20 senders, an Airflow that never answers',
      // What it was asked is cut off after five seconds, and settled by reading at the next start; the database is closed in time.
      0,
      async (_: Program, fake: FakeAirflow) => void fake.inject({ kind: 'stall_before' }),
    ],
  ] as const)('%s', async (what, code, hang) => {
    const seen = await stopUnderLoad(hang);
    tell(what, seen);
    expect(seen.acknowledged, 'callbacks that were promised').toBeGreaterThanOrEqual(BEFORE);
    expect(seen.verdict).toEqual(CLEAN);
    expect([seen.exit.code, seen.exit.signal], 'it ends by itself, and nothing had to be torn away').toEqual([code, null]);
    expect(seen.exit.afterMs).toBeLessThanOrEqual(LIMIT_MS);
  });

  test('control: 202 before commit must be seen', async () => {
    const variant = makeVariant('early-202', [
      {
        file: 'http/callbacks.ts',
        from: 'const answer = await deps.accept({',
        to: 'const answer = { id: webhookId, duplicate: false };\n  void pause(5_000, undefined, { ref: false }).then(() => deps.accept({',
      },
      {
        file: 'http/callbacks.ts',
        from: "dedupeKey: parsed.shape === 'known' ? parsed.signal.dedupeKey : null,\n  });",
        to: "dedupeKey: parsed.shape === 'known' ? parsed.signal.dedupeKey : null,\n  }));",
      },
      {
        file: 'http/callbacks.ts',
        from: 'import express, {',
        to: "import { setTimeout as pause } from 'node:timers/promises';\nimport express, {",
      },
    ]);
    open.push({ close: variant.remove });
    const { lost } = (await stopUnderLoad(async () => undefined, variant.root)).verdict;
    expect(lost, 'the test did not see it').not.toEqual([]);
    failsAsItMust('R18', '202 before commit', `${lost.length} acknowledged lost`);
  });

  test('control: waiting without a limit for requests that never end must be seen', async () => {
    const variant = makeVariant('patient-end', [
      { file: 'http/server.ts', from: 'setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)', to: 'undefined' },
      { file: 'app.ts', from: 'setTimeout(() => process.exit(1), SHUTDOWN_MS)', to: 'setTimeout(() => undefined, SHUTDOWN_MS)' },
    ]);
    open.push({ close: variant.remove });
    const { exit } = await stopUnderLoad(halfOpen, variant.root);
    expect(exit.afterMs, 'the test did not see it').toBeGreaterThan(LIMIT_MS);
    failsAsItMust(
      'R18',
      'waiting without a limit for requests that never end',
      `not ended after ${(exit.afterMs / 1000).toFixed(1)} s`,
    );
  });
});
