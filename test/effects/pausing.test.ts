/** The effects that move the pause switch, against an Airflow of one DAG: what an earlier attempt left behind, and what people did meanwhile. */
import { describe, expect, it } from 'vitest';
import type { AirflowClient } from '../../src/airflow/client.ts';
import { EMPTY_STATE } from '../../src/core/draft.ts';
import type { AuditRow } from '../../src/core/facts.ts';
import type { Hold, Ownership } from '../../src/core/hold.ts';
import type { Incident } from '../../src/core/incident.ts';
import type { Intent } from '../../src/core/intent.ts';
import { reason } from '../../src/core/reason.ts';
import type { EffectDeps } from '../../src/effects/deps.ts';
import { pauseDag } from '../../src/effects/pauseDag.ts';
import { unpauseDag } from '../../src/effects/unpauseDag.ts';
import { POLICY } from '../core/scenario.ts';

const NOW = '2026-11-21T06:00:00.000Z';
const later = (s: number) => new Date(Date.parse(NOW) + s * 1000).toISOString();

/** One DAG, its audit log, and a hook that stands between our requests. */
class OneDag {
  paused = false;
  rows: AuditRow[] = [];
  seconds = 0;
  /** Airflow's clock beside ours, seconds. */
  behind = 0;
  /** How long after NOW our attempt is made, seconds. */
  attemptAt = 0;
  /** Runs after a PATCH of ours has worked and before its answer. */
  afterPatch: () => void = () => undefined;
  readonly marked: boolean;
  readonly directions: boolean;
  constructor({ marked = true, directions = true } = {}) {
    this.marked = marked;
    this.directions = directions;
  }
  touch(owner: string, paused: boolean, op: string | null = null): void {
    const row = { id: this.rows.length + 1, when: later(this.seconds), dagId: 'd', event: 'patch_dag', owner, pattern: null };
    this.rows.push({ ...row, paused: this.directions ? paused : null, op: this.marked ? op : null });
    this.paused = paused;
  }
  deps(own: Partial<Ownership>, holds: readonly Hold[] = [HOLD]): EffectDeps {
    const client = {
      account: 'firedamper',
      canBackfill: this.marked,
      probe: async () => ({ serverTime: later(this.attemptAt + this.behind) }),
      getDag: async () => ({ dagId: 'd', paused: this.paused }),
      setPaused: async (_: string, paused: boolean, op: string) => {
        this.touch('firedamper', paused, op);
        this.afterPatch();
      },
      auditRows: async (_: string, after: number) => ({ readable: true, rows: this.rows.filter((r) => r.id > after) }),
    } as unknown as AirflowClient;
    const ownership = { ...OWN, ...own };
    return {
      client: () => client,
      policy: POLICY,
      now: () => Date.parse(later(this.attemptAt)),
      snapshot: async () => ({ ...EMPTY_STATE, ownerships: [ownership], holds }),
      readBack: async () => this.paused,
    } as unknown as EffectDeps;
  }
}

const OWN: Ownership = {
  ...{ airflow: 'prod', dagId: 'd', state: 'pause_intended', op: 'fd-1', auditCursor: 0, since: NOW, uncertain: false },
  ...{ foundPaused: false, ops: ['fd-1'] },
};
const HOLD: Hold = {
  ...{ id: 'hold-1', incidentId: 'inc-1', airflow: 'prod', dagId: 'd', state: 'intended', foundPaused: false },
  ...{
    reason: reason('downstream'),
    path: [],
    link: 'asset',
    depth: 1,
    since: NOW,
    reviewBy: NOW,
    reviewAsked: false,
    releasedAt: null,
  },
};
const act = { kind: 'pause_dag', airflow: 'prod', dagId: 'd' } as const;
const intent = (change: Partial<Intent> = {}): Intent => ({
  ...{ id: 'int-1', act, state: 'sending', op: 'fd-1', attempts: 1, createdAt: NOW, dueAt: NOW, lastError: null },
  ...change,
});
const foundBy = (outcome: Awaited<ReturnType<typeof pauseDag>>) =>
  'facts' in outcome && 'found' in outcome.facts ? outcome.facts.found : outcome;

