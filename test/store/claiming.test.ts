/** Which of the waiting are taken up: lanes, queues of notices, and channels that are left alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import { isDue } from '../../src/core/intent.ts';
import { choose, type Waiting } from '../../src/store/claiming.ts';
import { openStore } from '../../src/store/store.ts';
import { Scenario } from '../core/scenario.ts';

const NOW = '2026-11-21T06:00:00.000Z';
const LATER = '2026-11-21T06:00:30.000Z';
const NOBODY: ReadonlySet<string> = new Set();

const notice = (id: string, channel: string, incidentId: string, change: Partial<Waiting> = {}): Waiting => ({
  ...{ id, kind: 'send_notice', state: 'planned', dueAt: NOW, attempts: 0, queue: { channel, incidentId } },
  ...change,
});
const lanes = (roomOf: (channel: string) => number = () => 9, room = 9) =>
  [
    { kinds: ['pause_dag'], room: 2, record: true },
    { kinds: ['send_notice'], room, record: true, roomOf },
  ] as const;
const taken = (rows: readonly Waiting[], ...[roomOf, room]: Parameters<typeof lanes>) =>
  choose(rows, NOW, lanes(roomOf, room), NOBODY).taken.map((t) => t.row.id);

describe('notices', () => {
  test('of each channel and incident the first, and nothing overtakes it', () => {
    const rows = [
      notice('1', 'chat', 'inc-1'),
      notice('2', 'chat', 'inc-1'),
      notice('3', 'chat', 'inc-2'),
      notice('4', 'mail', 'inc-1'),
      notice('5', 'mail', 'inc-1'),
    ];
    expect(taken(rows)).toEqual(['1', '3', '4']);
  });

  test.each<[string, Partial<Waiting>]>([
    ['waits for its time', { dueAt: LATER }],
    ['is being sent', { state: 'sending' }],
  ])('while the first %s, the others of its incident wait in that channel, and only they', (_, change) => {
    const rows = [
      notice('1', 'chat', 'inc-1', change),
      notice('2', 'chat', 'inc-1'),
      notice('3', 'mail', 'inc-1'),
      notice('4', 'chat', 'inc-2'),
    ];
    expect(taken(rows)).toEqual(['3', '4']);
  });

  test('while what became of the first is being written, the second waits', () => {
    const rows = [notice('1', 'chat', 'inc-1'), notice('2', 'chat', 'inc-1')];
    expect(choose(rows, NOW, lanes(), new Set(['1'])).taken).toEqual([]);
  });

  test('a channel takes so many at a time as it has room for, the others are not kept waiting', () => {
    const rows = ['1', '2', '3', '4'].map((n) => notice(n, 'chat', `inc-${n}`));
    const all = [...rows, notice('5', 'mail', 'inc-1')];
    expect(taken(all, (channel) => (channel === 'chat' ? 2 : 9))).toEqual(['1', '2', '5']);
    expect(taken(all, (channel) => (channel === 'chat' ? 0 : 9))).toEqual(['5']);
    expect(taken(all, undefined, 3)).toHaveLength(3);
  });

  test('the one that was tried least asks whether the channel is back', () => {
    const rows = [notice('1', 'chat', 'inc-1', { attempts: 3 }), notice('2', 'chat', 'inc-2')];
    expect(taken(rows, () => 1)).toEqual(['2']);
  });

  test('the next time is that of a first one whose channel has room', () => {
    const rows = [
      notice('1', 'chat', 'inc-1', { dueAt: LATER }),
      notice('2', 'chat', 'inc-1', { dueAt: '2026-11-21T06:00:10.000Z' }),
    ];
    expect(choose(rows, NOW, lanes(), NOBODY).nextDue).toBe(LATER);
    expect(
      choose(
        rows,
        NOW,
        lanes(() => 0),
        NOBODY,
      ).nextDue,
    ).toBeNull();
  });
});

test('acts on Airflow stand in no queue', () => {
  const pause = (id: string): Waiting => ({ id, kind: 'pause_dag', state: 'planned', dueAt: NOW, attempts: 0, queue: null });
  expect(taken([pause('1'), pause('2'), pause('3')])).toEqual(['1', '2']);
});

describe('on disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fd-claiming-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  type Add = (
    n: number,
    act: { readonly kind: string; readonly [key: string]: string },
    dueAt?: string,
    createdAt?: string,
  ) => void;
  async function storeWith(file: string, fill: (add: Add) => void) {
    const path = join(folder, file);
    await (await openStore(path, NOW)).close();
    const hand = new Database(path);
    const columns = 'id, n, kind, state, act, op, attempts, due_at, created_at';
    const insert = hand.prepare(`insert into intents (${columns}) values (:id, :n, :kind, 'planned', :act, :id, 0, :due, :at)`);
    const add: Add = (n, act, due = NOW, at = NOW) =>
      insert.run({ id: `int-${n}`, n, kind: act.kind, act: JSON.stringify(act), due, at });
    hand.transaction(() => fill(add))();
    hand.close();
    return openStore(path, NOW);
  }
  const pauseOf = (airflow: string) => ({ kind: 'pause_dag', airflow, dagId: 'b' });

  test('what waits for an Airflow that is away fills no window: a hold in another one is claimed however much does', async () => {
    const store = await storeWith('away.db', (add) => {
      for (let n = 1; n <= 1_200; n++) add(n, pauseOf('away'), n === 700 ? LATER : '2026-11-21T06:00:31.000Z');
      add(1_201, pauseOf('prod'));
    });
    const { claimed, nextDue } = await store.claim(NOW, lanes(), NOBODY);
    await store.close();
    expect(claimed.map((c) => c.intent.id)).toEqual(['int-1201']);
    expect(nextDue).toBe(LATER);
  });

  test('what is under way takes no place of what is due, and the oldest go first', async () => {
    const store = await storeWith('busy.db', (add) => {
      for (let n = 1; n <= 6; n++) add(n, pauseOf('prod'));
    });
    const { claimed } = await store.claim(NOW, lanes(), new Set(['int-1', 'int-2', 'int-4']));
    await store.close();
    expect(claimed.map((c) => c.intent.id)).toEqual(['int-3', 'int-5']);
  });

  test.each([
    ['due in a millisecond', '2026-11-21T06:00:00.001Z', NOW],
    ['due now', NOW, NOW],
    ['dated by a clock that was set back since', '2026-11-21T06:10:00.000Z', '2026-11-21T06:10:00.000Z'],
    ['put off by us for as long as we ever do', '2026-11-21T06:06:00.000Z', NOW],
    ['put off by a clock that was set back since', '2026-11-21T06:06:00.001Z', NOW],
  ])('the file is asked by the rule of the core: %s', async (what, dueAt, createdAt) => {
    const store = await storeWith(`${what}.db`, (add) => add(1, pauseOf('prod'), dueAt, createdAt));
    const { claimed, nextDue } = await store.claim(NOW, lanes(), NOBODY);
    await store.close();
    expect([claimed.length, nextDue]).toEqual(isDue(dueAt, NOW, createdAt) ? [1, null] : [0, dueAt]);
  });

  test('what waits for a chat fills no window: a hold is claimed however much does, and so is what waits for another channel', async () => {
    const about = { kind: 'send_notice', incidentId: 'inc-1', event: 'opened', subject: 'a' };
    const store = await storeWith('notices.db', (add) => {
      for (let n = 1; n <= 1_200; n++) add(n, { ...about, channel: 'chat' });
      add(1_201, { ...about, channel: 'mail' });
      add(1_202, { kind: 'pause_dag', airflow: 'prod', dagId: 'b' });
    });
    const { claimed } = await store.claim(
      NOW,
      lanes((channel) => (channel === 'chat' ? 0 : 9)),
      NOBODY,
    );
    await store.close();
    expect(claimed.map((c) => c.intent.id)).toEqual(['int-1202', 'int-1201']);
  });
});

test('a clock that is set back by three minutes delays nothing that was decided just before', () => {
  const s = new Scenario(['a>b']);
  s.fails('a');
  s.surveyed();
  const rows = s.open('pause_dag').map((i) => ({ ...i, kind: i.act.kind, queue: null }));
  const now = new Date(Date.parse(s.now) - 180_000).toISOString();
  expect(choose(rows, now, [{ kinds: ['pause_dag'], room: 9, record: true }], new Set()).taken).toHaveLength(1);
  const putOff = rows.map((r) => ({ ...r, dueAt: new Date(Date.parse(s.now) + 1_000).toISOString() }));
  expect(choose(putOff, now, [{ kinds: ['pause_dag'], room: 9, record: true }], new Set()).taken).toEqual([]);
});
