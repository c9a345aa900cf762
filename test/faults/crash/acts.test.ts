/**
 * R4: kill -9 at every named step of pause, resume, clear, backfill, trigger, delivery and notice. After each the program is started again, everybody
 * goes on as people and senders do, and in the end the fake Airflow tells what really happened.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { CLEAN, judge, type Verdict } from '../../support/faults/crash/judge.ts';
import { POINTS, type Point } from '../../support/faults/crash/points.ts';
import { Site } from '../../support/faults/crash/site.ts';
import { needTool } from '../../support/faults/crash/strace.ts';
import { type Change, makeVariant } from '../../support/faults/crash/variant.ts';

beforeAll(() => needTool('strace'));

/** They wait more than they compute. */
const AT_ONCE = 4;

async function dieAt(point: Point, root?: string): Promise<{ verdict: Verdict; kills: number; settledMs: number }> {
  const site = await Site.open(point.scenario, root);
  try {
    await site.tell(point.cut, point.whileDead);
    return { verdict: judge(site, point.theirs), kills: site.kills, settledMs: site.settledMs };
  } finally {
    await site.close();
  }
}

async function inLanes<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = [...all];
  const lane = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

const points = POINTS.filter((p) => LONG || p.long !== true).filter((p) => p.name.includes(process.env.FIREDAMPER_POINT ?? ''));

test(`R4: kill -9 at ${points.length} named points`, async () => {
  const wrong: Record<string, unknown> = {};
  const sum = { kills: 0, doubles: 0, foreign: 0, broken: 0, unsettled: 0, settledMs: 0 };
  await inLanes(points, async (point) => {
    const seen = await dieAt(point).catch((error: Error) => error);
    if (seen instanceof Error) {
      wrong[point.name] = seen.message;
      sum.unsettled++;
      return;
    }
    const { verdict, kills, settledMs } = seen;
    sum.kills += kills;
    sum.settledMs = Math.max(sum.settledMs, settledMs);
    sum.doubles += verdict.doubles.length;
    sum.foreign += verdict.foreignResumes.length;
    sum.broken += verdict.broken.length;
    sum.unsettled += verdict.unsettled.length;
    if (JSON.stringify(verdict) !== JSON.stringify(CLEAN)) wrong[point.name] = verdict;
    else if (kills !== 1) wrong[point.name] = `it died ${kills} times, not once: the point was not met`;
    if (LONG || process.env.FIREDAMPER_POINT) console.log(`${wrong[point.name] === undefined ? 'ok ' : 'NOT'} ${point.name}`);
  });
  figure('R4', {
    points: sum.kills,
    double_effects: sum.doubles,
    foreign_resumes: sum.foreign,
    promises_broken: sum.broken,
    unsettled: sum.unsettled,
    slowest_settled_s: (sum.settledMs / 1000).toFixed(1),
  });
  expect(points, 'a name that no point has').not.toEqual([]);
  expect(wrong).toEqual({});
  expect(new Set(points.map((p) => p.name)).size, 'every point has its own name').toBe(points.length);
  if (!process.env.FIREDAMPER_POINT) expect(sum.kills).toBeGreaterThanOrEqual(60);
});

const CONTROLS: readonly { name: string; at: string; change: Change; seen: (verdict: Verdict) => readonly string[] }[] = [
  {
    name: 'no audit check before resume',
    at: '3.x resume: claimed on disk | PATCH in Airflow, and a person pauses it once more meanwhile',
    change: {
      file: 'effects/unpauseDag.ts',
      from: "if (who !== null) return { was: 'touched', who };",
      to: '',
    },
    seen: (v) => v.foreignResumes,
  },
  {
    name: 'a POST that is repeated blindly',
    at: '3.x delivery of an event: POST applied in Airflow | answer read',
    change: {
      file: 'effects/deliver.ts',
      from: "if (settle && order.how === 'event') {",
      to: "if (settle && order.how === ('' as string)) {",
    },
    seen: (v) => v.doubles,
  },
  {
    name: 'no digest check',
    at: '3.x approve: said | yes stored',
    change: { file: 'core/approval.ts', from: 'if (repair.digest !== digest) {', to: 'if (repair.digest === null) {' },
    seen: (v) => v.broken,
  },
];

describe.concurrent('R4: controls', () => {
  test.each(CONTROLS)('$name must be seen', async ({ name, at, change, seen }) => {
    const point = POINTS.find((p) => p.name === at);
    if (point === undefined) throw new Error(`no point is called ${at}`);
    const variant = makeVariant(name.replaceAll(' ', '-'), [change]);
    try {
      const { verdict } = await dieAt(point, variant.root);
      expect(seen(verdict).length, `${name}: the test did not see it`).toBeGreaterThan(0);
      failsAsItMust('R4', name, seen(verdict).join('; '));
    } finally {
      variant.remove();
    }
  });
});
