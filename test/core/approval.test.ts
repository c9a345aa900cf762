import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { atLeast, canonical, difference, digestOf, requireRole } from '../../src/core/approval.ts';
import type { Person } from '../../src/core/events.ts';
import type { Step } from '../../src/core/plan.ts';
import { ROLES } from '../../src/core/policy.ts';
import { ann, clearStep, rita, run, Scenario, vera } from './scenario.ts';

const ATTEMPT = '2026-11-21T05:59:00.000Z';
const DAY = '2026-11-20T00:00:00.000Z';

describe('one text for one value', () => {
  test.each([
    [{ b: 1, a: [true, null, 'x"y'] }, '{"a":[true,null,"x\\"y"],"b":1}'],
    [{ z: { y: 1, x: 2 }, a: {} }, '{"a":{},"z":{"x":2,"y":1}}'],
    [[], '[]'],
    [[[1], [2, 3]], '[[1],[2,3]]'],
    [null, 'null'],
    ['text', '"text"'],
    [0, '0'],
    [{ 'a"b': null }, '{"a\\"b":null}'],
    [{ a10: 1, a9: 2, A: 3 }, '{"A":3,"a10":1,"a9":2}'],
  ])('%j', (value, text) => {
    expect(canonical(value)).toBe(text);
  });

  test('whatever order it was written in', () => {
    expect(canonical({ a: 1, b: { c: 2, d: 3 } })).toBe(canonical({ b: { d: 3, c: 2 }, a: 1 }));
    expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
  });
});

describe('the digest', () => {
  const step = clearStep('a', 'r1');

  test('is the SHA-256 of exactly what would run, so that anybody can make it again', () => {
    const text =
      '{"airflow":"prod","incident":"inc-1","steps":[{"dag":"a",' +
      `"request":{"kind":"clear","logicalDate":null,"runId":"r1","runStart":"${ATTEMPT}","tasks":["make"]},` +
      `"runs":[{"logicalDate":null,"runId":"r1","startBefore":"${ATTEMPT}","tasks":[{"mapIndex":-1,"taskId":"make"}]}],` +
      '"stage":"all","wave":0}]}';
    expect(digestOf('inc-1', 'prod', [step])).toBe(createHash('sha256').update(text).digest('hex'));
  });

  test.each<[string, Partial<Step>]>([
    ['another DAG', { dagId: 'b' }],
    ['another wave', { wave: 1 }],
    ['another stage', { stage: 'canary' }],
    ['another request', { request: { kind: 'clear', runId: 'r1', logicalDate: null, tasks: null, runStart: ATTEMPT } }],
    ['another attempt', { runs: step.runs.map((r) => ({ ...r, startBefore: null })) }],
    ['one task more', { runs: step.runs.map((r) => ({ ...r, tasks: [...r.tasks, { taskId: 'x', mapIndex: -1 }] })) }],
    ['no runs', { runs: [] }],
  ])('is another one for %s', (_what, change) => {
    expect(digestOf('inc-1', 'prod', [{ ...step, ...change }])).not.toBe(digestOf('inc-1', 'prod', [step]));
  });

  test('is another one for another incident, another Airflow, another order', () => {
    const steps = [clearStep('a', 'r1', 1), clearStep('a', 'r2', 2)];
    const digests = [
      digestOf('inc-1', 'prod', steps),
      digestOf('inc-2', 'prod', steps),
      digestOf('inc-1', 'dev', steps),
      digestOf('inc-1', 'prod', steps.toReversed()),
      digestOf('inc-1', 'prod', []),
    ];
    expect(new Set(digests).size).toBe(5);
  });

  test.each<[string, Partial<Step>]>([
    ['progress', { state: 'running', progress: [{ runId: 'r1', logicalDate: null, state: 'running' }] }],
    ['times', { startedAt: ATTEMPT, endedAt: ATTEMPT }],
    ['its number', { n: 9 }],
    ['who answered the dry run', { dryRun: 'computed' }],
  ])('is the same whatever the %s', (_what, change) => {
    expect(digestOf('inc-1', 'prod', [{ ...step, ...change }])).toBe(digestOf('inc-1', 'prod', [step]));
  });
});

