/** Two people and a machine at the same time: the same click twice, opposite clicks in one instant, a DAG that is deleted while we hold it. */
import type { PersonAct, Person as Somebody } from '../../../../src/core/events.ts';
import { isActiveRepair, isOver } from '../../../../src/core/lifecycle.ts';
import { approve, personDoes } from './actors.ts';
import type { Simulation } from './simulation.ts';
import { closeInterval } from './truth.ts';

const rita: Somebody = { name: 'rita', role: 'responder' };
const ann: Somebody = { name: 'ann', role: 'approver' };
const adam: Somebody = { name: 'adam', role: 'admin' };

/** Both have the same page before their eyes, and click in the same instant. */
export function clickTogether(sim: Simulation): void {
  const { chance, truth } = sim;
  const open = [...truth.incidents.values()].filter((i) => !isOver(i.status));
  if (open.length === 0) return;
  const incident = chance.pick(open);
  const repair = [...truth.repairs.values()].find((r) => r.incidentId === incident.id && isActiveRepair(r.state));
  const hold = [...truth.holds.values()].find((h) => h.incidentId === incident.id && h.releasedAt === null);
  const say = { incidentId: incident.id, comment: 'said so' };
  const does = (who: Somebody, act: PersonAct) => () => personDoes(sim, who, act);
  const yes = (who: Somebody) => () => repair && approve(sim, who, repair, repair.digest ?? '');
  const no = (kind: 'reject' | 'cancel') => does(ann, { kind, repairId: repair?.id ?? '', comment: 'no' });
  const proposed = repair?.state === 'proposed' ? 4 : 0;
  const pair = chance.weighted<readonly (() => unknown)[]>([
    [2, [does(rita, { kind: 'fixed', ...say }), does(ann, { kind: 'fixed', ...say })]],
    [proposed, [yes(ann), yes(adam)]],
    [proposed, [yes(adam), no('reject')]],
    [proposed / 2, [yes(adam), no('cancel')]],
    [1, [does(ann, { kind: 'release', ...say }), does(adam, { kind: 'dismiss', ...say })]],
    [1, [does(ann, { kind: 'release', ...say }), does(adam, { kind: 'release', ...say })]],
    [1, [does(rita, { kind: 'verify', ...say }), does(ann, { kind: 'release', ...say })]],
    [hold ? 2 : 0, [release(sim, hold?.id), does(ann, { kind: 'release', ...say })]],
    [hold ? 2 : 0, [release(sim, hold?.id), release(sim, hold?.id)]],
  ]);
  sim.note(`two at once on ${incident.id}`);
  truth.figures.together++;
  for (const act of chance.shuffle(pair)) act();
}

const release = (sim: Simulation, holdId: string | undefined) => () =>
  personDoes(sim, adam, { kind: 'release_hold', holdId: holdId ?? '', comment: 'mine' });

/** Somebody deletes a DAG that we hold, with its runs. Not one that another DAG starts or waits for: Airflow itself would break. */
export function deleteHeld(sim: Simulation): void {
  const { airflow, truth, chance, time } = sim;
  const { dags, active, backfills } = airflow.world;
  const needed = new Set(
    [...dags.values()].flatMap((d) => Object.values(d.spec.tasks).flatMap((t) => [t.triggers?.dagId, t.waitsFor?.dagId])),
  );
  const held = [...dags.keys()].filter((d) => truth.switchOf(d).pausedBy === 'us' && !needed.has(d));
  if (held.length === 0) return;
  const dagId = chance.pick(held);
  sim.note(`gerda deletes ${dagId}`);
  truth.figures.deleted++;
  const spec = dags.get(dagId)?.spec;
  if (spec !== undefined) truth.deleted.set(dagId, { spec, at: time.now });
  airflow.person('gerda').delete(dagId);
  for (const run of [...active]) if (run.dagId === dagId) active.delete(run);
  for (const b of backfills) if (b.dagId === dagId) b.completedAt ??= time.now;
  const s = truth.switchOf(dagId);
  closeInterval(s, time.now, 'others');
  // One that is deployed under the same name later is another (seed 1064).
  Object.assign(s, { paused: false, pausedBy: null, touches: [], intervals: [] });
}
