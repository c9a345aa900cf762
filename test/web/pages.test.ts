import { describe, expect, test } from 'vitest';
import type { Person } from '../../src/core/events.ts';
import { reason } from '../../src/core/reason.ts';
import type { Health } from '../../src/http/deps.ts';
import type { DagView, IncidentView } from '../../src/store/readModels.ts';
import { FILES } from '../../src/web/galleryViews.ts';
import { html } from '../../src/web/html.ts';
import { incidentPage } from '../../src/web/incidentPage.ts';
import { layout, type Shell } from '../../src/web/layout.ts';
import { dagPage } from '../../src/web/otherPages.ts';
import * as sample from '../../src/web/samples.ts';
import { whyPaused } from '../../src/web/why.ts';
import { dagPath, duration, webUrl } from '../../src/web/words.ts';
import { actions, all, attribute, type Read, read } from './support.ts';

const NOW = Date.parse(sample.at(14));
const as = (role: Person['role'], name = 'zoe'): Person => ({ name, role });

function show(view: IncidentView, person: Person = as('approver'), more: { allowSelfApproval?: boolean } = {}): Read {
  const page = incidentPage({
    view,
    timeline: sample.TIMELINE,
    person,
    allowSelfApproval: false,
    airflowUrl: 'http://airflow:8080/',
    now: NOW,
    ...more,
  });
  return read(layout(shell({ person }), page));
}
const shell = (more: Partial<Shell> = {}): Shell => ({
  person: as('viewer'),
  health: sample.HEALTHY,
  flash: null,
  now: NOW,
  quarantined: 0,
  at: 'incidents',
  ...more,
});
const refreshOf = (page: Read): string => attribute(all(page, 'main')[0]!, 'data-refresh');
const acts = (page: Read): string[] =>
  actions(page)
    .filter((action) => action !== '/logout')
    .map((action) => action.split('/').at(-1)!)
    .sort();

describe('html', () => {
  test('escapes what it is given, in text and in attributes, and nothing twice', () => {
    const evil = `<a href='x' title="y">&amp;`;
    expect(html`<p title="${evil}">${evil}</p>`.text).toBe(
      '<p title="&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;">&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;</p>',
    );
    expect(html`<b>${html`<i>${'<'}</i>`}${[html`1`, 2, null, false, undefined, ['&']]}</b>`.text).toBe(
      '<b><i>&lt;</i>12&amp;</b>',
    );
  });
});

test('characters that cannot be seen, or turn the writing around, are shown as a mark', () => {
  const text = 'a\u202ecod.exe\u2066b\u0000c\u200fd\n\te';
  expect(html`${text}`.text).toBe('a\uFFFDcod.exe\uFFFDb\uFFFDc\uFFFDd\n\te');
});

describe('the page of DAG files that do not load', () => {
  test('names each file, its error, its DAGs and whether it loads again, and asks for nothing that Airflow will say by itself', () => {
    const page = show(FILES);
    const said = ['dags-folder/finance/revenue.py', "No module named 'panda'", 'revenue_report', 'does not load', 'loads again'];
    for (const words of said) expect(page.text).toContain(words);
    expect(page.text).toContain('It ends by itself as soon as Airflow loads every one of them.');
    for (const words of ['What reads it', 'Mend the cause', 'Release']) expect(page.text).not.toContain(words);
    expect(acts(page)).toEqual(['acknowledge', 'dismiss']);
    expect(all(page, 'a').map((link) => attribute(link, 'href'))).toContain(dagPath('prod', 'revenue_daily'));
  });
});