describe('pausing', () => {
  it('a person who undoes our pause before it is read back keeps the DAG: no second pause', async () => {
    const dag = new OneDag();
    dag.afterPatch = () => dag.touch('gerda', false);
    expect(foundBy(await pauseDag(dag.deps({}), intent(), act, false))).toEqual({ was: 'taken_over', who: 'gerda' });
    expect(dag.paused).toBe(false);
  });

  it.each([
    ['3.x', true],
    ['2.x', false],
  ])('the answer was lost, and a person undid the pause: no second pause (%s)', async (_, marked) => {
    const dag = new OneDag({ marked });
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('gerda', false);
    expect(foundBy(await pauseDag(dag.deps({}), intent({ attempts: 2 }), act, true))).toEqual({
      was: 'taken_over',
      who: 'gerda',
    });
    expect(dag.paused).toBe(false);
  });

  it('2.x, which has no marks: our own unpause of an earlier hold is no person who undid the pause', async () => {
    const dag = new OneDag({ marked: false });
    dag.touch('firedamper', true);
    dag.touch('firedamper', false);
    const ops = ['fd-1', 'fd-2', 'fd-3'];
    expect(foundBy(await pauseDag(dag.deps({ ops }), intent({ attempts: 2 }), act, true))).toEqual({
      was: 'paused_by_us',
      settled: false,
    });
  });

  it('an earlier attempt whose last word was a refused connection is looked at like one whose answer was lost', async () => {
    const dag = new OneDag();
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('gerda', false);
    expect(foundBy(await pauseDag(dag.deps({}), intent({ attempts: 2 }), act, false))).toEqual({
      was: 'taken_over',
      who: 'gerda',
    });
  });

  it('our request stands in the log, but did not work, and nobody was there since: it is sent again', async () => {
    const dag = new OneDag();
    dag.touch('gerda', false);
    dag.touch('firedamper', true, 'fd-1');
    dag.paused = false;
    expect(foundBy(await pauseDag(dag.deps({}), intent({ attempts: 2 }), act, true))).toEqual({
      was: 'paused_by_us',
      settled: false,
    });
    expect(dag.paused).toBe(true);
  });

  it('an attempt that comes late finds only the hold of an incident in shadow mode: nothing is paused, not even for a moment', async () => {
    const dag = new OneDag();
    const deps = dag.deps({});
    const shadow = { id: HOLD.incidentId, mode: 'shadow' } as Incident;
    const snapshot = async () => ({ ...(await deps.snapshot()), incidents: [shadow] });
    expect(foundBy(await pauseDag({ ...deps, snapshot }, intent({ attempts: 2 }), act, false))).toEqual({ was: 'not_wanted' });
    expect(dag.rows).toEqual([]);
  });

  it('a pause whose answer was lost and that nothing wants any more may still come: it is looked for, and found ours', async () => {
    const dag = new OneDag();
    const look = (change: Partial<Intent>) => pauseDag(dag.deps({}, []), intent(change), act, true);
    const early = await look({ attempts: 2 });
    expect(early).toMatchObject({ result: 'unknown', unread: true });
    const lastError = early.result === 'unknown' ? early.error : null;
    dag.touch('firedamper', true, 'fd-1'); // there it is
    expect(foundBy(await look({ attempts: 3, lastError }))).toEqual({ was: 'paused_by_us', settled: true });

    const never = new OneDag();
    const given = intent({ attempts: 4, lastError });
    expect(foundBy(await pauseDag(never.deps({}, []), given, act, true))).toEqual({ was: 'not_wanted' });
    expect(never.rows).toEqual([]);
  });

  describe('after a change to shadow mode', () => {
    const shadow = (dag: OneDag): EffectDeps => ({ ...dag.deps({}), policy: { ...POLICY, mode: 'shadow' } });
    const unseen = { result: 'unknown', error: 'the answer was lost, and Airflow does not show the effect yet', unread: true };

    it('a pause that was not sent is not wanted any more', async () => {
      const dag = new OneDag();
      expect(foundBy(await pauseDag(shadow(dag), intent(), act, false))).toEqual({ was: 'not_wanted' });
      expect(dag.rows).toEqual([]);
    });

    it('one whose answer was lost is found', async () => {
      const dag = new OneDag();
      dag.touch('firedamper', true, 'fd-1');
      expect(foundBy(await pauseDag(shadow(dag), intent({ attempts: 2 }), act, true))).toEqual({
        was: 'paused_by_us',
        settled: true,
      });
    });

    it('one that Airflow does not show is looked for as long as it may still come', async () => {
      const dag = new OneDag();
      expect(await pauseDag(shadow(dag), intent({ attempts: 2 }), act, true)).toEqual(unseen);
      const last = intent({ attempts: 5, lastError: unseen.error });
      expect(foundBy(await pauseDag(shadow(dag), last, act, true))).toEqual({ was: 'not_wanted' });
      expect(dag.rows).toEqual([]);
    });
  });
});

