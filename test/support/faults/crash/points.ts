/** Where the program dies: every point is named by the two things that it separates. Found from outside, by requests and system calls. */
import type { FakeAirflow } from '../../fakeAirflow/index.ts';
import type { ProxiedRequest } from '../../live/killProxy.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import type { Act, Cut, Matches } from './site.ts';

export interface Point {
  readonly name: string;
  readonly scenario: Scenario;
  readonly cut: Cut;
  /** What a person does in Airflow while the program is dead. */
  readonly whileDead?: (fake: FakeAirflow) => void;
  /** DAGs that are a person's from then on, and how the person left them. */
  readonly theirs?: Readonly<Record<string, boolean>>;
  /** Not in the short form. */
  readonly long?: boolean;
}

interface Anchor {
  readonly scenario: Scenario;
  /** `pause`, `clear` ... and what the request does. */
  readonly act: string;
  readonly request: string;
  readonly when: Matches;
  readonly nth?: number;
  readonly of?: 'airflow' | 'notices';
  readonly last?: boolean;
  readonly long?: boolean;
}

const to =
  (method: string, path: RegExp, body = '') =>
  (r: ProxiedRequest) =>
    r.method === method && path.test(r.path.split('?')[0] ?? '') && r.body.replaceAll(' ', '').includes(body);
const patch = (dagId: string, paused: boolean) => to('PATCH', new RegExp(`/dags/${dagId}$`), `"is_paused":${paused}`);
const clear = to('POST', /\/clear(TaskInstances)?$/, '"dry_run":false');
const dryClear = to('POST', /\/clear(TaskInstances)?$/, '"dry_run":true');
const trigger = to('POST', /\/dagRuns$/);
const event = to('POST', /\/(assets|datasets)\/events$/);
const backfill = (dagId: string) => to('POST', /\/backfills$/, `"dag_id":"${dagId}"`);
const notice = (name: string) => to('POST', /\/hook$/, `"event":"${name}"`);
const get = (path: RegExp) => to('GET', path);

const { chain3, chain2, fan3, fan2, shared3, shared2, range, missing } = scenarios;

/** Requests that change something: five points each. */
const ACTS: readonly Anchor[] = [
  { scenario: chain3, act: 'pause', request: 'PATCH', when: patch('b', true) },
  { scenario: chain3, act: 'pause of the second', request: 'PATCH', when: patch('c', true), long: true },
  { scenario: chain3, act: 'clear', request: 'POST', when: clear },
  { scenario: chain3, act: 'resume', request: 'PATCH', when: patch('b', false) },
  { scenario: chain3, act: 'resume of the second', request: 'PATCH', when: patch('c', false), long: true },
  { scenario: chain3, act: 'delivery of an event', request: 'POST', when: event },
  { scenario: shared3, act: 'delivery of a run', request: 'POST', when: trigger },
  { scenario: range, act: 'backfill of the canary', request: 'POST', when: backfill('r') },
  { scenario: range, act: 'backfill of the rest', request: 'POST', when: backfill('r'), nth: 2 },
  { scenario: range, act: 'delivery of missed intervals', request: 'POST', when: backfill('t') },
  { scenario: chain3, act: 'notice: opened', request: 'POST', when: notice('opened'), of: 'notices' },
  { scenario: chain3, act: 'notice: resolved', request: 'POST', when: notice('resolved'), of: 'notices', long: true, last: true },
  { scenario: chain2, act: 'pause', request: 'PATCH', when: patch('b', true) },
  { scenario: chain2, act: 'clear', request: 'POST', when: clear, long: true },
  { scenario: chain2, act: 'resume', request: 'PATCH', when: patch('b', false) },
  { scenario: chain2, act: 'delivery of an event', request: 'POST', when: event },
  { scenario: shared2, act: 'delivery of a run', request: 'POST', when: trigger, long: true },
  { scenario: missing, act: 'creating a run', request: 'POST', when: trigger },
  { scenario: missing, act: 'creating the second run', request: 'POST', when: trigger, nth: 2, long: true },
];

/** Requests that only read, for a decision: nothing may come of a half-made one. */
const READS: readonly Anchor[] = [
  { scenario: chain3, act: 'survey', request: 'audit cursor', when: get(/\/eventLogs$/) },
  { scenario: chain3, act: 'survey', request: 'task graph', when: get(/\/dags\/a\/tasks$/), nth: 2, long: true },
  { scenario: chain3, act: 'plan', request: 'dry run', when: dryClear },
  { scenario: chain3, act: 'plan again before the start', request: 'dry run', when: dryClear, nth: 2 },
  { scenario: range, act: 'plan of a backfill', request: 'dry run', when: to('POST', /\/backfills\/dry_run$/), long: true },
  { scenario: chain3, act: 'release', request: 'what was missed', when: get(/\/assets\/events$/) },
  { scenario: chain3, act: 'resume', request: 'audit log', when: get(/\/eventLogs$/), nth: 2 },
  { scenario: chain2, act: 'resume', request: 'audit log', when: get(/\/eventLogs$/), nth: 2, long: true },
  { scenario: chain3, act: 'resume', request: 'second look at the audit log', when: get(/\/eventLogs$/), nth: 4, long: true },
];