describe('the incident page', () => {
  test('says what happened, how bad, by which rule, and who looks at it', () => {
    const { text } = show(sample.view());
    for (const said of [
      'orders_etl failed in load_orders',
      'P1',
      'P1 because exec_dashboard downstream is tagged tier:1',
      'Contained',
      'column "discount_pct" of relation "orders" does not exist',
      'alice',
    ]) {
      expect(text).toContain(said);
    }
  });

  test('names every DAG that is held, taken over, paused before or spared, with its state and reason', () => {
    const { text } = show(sample.view());
    const table = text.slice(text.indexOf('As a table'));
    const said: [string, string, string][] = [
      ['revenue_report', 'held', 'reads what the failing DAG did not make'],
      ['exec_dashboard', 'was paused before', 'was paused before us: we count the hold and never unpause it'],
      ['fraud_features', 'taken over by a person', 'unpaused by dana while held: it is theirs now, no second pause'],
      ['billing_export', 'not held', 'on the protected list of the policy'],
      ['crm_sync', 'not held', 'tagged firedamper:ask: a person decides'],
    ];
    for (const [dag, state, why] of said) expect(table).toContain(`${dag} ${state} ${why}`);
    expect(table).toContain('customer_360 -(asset s3://lake/customers)-> churn_scores');
  });

  test('says which sources could not be read, before anybody trusts the picture', () => {
    const incident = sample.incident({ gaps: [{ source: 'extra_links', why: '403 for this account' }] });
    expect(show(sample.view({ incident })).text).toContain(
      'This may not be all. Sources that could not be read: extra_links 403 for this account',
    );
  });

  test('shows the plan run by run and task by task, and the digest that the button sends', () => {
    const page = show(sample.view());
    expect(page.text).toContain('1 run, 3 tasks of 1 DAG, in 1 step.');
    expect(page.text).toContain('scheduled__2026-11-21T03:00:00+00:00');
    expect(page.text).toContain('load_orders check_orders publish');
    const sent = all(page, 'input').find((input) => attribute(input, 'name') === 'digest');
    expect(attribute(sent!, 'value')).toBe(sample.DIGEST);
    expect(page.text).toContain(sample.DIGEST);
    expect(page.tags.find((tag) => tag.attributes.has('data-until'))?.attributes.get('data-until')).toBe(sample.at(42));
  });

  test('tells canary, rest, progress and the failed run', () => {
    const run = 'scheduled__2026-11-21T03:00:00+00:00';
    const steps = [
      {
        ...sample.step(1, { stage: 'canary' as const, state: 'failed' as const, reason: reason('step_failed', { run }) }),
        progress: [{ runId: run, logicalDate: null, state: 'failed' as const }],
      },
      sample.step(2, { stage: 'rest' as const, wave: 2, state: 'skipped' as const, reason: reason('stopped_after_failure') }),
    ];
    const { text } = show(
      sample.view({ repairs: [sample.repair({ state: 'failed', stateReason: reason('canary_failed'), steps })] }),
    );
    expect(text).toContain('Repair failed the canary failed: the rest was not started');
    expect(text).toContain(`run ${run} failed again`);
    expect(text).toContain('not started because an earlier step failed');
    expect(text).toContain('a canary first, the rest only when it has succeeded');
  });

  test('tells the history with time, actor, reason and the words of people', () => {
    const { text } = show(sample.view());
    expect(text).toContain('03:28:00 Acknowledged alice looking at it, the schema of the shop database changed');
    expect(text).toContain(
      '03:25:07 Counted, not ours exec_dashboard Firedamper was paused before us: we count the hold and never unpause it',
    );
  });

  test('folds many lines of the same event, and keeps every one of them', () => {
    const many = sample.timeline(
      Array.from({ length: 30 }, (_, i) => [0.1, { kind: 'firedamper' }, 'hold.held', `reader_${i}`, reason('paused')] as const),
    );
    const page = incidentPage({
      view: sample.view(),
      timeline: many,
      person: as('viewer'),
      allowSelfApproval: false,
      airflowUrl: null,
      now: NOW,
    });
    const { text } = read(layout(shell(), page));
    expect(text).toContain('Held 30 times');
    for (let i = 0; i < 30; i++) expect(text).toContain(`reader_${i} paused, and read back as paused`);
  });

  test.each([
    ['viewer', []],
    ['responder', []],
    ['approver', ['approve', 'cancel', 'dismiss', 'reject', 'release']],
    ['admin', ['approve', 'cancel', 'dismiss', 'reject', 'release']],
  ] as const)('gives a %s the buttons of that role for a plan that waits: %j', (role, wanted) => {
    expect(acts(show(sample.view(), as(role)))).toEqual(wanted);
  });

  test('gives the button for what comes next, state by state', () => {
    const at = (status: IncidentView['incident']['status'], repairs: IncidentView['repairs'], times = {}) =>
      acts(show(sample.view({ incident: sample.incident({ status, acknowledgedBy: null }, times), repairs }), as('responder')));
    expect(at('contained', [])).toEqual(['acknowledge', 'fixed']);
    expect(at('contained', [sample.repair({ state: 'failed' })])).toEqual(['acknowledge', 'fixed']);
    expect(at('repairing', [sample.repair({ state: 'running' })])).toEqual(['acknowledge']);
    expect(at('verifying', [sample.repair({ state: 'succeeded' })])).toEqual(['acknowledge', 'verify']);
    expect(at('resolved', [])).toEqual([]);
    expect(at('dismissed', [])).toEqual([]);
  });

  test('offers no release and no dismissal while a repair runs: the core would refuse both', () => {
    const running = sample.view({
      incident: sample.incident({ status: 'repairing' }),
      repairs: [sample.repair({ state: 'running' })],
    });
    expect(acts(show(running))).toEqual(['cancel']);
  });

  test('does not let people approve their own fix, unless the policy does, and then says so', () => {
    const own = show(sample.view(), as('approver', 'alice'));
    expect(acts(own)).not.toContain('approve');
    expect(own.text).toContain('somebody else has to approve');
    const allowed = show(sample.view(), as('approver', 'alice'), { allowSelfApproval: true });
    expect(acts(allowed)).toContain('approve');
    expect(allowed.text).toContain('the history will say so');
  });

  test('looks again every 2 s while something is under way, slowly while it waits for people, never when it is over', () => {
    const refresh = (status: IncidentView['incident']['status'], repairs: IncidentView['repairs'] = []) =>
      refreshOf(show(sample.view({ incident: sample.incident({ status }), repairs })));
    expect(refresh('open')).toBe('2');
    expect(refresh('repairing', [sample.repair({ state: 'running' })])).toBe('2');
    expect(refresh('contained', [sample.repair({ state: 'planning' })])).toBe('2');
    expect(refresh('contained')).toBe('10');
    expect(refresh('resolved')).toBe('');
  });

  test('leads to Airflow and to the log, and never to anything but http', () => {
    const links = (view: IncidentView) => all(show(view), 'a').map((a) => attribute(a, 'href'));
    expect(links(sample.view())).toContain('http://airflow:8080/dags/orders_etl');
    expect(links(sample.view()).some((href) => href.includes('try_number=3'))).toBe(true);
    const evil = sample.SIGNALS.map((signal) => ({ ...signal, logUrl: 'javascript:alert(1)' }));
    expect(links(sample.view({ signals: evil })).some((href) => href.startsWith('javascript'))).toBe(false);
  });

  test('in shadow mode says that nothing was changed', () => {
    expect(show(sample.view({ incident: sample.incident({ mode: 'shadow' }) })).text).toContain('shadow: nothing was changed');
  });
});

