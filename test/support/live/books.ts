/**
 * Airflow's own books after a story, its tasks' own records among them: what is there more often than was approved is a double effect, what is there less
 * often a lost one. Nothing that Firedamper says of itself is asked, but for the plan that was approved.
 */
import type { Repair } from './firedamper.ts';
import type { Truth } from './truth.ts';

export interface StoryDags {
  /** It failed on these days and was run again on them. */
  readonly failing: string;
  readonly days: readonly string[];
  /** Reads its asset, was held, and missed one event. */
  readonly reader: string;
  readonly asset: string;
  /** Were held as well and missed nothing. */
  readonly others: readonly string[];
}

export interface Books {
  /** In words; empty: everything as it must be. */
  readonly double: readonly string[];
  readonly lost: readonly string[];
  /** How many counts were compared. */
  readonly compared: number;
  /** Pauses and unpauses that Airflow was asked for once more than needed: an answer was lost, and asking again changes nothing. */
  readonly askedAgain: number;
}

interface Count {
  readonly what: string;
  readonly seen: number;
  readonly wanted: number;
}

export async function readBooks(truth: Truth, dags: StoryDags, plan: Repair): Promise<Books> {
  const held = [dags.reader, ...dags.others];
  const asked = await Promise.all(held.map((dagId) => truth.pauses('firedamper', dagId)));
  const counts: Count[] = [
    // Asking twice for the same is no second effect; to and fro is one.
    ...held.map((dagId, n) => ({ what: `turns of the switch of ${dagId}`, seen: turns(asked[n] ?? []), wanted: 2 })),
    ...(await ofTheRepair(truth, dags, plan)),
    { what: `runs of ${dags.reader}`, seen: (await truth.runs(dags.reader)).length, wanted: 1 },
    { what: `records of ${dags.reader}`, seen: truth.records(dags.reader).length, wanted: 1 },
    { what: `events given again of ${dags.asset}`, seen: (await truth.deliveries(dags.asset)).length, wanted: 1 },
  ];
  for (const dagId of dags.others) counts.push({ what: `runs of ${dagId}`, seen: (await truth.runs(dagId)).length, wanted: 0 });
  return {
    double: counts.filter(({ seen, wanted }) => seen > wanted).map(inWords),
    lost: counts.filter(({ seen, wanted }) => seen < wanted).map(inWords),
    compared: counts.length,
    askedAgain: asked.reduce((sum, list) => sum + list.length - turns(list), 0),
  };
}

async function ofTheRepair(truth: Truth, { failing, days }: StoryDags, plan: Repair): Promise<Count[]> {
  const planned = (kind: string) => plan.steps.filter((step) => step.kind === kind).length;
  const runs = await truth.runs(failing);
  const tries = await Promise.all(runs.map(async ({ runId }) => (await truth.task(failing, runId, 'load')).tryNumber));
  const acts = await truth.acts('firedamper', failing);
  const records = truth.records(failing);
  return [
    { what: `backfills of ${failing}`, seen: await truth.backfills(failing), wanted: planned('backfill') },
    { what: `clears of ${failing}`, seen: acts.filter(({ event }) => /clear/.test(event)).length, wanted: planned('clear') },
    { what: `runs of ${failing}`, seen: runs.length, wanted: days.length },
    ...runs.map(({ runId }, n) => ({ what: `tries of ${runId}`, seen: tries[n] ?? 0, wanted: 2 })),
    ...days.map((day) => ({ what: `records of ${day}`, seen: records.filter((one) => one.day === day).length, wanted: 1 })),
  ];
}

const turns = (asked: readonly string[]): number => asked.filter((one, n) => one !== asked[n - 1]).length;
const inWords = ({ what, seen, wanted }: Count): string => `${what}: ${seen} instead of ${wanted}`;
