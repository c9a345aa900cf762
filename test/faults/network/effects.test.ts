/**
 * R5: every kind of effect, with the network failing at exactly its request, before and after the effect. Whatever is lost, the service finds out by
 * reading, and in the end Airflow has gone through each effect exactly once.
 */
import { describe, expect, test } from 'vitest';
import { failsAsItMust, figure } from '../../support/faults/crash/figure.ts';
import { type Folder, lightFolder } from '../../support/faults/network/folder.ts';
import {
  type FaultProxy,
  type PlacedToxic,
  startFaultProxy,
  type Toxic,
  type ToxicKind,
} from '../../support/faults/network/proxy.ts';
import { startReceiver } from '../../support/faults/network/receiver.ts';
import { startRetrier } from '../../support/faults/network/retrier.ts';
import {
  EFFECTS,
  type EffectKind,
  existsOn,
  type Generation,
  goThrough,
  REQUEST,
  sceneFor,
} from '../../support/faults/network/scenes.ts';
import { type ServiceOptions, startService } from '../../support/service.ts';

interface NetworkFault {
  readonly name: string;
  readonly toxics: readonly (ToxicKind & { readonly stream: Toxic['stream'] })[];
  /** Afterwards nobody answers at all for so long: the read-back fails too. */
  readonly thenDownMs?: number;
  /** So long after it was sent, at most, the effect may still come. */
  readonly lateMs?: number;
}

const inBoth = (kind: ToxicKind): NetworkFault['toxics'] => [
  { ...kind, stream: 'upstream' },
  { ...kind, stream: 'downstream' },
];

const FAULTS: readonly NetworkFault[] = [
  { name: 'reset before the effect', toxics: [{ kind: 'reset_peer', stream: 'upstream' }] },
  { name: 'half-open before the effect', toxics: [{ kind: 'timeout', ms: 0, stream: 'upstream' }] },
  { name: 'a gateway says 502 before the effect', toxics: [{ kind: 'page', status: 502, stream: 'upstream' }] },
  { name: 'reset after the effect', toxics: [{ kind: 'reset_peer', stream: 'downstream' }] },
  { name: 'half-open after the effect', toxics: [{ kind: 'timeout', ms: 0, stream: 'downstream' }] },
  { name: 'half an answer', toxics: [{ kind: 'limit_data', bytes: 200, stream: 'downstream' }] },
  { name: 'a gateway says 504 after the effect', toxics: [{ kind: 'page', status: 504, stream: 'downstream' }] },
  { name: 'a log-in page, 200, after the effect', toxics: [{ kind: 'page', status: 200, stream: 'downstream' }] },
  { name: 'reset after the effect, then down', toxics: [{ kind: 'reset_peer', stream: 'downstream' }], thenDownMs: 2_500 },
  { name: 'the effect comes after the time-out', toxics: [{ kind: 'latency', ms: 2_000, stream: 'upstream' }], lateMs: 2_000 },
  // 0.4 to 1.6 s with a time-out of one: some are answered, some come late, and no two alike.
  { name: 'jitter', toxics: [{ kind: 'latency', ms: 1_000, jitter: 600, stream: 'upstream' }], lateMs: 1_600 },
  {
    name: 'bandwidth before the effect',
    toxics: [{ kind: 'bandwidth', bytesPerSecond: 300, stream: 'upstream' }],
    lateMs: 4_000,
  },
  { name: 'bandwidth after the effect', toxics: [{ kind: 'bandwidth', bytesPerSecond: 100, stream: 'downstream' }] },
  // Nothing is lost by these.
  {
    name: 'in pieces, and a slow close',
    toxics: [...inBoth({ kind: 'slicer', bytes: 40 }), ...inBoth({ kind: 'slow_close', ms: 3_000 })],
  },
];

const settings = (url: string, folder: Folder): ServiceOptions => ({ airflow: { url, timeout: '1s' }, folder: folder.path });
const PATIENCE_MS = 60_000;

/** Lets the fault happen to the first request of this kind; answers what is wrong in the end, and whether the fault has happened. */
async function tried(kind: EffectKind, generation: Generation, fault: NetworkFault): Promise<{ wrong: string[]; hits: number }> {
  const scene = await sceneFor(kind, generation);
  // Of its own, or each kind of effect would meet the same jitter.
  const proxy = await startFaultProxy(scene.fake.url, `${kind} ${generation}`);
  const folder = lightFolder();
  const service = await startService(scene.fake, settings(proxy.url, folder));
  const placed = fault.toxics.map((toxic) => proxy.add({ ...toxic, when: REQUEST[kind], times: 1 }));
  try {
    const down = fault.thenDownMs === undefined ? null : downAfter(proxy, placed, fault.thenDownMs);
    // A pause that comes when its DAG has been let go already is one that nobody can tell from a new one: nothing is released so soon after its hold.
    const late = fault.lateMs ?? 0;
    await goThrough(scene, service, PATIENCE_MS, kind === 'pause' ? late : 0);
    await down;
    // What is still in the network must have come before it is judged.
    await new Promise((resolve) => setTimeout(resolve, late));
    return { wrong: scene.judge(), hits: Math.min(...placed.map((one) => one.hits)) };
  } finally {
    await service.stop();
    await proxy.close();
    await scene.fake.close();
    folder.remove();
  }
}

