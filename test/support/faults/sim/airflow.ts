/**
 * One Airflow in the simulator: the world, scheduler and handlers of the fake Airflow, behind our real REST client, with a network between that obeys
 * the seed instead of sockets. What the client sends is what it sends in production; only `http.ts` is replaced.
 */
import type { AirflowClient } from '../../../../src/airflow/client.ts';
import { type Http, type HttpAnswer, type HttpCall, HttpFailure } from '../../../../src/airflow/http.ts';
import { createLanes } from '../../../../src/airflow/laneTable.ts';
import { typed } from '../../../../src/airflow/typedWire.ts';
import { createV1 } from '../../../../src/airflow/v1/calls.ts';
import { webPages } from '../../../../src/airflow/v1/webPages.ts';
import { createV2 } from '../../../../src/airflow/v2/calls.ts';
import { parseVersion } from '../../../../src/airflow/version.ts';
import { createWire } from '../../../../src/airflow/wire.ts';
import type { FakeAuth } from '../../fakeAirflow/auth.ts';
import { createHandler } from '../../fakeAirflow/handler.ts';
import type { Answer, FakeRequest, LoggedRequest } from '../../fakeAirflow/http.ts';
import { type Person, personOf } from '../../fakeAirflow/person.ts';
import { routesV1 } from '../../fakeAirflow/routesV1.ts';
import { routesV2 } from '../../fakeAirflow/routesV2.ts';
import { Router } from '../../fakeAirflow/routing.ts';
import type { Effect } from '../../fakeAirflow/types.ts';
import { World } from '../../fakeAirflow/world.ts';
import type { Chance } from './chance.ts';
import type { VirtualTime } from './time.ts';

export const OUR_ACCOUNT = 'firedamper';

/** What becomes of one call. */
export type Fate =
  | 'ok'
  /** The connection is refused: certainly nothing happened. */
  | 'refused'
  /** Cut before Airflow heard it, and after Airflow did it: the service cannot tell one from the other. */
  | 'cut_before'
  | 'cut_after'
  | 'stall_before'
  | 'stall_after'
  /** A proxy's 502 page in place of the answer; Airflow has done it. */
  | 'gateway_after'
  /** A proxy's 503 page, nothing done. */
  | 'gateway_before'
  /** Airflow's own 503: nothing done. */
  | 'half_json';

/** The weather: how likely each fate is, and how long a way takes. */
export interface Weather {
  readonly down: boolean;
  readonly faults: number;
  readonly slow: number;
}

/** One request as Airflow saw it: the ground truth that the laws are checked against. */
export interface Processed {
  /** Place in the order of everything that Airflow did. */
  readonly seq: number;
  /** Place at which the request left the service. */
  readonly sentSeq: number;
  readonly at: number;
  readonly life: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
  readonly status: number;
  /** What it changed. */
  readonly effects: readonly Effect[];
}

export interface SimAirflowOptions {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly version: string;
  readonly pageCap: number;
  readonly taskMs: number;
  readonly backfillSweepMs: number;
}

const TIMEOUT_MS = 15_000;

export class SimAirflow {
  readonly world: World;
  readonly generation: 2 | 3;
  readonly version: string;
  readonly health = { scheduler: 'healthy', database: 'healthy' };
  weather: Weather = { down: false, faults: 0, slow: 0 };
  auditHidden = false;
  requests = 0;
  /** Told of every request that Airflow has handled, in order. */
  onProcessed: (p: Processed) => void = () => undefined;
  /** Told of each call and its fate, for the trace. */
  onCall: (text: string) => void = () => undefined;
  /** Told between the effect of a changing request and its answer: the moment for a crash. */
  onEffect: () => void = () => undefined;
  readonly #time: VirtualTime;
  readonly #chance: Chance;
  readonly #handle: (request: FakeRequest, logged: LoggedRequest) => Answer;
  #seq = 0;

