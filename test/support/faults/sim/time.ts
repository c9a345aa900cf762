/**
 * Virtual time: every timer of the process, also those inside the libraries, waits in one queue and fires when it is the next one. Nothing waits for
 * a real clock, so a day takes a second, and the order of everything is that of the queue and of the promises: the same at each run.
 *
 * A timer belongs to whoever was running when it was made. A crash of the service drops the service's timers; with them every promise that waited
 * for one stays open for ever, which is what a killed process looks like from outside.
 */
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

export type Owner = 'service' | 'airflow' | 'network' | 'people';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly owner: Owner;
  readonly life: number;
  readonly run: () => void;
  dropped: boolean;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  dateNow: Date.now,
  pause: timersPromises.setTimeout,
};

export class VirtualTime {
  /** True time, milliseconds since 1970: Airflow's clock. */
  now: number;
  /** The service's clock minus true time. */
  skew = 0;
  /** Raised by each crash: timers of an earlier life are dropped. */
  life = 1;
  steps = 0;
  #order = 0;
  #queue: Timer[] = [];
  #owner: Owner = 'service';
  #installed = false;

  constructor(start: number) {
    this.now = start;
  }

  /** What the service reads when it asks for the time. */
  serviceNow = (): number => this.now + this.skew;

  after(ms: number, owner: Owner, run: () => void): Timer {
    const timer: Timer = { at: this.now + Math.max(0, ms), order: ++this.#order, owner, life: this.life, run, dropped: false };
    this.#push(timer);
    return timer;
  }

  /** Timers made by what runs in here belong to this owner. Only for code that does not wait. */
  as<T>(owner: Owner, work: () => T): T {
    const before = this.#owner;
    this.#owner = owner;
    try {
      return work();
    } finally {
      this.#owner = before;
    }
  }

  /** The service dies: nothing that it waits for will ever come. */
  kill(): void {
    this.life++;
    this.#queue = this.#queue.filter((t) => t.owner !== 'service');
    this.#heapify();
  }

  /** Everything that needs no time has happened. */
  settle(): Promise<void> {
    return new Promise((resolve) => real.setImmediate(resolve));
  }

  /** Fires the next timer that is due until `until`; false where none is. */
  async step(until = Number.POSITIVE_INFINITY): Promise<boolean> {
    await this.settle();
    for (;;) {
      const next = this.#queue[0];
      if (!next || next.at > until) return false;
      this.#pop();
      if (next.dropped || (next.owner === 'service' && next.life !== this.life)) continue;
      this.now = Math.max(this.now, next.at);
      this.steps++;
      this.as(next.owner, next.run);
      await this.settle();
      return true;
    }
  }

  install(): void {
    if (this.#installed) throw new Error('virtual time is installed already');
    this.#installed = true;
    const make = (ms: number, run: () => void) => {
      const timer = this.after(ms, this.#owner, run);
      const handle = {
        timer,
        ref: () => handle,
        unref: () => handle,
        hasRef: () => true,
        [Symbol.dispose]: () => {
          timer.dropped = true;
        },
      };
      return handle;
    };
    const drop = (handle: unknown) => {
      if (handle !== null && typeof handle === 'object' && 'timer' in handle) (handle as { timer: Timer }).timer.dropped = true;
    };
    const replaced = {
      setTimeout: (run: (...a: unknown[]) => void, ms = 0, ...args: unknown[]) => make(Number(ms) || 0, () => run(...args)),
      clearTimeout: drop,
      setImmediate: (run: (...a: unknown[]) => void, ...args: unknown[]) => make(0, () => run(...args)),
      clearImmediate: drop,
    };
    Object.assign(globalThis, replaced);
    Date.now = () => Math.round(this.serviceNow());
    performance.now = () => this.now;
    Object.assign(timersPromises, {
      setTimeout: (ms = 0, value?: unknown) => new Promise((resolve) => make(ms, () => resolve(value))),
    });
    syncBuiltinESMExports();
  }

  uninstall(): void {
    this.#installed = false;
    const { setTimeout, clearTimeout, setImmediate, clearImmediate } = real;
    Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate, clearImmediate });
    Date.now = real.dateNow;
    Reflect.deleteProperty(performance, 'now');
    Object.assign(timersPromises, { setTimeout: real.pause });
    syncBuiltinESMExports();
  }

  // --- a binary heap by time, then by order

  #before(a: Timer, b: Timer): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }
  #push(timer: Timer): void {
    const q = this.#queue;
    q.push(timer);
    let i = q.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(q[i] as Timer, q[parent] as Timer)) break;
      [q[i], q[parent]] = [q[parent] as Timer, q[i] as Timer];
      i = parent;
    }
  }
  #pop(): void {
    const q = this.#queue;
    const last = q.pop() as Timer;
    if (q.length === 0) return;
    q[0] = last;
    this.#sink(0);
  }
  #sink(from: number): void {
    const q = this.#queue;
    let i = from;
    for (;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < q.length && this.#before(q[child] as Timer, q[least] as Timer)) least = child;
      if (least === i) return;
      [q[i], q[least]] = [q[least] as Timer, q[i] as Timer];
      i = least;
    }
  }
  #heapify(): void {
    for (let i = (this.#queue.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }
}
