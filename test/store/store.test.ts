import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decide } from '../../src/core/decide.ts';
import type { DomainEvent } from '../../src/core/events.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { ann, edge, POLICY, START, taskFailed } from '../core/scenario.ts';

let dir: string;
let store: Store;
const file = () => join(dir, 'fd.db');

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'fd-store-'));
  store = await openStore(file());
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const world = { edges: () => [edge('a>b')], gaps: () => [], dag: () => null, dagCount: () => 2, hasRead: () => true };
let turn = 0;
function evaluate(events: readonly DomainEvent[], rows: number[] = [], then?: () => void) {
  const context = { now: START, chance: `t${String(++turn).padStart(7, '0')}`, policy: POLICY, world };
  return store.evaluate(events, START, rows, (state) => {
    const decision = decide(state, events, context);
    then?.();
    return decision;
  });
}
const fails = (dagId: string): DomainEvent => ({ type: 'signal', signal: taskFailed(dagId) });
const callback = (webhookId: string, quarantine: string | null = null) => ({
  airflow: 'prod',
  webhookId,
  body: '{}',
  receivedAt: START,
  quarantine,
  dedupeKey: null,
});

test('the file and what lies beside it are readable for their owner only', async () => {
  await store.inbox.accept(callback('w1'));
  for (const name of readdirSync(dir))
    expect(`${name} ${(statSync(join(dir, name)).mode & 0o077).toString(8)}`).toBe(`${name} 0`);
});

describe('what is answered is on disk', () => {
  test('in WAL mode', () => {
    const peek = new Database(file(), { readonly: true });
    expect(peek.pragma('journal_mode', { simple: true })).toBe('wal');
    peek.close();
  });

  test('a callback that is accepted is there for another process at once', async () => {
    expect(await store.inbox.accept(callback('w1'))).toEqual({ id: 'w1', duplicate: false });
    const peek = new Database(file(), { readonly: true });
    expect(peek.prepare('select webhook_id from inbox').all()).toEqual([{ webhook_id: 'w1' }]);
    peek.close();
  });

  test('callbacks of one turn share a transaction; the second of a pair is a duplicate, also within the batch', async () => {
    const answers = await Promise.all(['w1', 'w2', 'w1'].map((id) => store.inbox.accept(callback(id))));
    expect(answers.map((a) => a.duplicate)).toEqual([false, false, true]);
    expect((await store.inbox.accept(callback('w2'))).duplicate).toBe(true);
    expect((await store.inbox.pending(10)).map((r) => r.webhookId)).toEqual(['w1', 'w2']);
  });

  test('300 at once come through, in more than one batch', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => store.inbox.accept(callback(`w${i}`))));
    expect(answers.every((a) => !a.duplicate)).toBe(true);
    expect(await store.inbox.pending(1_000)).toHaveLength(300);
  });

  test('a quarantined callback is kept and shown, and never taken up', async () => {
    await store.inbox.accept(callback('odd', 'kind: unknown'));
    expect(await store.inbox.pending(10)).toEqual([]);
    expect(await store.read.quarantine(10)).toMatchObject([{ id: 'odd', why: 'kind: unknown' }]);
  });
});

test('a decision has the notices that it judges, and no others', async () => {
  const kinds: string[][] = [];
  const sees = (event: DomainEvent) =>
    store.evaluate([event], START, [], (state) => {
      kinds.push(state.intents.map((i) => `${i.act.kind} ${i.id}`));
      return decide(state, [event], { now: START, chance: 'tttttttt', policy: POLICY, world });
    });
  await evaluate([fails('a'), fails('c')]);
  await sees({ type: 'tick' });
  await sees({ type: 'outcome', intentId: 'int-1', outcome: { result: 'failed', error: 'away', retry: true } });
  await sees({ type: 'outcome', intentId: 'int-2', outcome: { result: 'failed', error: 'away', retry: true } });
  await sees({ type: 'outcome', intentId: 'int-1', outcome: { result: 'done', facts: { kind: 'send_notice' } } });
  const all = ['send_notice int-1', 'survey int-2', 'send_notice int-3', 'survey int-4'];
  const acts = ['survey int-2', 'survey int-4'];
  expect(kinds).toEqual([acts, all, acts, ['send_notice int-1', ...acts]]);
});