function pointsOf(a: Anchor): Point[] {
  const { act, request, scenario, when, nth = 1, of = 'airflow' } = a;
  const where = of === 'notices' ? 'the receiver' : 'Airflow';
  const point = (between: string, cut: Cut, long = false): Point => ({
    name: `${scenario.generation}.x ${act}: ${between}`,
    scenario,
    cut,
    long: long || a.long === true,
  });
  const answer = (call: 'pwrite64' | 'fsync', n: number): Cut => ({ at: 'answer', of, when, nth, call, n });
  return [
    point(`claimed on disk | ${request} in ${where}`, { at: 'request', of, when, nth, phase: 'before' }),
    point(`${request} applied in ${where} | answer read`, { at: 'request', of, when, nth, phase: 'after' }),
    // The same code as on 3.x: in the long form only.
    point('answer read | outcome written', answer('pwrite64', 1), scenario.generation === 2),
    point('outcome written | outcome synced', answer('fsync', 1), true),
    // After the last act of a story nothing is claimed any more.
    ...(a.last === true ? [] : [point('outcome stored | what follows claimed', answer('fsync', 2), scenario.generation === 2)]),
  ];
}

function readPoints(a: Anchor): Point[] {
  const { act, request, scenario, when, nth = 1 } = a;
  const name = `${scenario.generation}.x ${act}:`;
  const long = a.long === true;
  return [
    {
      name: `${name} asked for the ${request} | answer`,
      scenario,
      long: true,
      cut: { at: 'request', of: 'airflow', when, nth, phase: 'after' },
    },
    {
      name: `${name} ${request} read | decision written`,
      scenario,
      long,
      cut: { at: 'answer', of: 'airflow', when, nth, call: 'pwrite64', n: 1 },
    },
  ];
}

/** From our own side: a sender's or a person's call. */
function actPoints(act: Act, scenario: Scenario, words: readonly [string, string, string, string]): Point[] {
  const [came, stored, decided, claimed] = words;
  const at = (call: 'pwrite64' | 'fsync', n: number): Cut => ({ at: 'act', act, call, n });
  const name = `${scenario.generation}.x ${act}:`;
  return [
    { name: `${name} ${came} | ${stored}`, scenario, cut: at('pwrite64', 1) },
    { name: `${name} ${stored} | ${decided}`, scenario, cut: at('fsync', 1) },
    { name: `${name} ${decided} | ${claimed}`, scenario, cut: at('fsync', 2) },
    { name: `${name} ${claimed} | sent`, scenario, long: true, cut: at('fsync', 3) },
  ];
}

const before = (when: Matches): Cut => ({ at: 'request', of: 'airflow', when, phase: 'before' });
const after = (when: Matches): Cut => ({ at: 'request', of: 'airflow', when, phase: 'after' });

/** The same deaths, and a person who acts in Airflow before the program is back. */
const peoplePoints = (scenario: Scenario): Point[] => {
  const name = (what: string) => `${scenario.generation}.x ${what}`;
  const pauses = (f: FakeAirflow) => f.person().pause('b');
  const unpauses = (f: FakeAirflow) => f.person().unpause('b');
  const again = (f: FakeAirflow) => {
    f.person().unpause('b');
    f.person().pause('b');
  };
  const kept = { theirs: { b: true } };
  const freed = { theirs: { b: false } };
  return [
    {
      name: name('pause: claimed on disk | PATCH in Airflow, and a person pauses it meanwhile'),
      scenario,
      cut: before(patch('b', true)),
      whileDead: pauses,
      ...kept,
    },
    {
      name: name('pause: PATCH applied in Airflow | answer read, and a person undoes it meanwhile'),
      scenario,
      cut: after(patch('b', true)),
      whileDead: unpauses,
      ...freed,
    },
    {
      name: name('pause: PATCH applied in Airflow | answer read, and a person undoes and pauses it meanwhile'),
      scenario,
      cut: after(patch('b', true)),
      whileDead: again,
      ...kept,
    },
    {
      name: name('resume: claimed on disk | PATCH in Airflow, and a person pauses it once more meanwhile'),
      scenario,
      cut: before(patch('b', false)),
      whileDead: pauses,
      ...kept,
    },
    {
      name: name('resume: claimed on disk | PATCH in Airflow, and a person resumes it meanwhile'),
      scenario,
      cut: before(patch('b', false)),
      whileDead: unpauses,
      ...freed,
    },
    {
      name: name('resume: PATCH applied in Airflow | answer read, and a person pauses it meanwhile'),
      scenario,
      cut: after(patch('b', false)),
      whileDead: pauses,
      ...kept,
    },
    {
      name: name('clear: claimed on disk | POST in Airflow, and a person pauses a held DAG meanwhile'),
      scenario,
      cut: before(clear),
      whileDead: again,
      ...kept,
    },
  ];
};

export const POINTS: readonly Point[] = [
  ...ACTS.flatMap(pointsOf),
  ...READS.flatMap(readPoints),
  ...actPoints('callback', chain3, ['heard', 'row stored', 'incident stored', 'survey claimed']),
  ...actPoints('fixed', chain3, ['said', 'plan asked for', 'plan stored', 'notice claimed']),
  ...actPoints('approve', chain3, ['said', 'yes stored', 'planned again', 'step claimed']),
  ...peoplePoints(fan3),
  ...peoplePoints(fan2),
];
