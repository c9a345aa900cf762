/**
 * What really happened, kept by the simulator itself: who touched which DAG in which order, what failed, who said yes to what. It also mirrors every
 * decision that the service committed. The laws are checked against this, never against what the service believes.
 */
import type { Decision } from '../../../../src/core/draft.ts';
import type { Hold, Ownership } from '../../../../src/core/hold.ts';
import type { Incident } from '../../../../src/core/incident.ts';
import type { Intent } from '../../../../src/core/intent.ts';
import { isOver } from '../../../../src/core/lifecycle.ts';
import type { Repair, Step } from '../../../../src/core/plan.ts';
import type { HeardSignal } from '../../../../src/core/signal.ts';
import type { DagSpec } from '../../fakeAirflow/types.ts';

export interface Touch {
  readonly seq: number;
  readonly at: number;
  readonly dagId: string;
  readonly paused: boolean;
  /** False where the DAG already was so. */
  readonly changed: boolean;
  /** It undid a pause of ours. */
  readonly undidOurs: boolean;
  readonly who: string;
}

export interface Failure {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string | null;
  readonly at: number;
  /** When the attempt had started. */
  readonly start: number | null;
  /** It failed in weather that loses hardly anything. */
  readonly calm: boolean;
  /** When it stood no more: cleared, or given another state. */
  until: number | null;
}

/** An order by name that ends a hold, or all of an incident. */
export interface Order {
  readonly at: number;
  /** Of the incident, or of this one hold of it. */
  readonly incidentId: string;
  readonly holdId: string | null;
}

/** A yes as the person gave it: to what they had before their eyes. */
export interface GivenApproval {
  readonly repairId: string;
  readonly digest: string;
  readonly steps: readonly Step[];
  readonly at: number;
  /** Steps that were used up by an effect, by `kind dag what`. */
  readonly used: Map<string, number>;
}

/** Who last moved the switch of a DAG, and what everybody wished. */
export interface SwitchTruth {
  paused: boolean;
  /** Who made it paused; null while it is not. */
  pausedBy: 'us' | 'others' | null;
  /** Place of our newest pause that had an effect. */
  ourPauseSeq: number;
  ourPauseAt: number;
  touches: Touch[];
  /** Orders by name of a person of ours to let it go, whoever touched it: place in the order. */
  forcedSeq: number;
  /** When that was. Its first attempt may cross with what people do in the seconds after it. */
  forcedAt: number;
  /** Place of our last readings of the audit log, of this DAG and of bulk rows. */
  auditReadSeq: number;
  /** Place at which the attempt to pause that is under way was claimed. */
  attemptSeq: number;
  /** The holds that our last pause was for. */
  pausedFor: ReadonlySet<string>;
  /** Times when we held it: from our pause to the end of it. */
  intervals: { from: number; to: number | null; end: 'us' | 'others' | null }[];
}

/** All that the judges can say. Each has a control in `sabotages.ts` that shows it to be seen: `controls.test.ts` counts them. */
export const LAWS = [
  'shadow touches nothing',
  'only what is downstream is paused',
  'what is protected is never paused',
  'no second pause against a person',
  'nothing that a person touched is unpaused by us',
  'nothing that a person paused is unpaused by us',
  'no repair without a yes to exactly this plan',
  'nothing is run again twice for one yes',
  'a missed event is delivered once',
  'the books agree',
  'saved first, sent second',
  'nothing is released before it is verified',
  'no more is held than the cap allows',
  'too many at once is the platform, not the data',
  'no time runs backwards',
  'no decision fails inside',
  'what was said first is told first',
  'every failure is heard',
  '202 means stored',
  'every story ends',
  'nothing is held for ever',
  'every intent ends',
  'the simulator knows the switches',
  'what a person paused stays paused',
  'what was paused before us stays paused',
  'what we held runs again',
  'what was missed is delivered once',
  'what was missed is made good',
  'what failed stands in an incident',
  'what reads it is held, or spared with a reason',
] as const;
export type Law = (typeof LAWS)[number];

export interface Violation {
  readonly law: Law;
  readonly at: number;
  readonly text: string;
}

/**
 * An order to let go whoever touched it is about what was before the order, and what crosses its first attempt: ten seconds to make it, and the way of a
 * request. What is made later asks who was there since.
 */
const FORCED_FOR_MS = 30_000;
export const coveredByOrder = (s: SwitchTruth, t: Touch): boolean => s.forcedSeq > 0 && t.at <= s.forcedAt + FORCED_FOR_MS;

