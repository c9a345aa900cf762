/**
 * R2: the power goes. With synchronous=FULL nothing that was acknowledged is lost in any image of the disk; with NORMAL much is, or this test is blind.
 * And no image makes the service take its own file for a restored copy, or a restored copy for its own file.
 */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failed, History } from '../../support/faults/checker/history.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { newFolder, Program } from '../../support/faults/crash/program.ts';
import { type Cuts, cutPower, type Op, readTrace, tracer } from '../../support/faults/crash/replay.ts';
import { needTool } from '../../support/faults/crash/strace.ts';
import { type Change, makeVariant } from '../../support/faults/crash/variant.ts';
import { cutStarts } from '../../support/faults/crash/witness.ts';

beforeAll(() => needTool('strace'));

const IMAGES = LONG ? 1_000 : 250;
/** At each instant of a start. */
const IMAGES_OF_A_START = LONG ? 20 : 3;

interface Workload {
  readonly callbacks: number;
  readonly connections: number;
  /** Length of the exception's text. */
  readonly text: number;
  /** How often it is killed and started again on the way. */
  readonly kills: number;
}

/** So that a failure can be looked at again. */
function seeded(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Traced {
  readonly database: string;
  /** What each start did to the disk. */
  readonly starts: readonly (readonly Op[])[];
  readonly acknowledged: number;
}

async function trace(load: Workload, root?: string): Promise<Traced> {
  const fake = await startFakeAirflow({ generation: 3, autoRun: true });
  const history = new History();
  const folder = newFolder('power');
  const database = join(folder, 'firedamper.db');
  const traces: string[] = [];
  let n = 0;
  try {
    for (let start = 0; start <= load.kills; start++) {
      const file = join(folder, `trace-${start}`);
      traces.push(file);
      const options = { folder, airflowUrl: fake.url, pollInterval: '1h', under: tracer(file) };
      const program = await Program.start(root === undefined ? options : { ...options, root });
      const until = n + Math.ceil(load.callbacks / (load.kills + 1));
      const exception = { type: 'ValueError', message: 'x'.repeat(load.text) };
      const one = async () => {
        while (n < until) await history.callback(program.url, `cb-${++n}`, failed('a', `r${n}`, 'make', { exception }));
      };
      await Promise.all(Array.from({ length: load.connections }, one));
      await program.kill();
    }
    const starts = traces.map((file) => readTrace(file, database));
    return { database, starts, acknowledged: history.acknowledged.length };
  } finally {
    history.close();
    await fake.close();
  }
}

function cut({ database, starts, acknowledged }: Traced): Cuts {
  const cuts = cutPower(starts.flat(), database, IMAGES, seeded(1));
  expect(cuts.acknowledged, 'what the sender was told and what the trace shows').toBe(acknowledged);
  return cuts;
}

const LOADS: readonly [string, Workload][] = [
  ['one after the other', { callbacks: 120, connections: 1, text: 20, kills: 0 }],
  ['a storm of long ones, over checkpoints', { callbacks: 240, connections: 8, text: 4_000, kills: 0 }],
  ['killed and started again on a log that was not emptied', { callbacks: 120, connections: 3, text: 500, kills: 2 }],
];

test.each(LOADS)('R2: the power goes: %s', async (what, load) => {
  const traced = await trace(load);
  const cuts = cut(traced);
  figure('R2', { trace: JSON.stringify(what), ...cuts });
  expect(cuts.acknowledged).toBeGreaterThan(load.callbacks / 2);
  expect(cuts).toMatchObject({ lossy: 0, damaged: 0, strange: 0 });
  if (load.kills === 0) return;
  const seen = await cutStarts(traced.starts, traced.database, IMAGES_OF_A_START, seeded(2));
  figure('R2', { trace: '"while it starts"', ...seen });
  expect(seen).toMatchObject({ suspected: 0, missed: 0 });
  expect(Math.min(seen.cuts, seen.mixed), 'images of a start').toBeGreaterThan(0);
});

const STARTS: Workload = { callbacks: 6, connections: 1, text: 20, kills: 1 };

const CONTROLS: readonly { name: string; changes: readonly Change[] }[] = [
  {
    name: 'the name of the witness is not made durable',
    changes: [
      { file: 'store/files.ts', from: '  renameSync(from, to);\n  syncFile(dirname(to));', to: '  renameSync(from, to);' },
    ],
  },
  {
    name: 'the file is raised before its witness',
    changes: [
      {
        file: 'store/epoch.ts',
        from: '  writeInPlace(witnessFile(path), JSON.stringify({ ...witness, raising: true } satisfies Witness));\n',
        to: '',
      },
    ],
  },
];

test.each(CONTROLS)('R2 control: $name must be seen', async ({ name, changes }) => {
  const variant = makeVariant(name.replaceAll(' ', '-'), changes);
  try {
    const { database, starts } = await trace(STARTS, variant.root);
    const found = await cutStarts(starts, database, IMAGES_OF_A_START, seeded(2));
    expect(found.suspected, 'the test did not see it').toBeGreaterThan(0);
    failsAsItMust('R2', name, `${found.suspected} of ${found.cuts} images are taken for a restored copy`);
  } finally {
    variant.remove();
  }
});

test('R2 control: synchronous=NORMAL must lose', async () => {
  const variant = makeVariant('normal', [
    { file: 'store/database.ts', from: "db.pragma('synchronous = full');", to: "db.pragma('synchronous = normal');" },
    { file: 'store/database.ts', from: 'sync !== 2', to: 'sync !== 1' },
  ]);
  try {
    const cuts = cut(await trace({ callbacks: 120, connections: 1, text: 20, kills: 0 }, variant.root));
    expect(cuts.lossy, 'the test did not see it').toBeGreaterThan(IMAGES / 2);
    expect(cuts.damaged).toBe(0);
    failsAsItMust('R2', 'NORMAL instead of FULL', `${cuts.lossy} of ${cuts.images} images lose, up to ${cuts.worst} callbacks`);
  } finally {
    variant.remove();
  }
});