  constructor(options: SimAirflowOptions) {
    this.#time = options.time;
    this.#chance = options.chance;
    this.version = options.version;
    this.generation = options.version.startsWith('2') ? 2 : 3;
    this.world = new World({
      generation: this.generation,
      version: options.version,
      now: () => Math.round(this.#time.now),
      autoRun: true,
      taskMs: options.taskMs,
      outcome: () => undefined,
      backfillSweepMs: options.backfillSweepMs,
    });
    const user = { name: OUR_ACCOUNT, password: '', role: 'admin' } as const;
    // Logging in is tested elsewhere; here every call is ours.
    const auth = { identify: () => ({ user }), sessionUser: () => user } as unknown as FakeAuth;
    const routes = this.generation === 3 ? routesV2(this.world, options.pageCap) : routesV1(this.world, options.pageCap);
    this.#handle = createHandler({
      world: this.world,
      router: new Router(routes),
      auth,
      health: this.health,
      hideAuditLog: () => this.auditHidden,
      loginForm: true,
    });
  }

  /** The next place in the order of everything; people's acts take one too. */
  nextSeq(): number {
    return ++this.#seq;
  }

  person(name: string): Person {
    return personOf(this.world, name);
  }

  /** What Airflow's own clock moves: runs that are due. */
  tick(): void {
    this.#time.as('airflow', () => {
      for (const dag of this.world.dags.values()) this.world.scheduler.createDueRuns(dag);
      this.world.scheduler.step();
    });
  }

  // --- the way to it

  client(id: string): AirflowClient {
    const http: Http = { send: (call) => this.#send(call), close: () => undefined };
    const lanes = createLanes({
      ...{ pauseConcurrency: 8, timeoutMs: 20_000, random: () => this.#chance.next(), now: this.#time.serviceNow },
    });
    const parts = { http, lanes, now: this.#time.serviceNow, hide: (text: string) => text, onError: () => undefined };
    const auth = { account: OUR_ACCOUNT, headers: async () => ({ Authorization: 'ours' }), renew: async () => false };
    const prefix = this.generation === 3 ? '' : '/api/v1';
    const wire = createWire(parts, auth, prefix);
    const open = createWire(parts, null, prefix);
    const version = parseVersion(this.version);
    if (version === null) throw new Error(`no version: ${this.version}`);
    const setting = { airflow: id, version, now: this.#time.serviceNow };
    const session = { ...auth, mode: 'session', pageHeaders: async () => ({ cookie: 'session=x' }) } as const;
    const pages = webPages(parts, session);
    const calls =
      this.generation === 3
        ? createV2({ ...setting, wire: typed(wire) }, open)
        : createV1({ ...setting, wire: typed(wire) }, open, pages);
    return {
      ...calls,
      id,
      account: OUR_ACCOUNT,
      canBackfill: this.generation === 3,
      probe: async () => ({ version: this.version, generation: this.generation, ...(await calls.health()) }),
      pageUrl: () => '',
      close: () => undefined,
    };
  }

  #send(call: HttpCall): Promise<HttpAnswer> {
    const time = this.#time;
    const fate = this.#fate(call);
    const way = () => (this.#chance.hit(this.weather.slow) ? this.#chance.int(500, 6_000) : this.#chance.int(1, 60));
    const [there, back] = [way(), way()];
    this.requests++;
    const sentSeq = this.nextSeq();
    this.onCall(`${call.method} ${call.path} ${fate}`);
    return new Promise((resolve, reject) => {
      // What comes back belongs to the service's life; what is on its way to Airflow arrives whatever happens to the service.
      const life = time.life;
      const comesBack = (ms: number, run: () => void) =>
        time.after(ms, 'network', () => {
          if (time.life === life) time.as('service', run);
        });
      const lost = (ms: number, reason: HttpFailure['reason'], sent: boolean) =>
        comesBack(ms, () => reject(new HttpFailure(reason, `${fate}`, sent)));
      if (fate === 'refused') return lost(1, 'unreachable', false);
      if (fate === 'cut_before') return lost(there, 'unreachable', true);
      if (fate === 'stall_before') return lost(TIMEOUT_MS, 'timeout', true);
      if (fate === 'gateway_before') return comesBack(there, () => resolve(page(503)));
      time.after(there, 'network', () => {
        const answer = this.#process(call, life, sentSeq);
        if (fate === 'cut_after') return lost(back, 'unreachable', true);
        if (fate === 'stall_after') return lost(TIMEOUT_MS - there, 'timeout', true);
        if (fate === 'gateway_after') return comesBack(back, () => resolve(page(502)));
        const text = fate === 'half_json' ? answer.text.slice(0, answer.text.length >> 1) : answer.text;
        comesBack(back, () => resolve({ ...answer, text }));
      });
    });
  }

  #fate(call: HttpCall): Fate {
    if (this.weather.down) return this.#chance.hit(0.8) ? 'refused' : 'stall_before';
    if (!this.#chance.hit(this.weather.faults)) return 'ok';
    const lost = call.method === 'GET' ? 1 : 3;
    return this.#chance.weighted<Fate>([
      [2, 'refused'],
      [2, 'cut_before'],
      [3 * lost, 'cut_after'],
      [1, 'stall_before'],
      [lost, 'stall_after'],
      [lost, 'gateway_after'],
      [1, 'gateway_before'],
      [1, 'half_json'],
    ]);
  }

  #process(call: HttpCall, life: number, sentSeq: number): HttpAnswer {
    const [path = '/', queryText = ''] = call.path.split('?');
    const query = new URLSearchParams(queryText);
    const json = call.body === undefined ? undefined : (JSON.parse(call.body) as Record<string, unknown>);
    const request: FakeRequest = {
      ...{ method: call.method, path, query, json, text: call.body ?? '' },
      headers: { ...call.headers },
    };
    const logged = {
      at: this.#time.now,
      method: call.method,
      path,
      query: queryText,
      body: json,
      user: null,
      status: null,
      ms: 0,
    };
    const before = this.world.effects.length;
    const answer = this.#time.as('airflow', () => this.#handle(request, logged));
    const effects = this.world.effects.slice(before);
    this.onProcessed({
      ...{ seq: this.nextSeq(), sentSeq, at: this.#time.now, life, method: call.method, path, query },
      ...{ body: json ?? {}, status: answer.status, effects },
    });
    if (call.method !== 'GET') this.onEffect();
    const type =
      answer.html !== undefined ? 'text/html' : answer.problem === true ? 'application/problem+json' : 'application/json';
    return {
      status: answer.status,
      contentType: type,
      headers: { date: new Date(Math.floor(this.#time.now / 1000) * 1000).toUTCString(), ...answer.headers },
      setCookie: [],
      text: answer.html ?? (answer.json === undefined ? '' : JSON.stringify(answer.json)),
    };
  }
}

const page = (status: number): HttpAnswer => ({
  status,
  contentType: 'text/html',
  headers: {},
  setCookie: [],
  text: '<html><h1>Bad Gateway</h1></html>',
});
