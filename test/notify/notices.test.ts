import { describe, expect, test } from 'vitest';
import { NOTIFY_EVENTS } from '../../src/core/policy.ts';
import { type ReasonCode, reason } from '../../src/core/reason.ts';
import { US } from '../../src/core/timeline.ts';
import { compose, type Notice } from '../../src/notify/notices.ts';
import { few, span } from '../../src/notify/words.ts';
import { clearStep, delivery, hold, incident, repair, view } from './views.ts';

const lines = (notice: Notice) => Object.fromEntries(notice.lines.map((line) => [line.label, line.value]));
const entry = (event: string, subject: string | null, why: ReturnType<typeof reason>) => ({
  incidentId: 'inc_1',
  at: '2026-11-21T06:00:00.000Z',
  actor: US,
  event,
  subject,
  reason: why,
  comment: null,
});

test('opened says what failed, since when, and why this severity', () => {
  const notice = compose('opened', view());
  expect(notice.title).toBe('P1 Opened: orders_etl: task load failed');
  expect(notice.text).toBe('orders_etl in prod failed. What reads its data is being looked for and held.');
  expect(lines(notice)).toEqual({
    'Failed run': 'scheduled__2026-11-21 (task load)',
    Since: '2026-11-21 06:00 UTC',
    'Why this severity': 'P1 because revenue_report is tagged tier:1',
  });
  expect(notice.link).toBe('http://localhost:8470/incidents/inc_1');
});

test('a reopened incident and one of the platform say so', () => {
  const again = incident({ timestamps: { ...incident().timestamps, reopenedAt: '2026-11-21T09:00:00.000Z' } });
  expect(compose('opened', view({ incident: again })).title).toBe('P1 Reopened: orders_etl: task load failed');
  const platform = incident({ type: 'platform', statusReason: reason('mass_failure', { count: '20', window: '60 s' }) });
  expect(compose('opened', view({ incident: platform })).text).toBe(
    'prod: 20 DAGs failed within 60 s: this looks like the platform, not the data; nothing is held.',
  );
});

test('DAG files that do not load: which, whose DAGs, and that it is over', () => {
  const at = '2026-11-21T06:00:00.000Z';
  const files = [
    { file: 'a.py', error: 'SyntaxError: x', dags: ['a1', 'a2'], since: at, loadedAt: null },
    { file: 'b.py', error: 'SyntaxError: x', dags: [], since: at, loadedAt: null },
  ];
  const about = { type: 'platform', dagId: 'a.py', runs: [], files } as const;
  const broken = incident({
    ...about,
    statusReason: reason('files_broken', { files: 'a.py (SyntaxError: x), b.py (SyntaxError: x)' }),
  });
  const opened = compose('opened', view({ incident: broken, holds: [] }));
  expect(opened.text).toBe(
    'prod: Airflow cannot load a.py (SyntaxError: x), b.py (SyntaxError: x): its DAGs do not run, and nothing is held for that.',
  );
  expect(lines(opened)['DAGs that do not run']).toBe('a1, a2');
  const resolved = compose('resolved', view({ incident: incident({ ...about, statusReason: reason('files_load') }), holds: [] }));
  expect(resolved.text).toBe('prod: Airflow loads every one of the files again. Their DAGs run again.');
  expect(lines(resolved)).toEqual({ Files: 'a.py, b.py' });
});

test('held tells ours from what was paused before, names what is not held and why, and what could not be read', () => {
  const notice = compose(
    'held',
    view({
      incident: incident({
        spared: [{ airflow: 'prod', dagId: 'billing', reason: reason('protected'), path: [] }],
        gaps: [{ source: 'ui_dependencies', why: 'forbidden' }],
      }),
      holds: [
        hold('revenue_report'),
        hold('old', { state: 'foreign', foundPaused: true }),
        hold('gone', { state: 'released', releasedAt: '2026-11-21T06:01:00.000Z' }),
      ],
    }),
  );
  expect(notice.text).toBe('2 DAGs are held, because they would read what orders_etl in prod did not make or made wrongly.');
  expect(lines(notice)).toMatchObject({
    Held: 'revenue_report',
    'Paused before us, stays so': 'old',
    'Not held': 'billing (on the protected list of the policy)',
    'Could not be read': 'ui_dependencies: forbidden',
  });
  expect(compose('held', view({ holds: [hold('one')] })).text).toBe(
    '1 DAG is held, because it would read what orders_etl in prod did not make or made wrongly.',
  );
});

