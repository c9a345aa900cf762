/** Which of the waiting intents are taken up now. Pure: the same rule for SQLite and for the simulator's memory. */
import type { Instant } from '../core/facts.ts';
import { type IntentAct, type IntentKind, type IntentState, isDue } from '../core/intent.ts';

export interface ClaimLane {
  readonly kinds: readonly IntentKind[];
  /** At most so many. */
  readonly room: number;
  /** False for acts that only read: nothing has to be settled after a crash, so they cost no write. The caller remembers what it has taken. */
  readonly record: boolean;
  /** Of this room, for notices: how many may go to one channel. */
  readonly roomOf?: (channel: string) => number;
}

/** As much of an intent that is not over as the choice needs. */
export interface Waiting {
  readonly id: string;
  readonly kind: string;
  readonly state: IntentState;
  readonly dueAt: Instant;
  readonly createdAt?: Instant;
  readonly attempts: number;
  /** Only notices stand in a queue: what was said first about an incident arrives first in a channel. */
  readonly queue: Queue | null;
}

interface Queue {
  readonly channel: string;
  readonly incidentId: string;
}

export const queueOf = (act: IntentAct): Queue | null =>
  act.kind === 'send_notice' ? { channel: act.channel, incidentId: act.incidentId } : null;

export interface Choice<T> {
  readonly taken: readonly { readonly row: T; readonly record: boolean }[];
  readonly nextDue: Instant | null;
}

/** `rows` in the order in which they were decided; of notices also those that are being sent, because nothing overtakes them. */
export function choose<T extends Waiting>(
  rows: readonly T[],
  now: Instant,
  lanes: readonly ClaimLane[],
  underWay: ReadonlySet<string>,
): Choice<T> {
  const first = heads(rows).filter((r) => r.state !== 'sending' && !underWay.has(r.id));
  const taken = lanes.flatMap((lane) => {
    const due = first.filter((r) => isDue(r.dueAt, now, r.createdAt) && lane.kinds.includes(r.kind as IntentKind));
    const chosen = lane.roomOf ? byChannel(due, lane.roomOf) : due;
    return chosen.slice(0, lane.room).map((row) => ({ row, record: lane.record }));
  });
  // An intent that is due but had no room waits for the lane, which wakes the worker when it has some; it must not make a timer spin.
  const nextDue =
    first
      .filter((r) => !isDue(r.dueAt, now, r.createdAt) && hasRoom(r, lanes))
      .map((r) => r.dueAt)
      .sort()[0] ?? null;
  return { taken, nextDue };
}

/** Everything that stands in no queue, and of each queue the first. */
function heads<T extends Waiting>(rows: readonly T[]): T[] {
  const begun = new Set<string>();
  return rows.filter(({ queue }) => {
    if (queue === null) return true;
    const key = JSON.stringify([queue.channel, queue.incidentId]);
    if (begun.has(key)) return false;
    begun.add(key);
    return true;
  });
}

/** What was tried least goes first: a notice that its receiver refuses again and again must not be the one that asks whether the channel is back. */
function byChannel<T extends Waiting>(due: readonly T[], roomOf: (channel: string) => number): T[] {
  const left = new Map<string, number>();
  return due
    .toSorted((a, b) => a.attempts - b.attempts)
    .filter(({ queue }) => {
      if (queue === null) return true;
      const room = left.get(queue.channel) ?? roomOf(queue.channel);
      left.set(queue.channel, room - 1);
      return room > 0;
    });
}

const hasRoom = ({ kind, queue }: Waiting, lanes: readonly ClaimLane[]): boolean =>
  queue === null ||
  lanes.every((l) => l.roomOf === undefined || !l.kinds.includes(kind as IntentKind) || l.roomOf(queue.channel) > 0);