describe('unpausing', () => {
  const release = { kind: 'unpause_dag', airflow: 'prod', dagId: 'd', forced: false } as const;
  const own = { state: 'resume_intended', op: 'fd-2', ops: ['fd-1', 'fd-2'] } as const;
  const unpause = (dag: OneDag, change: Partial<Intent>, forced = false, settle = false) =>
    unpauseDag(dag.deps(own), intent({ op: 'fd-2', ...change }), { ...release, forced }, settle).then(foundBy);

  it.each([
    ['at once: the person has looked', 1, 5, { was: 'unpaused_by_us', cursor: 0 }, false],
    ['late: they are asked again', 2, 5, { was: 'uncertain', why: 'forbidden' }, true],
    ['for the first time, but late: they are asked again', 1, 300, { was: 'uncertain', why: 'forbidden' }, true],
  ])('an order of a person, and an audit log that cannot be read, %s', async (_, attempts, seconds, found, paused) => {
    const dag = new OneDag();
    dag.paused = true;
    dag.attemptAt = seconds;
    const deps = dag.deps(own);
    const blind = {
      ...deps.client('prod'),
      auditRows: async () => ({ readable: false, why: 'forbidden' }),
    } as unknown as AirflowClient;
    const act = { ...release, forced: true };
    expect(foundBy(await unpauseDag({ ...deps, client: () => blind }, intent({ op: 'fd-2', attempts }), act, false))).toEqual(
      found,
    );
    expect(dag.paused).toBe(paused);
  });

  it.each([
    ['3.1 and later', true],
    ['3.0.x, which write no direction that can be trusted', false],
  ])('a pause in the gap of one round trip is put back (%s)', async (_, directions) => {
    const dag = new OneDag({ directions });
    dag.touch('firedamper', true, 'fd-1');
    const patch = () => {
      dag.afterPatch = () => undefined;
      // It came just before our unpause.
      dag.rows.splice(1, 0, { ...dag.rows[0]!, owner: 'gerda', op: null });
      dag.rows = dag.rows.map((r, i) => ({ ...r, id: i + 1 }));
    };
    dag.afterPatch = patch;
    expect(await unpause(dag, {})).toEqual({ was: 'repaused', who: 'gerda' });
    expect(dag.paused).toBe(true);
  });

  it('killed between an unpause that crossed a person and the look after it: the pause is put back at the next attempt', async () => {
    const dag = new OneDag();
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('gerda', true);
    dag.touch('firedamper', false, 'fd-2');
    expect(await unpause(dag, { attempts: 2 }, false, true)).toEqual({ was: 'repaused', who: 'gerda' });
    expect(dag.paused).toBe(true);
  });

  it('a pause of a person, and our own lost unpause may still come: theirs is looked for until ours cannot undo it unseen', async () => {
    const dag = new OneDag();
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('gerda', true);
    const look = (change: Partial<Intent>) => unpauseDag(dag.deps(own), intent({ op: 'fd-2', ...change }), release, true);
    const early = await look({ attempts: 2 });
    expect(early).toMatchObject({ result: 'unknown', unread: true });
    const lastError = early.result === 'unknown' ? early.error : null;
    dag.touch('firedamper', false, 'fd-2'); // there it is
    expect(foundBy(await look({ attempts: 3, lastError }))).toEqual({ was: 'repaused', who: 'gerda' });
    expect(dag.paused).toBe(true);

    const never = new OneDag();
    never.touch('firedamper', true, 'fd-1');
    never.touch('gerda', true);
    expect(await unpause(never, { attempts: 4, lastError }, false, true)).toEqual({ was: 'touched', who: 'gerda' });
    expect(never.paused).toBe(true);
  });

  it('our unpause worked and the connection was refused afterwards: it is ours, nobody took the DAG over', async () => {
    const dag = new OneDag();
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('firedamper', false, 'fd-2');
    expect(await unpause(dag, { attempts: 2 }, false, false)).toEqual({ was: 'unpaused_by_us', cursor: 2 });
  });

  it('unpaused by a person before our own request arrived: said so, although our pause stands in the log', async () => {
    const dag = new OneDag();
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('gerda', false);
    expect(await unpause(dag, { attempts: 2 }, false, true)).toEqual({ was: 'already_unpaused', who: 'gerda', cursor: 2 });
  });

  it.each([
    ['3.x', true],
    ['2.x', false],
  ])('somebody made it run just before our pause arrived: letting it go is what they want (%s)', async (_, marked) => {
    const dag = new OneDag({ marked });
    dag.touch('gerda', false);
    dag.touch('firedamper', true, 'fd-1');
    expect(await unpause(dag, {})).toEqual({ was: 'unpaused_by_us', cursor: 3 });
  });

  it('an order to let go whoever touched it is about what was before the order', async () => {
    const dag = new OneDag();
    dag.touch('firedamper', true, 'fd-1');
    dag.touch('gerda', true);
    dag.seconds = 3_600;
    expect(await unpause(dag, { createdAt: later(60) }, true)).toEqual({ was: 'unpaused_by_us', cursor: 3 });

    const away = new OneDag();
    away.touch('firedamper', true, 'fd-1');
    away.seconds = 1_800;
    away.touch('gerda', true);
    expect(await unpause(away, { createdAt: later(60), attempts: 7 }, true)).toEqual({ was: 'touched', who: 'gerda' });
    expect(away.paused).toBe(true);

    const crossing = new OneDag();
    crossing.touch('firedamper', true, 'fd-1');
    crossing.seconds = 61;
    crossing.touch('gerda', true);
    crossing.attemptAt = 62;
    expect(await unpause(crossing, { createdAt: later(60) }, true)).toEqual({ was: 'unpaused_by_us', cursor: 3 });

    // Killed before anything was sent, or kept waiting by acts to an Airflow that hangs: it is the first attempt, and five minutes late.
    const kept = new OneDag();
    kept.touch('firedamper', true, 'fd-1');
    kept.seconds = 180;
    kept.touch('gerda', true);
    kept.attemptAt = 360;
    expect(await unpause(kept, { createdAt: later(60) }, true)).toEqual({ was: 'touched', who: 'gerda' });
    expect(kept.paused).toBe(true);

    // Ours ten minutes ahead: the order of 11 minutes past was given at one past by Airflow's clock, and she came four minutes after it.
    const skewed = new OneDag();
    skewed.touch('firedamper', true, 'fd-1');
    skewed.behind = -600;
    skewed.seconds = 300;
    skewed.touch('gerda', true);
    expect(await unpause(skewed, { createdAt: later(660), attempts: 7 }, true)).toEqual({ was: 'touched', who: 'gerda' });
  });
});
