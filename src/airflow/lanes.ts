/**
 * Lanes keep one kind of call from starving another: a stalled poll must not delay a pause. Each lane has its own limit of calls
 * at a time, its own circuit breaker and its own number of tries.
 */
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
  wrap,
} from 'cockatiel';
import { AirflowError } from './client.ts';

export type LaneName = 'pause' | 'reads' | 'poll' | 'survey' | 'acts';

/** A failed call inside a lane: the error for outside, and what the lane must know about it. */
export class CallFailure extends Error {
  readonly error: AirflowError;
  /** A failure of the way or of the server, not of what was asked: counts for the breaker, may be tried again. */
  readonly transient: boolean;
  /** What the server asked for by Retry-After, milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(error: AirflowError, transient: boolean, retryAfterMs: number | null = null) {
    super(error.message);
    this.error = error;
    this.transient = transient;
    this.retryAfterMs = retryAfterMs;
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
}

export interface Lane {
  /** Rejects with `AirflowError` only. `repeatable`: a GET or the PATCH that pauses; everything else is sent at most once. */
  run<T>(operation: string, repeatable: boolean, work: () => Promise<T>): Promise<T>;
  readonly state: 'closed' | 'open' | 'half_open';
}

const longestJitterMs = 10_000;
/** A server that asks for a longer pause than this is not waited for: the caller gets the error and comes back by its own clock. */
const longestRetryAfterMs = 30_000;

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
  // The breaker stands inside the places, so that a call which waited for a place meets the breaker as it is then.
  const once = wrap(places, breaker);
  const repeated = wrap(again, places, breaker);

  const run = async <T>(operation: string, repeatable: boolean, work: () => Promise<T>): Promise<T> => {
    options.budget.earn();
    try {
      return await (repeatable ? repeated : once).execute(work);
    } catch (error) {
      throw outward(error, operation);
    }
  };
  return {
    run,
    get state() {
      if (breaker.state === CircuitState.HalfOpen) return 'half_open';
      return breaker.state === CircuitState.Closed ? 'closed' : 'open';
    },
  };
};

const worthAnotherTry = (error: unknown): boolean =>
  error instanceof CallFailure && error.transient && (error.retryAfterMs ?? 0) <= longestRetryAfterMs;

const pauseBefore = (attempt: number, result: unknown, options: LaneOptions): number => {
  const jitter = options.random() * Math.min(longestJitterMs, options.baseMs * 2 ** (attempt - 1));
  const failed = typeof result === 'object' && result !== null && 'error' in result ? result.error : null;
  return Math.max(jitter, failed instanceof CallFailure ? (failed.retryAfterMs ?? 0) : 0);
};

const outward = (error: unknown, operation: string): unknown => {
  if (error instanceof CallFailure) return error.error;
  if (error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError) {
    return new AirflowError('unreachable', `${operation}: not sent, too many calls failed just before`, {
      outcome: 'none',
      operation,
    });
  }
  return error;
};
