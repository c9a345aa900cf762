/** Services that break one promise about holds each. A model that lets one of them pass is blind. */
import type { AirflowClient } from '../../../../src/airflow/client.ts';
import type { Sabotage } from './service.ts';

export interface HoldsControl {
  readonly name: string;
  /** New for each run: some remember what they saw. */
  readonly sabotage: () => Sabotage;
}

/** Pauses again, at the next look, what a person has unpaused. */
function fights(): Sabotage {
  let client: AirflowClient | null = null;
  return {
    client: (c) => {
      client = c;
      return c;
    },
    responder: (r) => ({
      ...r,
      respond: async (event) => {
        const undone = event.type === 'observed' ? event.seen.paused.filter((p) => !p.paused) : [];
        for (const p of undone) void client?.setPaused(p.dagId, true, p.op ?? '').catch(() => undefined);
        return r.respond(event);
      },
    }),
  };
}

export const HOLDS_CONTROLS: readonly HoldsControl[] = [
  {
    name: 'the audit log reads as empty before a release',
    sabotage: () => ({ client: (c) => ({ ...c, auditRows: async () => ({ readable: true, rows: [] }) }) }),
  },
  {
    name: 'what was cut off by a crash is forgotten at boot',
    sabotage: () => ({ store: (s) => ({ ...s, markInterrupted: async () => 0 }) }),
  },
  {
    name: 'a person’s unpause is fought',
    sabotage: fights,
  },
  {
    name: 'a DAG that was paused before us counts as running',
    sabotage: () => ({
      client: (c) => ({
        ...c,
        listDags: async () => (await c.listDags()).map((d) => ({ ...d, paused: false })),
        getDag: async (id) => ({ ...(await c.getDag(id)), paused: true }),
        auditRows: async () => ({ readable: true, rows: [] }),
      }),
    }),
  },
  {
    name: 'the first release unpauses what others still hold',
    sabotage: () => ({
      store: (s) => ({
        ...s,
        // A release sees no holds but its own.
        evaluate: (events, since, done, decide) =>
          s.evaluate(events, since, done, (state) => {
            const planned = events.flatMap((e) => (e.type === 'outcome' ? state.intents.filter((i) => i.id === e.intentId) : []));
            const mine = planned.flatMap(({ act }) => (act.kind === 'plan_release' ? [act.incidentId] : []))[0];
            return decide(mine === undefined ? state : { ...state, holds: state.holds.filter((h) => h.incidentId === mine) });
          }),
      }),
    }),
  },
];
