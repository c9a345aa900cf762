/**
 * What is true of every decision, whatever it is about: looked at after each one of each scenario, so that no test has to say it again.
 */
import type { Decision } from '../../src/core/draft.ts';
import { isActiveRepair } from '../../src/core/lifecycle.ts';
import { NOTIFY_EVENTS } from '../../src/core/policy.ts';
import { REASONS, type Reason } from '../../src/core/reason.ts';
import { allWhole } from '../../src/core/verification.ts';

/** A reason is one of the closed list, and every blank of its sentence is filled: people never read a "?". */
function whole(what: string, r: Reason): string[] {
  const text: string | undefined = REASONS[r.code];
  if (text === undefined) return [`${what}: no such reason: "${r.code}"`];
  const blanks = [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  return blanks.filter((b) => !r.detail[b]).map((b) => `${what}: ${r.code} leaves {${b}} empty`);
}

const same = (what: string, a: boolean, b: boolean): string[] => (a === b ? [] : [what]);

function ofHistory(d: Decision, now: string): string[] {
  return d.timeline.flatMap((t) => [
    ...whole(`timeline ${t.event}`, t.reason),
    ...same(`timeline: "${t.event}" is no noun.verb`, /^[a-z]+\.[a-z_]+$/.test(t.event), true),
    ...same(`timeline ${t.event} is about ""`, t.subject === '', false),
    ...same(`timeline ${t.event} is not of this moment`, t.at === now, true),
  ]);
}

function ofRows(d: Decision): string[] {
  return [
    ...d.incidents.flatMap((i) => [
      ...whole(`${i.id} ${i.status}`, i.statusReason),
      ...i.spared.flatMap((s) => whole(`${i.id} spares ${s.dagId}`, s.reason)),
      ...i.deliveries.flatMap((x) => whole(`${i.id} delivers to ${x.dagId}`, x.reason)),
      ...same(`${i.id} is verified with failed runs`, i.status !== 'verifying' || i.releasing || allWhole(i), true),
      ...same(`${i.id} has no rule or no title`, i.rule !== '' && i.title !== '', true),
    ]),
    ...d.holds.flatMap((h) => [
      ...whole(`${h.id} of ${h.dagId}`, h.reason),
      ...same(`${h.id} is ${h.state}, releasedAt ${h.releasedAt}`, /^(released|ceded)$/.test(h.state), h.releasedAt !== null),
    ]),
    ...d.repairs.flatMap((r) => [
      ...whole(r.id, r.stateReason),
      ...same(`${r.id} is ${r.state}, endedAt ${r.endedAt}`, isActiveRepair(r.state), r.endedAt === null),
      ...r.steps.flatMap((s) => (s.reason ? whole(`${r.id} step ${s.n}`, s.reason) : [])),
    ]),
  ];
}

function ofIntents(d: Decision): string[] {
  return d.intents.flatMap(({ id, act }) => {
    if (act.kind !== 'send_notice') return [];
    const known = NOTIFY_EVENTS.includes(act.event) && act.subject !== '' && act.channel !== '';
    return known ? [] : [`notice ${id}: "${act.event}" about "${act.subject}" by "${act.channel}"`];
  });
}

export function mustBeLawful(d: Decision, now: string): void {
  const broken = [...ofHistory(d, now), ...ofRows(d), ...ofIntents(d)];
  if (broken.length > 0) throw new Error(`an unlawful decision: ${broken.join('; ')}`);
}
