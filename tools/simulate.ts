/**
 * The simulator: `node tools/simulate.ts --seeds 500 [--from N] [--store sqlite]`, or one story with every line: `--seed N --trace`.
 * One seed drives clock, chance, Airflow, people, network and crashes; the laws of the design are checked after every step. The hash is that of every line of
 * every story: the same seeds in another process, or tomorrow, print the same one.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { memoryShelf, sqliteShelf } from '../test/support/faults/sim/shelves.ts';
import { castOf, Simulation, type StoryResult } from '../test/support/faults/sim/simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    store: { type: 'string', default: 'memory' },
    minutes: { type: 'string' },
  },
});

const story = (seed: number): Promise<StoryResult> =>
  new Simulation({
    seed,
    ...castOf(seed),
    shelf: values.store === 'sqlite' ? sqliteShelf() : memoryShelf(),
    ...(values.trace ? { trace: (line: string) => process.stdout.write(`${line}\n`) } : {}),
    ...(values.minutes === undefined ? {} : { minutes: Number(values.minutes) }),
  }).run();

const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const sums = new Map<string, number>();
const hash = createHash('sha256');
let broken = 0;
const began = process.hrtime.bigint();
for (let seed = first; seed < first + count; seed++) {
  const result = await story(seed);
  hash.update(`${seed} ${result.hash}\n`);
  for (const [k, v] of Object.entries({ ...result.figures, steps: result.steps })) sums.set(k, (sums.get(k) ?? 0) + v);
  if (result.violations.length === 0) continue;
  broken++;
  for (const v of result.violations.slice(0, values.seed === undefined ? 2 : 20))
    process.stdout.write(`seed ${seed}: ${v.law}: ${v.text} (at ${new Date(v.at).toISOString()})\n`);
}
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
const figures = [...sums].map(([k, v]) => `${k}=${v}`).join(' ');
process.stdout.write(
  `figure: R7 seeds=${count} broken=${broken} ${figures} hash=${hash.digest('hex')} seconds=${seconds.toFixed(1)}\n`,
);
process.exitCode = broken === 0 ? 0 : 1;
