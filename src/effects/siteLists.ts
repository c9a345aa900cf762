/**
 * The lists of a whole site, which every look at what DAGs missed begins with. Who asks while they are being read shares the next reading: each
 * incident that is let go reading all assets and DAGs for itself kept 300 of them waiting (soak, 200 assets), and holds in effect meanwhile.
 */
import type { AirflowClient } from '../airflow/client.ts';
import type { AssetFacts, DagFacts } from '../core/facts.ts';

interface SiteLists {
  readonly assets: readonly AssetFacts[];
  readonly dags: readonly DagFacts[];
}

const readings = new WeakMap<AirflowClient, () => Promise<SiteLists>>();

/** As they stand at some moment after the question. */
export function siteLists(client: AirflowClient): Promise<SiteLists> {
  const known = readings.get(client);
  if (known) return known();
  const reading = shared(async () => {
    const [assets, dags] = await Promise.all([client.listAssets(), client.listDags()]);
    return { assets, dags };
  });
  readings.set(client, reading);
  return reading();
}

/** A reading that has begun may have passed what the asker has just seen: who asks then waits for the one after it. */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let current: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= current.then(() => {
      next = null;
      const reading = read();
      current = reading.catch(() => undefined);
      return reading;
    });
    return next;
  };
}