test('a restored file drops what it was about to tell', async () => {
  await evaluate([fails('a')]);
  const hand = new Database(file());
  const restored = { at: START, because: 'a copy', knowsUntil: START, fileSaid: null };
  hand.prepare('update service set restored = ?').run(JSON.stringify(restored));
  hand.close();
  await evaluate([{ type: 'restored', paused: [] }]);
  const { claimed } = await store.claim(
    '2026-11-22T00:00:00.000Z',
    [{ kinds: ['send_notice'], room: 9, record: true }],
    new Set(),
  );
  expect(claimed).toEqual([]);
});

test('a snapshot from memory does not pass the fence', async () => {
  await store.snapshot();
  const hand = new Database(file());
  hand.exec('update service set epoch = epoch + 1');
  hand.close();
  await expect(store.snapshot()).rejects.toThrow('another Firedamper was started');
});

test('a snapshot shows every change that was asked for before it', async () => {
  const open = async () => (await store.snapshot()).incidents.map((i) => i.dagId);
  expect(await open()).toEqual([]);
  const [, seen] = await Promise.all([evaluate([fails('a')]), open()]);
  expect(seen).toEqual(['a']);
  expect(await store.snapshot(), 'nothing has changed').toBe(await store.snapshot());
  const [before, , after] = await Promise.all([open(), evaluate([fails('c')]), open()]);
  expect([before, after]).toEqual([['a'], ['a', 'c']]);
  const { claimed } = await store.claim(START, [{ kinds: ['survey'], room: 9, record: true }], new Set());
  expect(claimed).toHaveLength(2);
  expect((await store.snapshot()).intents.map((i) => i.state)).toEqual(['sending', 'sending']);
  await store.markInterrupted();
  expect((await store.snapshot()).intents.map((i) => i.state)).toEqual(['unknown', 'unknown']);
});

test('what is counted is what is there', async () => {
  await evaluate([fails('a'), fails('c')]);
  await store.claim(START, [{ kinds: ['survey'], room: 9, record: true }], new Set());
  const really = (table: string, column: string) => {
    const peek = new Database(file(), { readonly: true });
    const rows = peek.prepare(`select ${column} as what, count(*) as n from ${table} group by 1`).all() as {
      what: string;
      n: number;
    }[];
    peek.close();
    return Object.fromEntries(rows.map((r) => [r.what, r.n]));
  };
  const counted = async () => {
    const { incidentsByStatus, intentsByState, holdsByState } = await store.read.counts();
    expect(incidentsByStatus).toEqual(really('incidents', 'status'));
    expect(intentsByState).toEqual(really('intents', 'state'));
    expect(holdsByState).toEqual(really('holds', 'state'));
    return { incidentsByStatus, intentsByState };
  };
  expect(await counted()).toEqual({ incidentsByStatus: { open: 2 }, intentsByState: { planned: 2, sending: 2 } });
  await store.markInterrupted();
  await evaluate([{ type: 'outcome', intentId: 'int-2', outcome: { result: 'failed', error: '403', retry: false } }]);
  await counted();
  const hand = new Database(file());
  const hold = "'prod', 'b', 'held', 0, '{}', '[]', 'asset', 1, '', '', 0, null";
  hand.exec(`insert into holds values ('hold-1', 1, 'inc-1', ${hold}), ('hold-2', 2, 'inc-1', ${hold})`);
  hand.exec("update holds set state = 'released' where n = 2");
  await counted();
  hand.exec("update incidents set live = 0, status = 'resolved', released_at = opened_at; update intents set state = 'done'");
  hand.close();
  expect((await counted()).incidentsByStatus).toEqual({ resolved: 2 });
  const LATER = '2028-01-01T00:00:00.000Z';
  while ((await store.forgetIncidents(LATER, 100)) > 0);
  expect(await counted()).toEqual({ incidentsByStatus: {}, intentsByState: {} });
});

