import { expect, test } from 'vitest';
import { anyGlob, globMatches } from '../../src/core/glob.ts';

test.each([
  ['orders', 'orders', true],
  ['orders', 'order', false],
  ['order', 'orders', false],
  ['*', '', true],
  ['*', 'anything at all', true],
  ['', '', true],
  ['', 'x', false],
  ['?', '', false],
  ['?', 'x', true],
  ['?', 'xy', false],
  ['x?z', 'xyz', true],
  ['x?z', 'xz', false],
  ['sand*', 'sandbox_a', true],
  ['sand*', 'sand', true],
  ['sand*', 'quicksand', false],
  ['*_daily', 'orders_daily', true],
  ['*_daily', 'orders_daily_2', false],
  ['a*b*c', 'a1b2b3c', true],
  ['a*b*c', 'a1c2b', false],
  ['a**', 'a', true],
  ['*a*', 'bab', true],
  ['*ab', 'aab', true],
  ['*a?c', 'abcaxc', true],
  ['a*', '*', false],
  ['*', '*', true],
  ['a*c', 'a*c', true],
  ['a*d', 'a*c', false],
  ['x*', 'x*y*', true],
  ['**x', 'x', true],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
])('%j on %j: %s', (glob, text, matches) => {
  expect(globMatches(glob, text)).toBe(matches);
});

test('a long text against many stars ends', () => {
  expect(globMatches(`${'a*'.repeat(40)}b`, 'a'.repeat(5_000))).toBe(false);
});

test('any of a list is enough, and none of an empty one', () => {
  expect(anyGlob(['x', 'sand*'], 'sandbox')).toBe(true);
  expect(anyGlob(['x', 'y'], 'sandbox')).toBe(false);
  expect(anyGlob([], 'sandbox')).toBe(false);
});
