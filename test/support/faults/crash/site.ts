/** One story on one site: a fake Airflow and a receiver of notices, each behind a proxy that can kill the program at one moment of one request. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type FakeAirflow, startFakeAirflow } from '../../fakeAirflow/index.ts';
import { type KillProxy, type ProxiedRequest, startKillProxy } from '../../live/killProxy.ts';
import { failed, History } from '../checker/history.ts';
import { inFake, type TrueNotice, type Truth } from '../checker/truth.ts';
import { type Name, newFolder, Program } from './program.ts';
import { openIntents, rowsOf } from './rows.ts';
import type { Scenario } from './scenarios.ts';
import { type Attached, attach } from './strace.ts';

export type Act = 'callback' | 'fixed' | 'approve';
interface Syscall {
  /** `pwrite64` 1: before the next thing is written; `fsync` 1: it is written and not yet synced; `fsync` 2: the one after that. */
  readonly call: 'pwrite64' | 'fsync';
  readonly n: number;
}
export type Cut =
  | {
      readonly at: 'request';
      readonly of: 'airflow' | 'notices';
      readonly when: Matches;
      readonly nth?: number;
      readonly phase: 'before' | 'after';
    }
  | ({ readonly at: 'answer'; readonly of: 'airflow' | 'notices'; readonly when: Matches; readonly nth?: number } & Syscall)
  | ({ readonly at: 'act'; readonly act: Act } & Syscall);
export type Matches = (request: ProxiedRequest) => boolean;

const STORY_MS = 90_000;
const STEP_MS = 60;
/** A plan that lapsed or failed is asked for again, as a person would; not for ever. */
const MOST_PLANS = 4;

export class Site {
  readonly history = new History();
  readonly notices: TrueNotice[] = [];
  /** From the start after the kill until every act that was under way at the kill is settled in the file; null: it is not, or it never died. */
  settledMs: number | null = null;
  /** How many acts that was. */
  underWay = 0;
  kills = 0;
  /** The last answer about the incident: what people look at, nothing to judge by. */
  // biome-ignore lint/suspicious/noExplicitAny: the answer's shape is checked by the API tests.
  incident: any = null;
  readonly fake: FakeAirflow;
  readonly scenario: Scenario;
  readonly folder = newFolder('story');
  readonly #airflow: KillProxy;
  readonly #hook: KillProxy;
  readonly #closers: (() => unknown)[];
  readonly #root: string | undefined;
  #program: Program | null = null;
  #strace: Attached[] = [];
  #ownCut: (Cut & { at: 'act' }) | null = null;
  #whileDead: ((fake: FakeAirflow) => void) | null = null;
  #triedWrong = false;
  #cutOff: { readonly since: number; readonly ids: ReadonlySet<string> } | null = null;

  private constructor(
    scenario: Scenario,
    parts: { fake: FakeAirflow; airflow: KillProxy; hook: KillProxy; closers: (() => unknown)[] },
    root?: string,
  ) {
    this.scenario = scenario;
    this.fake = parts.fake;
    this.#airflow = parts.airflow;
    this.#hook = parts.hook;
    this.#closers = parts.closers;
    this.#root = root;
  }

  static async open(scenario: Scenario, root?: string): Promise<Site> {
    const fake = await startFakeAirflow({ generation: scenario.generation, autoRun: true });
    scenario.build(fake);
    const airflow = await startKillProxy(fake.url);
    const receiver = createServer();
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const hook = await startKillProxy(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}`);
    const site = new Site(scenario, { fake, airflow, hook, closers: [() => receiver.close()] }, root);
    receiver.on('request', async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const body = JSON.parse(text) as { event: string; title: string };
      site.notices.push({ id: String(request.headers['webhook-id']), event: body.event, title: body.title });
      response.writeHead(200, { connection: 'close' }).end();
    });
    return site;
  }

  /** What really happened so far. */
  truth(): Truth {
    return inFake(this.fake, { database: this.#database, notices: this.notices });
  }

  get #database(): string {
    return `${this.folder}/firedamper.db`;
  }

  /** Tells the story to its end, with at most one death at `cut`; `whileDead` happens before the program is started again. */
  async tell(cut: Cut | null, whileDead?: (fake: FakeAirflow) => void): Promise<void> {
    this.#whileDead = whileDead ?? null;
    await this.#start();
    await this.#until('the first poll', async () => (await this.#get('/readyz'))?.airflows?.[0]?.last_poll_at ?? false);
    if (cut !== null) this.#lieInWait(cut);
    this.scenario.fail(this.fake);
    let mended = false;
    let told = false;
    await this.#until('the story ends', async () => {
      if (!told) told = await this.#tellOfFailure();
      const incident = await this.#look();
      if (!told || incident === null) return false;
      if (!mended && this.#isContained(incident)) {
        for (const key of [...this.fake.world.outcomes.keys()]) this.fake.world.outcomes.delete(key);
        mended = true;
      }
      if (mended) await this.#repair(incident);
      return incident.status === 'resolved' && this.#isQuiet();
    });
  }

  async close(): Promise<void> {
    await this.#program?.kill();
    for (const one of this.#strace) await one.detach();
    this.history.close();
    await Promise.all([this.#airflow.close(), this.#hook.close()]);
    for (const close of this.#closers) close();
    await this.fake.close();
  }

  // --- the program

  async #start(): Promise<void> {
    const { scenario, fake } = this;
    if (this.#program !== null && this.#whileDead !== null) {
      this.#whileDead(fake);
      this.#whileDead = null;
    }
    if (this.kills > 0) this.#noteCutOff();
    this.#program = await Program.start({
      folder: this.folder,
      airflowUrl: this.#airflow.url,
      policy: scenario.policy ?? {},
      edges: scenario.edges ?? [],
      channels: [{ id: 'team', kind: 'webhook', url: `${this.#hook.url}/hook` }],
      ...(this.#root === undefined ? {} : { root: this.#root }),
    });
  }

