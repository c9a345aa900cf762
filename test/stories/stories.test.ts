/**
 * A folder per story. `_story.json` is the input: DAGs, policy, and what happens; `history-<generation>.json` is what came of it, reviewed as JSON:
 * what Airflow went through, DAG by DAG, and what the incident's history says, subject by subject. `RECORD=1 npm run test:fast` writes the outputs anew.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type DagSpec, type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { type Json, type Name, type Service, startService } from '../support/service.ts';

interface Story {
  readonly note: string;
  readonly dags: Readonly<Record<string, DagSpec>>;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly edges?: readonly unknown[];
  readonly happens: readonly Happening[];
}
type Happening =
  | { readonly fails: string; readonly task: string; readonly run: string; readonly told?: boolean }
  | { readonly mended: string }
  | { readonly status: string; readonly of: string }
  | { readonly fixed: string; readonly by: Name }
  | { readonly approved: string; readonly by: Name }
  | { readonly repair: string; readonly of: string }
  | { readonly person: 'pauses' | 'unpauses' | 'clears'; readonly dag: string; readonly run?: string }
  | { readonly hold: string; readonly is: string };

const here = import.meta.dirname;
const open: { fake: FakeAirflow; service: Service }[] = [];
afterAll(async () => {
  for (const { fake, service } of open.splice(0)) {
    await service.stop();
    await fake.close();
  }
});

const stories = readdirSync(here, { withFileTypes: true }).filter((d) => d.isDirectory());
describe.concurrent.each(stories.map((d) => d.name))('%s', (name) => {
  const story = JSON.parse(readFileSync(join(here, name, '_story.json'), 'utf8')) as Story;
  test.each([3, 2] as const)('on Airflow %i', async (generation) => {
    const fake = await startFakeAirflow({ generation, autoRun: true });
    for (const [id, spec] of Object.entries(story.dags)) fake.dag(id, spec);
    const service = await startService(fake, { policy: story.policy ?? {}, edges: story.edges ?? [] });
    open.push({ fake, service });
    for (const happening of story.happens) await happens(fake, service, happening);
    const told = { airflow: whatHappened(fake), history: await whatIsTold(service) };
    const file = join(here, name, `history-${generation}.json`);
    if (process.env.RECORD === '1') writeFileSync(file, `${JSON.stringify(told, null, 1)}\n`);
    expect(existsSync(file), `record it first: RECORD=1 vitest run test/stories`).toBe(true);
    expect(told).toEqual(JSON.parse(readFileSync(file, 'utf8')));
  });
});

async function happens(fake: FakeAirflow, service: Service, h: Happening): Promise<void> {
  if ('fails' in h) {
    fake.setOutcome(h.fails, h.task, 'failed');
    fake.startRun(h.fails, { runId: h.run });
    await fake.until((f) => f.runs(h.fails).some((r) => r.runId === h.run && r.tasks.get(h.task)?.state === 'failed'));
    if (h.told !== false) await service.callback(payload(h.fails, h.run, h.task));
    await service.until('the failure is heard', () => service.incident(h.fails));
  } else if ('mended' in h) {
    for (const key of [...fake.world.outcomes.keys()]) if (key.startsWith(`${h.mended}/`)) fake.world.outcomes.delete(key);
  } else if ('status' in h) await service.reaches(h.status, h.of);
  else if ('fixed' in h) {
    const { repair } = (
      await service.call(h.by, 'POST', `/v1/incidents/${(await service.incident(h.fixed)).id}/fixed`, { reason: 'mended' })
    ).body;
    await service.until('a plan', async () => (await service.get(`/v1/repairs/${repair.id}`)).state === 'proposed');
  } else if ('approved' in h) {
    const [repair] = (await service.incident(h.approved)).repairs;
    const answer = await service.call(h.by, 'POST', `/v1/repairs/${repair.id}/approve`, { digest: repair.digest, comment: 'go' });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  } else if ('repair' in h)
    await service.until(`repair ${h.repair}`, async () => (await service.incident(h.of)).repairs[0]?.state === h.repair);
  else if ('hold' in h)
    await service.until(
      `hold ${h.hold} ${h.is}`,
      async () => (await service.get(`/v1/holds?dag_id=${h.hold}`)).holds[0]?.state === h.is,
    );
  else if (h.person === 'clears') {
    // A person clears what they see as failed; cleared before the poll has seen it as such, it is another story.
    const ended = (x: Json) => x.kind === 'run_failed' && x.run_id === h.run;
    await service.until('the end of the run is heard', async () => (await service.incident(h.dag)).signals.some(ended));
    fake.person().clear(h.dag, h.run ?? '');
  } else fake.person()[h.person === 'pauses' ? 'pause' : 'unpause'](h.dag);
}

const payload = (dag_id: string, run_id: string, task_id: string) => ({
  ...{ version: 1, kind: 'task_failed', dag_id, run_id, task_id, try_number: 1, occurred_at: new Date().toISOString() },
  exception: { type: 'ValueError', message: 'broken' },
});

/** Per DAG, in order: who did what. Runs keep the ids of the story; others are numbered, because their names hold times. */
function whatHappened(fake: FakeAirflow): Record<string, string[]> {
  const told: Record<string, string[]> = {};
  const names = new Map<string, string>();
  for (const e of fake.effects) {
    const key = `${e.dagId}/${e.runId}`;
    if (e.runId && !names.has(key))
      names.set(
        key,
        /^[a-z0-9_]{1,12}$/.test(e.runId)
          ? e.runId
          : `run ${[...names.keys()].filter((k) => k.startsWith(`${e.dagId}/`)).length + 1}`,
      );
    const state = e.kind === 'run_ended' ? ` ${e.detail ?? ''}` : '';
    told[e.dagId] = [...(told[e.dagId] ?? []), `${e.by}: ${e.kind}${e.runId ? ` ${names.get(key)}` : ''}${state}`.trimEnd()];
  }
  return Object.fromEntries(Object.entries(told).sort());
}

async function whatIsTold(service: Service): Promise<Record<string, Record<string, string[]>>> {
  const told: Record<string, Record<string, string[]>> = {};
  for (const { id } of (await service.get('/v1/incidents')).incidents.toReversed()) {
    const subjects: Record<string, string[]> = {};
    const { timeline } = await service.get(`/v1/incidents/${id}/timeline`);
    for (const t of timeline as Json[]) {
      const subject = String(t.subject ?? '-').replace(/\S*\d{4}-\d\d-\d\dT\S*/g, '<time>');
      subjects[subject] = [...(subjects[subject] ?? []), `${t.event}: ${t.reason_code} (${t.actor})`];
    }
    told[id] = Object.fromEntries(Object.entries(subjects).sort());
  }
  return told;
}