describe('around every page', () => {
  const around = (health: Health | null, more: Partial<Shell> = {}) =>
    read(layout(shell({ health, ...more }), { title: 't', main: html`<h1>x</h1>` })).text;
  const troubled = (more: Partial<Health['airflows'][number]>): Health => ({
    ...sample.HEALTHY,
    airflows: [{ ...sample.HEALTHY.airflows[0]!, ...more }],
  });

  test('nothing is said while all is well', () => {
    expect(around(sample.HEALTHY)).not.toMatch(/Airflow prod|Not ready|Shadow/);
  });

  test('an Airflow that is not heard, a source that cannot be read, shadow mode, and our own trouble are', () => {
    expect(around(troubled({ state: 'unreachable', detail: 'connect ECONNREFUSED' }))).toContain(
      'Airflow prod unreachable connect ECONNREFUSED last heard',
    );
    expect(around(troubled({ gaps: ['audit_log: 403'] }))).toContain('1 of its sources cannot be read audit_log: 403');
    expect(around({ ...sample.HEALTHY, mode: 'shadow' })).toContain('Shadow mode.');
    expect(around({ ...sample.HEALTHY, ready: false, reasons: ['disk full'] })).toContain('Not ready. disk full');
    const untold = ['nobody has been told anything by channel chat'];
    expect(around({ ...sample.HEALTHY, untold })).toContain('Not told. nobody has been told anything by channel chat');
    expect(around(null)).toContain('The state of Firedamper could not be read.');
    expect(around(sample.HEALTHY, { quarantined: 3 })).toContain('Quarantine 3');
  });

  test('a stranger is told nothing of it', () => {
    const text = around({ ...sample.HEALTHY, ready: false, reasons: ['disk full'] }, { person: null });
    expect(text).not.toMatch(/disk full|0\.1\.0|Incidents/);
  });
});

