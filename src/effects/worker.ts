/**
 * The only place that acts outside, and only from stored intents: claim (on disk before anything is sent), run, feed the outcome back through
 * `respond.ts`. Lanes keep a slow notice or a stuck plan from delaying a hold.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Outcome } from '../core/events.ts';
import { CHANGES_OUTSIDE, type Intent, type IntentKind } from '../core/intent.ts';
import { isUnavailable } from '../errors.ts';
import type { Responder } from '../respond.ts';
import type { ClaimLane } from '../store/claiming.ts';
import type { Claimed, Store } from '../store/store.ts';
import { type ChannelGate, type ChannelTrouble, createChannelGate } from './channelGate.ts';
import { deliver } from './deliver.ts';
import type { EffectDeps } from './deps.ts';
import { pauseDag } from './pauseDag.ts';
import { planDelivery } from './planDelivery.ts';
import { planRelease } from './planRelease.ts';
import { planRepair } from './planRepair.ts';
import { repairStep } from './repairStep.ts';
import { type Announce, sendNotice } from './sendNotice.ts';
import { survey, surveyElsewhere } from './survey.ts';
import { unpauseDag } from './unpauseDag.ts';

export interface Worker {
  /** Looks for due intents now. Cheap and safe to call at any time. */
  wake(): void;
  /** Takes nothing new and waits for what is under way. */
  stop(): Promise<void>;
  /** Channels that nothing has reached for a while. */
  troubles(): readonly ChannelTrouble[];
}

interface Deps {
  readonly store: Pick<Store, 'claim'>;
  readonly responder: Pick<Responder, 'respond'>;
  readonly effects: EffectDeps;
  readonly announce: Announce;
  readonly onError: (error: unknown, what: string) => void;
  /** 0 to 1, new at every call. */
  readonly chance: () => number;
}

const UNRECORDED_MS = 2_000;

interface Lane {
  readonly kinds: readonly IntentKind[];
  readonly width: number;
  running: number;
}

/** The client's own bulkhead keeps each Airflow at its width; the lane only bounds what is claimed at once. */
const makeLanes = (): Lane[] => [
  { kinds: ['pause_dag', 'unpause_dag'], width: 64, running: 0 },
  // Not together with the plans: a hold waits for its survey and a release for its own plan, and repairs hang where dry runs hang.
  { kinds: ['survey'], width: 8, running: 0 },
  // Eight of them at an Airflow that is slow kept a failure in another one waiting for 52 s.
  { kinds: ['survey_elsewhere'], width: 64, running: 0 },
  { kinds: ['plan_repair'], width: 8, running: 0 },
  { kinds: ['plan_release', 'plan_delivery'], width: 8, running: 0 },
  { kinds: ['repair_step', 'deliver'], width: 8, running: 0 },
  // Each channel has a bulkhead of its own, so that one that hangs keeps no other one waiting.
  { kinds: ['send_notice'], width: 32, running: 0 },
];

