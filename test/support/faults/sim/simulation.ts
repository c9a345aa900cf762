/**
 * One story from one seed: the site lives for a while in bad weather with people and crashes, then the weather clears, people tidy up, and everything
 * must have come to its end. One process, virtual time, no sockets; the same seed is the same story, byte by byte.
 */
import { createHash } from 'node:crypto';
import type { Decision } from '../../../../src/core/draft.ts';
import type { IntentAct } from '../../../../src/core/intent.ts';
import { isOver } from '../../../../src/core/lifecycle.ts';
import * as actors from './actors.ts';
import { SimAirflow } from './airflow.ts';
import { watchStanding } from './answered.ts';
import { Chance } from './chance.ts';
import * as crowd from './crowd.ts';
import { judgeEnd } from './ending.ts';
import { type Courtroom, judgeBooks, judgeRequest } from './laws.ts';
import { judgeOutage, judgeVerified } from './lawsOfActing.ts';
import type { SimStore } from './memoryStore.ts';
import { type Sabotage, type SimService, startService } from './service.ts';
import { makeSite, type Site } from './site.ts';
import { type Owner, VirtualTime } from './time.ts';
import { judgeTimes } from './times.ts';
import { Truth, type Violation } from './truth.ts';

const MINUTE = 60_000;
const SECOND = 1_000;
export const START = Date.parse('2026-11-21T06:00:00.000Z');

/** Where the service keeps what it has committed. */
export interface Shelf {
  open(): Promise<SimStore>;
  /** Ids of the callbacks that are stored. */
  stored(): ReadonlySet<string>;
  remove(): Promise<void>;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly shelf: Shelf;
  readonly sabotage?: Sabotage;
  /** Length of the bad time. */
  readonly minutes?: number;
  /** Gets every line of the story. */
  readonly trace?: (line: string) => void;
  readonly start?: number;
  readonly change?: (site: Site) => Site;
  /** How often people clear a run that is whole, and it fails again. */
  readonly reruns?: number;
  /** How often code or a person says that the data of a run is bad. */
  readonly reports?: number;
  /** How often two people click in the same instant. */
  readonly together?: number;
  /** How often a DAG is deleted from Airflow while we hold it. */
  readonly deletions?: number;
}

/** Who else takes part in a story of R7. Not in all: the stories that a test names by seed stay what they were. */
export const castOf = (seed: number): Required<Pick<SimulationOptions, 'reruns' | 'reports' | 'together' | 'deletions'>> => ({
  reruns: seed % 2 === 0 ? 4 : 0,
  reports: seed % 3 === 0 ? 2 : 0,
  together: seed % 5 === 0 ? 6 : 0,
  deletions: seed % 7 === 0 ? 3 : 0,
});

export interface StoryResult {
  readonly seed: number;
  readonly hash: string;
  readonly violations: readonly Violation[];
  readonly steps: number;
  readonly figures: Readonly<Record<string, number>>;
}

export class Simulation {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly site: Site;
  readonly airflow: SimAirflow;
  readonly truth = new Truth();
  service: SimService | null = null;
  quiet = false;
  /** How often a person reaches for a switch just when we do. */
  readonly meddling: number;
  readonly #options: SimulationOptions;
  readonly #hash = createHash('sha256');
  #store: SimStore | null = null;
  #crashOnEffect = 0;
  /** By incident. */
  readonly #lastTold = new Map<string, number>();

  constructor(options: SimulationOptions) {
    this.#options = options;
    const all = new Chance(options.seed);
    const start = options.start ?? START;
    this.time = new VirtualTime(start);
    const site = makeSite(all.fork('site'), start);
    this.site = options.change?.(site) ?? site;
    this.time.skew = this.site.skewMs;
    this.chance = all.fork('actors');
    this.meddling = this.chance.pick([0, 0, 0.1, 0.3]);
    this.airflow = new SimAirflow({
      time: this.time,
      chance: all.fork('network'),
      version: this.site.version,
      pageCap: this.site.pageCap,
      taskMs: 2_000,
      backfillSweepMs: 15_000,
    });
  }

  get courtroom(): Courtroom {
    return { truth: this.truth, site: this.site, airflow: this.airflow };
  }

  /** One line of the story. */
  note(line: string): void {
    const text = `${((this.time.now - (this.#options.start ?? START)) / 1000).toFixed(3)} ${line}`;
    this.#hash.update(`${text}\n`);
    this.#options.trace?.(text);
  }

  later(ms: number, owner: Owner, run: () => void): void {
    this.time.after(ms, owner, run);
  }

  callback(id: string, body: Record<string, unknown>, tries = 0): void {
    const { service } = this;
    // The sender spools what it could not deliver; a spool can be lost with its machine.
    if (service === null) {
      if (tries < 20) this.later(30 * SECOND, 'network', () => this.callback(id, body, tries + 1));
      return;
    }
    void service.callback('prod', id, body).then(() => {
      this.note(`202 ${id}`);
      this.truth.acknowledged.add(id);
    });
  }

