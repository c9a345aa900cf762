/**
 * The holds model in a hurry: nobody waits until all is still, so acts land while pauses, reads and releases are under way. Decisions are made one after the
 * other all the same, so what nobody outside touches must end exactly where the model says. A person's touch that lands while we are busy may come before or
 * after ours; then these promises are left: what they paused last is paused, and nothing stays paused by us once all is over without somebody being told.
 */
import type fc from 'fast-check';
import { isOver } from '../../../../src/core/lifecycle.ts';
import { HoldsModel, READERS, type RealHolds, SOURCES } from './holdsModel.ts';

export class HastyModel extends HoldsModel {
  /** Touched while something was under way, and not yet once more in quiet. */
  readonly unsure = new Set<string>();
  readonly last = new Map<string, boolean>();
  /** Touched in quiet, and not polled since. */
  readonly unseen = new Set<string>();
  acts = 0;

  touch(d: string, paused: boolean, busy: boolean): void {
    this.person(d, paused);
    this.last.set(d, paused);
    this.unseen.add(d);
    if (busy) this.unsure.add(d);
    // What ran before this is over with an unpause in quiet, whatever it was.
    else if (!paused) this.unsure.delete(d);
  }
}

export type HastyStep = fc.AsyncCommand<HastyModel, RealHolds>;

function step(
  name: string,
  gap: number,
  act: (m: HastyModel, r: RealHolds) => Promise<void> | void,
  may: (m: HastyModel) => boolean = () => true,
): HastyStep {
  return {
    check: (m) => may(m),
    run: async (m, r) => {
      m.acts++;
      await act(m, r);
      await r.go(gap);
      if (r.errors.length > 0) throw new Error(`${name}: ${r.errors.join('; ')}`);
    },
    toString: () => `${name}, ${gap} ms`,
  };
}

export const failsNow = (s: string, gap: number): HastyStep =>
  step(`fail ${s}`, gap, async (m, r) => {
    await r.up();
    // What is let go is opened again, with the holds that are not let go yet: whether a person's touch was before that or after, no poll can tell.
    const leaving = [...r.disk.incidents.values()].some((i) => i.dagId === s && i.releasing && !isOver(i.status));
    if (leaving) for (const d of m.unseen) m.unsure.add(d);
    m.fail(s);
    await r.fail(s);
  });

export const touchesNow = (d: string | null, paused: boolean, gap: number): HastyStep =>
  step(`person ${paused ? 'pauses' : 'unpauses'} ${d ?? 'all'}`, gap, (m, r) => {
    for (const one of d === null ? READERS : [d]) m.touch(one, paused, r.busy());
    r.airflow.touch(d, 'gerda', paused, null, d === null ? '~' : null);
  });

export const endsNow = (s: string, how: 'release' | 'dismiss', gap: number): HastyStep =>
  step(
    `${how} ${s}`,
    gap,
    async (m, r) => {
      await r.up();
      m.end(s);
      await r.end(s, how);
    },
    (m) => m.open.has(s),
  );

export const looksNow = (gap: number): HastyStep =>
  step('poll', gap, async (m, r) => {
    await r.look();
    if (r.service !== null && !r.busy()) m.unseen.clear();
  });
export const crashesNow = (gap: number): HastyStep => step('crash', gap, (_, r) => r.crash());
export const diesNow = (gap: number): HastyStep => step('die at the next effect', gap, (_, r) => r.dieAtEffect());
export const losesNow = (cuts: Parameters<RealHolds['lose']>[0], gap: number): HastyStep =>
  step(`lose ${cuts.join(',')}`, gap, (_, r) => r.lose(cuts));
export const clockJumpsNow = (minutes: number, gap: number): HastyStep =>
  step(`clock ${minutes} min`, gap, (_, r) => r.moveClock(minutes));

/** When all is still; then every incident is let go, and all is looked at once more. */
export async function judgeHasty(m: HastyModel, r: RealHolds): Promise<{ sure: number; unsure: number }> {
  await r.settle();
  check(m, r, 'at the end');
  const counted = { sure: READERS.length - m.unsure.size, unsure: m.unsure.size };
  for (const s of SOURCES) {
    m.end(s);
    await r.end(s, 'release');
    await r.settle();
  }
  check(m, r, 'when all are let go');
  for (const d of m.unsure) {
    const told = [...r.disk.holds.values()].some((h) => h.dagId === d && h.state === 'ceded');
    if (r.airflow.paused.get(d) && m.last.get(d) === false && !told)
      throw new Error(`${d} stays paused, a person had unpaused it, and nobody is told`);
  }
  return counted;
}

function check(m: HastyModel, r: RealHolds, when: string): void {
  if (r.errors.length > 0) throw new Error(`${when}: ${r.errors.join('; ')}`);
  if (r.busy()) throw new Error(`${when}: it never settles`);
  for (const d of READERS) {
    const real = r.airflow.paused.get(d) === true;
    if (m.unsure.has(d) && m.last.get(d) === true && !real) throw new Error(`${when}: a person has paused ${d}, and it runs`);
    if (!m.unsure.has(d) && real !== m.paused.has(d))
      throw new Error(
        `${when}: the model says ${d} ${m.paused.has(d) ? 'paused' : 'runs'}, the service made it ${real ? 'paused' : 'run'}`,
      );
  }
}
