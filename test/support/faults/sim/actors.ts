/** Everybody but the service: the runs of the site, people at Airflow, people at Firedamper, the weather, and the crashes. */
import type { PersonAct, Person as Somebody } from '../../../../src/core/events.ts';
import { isActiveRepair, isOver } from '../../../../src/core/lifecycle.ts';
import type { Repair } from '../../../../src/core/plan.ts';
import { FiredamperError } from '../../../../src/errors.ts';
import { likes } from '../../fakeAirflow/routing.ts';
import type { Run, TaskInstance } from '../../fakeAirflow/types.ts';
import { OUR_ACCOUNT, type Processed } from './airflow.ts';
import type { Simulation } from './simulation.ts';
import { makeDag } from './site.ts';

const SECOND = 1_000;
const MINUTE = 60_000;

const rita: Somebody = { name: 'rita', role: 'responder' };
const ann: Somebody = { name: 'ann', role: 'approver' };
const adam: Somebody = { name: 'adam', role: 'admin' };

// --- the site

export function breakSomething(sim: Simulation): void {
  const { chance, airflow } = sim;
  const dagId = chance.pick([...airflow.world.dags.keys()]);
  const taskId = chance.pick(Object.keys(airflow.world.dag(dagId).spec.tasks));
  sim.note(`break ${dagId}/${taskId}`);
  airflow.world.outcomes.set(`${dagId}/${taskId}`, 'failed');
  startRun(sim, dagId);
  sim.later(chance.int(20, 900) * SECOND, 'airflow', () => mend(sim, dagId, taskId));
}

export function mend(sim: Simulation, dagId: string, taskId: string): void {
  sim.note(`mend ${dagId}/${taskId}`);
  sim.airflow.world.outcomes.delete(`${dagId}/${taskId}`);
}

export function startRun(sim: Simulation, dagId: string): void {
  const { airflow, time } = sim;
  const world = airflow.world;
  const two = airflow.generation === 2;
  const runId = `manual__${new Date(time.now).toISOString()}_${world.runsOf(dagId).length}`;
  const taken = new Set(world.runsOf(dagId).map((r) => r.logical));
  let logical = two ? Math.round(time.now) : null;
  while (logical !== null && taken.has(logical)) logical++;
  time.as('airflow', () => {
    world.createRun(dagId, { runType: 'manual', by: 'somebody', runId, logical, intervalStart: logical, intervalEnd: logical });
    world.scheduler.step();
  });
}

export function deploy(sim: Simulation): void {
  const { airflow, chance, time } = sim;
  const names = [...airflow.world.dags.keys()];
  if (names.length > 12) return;
  const specs = new Map([...airflow.world.dags].map(([id, d]) => [id, d.spec]));
  // A name that was deleted may come back; one that is there must not be taken (seed 280: its switch moved by itself).
  let n = names.length;
  while (specs.has(`d${n}`)) n++;
  const id = `d${n}`;
  const spec = makeDag(chance, specs, n, time.now);
  sim.note(`deploy ${id}`);
  time.as('airflow', () => airflow.world.addDag(id, spec));
  sim.truth.switchOf(id).paused = spec.paused === true;
  if (spec.paused) sim.truth.switchOf(id).pausedBy = 'others';
}

/** Callbacks as the Airflow side sends them: lost, late, twice, in any order. */
export function watchFailures(sim: Simulation): void {
  const { scheduler } = sim.airflow.world;
  const endTask = scheduler.endTask.bind(scheduler);
  const finishRun = scheduler.finishRun.bind(scheduler);
  scheduler.endTask = (run, task, state) => {
    endTask(run, task, state);
    if (state === 'failed') failed(sim, run, task);
  };
  scheduler.finishRun = (run, state) => {
    finishRun(run, state);
    if (state === 'failed') failed(sim, run, null);
    else sim.truth.successes.push({ dagId: run.dagId, runId: run.runId, start: run.start ?? sim.time.now, at: sim.time.now });
  };
}

