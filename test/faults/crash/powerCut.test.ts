/** R2: the power goes. With synchronous=FULL nothing that was acknowledged is lost in any image of the disk; with NORMAL much is, or this test is blind. */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { startFakeAirflow } from '../../support/fakeAirflow/index.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { failed, History } from '../../support/faults/crash/history.ts';
import { newFolder, Program } from '../../support/faults/crash/program.ts';
import { type Cuts, cutPower, readTrace, tracer } from '../../support/faults/crash/replay.ts';
import { needTool } from '../../support/faults/crash/strace.ts';
import { makeVariant } from '../../support/faults/crash/variant.ts';

beforeAll(() => needTool('strace'));

const IMAGES = LONG ? 1_000 : 250;

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

async function cut(load: Workload, root?: string): Promise<Cuts> {
  const fake = await startFakeAirflow({ generation: 3, autoRun: true });
  const history = new History();
  const folder = newFolder('power');
  const database = join(folder, 'firedamper.db');
  const traces: string[] = [];
  let n = 0;
  try {
    for (let start = 0; start <= load.kills; start++) {
      const trace = join(folder, `trace-${start}`);
      traces.push(trace);
      const options = { folder, airflowUrl: fake.url, pollInterval: '1h', under: tracer(trace) };
      const program = await Program.start(root === undefined ? options : { ...options, root });
      const until = n + Math.ceil(load.callbacks / (load.kills + 1));
      const exception = { type: 'ValueError', message: 'x'.repeat(load.text) };
      const one = async () => {
        while (n < until) await history.callback(program.url, `cb-${++n}`, failed('a', `r${n}`, 'make', { exception }));
      };
      await Promise.all(Array.from({ length: load.connections }, one));
      await program.kill();
    }
    const ops = traces.flatMap((trace) => readTrace(trace, database));
    const cuts = cutPower(ops, database, IMAGES, seeded(1));
    expect(cuts.acknowledged, 'what the sender was told and what the trace shows').toBe(history.acknowledged.length);
    return cuts;
  } finally {
    history.close();
    await fake.close();
  }
}

const LOADS: readonly [string, Workload][] = [
  ['one after the other', { callbacks: 120, connections: 1, text: 20, kills: 0 }],
  ['a storm of long ones, over checkpoints', { callbacks: 240, connections: 8, text: 4_000, kills: 0 }],
  ['killed and started again on a log that was not emptied', { callbacks: 120, connections: 3, text: 500, kills: 2 }],
];

test.each(LOADS)('R2: the power goes: %s', async (what, load) => {
  const cuts = await cut(load);
  figure('R2', { trace: JSON.stringify(what), ...cuts });
  expect(cuts.acknowledged).toBeGreaterThan(load.callbacks / 2);
  expect({ lossy: cuts.lossy, damaged: cuts.damaged }).toEqual({ lossy: 0, damaged: 0 });
});

test('R2 control: synchronous=NORMAL must lose', async () => {
  const variant = makeVariant('normal', [
    { file: 'store/database.ts', from: "db.pragma('synchronous = full');", to: "db.pragma('synchronous = normal');" },
    { file: 'store/database.ts', from: 'sync !== 2', to: 'sync !== 1' },
  ]);
  try {
    const cuts = await cut({ callbacks: 120, connections: 1, text: 20, kills: 0 }, variant.root);
    expect(cuts.lossy, 'the test did not see it').toBeGreaterThan(IMAGES / 2);
    expect(cuts.damaged).toBe(0);
    failsAsItMust('R2', 'NORMAL instead of FULL', `${cuts.lossy} of ${cuts.images} images lose, up to ${cuts.worst} callbacks`);
  } finally {
    variant.remove();
  }
});