test('approval shows exactly what would run, the digest and until when', () => {
  const steps = [
    clearStep(1, 'orders_etl', 'run_1', { stage: 'canary' }),
    clearStep(2, 'orders_etl', 'run_2', {
      request: {
        kind: 'backfill',
        from: '2026-11-18T00:00:00.000Z',
        to: '2026-11-20T00:00:00.000Z',
        reprocess: 'failed',
        maxActiveRuns: 3,
      },
      runs: [1, 2, 3].map(() => ({ runId: null, logicalDate: null, startBefore: null, tasks: [] })),
    }),
    clearStep(3, 'late', 'run_3', {
      request: {
        kind: 'create_run',
        runId: 'run_3',
        logicalDate: '2026-11-19T00:00:00.000Z',
        intervalStart: '2026-11-19T00:00:00.000Z',
        intervalEnd: '2026-11-20T00:00:00.000Z',
      },
    }),
  ];
  const notice = compose('approval', view({ subject: 'rep_1', repairs: [repair({ steps, warnings: ['Z is paused'] })] }));
  expect(notice.text).toBe('A repair of orders_etl in prod waits for your yes: 5 runs of 2 DAGs.');
  expect(lines(notice)).toEqual({
    Plan:
      '1. run run_1 of orders_etl again, from task load on (canary); 2. backfill orders_etl from 2026-11-18 00:00 UTC to 2026-11-20 00:00 UTC, 3 runs; ' +
      '3. create the run of late for 2026-11-19 00:00 UTC',
    Warnings: 'Z is paused',
    Digest: 'abc123',
    'Asked for by': 'rita',
    Expires: '2026-11-21 07:30 UTC',
  });
});

