/**
 * The holds, twice: as ten lines that say what ought to be, and as the real decisions and effects on a tiny Airflow. Commands do the same to both.
 */
import type fc from 'fast-check';
import type { Person } from '../../../../src/core/events.ts';
import { isOver } from '../../../../src/core/lifecycle.ts';
import { watchList } from '../../../../src/core/watchlist.ts';
import { FiredamperError } from '../../../../src/errors.ts';
import { edge, POLICY, taskFailed } from '../../../core/scenario.ts';
import { Chance } from './chance.ts';
import { Disk, memoryStore, type SimStore } from './memoryStore.ts';
import { type Sabotage, type SimService, startService } from './service.ts';
import { VirtualTime } from './time.ts';
import { type Cut, TinyAirflow } from './tinyAirflow.ts';

export const SOURCES = ['s0', 's1', 's2'] as const;
export const READERS = ['r0', 'r1', 'r2', 'r3'] as const;
const READS: Record<string, readonly string[]> = { s0: ['r0', 'r1', 'r3'], s1: ['r1', 'r2'], s2: ['r2', 'r3'] };
const EDGES = ['s0>r0', 's0>r1', 's1>r1', 's1>r2', 's2>r2', 's2>r3', 'r0>r3'];
const START = Date.parse('2026-11-21T06:00:00.000Z');
const ann: Person = { name: 'ann', role: 'admin' };

/** What ought to be: who wants a DAG paused, and whether a person has a hand on it. */
export class HoldsModel {
  readonly paused = new Set<string>();
  readonly theirs = new Set<string>();
  /** Open incidents: what each has ever claimed, and what it still wants. */
  readonly open = new Map<string, { claimed: Set<string>; wants: Set<string> }>();
  fail(source: string): void {
    const i = this.open.get(source) ?? { claimed: new Set(), wants: new Set() };
    this.open.set(source, i);
    for (const d of READS[source] ?? []) {
      if (i.claimed.has(d)) continue;
      if (!this.paused.has(d)) this.theirs.delete(d);
      for (const set of [i.claimed, i.wants, this.paused]) set.add(d);
    }
  }
  person(d: string, paused: boolean): void {
    this.theirs.add(d);
    if (paused) this.paused.add(d);
    else for (const set of [this.paused, ...[...this.open.values()].map((i) => i.wants)]) set.delete(d);
  }
  end(source: string): void {
    const wants = this.open.get(source)?.wants ?? [];
    this.open.delete(source);
    const wanted = (d: string) => [...this.open.values()].some((i) => i.wants.has(d));
    for (const d of wants) if (!wanted(d) && !this.theirs.has(d)) this.paused.delete(d);
  }
}

export class RealHolds {
  readonly time = new VirtualTime(START);
  readonly airflow: TinyAirflow;
  readonly disk = new Disk();
  readonly #sabotage: Sabotage;
  readonly #open: () => Promise<SimStore>;
  service: SimService | null = null;
  #runs = 0;
  errors: string[] = [];
  onNotice: (text: string) => void = () => undefined;
  crashAtEffect = false;

  constructor(marked: boolean, sabotage: Sabotage = {}, open?: () => Promise<SimStore>) {
    this.#open = open ?? (async () => memoryStore(this.disk));
    this.airflow = new TinyAirflow(this.time, [...SOURCES, ...READERS], EDGES.map(edge), marked);
    this.#sabotage = sabotage;
    this.airflow.onEffect = () => {
      if (!this.crashAtEffect) return;
      this.crashAtEffect = false;
      this.crash();
    };
  }

  async boot(): Promise<void> {
    const store = await this.#open();
    this.service = await startService({
      ...{ time: this.time, chance: new Chance(this.time.life), policy: POLICY, edges: [], store },
      ...{
        clients: [this.airflow.client()],
        announce: async (act) => this.onNotice(`${act.event} ${act.incidentId}`),
        intervalMs: 60_000,
        surveyIntervalMs: 3_600_000,
      },
      ...{
        lookbackMs: 0,
        onDecision: () => undefined,
        onError: (text: string) => this.errors.push(text),
        sabotage: this.#sabotage,
      },
      polling: false,
    });
    void this.service.pollers[0]?.resurvey();
  }

  moveClock(minutes: number): void {
    this.time.skew += minutes * 60_000;
  }
  lose(cuts: readonly (Cut | null)[]): void {
    this.airflow.cuts = [...cuts];
  }
  dieAtEffect(): void {
    this.crashAtEffect = true;
  }

  crash(): void {
    // Only ever one of it: what is down already is on its way up.
    if (this.service === null) return;
    this.time.kill();
    this.service = null;
    this.time.after(1_000, 'people', () => void this.boot());
  }

  /** Until nothing is to be done any more; time passes, and a poll has looked. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      const end = this.time.now + 600_000;
      while ((this.busy() || this.service === null) && (await this.time.step(end)));
      const still = this.time.now + 1_000;
      while (await this.time.step(still));
      await this.look();
    }
  }

  /** Time passes, whatever is under way. */
  async go(ms: number): Promise<void> {
    const end = this.time.now + ms;
    while (await this.time.step(end));
    this.time.now = Math.max(this.time.now, end);
  }

  /** Until somebody is there to be told. */
  async up(): Promise<SimService> {
    while (this.service === null) if (!(await this.time.step())) throw new Error('it never starts again');
    return this.service;
  }

