/** A notice that its channel does not take: how long it is kept, what is given up with it, and what the history says of it. */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/core/events.ts';
import type { Intent } from '../../src/core/intent.ts';
import { noticePause } from '../../src/core/retry.ts';
import { Scenario } from './scenario.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AWAY = { result: 'failed', error: '503', retry: true } as const;
const TWO = [
  { id: 'chat', events: ['opened', 'held'] },
  { id: 'mail', events: ['opened', 'held'] },
] as const;

/** `opened` and `held` of one incident wait, for two channels. */
const waiting = (): Scenario => new Scenario(['a>b'], { policy: { channels: TWO } }).contained('a');
const ofChannel = (s: Scenario, channel: string): Intent[] =>
  s.state.intents.filter(({ act }) => act.kind === 'send_notice' && act.channel === channel);
const first = (s: Scenario, channel = 'chat'): Intent => {
  const found = s.open('send_notice').find(({ act }) => act.kind === 'send_notice' && act.channel === channel);
  if (!found) throw new Error(`nothing waits for ${channel}`);
  return found;
};
const tryOnce = (s: Scenario, outcome: Outcome = AWAY) => s.when({ type: 'outcome', intentId: first(s).id, outcome });

describe('a channel that is away', () => {
  test.each([AWAY, { result: 'unknown', error: '503' } as const])(
    'for a day less a minute: nothing is given up (%j)',
    (outcome) => {
      const s = waiting();
      for (let i = 0; i < 1_000; i++) tryOnce(s, outcome);
      s.later(24 * HOUR - MINUTE);
      tryOnce(s, outcome);
      expect(ofChannel(s, 'chat').map((i) => i.state)).toEqual(['planned', 'planned']);
      expect(s.history('notice.failed')).toEqual([]);
    },
  );

  test('for a day: given up together with what waits behind it and is as old; not the younger, not those of others', () => {
    const s = waiting().later(23 * HOUR);
    s.contained('a', 'r2');
    s.fails('c');
    s.later(HOUR);
    const mail = ofChannel(s, 'mail').map((i) => i.state);
    tryOnce(s);
    expect(s.history('notice.failed')).toEqual([
      'opened not_told channel=chat error=given up after 24 h: 503 (firedamper)',
      'held not_told channel=chat error=given up after 24 h: 503 (firedamper)',
    ]);
    expect(ofChannel(s, 'chat').map((i) => i.state)).toEqual(['failed', 'failed', 'planned']);
    expect(ofChannel(s, 'mail').map((i) => i.state)).toEqual(mail);
  });

  test('what is being sent just then is not given up with it', () => {
    const s = waiting().later(24 * HOUR);
    const [head, behind] = ofChannel(s, 'chat');
    const sending = (i: Intent): Intent => (i.id === behind?.id ? { ...i, state: 'sending' } : i);
    s.state = { ...s.state, intents: s.state.intents.map(sending) };
    s.when({ type: 'outcome', intentId: head?.id ?? '', outcome: AWAY });
    expect(ofChannel(s, 'chat').map((i) => i.state)).toEqual(['failed', 'sending']);
  });

  test('the policy says for how long', () => {
    const policy = { channels: TWO, notify: { giveUpAfterMs: 5 * MINUTE } };
    const s = new Scenario(['a>b'], { policy }).contained('a').later(5 * MINUTE - 1);
    tryOnce(s);
    expect(s.history('notice.failed')).toEqual([]);
    s.later(1);
    tryOnce(s);
    expect(s.history('notice.failed')[0]).toContain('given up after 5 min: 503');
  });

  test('back after two days of our own silence: what was never tried is tried first', () => {
    const s = waiting().later(48 * HOUR);
    s.tick();
    expect(ofChannel(s, 'chat').map((i) => i.state)).toEqual(['planned', 'planned']);
  });
});

describe('told late', () => {
  test('is in the history with how late; on time is no news', () => {
    const s = waiting().later(5 * MINUTE - 1);
    tryOnce(s, { result: 'done', facts: { kind: 'send_notice' } });
    expect(s.history('notice.')).toEqual([]);
    s.later(2 * HOUR);
    tryOnce(s, { result: 'done', facts: { kind: 'send_notice' } });
    expect(s.history('notice.')).toEqual(['notice.late held told_late channel=chat minutes=125 (firedamper)']);
  });
});

describe('the pause after a failure', () => {
  test.each([
    [1, 2_000],
    [2, 4_000],
    [5, 32_000],
    [6, 60_000],
    [5_000, 60_000],
  ])('number %d: anything up to %d ms, never nothing', (failures, most) => {
    expect(noticePause(failures, 1)).toBe(most);
    expect(noticePause(failures, 0.5)).toBe(most / 2);
    expect(noticePause(failures, 0)).toBe(500);
  });

  test.each([
    [0, 500],
    [400, 500],
    [90_000, 90_000],
    [3_600_000, 300_000],
  ])('the channel asks for %d ms: %d, five minutes at most', (wish, pause) => {
    expect(noticePause(1, 0, wish)).toBe(pause);
  });

  test('and what it asks for is on disk', () => {
    const s = waiting();
    tryOnce(s, { ...AWAY, retryAfterMs: 120_000 });
    expect(Date.parse(ofChannel(s, 'chat')[0]?.dueAt ?? '') - Date.parse(s.now)).toBe(120_000);
  });
});
