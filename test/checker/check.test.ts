/** The checker of all fault tests, on made-up histories and truths: it names each kind of breach, and is content with what is right. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Allowed, both, breaches, CLEAN, check, type Verdict } from '../support/faults/checker/check.ts';
import { acknowledgedAs, type Call } from '../support/faults/checker/history.ts';
import { inFake, inFile, movesOf, NOTHING, type TrueEffect, type Truth } from '../support/faults/checker/truth.ts';
import type { Rows } from '../support/faults/crash/rows.ts';

const FILE: Rows = {
  integrity: 'ok',
  inbox: new Map([
    ['cb-1', 1],
    ['cb-2', 1],
  ]),
  pending: 0,
  intents: [{ id: 'i1', kind: 'pause_dag', state: 'done' }],
  epoch: 1,
  holds: [
    { dagId: 'b', state: 'released' },
    { dagId: 'c', state: 'ceded' },
  ],
  repairs: [{ id: 'R1', state: 'succeeded', digest: 'abc' }],
};

const did = (kind: string, dagId: string, more: Partial<TrueEffect> = {}): TrueEffect => ({
  ...{ kind, dagId, by: 'firedamper' },
  ...more,
});
const EFFECTS = [
  did('pause', 'b'),
  did('pause', 'p', { by: 'person' }),
  did('run_started', 'a', { by: 'scheduler', runId: 'r1' }),
  did('clear', 'a', { runId: 'r1' }),
  did('clear', 'a', { runId: 'r2' }),
  did('backfill', 'r', { detail: 'monday,tuesday' }),
  did('backfill', 'r', { detail: 'wednesday' }),
  did('unpause', 'b'),
  did('asset_event', '', { detail: 's3://a' }),
];
const TRUTH: Truth = {
  file: FILE,
  effects: EFFECTS,
  switches: { a: false, b: false, p: true },
  runs: { a: ['success', 'success'], b: ['success'] },
  notices: [
    { id: 'n1', event: 'opened', title: 'a failed' },
    { id: 'n1', event: 'opened', title: 'a failed' },
    { id: 'n2', event: 'resolved', title: 'a is whole' },
  ],
};

const callback = (id: string, status: number | null, more: Partial<Call> = {}): Call => ({
  ...{ what: 'callback', id, sent: null, status, headers: {}, body: { id, duplicate: false } },
  ...more,
});
const person = (id: string, status: number, sent: unknown, body: unknown = {}): Call => ({
  ...{ what: 'person', id, sent, status, headers: {}, body },
});
const HISTORY: readonly Call[] = [
  callback('cb-1', 202),
  callback('cb-2', null),
  callback('cb-2', 202, { body: { duplicate: true } }),
  callback('cb-1', 202, { body: { duplicate: true } }),
  callback('cb-3', 503, { headers: { 'retry-after': '5' }, body: {} }),
  person('/v1/incidents/I1/fixed', 202, { reason: 'mended' }, { repair: { id: 'R1' } }),
  person('/v1/repairs/R1/approve', 409, { digest: 'cba' }),
  person('/v1/repairs/R1/approve', 200, { digest: 'abc' }),
];
const ALLOWED: Allowed = {
  acts: { a: { clear: 2 }, b: { pause: 1, unpause: 1 }, r: { backfill: 2 }, '': { asset_event: 1 } },
  paused: { a: false, b: false, p: true },
  ran: { a: 2, b: 1 },
  told: ['opened', 'resolved'],
  over: true,
};

test('what is right is clean, also by the rules that ask for the most', () => {
  expect(check(HISTORY, TRUTH, ALLOWED)).toEqual(CLEAN);
  expect(check(HISTORY, TRUTH)).toEqual(CLEAN);
  expect(check([], NOTHING)).toEqual(CLEAN);
  expect(breaches(CLEAN)).toEqual([]);
});

interface Breach {
  readonly what: string;
  readonly kind: keyof Verdict;
  readonly says: RegExp;
  readonly history?: readonly Call[];
  readonly file?: Partial<Rows>;
  readonly truth?: Partial<Truth>;
  readonly allowed?: Allowed;
}

const twice = (effect: TrueEffect) => ({ effects: [...EFFECTS, effect] });

const BREACHES: readonly Breach[] = [
  // lost
  { what: 'an acknowledged callback without a row', kind: 'lost', says: /cb-9/, history: acknowledgedAs(['cb-9']) },
  { what: 'a promised plan that is gone', kind: 'lost', says: /plan R1/, file: { repairs: [] }, history: HISTORY.slice(5, 6) },
  {
    ...{ what: 'a yes that is gone', kind: 'lost', says: /the yes to R1/ },
    file: { repairs: [{ id: 'R1', state: 'proposed', digest: 'abc' }] },
  },
  { what: 'an act too few', kind: 'lost', says: /asset_event: 0 times, not 1/, truth: { effects: EFFECTS.slice(0, -1) } },
  // doubled
  {
    what: 'two rows of one callback',
    kind: 'doubled',
    says: /cb-1: 2 rows/,
    file: {
      inbox: new Map([
        ['cb-1', 2],
        ['cb-2', 1],
      ]),
    },
  },
  {
    what: 'a run cleared twice',
    kind: 'doubled',
    says: /clear a\/r1: 2 times/,
    truth: twice(did('clear', 'a', { runId: 'r1' })),
  },
  { what: 'a DAG paused twice', kind: 'doubled', says: /pause b: 2 times/, truth: twice(did('pause', 'b')), allowed: {} },
  {
    what: 'an event twice',
    kind: 'doubled',
    says: /asset_event.*2 times/,
    truth: twice(did('asset_event', '', { detail: 's3://a' })),
    allowed: {},
  },
  {
    what: 'an act too many',
    kind: 'doubled',
    says: /trigger c: 1 times, not 0/,
    truth: twice(did('trigger', 'c', { runId: 'x' })),
  },
  { what: 'an act where none is allowed', kind: 'doubled', says: /unpause b: 1 times, not 0/, allowed: { acts: {} } },
  {
    what: 'a day backfilled twice',
    kind: 'doubled',
    says: /r tuesday, again/,
    truth: twice(did('backfill', 'r', { detail: 'tuesday' })),
    allowed: {},
  },
  {
    what: 'a backfill of nothing',
    kind: 'doubled',
    says: /r nothing, again/,
    truth: twice(did('backfill', 'r', { detail: '' })),
    allowed: {},
  },
  {
    ...{ what: 'a notice under another id', kind: 'doubled', says: /a failed" under 2 ids/ },
    truth: { notices: [...TRUTH.notices, { id: 'n9', event: 'opened', title: 'a failed' }] },
  },
  // forgotten
  {
    what: 'a callback acknowledged as new again',
    kind: 'forgotten',
    says: /once more as new/,
    history: [...HISTORY, callback('cb-1', 202)],
  },
  {
    ...{ what: 'a new callback called a duplicate', kind: 'forgotten', says: /cb-1: new, and/ },
    history: [callback('cb-1', 202, { body: { duplicate: true } })],
  },
  // foreign resumes
  {
    what: "a person's pause undone",
    kind: 'foreignResumes',
    says: /p was paused by person/,
    truth: twice(did('unpause', 'p')),
    allowed: {},
  },
  {
    what: 'a pause of before everybody undone',
    kind: 'foreignResumes',
    says: /z was paused by somebody/,
    truth: twice(did('unpause', 'z')),
    allowed: {},
  },
  {
    what: 'a DAG that a person left paused, running',
    kind: 'foreignResumes',
    says: /b was left paused/,
    allowed: { theirs: { b: true } },
  },
  // broken
  {
    ...{ what: 'a yes to another plan', kind: 'broken', says: /another plan was taken: R1/ },
    history: [person('/v1/repairs/R1/approve', 200, { digest: 'cba' })],
  },
  { what: 'a refusal without Retry-After', kind: 'broken', says: /cb-4: answered 503/, history: [callback('cb-4', 503)] },
  { what: 'a time-out', kind: 'broken', says: /cb-4: answered 408/, history: [callback('cb-4', 408)] },
  { what: 'no answer of a program that lives', kind: 'broken', says: /cb-2: no answer/, allowed: { alive: true } },
  // unsettled
  {
    what: 'an act under way',
    kind: 'unsettled',
    says: /pause_dag i1 is sending/,
    file: { intents: [{ id: 'i1', kind: 'pause_dag', state: 'sending' }] },
  },
  { what: 'a callback not decided on', kind: 'unsettled', says: /1 stored/, file: { pending: 1 } },
  { what: 'a hold that stays', kind: 'unsettled', says: /hold of b is held/, file: { holds: [{ dagId: 'b', state: 'held' }] } },
  {
    what: 'a DAG that stays paused',
    kind: 'unsettled',
    says: /b is still paused/,
    truth: { switches: { ...TRUTH.switches, b: true } },
  },
  {
    what: 'a DAG that is not paused',
    kind: 'unsettled',
    says: /p is not paused/,
    truth: { switches: { ...TRUTH.switches, p: false } },
  },
  { what: 'a run too few', kind: 'unsettled', says: /runs of b: none/, truth: { runs: { a: ['success', 'success'] } } },
  { what: 'a run that failed', kind: 'unsettled', says: /runs of b: failed/, truth: { runs: { ...TRUTH.runs, b: ['failed'] } } },
  { what: 'nobody told', kind: 'unsettled', says: /nobody was told: resolved/, truth: { notices: TRUTH.notices.slice(0, 2) } },
  // damaged
  { what: 'a file that is not sound', kind: 'damaged', says: /row 3 missing/, file: { integrity: 'row 3 missing from index' } },
];

test.each(BREACHES)('$what: $kind, and nothing else', ({ kind, says, history, file, truth, allowed }) => {
  const whole: Truth = { ...TRUTH, ...truth, file: { ...FILE, ...file } };
  const verdict = check(history ?? HISTORY, whole, allowed ?? ALLOWED);
  expect(verdict[kind].join('; ')).toMatch(says);
  expect(breaches({ ...verdict, [kind]: [] })).toEqual([]);
});

test('each kind of breach is among them', () => {
  expect(new Set(BREACHES.map((b) => b.kind))).toEqual(new Set(Object.keys(CLEAN)));
});

test('what was seen at two points is told once', () => {
  const a = { ...CLEAN, lost: ['x', 'y'] };
  const b = { ...CLEAN, lost: ['y'], damaged: ['z'] };
  expect(breaches(both(a, b))).toEqual(['lost: x', 'lost: y', 'damaged: z']);
});

test('a file that cannot be read holds nothing and is damaged', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fd-checker-'));
  try {
    const path = join(folder, 'x.db');
    writeFileSync(path, 'once upon a time '.repeat(500));
    const { lost, damaged } = check(acknowledgedAs(['cb-1']), inFile(path));
    expect([lost.length, damaged.length]).toEqual([1, 1]);
    writeFileSync(path, '');
    expect(check(acknowledgedAs(['cb-1']), inFile(path)), 'sound, and older than its tables').toEqual({
      ...CLEAN,
      lost: ['callback cb-1'],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a fake Airflow's books are read as they are; a real one's requests count where they move something", async () => {
  const fake = await startFakeAirflow({ generation: 3 });
  try {
    fake.dag('a', { tasks: { make: {} } });
    fake.person().pause('a');
    fake.startRun('a', { runId: 'r1' });
    expect(inFake(fake)).toMatchObject({
      ...{ file: null, switches: { a: true }, runs: { a: ['queued'] } },
      effects: [{ kind: 'pause', dagId: 'a', by: 'person' }, { kind: 'trigger' }],
    });
    expect(inFake(fake, { from: 1 }).effects).toHaveLength(1);
  } finally {
    await fake.close();
  }
  const moves = movesOf('b', 'firedamper', ['pause', 'pause', 'unpause', 'unpause']);
  expect(moves.map((e) => e.kind)).toEqual(['pause', 'unpause']);
  expect(check([], { ...NOTHING, effects: moves })).toEqual(CLEAN);
  const toAndFro = movesOf('b', 'firedamper', ['pause', 'unpause', 'pause', 'unpause']);
  expect(check([], { ...NOTHING, effects: toAndFro }).doubled).toHaveLength(2);
});
