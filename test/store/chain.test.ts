/** S9: edit, delete, reorder, cut the tail, rewrite all. The last two need a head that was written down. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runAuditVerify } from '../../src/commands/auditVerify.ts';
import type { Config } from '../../src/config.ts';
import { EMPTY_STATE } from '../../src/core/draft.ts';
import { reason } from '../../src/core/reason.ts';
import { type ChainHead, link, verifyChain } from '../../src/store/chain.ts';
import { openStore } from '../../src/store/store.ts';
import { START } from '../core/scenario.ts';
import { failsAsItMust } from '../support/faults/crash/figure.ts';

const dir = mkdtempSync(join(tmpdir(), 'fd-chain-'));
const whole = join(dir, 'whole.db');
let head: ChainHead;

beforeAll(async () => {
  const store = await openStore(whole);
  for (let n = 1; n <= 4; n++) {
    const line = (event: string) => ({
      incidentId: null,
      at: START,
      actor: { kind: 'person', name: `p${n}` } as const,
      event,
      subject: null,
      reason: reason('approved'),
      comment: 'go',
    });
    const { incidents, holds, ownerships, repairs, intents } = EMPTY_STATE;
    const answer = { incidentId: null, repairId: null, holdId: null, note: null };
    const timeline = [line('repair.approved'), line('repair.running')];
    await store.evaluate([], START, [], () => ({
      incidents,
      holds,
      ownerships,
      repairs,
      intents,
      signals: [],
      timeline,
      counters: {},
      answer,
    }));
  }
  head = (await store.auditHead()) as ChainHead;
  expect(verifyChain(whole, head), 'beside the running service').toEqual({ lines: 8, head, broken: [] });
  await store.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

let n = 0;
function tampered(how: (db: Database.Database) => void): string {
  const file = join(dir, `${++n}.db`);
  cpSync(whole, file);
  const db = new Database(file);
  db.pragma('foreign_keys = off');
  for (const name of db.prepare("select name from sqlite_master where type = 'trigger'").pluck().all())
    db.exec(`drop trigger ${name}`);
  how(db);
  db.close();
  return file;
}

/** What somebody who knows how it is made would do. */
function chainAnew(db: Database.Database): void {
  db.exec('delete from timeline_chain');
  let hash = '';
  for (const row of db.prepare('select * from timeline order by id').all() as Parameters<typeof link>[1][]) {
    hash = link(hash, row);
    db.prepare('insert into timeline_chain values (?, ?)').run(row.id, hash);
  }
}

describe('the triggers refuse it through the front door', () => {
  test.each([
    'update timeline set comment = 1',
    'delete from timeline',
    "update timeline_chain set hash = ''",
    'delete from timeline_chain',
  ])('%s', (sql) => {
    const db = new Database(whole);
    expect(() => db.exec(sql)).toThrow('append-only');
    db.close();
  });
});

describe('behind them it is found', () => {
  test.each<[string, (db: Database.Database) => void, string]>([
    [
      'edited',
      (db) => db.exec(`update timeline set actor = '{"kind":"person","name":"mallory"}' where id = 3`),
      'line 3: does not fit',
    ],
    [
      'edited with its own link',
      (db) => {
        db.exec("update timeline set comment = 'no' where id = 3");
        const row = db.prepare('select * from timeline where id = 3').get() as Parameters<typeof link>[1];
        const before = db.prepare('select hash from timeline_chain where id = 2').pluck().get() as string;
        db.prepare('update timeline_chain set hash = ? where id = 3').run(link(before, row));
      },
      'line 4: does not fit',
    ],
    [
      'deleted',
      (db) => db.exec('delete from timeline where id = 4; delete from timeline_chain where id = 4'),
      'line 4: taken out',
    ],
    [
      'reordered',
      (db) =>
        db.exec(
          'update timeline set id = 100 where id = 2; update timeline set id = 2 where id = 3; update timeline set id = 3 where id = 100',
        ),
      'line 2: does not fit',
    ],
    [
      'a line put in',
      (db) =>
        db.exec(
          'insert into timeline select 9, incident_id, at, actor, event, subject, reason, comment from timeline where id = 1',
        ),
      'line 9: put in from outside',
    ],
    ['the tail cut, its links left', (db) => db.exec('delete from timeline where id > 6'), 'line 7 to 8: taken out'],
  ])('%s', (_what, how, said) => {
    expect(verifyChain(tampered(how), null).broken).toEqual(expect.arrayContaining([expect.stringContaining(said)]));
  });

  test.each<[string, (db: Database.Database) => void, string]>([
    [
      'the tail cut',
      (db) => db.exec('delete from timeline where id > 6; delete from timeline_chain where id > 6'),
      'line 8: not there',
    ],
    [
      'all of it rewritten',
      (db) => {
        db.exec("update timeline set comment = 'never'");
        chainAnew(db);
      },
      'the chain was made anew',
    ],
  ])('%s: with the head that was written down, and not without it', (what, how, said) => {
    const file = tampered(how);
    expect(verifyChain(file, head).broken).toEqual([expect.stringContaining(said)]);
    expect(verifyChain(file, null).broken, 'control: without the head nothing is to be seen').toEqual([]);
    failsAsItMust('S9', `${what}, without the head`, 'nothing');
  });
});

test('a start does not mend a chain that was cut', async () => {
  const file = tampered((db) => db.exec('delete from timeline_chain where id > 4'));
  await (await openStore(file)).close();
  expect(verifyChain(file, null).broken[0]).toContain('line 5: put in from outside');
});

test('the command says it in words and by its exit code', () => {
  const run = (database: string, given?: string) => {
    const lines: string[] = [];
    const code = runAuditVerify({ database } as Config, given, verifyChain, (l) => lines.push(l));
    return [code, lines.at(-1)];
  };
  expect(run(whole, `${head.id}:${head.hash}`)).toEqual([0, 'whole']);
  expect(run(whole)).toEqual([0, expect.stringContaining('without a head')]);
  expect(run(tampered((db) => db.exec("update timeline set comment = 'x' where id = 1")))).toEqual([1, 'changed']);
  expect(() => run(whole, 'nonsense')).toThrow('--head: must look like');
});
