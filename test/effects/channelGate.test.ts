/** One clock per channel: how many may be sent to it, and when it is asked again. */
import { expect, test } from 'vitest';
import type { Outcome } from '../../src/core/events.ts';
import { createChannelGate } from '../../src/effects/channelGate.ts';

const SENT: Outcome = { result: 'done', facts: { kind: 'send_notice' } };
const AWAY = { result: 'failed', error: '503', retry: true } as const;
const REFUSED = { result: 'failed', error: '404', retry: false } as const;

function gateAt(start = 1_000_000, share = 1) {
  const clock = { now: start };
  const gate = createChannelGate(
    () => clock.now,
    () => share,
  );
  const ends = (outcome: Outcome, channel = 'chat') => gate.through(channel, async () => outcome);
  /** Under way until the test says how it ended. */
  const begins = () => {
    let end: (o: Outcome) => void = () => undefined;
    const over = gate.through('chat', () => new Promise((resolve) => (end = resolve)));
    return async (outcome: Outcome) => {
      end(outcome);
      await over;
    };
  };
  return { clock, gate, ends, begins };
}

test('two at a time while all is well, and no more', async () => {
  const { gate, begins } = gateAt();
  expect(gate.room('chat')).toBe(2);
  const [one, two] = [begins(), begins()];
  expect(gate.room('chat')).toBe(0);
  await one(SENT);
  expect(gate.room('chat')).toBe(1);
  await two(SENT);
  expect([gate.room('chat'), gate.nextOpening()]).toEqual([2, Number.POSITIVE_INFINITY]);
});

test('after a failure nobody asks for a while, then one; the pauses double, up to a minute', async () => {
  const { clock, gate, ends } = gateAt();
  const pauses: number[] = [];
  for (let n = 0; n < 8; n++) {
    await ends(AWAY);
    const opens = gate.nextOpening();
    pauses.push(opens - clock.now);
    clock.now = opens - 1;
    expect(gate.room('chat')).toBe(0);
    clock.now = opens;
    expect(gate.room('chat')).toBe(1);
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(gate.room('mail')).toBe(2);
});

test('one success opens it whole, and so does a refusal: it answers', async () => {
  for (const answer of [SENT, REFUSED]) {
    const { clock, gate, ends } = gateAt();
    await ends(AWAY);
    clock.now += 2_000;
    await ends(answer);
    expect([gate.room('chat'), gate.nextOpening(), gate.troubles()]).toEqual([2, Number.POSITIVE_INFINITY, []]);
  }
});

test('a success that was on its way before the failure opens nothing', async () => {
  const { gate, ends, begins } = gateAt();
  const early = begins();
  await ends({ ...AWAY, retryAfterMs: 120_000 });
  await early(SENT);
  expect(gate.room('chat')).toBe(0);
});

test('what the channel asks for counts, five minutes at most, and a later failure does not shorten it', async () => {
  const { clock, gate, ends, begins } = gateAt();
  const second = begins();
  await ends({ ...AWAY, retryAfterMs: 3_600_000 });
  expect(gate.nextOpening()).toBe(clock.now + 300_000);
  clock.now += 1_000;
  await second(AWAY);
  expect(gate.nextOpening()).toBe(clock.now + 299_000);
});

test('a clock that was set back does not keep it shut', async () => {
  const { clock, gate, ends } = gateAt();
  await ends(AWAY);
  clock.now -= 3_600_000;
  expect(gate.room('chat')).toBe(1);
});

test('the third failure in a row is worth telling, with the time of the first', async () => {
  const { clock, gate, ends } = gateAt();
  const since = clock.now;
  for (let n = 0; n < 2; n++) {
    await ends(AWAY);
    clock.now += 60_000;
  }
  expect(gate.troubles()).toEqual([]);
  await ends(AWAY);
  expect(gate.troubles()).toEqual([{ channel: 'chat', sinceMs: since, error: '503' }]);
});
