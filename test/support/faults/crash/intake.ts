/** A stream of callbacks against a program that may die at any of its writes, and what its database then holds. */
import { setTimeout as pause } from 'node:timers/promises';
import { type FakeAirflow, startFakeAirflow } from '../../fakeAirflow/index.ts';
import { both, CLEAN, check, type Verdict } from '../checker/check.ts';
import { failed, History } from '../checker/history.ts';
import { inFile } from '../checker/truth.ts';
import { newFolder, Program } from './program.ts';
import { type Rows, rowsOf } from './rows.ts';
import { attach } from './strace.ts';

export interface Point {
  readonly call: 'fsync' | 'pwrite64' | 'write';
  readonly n: number;
}

const PER_POINT = 60;
const CONNECTIONS = 3;
/** At each start some of what was acknowledged before is sent again. */
const AGAIN = 5;

/** One database, killed again and again: each start recovers what the kill before it left. */
export class Intake {
  readonly history = new History();
  readonly #folder = newFolder('intake');
  readonly #fake: FakeAirflow;
  readonly #root: string | undefined;
  #sent = 0;
  /** Kills that happened. */
  fired = 0;
  /** Of all points so far. */
  verdict: Verdict = CLEAN;

  private constructor(fake: FakeAirflow, root: string | undefined) {
    this.#fake = fake;
    this.#root = root;
  }

  static async open(root?: string): Promise<Intake> {
    const fake = await startFakeAirflow({ generation: 3, autoRun: true });
    fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
    fake.dag('b', { tasks: { make: {} }, schedule: { assets: 's3://a' } });
    return new Intake(fake, root);
  }

  start(): Promise<Program> {
    const root = this.#root === undefined ? {} : { root: this.#root };
    return Program.start({ folder: this.#folder, airflowUrl: this.#fake.url, pollInterval: '1h', ...root });
  }

  /** True where the fault fired; false where the stream ended first. */
  async at({ call, n }: Point): Promise<boolean> {
    const program = await this.start();
    await this.#again(program);
    const strace = await attach(program.pid, { calls: call, what: 'signal=SIGKILL', when: String(n) });
    await this.#stream(program);
    // Deciding goes on after the last answer.
    for (let i = 0; i < 20 && program.running; i++) await pause(10);
    const fired = !program.running;
    if (fired) this.fired++;
    else await program.kill();
    await program.exited;
    await strace.detach();
    this.#compare(`${call} ${n}`);
    return fired;
  }

  /** The last start: everything that is stored gets decided on. */
  async settle(ms = 30_000): Promise<Rows> {
    const program = await this.start();
    try {
      for (const end = performance.now() + ms; ; await pause(50)) {
        const rows = rowsOf(program.database);
        if (rows.pending === 0) return rows;
        if (performance.now() > end) throw new Error(`${rows.pending} stored callbacks are still not decided on`);
      }
    } finally {
      await program.kill();
      this.#compare('the end');
    }
  }

  async close(): Promise<void> {
    this.history.close();
    await this.#fake.close();
  }

  async #stream(program: Program): Promise<void> {
    const until = this.#sent + PER_POINT;
    const one = async () => {
      while (this.#sent < until && program.running) {
        const id = `cb-${++this.#sent}`;
        await this.history.callback(program.url, id, failed('a', `r${this.#sent}`, 'make'));
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, one));
  }

  /** Nothing kills it yet: each must be answered, and the checker knows that none is new. */
  async #again(program: Program): Promise<void> {
    for (const { id } of this.history.acknowledged.slice(-AGAIN)) {
      const call = await this.history.callback(program.url, id, failed('a', `r${id.slice(3)}`, 'make'));
      if (call.status !== 202) throw new Error(`${id}, sent again, was answered ${call.status}`);
    }
  }

  #compare(point: string): void {
    // Airflow knows no such runs, so that they are taken for healed and b is held again and again: here only the file is judged.
    const seen = check(this.history.calls, inFile(`${this.#folder}/firedamper.db`));
    this.verdict = both(this.verdict, { ...seen, damaged: seen.damaged.map((what) => `${point}: ${what}`) });
  }
}