test('callbacks that are taken up and old are forgotten, others stay', async () => {
  await store.inbox.accept(callback('old'));
  await store.inbox.accept(callback('open'));
  await store.inbox.finish(1);
  expect(await store.forgetCallbacks(START, 10)).toBe(0);
  expect(await store.forgetCallbacks('2027-01-01T00:00:00.000Z', 10)).toBe(1);
  expect((await store.inbox.pending(10)).map((r) => r.webhookId)).toEqual(['open']);
});

describe('what is over and old is forgotten', () => {
  const count = (table: string) => {
    const peek = new Database(file(), { readonly: true });
    const n = Number(peek.prepare(`select count(*) from ${table}`).pluck().get());
    peek.close();
    return n;
  };
  const all = () => ['incidents', 'signals', 'intents', 'timeline'].map(count);
  const LONG_AFTER = '2028-01-01T00:00:00.000Z';
  const forgetAll = async (before: string) => {
    const deleted: number[] = [];
    for (let n = await store.forgetIncidents(before, 3); n > 0; n = await store.forgetIncidents(before, 3)) deleted.push(n);
    return deleted;
  };
  const over = (ids: string) => {
    const hand = new Database(file());
    hand.exec(`update incidents set live = 0, status = 'resolved', released_at = '${START}' where id in (${ids})`);
    hand.exec("update intents set state = 'done'");
    hand.close();
  };

  test('an incident that is over goes with all that hangs on it, a few rows at a time; one that is not stays, and so does the history', async () => {
    for (let run = 1; run <= 10; run++) await evaluate([{ type: 'signal', signal: taskFailed('a', `r${run}`) }]);
    await evaluate([fails('b')]);
    over("'inc-1'");
    const [incidents, signals, , timeline] = all();
    expect([incidents, signals]).toEqual([2, 11]);
    expect(await forgetAll(START), 'not old enough').toEqual([]);
    const deleted = await forgetAll(LONG_AFTER);
    expect(Math.max(...deleted), 'never more than asked in one transaction').toBeLessThanOrEqual(3);
    expect(all()).toEqual([1, 1, 0, timeline]);
    expect(await store.read.incident('inc-2')).not.toBeNull();
    expect(await store.read.timeline('inc-1'), 'who did what is still told').not.toEqual([]);
  });

  test('acts that are still to be done are kept, however old', async () => {
    await evaluate([fails('a')]);
    expect(await forgetAll(LONG_AFTER)).toEqual([]);
    expect((await store.snapshot()).intents.length).toBeGreaterThan(0);
  });
});

