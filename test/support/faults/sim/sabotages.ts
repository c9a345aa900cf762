/** Services that break one law each. A simulator that lets one of them pass is blind. */
import type { AirflowClient } from '../../../../src/airflow/client.ts';
import type { Decision } from '../../../../src/core/draft.ts';
import type { DomainEvent } from '../../../../src/core/events.ts';
import type { Lineage } from '../../../../src/core/facts.ts';
import type { Ownership } from '../../../../src/core/hold.ts';
import type { Intent } from '../../../../src/core/intent.ts';
import type { SimStore } from './memoryStore.ts';
import type { Sabotage } from './service.ts';
import type { Simulation } from './simulation.ts';
import type { Site } from './site.ts';
import type { Law } from './truth.ts';

export interface Control {
  readonly name: string;
  readonly sabotage: Sabotage;
  /** Laws of which each must be found broken. */
  readonly laws: readonly Law[];
  readonly change?: (site: Site) => Site;
  /** What breaks the simulator itself: no service could. */
  readonly meddle?: (sim: Simulation) => void;
  /** Where the search begins: rare weather. */
  readonly from?: number;
}

const withClient = (change: (client: AirflowClient) => Partial<AirflowClient>): Sabotage => ({
  client: (client) => ({ ...client, ...change(client) }),
});

/** Sends again at once what got no answer. */
const blindly = async <T>(send: () => Promise<T>): Promise<T> => {
  for (let i = 0; i < 3; i++) {
    try {
      return await send();
    } catch {
      // again
    }
  }
  return send();
};

/** Acts on a decision that is not on disk yet. */
const sentFirst: Sabotage = (() => {
  let client: AirflowClient | null = null;
  return {
    client: (c: AirflowClient) => {
      client = c;
      return c;
    },
    store: (s: SimStore) => ({
      ...s,
      evaluate: (events, since, done, decide) =>
        s.evaluate(events, since, done, (state) => {
          const decision = decide(state);
          for (const { act, op } of decision.intents)
            if (act.kind === 'pause_dag') void client?.setPaused(act.dagId, true, op).catch(() => undefined);
          return decision;
        }),
    }),
  } satisfies Sabotage;
})();

/** Changes what is decided, just before it is saved. */
const withDecision = (change: (decision: Decision, events: readonly DomainEvent[]) => Decision): Sabotage => ({
  store: (s) => ({
    ...s,
    evaluate: (events, since, done, decide) => s.evaluate(events, since, done, (state) => change(decide(state), events)),
  }),
});

/** An order that nobody gave: the same pause once more, for the DAG that a person has just unpaused. */
const pauseOf = (o: Ownership): Intent => ({
  ...{ id: `again-${o.dagId}-${o.op}`, act: { kind: 'pause_dag', airflow: o.airflow, dagId: o.dagId }, state: 'planned' },
  ...{ op: `fd-0-${o.op}`, attempts: 0, createdAt: LONG_AGO, dueAt: LONG_AGO, lastError: null },
});
const LONG_AGO = '2026-01-01T00:00:00.000Z';

/** Of two notices about one incident the second goes first. */
const inReverse: Sabotage = {
  announce: (tell) => {
    const kept = new Map<string, () => Promise<void>>();
    return async (act, op, at) => {
      const first = kept.get(act.incidentId);
      if (!first) return void kept.set(act.incidentId, () => tell(act, op, at));
      kept.delete(act.incidentId);
      await tell(act, op, at);
      await first();
    };
  },
};

