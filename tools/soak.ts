/**
 * The soak: 24 hours of a site's life in 30 minutes, a million runs. Prints what the service holds while it lives with them, and the slope at the end.
 *
 *   node tools/soak.ts [--runs 1000000] [--hours 24] [--minutes 30]      so many hours of simulated time in so many minutes
 *   node tools/soak.ts --fail-every 101 ...                              one run of so many fails (251): at 48 times the speed of a day that is one in half a second
 *   node tools/soak.ts --leak 1 ...                                      the control: so many kilobytes are lost for every run, and an open file in 10,000; must end with exit code 1
 *
 * 4,000 runs fail; somebody reads the pages and a channel is told; Airflow is away four times, four backups are made, old rows are deleted in
 * four nights, and the service is started anew once. Exit code 1 where a limit of docs/reliability.md is broken.
 */
import { parseArgs } from 'node:util';
import { soak } from '../test/support/faults/soak/drive.ts';
import { besideOpen, brokenLimits, limitsOf, slope } from '../test/support/faults/soak/measure.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    hours: { type: 'string', default: '24' },
    minutes: { type: 'string', default: '30' },
    'fail-every': { type: 'string', default: '251' },
    leak: { type: 'string' },
  },
});
const [runs, hours, minutes] = [Number(values.runs), Number(values.hours), Number(values.minutes)];
const done = await soak({
  ...{
    runs,
    realMs: minutes * 60_000,
    speed: (hours * 60) / minutes,
    failEvery: Number(values['fail-every']),
    // The heap rises and falls with the incidents that are open: a slope over few of its points is chance.
    samples: 240,
    eventful: true,
  },
  ...(values.leak === undefined ? {} : { leak: { kbPerRun: Number(values.leak), runsPerFile: 10_000 } }),
  tell: (line) => console.log(line),
});

/** Per 100,000 runs. */
const MOST_GROWTH_MB = 1;
const lives = [...new Set(done.samples.map((s) => s.life))];
const rssOf = (life: number) => Math.max(...done.samples.filter((s) => s.life === life).map((s) => s.rssMb)).toFixed(0);
const beside = besideOpen(done.samples, 'heapMb');
const limits = {
  ...limitsOf(done, { heapMb: MOST_GROWTH_MB, nativeMb: MOST_GROWTH_MB, rssMb: MOST_GROWTH_MB }),
  // The other reading of the same growth: were it failures that leave something behind.
  rss_mb_per_1000_failures: [slope(done.samples, 'rssMb', 'failures', 1_000), MOST_GROWTH_MB] as const,
  heap_mb_per_1000_failures_beside_open: [beside.failuresMb, MOST_GROWTH_MB] as const,
};
const facts = {
  form: 'long',
  simulated_hours: hours,
  runs: done.runs,
  failures: done.failures,
  incidents: done.incidents,
  forgotten: done.forgotten,
  pages: done.pages,
  notices: done.notices,
  backups: done.backups,
  outages: done.outages,
  lives: lives.length,
  pauses: done.effects.pause ?? 0,
  rss_max_mb: lives.map(rssOf).join('/'),
  code_max_mb: Math.max(...done.samples.map((s) => s.codeMb)).toFixed(1),
  heap_kb_per_open_incident: beside.openKb.toFixed(0),
  heap_mb_per_1000_failures: slope(done.samples, 'heapMb', 'failures', 1_000).toFixed(2),
  open_max: Math.max(...done.samples.map((s) => s.open)),
  ...Object.fromEntries(Object.entries(limits).map(([name, [value]]) => [name, Number(value.toFixed(2))])),
};
console.log(
  `figure: R17 ${Object.entries(facts)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}`,
);
for (const error of done.errors.slice(0, 10)) console.error(error);
const broken = brokenLimits(limits);
for (const name of broken) console.error(`${name}: over its limit`);
process.exitCode = broken.length > 0 ? 1 : 0;