async function downAfter(proxy: FaultProxy, placed: readonly PlacedToxic[], ms: number): Promise<void> {
  while (placed.some((one) => one.hits === 0)) await new Promise((resolve) => setTimeout(resolve, 2));
  await proxy.down();
  await new Promise((resolve) => setTimeout(resolve, ms));
  await proxy.up();
}

/** The short form tries on 2.x only what differs there: how the effect is found again. And nowhere what takes four seconds to come late, as others do. */
const SHORT_ON_2 = /^(reset|half-open after|the effect comes|a gateway says 504)/;
const SHORT_ON_3 = /^(?!bandwidth before)/;
const LONG = process.env.FIREDAMPER_LONG === '1';
const cases = ([3, 2] as const).flatMap((generation) =>
  EFFECTS.filter((kind) => existsOn(kind, generation)).flatMap((kind) =>
    FAULTS.filter(({ name }) => LONG || (generation === 3 ? SHORT_ON_3 : SHORT_ON_2).test(name)).map((fault) => ({
      generation,
      kind,
      fault,
    })),
  ),
);
let judged = 0;
let double = 0;

describe.concurrent('R5: each effect once', () => {
  test.each(cases)('Airflow $generation, $kind: $fault.name', async ({ generation, kind, fault }) => {
    const { wrong, hits } = await tried(kind, generation, fault);
    judged += 1;
    double += wrong.length;
    expect(hits, 'the fault has happened').toBe(1);
    expect(wrong).toEqual([]);
  });
});

test('R5 figure', () => {
  console.log(
    `figure: R5 cases=${judged} of=${cases.length} double_or_lost_effects=${double} unresolved=${cases.length - judged}`,
  );
  expect(judged).toBe(cases.length);
});

/** What people are told is an effect too, at its receiver: there at least once, in order, and known by its id where it came twice. */
const TWICE_IS_HONEST = /after the effect|half an answer|after the time-out/;
const NOTICE_FAULTS = FAULTS.map((fault) => ({ ...fault, shift: fault.name.includes('after the time-out') ? 11_000 : 0 }));
let told = 0;
let repeats = 0;

describe.concurrent('R5: each notice', () => {
  test.each(NOTICE_FAULTS)('$name', async (fault) => {
    const scene = await sceneFor('pause', 3);
    const chat = await startReceiver();
    const proxy = await startFaultProxy(chat.url);
    const folder = lightFolder();
    const channels = [
      { id: 'chat', kind: 'webhook', url: `${proxy.url}/hook`, events: ['opened', 'held', 'approval', 'resolved'] },
    ];
    const service = await startService(scene.fake, { ...settings(scene.fake.url, folder), channels });
    const placed = fault.toxics.map((toxic) =>
      proxy.add({
        ...toxic,
        ...(fault.shift > 0 ? { ms: fault.shift } : {}),
        when: /^POST [\s\S]*"event":"held"/,
        times: 1,
      }),
    );
    try {
      const down = fault.thenDownMs === undefined ? null : downAfter(proxy, placed, fault.thenDownMs);
      await goThrough(scene, service, PATIENCE_MS);
      await down;
      const events = () => [...new Map(chat.told.map((t) => [t.id, t.event])).values()];
      await service.until('everything told', async () => events().length >= 4, PATIENCE_MS);
      await new Promise((resolve) => setTimeout(resolve, fault.shift));
      expect(Math.min(...placed.map((one) => one.hits)), 'the fault has happened').toBe(1);
      expect(events()).toEqual(['opened', 'held', 'approval', 'resolved']);
      const again = chat.told.length - events().length;
      expect(again).toBeLessThanOrEqual(TWICE_IS_HONEST.test(fault.name) ? 1 : 0);
      told += 1;
      repeats += again;
    } finally {
      await service.stop();
      await Promise.all([proxy.close(), chat.close(), scene.fake.close()]);
      folder.remove();
    }
  });
});

test('R5 figure of notices', () => {
  figure('R5', {
    effect: 'notice',
    cases: told,
    of: NOTICE_FAULTS.length,
    lost_or_overtaken: NOTICE_FAULTS.length - told,
    told_twice: repeats,
  });
  expect(told).toBe(NOTICE_FAULTS.length);
});

/** These have nothing in Airflow that refuses the second one. */
test.each(['clear', 'event'] as const)('control: a client that sends a lost %s again blindly', async (kind) => {
  const scene = await sceneFor(kind, 3);
  const proxy = await startFaultProxy(scene.fake.url);
  const retrier = await startRetrier(proxy.url, 500);
  const folder = lightFolder();
  const service = await startService(scene.fake, settings(retrier.url, folder));
  const placed = proxy.add({ kind: 'reset_peer', stream: 'downstream', when: REQUEST[kind], times: 1 });
  try {
    await goThrough(scene, service, PATIENCE_MS);
    expect(placed.hits).toBe(1);
    expect(retrier.repeated).toBeGreaterThan(0);
    const wrong = scene.judge();
    expect(wrong).not.toEqual([]);
    failsAsItMust('R5', `a lost ${kind} is sent again blindly`, wrong.join('; '));
  } finally {
    await service.stop();
    await retrier.close();
    await proxy.close();
    await scene.fake.close();
    folder.remove();
  }
});