export const CONTROLS: readonly Control[] = [
  {
    name: 'no look at the audit log before a resume',
    sabotage: withClient(() => ({ auditRows: async () => ({ readable: true, rows: [] }) })),
    laws: ['nothing that a person touched is unpaused by us', 'what a person paused stays paused'],
    from: 4,
  },
  {
    name: 'a DAG that was paused before us counts as running',
    from: 2,
    // What we have not paused ourselves reads as running.
    sabotage: withClient((c) => {
      const ours = new Set<string>();
      return {
        listDags: async () => (await c.listDags()).map((d) => ({ ...d, paused: ours.has(d.dagId) })),
        getDag: async (id) => ({ ...(await c.getDag(id)), paused: ours.has(id) }),
        setPaused: async (id, paused, op) => {
          if (paused) ours.add(id);
          else ours.delete(id);
          return c.setPaused(id, paused, op);
        },
        auditRows: async () => ({ readable: true, rows: [] }),
      };
    }),
    laws: ['nothing that a person paused is unpaused by us', 'what was paused before us stays paused'],
    // Every second DAG, so that it does not take a rare site.
    change: (site) => ({
      ...site,
      dags: new Map([...site.dags].map(([id, spec], i) => [id, i % 2 === 1 ? { ...spec, paused: true } : spec])),
    }),
  },
  {
    name: 'an approval compares no digest',
    from: 61,
    sabotage: {
      responder: (r, store) => ({
        ...r,
        act: async (person, act) => {
          if (act.kind !== 'approve') return r.act(person, act);
          const repair = (await store.snapshot()).repairs.find((x) => x.id === act.repairId);
          return r.act(person, { ...act, digest: repair?.digest ?? act.digest });
        },
      }),
    },
    laws: ['no repair without a yes to exactly this plan'],
  },
  {
    name: 'a POST is repeated blindly',
    from: 338,
    sabotage: withClient((c) => ({
      clear: (request) => blindly(() => c.clear(request)),
      createAssetEvent: (key, extra) => blindly(() => c.createAssetEvent(key, extra)),
    })),
    laws: ['nothing is run again twice for one yes'],
  },
  {
    name: 'nothing is settled after a crash',
    from: 71,
    sabotage: {
      store: (s) => ({
        ...s,
        claim: async (...args) => {
          const { claimed, nextDue } = await s.claim(...args);
          return {
            nextDue,
            claimed: claimed.map((c) => ({ intent: { ...c.intent, attempts: 1, createdAt: c.intent.dueAt }, settle: false })),
          };
        },
      }),
    },
    laws: ['a missed event is delivered once'],
  },
  {
    name: 'what was cut off by a crash is forgotten',
    from: 8,
    sabotage: { store: (s) => ({ ...s, markInterrupted: async () => 0 }) },
    laws: ['every story ends'],
  },
  {
    name: '202 before the row is stored',
    from: 19,
    sabotage: {
      store: (s) => ({
        ...s,
        inbox: {
          ...s.inbox,
          accept: async (row) => {
            setTimeout(() => void s.inbox.accept(row), 300_000);
            return { id: row.webhookId, duplicate: false };
          },
        },
      }),
    },
    laws: ['202 means stored'],
  },
  {
    name: 'everybody is downstream',
    sabotage: withClient((c) => ({
      getLineage: async (known) => {
        const [lineage, dags] = await Promise.all([c.getLineage(known), c.listDags()]);
        const ref = (dagId: string) => ({ airflow: 'prod', dagId });
        const all = dags.flatMap((a) => dags.flatMap((b) => (a === b ? [] : [{ from: ref(a.dagId), to: ref(b.dagId) }])));
        const edges = all.map((e) => ({
          ...e,
          kind: 'asset' as const,
          via: '?',
          fromTasks: null,
          waits: null,
          source: 'assets' as const,
        }));
        return { ...lineage, edges };
      },
    })),
    laws: ['only what is downstream is paused'],
  },
  {
    name: 'the poll hears nothing',
    sabotage: withClient(() => ({
      listFailedRuns: async () => [],
      listFailedTasks: async () => [],
      listFailedRunsUpdated: async () => [],
    })),
    laws: ['every failure is heard'],
    change: (site) => ({ ...site, callbackLoss: 1 }),
  },
  {
    name: 'only the first attempt of a run is heard',
    from: 36,
    sabotage: {
      responder: (r) => {
        const first = new Map<string, string | null>();
        return {
          ...r,
          respond: async (event) => {
            if (event.type !== 'signal') return r.respond(event);
            const { dagId, runId, runStart } = event.signal;
            const key = `${dagId} ${runId}`;
            first.set(key, first.get(key) ?? runStart);
            return r.respond(first.get(key) === runStart ? event : { type: 'tick' });
          },
        };
      },
    },
    laws: ['what failed stands in an incident'],
  },
  {
    name: 'the links that were read first are believed for ever',
    from: 9079,
    sabotage: (() => {
      const first = new WeakMap<AirflowClient, Lineage['edges']>();
      return withClient((c) => ({
        getLineage: async (known) => {
          const lineage = await c.getLineage(known);
          const edges = first.get(c) ?? lineage.edges;
          first.set(c, edges);
          return { ...lineage, edges };
        },
      }));
    })(),
    laws: ['only what is downstream is paused'],
  },
  {
    name: 'nobody is downstream',
    sabotage: withClient((c) => ({ getLineage: async (known) => ({ ...(await c.getLineage(known)), edges: [] }) })),
    laws: ['what reads it is held, or spared with a reason'],
    change: (site) => ({ ...site, edges: [] }),
  },
  {
    name: 'what a task makes is known for another one’s',
    sabotage: withClient((c) => ({
      getLineage: async (known) => {
        const lineage = await c.getLineage(known);
        return { ...lineage, edges: lineage.edges.map((e) => ({ ...e, fromTasks: ['nobody'] })) };
      },
    })),
    laws: ['what reads it is held, or spared with a reason'],
    change: (site) => ({ ...site, edges: [] }),
  },
  {
    name: 'no pause reaches Airflow, and all read back as paused',
    sabotage: withClient((c) => ({
      setPaused: async (id, paused, op) => (paused ? c.getDag(id) : c.setPaused(id, paused, op)),
      getDag: async (id) => ({ ...(await c.getDag(id)), paused: true }),
      listDags: async () => (await c.listDags()).map((d) => ({ ...d, paused: true })),
    })),
    laws: ['what reads it is held, or spared with a reason'],
  },
  {
    name: 'an incident that is opened again looks for nobody to hold',
    from: 43,
    sabotage: {
      responder: (r, store) => ({
        ...r,
        respond: async (event) => {
          if (event.type !== 'outcome') return r.respond(event);
          const { incidents, intents } = await store.snapshot();
          const act = intents.find((i) => i.id === event.intentId)?.act;
          const again = incidents.some(
            (i) => act?.kind === 'survey' && i.id === act.incidentId && i.timestamps.reopenedAt !== null,
          );
          return r.respond(
            again ? { ...event, outcome: { result: 'failed', error: 'it looks for nobody', retry: false } } : event,
          );
        },
      }),
    },
    laws: ['what reads it is held, or spared with a reason'],
  },
  {
    name: 'a release unpauses nothing',
    from: 2,
    sabotage: withClient((c) => ({
      setPaused: async (id, paused, op) => (paused ? c.setPaused(id, paused, op) : c.getDag(id)),
      getDag: async (id) => ({ ...(await c.getDag(id)), paused: false }),
    })),
    laws: ['what we held runs again'],
  },
  {
    name: 'what was missed is not delivered',
    from: 471,
    sabotage: withClient((c) => ({
      createAssetEvent: async (key) => ({
        id: 0,
        assetKey: key,
        uri: key,
        timestamp: '',
        sourceDagId: null,
        sourceRunId: null,
        createdRuns: [],
        op: null,
      }),
      triggerRun: async (request) => (await c.listRuns(request.dagId, { limit: 1 }))[0] ?? c.triggerRun(request),
    })),
    laws: ['what was missed is made good'],
  },
  {
    name: 'what was read before the unpause counts, and the unpause takes five minutes',
    from: 418,
    sabotage: {
      ...withClient((c) => ({
        setPaused: async (id, paused, op) => {
          if (!paused) await new Promise((resolve) => setTimeout(resolve, 300_000));
          return c.setPaused(id, paused, op);
        },
      })),
      responder: (r) => ({
        ...r,
        respond: (event) =>
          r.respond(
            event.type === 'outcome' && event.outcome.result === 'done' && event.outcome.facts.kind === 'plan_delivery'
              ? { ...event, outcome: { result: 'done', facts: { kind: 'plan_delivery', missed: [] } } }
              : event,
          ),
      }),
    },
    laws: ['what was missed is made good'],
  },
  {
    name: 'shadow mode acts',
    sabotage: { policy: (p) => ({ ...p, mode: 'armed' }) },
    laws: ['shadow touches nothing'],
    change: (site) => ({ ...site, policy: { ...site.policy, mode: 'shadow' } }),
  },
  {
    name: 'the list of protected DAGs is not read',
    sabotage: { policy: (p) => ({ ...p, hold: { ...p.hold, protectedDags: [] } }) },
    laws: ['what is protected is never paused'],
    change: (site) => ({
      ...site,
      policy: { ...site.policy, hold: { ...site.policy.hold, protectedDags: [...site.dags.keys()] } },
    }),
  },
  {
    name: 'sent first, saved afterwards',
    sabotage: sentFirst,
    laws: ['saved first, sent second'],
  },
  {
    name: 'whatever failed reads as a success',
    sabotage: withClient((c) => {
      const whole = <T extends { readonly state: string }>(r: T): T => (r.state === 'failed' ? { ...r, state: 'success' } : r);
      return {
        getRun: async (dagId, runId) => {
          const run = await c.getRun(dagId, runId);
          return run && whole(run);
        },
        listRuns: async (dagId, query) => (await c.listRuns(dagId, query)).map(whole),
      };
    }),
    laws: ['nothing is released before it is verified'],
  },
  {
    name: 'the cap on holds is not read',
    sabotage: { policy: (p) => ({ ...p, hold: { ...p.hold, maxDags: 50 } }) },
    laws: ['no more is held than the cap allows'],
    change: (site) => ({ ...site, policy: { ...site.policy, hold: { ...site.policy.hold, maxDags: 1 } } }),
  },
  {
    name: 'an outage is taken for bad data',
    sabotage: { policy: (p) => ({ ...p, platform: { ...p.platform, massFailureDags: 999 } }) },
    laws: ['too many at once is the platform, not the data'],
    change: (site) => ({ ...site, policy: { ...site.policy, platform: { massFailureDags: 2, windowMs: 600_000 } } }),
  },
  {
    name: 'every failure is taken for an outage',
    sabotage: { policy: (p) => ({ ...p, platform: { ...p.platform, massFailureDags: 1 } }) },
    laws: ['what reads it is held, or spared with a reason'],
  },
  {
    name: 'a person’s unpause is answered by a pause',
    sabotage: withDecision((d) => ({
      ...d,
      intents: [...d.intents, ...d.ownerships.filter((o) => o.state === 'ceded').map(pauseOf)],
    })),
    laws: ['no second pause against a person'],
  },
  {
    name: 'a DAG that was let go still counts as ours',
    sabotage: withDecision((d) => ({
      ...d,
      ownerships: d.ownerships.map((o) => (o.state === 'none' ? { ...o, state: 'ours' } : o)),
    })),
    laws: ['the books agree'],
  },
  {
    name: 'the end of a hold is stamped by a clock that is an hour behind',
    sabotage: withDecision((d) => ({
      ...d,
      holds: d.holds.map((h) =>
        h.releasedAt === null ? h : { ...h, releasedAt: new Date(Date.parse(h.releasedAt) - 3_600_000).toISOString() },
      ),
    })),
    laws: ['no time runs backwards'],
  },
  {
    name: 'a decision throws',
    sabotage: withDecision((d, events) => {
      if (events.some((e) => e.type === 'observed')) throw new TypeError('it is not a function');
      return d;
    }),
    laws: ['no decision fails inside'],
  },
  {
    name: 'notices are told in reverse',
    sabotage: inReverse,
    laws: ['what was said first is told first'],
  },
  {
    name: 'what was missed is delivered again under another mark',
    sabotage: withClient((c) => ({
      createAssetEvent: async (key, extra) => {
        await c.createAssetEvent(key, extra);
        return c.createAssetEvent(key, { ...extra, firedamper_op: `${extra.firedamper_op}-again` });
      },
      triggerRun: async (request) => {
        const run = await c.triggerRun(request);
        await c.triggerRun({ ...request, runId: `${request.runId}-again` });
        return run;
      },
    })),
    laws: ['what was missed is delivered once'],
  },
  {
    name: 'a switch moves that nobody moved',
    sabotage: {},
    meddle: (sim) =>
      sim.later(60_000, 'people', () => {
        const dag = [...sim.airflow.world.dags.values()][0];
        if (dag) dag.paused = !dag.paused;
      }),
    laws: ['the simulator knows the switches'],
  },
  {
    name: 'the end of a hold is not written down',
    sabotage: withDecision((d) => ({
      ...d,
      holds: d.holds.map((h) => (h.releasedAt === null ? h : { ...h, state: 'release_intended', releasedAt: null })),
    })),
    laws: ['nothing is held for ever'],
  },
  {
    name: 'notices are taken from the queue and not sent',
    sabotage: {
      store: (s) => ({
        ...s,
        claim: async (...args) => {
          const { claimed, nextDue } = await s.claim(...args);
          return { nextDue, claimed: claimed.filter((c) => c.intent.act.kind !== 'send_notice') };
        },
      }),
    },
    laws: ['every intent ends'],
  },
];
