/** R8: 10,000 failures, each heard three times, in any order: one row per event, one incident, one notice of it. */
import { expect, it } from 'vitest';
import { Chance } from '../support/faults/sim/chance.ts';
import { RealHolds } from '../support/faults/sim/holdsModel.ts';
import type { Sabotage } from '../support/faults/sim/service.ts';

const EVENTS = 10_000;

async function storm(sabotage: Sabotage) {
  const real = new RealHolds(true, sabotage);
  const chance = new Chance('storm');
  const notices: string[] = [];
  real.onNotice = (text) => notices.push(text);
  real.time.install();
  try {
    await real.boot();
    await real.settle();
    const body = (n: number) => ({
      ...{ version: 1, source: 'listener', kind: 'task_failed', occurred_at: '2026-11-21T06:00:00.000Z', dag_id: 's0' },
      ...{ run_id: `run${n % 50}`, task_id: `make${Math.floor(n / 50)}`, map_index: -1, try_number: 1, state: 'failed' },
    });
    // Twice the same message, and once by the other way: a listener and a callback may both be installed.
    const all = Array.from({ length: EVENTS }, (_, n) =>
      [`id${n}`, `id${n}`, `other${n}`].map((id) => ({ id, body: body(n) })),
    ).flat();
    let duplicates = 0;
    for (const { id, body } of chance.shuffle(all)) {
      void real.service?.callback('prod', id, body).then((a) => {
        duplicates += a.duplicate ? 1 : 0;
      });
      if (chance.hit(0.01)) await real.time.step();
    }
    await real.settle();
    return { real, notices, duplicates };
  } finally {
    real.time.kill();
    real.time.uninstall();
  }
}

it('10,000 events x 3 in random order', async () => {
  const { real, notices, duplicates } = await storm({});
  const { disk } = real;
  const opened = notices.filter((n) => n.startsWith('opened')).length;
  const failed = [...disk.incidents.values()].flatMap((i) => i.runs.flatMap((r) => r.failedTasks)).length;
  process.stdout.write(
    `figure: R8 callbacks=${EVENTS * 3} duplicates=${duplicates} rows=${disk.signals.size} incidents=${disk.incidents.size} opened_notices=${opened}\n`,
  );
  expect({
    rows: disk.signals.size,
    stored: disk.inbox.length,
    duplicates,
    incidents: disk.incidents.size,
    opened,
    failed,
    errors: real.errors,
  }).toEqual({
    ...{ rows: EVENTS, stored: EVENTS * 2, duplicates: EVENTS, incidents: 1, opened: 1, failed: EVENTS, errors: [] },
  });
  expect(disk.inbox.every((r) => r.done)).toBe(true);
});

it('fails as it must: no dedupe by the message', async () => {
  let n = 0;
  const { real } = await storm({
    store: (s) => ({
      ...s,
      inbox: { ...s.inbox, accept: (row) => s.inbox.accept({ ...row, webhookId: `${row.webhookId}/${n++}` }) },
    }),
  });
  process.stdout.write(`fails as it must: no dedupe by the message: ${real.disk.inbox.length} rows of ${EVENTS * 2}\n`);
  expect(real.disk.inbox.length).toBeGreaterThan(EVENTS * 2);
});