describe('a channel was away', () => {
  const decidedAt = '2026-11-21T06:00:02.000Z';
  const at = (now: string) => ({ decidedAt, now });

  test('told hours late begins with its time and says how it is by now', () => {
    const notice = compose('opened', view({ ...at('2026-11-21T08:10:30.000Z'), incident: incident({ status: 'resolved' }) }));
    expect(notice.title).toBe('[late] P1 Opened: orders_etl: task load failed');
    expect(notice.text).toMatch(
      /^2026-11-21 06:00 UTC \(told 2 h 10 min late; the incident is resolved now\): orders_etl in prod failed\./,
    );
    expect(notice.decidedAt).toBe(decidedAt);
  });

  test('less than five minutes is on time', () => {
    expect(compose('opened', view(at('2026-11-21T06:05:01.999Z'))).text).toMatch(/^orders_etl in prod failed/);
    expect(compose('opened', view(at('2026-11-21T06:05:02.000Z'))).text).toMatch(/^2026-11-21 06:00 UTC \(told 5 min late/);
  });

  test('holds that are over by then are not told as holds', () => {
    const over = [hold('revenue_report', { state: 'released', releasedAt: '2026-11-21T07:00:00.000Z' })];
    const notice = compose('held', view({ ...at('2026-11-21T08:10:00.000Z'), holds: over }));
    expect(notice.text).toContain('was held, and is let go by now.');
    expect(notice.text).not.toContain('are held');
  });

  test('an approval that nobody waits for any more asks for nothing', () => {
    const repairs = [repair({ state: 'approved' })];
    const notice = compose('approval', view({ ...at('2026-11-21T08:10:00.000Z'), subject: 'rep_1', repairs }));
    expect(notice.title).toContain('Waited for approval');
    expect(notice.text).toContain('waited for your yes');
    expect(notice.text).toContain('It is approved by now. Nothing is asked of you.');
  });
});

test('a notice that comes late says how it is by now', () => {
  const notice = compose('approval', view({ subject: 'rep_1', repairs: [repair({ state: 'rejected' })] }));
  expect(notice.text).toContain('It is rejected by now.');
});

test('failed tells a repair that did not cure from a plan that could not be made', () => {
  const cure = compose(
    'failed',
    view({
      subject: 'rep_1',
      repairs: [repair({ state: 'failed', stateReason: reason('repair_failed', { what: 'run run_1' }) })],
    }),
  );
  expect(cure.title).toBe('P1 Repair failed: orders_etl: task load failed');
  expect(lines(cure)).toMatchObject({
    Why: 'the fix was none: run run_1; the holds stay',
    'Still held': 'revenue_report, dashboard',
  });
  const plan = compose(
    'failed',
    view({ subject: 'rep_1', repairs: [repair({ state: 'failed', stateReason: reason('plan_failed', { error: 'timeout' }) })] }),
  );
  expect(plan.title).toBe('P1 No repair plan: orders_etl: task load failed');
});

test('resolved says what can be trusted again, what was released, and what was not ours to release', () => {
  const released = { state: 'released', releasedAt: '2026-11-21T08:00:00.000Z' } as const;
  const notice = compose(
    'resolved',
    view({
      incident: incident({
        timestamps: { ...incident().timestamps, resolvedAt: '2026-11-21T08:15:00.000Z' },
        deliveries: [
          delivery('revenue_report'),
          delivery('dashboard', { state: 'failed', reason: reason('failed_after_release', { run: 'r' }) }),
        ],
      }),
      holds: [
        hold('revenue_report', released),
        hold('dashboard', released),
        hold('old', { ...released, foundPaused: true }),
        hold('mine', { state: 'ceded' }),
      ],
    }),
  );
  expect(notice.text).toBe('orders_etl in prod is whole again after 2 h 15 min. Its data can be trusted again.');
  expect(lines(notice)).toEqual({
    Released: 'revenue_report, dashboard',
    'Still paused: was so before us': 'old',
    'Left to the person who took it over': 'mine',
    'Ran on the repaired data': 'revenue_report',
    'Look at these': 'dashboard (its run r after the release failed: that is an incident of its own)',
  });
});

describe('attention says what waits and what one can do', () => {
  const cases: [string, Parameters<typeof view>[0], string, string][] = [
    [
      'taken over',
      { subject: 'dashboard', holds: [hold('dashboard', { state: 'ceded', reason: reason('person_unpaused', { who: 'bob' }) })] },
      'dashboard: unpaused by bob while held: it is theirs now, no second pause.',
      'nothing has to be done: it is not paused again and not touched by the release',
    ],
    [
      'review due',
      { subject: 'dashboard', holds: [hold('revenue_report'), hold('dashboard', { reviewAsked: true })] },
      "dashboard: held for longer than the policy's review time: does it still have to be?.",
      'release the hold, or leave it if it is still needed',
    ],
    [
      'refused pause',
      {
        subject: 'dashboard',
        holds: [hold('dashboard', { state: 'intended', reason: reason('pause_failed', { error: 'Forbidden' }) })],
      },
      'dashboard: Airflow did not pause it: Forbidden.',
      'pause it in Airflow yourself; firedamper check shows whether the account lacks a right',
    ],
    [
      'over the cap',
      {
        subject: 'far',
        incident: incident({ spared: [{ airflow: 'prod', dagId: 'far', reason: reason('over_cap', { cap: '50' }), path: [] }] }),
      },
      'far: over the cap of 50: the nearest are held, a person is asked about the rest.',
      'pause it in Airflow yourself if it must not run on this data',
    ],
    [
      'stuck repair',
      {
        subject: 'rep_1',
        repairs: [repair({ state: 'running', stuckTold: true })],
        timeline: [
          entry('repair.stuck', 'rep_0', reason('cancelled')),
          entry('repair.stuck', 'rep_1', reason('repair_stuck', { minutes: '360', what: 'step 1' })),
        ],
      },
      'the repair of orders_etl in prod: no end in sight after 360 min: step 1.',
      'look at the run in Airflow; cancel the repair if it cannot end',
    ],
    [
      'lapsed plan',
      {
        subject: 'rep_1',
        repairs: [repair({ state: 'lapsed', stateReason: reason('plan_changed', { what: 'run_1 was cleared' }) })],
      },
      'the repair of orders_etl in prod: what would run has changed since the plan was made: run_1 was cleared.',
      'mark it fixed again: a new plan is made from what Airflow says now',
    ],
    [
      'survey failed',
      { subject: 'prod', timeline: [entry('survey.failed', null, reason('survey_failed', { error: '502' }))] },
      'prod: the facts for containment could not be read: 502.',
      'check the affected DAGs by hand until Airflow can be read again',
    ],
    [
      'never ran',
      { subject: 'dashboard', incident: incident({ deliveries: [delivery('dashboard', { state: 'not_seen' })] }) },
      'dashboard: no run was seen within the watch time after the release.',
      'look whether the DAG should have run, and trigger it if so',
    ],
    [
      'waits for the word of a person',
      { subject: 'orders_etl', incident: incident({ statusReason: reason('waiting_for_person') }) },
      "orders_etl: the policy wants a person's word before the release.",
      'check the data, then confirm it on the page',
    ],
  ];
  test.each(cases)('%s', (_, change, text, advice) => {
    const notice = compose('attention', view(change));
    expect(notice.text).toBe(text.replace('?.', '?'));
    expect(lines(notice)['What you can do']).toBe(advice);
  });
});

describe('all of them', () => {
  test.each(NOTIFY_EVENTS)('%s in shadow mode says that nothing was done', (event) => {
    const notice = compose(event, view({ incident: incident({ mode: 'shadow' }), subject: 'rep_1', repairs: [repair()] }));
    expect(notice.title.startsWith('[shadow] P1 ')).toBe(true);
    expect(notice.text).toContain('nothing is changed in Airflow');
  });

  test.each(NOTIFY_EVENTS)('%s stays short and on one line with hostile and huge input', (event) => {
    const evil = `a\u202Eb\u0000\n<!channel>\u001b[31m${'x'.repeat(5000)}`;
    const many = Array.from({ length: 500 }, (_, i) => hold(`${evil}${i}`));
    const notice = compose(
      event,
      view({
        incident: incident({
          title: evil,
          rule: evil,
          airflow: evil,
          dagId: evil,
          statusReason: reason('survey_failed', { error: evil }),
        }),
        holds: many,
        repairs: [
          repair({
            warnings: [evil],
            requestedBy: evil,
            steps: Array.from({ length: 100 }, (_, i) => clearStep(i + 1, evil, evil)),
          }),
        ],
        subject: 'rep_1',
      }),
    );
    expect(notice.title.length).toBeLessThanOrEqual(150);
    for (const text of [notice.title, notice.text, ...notice.lines.flatMap((line) => [line.label, line.value])]) {
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(text.length).toBeLessThanOrEqual(1000);
    }
  });

  test('a long list is cut openly', () => {
    expect(few(Array.from({ length: 12 }, (_, i) => `d${i}`))).toBe('d0, d1, d2, d3, d4, d5, d6, d7, d8, d9 and 2 more');
  });

  test.each([
    ['2026-11-21T06:00:20.000Z', '20 s'],
    ['2026-11-21T06:45:00.000Z', '45 min'],
    ['2026-11-24T10:00:00.000Z', '3 d 4 h'],
    ['2026-11-21T05:00:00.000Z', '0 s'],
  ])('a span until %s', (to, text) => expect(span('2026-11-21T06:00:00.000Z', to)).toBe(text));

  test('every reason that asks for a person comes with advice', () => {
    const codes: ReasonCode[] = [
      'over_cap',
      'ask_tag',
      'pause_failed',
      'review_due',
      'release_uncertain',
      'settled_uncertain',
      'approval_expired',
      'release_waits',
      'not_delivered',
    ];
    for (const code of codes) {
      const notice = compose('attention', view({ subject: 'x', incident: incident({ statusReason: reason(code) }), holds: [] }));
      expect(lines(notice)['What you can do'], code).not.toBe('look at the incident');
    }
  });
});
