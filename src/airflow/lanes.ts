/**
 * Lanes keep one kind of call from starving another: a stalled poll must not delay a pause. Each lane has its own limit of calls
 * at a time, its own circuit breaker and its own number of tries.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
  type IBreaker,
  retry,
  SamplingBreaker,
} from 'cockatiel';
import { AirflowError } from './client.ts';

/**
 * `reads` are what holds, releases and deliveries wait for. `watch`: what a poll looks at; `plan`: what a repair plan asks, dry runs included. Both ask for
 * many runs at once, and hung in the places of the others until those were asked for nothing any more (0 of 12 DAGs held, R12).
 */
export type LaneName = 'pause' | 'reads' | 'poll' | 'watch' | 'survey' | 'plan' | 'acts';

type Errand = 'watch' | 'plan' | 'poll' | 'survey';
const errand = new AsyncLocalStorage<Errand>();

/** Whatever `work` reads takes the places of this lane instead of those that holds wait for. It must do nothing but read. */
export const onErrand = <T>(lane: Errand, work: () => Promise<T>): Promise<T> => errand.run(lane, work);

/** The lane of a call, by what it is and by whose errand it is. */
export const laneOf = (lane: LaneName): LaneName => (lane === 'reads' ? (errand.getStore() ?? lane) : lane);

/** A failed call inside a lane: the error for outside, and what the lane must know about it. */
export class CallFailure extends Error {
  readonly error: AirflowError;
  /** A failure of the way or of the server, not of what was asked: counts for the breaker, may be tried again. */
  readonly transient: boolean;
  /** Worth sending again as it is; never more than `transient`. */
  readonly again: boolean;

  constructor(error: AirflowError, transient: boolean, again = transient) {
    super(error.message);
    this.error = error;
    this.transient = transient;
    this.again = again;
  }
}

export interface LaneOptions {
  readonly concurrency: number;
  /** Tries of a repeatable call, the first one included. */
  readonly tries: number;
  /** Full jitter: a random part of `baseMs * 2^n`. */
  readonly baseMs: number;
  readonly random: () => number;
  readonly budget: RetryBudget;
  /** For one exchange. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

export interface Lane {
  /** Rejects with `AirflowError` only. `repeatable`: a GET or the PATCH that pauses; everything else is sent at most once. */
  run<T>(operation: string, repeatable: boolean, work: () => Promise<T>): Promise<T>;
  readonly state: 'closed' | 'open' | 'half_open';
  readonly timeoutMs: number;
}

const longestJitterMs = 10_000;
/** A server that asks for a longer pause than this is not waited for here: the caller gets the error, and is told when to come back. */
const longestWaitMs = 30_000;