function failed(sim: Simulation, run: Run, task: TaskInstance | null): void {
  const { truth, time, chance, site } = sim;
  const { dagId, runId, start } = run;
  const calm = sim.quiet || sim.airflow.weather.faults <= 0.02;
  truth.failures.push({ dagId, runId, start, taskId: task?.taskId ?? null, at: time.now, calm, until: null });
  truth.failedDags.add(run.dagId);
  if (chance.hit(site.callbackLoss)) return;
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const body = {
    version: 1,
    source: 'listener',
    kind: task ? 'task_failed' : 'run_failed',
    occurred_at: iso(time.now),
    dag_id: run.dagId,
    run_id: run.runId,
    run_type: run.runType,
    logical_date: iso(run.logical),
    run_start_date: iso(run.start),
    ...(task
      ? { task_id: task.taskId, map_index: -1, try_number: task.tryNumber, max_tries: task.maxTries, state: 'failed' }
      : {}),
  };
  const id = `${run.dagId}/${run.runId}/${task?.taskId ?? ''}/${task?.tryNumber ?? run.start}`;
  const times = chance.hit(0.15) ? 2 : 1;
  for (let i = 0; i < times; i++) {
    const delay = chance.weighted([
      [8, chance.int(0, 800)],
      [2, chance.int(0, 20) * SECOND],
      [1, chance.int(1, 15) * MINUTE],
    ] as const);
    sim.later(delay, 'network', () => sim.callback(i === 0 || chance.hit(0.5) ? id : `${id}#${i}`, body));
  }
}

/** Code says of a run, which goes on or has succeeded, that its data is bad. */
export function reportBadData(sim: Simulation): void {
  const { chance, airflow, time } = sim;
  const runs = airflow.world.allRuns().filter((r) => r.start !== null && r.state !== 'failed');
  if (runs.length === 0) return;
  const run = chance.pick(runs);
  const task = chance.pick([null, ...Object.keys(airflow.world.dag(run.dagId).spec.tasks)]);
  sim.note(`report on ${run.dagId} ${run.runId} ${task}`);
  sim.truth.failedDags.add(run.dagId);
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const id = `report/${run.dagId}/${run.runId}/${Math.round(time.now)}`;
  sim.callback(id, {
    ...{ version: 1, source: 'report', kind: 'report', occurred_at: iso(time.now), dag_id: run.dagId, run_id: run.runId },
    ...{ run_type: run.runType, logical_date: iso(run.logical), run_start_date: iso(run.start), note: 'the totals are wrong' },
    ...(task === null ? {} : { task_id: task, map_index: -1, try_number: 1, state: 'running' }),
  });
}

// --- people at Airflow

export function touchAirflow(sim: Simulation): void {
  const { chance, airflow } = sim;
  const names = [...airflow.world.dags.keys()];
  // Mostly DAGs that we have to do with: the others prove nothing.
  const near = names.filter((d) => sim.truth.ownerships.has(d));
  const dagId = chance.pick(near.length > 0 && chance.hit(0.8) ? near : names);
  const paused = chance.hit(0.5);
  const how = chance.weighted([
    [6, 'switch'],
    [2, 'command'],
    [2, 'bulk'],
  ] as const);
  const pattern = chance.pick([dagId, '~', dagId.slice(0, 1)]);
  touch(sim, how, how === 'bulk' ? pattern : dagId, paused);
}

/** A person at the worst moment: right after our request, or between two of them. */
export function meddle(sim: Simulation, p: Processed): void {
  const { chance } = sim;
  const ours = p.effects.find((e) => e.by === OUR_ACCOUNT && (e.kind === 'pause' || e.kind === 'unpause'));
  const asked = p.path.endsWith('/eventLogs') ? p.query.get('dag_id') : null;
  const dagId = ours?.dagId ?? asked;
  if (dagId === null || dagId === undefined || !chance.hit(ours ? sim.meddling : sim.meddling / 2)) return;
  const wait = chance.weighted([
    [3, chance.int(1, 200)],
    [2, chance.int(200, 5_000)],
    [1, chance.int(5, 60) * SECOND],
  ] as const);
  const paused = chance.hit(ours?.kind === 'pause' ? 0.3 : 0.7);
  sim.later(wait, 'people', () => touch(sim, 'switch', dagId, paused));
}

export function touch(sim: Simulation, how: 'switch' | 'command' | 'bulk', target: string, paused: boolean): void {
  const { airflow, time, truth } = sim;
  const person = airflow.person('gerda');
  const hit = [...airflow.world.dags.keys()].filter((d) => (how === 'bulk' ? likes(target, d) : d === target));
  if (hit.length === 0) return;
  sim.note(`${how} ${paused ? 'pause' : 'unpause'} ${target}`);
  time.as('airflow', () => {
    if (how === 'bulk') person.bulkPause(target, paused);
    else if (how === 'command') person.commandLinePause(target, paused);
    else if (paused) person.pause(target);
    else person.unpause(target);
  });
  for (const dagId of hit) truth.touch({ seq: airflow.nextSeq(), at: time.now, dagId, paused, who: 'gerda' });
}

function clear(sim: Simulation, run: Run): void {
  sim.time.as('airflow', () => sim.airflow.person('gerda').clear(run.dagId, run.runId));
}