export class Truth {
  readonly switches = new Map<string, SwitchTruth>();
  bulkAuditReadSeq = 0;
  readonly failures: Failure[] = [];
  readonly failedDags = new Set<string>();
  readonly approvals: GivenApproval[] = [];
  readonly violations: Violation[] = [];
  /** Ids of callbacks that were answered 202. */
  readonly acknowledged = new Set<string>();
  readonly notices: string[] = [];
  /** DAGs that somebody deleted: the links of the last survey reach behind them until the next one. */
  readonly deleted = new Map<string, { readonly spec: DagSpec; readonly at: number }>();
  /** When the links were last read out of Airflow. */
  linksReadAt = 0;
  /** Place at which each intent was first claimed, and at which its outcome was on disk. */
  readonly claims = new Map<string, number>();
  readonly concluded = new Map<string, number>();
  /** Unpauses that were judged when they were decided. */
  readonly judged = new Set<string>();
  /** Runs that succeeded, each attempt. */
  readonly successes: { readonly dagId: string; readonly runId: string; readonly start: number; readonly at: number }[] = [];
  /** When each incident was first seen, and by which clock; DAGs about which a person opened one. */
  readonly opened = new Map<string, { readonly at: number; readonly skew: number }>();
  readonly declared = new Set<string>();
  /** Incidents that a person has ordered to let go and has no answer yet. */
  readonly wanted = new Set<string>();
  readonly eventOps = new Map<string, number>();
  readonly orders: Order[] = [];
  /** When the service was killed or started, and when Airflow went and came. */
  readonly troubles: number[] = [];
  /** When each incident was last seen open, and when each hold ended. */
  readonly lastOpen = new Map<string, number>();
  readonly endedAt = new Map<string, number>();
  readonly seenAt = new Map<string, number>();
  /** Whom each incident has spared, ever, although what they read was not made. */
  readonly sparedBy = new Map<string, Set<string>>();
  // The mirror of what is committed.
  readonly incidents = new Map<string, Incident>();
  readonly holds = new Map<string, Hold>();
  readonly ownerships = new Map<string, Ownership>();
  readonly repairs = new Map<string, Repair>();
  readonly intents = new Map<string, Intent>();
  readonly signals = new Map<string, HeardSignal>();
  readonly figures = {
    pauses: 0,
    unpauses: 0,
    clears: 0,
    backfills: 0,
    triggers: 0,
    events: 0,
    crashes: 0,
    touches: 0,
    /** Times when two people clicked in one instant, and DAGs deleted while we held them. */
    together: 0,
    deleted: 0,
    approvals: 0,
    /** Failures of which the end asked whether they were answered, and readers of theirs. */
    answered: 0,
    readers: 0,
    /** Requests of which it was asked whether they were on disk first, and holds of which, whether their incident was whole. */
    saved: 0,
    verified: 0,
    /** Pairs of times of which one must not be before the other. */
    times: 0,
  };

  switchOf(dagId: string): SwitchTruth {
    const found = this.switches.get(dagId);
    if (found) return found;
    const fresh: SwitchTruth = {
      ...{
        paused: false,
        pausedBy: null,
        ourPauseSeq: 0,
        ourPauseAt: 0,
        touches: [],
        forcedSeq: 0,
        forcedAt: 0,
        auditReadSeq: 0,
        attemptSeq: 0,
        pausedFor: new Set<string>(),
      },
      intervals: [],
    };
    this.switches.set(dagId, fresh);
    return fresh;
  }

  /** A person moved the switch in Airflow, or tried to. */
  touch(t: Omit<Touch, 'changed' | 'undidOurs'>): void {
    const s = this.switchOf(t.dagId);
    const changed = s.paused !== t.paused;
    s.touches.push({ ...t, changed, undidOurs: changed && s.pausedBy === 'us' });
    this.figures.touches++;
    if (changed && s.pausedBy === 'us') closeInterval(s, t.at, 'others');
    s.paused = t.paused;
    if (changed) s.pausedBy = t.paused ? 'others' : null;
  }

  /** What the people outside want of this DAG: what they said last, or how it was before us. */
  wish(dagId: string): 'paused' | 'unpaused' | null {
    const last = this.switchOf(dagId).touches.at(-1);
    return last === undefined ? null : last.paused ? 'paused' : 'unpaused';
  }

  fold(d: Decision, at: number): void {
    for (const i of d.incidents) {
      // Until this very decision, also where it is the one that ended it.
      if (!isOver(i.status) || !isOver(this.incidents.get(i.id)?.status ?? 'resolved')) this.lastOpen.set(i.id, at);
      this.incidents.set(i.id, i);
      const spared = this.sparedBy.get(i.id) ?? new Set();
      for (const s of i.spared) if (s.reason.code !== 'not_affected') spared.add(s.dagId);
      this.sparedBy.set(i.id, spared);
    }
    for (const h of d.holds) {
      if (!this.seenAt.has(h.id)) this.seenAt.set(h.id, at);
      if (h.releasedAt !== null && !this.endedAt.has(h.id)) this.endedAt.set(h.id, at);
      this.holds.set(h.id, h);
    }
    for (const o of d.ownerships) this.ownerships.set(o.dagId, o);
    for (const r of d.repairs) this.repairs.set(r.id, r);
    for (const i of d.intents) this.intents.set(i.id, i);
    for (const s of d.signals) this.signals.set(s.key, s);
  }

  break(law: Law, at: number, text: string): void {
    // One story breaks a law once; the rest is noise, and must not leave another law unsaid.
    if (this.violations.filter((v) => v.law === law).length < 3) this.violations.push({ law, at, text });
  }
}

export function closeInterval(s: SwitchTruth, at: number, end: 'us' | 'others'): void {
  const open = s.intervals.at(-1);
  if (open && open.to === null) Object.assign(open, { to: at, end });
}