describe('what one plan runs that the other does not, in words', () => {
  const one = clearStep('a', 'r1');
  const withRun = (change: Partial<Step['runs'][number]>): Step => ({ ...one, runs: one.runs.map((r) => ({ ...r, ...change })) });

  test('nothing between equal plans', () => {
    expect(difference([one], [clearStep('a', 'r1')])).toEqual([]);
    expect(difference([], [])).toEqual([]);
  });

  test('what is gone first, then what is new', () => {
    expect(difference([one, clearStep('a', 'r2', 2)], [one, clearStep('b', 'r3', 2)])).toEqual([
      `no longer runs: a r2 (attempt of ${ATTEMPT}) make`,
      `now runs: b r3 (attempt of ${ATTEMPT}) make`,
    ]);
  });

  test('one line for each task, with its place in a mapped one', () => {
    const mapped = withRun({
      tasks: [
        { taskId: 'make', mapIndex: -1 },
        { taskId: 'load', mapIndex: 0 },
        { taskId: 'load', mapIndex: 12 },
      ],
    });
    expect(difference([one], [mapped])).toEqual([
      `now runs: a r1 (attempt of ${ATTEMPT}) load[0]`,
      `now runs: a r1 (attempt of ${ATTEMPT}) load[12]`,
    ]);
  });

  test('a run that is not there yet is named by its date, and a whole run by itself', () => {
    const made = withRun({ runId: null, logicalDate: DAY, startBefore: null, tasks: [] });
    const nameless = withRun({ runId: null, logicalDate: null, startBefore: null, tasks: [] });
    expect(difference([], [made])).toEqual([`now runs: a ${DAY} (attempt of never)`]);
    expect(difference([nameless], [])).toEqual(['no longer runs: a ? (attempt of never)']);
  });

  test('the same runs by another request are not the same plan', () => {
    const other: Step = { ...one, request: { kind: 'clear', runId: 'r1', logicalDate: null, tasks: null, runStart: ATTEMPT } };
    expect(difference([one], [other])).toEqual(['the same runs, asked for in another way']);
  });
});

test('each role may do what is below it', () => {
  const may = ROLES.map((role) => ROLES.filter((wanted) => atLeast(role, wanted)));
  expect(may).toEqual([
    ['viewer'],
    ['viewer', 'responder'],
    ['viewer', 'responder', 'approver'],
    ['viewer', 'responder', 'approver', 'admin'],
  ]);
  expect(() => requireRole(rita, 'responder')).not.toThrow();
  expect(() => requireRole(rita, 'approver')).toThrow(
    expect.objectContaining({
      kind: 'forbidden',
      message: 'this needs the role approver; rita is responder',
      detail: { reason: 'role', needs: 'approver' },
    }),
  );
});

