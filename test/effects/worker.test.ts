/** What waits for another Airflow must not fill the places of what does not. */
import { expect, test } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import type { Intent, IntentAct } from '../../src/core/intent.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { createWorker } from '../../src/effects/worker.ts';
import { createResponder } from '../../src/respond.ts';
import { edge, POLICY, run, START, taskFailed } from '../core/scenario.ts';
import { memoryShelf } from '../support/faults/sim/shelves.ts';

const FAILING = Array.from({ length: 30 }, (_, n) => `a${n}`);

test('thirty looks at an Airflow that never answers keep none of those here waiting, nor one elsewhere', async () => {
  const store = await memoryShelf().open();
  const edges = [...FAILING.map((id) => edge(`${id}>dev/c_${id}`)), edge('late>stage/x')];
  const world = { edges: () => edges, gaps: () => [], dag: () => null, dagCount: () => 100, hasRead: () => true };
  const hanging = new Set<string>();
  const never = (what: string) => () => {
    hanging.add(what);
    return new Promise(() => undefined);
  };
  const prod = {
    ...{ id: 'prod', auditCursor: async () => ({ readable: true, id: 1 }), getTaskGraph: async () => null },
    ...{ getRun: async (dagId: string) => run(dagId, 'r1'), listTasks: async () => [] },
  } as unknown as AirflowClient;
  const dev = { id: 'dev', auditCursor: never('cursor') } as unknown as AirflowClient;
  const getDag = async (dagId: string) => ({ dagId, paused: false, tags: [] });
  const stage = { id: 'stage', auditCursor: async () => ({ readable: true, id: 1 }), getDag } as unknown as AirflowClient;
  const clients: Readonly<Record<string, AirflowClient>> = { prod, dev, stage };
  let turn = 0;
  const done: IntentAct['kind'][] = [];
  const responder = createResponder({
    ...{ store, world, now: () => Date.parse(START) },
    policy: { ...POLICY, platform: { ...POLICY.platform, massFailureDags: 1_000 } },
    chance: () => `c${String(++turn).padStart(7, '0')}`,
    onDecision: (d) => {
      for (const i of d.intents) if (i.state === 'done') done.push(i.act.kind);
    },
  });
  const effects = { world, policy: POLICY, now: () => Date.parse(START), snapshot: store.snapshot } as unknown as EffectDeps;
  const worker = createWorker({
    ...{ store, responder, announce: async () => undefined, onError: () => undefined, chance: () => 0.5 },
    effects: { ...effects, client: (id: string) => clients[id] as AirflowClient },
  });
  const fails = (id: string) => responder.respond({ type: 'signal', signal: taskFailed(id, 'r1', { key: id }) });
  const surveyed = (n: number) => expect.poll(() => done.filter((kind) => kind === 'survey').length, { timeout: 10_000 }).toBe(n);
  await Promise.all(FAILING.map(fails));
  worker.wake();
  await surveyed(FAILING.length);
  // Each look at dev is given five seconds: eight at a time in the places of the others, and this one waits for twenty.
  await fails('late');
  worker.wake();
  await surveyed(FAILING.length + 1);
  expect(hanging).toEqual(new Set(['cursor']));
  // Nor those of a third one, which answers.
  await expect.poll(async () => (await store.snapshot()).holds.map((h) => h.dagId), { timeout: 4_000 }).toContain('x');
});

test('a stop waits for what was just being claimed: it is on disk as being sent', async () => {
  const acted: string[] = [];
  let stopped = false;
  let claims = 0;
  const act = { kind: 'send_notice', channel: 'c', incidentId: 'inc-1', event: 'opened', subject: 'a' } as const;
  const intent: Intent = {
    ...{ id: 'int-1', op: 'x', attempts: 1, state: 'sending', createdAt: START, dueAt: START },
    lastError: null,
    act,
  } as const;
  const store = {
    claim: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { claimed: claims++ === 0 ? [{ intent, settle: false }] : [], nextDue: null };
    },
  };
  const worker = createWorker({
    ...{ store, responder: { respond: async () => ({}) as never }, effects: { now: Date.now } as unknown as EffectDeps },
    ...{ onError: () => undefined, chance: () => 0.5 },
    announce: async () => void acted.push(stopped ? 'after the stop' : 'before it'),
  });
  worker.wake();
  await worker.stop();
  stopped = true;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(acted).toEqual(['before it']);
});