export function clearInAirflow(sim: Simulation): void {
  const { airflow, chance } = sim;
  const broken = airflow.world.allRuns().filter((r) => r.state === 'failed' && r.start !== null);
  if (broken.length === 0) return;
  const run = chance.pick(broken);
  sim.note(`gerda clears ${run.dagId} ${run.runId}`);
  clear(sim, run);
}

/** What was whole is run again, and this time it fails: the same run, a new attempt. */
export function clearWhole(sim: Simulation): void {
  const { airflow, chance } = sim;
  const whole = airflow.world.allRuns().filter((r) => r.state === 'success' && r.start !== null);
  // Mostly what had failed before: the others are like any first failure.
  const again = whole.filter((r) => sim.truth.failures.some((f) => f.dagId === r.dagId && f.runId === r.runId));
  if (whole.length === 0) return;
  const run = chance.pick(again.length > 0 && chance.hit(0.8) ? again : whole);
  const taskId = chance.pick(Object.keys(airflow.world.dag(run.dagId).spec.tasks));
  sim.note(`gerda clears ${run.dagId} ${run.runId}, which was whole, and ${taskId} breaks`);
  airflow.world.outcomes.set(`${run.dagId}/${taskId}`, 'failed');
  clear(sim, run);
  sim.later(chance.int(20, 900) * SECOND, 'airflow', () => mend(sim, run.dagId, taskId));
}

// --- people at Firedamper

/** Somebody looks at the page, thinks for a while, and acts on what they saw. */
export function actOnPage(sim: Simulation): void {
  const { chance, truth } = sim;
  const open = [...truth.incidents.values()].filter((i) => !isOver(i.status));
  if (open.length === 0) return;
  const incident = chance.pick(open);
  const repair = [...truth.repairs.values()].find((r) => r.incidentId === incident.id && isActiveRepair(r.state));
  const holds = [...truth.holds.values()].filter((h) => h.incidentId === incident.id && h.releasedAt === null);
  const say = { incidentId: incident.id, comment: 'said so' };
  const plan = (kind: 'approve' | 'reject' | 'cancel') => (repair ? () => answerPlan(sim, repair, kind) : null);
  const act = chance.weighted<(() => void) | null>([
    [8, () => personDoes(sim, chance.pick([rita, ann]), { kind: 'fixed', ...say })],
    [repair?.state === 'proposed' ? 12 : 1, plan('approve')],
    [1, plan('reject')],
    [1, plan('cancel')],
    [2, () => personDoes(sim, ann, { kind: 'release', ...say })],
    [1, () => personDoes(sim, ann, { kind: 'dismiss', ...say })],
    [2, () => personDoes(sim, rita, { kind: 'verify', ...say })],
    [1, () => personDoes(sim, rita, { kind: 'acknowledge', ...say })],
    [
      holds.length > 0 ? 2 : 0,
      () => personDoes(sim, adam, { kind: 'release_hold', holdId: chance.pick(holds).id, comment: 'mine' }),
    ],
  ]);
  act?.();
}

/** A person has seen that something is wrong: of a run, or nobody knows of which. */
export function declareOnPage(sim: Simulation): void {
  const { chance, airflow } = sim;
  const dagId = chance.pick([...airflow.world.dags.keys()]);
  const runs = airflow.world.runsOf(dagId).filter((r) => r.start !== null);
  const runId = runs.length > 0 && chance.hit(0.7) ? chance.pick(runs).runId : null;
  sim.truth.failedDags.add(dagId);
  const said = { title: 'the totals are wrong', severity: null, incidentType: null, comment: 'seen in the report' };
  personDoes(sim, chance.pick([rita, ann]), { kind: 'declare', airflow: 'prod', dagId, runId, ...said });
}

/** What they saw is what they say yes to: the plan may be another one by the time they click. */
function answerPlan(sim: Simulation, seen: Repair, kind: 'approve' | 'reject' | 'cancel'): void {
  const { chance } = sim;
  const thinks =
    chance.weighted([
      [5, chance.int(1, 60)],
      [2, chance.int(60, 600)],
      [1, 2_400],
    ] as const) * SECOND;
  sim.later(thinks, 'people', () => {
    if (kind !== 'approve') return personDoes(sim, ann, { kind, repairId: seen.id, comment: 'no' });
    const digest = chance.hit(0.07) ? 'f'.repeat(64) : (seen.digest ?? '');
    approve(
      sim,
      chance.weighted([
        [6, ann],
        [2, adam],
        [1, rita],
      ] as const),
      seen,
      digest,
    );
  });
}