describe('a yes', () => {
  const HALF_AN_HOUR = 1_800_000;
  const steps = [clearStep('a', 'r1')];
  function proposed(policy = {}): Scenario {
    const s = new Scenario(['a>b'], { policy }).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    return s.planned({ steps });
  }
  const yes = (s: Scenario, who: Person = ann, repairId = 'rep-1', digest = s.repair().digest ?? '') => {
    s.person(who, { kind: 'approve', repairId, digest, comment: 'go' });
  };

  test('is kept with who, when, what and why, and starts nothing before Airflow was asked once more', () => {
    const s = proposed();
    yes(s.later(60_000));
    expect(s.repair().approval).toEqual({ by: 'ann', role: 'approver', at: s.now, comment: 'go', digest: s.repair().digest });
    expect(s.history('repair.approved')).toEqual(['rep-1 approved (ann)']);
    expect(s.open().map((i) => i.act.kind)).toEqual(['send_notice', 'send_notice', 'send_notice', 'plan_repair']);
    expect(s.last?.answer).toEqual({ incidentId: 'inc-1', repairId: 'rep-1', holdId: null, note: null });
    s.planned({ steps });
    expect(s.acts()).toEqual(['step 1']);
    expect(s.history('repair.running')).toEqual(['rep-1 approved (firedamper)']);
    expect(s.history('incident.repairing')).toEqual(['a approved (firedamper)']);
  });

  test('to a repair that nobody knows', () => {
    const s = proposed();
    expect(s.refusal(() => yes(s, ann, 'rep-9'))).toMatchObject({ kind: 'notFound', message: 'no repair rep-9' });
  });

  test('a second time is a conflict that says what became of it', () => {
    const s = proposed();
    yes(s);
    expect(s.refusal(() => yes(s))).toMatchObject({
      kind: 'conflict',
      message: 'the repair is approved: approved for exactly this plan',
      detail: { state: 'approved', reason: 'approved' },
    });
  });

  test.each([
    [HALF_AN_HOUR - 1, 'approved'],
    [HALF_AN_HOUR, 'proposed'],
    [HALF_AN_HOUR + 1, 'proposed'],
  ])('%d ms after the proposal leaves it %s', (ms, state) => {
    const s = proposed();
    const expires = s.repair().expiresAt;
    s.later(ms);
    if (state === 'approved') yes(s);
    else
      expect(s.refusal(() => yes(s))).toMatchObject({
        kind: 'conflict',
        message: 'the plan was not approved in time',
        detail: { reason: 'approval_expired', expires_at: expires },
      });
    expect(s.repair().state).toBe(state);
  });

  test('to a proposal without an end, as no service would have stored it, is none', () => {
    const s = proposed();
    s.state = { ...s.state, repairs: s.state.repairs.map((r) => ({ ...r, expiresAt: null })) };
    expect(s.refusal(() => yes(s))).toMatchObject({ detail: { reason: 'approval_expired', expires_at: null } });
    s.later(10 * HALF_AN_HOUR).tick();
    expect(s.repair().state).toBe('proposed');
  });

  test('to a digest that no plan of this incident ever had names all that this one runs', () => {
    const s = proposed();
    const long = 'f'.repeat(80);
    expect(s.refusal(() => yes(s, ann, 'rep-1', long))).toMatchObject({
      kind: 'conflict',
      message: 'the approved digest is not the digest of the plan',
      detail: {
        reason: 'digest_mismatch',
        digest: s.repair().digest,
        difference: [`no plan of this incident has the digest ${'f'.repeat(64)}`, `now runs: a r1 (attempt of ${ATTEMPT}) make`],
      },
    });
  });

  test('to the plan of another incident is not one to this', () => {
    const s = proposed();
    s.contained('z');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-2', comment: null });
    s.planned({ steps: [clearStep('z', 'r1')] });
    const [first, second] = s.state.repairs.map((r) => r.digest ?? '');
    expect(first).not.toBe(second);
    expect(s.refusal(() => yes(s, ann, 'rep-2', first))).toMatchObject({
      detail: { difference: [`no plan of this incident has the digest ${first}`, expect.stringContaining('now runs: z r1')] },
    });
  });

  test('to an older plan names only what is different', () => {
    const s = proposed();
    const old = s.repair().digest ?? '';
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps: [...steps, clearStep('a', 'r2', 2)] });
    expect(s.refusal(() => yes(s, ann, 'rep-2', old))).toMatchObject({
      detail: { difference: [`now runs: a r2 (attempt of ${ATTEMPT}) make`] },
    });
  });

  test('by a viewer is refused before anything is told about the plan', () => {
    const s = proposed();
    expect(s.refusal(() => yes(s, vera, 'rep-1', 'f'))).toMatchObject({
      kind: 'forbidden',
      detail: { reason: 'role', needs: 'approver' },
    });
  });

  const as = (name: string): Person => ({ name, role: 'admin' });
  test('by whoever asked for the plan, or marked it fixed since, is nobody else’s yes', () => {
    const s = proposed();
    expect(s.refusal(() => yes(s, as('rita')))).toMatchObject({
      kind: 'forbidden',
      message: 'the person who marked it fixed may not approve it',
      detail: { reason: 'self_approval' },
    });
    s.person(as('fred'), { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    // Two repairs at once are none of ours: but who marked it fixed last counts for each of them.
    s.state = { ...s.state, repairs: s.state.repairs.map((r) => ({ ...r, requestedBy: 'rita' })) };
    expect(s.refusal(() => yes(s, as('fred'), 'rep-2'))).toMatchObject({ detail: { reason: 'self_approval' } });
    expect(s.refusal(() => yes(s, as('rita'), 'rep-2'))).toMatchObject({ detail: { reason: 'self_approval' } });
    yes(s, ann, 'rep-2');
    expect(s.repair().state).toBe('approved');
  });

  test('by oneself, where the policy allows it, is loud', () => {
    const s = proposed({ repair: { allowSelfApproval: true } });
    yes(s, as('rita'));
    expect(s.history('repair.approved')).toEqual(['rep-1 self_approved (rita)']);
    const other = proposed({ repair: { allowSelfApproval: true } });
    yes(other);
    expect(other.history('repair.approved')).toEqual(['rep-1 approved (ann)']);
  });

  test('lapses when something else would run now: said with what, and asked anew', () => {
    const s = proposed();
    yes(s);
    s.planned({ steps: [...steps, clearStep('a', 'r2', 2)] });
    expect(s.history('repair.lapsed')).toEqual([
      `rep-1 plan_changed what=now runs: a r2 (attempt of ${ATTEMPT}) make (firedamper)`,
    ]);
    expect(s.notices()).toEqual(['opened a', 'held b', 'approval rep-1', 'attention rep-1']);
    expect(s.acts()).toEqual([]);
    expect(s.incident().status).toBe('contained');
  });

  test('lapses with all the differences, when there are several', () => {
    const s = proposed();
    yes(s);
    s.planned({ steps: [clearStep('a', 'r2')] });
    expect(s.repair().stateReason.detail.what).toBe(
      `no longer runs: a r1 (attempt of ${ATTEMPT}) make; now runs: a r2 (attempt of ${ATTEMPT}) make`,
    );
  });

  test('in shadow mode ends the repair, and nothing is asked of Airflow', () => {
    const s = new Scenario(['a>b'], { policy: { mode: 'shadow' } }).contained('a');
    s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null });
    s.planned({ steps });
    yes(s);
    expect(s.history('repair.cancelled')).toEqual(['rep-1 shadow_mode (firedamper)']);
    expect(s.open('plan_repair')).toEqual([]);
    s.sees({ runs: [run('a', 'r1')] });
    expect(s.acts()).toEqual([]);
  });
});
