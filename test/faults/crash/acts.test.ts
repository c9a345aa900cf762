/**
 * R4: kill -9 at every named step of pause, resume, clear, backfill, trigger, delivery and notice. After each the program is started again, everybody
 * goes on as people and senders do, and in the end the fake Airflow tells what really happened.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Allowed, CLEAN, check, type Verdict } from '../../support/faults/checker/check.ts';
import { failsAsItMust, figure, LONG } from '../../support/faults/crash/figure.ts';
import { POINTS, type Point } from '../../support/faults/crash/points.ts';
import { Site } from '../../support/faults/crash/site.ts';
import { needTool } from '../../support/faults/crash/strace.ts';
import { type Change, makeVariant } from '../../support/faults/crash/variant.ts';

beforeAll(() => needTool('strace'));

/** They wait more than they compute. */
const AT_ONCE = 4;

/** From the start after the kill until all that was under way is settled: the aim of R4. */
const SETTLED_MS = 30_000;

interface Death {
  readonly verdict: Verdict;
  readonly kills: number;
  readonly underWay: number;
  readonly settledMs: number | null;
}

const allowedIn = ({ scenario: { paused, ran }, theirs = {} }: Point): Allowed => ({
  ...{ theirs, paused, ran, told: ['opened', 'resolved'], over: true },
});

async function dieAt(point: Point, root?: string): Promise<Death> {
  const site = await Site.open(point.scenario, root);
  try {
    await site.tell(point.cut, point.whileDead);
    const { kills, underWay, settledMs } = site;
    return { verdict: check(site.history.calls, site.truth(), allowedIn(point)), kills, underWay, settledMs };
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
  const deaths: Death[] = [];
  await inLanes(points, async (point) => {
    const seen = await dieAt(point).catch((error: Error) => error);
    if (seen instanceof Error) {
      wrong[point.name] = seen.message;
      return;
    }
    deaths.push(seen);
    if (JSON.stringify(seen.verdict) !== JSON.stringify(CLEAN)) wrong[point.name] = seen.verdict;
    else if (seen.kills !== 1) wrong[point.name] = `it died ${seen.kills} times, not once: the point was not met`;
    else if (seen.settledMs === null || seen.settledMs > SETTLED_MS)
      wrong[point.name] = `what was under way was settled after ${seen.settledMs} ms`;
    if (LONG || process.env.FIREDAMPER_POINT) console.log(`${wrong[point.name] === undefined ? 'ok ' : 'NOT'} ${point.name}`);
  });
  const sum = (of: (death: Death) => number) => deaths.reduce((n, death) => n + of(death), 0);
  const kills = sum((d) => d.kills);
  figure('R4', {
    points: kills,
    double_effects: sum((d) => d.verdict.doubled.length),
    foreign_resumes: sum((d) => d.verdict.foreignResumes.length),
    promises_broken: sum((d) => d.verdict.broken.length + d.verdict.lost.length + d.verdict.forgotten.length),
    integrity_errors: sum((d) => d.verdict.damaged.length),
    unsettled: sum((d) => d.verdict.unsettled.length) + points.length - deaths.length,
    under_way_at_the_kill: sum((d) => d.underWay),
    slowest_settled_s: (Math.max(0, ...deaths.map((d) => d.settledMs ?? 0)) / 1000).toFixed(1),
  });
  expect(points, 'a name that no point has').not.toEqual([]);
  expect(wrong).toEqual({});
  expect(new Set(points.map((p) => p.name)).size, 'every point has its own name').toBe(points.length);
  if (!process.env.FIREDAMPER_POINT) {
    expect(kills).toBeGreaterThanOrEqual(60);
    expect(
      sum((d) => d.underWay),
      'acts that a kill has cut off',
    ).toBeGreaterThan(0);
  }
});

const CONTROLS: readonly { name: string; at: string; changes: readonly Change[]; seen: keyof Verdict }[] = [
  {
    name: 'no audit check before resume',
    at: '3.x resume: claimed on disk | PATCH in Airflow, and a person pauses it once more meanwhile',
    changes: [{ file: 'effects/unpauseDag.ts', from: 'if (who !== null) {', to: "if (who === '') {" }],
    seen: 'foreignResumes',
  },
  {
    name: 'a POST that is repeated blindly',
    at: '3.x delivery of an event: POST applied in Airflow | answer read',
    changes: [
      {
        file: 'effects/deliver.ts',
        from: "if (settle && order.how === 'event') {",
        to: "if (settle && order.how === ('' as string)) {",
      },
    ],
    seen: 'doubled',
  },
  {
    name: 'a clear that is repeated blindly',
    at: '3.x clear: POST applied in Airflow | answer read',
    changes: [
      {
        file: 'effects/repairStep.ts',
        from: 'if (settle && (await foundDone(client, step, deps.now)))',
        to: "if (settle && step.request.kind !== 'clear' && (await foundDone(client, step, deps.now)))",
      },
      { file: 'effects/repairStep.ts', from: "settle && step.request.kind !== 'create_run' ?", to: 'settle && deps === null ?' },
      // The second guard: an attempt that began after the plan is nobody's to clear.
      { file: 'effects/repairStep.ts', from: 'if (run.startDate !== request.runStart)', to: 'if (run.startDate === undefined)' },
    ],
    seen: 'doubled',
  },
  {
    name: 'no digest check',
    at: '3.x approve: said | yes stored',
    changes: [{ file: 'core/approval.ts', from: 'if (repair.digest !== digest) {', to: 'if (repair.digest === null) {' }],
    seen: 'broken',
  },
];

describe.concurrent('R4: controls', () => {
  test.each(CONTROLS)('$name must be seen', async ({ name, at, changes, seen }) => {
    const point = POINTS.find((p) => p.name === at);
    if (point === undefined) throw new Error(`no point is called ${at}`);
    const variant = makeVariant(name.replaceAll(' ', '-'), changes);
    try {
      const { verdict } = await dieAt(point, variant.root);
      expect(verdict[seen], `${name}: the test did not see it`).not.toEqual([]);
      failsAsItMust('R4', name, verdict[seen].join('; '));
    } finally {
      variant.remove();
    }
  });
});
