import { describe, expect, test } from 'vitest';
import {
  HOLD_STATE,
  INCIDENT_STATUS,
  isActiveRepair,
  isHolding,
  isOver,
  OWNERSHIP_STATE,
  REPAIR_STATE,
  step,
} from '../../src/core/lifecycle.ts';

/** The diagrams of the README, written down a second time on purpose: a step more or less is a decision, not a slip. */
const DIAGRAMS = {
  incident: `
    open -> contained repairing verifying monitoring dismissed resolved
    contained -> repairing verifying monitoring dismissed resolved open
    repairing -> contained verifying monitoring dismissed open
    verifying -> contained monitoring resolved dismissed open
    monitoring -> resolved dismissed open
    resolved -> open
    dismissed ->`,
  repair: `
    planning -> proposed failed cancelled lapsed
    proposed -> approved rejected cancelled lapsed
    approved -> running lapsed cancelled failed
    running -> succeeded failed cancelled
    succeeded ->
    failed ->
    lapsed ->
    rejected ->
    cancelled ->`,
  hold: `
    intended -> held foreign ceded release_intended released
    held -> ceded foreign release_intended released
    foreign -> held ceded released
    ceded -> released
    release_intended -> released ceded foreign held
    released ->`,
  ownership: `
    none -> pause_intended foreign
    pause_intended -> ours foreign none ceded
    ours -> resume_intended ceded foreign none
    resume_intended -> none ours ceded foreign
    foreign -> none pause_intended
    ceded -> none pause_intended foreign`,
};
const TABLES: Record<string, Record<string, readonly string[]>> = {
  incident: INCIDENT_STATUS,
  repair: REPAIR_STATE,
  hold: HOLD_STATE,
  ownership: OWNERSHIP_STATE,
};

const allowed = (text: string): Set<string> =>
  new Set(
    text
      .trim()
      .split('\n')
      .flatMap((line) => {
        const [from = '', to = ''] = line.split('->').map((x) => x.trim());
        return [`${from} ${from}`, ...to.split(' ').flatMap((t) => (t === '' ? [] : [`${from} ${t}`]))];
      }),
  );

describe.each(Object.entries(DIAGRAMS))('the life of one %s', (what, text) => {
  const table = TABLES[what] ?? {};
  const states = Object.keys(table);
  const pairs = states.flatMap((from) => states.map((to) => [from, to] as const));

  test('has the steps of the diagram and no others; an illegal one says what it was', () => {
    const legal = allowed(text);
    expect(states).toEqual([...new Set([...legal].map((p) => p.split(' ')[0]))]);
    for (const [from, to] of pairs) {
      if (legal.has(`${from} ${to}`)) expect(step(table, 'x', from, to)).toBe(to);
      else
        expect(() => step(table, `${what} 1`, from, to)).toThrow(
          expect.objectContaining({ kind: 'internal', message: `illegal step of ${what} 1: ${from} -> ${to}` }),
        );
    }
  });

  test('names only states that there are', () => {
    for (const to of Object.values(table).flat()) expect(states).toContain(to);
  });
});

const those = <T extends string>(table: Record<T, unknown>, is: (s: T) => boolean) => (Object.keys(table) as T[]).filter(is);

test('what is over, what is still at work, what still asks for a pause', () => {
  expect(those(INCIDENT_STATUS, isOver)).toEqual(['resolved', 'dismissed']);
  expect(those(REPAIR_STATE, isActiveRepair)).toEqual(['planning', 'proposed', 'approved', 'running']);
  expect(those(HOLD_STATE, isHolding)).toEqual(['intended', 'held', 'foreign']);
});