describe('one evaluation, one transaction', () => {
  test('incident, history, intents and the inbox row are one', async () => {
    await store.inbox.accept(callback('w1'));
    const [row] = await store.inbox.pending(1);
    await evaluate([fails('a')], [row?.n ?? 0]);
    const view = await store.read.incident('inc-1');
    expect(view?.incident).toMatchObject({ dagId: 'a', status: 'open' });
    expect(view?.signals).toHaveLength(1);
    expect((await store.read.timeline('inc-1')).map((t) => t.event)).toEqual(['incident.opened']);
    expect(await store.inbox.pending(1)).toEqual([]);
  });

  test('a decision that throws leaves nothing behind', async () => {
    await store.inbox.accept(callback('w1'));
    await expect(
      evaluate([fails('a')], [1], () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await store.read.incident('inc-1')).toBeNull();
    expect(await store.inbox.pending(1)).toHaveLength(1);
  });

  test.each(['callback', 'poll'] as const)(
    'that its data was called bad is remembered of a signal that was heard before by %s',
    async (origin) => {
      const calledBad = () =>
        store.evaluate([fails('a')], START, [], (state) => {
          known.push([...state.knownSignals.values()]);
          return decide(state, [], { now: START, chance: 'k0000000', policy: POLICY, world });
        });
      const known: boolean[][] = [];
      await calledBad();
      await evaluate([{ type: 'signal', signal: taskFailed('a', 'r1', { origin }) }]);
      await calledBad();
      const said = { ...taskFailed('a').said, badData: true };
      await evaluate([{ type: 'signal', signal: taskFailed('a', 'r1', { origin: 'callback', said }) }]);
      await calledBad();
      expect(known).toEqual([[], [false], [true]]);
      const heard = (await store.read.incident('inc-1'))?.signals ?? [];
      expect(heard.filter((s) => s.said.badData)).toHaveLength(1);
      expect(new Set(heard.map((s) => s.id)).size).toBe(origin === 'poll' ? 2 : 1);
    },
  );

  test('the state that comes back is the state that was saved', async () => {
    await evaluate([fails('a')]);
    await evaluate([fails('a')]);
    const state = await store.snapshot();
    expect(state.incidents).toHaveLength(1);
    expect(
      state.intents.map((i) => i.act.kind),
      "a notice is nobody's business but its own",
    ).toEqual(['survey']);
    expect(state.counters).toMatchObject({ inc: 1, int: 2 });
    expect((await store.read.incident('inc-1'))?.signals, 'the second hearing by the same way is no second row').toHaveLength(1);
  });

  test('the history cannot be changed or cut', async () => {
    await evaluate([fails('a')]);
    const hand = new Database(file());
    expect(() => hand.exec("update timeline set event = 'x'")).toThrow('append-only');
    expect(() => hand.exec('delete from timeline')).toThrow('append-only');
    hand.close();
  });
});

const SURVEYS = [{ kinds: ['survey'], room: 10, record: true }] as const;
const NONE = new Set<string>();

describe('intents', () => {
  test('are claimed no more than their lane has room for, and one without room makes no timer', async () => {
    await evaluate([fails('a'), fails('b')]);
    const { claimed, nextDue } = await store.claim(START, [{ kinds: ['survey'], room: 1, record: true }], NONE);
    expect(claimed).toHaveLength(1);
    expect(nextDue).toBeNull();
  });

  test('of a lane that hangs, however many wait, leave another lane its own', async () => {
    await evaluate([fails('a')]);
    const hand = new Database(file());
    const columns = (hand.pragma('table_info(intents)') as { name: string }[]).map((c) => c.name);
    const copied = columns.map((c) =>
      c === 'n'
        ? 'value + 1000'
        : c === 'kind'
          ? "'send_notice'"
          : c === 'id' || c === 'op'
            ? `${c} || '-' || value`
            : `intents.${c}`,
    );
    hand.exec(
      `insert into intents (${columns}) select ${copied} from intents, (with recursive c(value) as (select 1 union all select value + 1 from c where value < 1500) select value from c) where kind = 'survey'`,
    );
    hand.exec("update intents set n = 100000 where kind = 'survey'");
    hand.close();
    const notices = { kinds: ['send_notice'], room: 0, record: true } as const;
    const { claimed } = await store.claim(START, [notices, ...SURVEYS], NONE);
    expect(claimed.map((c) => c.intent.act.kind)).toEqual(['survey']);
  });

  test('are claimed once, and the attempt is on disk before anything is sent', async () => {
    await evaluate([fails('a')]);
    const { claimed } = await store.claim(START, SURVEYS, NONE);
    expect(claimed).toMatchObject([{ settle: false, intent: { act: { kind: 'survey' }, attempts: 1 } }]);
    expect((await store.claim(START, SURVEYS, NONE)).claimed).toEqual([]);
    const peek = new Database(file(), { readonly: true });
    expect(peek.prepare("select state, attempts from intents where kind = 'survey'").all()).toEqual([
      { state: 'sending', attempts: 1 },
    ]);
    peek.close();
  });

  test('that were cut off are unknown after a restart, and are settled first', async () => {
    await evaluate([fails('a')]);
    await store.claim(START, SURVEYS, NONE);
    await store.close();
    store = await openStore(file());
    expect(await store.markInterrupted()).toBe(1);
    expect((await store.claim(START, SURVEYS, NONE)).claimed).toMatchObject([{ settle: true, intent: { attempts: 2 } }]);
  });

  const putOffTo = (at: string) => {
    const hand = new Database(file());
    hand.prepare('update intents set due_at = ?').run(at);
    hand.close();
  };

  test('are not claimed before they are due', async () => {
    await evaluate([fails('a')]);
    putOffTo('2026-11-21T06:00:30.000Z');
    expect(await store.claim(START, SURVEYS, NONE)).toEqual({ claimed: [], nextDue: '2026-11-21T06:00:30.000Z' });
    expect((await store.claim('2026-11-21T06:00:30.000Z', SURVEYS, NONE)).claimed).toHaveLength(1);
  });

  test.each([
    ['what was never put off', START, '2026-11-21T05:59:30.000Z'],
    ['what was put off for longer than anything ever is', '2026-11-21T06:10:00.000Z', START],
  ])('are claimed at once where the clock was set back after they were decided: %s', async (_, dueAt, now) => {
    await evaluate([fails('a')]);
    putOffTo(dueAt);
    const { claimed, nextDue } = await store.claim(now, SURVEYS, NONE);
    expect(claimed).toHaveLength(1);
    expect(nextDue).toBeNull();
  });
});

describe('the poll remembers', () => {
  test('the watermark and what was seen, and forgets what is old', async () => {
    expect(await store.watermark('prod')).toBeNull();
    await store.polled('prod', '2026-11-21T06:00:00.000Z', ['k1'], '2026-11-21T05:00:00.000Z', '2026-11-21T06:00:00.000Z');
    expect(await store.watermark('prod')).toBe('2026-11-21T06:00:00.000Z');
    expect(await store.seen('prod', ['k1', 'k2'])).toEqual(new Set(['k1']));
    await store.polled('prod', '2026-11-21T08:00:00.000Z', [], '2026-11-21T07:00:00.000Z', '2026-11-21T06:00:00.000Z');
    expect(await store.seen('prod', ['k1'])).toEqual(new Set());
  });
});

describe('one database, one process', () => {
  test('a second process is refused and told who holds it', () => {
    const script = `import { openStore } from '${join(import.meta.dirname, '../../src/store/store.ts')}';
      openStore(${JSON.stringify(file())}).then(() => console.log('opened'), (e) => console.log(e.kind, e.message));`;
    const other = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(other.stdout).toContain(`unavailable ${file()} is in use by process ${process.pid}`);
  });

  test('a file of a newer program is refused', async () => {
    await store.close();
    const hand = new Database(file());
    const own = hand.pragma('user_version', { simple: true });
    hand.pragma('user_version = 99');
    hand.close();
    await expect(openStore(file())).rejects.toThrow('newer');
    const back = new Database(file());
    back.pragma(`user_version = ${own}`);
    back.close();
    store = await openStore(file());
  });
});

test('a database that was opened and never used is closed whole: nothing of it is left in a log', async () => {
  await store.close();
  store = await openStore(file());
  await store.close();
  expect(readdirSync(dir).filter((n) => n.endsWith('-wal'))).toEqual([]);
  store = await openStore(file());
});

describe('lists', () => {
  test('page by page, newest first, each row once', async () => {
    for (const d of ['a', 'b', 'c']) await evaluate([fails(d)]);
    const first = await store.read.incidents({ limit: 2 });
    expect(first.items.map((i) => i.dagId)).toEqual(['c', 'b']);
    const second = await store.read.incidents({ limit: 2, cursor: first.nextCursor ?? '' });
    expect(second).toMatchObject({ items: [{ dagId: 'a' }], nextCursor: null });
    expect((await store.read.incidents({ limit: 10, dagId: 'b', status: ['open'] })).items).toHaveLength(1);
    expect((await store.read.incidents({ limit: 10, status: ['resolved'] })).items).toEqual([]);
  });
});

test('what is parsed is shared while loads use it, and let go when they do not any more', async () => {
  await evaluate([fails('a')]);
  const [first] = (await store.snapshot()).incidents;
  await evaluate([fails('b')]);
  const [again] = (await store.snapshot()).incidents;
  expect(again).toBe(first);
  const page = async () => (await store.read.incident('inc-1'))?.incident;
  await evaluate([{ type: 'person', actor: ann, act: { kind: 'dismiss', incidentId: 'inc-1', comment: 'none' } }]);
  const over = await page();
  expect(await page()).toBe(over);
  for (const dagId of ['d', 'e', 'f']) await evaluate([fails(dagId)]);
  const later = await page();
  expect(later).toEqual(over);
  expect(later).not.toBe(over);
});