describe('why is my DAG paused?', () => {
  const facts = {
    dagId: 'd',
    paused: true,
    tags: [],
    owners: [],
    timeScheduled: false,
    assetScheduled: false,
    schedule: null,
    maxActiveRuns: null,
    nextRunAfter: null,
    nextLogicalDate: null,
  };
  const owned = (state: NonNullable<DagView['ownership']>['state'], uncertain = false) => ({
    airflow: 'prod',
    dagId: 'd',
    state,
    op: null,
    auditCursor: null,
    since: null,
    uncertain,
    ops: [],
    foundPaused: null,
  });
  const view = (more: Partial<DagView> = {}): DagView => ({
    facts,
    ownership: null,
    holds: [],
    upstream: [],
    downstream: [],
    ...more,
  });
  const holds = [sample.HOLDS[0]!, { ...sample.HOLDS[0]!, id: 'h2', incidentId: 'inc-7' }];

  test.each([
    ['not by us', view(), 'It is paused in Airflow, and not by Firedamper: no incident holds it.'],
    ['not at all', view({ facts: { ...facts, paused: false } }), 'It is not paused, and no incident holds it.'],
    [
      'by us, for two',
      view({ ownership: owned('ours'), holds }),
      'Firedamper paused it for incident inc-2041 and incident inc-7. It is resumed when the last of these holds is released.',
    ],
    ['before us', view({ ownership: owned('foreign'), holds }), 'only a person can resume it'],
    ['taken over', view({ ownership: owned('ceded'), holds }), 'A person took it over'],
    ['uncertain', view({ ownership: owned('ours', true), holds }), 'could not be told by whom'],
    ['shadow', view({ holds }), 'nothing was changed in Airflow'],
    ['unknown', view({ facts: null }), 'Airflow has not told anything about it yet.'],
  ])('%s', (_, dag, said) => {
    expect(whyPaused(dag)).toContain(said);
  });

  test('the page has the reason, the way and, for an approver, the release of that one hold', () => {
    const page = (role: Person['role']) =>
      read(
        layout(
          shell(),
          dagPage({
            airflow: 'prod',
            dagId: 'd',
            view: view({ ownership: owned('ours'), holds }),
            airflowUrl: null,
            role,
            now: NOW,
          }),
        ),
      );
    expect(page('viewer').text).toContain('orders_etl -(asset s3://lake/orders)-> revenue_report');
    expect(acts(page('viewer'))).toEqual([]);
    expect(actions(page('approver'))).toContain('/holds/hold-revenue_report/release');
  });
});

describe('words', () => {
  test.each([
    [400, '0 s'],
    [45_000, '45 s'],
    [61_000, '1 min 1 s'],
    [3_599_000, '59 min'],
    [5_400_000, '1 h 30 min'],
    [90_000_000, '1 d 1 h'],
  ])('%i ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test('a DAG whose name is a step of a path is linked by query', () => {
    expect(dagPath('prod', 'a b/ü')).toBe('/dags/prod/a%20b%2F%C3%BC');
    expect(dagPath('prod', '..')).toBe('/dags?airflow=prod&dag_id=..');
    expect(new URL(dagPath('prod', '..'), 'http://x').pathname).toBe('/dags');
  });

  test.each(['javascript:alert(1)', 'data:text/html,x', ' javascript:x', '//x', 'nonsense', null])(
    '%j is nothing to click on',
    (url) => {
      expect(webUrl(url)).toBeNull();
    },
  );
});
