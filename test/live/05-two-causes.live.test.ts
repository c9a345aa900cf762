import { expect, test } from 'vitest';
import { line } from '../support/live/firedamper.ts';
import { ranOnce, repaired, story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const { truth, serve, failedRun, mendTask } = story();

test.concurrent.each([
  { prefix: 's05p', order: ['x', 'y'] },
  { prefix: 's05q', order: ['y', 'x'] },
])(
  'two failing DAGs hold one reader, released in the order $order: it runs only after the second release',
  async ({ prefix, order }) => {
    const [first, second] = order.map((name) => `${prefix}_${name}`) as [string, string];
    const reader = `${prefix}_c`;
    await truth.known(first, second, reader);
    const { firedamper } = await serve({ name: prefix, prefixes: [prefix] });
    await Promise.all([failedRun(first, 'make'), failedRun(second, 'make')]);
    const incidents = await Promise.all([firedamper.opened(first), firedamper.opened(second)]);
    for (const incident of incidents) await firedamper.status(incident.id, 'contained', 45);
    expect(await firedamper.holds(reader)).toHaveLength(2);
    expect(await truth.isPaused(reader)).toBe(true);
    expect(await truth.pauses('firedamper', reader), 'ten holds are one PATCH').toEqual(['pause']);

    mendTask(first, 'make');
    await firstRelease(firedamper, incidents[0].id);
    expect(await truth.isPaused(reader), 'the second incident still holds it').toBe(true);
    expect(await truth.runs(reader)).toEqual([]);

    mendTask(second, 'make');
    await repaired(firedamper, incidents[1].id);
    await ranOnce(truth, reader);
    expect(await truth.isPaused(reader)).toBe(false);
    expect(await truth.pauses('firedamper', reader)).toEqual(['pause', 'unpause']);
    await firedamper.status(incidents[0].id, 'resolved');

    async function firstRelease(damper: typeof firedamper, id: string): Promise<void> {
      const proposed = await damper.fixed(id);
      expect((await damper.approve(proposed)).status).toBe(200);
      await damper.reached(proposed.id, 'succeeded');
      const mine = async () => (await damper.holds(reader)).find((hold) => hold.incident_id === id);
      await until(`the hold of ${id} is released`, async () => (await mine())?.state === 'released', {
        show: async () => ({ hold: await mine(), timeline: (await damper.timeline(id)).map(line) }),
      });
      // A release that went on to unpause would have done so by then.
      await damper.polledAfter(new Date().toISOString());
    }
  },
);
