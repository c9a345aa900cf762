/** The least Airflow that holds can be made in: switches, an audit log, runs that failed or succeeded. Every call may be cut before or after its effect. */
import { type AirflowClient, AirflowError } from '../../../../src/airflow/client.ts';
import type { AuditRow, DagFacts, LineageEdge, RunFacts } from '../../../../src/core/facts.ts';
import { dag as dagFacts, run as runFacts } from '../../../core/scenario.ts';
import type { VirtualTime } from './time.ts';

export type Cut = 'before' | 'after';

export class TinyAirflow {
  readonly paused = new Map<string, boolean>();
  readonly rows: AuditRow[] = [];
  readonly runs = new Map<string, RunFacts>();
  readonly edges: readonly LineageEdge[];
  /** 3.x marks its audit rows, 2.x does not. */
  readonly marked: boolean;
  /** What becomes of the next calls, one each; null = it goes through. */
  cuts: (Cut | null)[] = [];
  /** Called between the effect of a PATCH and its answer. */
  onEffect: () => void = () => undefined;
  patches = 0;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, dags: readonly string[], edges: readonly LineageEdge[], marked: boolean) {
    this.#time = time;
    this.edges = edges;
    this.marked = marked;
    for (const d of dags) this.paused.set(d, false);
  }

  touch(dagId: string | null, owner: string, paused: boolean, op: string | null = null, pattern: string | null = null): void {
    const event = dagId === null ? 'patch_dags' : 'patch_dag';
    const row = { id: this.rows.length + 1, when: new Date(this.#time.now).toISOString(), dagId, event, owner, paused, pattern };
    this.rows.push({ ...row, op: this.marked ? op : null });
    for (const d of this.paused.keys()) if (dagId === null || d === dagId) this.paused.set(d, paused);
  }

  finish(dagId: string, runId: string, state: 'failed' | 'success'): void {
    const startDate = new Date(this.#time.now).toISOString();
    this.runs.set(`${dagId}/${runId}`, runFacts(dagId, runId, { state, startDate, endDate: startDate }));
  }

  client(): AirflowClient {
    const facts = (dagId: string): DagFacts => dagFacts(dagId, { paused: this.paused.get(dagId) === true });
    const call = <T>(work: () => T) => this.#call(work);
    const client = {
      id: 'prod',
      account: 'firedamper',
      canBackfill: this.marked,
      probe: () => call(() => ({ serverTime: new Date(this.#time.now).toISOString() })),
      getDag: (id: string) => call(() => facts(id)),
      listDags: () => call(() => [...this.paused.keys()].map(facts)),
      listImportErrors: () => call(() => []),
      getDagDetails: (id: string) =>
        call(() => ({ ...facts(id), catchup: false, dagrunTimeoutSeconds: null, assetCondition: null })),
      getTaskGraph: () => call(() => ({ dagId: '', downstream: {} })),
      getLineage: () => call(() => ({ airflow: 'prod', edges: this.edges, gaps: [], seenAt: '' })),
      getRun: (dagId: string, runId: string) => call(() => this.runs.get(`${dagId}/${runId}`) ?? null),
      listTasks: () => call(() => []),
      listRuns: () => call(() => []),
      listAssets: () => call(() => []),
      queuedAssets: () => call(() => []),
      auditCursor: () => call(() => ({ readable: true, id: this.rows.length })),
      auditRows: (dagId: string, after: number) =>
        call(() => ({ readable: true, rows: this.rows.filter((r) => r.id > after && (r.dagId === null || r.dagId === dagId)) })),
      setPaused: (dagId: string, paused: boolean, op: string) =>
        call(() => {
          this.patches++;
          this.touch(dagId, 'firedamper', paused, op);
          this.onEffect();
          return facts(dagId);
        }),
    };
    // What is not there is not needed for holds; asking for it must fail the test.
    return client as unknown as AirflowClient;
  }

  #call<T>(work: () => T): Promise<T> {
    const cut = this.cuts.shift() ?? null;
    const life = this.#time.life;
    const lost = () => new AirflowError('unreachable', 'cut', { outcome: 'unknown', operation: 'any' });
    return new Promise((resolve, reject) => {
      this.#time.after(5, 'network', () => {
        const answer = cut === 'before' ? null : work();
        this.#time.after(5, 'network', () => {
          if (this.#time.life !== life) return;
          if (cut !== null) reject(lost());
          else resolve(answer as T);
        });
      });
    });
  }
}