  busy(): boolean {
    return [...this.disk.intents.values()].some((i) => i.state === 'planned' || i.state === 'sending' || i.state === 'unknown');
  }

  /** A poll: what Airflow shows at this moment. */
  async look(): Promise<void> {
    const { service, airflow } = this;
    if (service === null) return;
    const watched = watchList(await service.store.snapshot(), 'prod');
    const paused = watched.paused.map(({ dagId, op }) => ({ dagId, op, paused: airflow.paused.get(dagId) === true, who: null }));
    const runs = watched.runs.flatMap((r) => airflow.runs.get(`${r.dagId}/${r.runId}`) ?? []);
    const seen = { runs, goneRuns: [], paused, releasedRuns: [] };
    await this.#tell(service.responder.respond({ type: 'observed', airflow: 'prod', seen }));
  }

  /** The store has no I/O, so nothing but promises is waited for; what takes time goes on by itself. */
  async #tell(work: Promise<unknown>): Promise<void> {
    work.catch((error: unknown) => {
      if (!(error instanceof FiredamperError) || error.kind === 'internal') this.errors.push(String(error));
    });
    await this.time.settle();
  }

  async fail(source: string): Promise<void> {
    const runId = `run${++this.#runs}`;
    this.airflow.finish(source, runId, 'failed');
    const at = new Date(this.time.now).toISOString();
    const signal = taskFailed(source, runId, { runStart: at, occurredAt: at });
    await this.#tell(this.service?.responder.respond({ type: 'signal', signal }) ?? Promise.resolve());
  }

  incidentOf(source: string): string | null {
    const open = [...this.disk.incidents.values()].findLast((i) => i.dagId === source && !isOver(i.status) && !i.releasing);
    return open?.id ?? null;
  }

  async end(source: string, how: 'release' | 'dismiss' | 'heal'): Promise<void> {
    const incidentId = this.incidentOf(source);
    if (how === 'heal') {
      for (const r of this.airflow.runs.values()) if (r.dagId === source) this.airflow.finish(source, r.runId, 'success');
    } else if (incidentId !== null && this.service) {
      await this.#tell(this.service.responder.act(ann, { kind: how, incidentId, comment: 'so' }));
    }
  }

  states(): string {
    return READERS.map((d) => `${d}:${this.airflow.paused.get(d) ? 'paused' : 'runs'}`).join(' ');
  }
}

export type Step = fc.AsyncCommand<HoldsModel, RealHolds>;

const check = (m: HoldsModel, r: RealHolds, what: string): void => {
  const wanted = READERS.map((d) => `${d}:${m.paused.has(d) ? 'paused' : 'runs'}`).join(' ');
  if (r.errors.length > 0) throw new Error(`${what}: ${r.errors.join('; ')}`);
  if (r.busy()) throw new Error(`${what}: it never settles`);
  if (r.states() !== wanted) throw new Error(`${what}: the model says ${wanted}, the service made ${r.states()}`);
};

/** Every command does the same to both, waits until all is still, and compares. */
function command(
  name: string,
  model: (m: HoldsModel) => void,
  real: (r: RealHolds) => Promise<void> | void,
  may: (m: HoldsModel) => boolean,
): Step {
  return {
    check: (m) => may(m),
    run: async (m, r) => {
      model(m);
      await real(r);
      await r.settle();
      check(m, r, name);
    },
    toString: () => name,
  };
}

const always = () => true;
export const fails = (s: string): Step =>
  command(
    `fail ${s}`,
    (m) => m.fail(s),
    (r) => r.fail(s),
    always,
  );
export const touches = (d: string, paused: boolean): Step =>
  command(
    `person ${paused ? 'pauses' : 'unpauses'} ${d}`,
    (m) => m.person(d, paused),
    (r) => r.airflow.touch(d, 'gerda', paused),
    always,
  );
export const bulk = (paused: boolean): Step =>
  command(
    `bulk ${paused ? 'pause' : 'unpause'}`,
    (m) => {
      for (const d of READERS) m.person(d, paused);
    },
    (r) => r.airflow.touch(null, 'gerda', paused, null, '~'),
    always,
  );
export const ends = (s: string, how: 'release' | 'dismiss' | 'heal'): Step =>
  command(
    `${how} ${s}`,
    (m) => m.end(s),
    (r) => r.end(s, how),
    (m) => m.open.has(s),
  );
export const crashes = (): Step =>
  command(
    'crash',
    () => undefined,
    (r) => r.crash(),
    always,
  );
export const clockJumps = (minutes: number): Step =>
  command(
    `clock ${minutes} min`,
    () => undefined,
    (r) => r.moveClock(minutes),
    always,
  );
/** What comes next loses answers, or dies between an effect and its answer. */
export const loses = (cuts: readonly (Cut | null)[]): Step =>
  command(
    `lose ${cuts.join(',')}`,
    () => undefined,
    (r) => r.lose(cuts),
    always,
  );
export const diesAtEffect = (): Step =>
  command(
    'die at the next effect',
    () => undefined,
    (r) => r.dieAtEffect(),
    always,
  );
export const overlap = (a: string, b: string, how: 'release' | 'dismiss'): Step =>
  command(
    `fail ${a} while ${b} is ${how}d`,
    (m) => {
      m.fail(a);
      m.end(b);
    },
    async (r) => {
      await r.fail(a);
      await r.end(b, how);
    },
    (m) => m.open.has(b) && a !== b,
  );
