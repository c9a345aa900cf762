/** DAG files that do not load, through the whole service: heard by callback at once and by the poll alone, over a restart, and where the account may not read them. */
import { afterEach, describe, expect, test } from 'vitest';
import { type FakeAirflow, startFakeAirflow } from '../support/fakeAirflow/index.ts';
import { lightFolder } from '../support/faults/network/folder.ts';
import { type Json, type Service, type ServiceOptions, startService } from '../support/service.ts';

const ERROR = "ModuleNotFoundError: No module named 'panda'";
const open: { fake: FakeAirflow; stop: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const { fake, stop } of open.splice(0)) {
    await stop();
    await fake.close();
  }
});

async function site(generation: 2 | 3, options: ServiceOptions = {}, prepare: (fake: FakeAirflow) => void = () => undefined) {
  const fake = await startFakeAirflow({ generation });
  for (const id of ['a', 'b']) fake.dag(id, { tasks: { make: {} } });
  prepare(fake);
  const airflow = { survey_interval: '5s', poll_interval: '1s' };
  const service = await startService(fake, { airflow, polling: true, ...options });
  open.push({ fake, stop: () => service.stop() });
  await service.until('the first look is over', async () => fake.requestsTo('GET', '/importErrors').length > 0);
  return { fake, service };
}

const about = async (service: Service): Promise<Json[]> =>
  (await service.get('/v1/incidents')).incidents.filter((i: Json) => i.broken_files.length > 0);
const fileOf = (generation: 2 | 3, name: string) => (generation === 2 ? `/dags/${name}` : `dags-folder/${name}`);

describe.each([2, 3] as const)('on Airflow %i', (generation) => {
  test('told by callback, it is an incident at once, with its DAGs; it ends when the file loads again', async () => {
    const { fake, service } = await site(generation, { airflow: { survey_interval: '5s', poll_interval: '1h' } });
    fake.breakFile('a.py', ERROR);
    const said = { version: 1, kind: 'import_error', airflow: 'prod', file: 'a.py', occurred_at: new Date().toISOString() };
    expect((await service.callback(said)).status).toBe(202);
    const opened = await service.until('it is heard', async () => (await about(service))[0]);
    const file = fileOf(generation, 'a.py');
    expect(opened).toMatchObject({ type: 'platform', status: 'contained', dag_id: file, runs: [], holds: [] });
    expect(opened.broken_files).toMatchObject([{ file, error: ERROR, dags: ['a'], loaded_at: null }]);
    expect((await service.call('rita', 'POST', `/v1/incidents/${opened.id}/fixed`, {})).status).toBe(409);
    fake.mendFile('a.py');
    await service.callback({ ...said, occurred_at: new Date(Date.now() + 1_000).toISOString() }, 'another');
    const over = await service.until('it is over', async () => (await about(service)).find((i) => i.status === 'resolved'));
    expect(over.broken_files[0].loaded_at).not.toBeNull();
    expect(fake.effects.filter((e) => e.by === 'firedamper')).toEqual([]);
  });

  test('the poll alone finds it, and what was broken before the first look is history, also after a restart', async () => {
    const folder = lightFolder();
    const polled = { survey_interval: '5s', poll_interval: '1s' };
    const { fake, service } = await site(generation, { folder: folder.path, airflow: polled }, (f) =>
      f.breakFile('old.py', ERROR),
    );
    fake.breakFile('b.py', ERROR);
    await service.until('the poll has found it', async () => (await about(service)).length === 1, 15_000);
    await service.stop();
    fake.mendFile('b.py');
    const again = await startService(fake, { folder: folder.path, airflow: polled, polling: true });
    open.push({ fake, stop: () => again.stop() });
    const over = await again.until('it is over', async () => (await about(again)).find((i) => i.status === 'resolved'), 15_000);
    expect(over.broken_files.map((f: Json) => f.file)).toEqual([fileOf(generation, 'b.py')]);
    expect(await about(again)).toHaveLength(1);
    folder.remove();
  });

  test('an account that may not read them goes on with everything else', async () => {
    const { fake, service } = await site(generation, {}, (f) => {
      f.inject({ path: '/importErrors', fault: { kind: 'answer', answer: { status: 403, json: { detail: 'Forbidden' } } } });
    });
    fake.breakFile('a.py', ERROR);
    fake.failRun('b', 'make', { runId: 'r1' });
    await service.until('the failure is heard', () => service.incident('b'));
    expect((await service.get('/readyz')).airflows).toMatchObject([{ state: 'ok' }]);
    expect(await about(service)).toEqual([]);
  });
});
