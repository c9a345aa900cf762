/**
 * THE way in. Everything that makes Firedamper decide something comes through here: within one transaction of the store, load, decide, save.
 * Nothing else is ever awaited in there. What waits when a transaction ends goes into the next one together, so a storm is few commits.
 */

import { decide } from './core/decide.ts';
import type { Context, Decision } from './core/draft.ts';
import { addMs } from './core/draft.ts';
import type { Answer, DomainEvent, Person, PersonAct, World } from './core/events.ts';
import type { Policy } from './core/policy.ts';
import { isUnavailable } from './errors.ts';
import type { Store } from './store/store.ts';

export interface Responder {
  /** Resolves when the decision is on disk. Rejects with a FiredamperError where the event is refused; nothing has changed then. */
  respond(event: DomainEvent): Promise<Decision>;
  /** The same for a callback: the inbox row is marked as done in the same transaction. */
  respondTo(inboxRow: number, event: DomainEvent): Promise<Decision>;
  act(person: Person, act: PersonAct): Promise<Answer>;
}

interface Deps {
  readonly store: Pick<Store, 'evaluate'>;
  readonly policy: Policy;
  readonly world: World;
  readonly now: () => number;
  /** Letters and digits, at least 8, new at every call. */
  readonly chance: () => string;
  /** Called after every decision that is on disk. */
  readonly onDecision: (decision: Decision) => void;
}

interface Waiting {
  readonly event: DomainEvent;
  readonly inboxRow: number | null;
  resolve(decision: Decision): void;
  reject(error: unknown): void;
}

const MAX_BATCH = 200;

export function createResponder({ store, policy, world, now, chance, onDecision }: Deps): Responder {
  const queue: Waiting[] = [];
  let busy = false;

  async function evaluate(batch: readonly Waiting[]): Promise<void> {
    const at = new Date(now()).toISOString();
    const context: Context = { now: at, chance: chance(), policy, world };
    const rows = batch.flatMap((w) => w.inboxRow ?? []);
    const events = batch.map((w) => w.event);
    const decision = await store.evaluate(events, addMs(at, -policy.monitor.reopenWithinMs), rows, (state) =>
      decide(state, events, context),
    );
    for (const w of batch) w.resolve(decision);
    onDecision(decision);
  }

  async function drain(): Promise<void> {
    busy = true;
    for (let batch = take(queue); batch.length > 0; batch = take(queue)) {
      // A refused event must not take its neighbours with it: a failed batch is done again one by one.
      await evaluate(batch).catch(async (error: unknown) => {
        if (batch.length === 1) return batch[0]?.reject(error);
        // The disk's fault is nobody's of them: each alone would only fail, and wait, once more.
        if (isUnavailable(error)) return batch.forEach((w) => void w.reject(error));
        for (const w of batch) await evaluate([w]).catch(w.reject);
      });
    }
    busy = false;
  }

  const submit = (event: DomainEvent, inboxRow: number | null): Promise<Decision> =>
    new Promise((resolve, reject) => {
      queue.push({ event, inboxRow, resolve, reject });
      if (!busy) void drain();
    });

  return {
    respond: (event) => submit(event, null),
    respondTo: (row, event) => submit(event, row),
    act: async (actor, act) => (await submit({ type: 'person', actor, act }, null)).answer,
  };
}

/** A person's act stands alone: its answer is that decision's, and its refusal rolls back nothing else. */
function take(queue: Waiting[]): Waiting[] {
  if (queue[0]?.event.type === 'person') return queue.splice(0, 1);
  const end = queue.findIndex((w) => w.event.type === 'person');
  return queue.splice(0, Math.min(end < 0 ? queue.length : end, MAX_BATCH));
}
