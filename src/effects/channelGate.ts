/**
 * One clock for each channel. While a channel is away one notice at a time asks whether it is back, however many wait; when it is, all of them go.
 * Only the worker knows it: after a restart each channel is asked once, and then left alone again.
 */
import type { Outcome } from '../core/events.ts';
import { noticePause } from '../core/retry.ts';

export interface ChannelTrouble {
  readonly channel: string;
  /** Since when nothing has arrived, by our clock. */
  readonly sinceMs: number;
  readonly error: string;
}

export interface ChannelGate {
  /** How many more notices may be sent to this channel now. */
  room(channel: string): number;
  through(channel: string, send: () => Promise<Outcome>): Promise<Outcome>;
  /** When the next channel that is left alone may be asked again; Infinity: none is. */
  nextOpening(): number;
  /** Channels that have not been reached for a while. */
  troubles(): readonly ChannelTrouble[];
}

/** As many as the channel has connections. */
const WIDTH = 2;
/** A single failure, or two, are the network's daily life. */
const WORTH_TELLING = 3;
interface Clock {
  underWay: number;
  /** One after the other, without a success. */
  failures: number;
  closedAt: number;
  pauseMs: number;
  sinceMs: number;
  error: string;
}

export function createChannelGate(now: () => number, chance: () => number): ChannelGate {
  const clocks = new Map<string, Clock>();
  const clockOf = (channel: string): Clock => {
    const clock = clocks.get(channel) ?? { underWay: 0, failures: 0, closedAt: 0, pauseMs: 0, sinceMs: 0, error: '' };
    clocks.set(channel, clock);
    return clock;
  };
  /** Milliseconds until it may be asked again. A clock that was set back opens it: it must not stay shut until that hour has come again. */
  const shutFor = ({ closedAt, pauseMs }: Clock): number => (now() < closedAt ? 0 : closedAt + pauseMs - now());

  function note(clock: Clock, outcome: Outcome, failuresBefore: number): void {
    // Nothing is wrong with a channel that takes a notice, or refuses it for good. What was on its way before the last failure says nothing of now.
    const away = outcome.result === 'failed' && outcome.retry;
    if (!away && clock.failures === failuresBefore) Object.assign(clock, { failures: 0, pauseMs: 0 });
    if (!away) return;
    clock.failures += 1;
    if (clock.failures === 1) clock.sinceMs = now();
    const left = Math.max(0, shutFor(clock));
    clock.pauseMs = Math.max(left, noticePause(clock.failures, chance(), outcome.retryAfterMs));
    clock.closedAt = now();
    clock.error = outcome.error;
  }

  return {
    room: (channel) => {
      const clock = clockOf(channel);
      if (shutFor(clock) > 0) return 0;
      return Math.max(0, (clock.failures > 0 ? 1 : WIDTH) - clock.underWay);
    },
    through: async (channel, send) => {
      const clock = clockOf(channel);
      const { failures } = clock;
      clock.underWay += 1;
      try {
        const outcome = await send();
        note(clock, outcome, failures);
        return outcome;
      } finally {
        clock.underWay -= 1;
      }
    },
    nextOpening: () => {
      const shut = [...clocks.values()].map(shutFor).filter((ms) => ms > 0);
      return now() + Math.min(...shut);
    },
    troubles: () =>
      [...clocks].flatMap(([channel, { failures, sinceMs, error }]) =>
        failures < WORTH_TELLING ? [] : [{ channel, sinceMs, error }],
      ),
  };
}
