/**
 * The soak: 24 hours of a site's life in 30 minutes, a million runs. Prints what the service holds while it lives with them, and the slope at the end.
 *
 *   node tools/soak.ts [--runs 1000000] [--hours 24] [--minutes 30]      so many hours of simulated time in so many minutes
 *
 * Exit code 1 where a limit of docs/reliability.md is broken.
 */
import { parseArgs } from 'node:util';
import { slope, soak } from '../test/support/faults/soak/drive.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    hours: { type: 'string', default: '24' },
    minutes: { type: 'string', default: '30' },
  },
});
const [runs, hours, minutes] = [Number(values.runs), Number(values.hours), Number(values.minutes)];
const done = await soak({
  runs,
  realMs: minutes * 60_000,
  speed: (hours * 60) / minutes,
  failEvery: 499,
  samples: 60,
  tell: (line) => console.log(line),
});

const late = done.samples.slice(Math.floor(done.samples.length / 3));
const handles = late.map((s) => s.handles);
const limits = {
  heap_mb_per_100k_runs: [slope(done.samples, 'heapMb'), 1],
  native_mb_per_100k_runs: [slope(done.samples, 'nativeMb'), 1],
  rss_mb_per_100k_runs: [slope(done.samples, 'rssMb'), 1],
  wal_max_mb: [Math.max(...done.samples.map((s) => s.walMb)), 64],
  handles_range: [Math.max(...handles) - Math.min(...handles), 12],
  still_open: [done.stillOpen, 0],
  still_paused: [done.stillPaused, 0],
  pauses_without_unpause: [(done.effects.pause ?? 0) - (done.effects.unpause ?? 0), 0],
  errors: [done.errors.length, 0],
} as const;
const facts = {
  form: 'long',
  simulated_hours: hours,
  runs: done.runs,
  failures: done.failures,
  incidents: done.incidents,
  pauses: done.effects.pause ?? 0,
  rss_max_mb: Math.max(...done.samples.map((s) => s.rssMb)).toFixed(0),
  ...Object.fromEntries(Object.entries(limits).map(([name, [value]]) => [name, Number(value.toFixed(2))])),
};
console.log(
  `figure: R17 ${Object.entries(facts)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}`,
);
for (const error of done.errors.slice(0, 10)) console.error(error);
const broken = Object.entries(limits).filter(([, [value, most]]) => value > most);
for (const [name, [value, most]] of broken) console.error(`${name}: ${value}, over ${most}`);
process.exitCode = broken.length > 0 ? 1 : 0;