  #noteCutOff(): void {
    const ids = new Set(openIntents(this.#database).map((i) => i.id));
    this.underWay = ids.size;
    this.#cutOff = { since: performance.now(), ids };
  }

  /** By the file, whatever the service says. */
  #noteSettled(): void {
    const cutOff = this.#cutOff;
    if (cutOff === null || openIntents(this.#database).some((i) => cutOff.ids.has(i.id))) return;
    this.settledMs = performance.now() - cutOff.since;
    this.#cutOff = null;
  }

  get #alive(): boolean {
    return this.#program?.running === true;
  }

  #lieInWait(cut: Cut): void {
    if (cut.at === 'act') {
      this.#ownCut = cut;
      return;
    }
    let n = 0;
    const nth = cut.nth ?? 1;
    const when = (request: ProxiedRequest) => cut.when(request) && ++n === nth;
    const proxy = cut.of === 'airflow' ? this.#airflow : this.#hook;
    const kill = async () => void (await this.#program?.kill());
    const bait = async () => this.#bait(cut.at === 'answer' ? cut : null);
    void proxy.ambush(
      cut.at === 'request'
        ? { when, phase: cut.phase, act: kill, lose: true }
        : { when, phase: 'before', act: bait, lose: false },
    );
  }

  /** From now on the n-th of these system calls is its last. */
  async #bait(at: Syscall | null): Promise<void> {
    if (at === null || this.#program === null) return;
    this.#strace.push(await attach(this.#program.pid, { calls: at.call, what: 'signal=SIGKILL', when: String(at.n) }));
  }

  // --- people and senders

  async #tellOfFailure(): Promise<boolean> {
    const { cause, runs } = this.scenario;
    if (this.#ownCut?.act === 'callback') await this.#spring();
    for (const run of runs) {
      const answer = await this.history.callback(this.#url, `cb-${run}`, failed(cause, run, 'make'));
      if (answer.status !== 202) return false;
    }
    return true;
  }

  async #spring(): Promise<void> {
    const cut = this.#ownCut;
    this.#ownCut = null;
    await this.#bait(cut);
  }

  // biome-ignore lint/suspicious/noExplicitAny: see `incident`.
  #isContained(incident: any): boolean {
    const heard = this.scenario.runs.every((run) => incident.runs.some((r: { run_id: string }) => r.run_id === run));
    return heard && incident.status === 'contained' && this.scenario.runs.every((run) => this.#ended(run));
  }

  #ended(runId: string): boolean {
    return this.fake.runs(this.scenario.cause).some((r) => r.runId === runId && r.state === 'failed');
  }

  // biome-ignore lint/suspicious/noExplicitAny: see `incident`.
  async #repair(incident: any): Promise<void> {
    // biome-ignore lint/suspicious/noExplicitAny: see `incident`.
    const repairs: any[] = incident.repairs;
    const proposed = repairs.find((r) => r.state === 'proposed');
    if (proposed !== undefined) return this.#approve(proposed);
    if (incident.status !== 'contained' || repairs.length >= MOST_PLANS) return;
    if (repairs.some((r) => ['planning', 'approved', 'running', 'succeeded'].includes(r.state))) return;
    if (this.#ownCut?.act === 'fixed') await this.#spring();
    await this.#act('rita', `/v1/incidents/${incident.id}/fixed`, { reason: 'the source is back' });
  }

  /** The first yes names another plan: it must be refused. */
  async #approve(repair: { id: string; digest: string }): Promise<void> {
    const wrong = [...repair.digest].reverse().join('');
    if (!this.#triedWrong) await this.#sayYes(repair.id, wrong);
    this.#triedWrong = true;
    if (this.#ownCut?.act === 'approve') await this.#spring();
    await this.#sayYes(repair.id, repair.digest);
  }

  async #sayYes(repairId: string, digest: string): Promise<void> {
    await this.#act('ann', `/v1/repairs/${repairId}/approve`, { digest, comment: 'read it, go' });
  }

  #act(who: Name, path: string, body: unknown) {
    return this.history.person(this.#url, who, path, body);
  }

  // --- looking

  get #url(): string {
    return this.#program?.url ?? '';
  }

  // biome-ignore lint/suspicious/noExplicitAny: see `incident`.
  async #get(path: string): Promise<any> {
    const { status, body } = await this.history.read(this.#url, path);
    return status === 200 ? body : null;
  }

  async #look() {
    const list = await this.#get(`/v1/incidents?dag_id=${this.scenario.cause}`);
    const [first] = list?.incidents ?? [];
    const incident = first === undefined ? null : await this.#get(`/v1/incidents/${first.id}`);
    if (incident !== null) this.incident = incident;
    return incident;
  }

  #isQuiet(): boolean {
    const { pending } = rowsOf(this.#database);
    return pending === 0 && openIntents(this.#database).length === 0;
  }

  /** Whenever the program is found dead it is started again. */
  async #until(what: string, check: () => Promise<unknown>): Promise<void> {
    for (const end = performance.now() + STORY_MS; ; await pause(STEP_MS)) {
      this.#noteSettled();
      if (this.#alive && (await check())) break;
      if (!this.#alive) {
        this.kills++;
        await this.#start();
      }
      if (performance.now() > end)
        throw new Error(
          `not in time: ${what}; ${JSON.stringify(this.incident)?.slice(0, 2500)}\n${this.#program?.said.slice(-3000)}`,
        );
    }
    this.#noteSettled();
  }
}
