/** An API server of a story's own, behind a proxy that can kill it at exactly one moment of one request. */
import { ApiServer } from '../faults/network/apiServer.ts';
import { type Ambush, type KillProxy, type ProxiedRequest, startKillProxy } from './killProxy.ts';
import type { LabFacts } from './setup.ts';

export type Phase = Ambush['phase'];
type Wanted = (request: ProxiedRequest) => boolean;

export interface MortalAirflow {
  readonly url: string;
  readonly proxy: KillProxy;
  readonly server: ApiServer;
  /** How often it has been started again. */
  readonly restarts: number;
  /**
   * Resolves when it is dead: `before`, the nth such request came and Airflow never heard of it; `after`, it was carried out and its answer is lost.
   * What else was on its way is cut wherever it is, and nobody listens any more.
   */
  diesAt(phase: Phase, when: Wanted, nth?: number): Promise<void>;
  restart(): Promise<void>;
  /** Resolves when it stands still with the first such request in its hands: nobody is answered until it is thawed. */
  freezesAt(when: Wanted): Promise<unknown>;
  thaw(): void;
  close(): Promise<void>;
}

export async function mortalAirflow(lab: LabFacts): Promise<MortalAirflow> {
  const server = await ApiServer.beside(lab);
  const proxy = await startKillProxy(server.url);
  let restarts = 0;
  return {
    ...{ url: proxy.url, proxy, server },
    get restarts() {
      return restarts;
    },
    async diesAt(phase, when, nth = 1) {
      let seen = 0;
      const act = async () => {
        await server.kill();
        await proxy.down();
      };
      await proxy.ambush({ phase, lose: true, act, when: (request) => when(request) && ++seen === nth });
    },
    async restart() {
      await server.start();
      await proxy.up();
      restarts += 1;
    },
    freezesAt: (when) => proxy.ambush({ phase: 'before', lose: false, when, act: async () => server.freeze() }),
    thaw: () => server.thaw(),
    async close() {
      await proxy.close();
      await server.kill();
    },
  };
}

const isPause =
  (paused: boolean) =>
  (dagIds: string): Wanted =>
  ({ method, path, body }) =>
    method === 'PATCH' && new RegExp(`/dags/${dagIds}\\?`).test(path) && body.includes(`"is_paused":${paused}`);

/** The requests that make an effect; a dry run is none. `dagIds` is a pattern. */
export const REQUEST: Readonly<Record<'pause' | 'unpause' | 'backfill' | 'clear' | 'event', (dagIds: string) => Wanted>> = {
  pause: isPause(true),
  unpause: isPause(false),
  backfill:
    (): Wanted =>
    ({ method, path }) =>
      method === 'POST' && path.endsWith('/backfills'),
  clear:
    (): Wanted =>
    ({ method, path, body }) =>
      method === 'POST' && path.includes('/clear') && body.includes('"dry_run":false'),
  event:
    (): Wanted =>
    ({ method, path }) =>
      method === 'POST' && /\/(assets|datasets)\/events$/.test(path),
};
