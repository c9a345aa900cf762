import { describe, expect, test } from 'vitest';
import { affectedTasks, blocksRepair, describePath, type Reached, walk } from '../../src/core/lineage.ts';
import { edge } from './scenario.ts';

const prod = (dagId: string) => ({ airflow: 'prod', dagId });
const from = (dagId: string, edges: readonly string[], tasks: readonly string[] | null = null) =>
  walk(edges.map(edge), prod(dagId), tasks && new Set(tasks));
const names = (found: readonly Reached[]) => found.map((r) => `${r.airflow}/${r.dagId} ${r.depth}`);

describe('what a failed task stops', () => {
  const graph = { dagId: 'a', downstream: { extract: ['clean'], clean: ['load', 'check'], load: ['check'], other: [] } };
  test.each([
    [['clean'], ['check', 'clean', 'load']],
    [
      ['load', 'other'],
      ['check', 'load', 'other'],
    ],
    [['check'], ['check']],
    [['unheard_of'], ['unheard_of']],
  ])('%s: it and every task behind it', (failed, affected) => {
    expect([...(affectedTasks(graph, failed) ?? [])].sort()).toEqual(affected);
  });

  test('a loop of tasks ends', () => {
    const loop = { dagId: 'a', downstream: { x: ['y'], y: ['x'] } };
    expect([...(affectedTasks(loop, ['x']) ?? [])]).toEqual(['x', 'y']);
  });

  test('not known: the whole DAG, never nothing', () => {
    expect(affectedTasks(null, ['clean'])).toBeNull();
    expect(affectedTasks(graph, [])).toBeNull();
  });
});

describe('whom it reaches', () => {
  test('the nearest way counts, with its links', () => {
    const { reached } = from('a', ['a>b', 'b>c', 'a>c', 'c>d']);
    expect(names(reached)).toEqual(['prod/b 1', 'prod/c 1', 'prod/d 2']);
    expect(describePath(reached[2]?.edges ?? [])).toEqual(['a -(asset s3://a)-> c', 'c -(asset s3://c)-> d']);
  });

  test('neither itself nor anything twice, whatever cycles there are', () => {
    expect(names(from('a', ['a>b', 'b>a', 'b>b', 'a>a', 'b>c', 'c>b']).reached)).toEqual(['prod/b 1', 'prod/c 2']);
  });

  test('over the border of an Airflow, where a DAG of the same name is another DAG', () => {
    const { reached } = from('a', ['a>dev/a', 'dev/a>dev/c', 'dev/x>y', 'x>z']);
    expect(names(reached)).toEqual(['dev/a 1', 'dev/c 2']);
  });

  test('nobody reads it: nobody', () => {
    expect(from('a', ['b>c'])).toEqual({ reached: [], unaffected: [] });
  });
});

describe('only the first link looks at tasks', () => {
  test('who reads what another task makes is not reached, nor is who reads that', () => {
    const { reached, unaffected } = from('a', ['a>b@load', 'a>c@other', 'c>d'], ['load', 'check']);
    expect(names(reached)).toEqual(['prod/b 1']);
    expect(names(unaffected)).toEqual(['prod/c 1']);
  });

  test('one affected maker among several is enough, and a maker that is not known is the whole DAG', () => {
    expect(names(from('a', ['a>b@other,load', 'a>c'], ['load']).reached)).toEqual(['prod/b 1', 'prod/c 1']);
  });

  test('further away a DAG counts as a whole', () => {
    expect(names(from('a', ['a>b@load', 'b>c@other'], ['load']).reached)).toEqual(['prod/b 1', 'prod/c 2']);
  });

  test('reached by another way after all: not unaffected', () => {
    const { reached, unaffected } = from('a', ['a>c@other', 'a>b@load', 'b>c'], ['load']);
    expect(names(reached)).toEqual(['prod/b 1', 'prod/c 2']);
    expect(unaffected).toEqual([]);
  });

  test('without known tasks nobody is unaffected', () => {
    expect(from('a', ['a>c@other'], null).unaffected).toEqual([]);
  });
});

describe('what the repair itself would wait for', () => {
  test.each([
    ['a!!b', true, 'a run of it that it waits for'],
    ['a!b', false, 'a trigger that does not wait'],
    ['b~a', true, 'it senses it'],
    ['a~b', false, 'sensed by it'],
    ['a>b', false, 'an asset'],
    ['b!!a', false, 'the other way round'],
    ['a!!c', false, 'another DAG'],
    ['c!!b', false, 'a run of another DAG'],
    ['b~c', false, 'sensed by another DAG'],
    ['c~a', false, 'senses another DAG'],
    ['a!!dev/b', false, 'of the same name elsewhere'],
    ['b>a', false, 'an asset the other way round'],
  ])('%s: %s (%s)', (text, blocks) => {
    expect(blocksRepair([edge('x>y'), edge(text)], prod('a'), prod('b'))).toBe(blocks);
  });

  test('a trigger of which nobody knows whether it waits does not spare anybody', () => {
    expect(blocksRepair([{ ...edge('a!b'), waits: null }], prod('a'), prod('b'))).toBe(false);
  });
});
