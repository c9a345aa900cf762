import { describe, expect, it, test } from 'vitest';
import type { SeenBroken } from '../../src/core/events.ts';
import { ann, dag, rita, Scenario } from './scenario.ts';

const broken = (file: string, dags: string[] = [], error = 'ModuleNotFoundError: x'): SeenBroken => ({ file, error, dags });
type Options = ConstructorParameters<typeof Scenario>[1];

class Files extends Scenario {
  #before: readonly string[] | null = [];
  constructor(edges: string[] = [], options: Options = {}) {
    super(edges, options);
  }
  /** Airflow was looked at, and these do not load now. */
  look(...now: SeenBroken[]) {
    const decision = this.when({ type: 'broken_files', airflow: 'prod', now, before: this.#before });
    this.#before = now.map((f) => f.file);
    return decision;
  }
  firstLook(...now: SeenBroken[]) {
    this.#before = null;
    return this.look(...now);
  }
}

describe('a DAG file that Airflow cannot load', () => {
  it('opens one platform incident, holds nothing, and ends it when it loads again', () => {
    const s = new Files(['a>b']);
    s.look(broken('a.py', ['a']));
    expect(s.incident()).toMatchObject({
      type: 'platform',
      status: 'contained',
      dagId: 'a.py',
      title: 'a.py does not load',
      runs: [],
    });
    expect(s.incident().files).toEqual([
      { file: 'a.py', error: 'ModuleNotFoundError: x', dags: ['a'], since: s.now, loadedAt: null },
    ]);
    expect(s.state.holds).toEqual([]);
    expect(
      s.open().map((i) => i.act.kind),
      'nothing but a notice',
    ).toEqual(['send_notice']);
    s.later(60_000).look();
    expect(s.incident()).toMatchObject({ status: 'resolved', statusReason: { code: 'files_load' } });
    expect(s.incident().timestamps.resolvedAt).toBe(s.now);
  });

  it('several are one incident, which ends with the last of them', () => {
    const s = new Files();
    s.look(broken('a.py'), broken('b.py'));
    s.look(broken('a.py'), broken('b.py'), broken('c.py'));
    expect(s.state.incidents).toHaveLength(1);
    expect(s.incident().title).toBe('3 DAG files of prod do not load');
    s.look(broken('c.py'));
    expect(s.incident().files?.map((f) => f.loadedAt !== null)).toEqual([true, true, false]);
    expect(s.incident().status).toBe('contained');
    s.look(broken('a.py'), broken('c.py'));
    expect(
      s
        .incident()
        .files?.filter((f) => f.loadedAt === null)
        .map((f) => f.file),
    ).toEqual(['c.py', 'a.py']);
    s.look();
    expect(s.incident().status).toBe('resolved');
    expect(s.history('file.loaded')).toHaveLength(4);
  });

  it('a title that a person gave stays', () => {
    const s = new Files();
    s.look(broken('a.py'));
    s.person(rita, { kind: 'edit', incidentId: 'inc-1', comment: 'plain words', title: 'the new pandas' });
    s.look(broken('a.py'), broken('b.py'));
    expect(s.incident().title).toBe('the new pandas');
  });

  it('is not opened for what was broken before the first look, until it has loaded once', () => {
    const s = new Files();
    s.firstLook(broken('old.py'));
    expect(s.state.incidents).toEqual([]);
    s.look(broken('old.py'), broken('new.py'));
    expect(s.incident().files?.map((f) => f.file)).toEqual(['new.py']);
    s.look(broken('new.py'));
    s.look(broken('old.py'), broken('new.py'));
    expect(s.incident().files?.map((f) => f.file)).toEqual(['new.py', 'old.py']);
  });

  it('the same look told twice, as after a crash, adds nothing', () => {
    const s = new Files();
    for (const _ of [1, 2]) s.when({ type: 'broken_files', airflow: 'prod', now: [broken('a.py')], before: [] });
    expect(s.state.incidents).toHaveLength(1);
    expect(s.incident().files).toHaveLength(1);
    expect(s.history('file.broken')).toEqual([]);
  });

  it('another error of the same file is the same story', () => {
    const s = new Files();
    s.look(broken('a.py'));
    s.look(broken('a.py', [], 'SyntaxError: y'));
    expect(s.incident().files).toMatchObject([{ error: 'SyntaxError: y', loadedAt: null }]);
  });

  it('what was dismissed is quiet until it has loaded once', () => {
    const s = new Files();
    s.look(broken('a.py'));
    s.person(ann, { kind: 'dismiss', incidentId: 'inc-1', comment: 'known' });
    s.look(broken('a.py'));
    expect(s.state.incidents).toHaveLength(1);
    s.look();
    s.look(broken('a.py'));
    expect(s.state.incidents.map((i) => i.status)).toEqual(['dismissed', 'contained']);
  });

  it('another Airflow has its own', () => {
    const s = new Files();
    s.look(broken('a.py'));
    s.when({ type: 'broken_files', airflow: 'other', now: [], before: [] });
    expect(s.incident().status).toBe('contained');
    s.when({ type: 'broken_files', airflow: 'other', now: [broken('a.py')], before: [] });
    expect(s.state.incidents.map((i) => i.airflow)).toEqual(['prod', 'other']);
  });
});

describe('the severity', () => {
  const p1 = { dags: [dag('a', { tags: ['tier:1'] }), dag('c')] };
  it.each([
    ['by the tag of a DAG in it', ['a>b'], ['a'], 'P1'],
    ['by the tag of what is behind it', ['c>a'], ['c'], 'P1'],
    ['by default', ['a>b'], ['b'], 'P2'],
    ['by default where its DAGs are not known', ['a>b'], [], 'P2'],
  ])('%s', (_, edges, dags, severity) => {
    const s = new Files(edges, p1);
    s.look(broken('x.py', dags));
    expect(s.incident()).toMatchObject({ severity, rule: expect.stringContaining('a DAG file that does not load') });
  });

  it('rises with a graver file, and never falls', () => {
    const s = new Files(['a>b'], p1);
    s.look(broken('b.py', ['b']));
    s.look(broken('b.py', ['b']), broken('a.py', ['a']));
    expect(s.incident()).toMatchObject({ severity: 'P1', rule: expect.stringContaining('tier:1') });
    s.look(broken('b.py', ['b']), broken('a.py', ['a']), broken('c.py', ['c']));
    expect(s.incident().severity).toBe('P1');
  });

  it('stays where a person has put it', () => {
    const s = new Files(['a>b'], p1);
    s.look(broken('b.py', ['b']));
    s.person(rita, { kind: 'edit', incidentId: 'inc-1', comment: 'harmless', severity: 'P3' });
    s.look(broken('b.py', ['b']), broken('a.py', ['a']));
    expect(s.incident().severity).toBe('P3');
  });
});

describe('what is watched', () => {
  it.each<[string, object, string[], boolean]>([
    ['not asked for', { importErrors: false }, ['a'], false],
    ['a DAG of it is on the list', { dags: ['a*'] }, ['z', 'a1'], true],
    ['none is', { dags: ['a*'] }, ['z'], false],
    ['all of them are ignored', { ignoreDags: ['a*'] }, ['a1', 'a2'], false],
    ['all of them carry an ignored tag', { ignoreTags: ['test'] }, ['t'], false],
    ['one of them does not', { ignoreTags: ['test'] }, ['t', 'a'], true],
    ['unknown DAGs, and all are watched', {}, [], true],
    ['unknown DAGs, and some are watched', { dags: ['a*'] }, [], false],
  ])('%s', (_, watch, dags, opened) => {
    const s = new Files([], { policy: { watch }, dags: [dag('t', { tags: ['test'] })] });
    s.look(broken('x.py', dags));
    expect(s.state.incidents).toHaveLength(opened ? 1 : 0);
  });
});

describe('beside the failures of runs', () => {
  test('a DAG that is called like a broken file has incidents of its own', () => {
    const s = new Files(['a>b']);
    s.look(broken('a', ['a']));
    s.contained('a');
    expect(s.state.incidents.map((i) => i.type)).toEqual(['platform', 'pipeline_failure']);
    expect(s.state.holds).toHaveLength(1);
  });

  test('a mass failure is another platform incident, with its runs', () => {
    const s = new Files([], { policy: { platform: { massFailureDags: 2 } } });
    s.look(broken('x.py'));
    s.fails('p');
    s.fails('q');
    expect(s.state.incidents.map((i) => i.runs.length)).toEqual([0, 1, 1]);
    s.fails('r');
    expect(s.state.incidents.map((i) => i.runs.length)).toEqual([0, 1, 2]);
  });

  test('nobody marks it as fixed: Airflow says when it is', () => {
    const s = new Files();
    s.look(broken('a.py'), broken('b.py'));
    s.look(broken('b.py'));
    expect(() => s.person(rita, { kind: 'fixed', incidentId: 'inc-1', comment: null })).toThrow('as soon as Airflow loads b.py');
  });
});