  // --- the life of the service

  async #boot(): Promise<void> {
    const store = await this.#options.shelf.open();
    this.#store = store;
    this.service = await startService({
      time: this.time,
      chance: new Chance(`${this.#options.seed}/${this.time.life}`),
      policy: this.site.policy,
      edges: this.site.edges,
      store: this.#watched(store),
      clients: [this.airflow.client('prod')],
      announce: async (act, op) => this.#announce(act, op),
      intervalMs: this.site.intervalMs,
      surveyIntervalMs: this.site.surveyIntervalMs,
      lookbackMs: 0,
      onDecision: (d) => this.#decided(d),
      onError: (text) => this.#error(text),
      sabotage: this.#options.sabotage ?? {},
    });
    this.note('boot');
    this.truth.troubles.push(this.time.now);
  }

  /** The attempt begins with the claim: what people do after it may cross it on the way. */
  #watched(store: SimStore): SimStore {
    return {
      ...store,
      claim: async (...args) => {
        const answer = await store.claim(...args);
        for (const { intent } of answer.claimed) {
          // The first one: sent after it, a request may be answered after a crash and the next claim (seed 1622).
          if (!this.truth.claims.has(intent.id)) this.truth.claims.set(intent.id, this.airflow.nextSeq());
          this.truth.concluded.delete(intent.id);
          if (intent.act.kind === 'pause_dag') this.truth.switchOf(intent.act.dagId).attemptSeq = this.airflow.nextSeq();
        }
        return answer;
      },
    };
  }

  #announce(act: IntentAct & { kind: 'send_notice' }, op: string): void {
    if (this.chance.hit(this.quiet ? 0 : 0.1)) throw Object.assign(new Error('the chat is away'), { retry: true });
    this.note(`notice ${act.event} ${act.incidentId} ${act.subject}`);
    this.truth.notices.push(`${act.event} ${act.incidentId} ${act.subject}`);
    // `fd-12-…`: counted in the order in which they were decided; after a crash the same one may come twice.
    const n = Number(op.split('-')[1]);
    const before = this.#lastTold.get(act.incidentId) ?? 0;
    if (n < before)
      this.truth.break('what was said first is told first', this.time.now, `${act.incidentId}: ${n} after ${before}`);
    this.#lastTold.set(act.incidentId, n);
  }

  #decided(d: Decision): void {
    this.truth.fold(d, this.time.now);
    for (const t of d.timeline) this.note(`${t.incidentId} ${t.event} ${t.subject} ${t.reason.code}`);
    judgeBooks(this.courtroom, d, this.time.now);
    for (const i of d.intents)
      if (i.state === 'done' || i.state === 'failed') this.truth.concluded.set(i.id, this.airflow.nextSeq());
    judgeVerified(this.courtroom, d, this.time.now);
    judgeOutage(this.courtroom, d, this.time.now, this.time.skew);
    judgeTimes(this.truth, d, this.time.now);
  }

  #error(text: string): void {
    this.note(`error ${text}`);
    this.truth.break('no decision fails inside', this.time.now, text);
  }

  async #crash(): Promise<void> {
    if (this.service === null || this.quiet) return;
    this.note('crash');
    this.truth.troubles.push(this.time.now);
    this.truth.figures.crashes++;
    this.time.kill();
    this.service = null;
    await this.#store?.close();
    this.later(this.chance.int(1, 60) * SECOND, 'people', () => void this.#boot());
  }

  // --- the story

  #introduce(): void {
    const { dags, policy, ...rest } = this.site;
    this.note(JSON.stringify({ ...rest, meddling: this.meddling }));
    this.note(JSON.stringify(policy));
    for (const [id, spec] of dags) this.note(`${id} ${JSON.stringify(spec)}`);
  }

  async run(): Promise<StoryResult> {
    const minutes = this.#options.minutes ?? 25;
    this.time.install();
    try {
      for (const [id, spec] of this.site.dags) this.airflow.world.addDag(id, spec);
      for (const [id, dag] of this.airflow.world.dags)
        Object.assign(this.truth.switchOf(id), dag.paused ? { paused: true, pausedBy: 'others' } : {});
      this.airflow.onCall = (text) => this.note(text);
      this.airflow.onProcessed = (p) => {
        judgeRequest(this.courtroom, p);
        if (!this.quiet) actors.meddle(this, p);
      };
      this.airflow.onEffect = () => this.#maybeCrash();
      actors.watchFailures(this);
      this.#clockwork();
      this.#introduce();
      await this.#boot();
      const end = this.time.now + minutes * MINUTE;
      this.#plan(2 * MINUTE, minutes * MINUTE);
      await this.#until(end);
      await this.#calm();
      judgeEnd(this.courtroom, this.#options.shelf.stored());
      return this.#result();
    } finally {
      this.time.kill();
      this.time.uninstall();
      await this.#store?.close();
      await this.#options.shelf.remove();
    }
  }

  #result(): StoryResult {
    return {
      seed: this.#options.seed,
      hash: this.#hash.digest('hex'),
      violations: this.truth.violations,
      steps: this.time.steps,
      figures: {
        ...this.truth.figures,
        requests: this.airflow.requests,
        incidents: this.truth.incidents.size,
        holds: this.truth.holds.size,
      },
    };
  }

  async #until(end: number): Promise<void> {
    while (await this.time.step(end));
    this.time.now = Math.max(this.time.now, end);
  }

  #clockwork(): void {
    const tick = () => {
      this.airflow.tick();
      watchStanding(this.truth, this.airflow);
      this.later(10 * SECOND, 'airflow', tick);
    };
    this.later(SECOND, 'airflow', tick);
  }

  #maybeCrash(): void {
    if (this.quiet || !this.chance.hit(this.#crashOnEffect)) return;
    // Within this very step: the answer has not left Airflow yet.
    this.later(0, 'people', () => void this.#crash());
  }

  /** What happens in the bad time, drawn beforehand so that the story does not depend on how the service behaves more than it must. */
  #plan(from: number, to: number): void {
    const { chance, airflow } = this;
    this.#crashOnEffect = chance.pick([0, 0, 0.05, 0.15]);
    const storm = chance.pick([0, 0.02, 0.1, 0.25]);
    const events: readonly (readonly [number, () => void])[] = [
      [chance.int(2, 7), () => actors.breakSomething(this)],
      [chance.int(3, 10), () => actors.startRun(this, chance.pick([...airflow.world.dags.keys()]))],
      [chance.int(0, 10), () => actors.touchAirflow(this)],
      [chance.int(0, 3), () => actors.clearInAirflow(this)],
      [chance.int(6, 45), () => actors.actOnPage(this)],
      [chance.pick([0, 0, 1, 3]), () => void this.#crash()],
      [chance.pick([0, 0, 1]), () => actors.deploy(this)],
      [chance.pick([0, 0, 1]), () => this.#outage()],
      [this.site.hidesAudit ? 2 : 0, () => this.#hideAudit()],
      [chance.pick([0, 0, 0, 1]), () => this.#moveClock()],
      [this.#options.reruns ?? 0, () => actors.clearWhole(this)],
      [this.#options.reports ?? 0, () => actors.reportBadData(this)],
      [this.#options.reports ?? 0, () => actors.declareOnPage(this)],
      [this.#options.together ?? 0, () => crowd.clickTogether(this)],
      [this.#options.deletions ?? 0, () => crowd.deleteHeld(this)],
    ];
    for (const [times, run] of events) for (let i = 0; i < times; i++) this.later(chance.int(from, to), 'people', run);
    this.later(chance.int(0, 10) * MINUTE, 'people', () => {
      airflow.weather = { down: false, faults: storm, slow: chance.pick([0, 0.05, 0.3]) };
    });
  }

  #outage(): void {
    const { airflow } = this;
    const before = airflow.weather;
    this.note('airflow down');
    this.truth.troubles.push(this.time.now);
    airflow.weather = { ...before, down: true };
    this.later(this.chance.int(1, 10) * MINUTE, 'people', () => {
      airflow.weather = { ...airflow.weather, down: false };
      this.note('airflow back');
      this.truth.troubles.push(this.time.now);
    });
  }

  #hideAudit(): void {
    this.note('audit hidden');
    this.airflow.auditHidden = true;
    this.later(this.chance.int(1, 15) * MINUTE, 'people', () => {
      this.airflow.auditHidden = false;
    });
  }

  #moveClock(): void {
    this.time.skew += this.chance.int(-90, 90) * SECOND;
    this.note(`clock ${this.time.skew}`);
  }

  async #calm(): Promise<void> {
    this.quiet = true;
    this.note('calm');
    this.airflow.weather = { down: false, faults: 0, slow: 0 };
    this.airflow.auditHidden = false;
    this.airflow.world.outcomes.clear();
    await this.#until(this.time.now + 3 * MINUTE);
    this.airflow.weather = { down: false, faults: 0, slow: 0 };
    this.airflow.auditHidden = false;
    for (let round = 0; round < 14 && (round < 2 || this.#goesOn()); round++) await this.#tidyUp(round);
    await this.#until(this.time.now + 2 * MINUTE);
    // A callback that was minutes under way opens a story in the last of them (seeds 2694, 9676): it too is given people, and time.
    for (let round = 2; round < 14 && this.#goesOn(); round++) await this.#tidyUp(round);
  }

  async #tidyUp(round: number): Promise<void> {
    this.airflow.world.outcomes.clear();
    actors.tidyUp(this, round);
    actors.endHangingRuns(this);
    await this.#until(this.time.now + 90 * SECOND);
  }

  #goesOn(): boolean {
    const open = [...this.truth.incidents.values()].some((i) => !isOver(i.status));
    return open || [...this.truth.holds.values()].some((h) => h.releasedAt === null);
  }
}
