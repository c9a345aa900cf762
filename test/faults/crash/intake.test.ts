/** R1: kill -9 at every write and every fsync while callbacks come in. 202 means stored: nothing that was acknowledged may be missing. */
import { beforeAll, describe, expect, test } from 'vitest';
import { CLEAN, type Verdict } from '../../support/faults/checker/check.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { Intake, type Point } from '../../support/faults/crash/intake.ts';
import { needTool } from '../../support/faults/crash/strace.ts';
import { type Change, makeVariant } from '../../support/faults/crash/variant.ts';

beforeAll(() => needTool('strace'));

/** The short form takes a spread of the points, the long form every one until three in a row did not fire. */
const SPREAD: Readonly<Record<Point['call'], readonly number[]>> = {
  fsync: [1, 2, 3, 9, 17, 40],
  pwrite64: [1, 2, 3, 4, 13, 29, 61, 150],
  write: [1, 2, 3, 11, 23, 50],
};
const MOST = 300;

async function movingPoint(intake: Intake, call: Point['call']): Promise<void> {
  if (!LONG) {
    for (const n of SPREAD[call]) await intake.at({ call, n });
    return;
  }
  let missed = 0;
  for (let n = 1; n <= MOST && missed < 3; n++) missed = (await intake.at({ call, n })) ? 0 : missed + 1;
}

describe.concurrent('R1: kill -9 at every write and fsync while callbacks come in', () => {
  test.each(['fsync', 'pwrite64', 'write'] as const)('at %s', async (call) => {
    const intake = await Intake.open();
    try {
      await movingPoint(intake, call);
      const rows = await intake.settle();
      const { lost, doubled, damaged, forgotten } = intake.verdict;
      const acknowledged = new Set(intake.history.acknowledged.map((c) => c.id)).size;
      figure('R1', {
        call,
        points: intake.fired,
        acknowledged,
        rows: rows.inbox.size,
        lost: lost.length,
        doubled: doubled.length + forgotten.length,
        integrity_errors: damaged.length,
      });
      expect(intake.verdict).toEqual(CLEAN);
      expect(intake.fired, 'kills that happened').toBeGreaterThanOrEqual(LONG ? 20 : 4);
      expect(acknowledged, 'callbacks that were promised').toBeGreaterThan(0);
    } finally {
      await intake.close();
    }
  });
});

const CONTROLS: readonly { name: string; changes: readonly Change[]; seen: keyof Verdict }[] = [
  {
    name: '202 before commit',
    changes: [
      {
        file: 'http/callbacks.ts',
        from: 'const answer = await deps.accept({',
        to: 'const answer = { id: webhookId, duplicate: false };\n  void deps.accept({',
      },
    ],
    seen: 'lost',
  },
  {
    name: 'no dedupe index',
    changes: [
      { file: 'store/migrations/0001_first.sql', from: ',\n  unique (airflow, webhook_id)', to: '' },
      { file: 'store/inbox.ts', from: ".onConflict((c) => c.columns(['airflow', 'webhook_id']).doNothing())", to: '' },
    ],
    seen: 'doubled',
  },
];

describe.concurrent('R1: controls', () => {
  test.each(CONTROLS)('$name must be seen', async ({ name, changes, seen }) => {
    const variant = makeVariant(name.replaceAll(' ', '-'), changes);
    const intake = await Intake.open(variant.root);
    try {
      for (const n of [1, 5, 2, 9]) await intake.at({ call: n % 2 === 0 ? 'fsync' : 'pwrite64', n });
      const { lost, doubled } = intake.verdict;
      expect(intake.verdict[seen], `${name}: the test did not see it`).not.toEqual([]);
      failsAsItMust('R1', name, `${lost.length} acknowledged lost, ${doubled.length} doubled`);
    } finally {
      await intake.close();
      variant.remove();
    }
  });
});