/** Retries may be at most a tenth of all requests, or they feed the outage that caused them (R13 of our test list: ratio <= 1.1). */
export class RetryBudget {
  #tokens: number;
  readonly #most: number;
  constructor(most = 10) {
    this.#most = most;
    this.#tokens = most;
  }
  earn(): void {
    this.#tokens = Math.min(this.#most, this.#tokens + 0.1);
  }
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/**
 * Six in half a minute are what may be asked of an Airflow that is away, one in five seconds: what asks less often needs no breaker. With ten, surveys of
 * two incidents stayed just below it (2.x: 464 requests in 30 min).
 */
const mostlyFailing = () => new SamplingBreaker({ threshold: 0.5, duration: 30_000, minimumRps: 6 / 30 });

/**
 * Opens when one of the two does. The share alone is blind to the first minute of an outage: after a hold of 30 DAGs, 190 good answers of the last half
 * minute had to be outnumbered first (2.x: 130 requests to an Airflow that was away).
 */
class EitherBreaker implements IBreaker {
  readonly #breakers: readonly IBreaker[];
  constructor(...breakers: readonly IBreaker[]) {
    this.#breakers = breakers;
  }
  get state(): unknown {
    return this.#breakers.map((breaker) => breaker.state);
  }
  success(state: CircuitState): void {
    for (const breaker of this.#breakers) breaker.success(state);
  }
  failure(state: CircuitState): boolean {
    return this.#breakers.map((breaker) => breaker.failure(state)).some(Boolean);
  }
}

/** Thrown instead of sending. */
class LeftAlone extends Error {
  readonly forMs: number;
  constructor(forMs: number) {
    super('Airflow asked to be left alone');
    this.forMs = forMs;
  }
}

/** Retry-After is the server's word to all calls of the lane, not to the one that was answered: the others went on asking every 6 s. */
class Quiet {
  readonly #now: () => number;
  #from = 0;
  #until = 0;
  constructor(now: () => number) {
    this.#now = now;
  }
  keep(): void {
    const now = this.#now();
    // A clock that was set back must not make it longer.
    if (now >= this.#from && now < this.#until) throw new LeftAlone(this.#until - now);
  }
  async heed<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const ms = error instanceof CallFailure && error.transient ? error.error.retryAfterMs : null;
      if (ms !== null) [this.#from, this.#until] = [this.#now(), this.#now() + ms];
      throw error;
    }
  }
}

export const createLane = (options: LaneOptions): Lane => {
  const places = bulkhead(options.concurrency, Number.POSITIVE_INFINITY);
  const breaker = circuitBreaker(
    handleWhen((error) => error instanceof CallFailure && error.transient),
    { halfOpenAfter: 6_000, breaker: new EitherBreaker(new ConsecutiveBreaker(6), mostlyFailing()) },
  );
  const again = retry(
    handleWhen((error) => worthAnotherTry(error) && options.budget.spend()),
    {
      maxAttempts: options.tries - 1,
      backoff: new DelegateBackoff((context) => pauseBefore(context.attempt, context.result, options)),
    },
  );
  const quiet = new Quiet(options.now);
  // Both stand inside the places, so that a call which waited for a place meets them as they are then. A call that is kept back says nothing to the breaker.
  const once = <T>(work: () => Promise<T>): Promise<T> =>
    places.execute(() => {
      quiet.keep();
      return breaker.execute(() => quiet.heed(work));
    });
  const repeated = <T>(work: () => Promise<T>): Promise<T> => again.execute(() => once(work));

  const run = async <T>(operation: string, repeatable: boolean, work: () => Promise<T>): Promise<T> => {
    let sent = false;
    const counted = (): Promise<T> => {
      // What the breaker keeps back is no request, and earns none of its repetitions.
      if (!sent) options.budget.earn();
      sent = true;
      return work();
    };
    try {
      return await (repeatable ? repeated(counted) : once(counted));
    } catch (error) {
      throw outward(error, operation);
    }
  };
  return {
    run,
    timeoutMs: options.timeoutMs,
    get state() {
      if (breaker.state === CircuitState.HalfOpen) return 'half_open';
      return breaker.state === CircuitState.Closed ? 'closed' : 'open';
    },
  };
};

const worthAnotherTry = (error: unknown): boolean =>
  error instanceof CallFailure && error.again && (error.error.retryAfterMs ?? 0) <= longestWaitMs;

const pauseBefore = (attempt: number, result: unknown, options: LaneOptions): number => {
  const jitter = options.random() * Math.min(longestJitterMs, options.baseMs * 2 ** (attempt - 1));
  const failed = typeof result === 'object' && result !== null && 'error' in result ? result.error : null;
  return Math.max(jitter, failed instanceof CallFailure ? (failed.error.retryAfterMs ?? 0) : 0);
};

const outward = (error: unknown, operation: string): unknown => {
  if (error instanceof CallFailure) return error.error;
  if (error instanceof LeftAlone) {
    return new AirflowError('unreachable', `${operation}: not sent, Airflow asked to be left alone`, {
      ...{ outcome: 'none', operation, retryAfterMs: error.forMs },
    });
  }
  if (error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError) {
    return new AirflowError('unreachable', `${operation}: not sent, too many calls failed just before`, {
      outcome: 'none',
      operation,
    });
  }
  return error;
};
