/** One failure from beginning to end on a fake Airflow, with a backup of every instant at which something was written. */
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { backupDatabase } from '../../../../src/store/backup.ts';
import type { FakeAirflow } from '../../fakeAirflow/index.ts';
import type { Service } from '../../service.ts';
import { failure } from './program.ts';

/** A chain, two intervals to repair, a reader that somebody else has paused. */
export function describeWorld(fake: FakeAirflow): void {
  fake.dag('a', { tasks: { make: { outlets: ['s3://a'] } } });
  fake.dag('b', { tasks: { make: { outlets: ['s3://b'] } }, schedule: { assets: 's3://a' } });
  fake.dag('c', { tasks: { make: {} }, schedule: { assets: 's3://b' } });
  fake.dag('f', { tasks: { make: {} }, schedule: { assets: 's3://a' }, paused: true });
}

/** Others may need the machine too; what is measured here is never time. */
const PATIENCE_MS = 60_000;

const reaches = (service: Service, status: string) =>
  service.until(`a is ${status}`, async () => (await service.incident('a'))?.status === status, PATIENCE_MS);

export async function tell(fake: FakeAirflow, service: Service): Promise<void> {
  for (const run of ['r1', 'r2']) {
    fake.setOutcome('a', 'make', 'failed');
    fake.startRun('a', { runId: run });
    await fake.until((f) => f.runs('a').some((r) => r.runId === run && r.state === 'failed'), PATIENCE_MS);
    await service.callback(failure('a', run));
  }
  await reaches(service, 'contained');
  fake.world.outcomes.delete('a/make');
  const { id } = await service.incident('a');
  const { repair } = (await service.call('rita', 'POST', `/v1/incidents/${id}/fixed`, { reason: 'mended' })).body;
  await service.until('a plan', async () => (await service.get(`/v1/repairs/${repair.id}`)).state === 'proposed', PATIENCE_MS);
  const { digest } = await service.get(`/v1/repairs/${repair.id}`);
  await service.call('ann', 'POST', `/v1/repairs/${repair.id}/approve`, { digest, comment: 'go' });
  await reaches(service, 'resolved');
}

/**
 * The instant between the order to deliver what was missed and its sending: too short to be copied in time, so it is made from a later copy. Nothing
 * else of this story would be done again by an old file: whatever comes before is looked at in Airflow first.
 */
export function atTheOrder(copy: string): string {
  const made = copy.replace(/\.db$/, '-ordered.db');
  cpSync(copy, made);
  const hand = new Database(made);
  const { changes } = hand
    .prepare("update intents set state = 'planned', attempts = 0 where kind = 'deliver' and state = 'done'")
    .run();
  hand.close();
  if (changes === 0) throw new Error('nothing was delivered in this story');
  return made;
}

/** Copies the database of `folder` again and again until told to stop; every copy is one committed state of the story. */
export function copyAll(folder: string, to: string): () => string[] {
  let on = true;
  let n = 0;
  let last = -1;
  const database = join(folder, 'firedamper.db');
  const watch = new Database(database, { readonly: true });
  const version = () => Number(watch.pragma('data_version', { simple: true }));
  const look = () => {
    if (!on) return;
    const now = version();
    if (now !== last) {
      last = now;
      backupDatabase(database, join(to, `point-${String(n++).padStart(3, '0')}.db`), new Date());
    }
    setImmediate(look);
  };
  look();
  return () => {
    on = false;
    watch.close();
    return readdirSync(to).sort();
  };
}