export function createWorker({ store, responder, effects, announce, onError, chance }: Deps): Worker {
  const lanes = makeLanes();
  const channels = createChannelGate(effects.now, chance);
  const underWay = new Set<Promise<void>>();
  const ids = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let looking: Promise<void> | null = null;
  let again = false;

  async function run({ intent, settle }: Claimed, lane: Lane): Promise<void> {
    try {
      const work = () => perform(effects, announce, intent, settle);
      const outcome = await tried(intent, settle, channels, work);
      await record(intent, outcome, { responder, onError, stopped: () => stopped });
    } catch (error) {
      // The outcome could not be recorded. An act that changes something stays `sending` and is settled by reading Airflow at the next start;
      // one that only reads is taken again, but not at once: a disk that is full must not become a loop against Airflow.
      onError(error, `${intent.act.kind} ${intent.id}`);
      await pause(UNRECORDED_MS, undefined, { ref: false });
    } finally {
      lane.running--;
      ids.delete(intent.id);
      wake();
    }
  }

  async function look(): Promise<void> {
    const at = new Date(effects.now()).toISOString();
    const { claimed, nextDue } = await store.claim(at, roomIn(lanes, channels), ids);
    for (const c of claimed) {
      const lane = lanes.find((l) => l.kinds.includes(c.intent.act.kind));
      if (!lane) continue;
      lane.running++;
      ids.add(c.intent.id);
      const work = run(c, lane);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    }
    if (timer) clearTimeout(timer);
    const next = Math.min(nextDue === null ? Number.POSITIVE_INFINITY : Date.parse(nextDue), channels.nextOpening());
    if (Number.isFinite(next) && !stopped) timer = setTimeout(wake, Math.max(5, next - effects.now()));
  }

  function wake(): void {
    if (stopped) return;
    again = true;
    if (looking) return;
    looking = (async () => {
      while (again && !stopped) {
        again = false;
        await look().catch((error: unknown) => {
          onError(error, 'looking for due intents');
          // What is due stays due, also when nothing else happens meanwhile.
          if (timer) clearTimeout(timer);
          if (!stopped) timer = setTimeout(wake, UNRECORDED_MS);
        });
      }
      looking = null;
    })();
  }

  return {
    wake,
    stop: async () => {
      stopped = true;
      if (timer) clearTimeout(timer);
      // What a claim that is under way takes is on disk as being sent: it is made, and waited for.
      await looking;
      await Promise.allSettled([...underWay]);
    },
    troubles: channels.troubles,
  };
}

const roomIn = (lanes: readonly Lane[], channels: ChannelGate): ClaimLane[] =>
  lanes.map((l) => ({
    ...{ kinds: l.kinds, room: l.width - l.running, record: l.kinds.some((k) => CHANGES_OUTSIDE[k]) },
    ...(l.kinds.includes('send_notice') ? { roomOf: channels.room } : {}),
  }));

async function tried({ act }: Intent, settle: boolean, channels: ChannelGate, work: () => Promise<Outcome>): Promise<Outcome> {
  // A notice cannot be looked for: after a crash it is sent again, whether it arrived or not.
  if (act.kind === 'send_notice') return channels.through(act.channel, work);
  const outcome = await work();
  return settle ? stillUnknown(outcome) : outcome;
}

/** What was done outside is known here and nowhere else: while the disk takes nothing it is kept, and written when it does again. */
async function record(
  intent: Intent,
  outcome: Outcome,
  { responder, onError, stopped }: Pick<Deps, 'responder' | 'onError'> & { stopped(): boolean },
): Promise<void> {
  for (;;) {
    try {
      await responder.respond({ type: 'outcome', intentId: intent.id, outcome });
      return;
    } catch (error) {
      if (!isUnavailable(error) || stopped()) throw error;
      onError(error, `recording ${intent.act.kind} ${intent.id}`);
      await pause(UNRECORDED_MS, undefined, { ref: false });
    }
  }
}

/**
 * A look that failed proves nothing: what was unknown before it is unknown after it. Taking its failure for "not done" would send the request again
 * without a look (seen with an answer lost and Airflow gone for two seconds after it: a second backfill, a second asset event).
 */
function stillUnknown(outcome: Outcome): Outcome {
  if (outcome.result === 'not_yet') return { result: 'unknown', error: outcome.why, unread: true };
  if (outcome.result !== 'failed' || !outcome.retry) return outcome;
  const { error, retryAfterMs } = outcome;
  return { result: 'unknown', error, unread: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** One file per act; the switch does not compile until each has one. */
function perform(effects: EffectDeps, announce: Announce, intent: Intent, settle: boolean): Promise<Outcome> {
  const { act } = intent;
  switch (act.kind) {
    case 'survey':
      return survey(effects, act);
    case 'survey_elsewhere':
      return surveyElsewhere(effects, act);
    case 'pause_dag':
      return pauseDag(effects, intent, act, settle);
    case 'unpause_dag':
      return unpauseDag(effects, intent, act, settle);
    case 'plan_repair':
      return planRepair(effects, act);
    case 'repair_step':
      return repairStep(effects, intent, act, settle);
    case 'plan_release':
      return planRelease(effects, act);
    case 'plan_delivery':
      return planDelivery(effects, act);
    case 'deliver':
      return deliver(effects, intent, act, settle);
    case 'send_notice':
      return sendNotice(announce, intent, act);
    default:
      return act satisfies never;
  }
}
