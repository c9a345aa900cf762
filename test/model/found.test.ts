/**
 * Every difference that the simulator or the models found, by name: its story is told again in each short run. The seeds were found with a smaller cast than
 * today's (no reruns of what was whole, no reports of bad data), so each is told with both.
 */
import { afterAll, expect, it } from 'vitest';
import { figure } from '../support/faults/crash/figure.ts';
import {
  clockJumpsNow,
  crashesNow,
  diesNow,
  endsNow,
  failsNow,
  HastyModel,
  type HastyStep,
  judgeHasty,
  losesNow,
  touchesNow,
} from '../support/faults/sim/hasty.ts';
import { RealHolds } from '../support/faults/sim/holdsModel.ts';
import { memoryShelf } from '../support/faults/sim/shelves.ts';
import { castOf, Simulation } from '../support/faults/sim/simulation.ts';

const MINUTE = 60_000;
const AHEAD = 10 * MINUTE;
const BACK = -10 * MINUTE;

interface Found {
  readonly seed: number;
  readonly story: string;
  /** Our clock is set by this much after eight minutes. */
  readonly jump?: number;
}

const FOUND: readonly Found[] = [
  { seed: 21, story: 'a DAG that is deleted while it is held does not keep the release of the others' },
  { seed: 58, story: 'the failing DAG, where it is held too, counts against the cap' },
  { seed: 182, story: 'a look that began before a run was cleared and failed again does not pass for its healing' },
  { seed: 484, story: 'a run that was cleared and failed anew while other steps of its repair went on is not healed by it' },
  { seed: 746, story: 'a person clears a run that has had what its DAG missed: nothing more is due' },
  { seed: 796, story: 'a look that began before a run was cleared does not pass for its healing, a second way' },
  { seed: 827, story: 'what a person did with a pause of their own, after we had let go, is no word against our next one' },
  { seed: 1008, story: 'a held DAG that is deleted and deployed again while the cause stands is held again' },
  { seed: 1064, story: 'a DAG that is deployed under the name of a deleted one is a new one' },
  { seed: 1351, story: 'events between the last look and the unpause are delivered' },
  { seed: 1622, story: 'a pause that is answered after a crash was on disk before it was sent' },
  { seed: 1732, story: 'what the links do not reach any more stays held and takes its place under the cap' },
  { seed: 1799, story: 'a held DAG that is deleted and comes back paused is nobody of ours, and stays paused' },
  { seed: 1993, story: 'an asset event is recognised as ours by Airflow’s clock, 90 s behind ours, and not posted again' },
  { seed: 2067, story: 'our repair of a run with bad data gives its DAG what it missed' },
  { seed: 2114, story: 'the links of a deleted DAG are believed until the next survey' },
  { seed: 2324, story: 'what is deployed under the name of a DAG that was deleted while it was held is judged by its own links' },
  { seed: 2694, story: 'a callback that was minutes under way opens a story when all seems over' },
  { seed: 2702, story: 'events between the last look and the unpause are delivered, a second way' },
  { seed: 2842, story: 'the links of a deleted DAG are believed until the next survey, which an outage puts off' },
  { seed: 2854, story: 'an approved repair does not start beside a person’s verification' },
  { seed: 3233, story: 'a pause of all DAGs, four minutes after an order to let one go, stands' },
  { seed: 3416, story: 'what the links do not reach any more stays held and takes its place under the cap, a second way' },
  { seed: 4305, story: 'our earlier requests behind a cursor that has not moved stay ours' },
  { seed: 5446, story: 'events between the last look and the unpause are delivered, a third way' },
  { seed: 6038, story: 'a pause of somebody’s while an order waits, without the audit log, stands' },
  { seed: 6203, story: 'a release that waited for an answer goes on when the person unpauses the DAG in Airflow instead' },
  { seed: 7344, story: 'what a released DAG missed waits while another backfill of it goes on' },
  { seed: 8595, story: 'a DAG that is let go minutes later, on a person’s word, gets what it missed once' },
  { seed: 8668, story: 'a DAG that is held anew before its run began is not given the event again' },
  { seed: 8788, story: 'our own unpause, behind the place at which a look began, does not pass for somebody’s' },
  { seed: 9079, story: 'a DAG that came back with other links is reached by the old ones until the new ones are read' },
  { seed: 9676, story: 'a story that opens in the last minutes is given people and time' },
  { seed: 20, jump: BACK, story: 'a clock that is set during a hold loses no event, set back' },
  { seed: 20, jump: AHEAD, story: 'a clock that is set during a hold loses no event, set ahead' },
  { seed: 75, jump: BACK, story: 'no second pause on top of a person’s own, after they had unpaused it again' },
  { seed: 88, jump: AHEAD, story: 'failures that the watermark would have jumped over' },
  { seed: 256, jump: AHEAD, story: 'a look that began before a DAG was held anew is not a person’s unpause' },
  { seed: 382, jump: AHEAD, story: 'a person’s pause after an order is not undone' },
];

const told = { found: FOUND.length, stories: 0, broken: 0 };
afterAll(() => figure('R7', told));

it.each(FOUND)('$story (seed $seed)', async ({ seed, jump }) => {
  const broken: string[] = [];
  const { reruns, reports } = castOf(seed);
  const casts = [{ reruns: 0, reports: 0 }, { reruns, reports }, castOf(seed)];
  for (const cast of casts) {
    const story = new Simulation({ seed, ...cast, shelf: memoryShelf() });
    if (jump !== undefined)
      story.later(8 * MINUTE, 'people', () => {
        story.time.skew += jump;
      });
    const { violations } = await story.run();
    for (const v of violations) broken.push(`reruns ${cast.reruns}, reports ${cast.reports}: ${v.law}: ${v.text}`);
  }
  told.stories += casts.length;
  told.broken += broken.length;
  expect(broken).toEqual([]);
});

/** Acts that crossed each other, as the shrunken counterexamples had them. */
const CROSSED: readonly (readonly [string, readonly HastyStep[]])[] = [
  [
    'a clock that is set back by eleven minutes after a hold was decided does not delay it',
    [diesNow(0), failsNow('s0', 20), clockJumpsNow(-4, 0), clockJumpsNow(-7, 0), losesNow(['before'], 0)],
  ],
  [
    'a person who unpauses what was held over into the new episode is not fought',
    [failsNow('s0', 1_500), endsNow('s0', 'release', 13), failsNow('s0', 57), touchesNow('r0', false, 0), crashesNow(0)],
  ],
];

it.each(CROSSED)('%s', async (_, steps) => {
  const real = new RealHolds(false);
  const model = new HastyModel();
  real.time.install();
  try {
    await real.boot();
    await real.settle();
    for (const step of steps) await step.run(model, real);
    expect((await judgeHasty(model, real)).sure).toBeGreaterThan(0);
  } finally {
    real.time.kill();
    real.time.uninstall();
  }
});