export function approve(sim: Simulation, who: Somebody, seen: Repair, digest: string): void {
  const { truth, time } = sim;
  const yes = { repairId: seen.id, digest, steps: digest === seen.digest ? seen.steps : [], at: time.now, used: new Map() };
  personDoes(sim, who, { kind: 'approve', repairId: seen.id, digest, comment: null }, () => {
    truth.figures.approvals++;
    truth.approvals.push(yes);
  });
}

function subjectOf(act: PersonAct): string {
  if ('incidentId' in act) return act.incidentId;
  if ('repairId' in act) return act.repairId;
  return 'holdId' in act ? act.holdId : 'dagId' in act ? `${act.dagId} ${act.runId}` : '';
}

export function personDoes(sim: Simulation, who: Somebody, act: PersonAct, done: () => void = () => undefined): void {
  const { service, truth, airflow } = sim;
  if (service === null) return;
  sim.note(`${who.name}: ${act.kind} ${subjectOf(act)}`);
  const hold = act.kind === 'release_hold' ? truth.holds.get(act.holdId) : undefined;
  if (hold) Object.assign(truth.switchOf(hold.dagId), { forcedSeq: airflow.nextSeq(), forcedAt: sim.time.now });
  const accepted = () => {
    const at = sim.time.now;
    if (hold) truth.orders.push({ at, incidentId: hold.incidentId, holdId: hold.id });
    else if (act.kind === 'release' || act.kind === 'dismiss')
      truth.orders.push({ at, incidentId: act.incidentId, holdId: null });
    done();
  };
  if (act.kind === 'declare') truth.declared.add(act.dagId);
  if (act.kind === 'release' || act.kind === 'dismiss') truth.wanted.add(act.incidentId);
  service.responder.act(who, act).then(accepted, (error: unknown) => {
    if (act.kind === 'release' || act.kind === 'dismiss') truth.wanted.delete(act.incidentId);
    if (error instanceof FiredamperError && error.kind !== 'internal') return sim.note(`refused: ${error.message.slice(0, 80)}`);
    truth.break(
      'no decision fails inside',
      sim.time.now,
      `${act.kind}: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
}

/** A sensor that waits for a date which never comes would wait for days, and a run in a DAG that a person paused waits for that person. */
export function endHangingRuns(sim: Simulation): void {
  const { airflow, time } = sim;
  for (const run of airflow.world.allRuns()) {
    const dag = airflow.world.dag(run.dagId);
    const waits = Object.values(dag.spec.tasks).some((t) => t.waitsFor !== undefined || t.triggers?.wait);
    const hangs = waits && run.state === 'running' && run.start !== null && time.now - run.start > 5 * MINUTE;
    const frozen = dag.paused && (run.state === 'queued' || run.state === 'running') && time.now - run.queuedAt > 5 * MINUTE;
    if (!hangs && !(frozen && sim.truth.switchOf(run.dagId).pausedBy === 'others')) continue;
    time.as('airflow', () => airflow.person('gerda').markRun(run.dagId, run.runId, 'success'));
  }
}

/** When the noise is over, people do what is left to them, so that every story can end. */
export function tidyUp(sim: Simulation, round: number): void {
  const { truth } = sim;
  for (const incident of [...truth.incidents.values()].filter((i) => !isOver(i.status))) {
    const say = { incidentId: incident.id, comment: 'tidying up' };
    const repair = [...truth.repairs.values()].find((r) => r.incidentId === incident.id && isActiveRepair(r.state));
    const late = round > 8;
    if (incident.releasing) continue;
    if (repair?.state === 'proposed' && !late) approve(sim, adam, repair, repair.digest ?? '');
    else if (repair && late) personDoes(sim, ann, { kind: 'cancel', repairId: repair.id, comment: 'no end' });
    else if (repair) continue;
    else if (late) personDoes(sim, ann, { kind: 'dismiss', ...say });
    else if (incident.status === 'verifying') {
      personDoes(sim, rita, { kind: 'verify', ...say });
      sim.later(SECOND, 'people', () => personDoes(sim, ann, { kind: 'release', ...say }));
    } else if (round % 3 === 2) personDoes(sim, ann, { kind: 'release', ...say });
    else personDoes(sim, rita, { kind: 'fixed', ...say });
  }
  for (const h of truth.holds.values()) {
    const asked =
      h.state === 'held' && (h.reason.code === 'release_uncertain' || truth.ownerships.get(h.dagId)?.uncertain === true);
    if (h.releasedAt === null && asked && round > 1)
      personDoes(sim, adam, { kind: 'release_hold', holdId: h.id, comment: 'decided' });
  }
}
